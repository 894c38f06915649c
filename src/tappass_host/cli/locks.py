"""Which lock of providers holds: the one that was named, else `providers.lock` in the current folder."""

from pathlib import Path
from typing import TYPE_CHECKING

from tappass_host.policy.errors import ProviderError

if TYPE_CHECKING:
    from tappass_host.registry.lock import Lock

LOCK_FILE = "providers.lock"


def lock_for(named: str | None, org_id: str | None) -> "Lock | None":
    """The lock that providers are checked against; None if there is none.

    Args:
        named: the file that was named.
        org_id: whose lock it has to be; None takes anybody's.

    Raises:
        ProviderError: it cannot be read, or is another organisation's.
    """
    path = Path(named or LOCK_FILE)
    if named is None and not path.exists():
        return None
    from tappass_host.registry.lock import read_lock

    lock = read_lock(path)
    if org_id is not None and lock.org_id != org_id:
        remedy = "name the right one with --lock FILE"
        raise ProviderError(f"lock of {lock.org_id}, policy of {org_id}", source=str(path), remedy=remedy)
    return lock
