"""What `is_narrower` calls narrower never lets an action through that the other policy stops; nor does a level.

A small shared universe, so that entries meet, shadow and undo each other in most examples.
"""

import json
from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import to_builtins
from msgspec.structs import replace

from tappass_host.policy import actions as a
from tappass_host.policy.authored import load_level
from tappass_host.policy.cascade import compose
from tappass_host.policy.decide import decide
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.errors import PolicyError
from tappass_host.policy.grammar.constraints import Constraint, Range
from tappass_host.policy.model import ASPECTS as ALL_ASPECTS
from tappass_host.policy.model import (
    Filesystem,
    Mcp,
    McpRules,
    McpServer,
    Network,
    Param,
    Policy,
    Tools,
    Transport,
)
from tappass_host.policy.narrower import is_narrower, widenings
from tappass_host.policy.params import bind
from tappass_host.policy.tree import Section

HEAD = {
    "version": 1,
    "issued_at": "2026-01-01T00:00:00Z",
    "not_before": "2026-01-01T00:00:00Z",
    "expires_at": "2026-04-01T00:00:00Z",
    "org_id": "acme",
}
MANY = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow]
)


@st.composite
def pairs(draw, nodes):
    """Two nodes that differ in few fields: unrelated ones are hardly ever narrower."""
    theirs, other = draw(nodes), draw(nodes)
    names = [n for n in theirs.__struct_fields__ if getattr(theirs, n) != getattr(other, n)]
    changed = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3)) if names else []
    mine = replace(theirs, **{n: getattr(other, n) for n in changed})
    if isinstance(mine, Tools) and ORDER.index(mine.unknown) < ORDER.index(mine.default):
        mine = replace(mine, unknown=mine.default)  # no valid policy has it looser
    return mine, theirs


def some(entries, most=3):
    return st.lists(st.sampled_from(entries), max_size=most, unique=True).map(lambda xs: tuple(sorted(xs)))


PATHS = ["/ws", "/ws/a", "/ws/a/b", "/ws/a/b/c", "/ws/s", "/tmp", "/usr", "/ws/*/b", "/ws/**/.env", "**/.env"]
FILES = st.builds(
    Filesystem,
    default=st.sampled_from(["deny", "deny", "read_only", "allow"]),
    workspace=st.sampled_from(["", "/ws", "/ws/a"]),
    read_only=some(PATHS),
    read_write=some(PATHS),
    deny_paths=some(PATHS),
)
NODES = [
    "/",
    "/ws",
    "/ws/a",
    "/ws/a/b",
    "/ws/a/b/c",
    "/ws/a/.env",
    "/ws/s",
    "/ws/s/k",
    "/ws/.env",
    "/tmp",
    "/tmp/t",
]
NODES += ["/tmp/.env", "/usr", "/usr/bin", "/etc/passwd", "/ws/z/b", "/ws/z/b/.env"]
FILE_ACTIONS = [a.File(op=op, path=path) for op in ("read", "write") for path in NODES] + [
    a.File(op="move", path=source, to=to)
    for source, to in product(NODES[1:], ("/ws/m", "/tmp/m", "/ws/a/m", "/tmp/.env", "/ws/a/b/m"))
]

DOMAINS = ["a.com", "*.a.com", "b.a.com", "a.com:8443", "*.b.a.com:443", "*.a.com:80", "c.com"]
NETS = st.builds(
    Network,
    default=st.sampled_from(["deny", "deny", "allow"]),
    local=st.sampled_from(["deny", "allow"]),
    allow_domains=some(DOMAINS),
    deny_domains=some(DOMAINS),
    allow_cidrs=some(["192.0.2.0/24", "192.0.2.0/25:443", "192.0.2.7", "10.0.0.0/8"], 2),
    allow_unix=some(["/run/a.sock", "/run/b.sock"], 2),
    deny_categories=st.sampled_from([(), ("x",)]),
    category_domains=st.just({"x": ("*.b.a.com",)}),
)
HOSTS = [
    "a.com",
    "b.a.com",
    "x.b.a.com",
    "c.com",
    "192.0.2.7",
    "192.0.2.200",
    "10.1.1.1",
    "127.0.0.1",
    "localhost",
]
NET_ACTIONS = [a.Connect(host=host, port=port) for host in HOSTS for port in (443, 80, 8443, 22)]
NET_ACTIONS += [a.UnixConnect(path=path) for path in ("/run/a.sock", "/run/b.sock", "/run/c.sock")]

RULES = ["Bash", "Bash(git *)", "Bash(git push *)", "Bash(ls)", "Bash(curl *)", "Bash(/bin/curl *)", "@shell"]
RULES += [
    "Bash(env *)",
    "Bash(find *)",
    "Read",
    "Read(/ws/a)",
    "Read(/ws)",
    "Write",
    "foo",
    "WebFetch(a.com)",
]
RULES += ["WebFetch(*.a.com)", "WebFetch", "bar", "mcp__s__t", "@internal"]
CONSTRAINTS = st.sampled_from(
    [
        {},
        {"foo": {"x": Constraint(one_of=(1, 2))}},
        {"foo": {"x": Constraint(const=1)}},
        {"foo": {"x": Constraint(range=Range(max=5))}},
        {"Bash": {"command": Constraint(max_len=5)}},
        {"baz": {"x": Constraint(const=1)}},
    ]
)
ORDER = ["allow", "ask", "deny"]
DEFAULTS = st.tuples(st.sampled_from(ORDER), st.sampled_from(ORDER)).map(lambda p: sorted(p, key=ORDER.index))
TOOLS = st.builds(
    lambda defaults, **rest: Tools(default=defaults[0], unknown=defaults[1], **rest),
    DEFAULTS,
    allow=some(RULES),
    ask=some(RULES, 2),
    deny=some(RULES, 2),
    deny_if_tainted=st.sampled_from([{}, {"web": ("Bash",)}, {"web": ("Bash(git *)",)}]),
    constraints=CONSTRAINTS,
)
LINES = [
    "git status",
    "git push x",
    "git push",
    "ls",
    "ls -l",
    "curl x",
    "/bin/curl x",
    "/tmp/git x",
    "env git x",
]
LINES += [
    "git x; curl y",
    "bash -c 'curl x'",
    "$c",
    "git log > f",
    "X=1 git x",
    "find . -exec curl x ;",
    "env",
]
TOOL_ACTIONS = [a.Tool(name="Bash", args={"command": line}) for line in LINES]
TOOL_ACTIONS += [a.Tool(name="Read", args={"path": path}) for path in ("/ws/a", "/ws/b", "/etc/x")]
TOOL_ACTIONS += [
    a.Tool(name="WebFetch", args={"url": f"https://{host}/"}) for host in ("a.com", "b.a.com", "a.com:8443")
]
TOOL_ACTIONS += [
    a.Tool(name=name, args={"x": x}) for name in ("foo", "bar", "baz", "other") for x in (1, 2, 9)
]
TOOL_ACTIONS += [a.Tool(name="Write", args={"path": "/x"}), a.Tool(name="Task"), a.Tool(name="mcp__s__t")]
TOOL_ACTIONS += [a.Tool(name="@internal")]

SERVER = st.builds(
    lambda name, default, allow, ask, deny, limit: McpServer(
        id=name,
        transport=Transport(kind="http", url=f"https://{name}.test/"),
        tools=McpRules(default=default, allow=allow, ask=ask, deny=deny, constraints=limit),
    ),
    st.sampled_from(["s", "t"]),
    st.sampled_from(ORDER),
    some(["x", "y"], 2),
    some(["x", "y"], 2),
    some(["x", "y"], 2),
    st.sampled_from([{}, {"x": {"k": Constraint(const=1)}}]),
)
MCPS = st.builds(
    lambda default, servers: Mcp(default=default, servers=tuple(servers)),
    st.sampled_from(["deny", "allow"]),
    st.lists(SERVER, max_size=2, unique_by=lambda s: s.id),
)
MCP_ACTIONS = [
    a.McpCall(server=server, tool=tool, args={"k": k}) for server in "stu" for tool in "xyz" for k in (1, 2)
]

ASPECTS = {
    "filesystem": (FILES, FILE_ACTIONS),
    "network": (NETS, NET_ACTIONS),
    "tools": (TOOLS, TOOL_ACTIONS),
    "mcp": (MCPS, MCP_ACTIONS),
}


@pytest.mark.parametrize("aspect", ASPECTS)
def test_narrower_never_opens_anything(aspect):
    nodes, actions = ASPECTS[aspect]

    @MANY
    @given(pairs(nodes))
    def check(pair):
        new, old = (Policy(**HEAD, **{aspect: node}) for node in pair)
        opened = opens(new, old, actions)
        assert not (is_narrower(new, old) and opened), opened
        if opened:
            assert widenings(old, new)

    check()


@pytest.mark.parametrize("aspect", ASPECTS)
def test_a_policy_is_narrower_than_itself(aspect):
    @settings(max_examples=60, deadline=None)
    @given(ASPECTS[aspect][0])
    def check(node):
        policy = Policy(**HEAD, **{aspect: node})
        assert is_narrower(policy, policy)

    check()


@pytest.mark.parametrize("aspect", ASPECTS)
def test_every_example_is_one(aspect):
    @settings(max_examples=60, deadline=None)
    @given(pairs(ASPECTS[aspect][0]))
    def check(pair):
        new, old = (Policy(**HEAD, **{aspect: node}) for node in pair)
        for found in widenings(old, new):
            if found.action is not None:
                before = decide(EffectivePolicy(old), found.action).effect
                after = decide(EffectivePolicy(new), found.action).effect
                assert before.strictness > after.strictness
                assert (before, after) == (found.old, found.new)

    check()


UNBOUND = [
    "${workspace}",
    "${workspace}/a",
    "~",
    "~/p",
    "~/p/a",
    "/usr",
    "/home/u/p",
    "**/.env",
    "${workspace}/*/x",
]
UNBOUND_FILES = st.builds(
    Filesystem,
    default=st.sampled_from(["deny", "read_only", "allow"]),
    workspace=st.sampled_from(["", "${workspace}"]),
    read_only=some(UNBOUND),
    read_write=some(UNBOUND),
    deny_paths=some(UNBOUND),
)
BOUND_NODES = [
    "/home/u",
    "/home/u/p",
    "/home/u/p/a",
    "/home/u/p/a/x",
    "/home/u/p/.env",
    "/usr",
    "/usr/p/a",
    "/etc",
]
BOUND_ACTIONS = [a.File(op=op, path=path) for op in ("read", "write") for path in BOUND_NODES] + [
    a.File(op="move", path=x, to=y) for x, y in product(BOUND_NODES, ("/home/u/m", "/home/u/p/m", "/usr/p/m"))
]


@MANY
@given(pairs(UNBOUND_FILES), st.sampled_from(["/home/u", "/home/u/p", "/usr/p", "/home/u/p/a"]))
def test_narrower_holds_wherever_parameters_are_bound(pair, workspace):
    new, old = (Policy(**HEAD, filesystem=node) for node in pair)
    if is_narrower(new, old):
        values = {"home": "/home/u", "workspace": workspace}
        declared = {"workspace": Param(type="path")}
        bound = [bind(replace(policy, params=declared), values) for policy in (new, old)]
        assert not opens(*bound, BOUND_ACTIONS)


def opens(new, old, actions):
    """Actions that the new policy treats more loosely."""
    mine, theirs = EffectivePolicy(new), EffectivePolicy(old)
    taints = (frozenset(), frozenset({"web"}))
    return [
        (action, taint)
        for action in actions
        for taint in taints
        if decide(mine, action, tainted=taint).effect.strictness
        < decide(theirs, action, tainted=taint).effect.strictness
    ]


# The cascade: whatever a level below says, it opens nothing. The org names every list, so nothing is left to it.


def as_level(kind, aspect, node, *, only=None):
    """The YAML of a level that says a node, or only some of its fields. JSON is YAML."""
    fields = {name: value for name, value in said(to_builtins(node)).items() if only is None or name in only}
    lines = [f"level: {kind}", f"id: {kind}"]
    lines += [f"{name}: unmanaged" for name in ALL_ASPECTS if kind == "org" and name != aspect]
    return "\n".join([*lines, f"{aspect}: {json.dumps(fields)}"])


def said(value):
    """Without what is not given: null and empty texts."""
    if isinstance(value, dict):
        return {name: said(member) for name, member in value.items() if member not in (None, "")}
    return [said(member) for member in value] if isinstance(value, list | tuple) else value


@st.composite
def cascades(draw, aspect):
    """An org, and a project that says some fields of a near neighbour."""
    mine, theirs = draw(pairs(ASPECTS[aspect][0]))
    fields = draw(st.lists(st.sampled_from(mine.__struct_fields__), min_size=1, unique=True))
    return as_level("org", aspect, theirs), as_level("project", aspect, mine, only=fields)


@pytest.mark.parametrize("aspect", ASPECTS)
def test_no_level_opens_what_stands_above(aspect, head, catalogue):
    stood = []

    @settings(MANY, max_examples=120)
    @given(cascades(aspect))
    def check(texts):
        org, project = (load_level(text.encode(), source="x.yaml") for text in texts)
        try:
            above = compose([org], head=head, catalogue=catalogue).policy
            below = compose([org, project], head=head, catalogue=catalogue).policy
        except PolicyError:
            return
        stood.append(below)
        opened = opens(below, above, ASPECTS[aspect][1])
        assert not [o for o in opened if not newly_asked(above, below, o)], texts
        if not opened:
            # What is not proven may still be narrower, but nothing that is proven opens.
            assert all(w.action is None for w in widenings(above, below))

    check()
    assert len(stood) > 10


def newly_asked(above, below, opened):
    """An ask rule about what is allowed also asks about what only resembles it; it never allows."""
    action, taint = opened
    verdict = decide(EffectivePolicy(below), action, tainted=taint)
    return (
        verdict.effect == "ask"
        and verdict.statement in below.provenance
        and (
            below.provenance[verdict.statement].level == "project"
            or decide(EffectivePolicy(above), action, tainted=taint).effect != "deny"
        )
    )


@pytest.mark.parametrize("aspect", ASPECTS)
def test_order_of_entries_and_files_means_nothing(aspect, head, catalogue):
    @settings(MANY, max_examples=60)
    @given(ASPECTS[aspect][0], st.randoms(use_true_random=False))
    def check(node, random):
        texts = [as_level("org", aspect, node), "level: project\nid: p", "level: agent\nid: a"]
        levels = [load_level(text.encode(), source=f"{i}.yaml") for i, text in enumerate(texts)]
        results = []
        for _ in range(3):
            random.shuffle(levels)
            try:
                results.append(
                    compose([shuffled(level, random) for level in levels], head=head, catalogue=catalogue)
                )
            except PolicyError as error:
                results.append(str(error))
        assert results[0] == results[1] == results[2]

    check()


def shuffled(level, random):
    """The level with every list in another order; places stay with their entries."""
    return level._replace(root=shuffled_tree(level.root, random))


def shuffled_tree(tree, random):
    if isinstance(tree, list):
        return random.sample(tree, len(tree))
    if isinstance(tree, Section):
        names = random.sample(list(tree.members), len(tree.members))
        members = {name: shuffled_tree(tree.members[name], random) for name in names}
        return Section(tree.said, members, partial=tree.partial)
    return tree
