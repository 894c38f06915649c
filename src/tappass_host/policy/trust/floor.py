"""Version floors: what may never come back.

A floor is what the host remembers of the newest statement it accepted, per trusted root,
organisation and audience. Storing it is the caller's business; these are the rules.
"""

from collections.abc import Iterable, Mapping

import msgspec

from tappass_host.policy.errors import EquivocationError, RollbackError
from tappass_host.policy.trust.dsse import Role
from tappass_host.policy.trust.root import Root


class FloorKey(msgspec.Struct, frozen=True, order=True):
    """What a floor is about.

    Attributes:
        root: lineage of the root, which outlives its rotations.
        org_id: the organisation.
        audience: `Audience.key`.
    """

    root: str
    org_id: str
    audience: str


class Floor(msgspec.Struct, frozen=True):
    """The lowest version that is still acceptable, and its only acceptable bytes.

    Attributes:
        version: of the policy.
        digest: of its exact bytes.
        key_ids: the keys whose signatures set this floor.
        role: in which they signed.
    """

    version: int
    digest: str
    key_ids: tuple[str, ...]
    role: Role = "policy"


def check_floor(version: int, digest: str, floor: Floor | None) -> None:
    """Refuse what is older than the floor, or equal to it in version only.

    `None` means that this host never had a floor. Whoever *lost* one must not ask.

    Raises:
        RollbackError: a lower version.
        EquivocationError: the same version with other bytes.
    """
    if floor is None or version > floor.version:
        return
    if version < floor.version:
        message = f"version {version} is below {floor.version}, which this host has accepted"
        remedy = "re-issue the older content under a higher version: `tappass policy revert`"
        raise RollbackError(message, pointer="/version", remedy=remedy)
    if digest != floor.digest:
        message = f"version {version} was accepted as {floor.digest}, this is {digest}"
        raise EquivocationError(message, pointer="/version", remedy="issue it under a higher version")


def strictest(floors: Iterable[Floor | None]) -> Floor | None:
    """Give the highest floor of several stores; losing some of them lowers nothing.

    Raises:
        EquivocationError: two stores hold different bytes for the highest version.
    """
    highest: Floor | None = None
    for floor in floors:
        if floor is None or (highest is not None and floor.version < highest.version):
            continue
        if highest is not None:
            check_floor(floor.version, floor.digest, highest)
        highest = floor
    return highest


def surviving(floors: Mapping[FloorKey, Floor], root: Root) -> dict[FloorKey, Floor]:
    """Give the floors that still stand under a newly rotated root.

    A thief of a key can raise the floor beyond every honest version. Removing that key undoes
    it: a floor stands only while the keys that set it, without those that `root` no longer
    lists, reach the threshold. Floors of other roots are not touched.
    """
    return {key: floor for key, floor in floors.items() if key.root != root.lineage or _stands(floor, root)}


def _stands(floor: Floor, root: Root) -> bool:
    keys = root.roles.get(floor.role)
    return keys is not None and len(keys.key_ids() & set(floor.key_ids)) >= keys.threshold
