"""Recordings of proofs, and whether they still speak of what is rendered today.

A recording holds everything its verdicts depend on: the effective policy, the target's capabilities, digests
of the rendered config, of the provider's files, of the corpus and of the target, where and when it ran, and
every row with its control. `check` renders again from what was recorded: other bytes make it `stale`, and a
record that was edited is refused.
"""

import platform
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from tappass_host.compiler.plan import UsePlan
from tappass_host.policy.actions import Action
from tappass_host.policy.canonical import canonical_bytes, digest
from tappass_host.policy.decide import decide
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.errors import ProviderError
from tappass_host.policy.model import Policy
from tappass_host.prove.report import row_document
from tappass_host.prove.run import Report
from tappass_host.prove.targets import Located
from tappass_host.sdk.artifacts import Artifact
from tappass_host.sdk.kit.targets import plain_of, target_of

SCHEMA: Final = "tappass.recording/v1"
SHIPPED: Final = Path(__file__).with_name("recordings")
State = Literal["live", "stale"]


class System(Struct, frozen=True, kw_only=True):
    """Where it ran."""

    os: str
    kernel: str
    arch: str
    python: str


class Recorded(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One proof of one provider.

    Attributes:
        target: id, version and digest of what was driven.
        digests: of `capabilities`, `config`, `provider`, `corpus`.
        seal: digest of all the rest.
    """

    schema: str = SCHEMA
    provider: str
    provider_version: str
    target: dict[str, str]
    system: System
    recorded_at: str
    by: str = ""
    policy: dict[str, Any]
    policy_digest: str
    capabilities: dict[str, Any]
    digests: dict[str, str]
    rows: tuple[dict[str, Any], ...]
    seal: str = ""


class Checked(Struct, frozen=True, kw_only=True):
    """What a recording says today.

    Attributes:
        reasons: why it is stale; empty if it is live.
    """

    recorded: Recorded
    state: State
    reasons: tuple[str, ...] = ()


def record(
    report: Report, use: UsePlan, provider: Any, located: Located, *, recorded_at: str, by: str = ""
) -> Recorded:
    """Make the recording of one use out of a report."""
    rows = tuple(row_document(row) for row in report.rows if row.target == use.provider)
    plain = plain_of(use.target)
    unsealed = Recorded(
        provider=use.provider,
        provider_version=use.provider_version,
        target={"id": located.id, "version": located.version, "digest": located.digest},
        system=_system(),
        recorded_at=recorded_at,
        by=by,
        policy=_plain_policy(use.policy),
        policy_digest=use.policy.digest,
        capabilities=plain,
        digests={
            "capabilities": digest(canonical_bytes(plain)),
            "config": config_digest(use.config.artifacts),
            "provider": provider.digest,
            "corpus": corpus_digest(rows),
        },
        rows=rows,
    )
    return msgspec.structs.replace(unsealed, seal=_seal(unsealed))


def write(recorded: Recorded, folder: Path, name: str) -> Path:
    """Write `<folder>/<provider>/<name>.json`, readable and stable."""
    path = folder / recorded.provider / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(recorded, order="sorted"), indent=1) + b"\n")
    return path


def read(path: Path) -> Recorded:
    """Read a recording.

    Raises:
        ProviderError: it is not one, or it was edited.
    """
    try:
        recorded = msgspec.json.decode(path.read_bytes(), type=Recorded)
    except (msgspec.DecodeError, OSError) as error:
        raise ProviderError(f"not a recording: {error}", source=path.name) from None
    if recorded.schema != SCHEMA or recorded.seal != _seal(recorded):
        raise ProviderError("the recording was edited or cut", source=path.name, remedy="record it again")
    return recorded


def check(recorded: Recorded, provider: Any) -> Checked:
    """Render again and compare; judge every row again by `decide`."""
    policy = policy_of(recorded)
    target = target_of(provider.info, recorded.capabilities)
    reasons = []
    if config_digest(provider.render(policy, target).artifacts) != recorded.digests["config"]:
        reasons.append("another configuration is rendered today")
    reasons += [
        f"{row['case']} is judged otherwise today" for row in recorded.rows if not _same_verdict(policy, row)
    ]
    reasons += [
        f"{row['case']} did not agree" for row in recorded.rows if row["claimed"] and not row["agrees"]
    ]
    return Checked(recorded=recorded, state="stale" if reasons else "live", reasons=tuple(reasons))


def policy_of(recorded: Recorded) -> EffectivePolicy:
    """The effective policy it ran under."""
    return EffectivePolicy(msgspec.convert(recorded.policy, Policy), digest=recorded.policy_digest)


def recordings(folder: Path = SHIPPED) -> Iterator[Recorded]:
    """All recordings below a folder, by name."""
    for path in sorted(folder.glob("*/*.json")):
        yield read(path)


def config_digest(artifacts: Sequence[Artifact]) -> str:
    """Digest of everything that was rendered."""
    return digest(canonical_bytes(msgspec.to_builtins(list(artifacts))))


def corpus_digest(rows: Sequence[Mapping[str, Any]]) -> str:
    """Digest of what was tried, outcomes apart."""
    return digest(canonical_bytes([[row["case"], row["surface"], row["actions"]] for row in rows]))


def _same_verdict(policy: EffectivePolicy, row: Mapping[str, Any]) -> bool:
    actions = [msgspec.convert(plain, Action) for plain in row["actions"]]
    worst = max((decide(policy, act) for act in actions), key=lambda d: d.effect.strictness)
    return (str(worst.effect), worst.statement) == (row["expected"], row["statement"])


def _plain_policy(policy: EffectivePolicy) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(policy.doc)
    return plain


def _seal(recorded: Recorded) -> str:
    return digest(canonical_bytes({**msgspec.to_builtins(recorded), "seal": ""}))


def _system() -> System:
    names = platform.freedesktop_os_release() if platform.system() == "Linux" else {}
    return System(
        os=names.get("PRETTY_NAME", platform.system()),
        kernel=platform.release(),
        arch=platform.machine(),
        python=platform.python_version(),
    )
