"""Filesystem rules for a target: defaults, grants, narrowings, pins and denies, outermost first.

The traps this closes, each with a test: a pin that reopens an outer mask; a pin that makes a read-only folder
writable; a deny left out where reads are open by default; a default claimed in a mode that only prompts; a
write grant lost inside a read-only folder; work that grows with the square of the rules.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

from tappass_host.policy.effective import EffectivePolicy, FsRule
from tappass_host.policy.grammar.paths import PathRule, parse_path
from tappass_host.sdk.claims import Item
from tappass_host.sdk.facts import UNKNOWN, Answer, Unknown
from tappass_host.sdk.lowering.links import MISSING, NOT_KNOWN, Links, Place

Know = Callable[[str, str], Answer | Unknown]
Key = tuple[str, tuple[str, ...]]
Access = Literal["deny", "read", "write"]
Default = Literal["deny", "read_only", "allow"]

NOT_YET = "does not exist yet: closed from the next launch on"
CREATED_LATER = "paths created later are closed from the next launch on"
LINKED = "led to by the symbolic link {}, which can be replaced"
ALWAYS_OPEN = "the target opens it by itself"
ALWAYS_WRITABLE = "the target lets it be written by itself"


class FsFeatures(NamedTuple):
    """What a target can hold.

    Attributes:
        nesting: `layered` (an inner rule beats an outer one), `deny_first` (a deny beats any grant),
            `union` (rules only add up) or `disjoint` (no rule may lie inside another).
        floor: what it leaves open for what nobody lists: nothing, reading, all, or a prompt.
        glob: whether it takes patterns; without it they are expanded by what the host answers.
        narrow: whether it can make part of a writable folder read-only.
        conflict: where rules only add up, what gives way when a grant holds something that is denied:
            the `grant` (dropped, or made read-only) or the `deny` (unenforceable).
        pinned: whether a rule inside a writable folder can be carried off by renaming a folder above it.
        existing: whether a rule can only be about what exists at launch, and is laid where its path leads.
        grants: false where grants are made through tool rules (`lower_tools`) instead.
        widest: the most open default it can be given; under a wider one it stays closed.
        always: what it opens by itself whatever is listed, as path and access.
    """

    nesting: Literal["layered", "deny_first", "union", "disjoint"]
    floor: Literal["nothing", "read", "all", "prompt"]
    glob: bool = False
    narrow: bool = True
    conflict: Literal["grant", "deny"] = "grant"
    pinned: bool = False
    existing: bool = False
    grants: bool = True
    widest: Default = "allow"
    always: tuple[tuple[str, Literal["read", "write"]], ...] = ()


class FsEntry(NamedTuple):
    """The value of an item: a path, what may be done there, and what is there (`file`, `dir`, `` unknown)."""

    path: PathRule
    access: Access
    kind: str = ""


class _Node(NamedTuple):
    """One literal path with all that is said of it. `anchor` is that of the pattern it was found by."""

    path: PathRule
    access: Access
    origins: tuple[str, ...]
    loss: str = ""
    kind: str = ""
    anchor: Key | None = None


def lower_fs(policy: EffectivePolicy, features: FsFeatures, know: Know) -> list[Item]:
    """Lower the filesystem aspect; empty where it is unmanaged."""
    if policy.doc.filesystem is None:
        return []
    return _Lowering(policy, features, know).items()


class _Lowering:
    """One run. Nodes are looked up by path, so the work is linear in rules times depth."""

    def __init__(self, policy: EffectivePolicy, features: FsFeatures, know: Know) -> None:
        self.policy, self.f, self.know = policy, features, know
        self.wanted = policy.fs.default
        too_wide = _WIDTH[self.wanted] > _WIDTH[features.widest]
        self.default = "deny" if too_wide else self.wanted
        self.always = {_key(parse_path(path)): access for path, access in features.always}
        self.above_always = {up for key in self.always for up in _ancestors(key)}
        self.gives_way = features.nesting in _ADDITIVE and features.conflict == "grant"
        self.default_id = policy.id("filesystem.default")
        self.early: list[Item] = []
        self.granted = {(g.path.root, g.path.segments[: g.path.literal]) for g in policy.fs.grants}
        self.above_granted = {up for key in self.granted for up in _ancestors(key)}
        self.globs: list[_Node] = []
        self.links = Links(know) if features.existing and features.nesting not in _ADDITIVE else None
        top: set[Key] = {("/", ())}
        self.visible = self.granted | (top if self.default != "deny" else set())
        written = [g.path for g in policy.fs.grants if g.access == "write"]
        self.writable = {_key(path) for path in written}
        self.writable_globs = [path for path in written if path.is_glob]
        self.writable |= top if self.default == "allow" else set()
        self.denies = _merge(self._literal(policy.fs.denies))
        self.granted_nodes = _merge(self._literal(policy.fs.grants))
        self.grants = self._live(self.granted_nodes)
        if self.gives_way:
            self.denied_inside = _above(policy.fs.denies)
            self.patterns = _by_anchor(policy.fs.denies)
            self.narrowed_inside = _above(g for g in policy.fs.grants if g.access == "read")
            self.grants = {
                key: kept for key, node in self.grants.items() if (kept := self._yielding(key, node))
            }
        self.above_grants = {up for key in self.grants for up in _ancestors(key)}
        self.dropped: set[str] = set()

    def items(self) -> list[Item]:
        """All items, outermost paths first, denies after grants at the same path."""
        grants = [i for node in self.grants.values() for i in self._grant(node)]
        denies = [i for node in self.denies.values() for i in self._deny(node)]
        globs = [i for node in self.globs for i in self._glob(node)]
        items = [self._default(), *self.early, *self._rootless(), *grants, *denies, *globs]
        items = [self._mark_stricter(item) for item in items]
        return (
            sorted([*items, *self._pins(items)], key=_order)
            if self.f.grants
            else [i for i in items if not self._is_grant(i)]
        )

    def _is_grant(self, item: Item) -> bool:
        """Grants that are made through tool rules; one that is lost has to be told all the same."""
        if item.refused:
            return False
        return item.op == "grant" or (item.op == "open" and item.origins != (self.default_id,))

    def _rootless(self) -> Iterator[Item]:
        """Relative patterns where nothing is writable hang from nowhere: the default alone decides."""
        anchored = {rule.statement for rule in (*self.policy.fs.grants, *self.policy.fs.denies)}
        for field, op in (("deny_paths", "deny"), ("read_only", "grant"), ("read_write", "grant")):
            for statement in self.policy.ids(f"filesystem.{field}"):
                if statement not in anchored:
                    yield self._closed(op, None, (statement,))

    # The default.

    def _default(self) -> Item:
        origins, floor = (self.default_id,), self.f.floor
        if self.wanted == "allow" and self.default == "deny":
            return Item("default", self.default, origins, refused="opens only what is listed")
        if self.default == "allow" and floor == "all":
            return Item("open", self.default, origins)
        if floor == "prompt" and self.default != "allow":
            return Item(
                "default", self.default, origins, refused="asks outside the grants instead of denying"
            )
        if (self.default == "deny" and floor in ("read", "all")) or (
            self.default == "read_only" and floor == "all"
        ):
            opened = "reading" if floor == "read" else "everything"
            return Item("default", self.default, origins, refused=f"leaves {opened} open that nobody lists")
        stricter = self.default != self.wanted
        return Item(
            "default", self.default, origins, "stricter" if stricter else "exact", self._always_open()
        )

    def _always_open(self) -> str:
        """What the target opens by itself and the policy does not, as the way round the default."""
        open_ = {access: [str(_path(key)) for key in self._uncalled_for(access)] for access in _ALWAYS}
        return "; ".join(f"always {_ALWAYS[a]}: {', '.join(paths)}" for a, paths in open_.items() if paths)

    def _uncalled_for(self, access: str) -> Iterator[Key]:
        for key, always in sorted(self.always.items()):
            grant = self._nearest(self.granted_nodes, key, itself=True)
            called_for = grant.access if grant else _DEFAULT_ACCESS[self.default]
            if always == access and called_for not in (access, "write"):
                yield key

    def _closed(self, op: str, value: object, origins: tuple[str, ...]) -> Item:
        """What the default closes; whatever closes the target where the default itself cannot be given.

        Nor is it worse for what the target always opens elsewhere.
        """
        cannot_be_given = self.wanted == "allow" and self.default == "deny"
        if cannot_be_given or (self.always and self.f.floor == "nothing" and self.default == "deny"):
            return Item("shut", value, origins)
        return Item(op, value, origins, under=(self.default_id,))

    # Literal paths out of rules.

    def _literal(self, rules: Iterable[FsRule]) -> Iterator[_Node]:
        for rule in rules:
            if not rule.path.is_glob:
                yield from self._placed(_Node(rule.path, rule.access, (rule.statement,)))
            elif self.f.glob:
                self.globs.append(_Node(rule.path, rule.access, (rule.statement,)))
            else:
                yield from self._expanded(rule)

    def _expanded(self, rule: FsRule) -> Iterator[_Node]:
        origins = (rule.statement,)
        if rule.access == "read" and self._narrows_nothing(origins):
            self.early.append(self._closed("narrow", None, origins))
            return
        if self._shut(rule):
            self.early.append(self._closed("deny", None, origins))
            return
        found = self.know("glob", str(rule.path))
        if found is UNKNOWN:
            op = "deny" if rule.access == "deny" else "grant"
            self.early.append(
                Item(op, None, origins, refused=f"which paths match {rule.path} is not known yet")
            )
        else:
            self.early.append(Item("absent", rule.path, origins, loss=CREATED_LATER))
            for path in found if isinstance(found, tuple) else ():
                anchor = rule.path.root, rule.path.segments[: rule.path.literal]
                node = _Node(parse_path(path), rule.access, origins, CREATED_LATER, anchor=anchor)
                yield from self._placed(node)

    def _placed(self, node: _Node) -> Iterator[_Node]:
        """A rule where its path leads; see `links`. What is closed anyway is not looked at."""
        key = _key(node.path)
        around = _ancestors(key) if node.access != "deny" else (key, *_ancestors(key))
        start = self._trusted(list(around), node.access)
        if self.links is None or start is None:
            yield node
            return
        place = self.links.follow(key[1], len(start[1]))
        if not place.link:
            yield node._replace(kind=place.kind)
        elif node.access == "write":
            why = f"leads through the symbolic link /{'/'.join(place.link)}, which could be replaced inside"
            self.early.append(Item("grant", _entry(node), node.origins, refused=why))
        else:
            yield from self._behind_link(node, place)

    def _trusted(self, around: list[Key], access: Access) -> Key | None:
        """How far a path is taken as it stands: to the outermost folder that may be written.

        Where nothing above may be written nobody inside makes links, but a deny still follows what is there.
        """
        written = [up for up in around if up in self.writable or self._written_by_pattern(up)]
        seen = [up for up in around if up in self.visible] if access == "deny" else []
        return written[-1] if written else seen[0] if seen else None

    def _behind_link(self, node: _Node, place: Place) -> Iterator[_Node]:
        """Nothing may be opened by a link, so a read-only rule follows it within writable folders only."""
        real, link = ("/", place.segments), ("/", place.link)
        narrows = self._is_writable(real)
        if self._is_writable(link) or (node.access == "read" and not narrows):
            self.early.append(Item("absent", _entry(node), node.origins, loss=LINKED.format(_path(link))))
        if node.access == "deny" or narrows:
            yield node._replace(path=_path(real), kind=place.kind)

    def _is_writable(self, key: Key) -> bool:
        return any(up in self.writable or self._written_by_pattern(up) for up in _ancestors(key))

    def _written_by_pattern(self, key: Key) -> bool:
        return any(rule.covers_node(str(_path(key))) for rule in self.writable_globs)

    def _shut(self, rule: FsRule) -> bool:
        """True for a denied pattern where nothing is open anyway."""
        if rule.access != "deny" or self.default != "deny" or self.f.floor != "nothing":
            return False
        key = (rule.path.root, rule.path.segments[: rule.path.literal])
        if self._always_at(key) or any(self._always_below(key)):
            return False
        return key not in self.above_granted and not any(up in self.granted for up in (key, *_ancestors(key)))

    def _live(self, grants: dict[Key, _Node]) -> dict[Key, _Node]:
        """Grants that a deny does not cover whole; the others are under that deny."""
        live: dict[Key, _Node] = {}
        for key, node in grants.items():
            cover = self._nearest(self.denies, key, itself=True)
            if cover is None:
                live[key] = node
            else:
                self.early.append(Item("grant", _entry(node), node.origins, under=cover.origins[:1]))
        return live

    # Grants.

    def _yielding(self, key: Key, node: _Node) -> _Node | None:
        """A grant that gives way, where rules only add up, to what is denied inside it."""
        denied = self.denied_inside.get(key) or self._reached_by(key, node)
        if denied is not None:
            why = f"{denied} is denied, and nothing can be taken away inside a granted folder"
            self.early.append(Item("grant", _entry(node), node.origins, refused=why))
            return None
        if node.access == "write" and key in self.narrowed_inside:
            why = f"may only be read here: {self.narrowed_inside[key]} must not be written"
            return node._replace(access="read", loss=why)
        return node

    def _reached_by(self, key: Key, node: _Node) -> PathRule | None:
        """A denied pattern from further out that reaches into a grant."""
        patterns = (rule for up in _ancestors(key) for rule in self.patterns.get(up, ()))
        return next((rule for rule in patterns if rule.reaches(str(node.path))), None)

    def _grant(self, node: _Node) -> Iterator[Item]:
        key = _key(node.path)
        outer = self._nearest(self.grants, key)
        around = outer.access if outer else _DEFAULT_ACCESS[self.default]
        if node.access == "read" and self._narrows_nothing(node.origins) and not self._always_at(key):
            # Reading goes with the grant that gave way, and that is more than the entry says.
            yield self._closed("narrow", _entry(node), node.origins)._replace(fidelity="stricter")
            return
        # What a grant that gave way no longer opens is closed by the default.
        inner_ids, over = node.origins, outer.origins[:1] if outer and not outer.loss else ()
        if node.access == "read" and self._always_at(key) == "write":
            node = node._replace(loss="; ".join(part for part in (node.loss, ALWAYS_WRITABLE) if part))
        if node.access == around and not node.loss:
            outside = self._closed("grant", _entry(node), inner_ids)
            yield Item("grant", _entry(node), inner_ids, under=over) if over else outside
        elif node.access == "read" and around == "write":
            yield self._narrow(node)
        elif node.access == "read" and self.f.floor in ("read", "all"):
            yield Item("open", _entry(node), inner_ids, loss=node.loss)
        elif self.f.nesting == "disjoint" and outer is not None:
            yield Item("grant", _entry(node), inner_ids, refused="one grant may not lie inside another here")
        elif self.f.nesting == "deny_first" and self._inside_narrowed(key):
            why = "a deny further out beats it here"
            self.dropped.update(outer.origins if outer else ())
            yield Item("grant", _entry(node), inner_ids, refused=why)
        else:
            yield self._present(Item("grant", _entry(node), inner_ids, loss=node.loss), node)

    def _narrows_nothing(self, origins: tuple[str, ...]) -> bool:
        """True where the writable folder around a narrowing gives way, so that nothing there is written."""
        shut = self.wanted == "deny" and self.f.floor == "nothing"
        return self.gives_way and shut and all(self.policy.by_id[o].polarity == "restrict" for o in origins)

    def _narrow(self, node: _Node) -> Item:
        if self.f.nesting in _ADDITIVE or not self.f.narrow:
            why = "cannot make part of a writable folder read-only"
            return Item("narrow", _entry(node), node.origins, refused=why)
        return self._present(Item("narrow", _entry(node), node.origins, loss=node.loss), node)

    def _inside_narrowed(self, key: Key) -> bool:
        """True if a folder above is one that a narrowing (a denied write) closes."""
        outer = self._nearest(self.grants, key)
        if outer is None or outer.access != "read":
            return self.default == "read_only" and self.f.floor == "all"
        beyond = self._nearest(self.grants, _key(outer.path))
        around = beyond.access if beyond else _DEFAULT_ACCESS[self.default]
        return around == "write"

    # Denies.

    def _deny(self, node: _Node) -> Iterator[Item]:
        key = _key(node.path)
        outer = self._nearest(self.denies, key)
        if self.f.nesting in _ADDITIVE and self._always_at(key):
            yield Item("deny", _entry(node), node.origins, refused=ALWAYS_OPEN)
        elif self.f.nesting in _ADDITIVE and (open_ := list(self._always_below(key))):
            yield Item("deny", _entry(node), node.origins, refused=f"always open: {', '.join(open_)}")
        elif outer is not None:
            yield Item("deny", _entry(node), node.origins, under=outer.origins[:1])
        elif not self._open_at(key):
            yield self._closed("deny", _entry(node), node.origins)
        elif self.f.nesting in _ADDITIVE:
            yield Item("deny", _entry(node), node.origins, refused=_UNION)
        else:
            yield self._present(Item("deny", _entry(node), node.origins, loss=node.loss), node)

    def _glob(self, node: _Node) -> Iterator[Item]:
        anchor = _anchor(node)
        outer = self._nearest(self.grants, anchor, itself=True)
        op = {"deny": "deny", "read": "narrow", "write": "grant"}[node.access]
        if op == "narrow" and outer is None:
            op = "grant"
        if op == "deny" and not self._overlaps(anchor):
            yield self._closed(op, _entry(node), node.origins)
        elif node.access == "read" and self._narrows_nothing(node.origins) and not self._always_at(anchor):
            yield self._closed("narrow", _entry(node), node.origins)
        elif op == "grant" and node.access == "read" and self.f.floor in ("read", "all"):
            yield Item("open", _entry(node), node.origins)
        elif op != "grant" and self.f.nesting in _ADDITIVE:
            yield Item(op, _entry(node), node.origins, refused=_UNION)
        else:
            yield Item(op, _entry(node), node.origins)

    def _overlaps(self, anchor: Key) -> bool:
        if self.gives_way and self.default == "deny" and self.f.floor == "nothing":
            # Every grant that the pattern reaches gave way.
            return self._always_at(anchor) is not None or any(self._always_below(anchor))
        return self._open_at(anchor) or anchor in self.above_grants or any(self._always_below(anchor))

    def _open_at(self, key: Key) -> bool:
        """True if something is readable or writable there without the deny."""
        if self.f.floor != "nothing" or self.default != "deny" or self._always_at(key):
            return True
        return self._nearest(self.grants, key, itself=True) is not None

    def _always_at(self, key: Key) -> Access | None:
        """What the target opens there by itself."""
        return next((self.always[up] for up in (key, *_ancestors(key)) if up in self.always), None)

    def _always_below(self, key: Key) -> Iterator[str]:
        """What the target opens by itself inside a folder."""
        inside = self.always if key in self.above_always else ()
        return (str(_path(open_)) for open_ in inside if open_ != key and _within(open_, key))

    # What is there.

    def _present(self, item: Item, node: _Node) -> Item:
        """On a target that needs existing paths, a missing one is closed at the next launch."""
        if not self.f.existing:
            return item
        kind = node.kind or self.know("path_kind", str(node.path))
        if kind in (UNKNOWN, NOT_KNOWN):
            return item._replace(refused=f"whether {node.path} exists is not known yet")
        if kind == MISSING:
            gone = NOT_YET if item.op != "grant" else f"{node.path} does not exist"
            return item._replace(op="absent", loss="; ".join(part for part in (node.loss, gone) if part))
        assert isinstance(item.value, FsEntry)
        return item._replace(value=item.value._replace(kind=str(kind)))

    def _pins(self, items: list[Item]) -> list[Item]:
        if not self.f.pinned:
            return []
        pins: dict[Key, Item] = {}
        for item in items:
            if item.op in ("deny", "narrow") and not item.under and not item.refused:
                assert isinstance(item.value, FsEntry)
                node = (self.denies if item.op == "deny" else self.grants)[_key(item.value.path)]
                for key in self._pinnable(node):
                    pins[key] = _pin(key, item, node, pins.get(key))
        return list(pins.values())

    def _pinnable(self, node: _Node) -> Iterator[Key]:
        """Folders above a rule that are writable, and so could be renamed, below their writable root.

        What a pattern found needs none while its pattern still reaches wherever it could be carried.
        """
        key = _key(node.path)
        root = self._nearest(self.grants, key)
        if node.anchor is not None and root is not None and _within(_key(root.path), node.anchor):
            return
        for up in _ancestors(key):
            if up in self.grants:
                if self.grants[up].access == "write":
                    return
                continue
            grant = self._nearest(self.grants, up)
            around = grant.access if grant else _DEFAULT_ACCESS[self.default]
            if around == "write" and up[1]:
                yield up

    def _mark_stricter(self, item: Item) -> Item:
        """An outer entry that kills an inner grant forbids more than it says."""
        lost = item.op == "narrow" and not item.refused and self.dropped.intersection(item.origins)
        return item._replace(fidelity="stricter") if lost else item

    def _nearest(self, nodes: dict[Key, _Node], key: Key, *, itself: bool = False) -> _Node | None:
        for up in (key, *_ancestors(key)) if itself else _ancestors(key):
            if up in nodes:
                return nodes[up]
        return None


_ADDITIVE = ("union", "disjoint")
_WIDTH: dict[str, int] = {"deny": 0, "read_only": 1, "allow": 2}
_ALWAYS = {"read": "readable", "write": "writable"}
_UNION = "rules only add up here: nothing can be taken away inside a granted folder"
_DEFAULT_ACCESS: dict[str, Access] = {"deny": "deny", "read_only": "read", "allow": "write"}
_RANK = {"default": 0, "open": 0, "grant": 1, "pin": 1, "narrow": 2, "deny": 3, "absent": 4}


def _merge(nodes: Iterable[_Node]) -> dict[Key, _Node]:
    """One node per path; equal paths share their origins, and read beats write (a tie is read-only)."""
    merged: dict[Key, _Node] = {}
    for node in nodes:
        key = _key(node.path)
        old = merged.get(key)
        if old is None:
            merged[key] = node
        else:
            strict = node if node.access != "write" else old
            merged[key] = strict._replace(
                origins=tuple(dict.fromkeys((*strict.origins, *old.origins, *node.origins)))
            )
    return merged


def _entry(node: _Node) -> FsEntry:
    return FsEntry(node.path, node.access, node.kind)


def _pin(key: Key, item: Item, node: _Node, old: Item | None) -> Item:
    """A pin for one more rule. Moving what a pattern found may be allowed, so there a pin is stricter."""
    origins = dict.fromkeys((*(old.origins if old else ()), *item.origins))
    exact = node.anchor is None or (old is not None and old.fidelity == "exact")
    return Item("pin", FsEntry(_path(key), "write", "dir"), tuple(origins), "exact" if exact else "stricter")


def _above(rules: Iterable[FsRule]) -> dict[Key, PathRule]:
    """Every folder above (or at) the literal part of a rule, with the first such rule."""
    found: dict[Key, PathRule] = {}
    for rule in rules:
        key = (rule.path.root, rule.path.segments[: rule.path.literal])
        for up in (key, *_ancestors(key)) if rule.path.is_glob else _ancestors(key):
            found.setdefault(up, rule.path)
    return found


def _by_anchor(rules: Iterable[FsRule]) -> dict[Key, list[PathRule]]:
    """Patterns by the folder that they hang from."""
    found: dict[Key, list[PathRule]] = {}
    for rule in rules:
        if rule.path.is_glob:
            found.setdefault((rule.path.root, rule.path.segments[: rule.path.literal]), []).append(rule.path)
    return found


def _within(key: Key, folder: Key) -> bool:
    return key[0] == folder[0] and key[1][: len(folder[1])] == folder[1]


def _key(path: PathRule) -> Key:
    return path.root, path.segments


def _anchor(node: _Node) -> Key:
    return node.path.root, node.path.segments[: node.path.literal]


def _path(key: Key) -> PathRule:
    return PathRule(*key)


def _ancestors(key: Key) -> Iterator[Key]:
    """Folders above, innermost first, the root itself last."""
    root, segments = key
    for size in range(len(segments) - 1, -1, -1):
        yield root, segments[:size]


def _order(item: Item) -> tuple[int, int, str]:
    value = item.value
    depth = len(value.path.segments) if isinstance(value, FsEntry) else 0
    return depth, _RANK.get(item.op, 9), str(value.path) if isinstance(value, FsEntry) else ""
