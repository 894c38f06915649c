"""The shipped presets: ordinary authored levels that a level `extends`. Strictest first."""

from functools import lru_cache

from tappass_host.policy.authored import PRESETS, Level, LevelKind, load_level
from tappass_host.policy.tree import Entry, Section, Tree


def preset_text(name: str) -> bytes:
    """The YAML of a preset, comments and all.

    Raises:
        KeyError: there is no such preset.
    """
    from pkgutil import get_data

    if name not in PRESETS:
        raise KeyError(name)
    data = get_data(__name__, f"{name}.yaml")
    assert data is not None
    return data


@lru_cache(maxsize=16)
def preset_level(name: str, level: LevelKind) -> Level:
    """A preset as something that `level` says, in a voice that yields to whoever is stricter."""
    found = load_level(preset_text(name), source=f"preset:{name}.yaml", soft=True)
    root = _spoken_by(found.root, level)
    assert isinstance(root, Section)
    return found._replace(level=level, root=root)


def _spoken_by(tree: Tree, level: str) -> Tree:
    if isinstance(tree, Entry):
        return tree._replace(level=level)
    if isinstance(tree, list):
        return [entry._replace(level=level) for entry in tree]
    members = {name: _spoken_by(member, level) for name, member in tree.members.items()}
    return Section(tree.said._replace(level=level), members, partial=tree.partial)
