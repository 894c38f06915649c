"""The cascade as a whole: who said what where, files of a level, presets."""

from itertools import permutations

import pytest

from tappass_host.policy.cascade import compose
from tappass_host.policy.errors import CascadeViolationError, PolicyError
from tappass_host.policy.narrower import is_narrower

HTTP = "{kind: http, url: 'https://s.test/'}"

# Provenance, notes and tags.


def test_provenance_names_level_and_place(cascade):
    policy = cascade(
        org="network: {default: deny, allow_domains: ['*.a.com', b.com]}\nbudget: {tokens_per_day: 9}",
        project="network: {allow_domains: [x.a.com, b.com], deny_domains: [c.com]}",
        agent="budget: {tokens_per_day: 5}",
    ).policy
    said = {ident: (p.level, p.source) for ident, p in policy.provenance.items()}
    assert said["network.allow_domains[x.a.com]"] == ("project", "project.yaml:3:27")
    assert said["network.allow_domains[b.com]"] == ("org", "org.yaml:3:53")
    assert said["network.deny_domains[c.com]"] == ("project", "project.yaml:3:59")
    assert said["network.default[deny]"] == ("org", "org.yaml:3:20")
    assert said["network.other"] == ("org", "org.yaml:3:10")
    assert said["budget.tokens_per_day[5]"] == ("agent", "agent.yaml:3:26")


def test_repeating_a_value_keeps_who_said_it_first(cascade):
    policy = cascade(org="tools: {default: ask}", agent="tools: {default: ask}").policy
    assert policy.provenance["tools.default[ask]"].level == "org"


def test_notes_and_controls_reach_their_statement_only(cascade):
    rule = "{rule: 'Bash(git push *)', controls: [SOC2:CC8.1, SOC2:CC6.1], reason: why, owner: me, url: 'https://x'}"
    result = cascade(org=f"tools: {{ask: [{rule}], default: {{rule: deny, controls: [SOC2:CC6.1]}}}}")
    policy = result.policy
    assert set(policy.annotations) == {"tools.ask[Bash(git push *)]"}
    assert policy.annotations["tools.ask[Bash(git push *)]"].reason == "why"
    assert policy.compliance_tags == {
        "SOC2:CC6.1": ("tools.ask[Bash(git push *)]", "tools.default[deny]"),
        "SOC2:CC8.1": ("tools.ask[Bash(git push *)]",),
    }


def test_controls_of_a_server_are_about_the_server(cascade):
    policy = cascade(org=f"mcp: {{servers: [{{id: s, transport: {HTTP}, controls: [X]}}]}}").policy
    assert policy.compliance_tags == {"X": ("mcp.servers[s]",)}


def test_a_level_may_add_controls_to_what_stands_above(cascade):
    policy = cascade(
        org="network: {deny_domains: [{rule: a.com, controls: [A]}]}",
        project="network: {deny_domains: [{rule: a.com, controls: [B]}]}",
    ).policy
    assert policy.compliance_tags == {
        "A": ("network.deny_domains[a.com]",),
        "B": ("network.deny_domains[a.com]",),
    }
    assert policy.provenance["network.deny_domains[a.com]"].level == "org"


def test_head_and_identity(cascade, head):
    policy = cascade(org="network: {}", project="", agent="").policy
    assert (policy.org_id, policy.project_id, policy.agent_id) == ("org", "project", "agent")
    assert policy.chain == ("org:org", "project:project", "agent:agent")
    assert (policy.version, policy.expires_at) == (head.version, head.expires_at)


def test_categories_are_written_out(cascade, catalogue):
    network = cascade(
        org="network: {deny_categories: [tunnels, mine], category_domains: {mine: [m.test], tunnels: [t.test]}}"
    ).policy.network
    assert network.category_domains["mine"] == ("m.test",)
    assert set(network.category_domains["tunnels"]) == {*catalogue.domains("tunnels"), "t.test"}


# Files and order.


def test_files_of_a_level_add_up_in_any_order(author, head, catalogue):
    levels = [
        author("org", "network: {allow_domains: [b.com, a.com], default: deny}", file="b.yaml"),
        author(
            "org", "network: {allow_domains: [a.com]}\ntools: {allow: [Read]}", file="a.yaml", complete=False
        ),
        author("project", "tools: {deny: [Write]}", file="p.yaml"),
        author("agent", "network: {allow_domains: [a.com]}", file="c.yaml"),
    ]
    levels[0].unmanaged.pop("tools")
    results = [compose(order, head=head, catalogue=catalogue) for order in permutations(levels)]
    assert all(result == results[0] for result in results)
    assert results[0].policy.provenance["network.allow_domains[a.com]"].source == "a.yaml:3:27"


def test_an_entry_that_stands_twice_is_one(cascade):
    entries = ["{rule: a.com, controls: [X]}", "{rule: A.com, reason: why, controls: [Y]}"]
    first, second = (
        cascade(org=f"network: {{deny_domains: [{', '.join(e)}]}}").policy for e in permutations(entries)
    )
    assert first.network == second.network
    assert first.network.deny_domains == ("a.com",)
    assert first.compliance_tags == second.compliance_tags
    assert set(first.compliance_tags) == {"X", "Y"}
    assert first.annotations == second.annotations


def test_two_persons_of_one_level_may_not_contradict_each_other(author, head, catalogue):
    levels = [
        author("org", "network: {default: deny}", file="a.yaml"),
        author("org", "network: {default: allow}", file="b.yaml", complete=False),
    ]
    for order in permutations(levels):
        with pytest.raises(PolicyError, match=r"network.default is said twice.*a.yaml:3:20") as caught:
            compose(order, head=head, catalogue=catalogue)
        assert caught.value.source == "b.yaml:3:20"


def test_two_orgs_are_refused(author, head, catalogue):
    levels = [author("org", "network: {}", ident=name) for name in ("acme", "evil")]
    with pytest.raises(PolicyError, match="2 orgs in one policy: acme, evil"):
        compose(levels, head=head, catalogue=catalogue)


def test_the_word_and_rules_contradict_each_other(author, head, catalogue):
    levels = [author("org", "network: {}", file="a.yaml"), author("org", "network: unmanaged", file="b.yaml")]
    with pytest.raises(PolicyError, match=r"also manages it, at a\.yaml:3:10") as caught:
        compose(levels, head=head, catalogue=catalogue)
    assert caught.value.source == "b.yaml:3:10"


# Presets in the cascade.


def test_the_top_changes_its_preset_freely(says):
    found = says(
        org="extends: worker\nnetwork: {default: allow, allow_domains: [a.com]}\ntools: {allow: [WebFetch]}"
    )
    assert {"network.default[allow]", "network.allow_domains[a.com]", "tools.allow[WebFetch]"} <= found
    assert "tools.allow[@read]" in found


def test_the_word_beats_the_preset(cascade):
    policy = cascade(org="extends: worker\nnetwork: unmanaged").policy
    assert policy.network is None
    assert policy.tools is not None


def test_a_preset_below_gives_way_and_says_so(cascade):
    org = cascade(org="extends: worker").policy
    result = cascade(org="extends: worker", agent="extends: full")
    assert is_narrower(result.policy, org)
    assert result.policy.network.default == "deny"
    assert result.policy.tier == "worker"
    assert {f.code for f in result.findings} == {"preset-narrowed"}
    assert any("tools.default[allow]" in f.message for f in result.findings)
    assert result.policy.provenance["network.default[deny]"].source.startswith("preset:worker.yaml")


def test_a_stricter_preset_below_narrows(cascade):
    result = cascade(org="extends: standard", agent="extends: observer")
    assert is_narrower(result.policy, cascade(org="extends: observer").policy)
    assert result.policy.tier == "observer"


def test_a_person_below_a_preset_is_refused_all_the_same(cascade):
    with pytest.raises(CascadeViolationError, match="level agent agent"):
        cascade(org="extends: worker", agent="extends: worker\ntools: {allow: [WebFetch]}")


def test_a_denial_for_an_undeclared_server_is_a_finding(cascade):
    result = cascade(org="mcp: {default: deny}\ntools: {deny: [mcp__s__t]}")
    assert [(f.code, f.source) for f in result.findings] == [("dead-rule", "org.yaml:4:16")]
    assert result.policy.mcp.servers == ()
