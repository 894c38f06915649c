"""The two programs that look at pods: expressions for the API server, and a module for Gatekeeper.

Both are constant. What differs from policy to policy are parameters: variables whose expressions are JSON,
which CEL reads as literals, or the parameters of a constraint. So nothing of a policy is ever program text.

A check speaks of every container of a pod, of those that prepare it and of those added later to debug it.
"""

from typing import Final, Literal, NamedTuple

Check = Literal["user", "group", "root", "mounts"]


class Program(NamedTuple):
    """One check: its expression and what is said to whoever is refused."""

    expression: str
    message: str


# Of two lists of different types the API server makes one without complaint: `object` has no type here.
CONTAINERS: Final = (
    "object.spec.containers"
    " + (has(object.spec.initContainers) ? object.spec.initContainers : [])"
    " + (has(object.spec.ephemeralContainers) ? object.spec.ephemeralContainers : [])"
)


def _identity(field: str, variable: str) -> str:
    """The container's own word counts, then that of its pod; neither is refused."""
    own = f"has(c.securityContext) && has(c.securityContext.{field})"
    pod = f"has(object.spec.securityContext) && has(object.spec.securityContext.{field})"
    return (
        f"variables.containers.all(c, {own} ? c.securityContext.{field} == variables.{variable} : "
        f"({pod} && object.spec.securityContext.{field} == variables.{variable}))"
    )


# A mount path may climb (`/ws/../etc`) and is then laid where it leads, so `..` is refused.
_WRITABLE: Final = (
    "!m.mountPath.contains('..') && "
    "variables.writable.exists(p, m.mountPath == p || m.mountPath.startsWith(p + '/'))"
)
CEL: Final[dict[Check, Program]] = {
    "user": Program(_identity("runAsUser", "user"), "every container runs as the user of the policy"),
    "group": Program(_identity("runAsGroup", "group"), "every container runs as the group of the policy"),
    "root": Program(
        "variables.containers.all(c, has(c.securityContext) && "
        "has(c.securityContext.readOnlyRootFilesystem) && c.securityContext.readOnlyRootFilesystem)",
        "the root file system of every container is read-only",
    ),
    "mounts": Program(
        "variables.containers.all(c, !has(c.volumeDevices) && (!has(c.volumeMounts) || "
        f"c.volumeMounts.all(m, (has(m.readOnly) && m.readOnly) || ({_WRITABLE}))))",
        "volumes are writable only where the policy grants it",
    ),
}

REGO: Final = """\
package tappass

containers contains c if some c in input.review.object.spec.containers

containers contains c if some c in input.review.object.spec.initContainers

containers contains c if some c in input.review.object.spec.ephemeralContainers

identity(c, field) := c.securityContext[field]

identity(c, field) := input.review.object.spec.securityContext[field] if not own(c, field)

own(c, field) if c.securityContext[field] >= 0

violation contains {"msg": msg} if {
	some field in ["runAsUser", "runAsGroup"]
	wanted := input.parameters[field]
	some c in containers
	not identity(c, field) == wanted
	msg := sprintf("%s has to be %d in every container", [field, wanted])
}

violation contains {"msg": msg} if {
	input.parameters.readOnlyRoot
	some c in containers
	not c.securityContext.readOnlyRootFilesystem == true
	msg := "the root file system of every container is read-only"
}

violation contains {"msg": msg} if {
	input.parameters.readOnlyRoot
	some c in containers
	some mount in c.volumeMounts
	not mount.readOnly == true
	not writable(mount.mountPath)
	msg := sprintf("%s may not be a writable volume", [mount.mountPath])
}

violation contains {"msg": msg} if {
	input.parameters.readOnlyRoot
	some c in containers
	count(c.volumeDevices) > 0
	msg := "volumes may not be raw devices"
}

writable(path) if {
	not contains(path, "..")
	some folder in input.parameters.writable
	within(path, folder)
}

within(path, folder) if path == folder

within(path, folder) if startswith(path, concat("", [folder, "/"]))
"""

# Types of the parameters; `type` on every level, or the template is refused.
PARAMETERS: Final[dict[str, object]] = {
    "type": "object",
    "properties": {
        "runAsUser": {"type": "integer"},
        "runAsGroup": {"type": "integer"},
        "readOnlyRoot": {"type": "boolean"},
        "writable": {"type": "array", "items": {"type": "string"}},
    },
}
