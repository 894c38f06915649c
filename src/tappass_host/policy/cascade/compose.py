"""`compose`: authored levels to one Compiled Policy.

Files of one level add up (`peers`), a level below may only narrow (`narrow`), and what comes out does not
depend on the order of files, levels or entries. A preset is where a level starts from: at the top its owner
changes it freely, below it narrows like anything else but gives way instead of being refused.
"""

from itertools import pairwise
from typing import NamedTuple

import msgspec

from tappass_host.policy.authored import LEVELS, PRESETS, Level, LevelKind
from tappass_host.policy.cascade.assemble import Assembled, assemble, speak
from tappass_host.policy.cascade.fill import fill
from tappass_host.policy.cascade.narrow import narrow
from tappass_host.policy.cascade.peers import unite
from tappass_host.policy.cascade.scope import Scope
from tappass_host.policy.catalogue import Catalogue
from tappass_host.policy.errors import CascadeViolationError, PolicyError
from tappass_host.policy.finding import Finding
from tappass_host.policy.model import ASPECTS, Audience, Policy, Provenance
from tappass_host.policy.presets import preset_level
from tappass_host.policy.shape import policy_shape
from tappass_host.policy.statements import statements
from tappass_host.policy.tree import Entry, Section, Tree
from tappass_host.policy.validate import canonicalise, check_grammar, check_meaning


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What the compilation says, not a level: version, times, and whom the policy is for."""

    version: int
    issued_at: str
    not_before: str
    expires_at: str
    apply_by: str | None = None
    audience: Audience = Audience()
    runtimes: dict[str, str] = {}


class Composed(NamedTuple):
    """The policy and what is worth a person's look."""

    policy: Policy
    findings: tuple[Finding, ...]


class _Voice(NamedTuple):
    """All that one level says, its files and presets taken together."""

    kind: LevelKind
    id: str
    tier: str
    root: Section
    unmanaged: dict[str, str]

    @property
    def name(self) -> str:
        return f"{self.kind} {self.id}"


def compose(levels: tuple[Level, ...] | list[Level], *, head: Head, catalogue: Catalogue) -> Composed:
    """Compose levels, in any order, into one policy.

    Raises:
        CascadeViolationError: a level says something looser than the level above, at its place.
        PolicyError: levels contradict each other or themselves, or an aspect is left out without the word.
    """
    voices = [_voice(kind, found) for kind in LEVELS if (found := [x for x in levels if x.level == kind])]
    if not voices or voices[0].kind != "org":
        raise PolicyError("there is no org level", remedy="add a file that begins with `level: org`")
    findings: list[Finding] = []
    _check_words(voices[0])
    root = fill(voices[0].root)
    for above, below in pairwise(voices):
        _check_unmanaged(above, below, root)
        scope = Scope(below.name, above.name, root, root, below.root, "", findings)
        narrowed = narrow(scope, policy_shape(), "", root, below.root)
        assert isinstance(narrowed, Section)
        root = fill(narrowed)
    _settle_servers(root, findings)
    _name_categories(root, catalogue)
    policy = _compile(root, voices, head)
    ordered = sorted(set(findings), key=lambda f: (f.source, f.code, f.message))
    return Composed(policy, tuple(ordered))


def _voice(kind: LevelKind, levels: list[Level]) -> _Voice:
    ids = sorted({level.id for level in levels})
    if len(ids) > 1:
        remedy = "compile them apart, or give them one id"
        raise PolicyError(f"{len(ids)} {kind}s in one policy: {', '.join(ids)}", remedy=remedy)
    ordered = sorted(levels, key=lambda level: level.file)
    extended = sorted({level.extends for level in ordered if level.extends})
    if len(extended) > 1:
        remedy = "let one file of the level extend one preset"
        raise PolicyError(f"{kind} {ids[0]} extends {' and '.join(extended)}", remedy=remedy)
    spoken = ordered + [preset_level(name, kind) for name in extended]
    root = spoken[0].root
    # The first with itself too: an entry may stand twice in one file.
    for level in spoken:
        united = unite("", root, level.root)
        assert isinstance(united, Section)
        root = united
    unmanaged = {aspect: at for level in reversed(spoken) for aspect, at in level.unmanaged.items()}
    return _Voice(kind, ids[0], extended[0] if extended else "", *_leave_out(kind, ordered, root, unmanaged))


def _leave_out(
    kind: str, files: list[Level], root: Section, unmanaged: dict[str, str]
) -> tuple[Section, dict[str, str]]:
    """Apply the word `unmanaged`: a person's word beats a preset, and a person's rules a preset's word."""
    words = {aspect for level in files for aspect in level.unmanaged}
    for aspect in sorted(words):
        said = next((level.root.section(aspect) for level in files if aspect in level.root.members), None)
        if said is not None:
            what = f"{kind} says `{aspect}: unmanaged` and also manages it, at {said.said.source}"
            raise PolicyError(what, source=unmanaged[aspect], remedy="keep one of the two")
    members = {name: tree for name, tree in root.members.items() if name not in words}
    left = {a: at for a, at in unmanaged.items() if a not in members}
    return Section(root.said, members), left


def _check_words(top: _Voice) -> None:
    for aspect in ASPECTS:
        said = top.root.section(aspect)
        if (said is None or said.partial) and aspect not in top.unmanaged:
            remedy = f"write `{aspect}: unmanaged` to leave it out, or extend a preset"
            source = top.root.said.source if said is None else said.said.source
            raise PolicyError(f"{top.name} says nothing about {aspect}", source=source, remedy=remedy)


def _check_unmanaged(above: _Voice, below: _Voice, root: Section) -> None:
    for aspect, source in sorted(below.unmanaged.items()):
        if aspect in root.members and not source.startswith("preset:"):
            raise CascadeViolationError(
                f"may not unmanage: level {below.name} leaves out {aspect}, which {above.name} manages",
                source=source,
                remedy=f"remove the word: what stands above then holds for {below.name} too",
            )


def _settle_servers(root: Section, findings: list[Finding]) -> None:
    """Rules of servers that nobody lists: a denial holds anyway where unlisted servers are denied."""
    mcp = root.section("mcp")
    servers = mcp.section("servers") if mcp else None
    for name, row in list(servers.members.items()) if mcp and servers else ():
        assert isinstance(row, Section)
        if not row.partial:
            continue
        tools = row.section("tools")
        assert mcp is not None
        assert servers is not None
        # One denied tool does not make all of mcp managed, and without a managed mcp nothing would hold it.
        denied_anyway = not mcp.partial and mcp.value("default") == "deny"
        if tools is None or set(tools.members) - {"deny"} or not denied_anyway:
            remedy = f"list the server under mcp.servers with id {name} and its transport"
            raise PolicyError(f"MCP server {name} is not declared", source=row.said.source, remedy=remedy)
        what = f"MCP server {name} is not declared, so all its tools are denied anyway"
        findings.append(Finding("dead-rule", what, row.said.source, "remove the rule, or declare the server"))
        del servers.members[name]


def _name_categories(root: Section, catalogue: Catalogue) -> None:
    """Write out the domains of every denied category, so that hosts look nothing up."""
    network = root.section("network")
    if network is None:
        return
    authored = network.section("category_domains")
    members = dict(authored.members) if authored else {}
    denied = network.entries("deny_categories") or []
    found: dict[str, Tree] = {}
    for entry in denied:
        own = members.get(entry.value, [])
        assert isinstance(own, list)
        domains = catalogue.domains(entry.value)
        if domains is None and not own:
            known = ", ".join(sorted(catalogue.categories))
            what = f"category {entry.value} is not in catalogue version {catalogue.version}"
            raise PolicyError(what, source=entry.source, remedy=f"known: {known}; or carry your own domains")
        found[entry.value] = _by_domain(own, [entry._replace(value=domain) for domain in domains or ()])
    network.members["category_domains"] = Section(network.said, found)


def _by_domain(own: list[Entry], listed: list[Entry]) -> list[Entry]:
    texts = {entry.value: entry for entry in [*listed, *own]}
    return [texts[text] for text in sorted(texts)]


def _compile(root: Section, voices: list[_Voice], head: Head) -> Policy:
    ids = {voice.kind: voice.id for voice in voices}
    authored_tags = root.members.pop("compliance_tags", None)
    assembled = assemble(root)
    document = {
        **assembled.document,
        **msgspec.to_builtins(head),
        "org_id": ids["org"],
        "project_id": ids.get("project", ""),
        "agent_id": ids.get("agent", ""),
        # Whatever a lower level extends, the strictest preset is what it comes down to.
        "tier": min((voice.tier for voice in voices if voice.tier), key=PRESETS.index, default=""),
        "chain": [f"{voice.kind}:{voice.id}" for voice in voices],
    }
    try:
        policy = msgspec.convert(document, Policy, strict=True)
        check_grammar(policy)
        policy = _attributed(canonicalise(policy), assembled, authored_tags)
        check_meaning(policy)
    except PolicyError as error:
        raise error.at(source=assembled.place(error.pointer)) from None
    except msgspec.ValidationError as error:
        raise _incomplete(str(error), assembled) from None
    return canonicalise(policy)


def _incomplete(message: str, assembled: Assembled) -> PolicyError:
    """A required field of a row that no level gave."""
    from tappass_host.policy.decode import to_pointer

    what, _, path = message.partition(" - at `")
    pointer = to_pointer(path.rstrip("`"))
    return PolicyError(what, pointer=pointer, source=assembled.place(pointer), remedy="add it")


def _attributed(policy: Policy, assembled: Assembled, authored_tags: object) -> Policy:
    provenance, annotations, tags = speak(assembled, statements(policy))
    if isinstance(authored_tags, Section):
        for tag in authored_tags.members:
            ids = [entry.value for entry in authored_tags.entries(tag) or ()]
            tags[tag] = tuple(sorted({*tags.get(tag, ()), *ids}))
    for ident in {s.id for s in statements(policy)} - set(provenance):
        # Said by the compilation itself: when the policy ends.
        provenance[ident] = Provenance(level="org")
    return msgspec.structs.replace(
        policy,
        provenance=dict(sorted(provenance.items())),
        annotations=dict(sorted(annotations.items())),
        compliance_tags=tags,
    )
