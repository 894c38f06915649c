"""What a sandbox holds in place of a secret that the egress proxy puts in outside.

The proxy's configuration and the environment of the sandbox have to agree on it, and the providers of both
are apart: all of it follows from the policy alone.
"""

import re
from typing import Final

from tappass_host.policy.model import Secret

# References that the proxy resolves by itself, and the names that fit into a placeholder.
_REFERENCE: Final = re.compile(r"file:/.+|env:.+", re.DOTALL)
_NAME: Final = re.compile(r"[A-Za-z0-9_]{1,100}")


def stays_outside(secret: Secret) -> bool:
    """Whether the proxy can put a secret into requests, so that the sandbox need not hold it."""
    fits = _REFERENCE.fullmatch(secret.ref) and _NAME.fullmatch(secret.env)
    return bool(secret.domains) and fits is not None


def placeholder(env: str) -> str:
    """The text that stands for the secret of that variable; long enough that nobody writes it by chance."""
    return f"tappass-placeholder-{env}"
