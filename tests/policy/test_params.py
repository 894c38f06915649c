"""Binding: values are data, checked, and put where they belong; nothing else of the policy changes."""

import msgspec
import pytest

from tappass_host.policy.errors import BindError
from tappass_host.policy.grammar.constraints import Constraint
from tappass_host.policy.model import Param
from tappass_host.policy.params import bind, check_value
from tappass_host.policy.statements import statements
from tappass_host.policy.validate import check_grammar, check_meaning

ORG = """params: {workspace: {type: path, under: [/home, /srv]}, team: {type: string, default: red}}
filesystem:
  workspace: "${workspace}"
  read_only: [/usr, ~/.gitconfig, "/srv/${team}/shared"]
  deny_paths:
    - {rule: ~/.ssh, reason: keys, controls: [X]}
    - "${workspace}/**/.env"
    - "**/*.pem"
network: {allow_unix: ["~/agent.sock", docker]}
tools:
  allow: ["Read(~/notes)", "Bash(cat '${workspace}/a')", "Bash(ls ~)"]
  constraints: {export: {to: {subpath: "${workspace}/out"}, who: {one_of: ["${team}", all]}}}
data: {sources: [{id: d, kind: duckdb, path: "${workspace}/d.db", views: [{name: v, table: t, columns: [a], row_filter: "team = '${team}'"}]}]}
mcp: {servers: [{id: s, transport: {kind: stdio, argv: ["${workspace}/bin/s", "--team=${team}"]}, tools: {constraints: {t: {p: {subpath: ~/x}}}}}]}"""
VALUES = {"workspace": "/home/dev/my ws", "home": "/home/dev"}


@pytest.fixture
def policy(cascade):
    return cascade(org=ORG).policy


def test_values_go_where_they_belong(policy):
    bound = bind(policy, VALUES)
    assert bound.filesystem.workspace == "/home/dev/my ws"
    assert bound.filesystem.read_only == ("/home/dev/.gitconfig", "/srv/red/shared", "/usr")
    assert bound.filesystem.deny_paths == ("**/*.pem", "/home/dev/.ssh", "/home/dev/my ws/**/.env")
    assert bound.network.allow_unix == ("/home/dev/agent.sock", "docker")
    assert bound.tools.allow == ("Bash(cat '/home/dev/my ws/a')", "Bash(ls ~)", "Read(/home/dev/notes)")
    assert bound.tools.constraints["export"]["to"] == Constraint(subpath="/home/dev/my ws/out")
    assert bound.tools.constraints["export"]["who"] == Constraint(one_of=("all", "red"))
    assert bound.data.sources[0].path == "/home/dev/my ws/d.db"
    assert bound.data.sources[0].views[0].row_filter == "team = 'red'"
    assert bound.mcp.servers[0].transport.argv == ("/home/dev/my ws/bin/s", "--team=red")
    assert bound.mcp.servers[0].tools.constraints["t"]["p"] == Constraint(subpath="/home/dev/x")


def test_the_bound_policy_is_a_policy(policy):
    bound = bind(policy, VALUES)
    check_grammar(bound)
    check_meaning(bound)
    assert bind(bound, VALUES) == bound


def test_provenance_notes_and_tags_follow_their_statements(policy):
    bound = bind(policy, VALUES)
    assert set(bound.provenance) == {s.id for s in statements(bound)}
    deny = "filesystem.deny_paths[/home/dev/.ssh]"
    assert bound.annotations[deny].reason == "keys"
    assert bound.compliance_tags == {"X": (deny,)}
    assert bound.provenance[deny] == policy.provenance["filesystem.deny_paths[~/.ssh]"]


def test_the_values_are_in_the_document(policy):
    bound = bind(policy, VALUES)
    assert bound.params["workspace"].default == "/home/dev/my ws"
    assert bound.params["team"].default == "red"
    assert bind(policy, {**VALUES, "team": "blue"}).params["team"].default == "blue"


def test_the_rest_is_untouched(policy):
    bound = bind(policy, VALUES)
    for name in ("version", "expires_at", "org_id", "chain", "audience", "runtimes"):
        assert getattr(bound, name) == getattr(policy, name)


def test_two_spellings_of_one_path_become_one(cascade):
    org = "filesystem: {deny_paths: [~/.ssh, /home/dev/.ssh]}"
    bound = bind(cascade(org=org).policy, {"home": "/home/dev"})
    assert bound.filesystem.deny_paths == ("/home/dev/.ssh",)
    assert set(bound.provenance) == {s.id for s in statements(bound)}


PATHS = {
    "relative": ("ws", "is not an absolute path"),
    "empty": ("", "is not an absolute path"),
    "home": ("~/ws", "is not an absolute path"),
    "the root": ("/", "is the root of all files"),
    "dots": ("/home/../etc", "is not normalised"),
    "one dot": ("/home/./a", "is not normalised"),
    "double slash": ("/home//a", "is not normalised"),
    "leading double slash": ("//home/a", "is not normalised"),
    "final slash": ("/home/a/", "is not normalised"),
    "star": ("/home/*", "holds *"),
    "question mark": ("/home/a?", "holds ?"),
    "bracket": ("/home/[ab]", "holds ["),
    "brace": ("/home/{a,b}", "holds {"),
    "parameter": ("/home/${user}", "holds $"),
    "back quote": ("/home/`id`", "holds `"),
    "quote": ("/home/a'b", "holds '"),
    "double quote": ('/home/a"b', 'holds "'),
    "backslash": ("/home/a\\b", "holds \\"),
    "tilde inside": ("/home/~root", "holds ~"),
    "line break": ("/home/a\nb", "holds a control character"),
    "NUL": ("/home/a\0", "holds a control character"),
    "bidi": ("/home/a\u202eb", "holds a control character"),
    "final blank": ("/home/a ", "blanks at its end"),
    "outside": ("/etc", "lies outside the declared folders"),
    "beside": ("/homely/a", "lies outside the declared folders"),
}


@pytest.mark.parametrize("name", PATHS)
def test_refuses_a_path(policy, name):
    value, what = PATHS[name]
    with pytest.raises(BindError) as caught:
        bind(policy, {**VALUES, "workspace": value})
    assert what in caught.value.message
    assert caught.value.pointer == "/params/workspace"
    assert caught.value.remedy


OTHERS = {
    "string with a slash": ("string", "a/b"),
    "string with dots": ("string", "a..b"),
    "dots alone": ("string", ".."),
    "string with a quote": ("string", "a' OR 1=1"),
    "string with a line break": ("string", "a\n"),
    "string with a star": ("string", "a*"),
    "empty string": ("string", ""),
    "root": ("uid", "0"),
    "signed": ("uid", "+5"),
    "name for a number": ("uid", "root"),
    "padded number": ("uid", "007"),
    "too large": ("uid", "4294967295"),
    "other digits": ("uid", "\u0661"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_refuses_a_word_or_number(name):
    kind, value = OTHERS[name]
    with pytest.raises(BindError):
        check_value("p", Param(type=kind), value)


@pytest.mark.parametrize(
    ("kind", "value"), [("string", "red"), ("string", "a.b@c+d-e_1"), ("uid", "1000"), ("path", "/srv/ä b/c")]
)
def test_takes_a_plain_value(kind, value):
    check_value("p", Param(type=kind), value)


def test_a_missing_value_is_named(policy):
    with pytest.raises(BindError, match="parameter workspace has no value") as caught:
        bind(policy, {"home": "/home/dev"})
    assert caught.value.pointer == "/params/workspace"


def test_home_is_needed_only_where_it_is_used(policy, cascade):
    with pytest.raises(BindError, match="parameter home is used but has no value"):
        bind(policy, {"workspace": "/srv/x"})
    assert bind(cascade(org="filesystem: {workspace: /ws}").policy, {}).filesystem.workspace == "/ws"


def test_an_undeclared_value_is_refused(policy):
    with pytest.raises(BindError, match="parameter 'worksapce' is not declared") as caught:
        bind(policy, {**VALUES, "worksapce": "/srv"})
    assert "workspace" in caught.value.remedy


def test_a_default_is_checked_too(policy):
    params = {**policy.params, "team": Param(type="string", default="../x")}
    with pytest.raises(BindError, match="parameter team is no plain word"):
        bind(msgspec.structs.replace(policy, params=params), VALUES)


def test_a_value_that_does_not_fit_its_entry_names_the_field(cascade):
    policy = cascade(org="params: {p: {type: path}}\nfilesystem: {read_only: ['/a/${p}']}").policy
    with pytest.raises(BindError, match="cannot be bound") as caught:
        bind(policy, {"p": "/b"})
    assert caught.value.pointer == "/filesystem/read_only"
