"""What a sandbox holds in place of a secret that the egress proxy puts in outside.

The proxy's configuration and the environment of the sandbox have to agree on it, and the providers of both
are apart: the text follows from the name alone.
"""


def placeholder(env: str) -> str:
    """The text that stands for the secret of that variable; long enough that nobody writes it by chance."""
    return f"tappass-placeholder-{env}"
