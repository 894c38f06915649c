"""Targets that cannot open everything, open something by themselves, or have nothing of an aspect at all."""

import pytest

from tappass_host.policy import model as m
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.sdk.facts import Know
from tappass_host.sdk.kit.reference import policy
from tappass_host.sdk.lowering import FsFeatures, NetFeatures, lower_closed, lower_fs, lower_net

UNION = FsFeatures(nesting="union", floor="nothing")
NAMES = NetFeatures(domains="native", floor="nothing", deny=False)


def files(features, **filesystem):
    return lower_fs(EffectivePolicy(policy(filesystem=m.Filesystem(**filesystem))), features, Know({}))


def hosts(features, **network):
    return lower_net(EffectivePolicy(policy(network=m.Network(**network))), features)


def about(items, statement):
    found = [item for item in items if statement in item.origins]
    assert len(found) == 1
    return found[0]


# A default that is too wide.


def test_an_open_default_that_cannot_be_given_is_refused_and_its_denies_hold():
    items = files(UNION._replace(widest="deny"), default="allow", deny_paths=("/etc",), read_write=("/ws",))
    assert about(items, "filesystem.default[allow]").refused
    assert about(items, "filesystem.deny_paths[/etc]").op == "shut"
    assert about(items, "filesystem.read_write[/ws]").op == "grant"


def test_a_read_only_default_that_cannot_be_given_is_stricter():
    items = files(UNION._replace(widest="deny"), default="read_only", deny_paths=("/etc",))
    default = about(items, "filesystem.default[read_only]")
    assert (default.value, default.fidelity, default.refused) == ("deny", "stricter", "")
    assert about(items, "filesystem.deny_paths[/etc]").under == ("filesystem.default[read_only]",)


@pytest.mark.parametrize("default", ["deny", "read_only", "allow"])
def test_a_default_that_can_be_given_is_as_before(default):
    wide = files(UNION, default=default, deny_paths=("/etc",))
    assert files(UNION._replace(widest=default), default=default, deny_paths=("/etc",)) == wide


def test_an_open_network_that_cannot_be_given_is_refused_and_its_denies_hold():
    items = hosts(NAMES._replace(widest="deny"), default="allow", deny_domains=("bad.example.com",))
    assert about(items, "network.default[allow]").refused
    assert about(items, "network.deny_domains[bad.example.com]").op == "shut"


# What is open by itself.

ALWAYS = UNION._replace(always=(("/usr", "read"), ("/tmp", "write")))


def test_what_is_always_open_is_the_way_round_the_default():
    assert about(files(ALWAYS), "filesystem.default[deny]").loss == (
        "always readable: /usr; always writable: /tmp"
    )


def test_what_the_policy_grants_anyway_is_no_way_round():
    assert about(files(ALWAYS, read_only=("/usr",), read_write=("/",)), "filesystem.default[deny]").loss == ""
    assert about(files(ALWAYS, default="read_only"), "filesystem.default[read_only]").loss == (
        "always writable: /tmp"
    )


def test_a_deny_of_what_is_always_open_is_refused():
    items = files(ALWAYS, deny_paths=("/usr/lib", "/tmp/a/b", "/home"))
    assert about(items, "filesystem.deny_paths[/usr/lib]").refused
    assert about(items, "filesystem.deny_paths[/tmp/a/b]").refused
    # It is as shut as it can be: what is open elsewhere is not its loss.
    assert about(items, "filesystem.deny_paths[/home]").op == "shut"


def test_a_deny_above_what_is_always_open_names_it():
    features = UNION._replace(always=(("/home/app", "read"),))
    items = files(features, deny_paths=("/home", "/var"))
    assert about(items, "filesystem.deny_paths[/home]").refused == "always open: /home/app"
    assert about(items, "filesystem.deny_paths[/var]").op == "shut"


def test_a_read_grant_of_what_is_always_writable_is_partial():
    assert about(files(ALWAYS, read_only=("/tmp/x",)), "filesystem.read_only[/tmp/x]").loss


def test_a_pattern_that_reaches_what_is_always_open_is_not_shut():
    items = files(ALWAYS, deny_paths=("/usr/**/key", "/var/**/key"))
    assert about(items, "filesystem.deny_paths[/usr/**/key]").refused
    assert about(items, "filesystem.deny_paths[/var/**/key]").op == "shut"


def test_a_deny_first_target_still_emits_a_deny_of_what_is_always_open():
    features = FsFeatures(nesting="deny_first", floor="nothing", always=(("/usr", "read"),))
    deny = about(files(features, deny_paths=("/usr/lib",)), "filesystem.deny_paths[/usr/lib]")
    assert (deny.op, deny.refused, deny.under) == ("deny", "", ())


# Names that conflict, where nothing can be taken from a grant.

GIVES_WAY = NAMES._replace(conflict="grant")
CONFLICTS = {
    "a name below a wildcard": ("*.example.com", "bad.example.com", True),
    "the same name": ("a.example.com", "a.example.com", True),
    "a wildcard above": ("a.example.com", "*.example.com", True),
    "a wildcard below": ("*.example.com", "*.a.example.com", True),
    "the same wildcard": ("*.example.com", "*.example.com", True),
    "the apex": ("*.example.com", "example.com", False),
    "another name": ("a.example.com", "b.example.com", False),
    "a port that is not granted": ("*.example.com", "bad.example.com:8443", False),
    "a port that is granted": ("*.example.com:8443", "bad.example.com:8443", True),
    "one of the two usual ports": ("*.example.com", "bad.example.com:80", True),
}


@pytest.mark.parametrize(("allow", "deny", "conflict"), CONFLICTS.values(), ids=CONFLICTS)
def test_what_gives_way(allow, deny, conflict):
    grant, closed = f"network.allow_domains[{allow}]", f"network.deny_domains[{deny}]"
    items = hosts(GIVES_WAY, allow_domains=(allow,), deny_domains=(deny,))
    assert bool(about(items, grant).refused) == conflict
    assert about(items, closed).under == ("network.default[deny]",)
    # Where the deny gives way instead, it is the deny that is refused, and only in a conflict.
    items = hosts(NAMES, allow_domains=(allow,), deny_domains=(deny,))
    assert not about(items, grant).refused
    assert bool(about(items, closed).refused) == conflict


def test_a_target_that_is_blind_to_ports_conflicts_on_the_name_alone():
    blind = GIVES_WAY._replace(ports=False)
    items = hosts(blind, allow_domains=("*.example.com",), deny_domains=("bad.example.com:8443",))
    assert about(items, "network.allow_domains[*.example.com]").refused


# Nothing of an aspect.


def closed(**aspects):
    return lower_closed(EffectivePolicy(policy(**aspects)), next(iter(aspects)), "has no files")


def test_every_restriction_is_shut_and_every_grant_refused():
    items = closed(
        filesystem=m.Filesystem(workspace="/ws", read_only=("/ws/vendor", "/usr"), deny_paths=("/ws/secret",))
    )
    assert {item.origins[0]: (item.op, item.fidelity, item.refused) for item in items} == {
        "filesystem.default[deny]": ("shut", "exact", ""),
        "filesystem.deny_paths[/ws/secret]": ("shut", "exact", ""),
        "filesystem.read_only[/usr]": ("shut", "exact", "has no files"),
        # Inside a writable folder it also says that it may be read.
        "filesystem.read_only[/ws/vendor]": ("shut", "stricter", ""),
        "filesystem.workspace[/ws]": ("shut", "exact", "has no files"),
    }


def test_a_half_open_default_is_stricter():
    default = about(closed(filesystem=m.Filesystem(default="read_only")), "filesystem.default[read_only]")
    assert default.fidelity == "stricter"


def test_only_some_fields():
    both = EffectivePolicy(policy(interpreter=m.Interpreter(env=("TZ",), allow_imports=("json",))))
    items = lower_closed(both, "interpreter", "no", fields=("interpreter.env",))
    assert [item.origins for item in items] == [("interpreter.env[TZ]",)]


def test_an_unmanaged_aspect_says_nothing():
    assert lower_closed(EffectivePolicy(policy()), "filesystem", "no") == []


# Patterns, on a target that lets grants give way to them.

PATTERNS = UNION._replace(glob=True)


def test_a_grant_gives_way_to_a_pattern_that_reaches_it_and_then_the_pattern_holds():
    items = files(PATTERNS, read_write=("/ws/a", "/opt"), deny_paths=("/ws/**/.env",))
    assert about(items, "filesystem.read_write[/ws/a]").refused
    assert not about(items, "filesystem.read_write[/opt]").refused
    assert about(items, "filesystem.deny_paths[/ws/**/.env]").under == ("filesystem.default[deny]",)


def test_a_pattern_that_reaches_no_grant_takes_none_away():
    items = files(PATTERNS, read_write=("/ws/a",), deny_paths=("/ws/*.key",))
    assert not about(items, "filesystem.read_write[/ws/a]").refused
    assert about(items, "filesystem.deny_paths[/ws/*.key]").under == ("filesystem.default[deny]",)


def test_a_pattern_cannot_hold_where_reading_is_open():
    items = files(PATTERNS, default="read_only", deny_paths=("/ws/**/.env",))
    assert about(items, "filesystem.deny_paths[/ws/**/.env]").refused


def test_a_read_only_pattern_holds_where_the_folder_around_it_gave_way():
    items = files(PATTERNS, workspace="/ws", read_only=("**/hooks",))
    workspace = about(items, "filesystem.workspace[/ws]")
    assert (workspace.value.access, bool(workspace.loss)) == ("read", True)
    assert about(items, "filesystem.read_only[**/hooks]").under == ("filesystem.default[deny]",)


def test_a_pattern_that_may_be_read_anyway_is_open():
    items = files(PATTERNS._replace(floor="read", conflict="deny"), read_only=("/opt/*/doc",))
    assert about(items, "filesystem.read_only[/opt/*/doc]").op == "open"


def test_a_read_only_path_in_what_is_always_writable_does_not_hold():
    items = files(ALWAYS, read_write=("/tmp",), read_only=("/tmp/x",))
    narrow = about(items, "filesystem.read_only[/tmp/x]")
    assert narrow.loss or narrow.refused
