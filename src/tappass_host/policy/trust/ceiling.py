"""The most that a root lets any policy key say, whoever holds that key.

It limits the scope of the policy role: a stolen key reaches no project, class of hosts or
lifetime beyond it. What a policy may *grant* on one device is another ceiling, kept on
that device and checked by narrowing.
"""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from tappass_host.policy.errors import CeilingError
from tappass_host.policy.trust.document import Node
from tappass_host.policy.trust.head import Head

Names = tuple[Annotated[str, Meta(min_length=1, max_length=128)], ...]


class Ceiling(Node, frozen=True, kw_only=True):
    """Limits of scope; an absent field does not limit, an empty list allows nothing.

    Attributes:
        projects: projects that a policy may be for; a policy for the whole org is then refused.
        host_classes: classes that the audience may name; it must then name one.
        max_validity_s: longest time from `not_before` to `expires_at` and `retain_until`.
    """

    projects: Names | UnsetType = UNSET
    host_classes: Names | UnsetType = UNSET
    max_validity_s: Annotated[int, Meta(ge=1)] | UnsetType = UNSET


def check_ceiling(head: Head, ceiling: Ceiling) -> None:
    """Refuse a policy outside the scope that the root gives to policy keys.

    Raises:
        CeilingError: with the pointer of the field that goes too far.
    """
    if ceiling.projects is not UNSET and head.project_id not in ceiling.projects:
        raise CeilingError("project outside the root's ceiling", pointer="/project_id")
    if ceiling.host_classes is not UNSET and head.audience.host_class not in ceiling.host_classes:
        raise CeilingError("audience outside the root's ceiling", pointer="/audience/host_class")
    last = max(head.expires_at, head.retain_until or 0)
    if ceiling.max_validity_s is not UNSET and last - head.not_before > ceiling.max_validity_s:
        raise CeilingError(
            f"valid for longer than the root's ceiling of {ceiling.max_validity_s} s", pointer="/expires_at"
        )
