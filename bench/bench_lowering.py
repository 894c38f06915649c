"""Lowering and claims of one target, and writing native text, beside plain encoders in the same run.

Every run renders a policy that it has not seen: its names are new, so no cache of parsed rules helps.
"""

from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import measure
import msgspec
import policies
from measure import ms, table, times

from tappass_host import registry
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.model import Policy
from tappass_host.sdk.artifacts import Artifact
from tappass_host.sdk.contract import TargetConfig
from tappass_host.sdk.emit.dispatch import emit
from tappass_host.sdk.kit.subject import settle
from tappass_host.sdk.kit.targets import default_target

TARGETS = ("claude-code", "bubblewrap", "monty", "egress-proxy")
# Size in KB -> how many policies of it.
RUNS = {10: 21, 50: 5, 200: 3}
SMALL, LARGE = min(RUNS), max(RUNS)

Documents = dict[int, list[Policy]]
Found = dict[int, float]


def shared(policy: Policy) -> EffectivePolicy:
    """A policy with everything computed that targets share."""
    effective = EffectivePolicy(policy)
    _ = effective.by_id, effective.by_field, effective.fs, effective.net, effective.tools, effective.digest
    return effective


def lowering() -> str:
    """Every target at every size, and how the time grows."""
    documents = {kb: [policies.sized(kb, f"run{n}x") for n in range(runs)] for kb, runs in RUNS.items()}
    first = documents[SMALL][0]
    plain = measure.of_call(encoder("json", msgspec.to_builtins(first))).p50
    rows = [
        ["json.dumps of the policy", ms(plain), *[""] * (len(RUNS) - 1), times(1), ""],
        ["msgspec: bytes to Structs", *_growth(_decoding(documents), plain)],
        ["once per policy: statements, rules, paths", *_growth(_sharing(documents), plain)],
        *([name, *_growth(_rendering(name, documents), plain)] for name in TARGETS),
    ]
    count = len(EffectivePolicy(first).statements)
    title = (
        f"Lowering and claims of one target: ms of CPU, p50 ({SMALL} KB = {count} statements). "
        f"Budget at {SMALL} KB: 3 ms"
    )
    return table(title, ["", *(f"{kb} KB" for kb in RUNS), "beside json.dumps", "growth per KB"], rows)


def _timed(call: Callable[[], object]) -> float:
    return measure.of_call(call, runs=1, warm=False).p50


def _decoding(documents: Documents) -> Found:
    encoded = {kb: [msgspec.json.encode(doc) for doc in docs] for kb, docs in documents.items()}
    decode = msgspec.json.Decoder(Policy).decode
    return {kb: median(_timed(lambda d=data: decode(d)) for data in some) for kb, some in encoded.items()}


def _sharing(documents: Documents) -> Found:
    return {kb: median(_timed(lambda d=doc: shared(d)) for doc in docs) for kb, docs in documents.items()}


def _rendering(name: str, documents: Documents) -> Found:
    provider = registry.get(name)
    found = {}
    for kb, docs in documents.items():
        target = default_target(provider.info)
        prepared = [(shared(doc), settle(provider.render, shared(doc), target)[0]) for doc in docs]
        found[kb] = median(_timed(lambda e=policy, t=at: provider.render(e, t)) for policy, at in prepared)
    return found


def _growth(found: Found, plain: float) -> Iterator[str]:
    yield from map(ms, found.values())
    yield times(found[SMALL] / plain)
    yield times((found[LARGE] / LARGE) / (found[SMALL] / SMALL))


def serialising() -> str:
    """The settings of the harness for the small policy, written in each format."""
    document: Any = _settings().artifact("settings").doc
    rows = []
    for codec, budget in (("json", 2), ("toml", 2), ("yaml", 5)):
        artifact = Artifact(id="settings", codec=codec, path="x", doc=document)  # type: ignore[arg-type]
        ours = measure.of_call(lambda a=artifact: emit(a, _never)).p50
        beside = measure.of_call(encoder(codec, document)).p50
        rows.append([codec, ms(ours), f"<= {budget}", ms(beside), times(ours / beside)])
    title = f"Writing claude-code's settings of the {SMALL} KB policy: ms of CPU, p50"
    return table(title, ["", "ours", "budget", "plain encoder", "ratio"], rows)


def _settings() -> TargetConfig:
    provider = registry.get("claude-code")
    _, config = settle(provider.render, shared(policies.sized(SMALL)), default_target(provider.info))
    return config


def _never(value: object) -> str:
    raise AssertionError(f"the settings hold a reference: {value}")


def encoder(codec: str, document: Any) -> Callable[[], object]:
    """What one would write without this project."""
    import json

    import tomli_w
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return {
        "json": lambda: json.dumps(document, indent=2),
        "toml": lambda: tomli_w.dumps(document),
        "yaml": lambda: yaml.dump(document, Dumper=dumper, sort_keys=False),
    }[codec]
