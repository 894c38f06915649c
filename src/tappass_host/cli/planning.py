"""From what a person names on the command line to a plan: policy, Runtime, parameters, facts, versions."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from tappass_host.cli import home
from tappass_host.cli.bound import values_for, values_of
from tappass_host.cli.clock import now
from tappass_host.cli.files import read
from tappass_host.cli.locks import lock_for
from tappass_host.cli.options import PAIR, param_option
from tappass_host.cli.places import locate
from tappass_host.cli.policies import Document, load_policy
from tappass_host.cli.registered import Registered
from tappass_host.cli.runtimes import Runtime, only_runtime, runtime_of
from tappass_host.policy.errors import RecipeError
from tappass_host.policy.model import Policy
from tappass_host.policy.params import bind

if TYPE_CHECKING:
    from tappass_host.compiler.compile import Answerer
    from tappass_host.compiler.effective import Surroundings
    from tappass_host.compiler.plan import Plan
    from tappass_host.sdk.contract import TargetCapabilities
    from tappass_host.sdk.facts import Answer

HERE, NONE = "here", "none"


class Request(NamedTuple):
    """The options of `plan_options`, as click hands them over."""

    policy: str
    runtime: str | None
    platform: str | None
    params: tuple[tuple[str, str], ...]
    sandbox: str | None
    facts: str
    versions: tuple[tuple[str, str], ...]
    places: tuple[tuple[str, str], ...]
    lock: str | None
    root: str | None


class Ground(NamedTuple):
    """Everything that a plan is made of."""

    document: Document
    values: dict[str, str]
    bound: Policy
    runtime: Runtime
    providers: Registered
    capabilities: "dict[str, TargetCapabilities]"
    answer: "Answerer | None"


_OPTIONS = (
    click.option(
        "--policy", required=True, metavar="FILE", help="A Compiled Policy, or an envelope: then verified."
    ),
    click.option(
        "--runtime",
        metavar="NAME|FILE|LIST",
        help="The Runtime; default: the one here that the policy lists.",
    ),
    click.option("--platform", metavar="NAME", help="Refuse a Runtime for another platform."),
    param_option,
    click.option("--sandbox", metavar="FILE", help="Take parameters from this sandbox file."),
    click.option(
        "--facts",
        default=HERE,
        show_default=True,
        metavar="here|none|FILE",
        help="Who answers questions about the host: this machine, nobody, or a JSON file.",
    ),
    click.option(
        "--target",
        "versions",
        type=PAIR,
        multiple=True,
        metavar="ID=VERSION",
        help="Version of a target; default: the newest that its provider was tried on. Repeat it.",
    ),
    click.option(
        "--path",
        "places",
        type=PAIR,
        multiple=True,
        metavar="ROOT=FOLDER",
        help="Where a logical root lies on the host, e.g. state=/var/lib/tappass. Repeat it.",
    ),
    click.option(
        "--lock", metavar="FILE", help="Refuse providers that differ from it; default: providers.lock here."
    ),
    click.option(
        "--root", metavar="FILE", help="Root that an envelope is verified by, instead of the one here."
    ),
)


def plan_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what is to be compiled for what."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def prepare(request: Request) -> Ground:
    """Read, verify and bind everything.

    Raises:
        FileError, PolicyError, RecipeError, TrustError, ProviderError: the first thing that cannot be used.
    """
    document = load_policy(request.policy)
    runtime = runtime_of(request.runtime) if request.runtime else only_runtime(document.policy)
    if document.form == "envelope":
        check_envelope(document, runtime, request.root)
    _check_platform(runtime, request.platform)
    values = values_for(document.policy, values_of(request.params, request.sandbox))
    bound = bind(document.policy, values)
    providers = Registered(lock_for(request.lock, document.policy.org_id))
    capabilities = _capabilities(runtime, providers, values, request)
    return Ground(document, values, bound, runtime, providers, capabilities, _answerer(request.facts))


def compile_plan(ground: Ground, *, refuse_gaps: bool = True) -> "Plan":
    """Compile, and answer what is asked about the host. With nobody to answer, the plan is a draft.

    Raises:
        UnsatisfiableError: a need collides with a restriction, or `on_gap` refuses.
    """
    from tappass_host.compiler.compile import compile_runtime, compile_until_settled

    subject = (ground.bound, ground.runtime.recipe, ground.providers, ground.capabilities)
    around, digest = surroundings_of(ground), ground.document.digest
    try:
        if ground.answer is None:
            return compile_runtime(
                *subject, surroundings=around, policy_digest=digest, refuse_gaps=refuse_gaps
            )
        return compile_until_settled(
            ground.answer, *subject, surroundings=around, policy_digest=digest, refuse_gaps=refuse_gaps
        )
    except RecipeError as error:
        file = ground.runtime.file
        raise locate(error, read(file), file) if file else error from None


def surroundings_of(ground: Ground) -> "Surroundings":
    """What self-protection has to know: whoever signs policies may well be the user whose agent this is."""
    from tappass_host.compiler.effective import Surroundings

    there = ground.values["home"]
    return Surroundings(home=there, state_paths=(f"{there.rstrip('/')}/.config/tappass",))


def check_envelope(document: Document, runtime: Runtime, root_file: str | None) -> None:
    """Verify an envelope for a Runtime, by the root that was named or the one that is pinned here.

    Raises:
        TrustError: one subclass for each rule.
    """
    """Verify an envelope as a host would that has this Runtime.

    Raises:
        TrustError: it is refused.
    """
    from tappass_host.cli.trusted import Bearer, vouch
    from tappass_host.policy.trust.root import pin

    at = now()
    if root_file:
        root = pin(read(root_file), now=at, source=root_file)
    else:
        root = home.trusted_root(document.claimed_org, now=at)
    vouch(document, root, now=at, bearer=Bearer(runtime_digest=runtime.digest))


def _check_platform(runtime: Runtime, platform: str | None) -> None:
    there = runtime.recipe.platform
    if platform not in (None, there):
        remedy = "name a Runtime for it, or change `platform` of this one"
        raise RecipeError(
            f"{runtime.recipe.name} is for {there}, not {platform}", source=runtime.file, remedy=remedy
        )


def _capabilities(
    runtime: Runtime, providers: Registered, values: Mapping[str, str], request: Request
) -> "dict[str, TargetCapabilities]":
    from msgspec.structs import replace

    from tappass_host.compiler.suggest import default_capabilities

    found = default_capabilities(runtime.recipe, providers, _paths(values, dict(request.places)))
    for name, version in request.versions:
        if name not in {key for use in runtime.recipe.uses for key in (use.id, use.provider)}:
            raise RecipeError(f"{name} is no use of {runtime.recipe.name}", source="--target")
        for use in runtime.recipe.uses:
            if name in (use.id, use.provider):
                found[use.id] = replace(found[use.id], version=version)
    return found


def _paths(values: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Where the logical roots lie. Home and workspace are those that the policy was bound to."""
    bridge = Path(__file__).parents[1] / "dataplane" / "bridge.py"
    usual = {"etc": "/etc", "state": "/var/lib/tappass", "run": "/run/tappass", "bridge": str(bridge)}
    named = {name: values[name] for name in ("home", "workspace") if name in values}
    return {**usual, **named, **given}


def _answerer(facts: str) -> "Answerer | None":
    if facts == NONE:
        return None
    if facts == HERE:
        from tappass_host.prove.answers import Answers

        return Answers({})
    from tappass_host.sdk.facts import UNKNOWN

    known = _facts_of(facts)
    return lambda query: known.get(query.key, UNKNOWN)


def _facts_of(path: str) -> "dict[str, Answer]":
    from tappass_host.policy.decode import convert
    from tappass_host.policy.wire import strict_json

    kind = dict[str, str | int | bool | tuple[str, ...]]
    return convert(strict_json(read(path), source=path), kind, source=path)
