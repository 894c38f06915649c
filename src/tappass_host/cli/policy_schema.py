"""`tappass policy schema`."""

from tappass_host.cli.output import Out
from tappass_host.cli.tree import verb


@verb("schema", "tappass policy schema > compiled-policy.schema.json")
def schema(out: Out) -> None:
    """Print the JSON Schema of the Compiled Policy.

    It says which fields there are and of which types; the grammar of their entries is checked by
    `tappass policy compile` and wherever a policy is read.
    """
    import msgspec

    from tappass_host.policy.model import Policy

    out.document({"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(Policy)})
