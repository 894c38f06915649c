"""One step of the cascade: walks the shape, and applies to every field the rule of its kind."""

from tappass_host.policy.cascade.files import narrow_filesystem
from tappass_host.policy.cascade.rules import FIELDS, grants_capability, keep, opened
from tappass_host.policy.cascade.scope import Scope
from tappass_host.policy.cascade.tools import check_names
from tappass_host.policy.shape import Fields, Shape, Table
from tappass_host.policy.tree import Section, Tree


def narrow(scope: Scope, shape: Shape, field: str, above: Tree | None, below: Tree) -> Tree | None:
    """What holds below: what stands above, narrowed by what the level says.

    Raises:
        CascadeViolationError: the level says something looser.
    """
    if isinstance(below, Section):
        assert above is None or isinstance(above, Section)
        over = Section(below.said, partial=True) if above is None else above
        if field == "filesystem":
            return narrow_filesystem(scope, over, below)
        if field == "tools":
            check_names(scope, over, below)
        if isinstance(shape, Table):
            return _table(scope, shape, field, above, below)
        assert isinstance(shape, Fields)
        return _fields(scope, shape, field, over, below)
    return FIELDS[field](scope, field, above, below)


def _fields(scope: Scope, shape: Fields, field: str, above: Section, below: Section) -> Section:
    said = below.said if above.partial else keep(above.said, below.said)
    result = Section(said, dict(above.members), partial=above.partial and below.partial)
    for name, inner in shape.fields.items():
        if name in below.members:
            step = scope.inside(above, below, _join(scope.path, name))
            found = narrow(step, inner, _join(field, name), above.members.get(name), below.members[name])
            if found is not None:
                result.members[name] = found
    return result


def _table(scope: Scope, shape: Table, field: str, above: Section | None, below: Section) -> Section:
    over = Section(below.said, partial=True) if above is None else above
    result = Section(keep(over.said, below.said), partial=over.partial and below.partial)
    for key, row in below.members.items():
        found = _row(scope, shape, field, above, (key, row))
        if found is not None:
            result.members[key] = found
    if not shape.as_list or below.partial or _open_below(scope):
        # Rows that nobody may drop: under an open default an unlisted row would be free of its limits.
        result.members = {**over.members, **result.members}
    return result


def _row(
    scope: Scope, shape: Table, field: str, above: Section | None, item: tuple[str, Tree]
) -> Tree | None:
    key, row = item
    path = f"{scope.path}[{key}]" if shape.as_list else f"{scope.path}.{key}"
    inner = f"{field}.*" if isinstance(shape.row, Table) else field
    step = scope._replace(path=path)
    stands = above.members.get(key) if above is not None else None
    if stands is None and isinstance(row, Section) and shape.as_list and not row.partial:
        _check_new_row(step, field, above, row)
    return narrow(step, shape.row, inner, stands, row)


def _check_new_row(scope: Scope, field: str, above: Section | None, row: Section) -> None:
    said = row.said._replace(value=None)
    remedy = f"ask the owners of {scope.above} to add it, or remove it"
    if grants_capability(field, row):
        why = f"which {scope.above} does not grant"
        raise scope.violation("only a level above may grant this", field, said, why, remedy)
    listed = above is not None and not above.partial
    if listed and not opened(scope, field):
        why = f"which {scope.above} does not list"
        raise scope.violation("allow lists may only shrink", field, said, why, remedy)


def _open_below(scope: Scope) -> bool:
    return (scope.mine.value("default") or scope.default_above()) == "allow"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
