"""From a call to a verdict: resolve, judge, count, taint, ask, record. What fails on the way is a denial."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, Literal, NamedTuple

from tappass_host.audit.events import AnyEvent, Approval, Asked, Decided, PolicyLabel, Tainted, cut
from tappass_host.audit.record import Record, instant
from tappass_host.decision.asks import Ask, Asks
from tappass_host.decision.call import Call, binding, digest_of
from tappass_host.decision.clock import Clock, Deadline
from tappass_host.decision.judge import Verdict, judge, may_read, sources, written
from tappass_host.decision.paths import PathError, open_root, readings
from tappass_host.decision.peers import Peer, is_confined
from tappass_host.decision.resolve import has_paths, resolve
from tappass_host.decision.state import State
from tappass_host.policy import actions as a
from tappass_host.policy.effect import Effect
from tappass_host.policy.errors import AuditError, PolicyError, TappassError
from tappass_host.policy.times import parse_instant
from tappass_host.sdk.configs.decision import DecisionConfig, rules
from tappass_host.sdk.denial import Denial, ascii_only, denial_text, shorten

Append = Callable[[AnyEvent], Record | None]
_WALKERS: Final = 4
_SHOWN: Final = 200


class Answer(NamedTuple):
    """What goes back.

    Attributes:
        effect: what the harness is to do.
        explicit: the policy itself lets the call happen, so a closed harness may be told to allow it.
        text: the denial text, or why it is allowed.
        would: what the policy says, where it only observes.
    """

    effect: Literal["allow", "deny"]
    explicit: bool
    text: str
    request: str
    statement: str = ""
    reason: str = ""
    would: str = ""


class _Case(NamedTuple):
    """A call that is being judged."""

    request: str
    call: Call
    actions: tuple[a.Action, ...]
    trees: tuple[str, ...]
    binding: str
    peer: Peer


class _Outcome(NamedTuple):
    verdict: Verdict
    tainted: frozenset[str] = frozenset()
    approval: str = ""
    would: str = ""


class Decider:
    """The policy in force for one sandbox, and all it has to remember.

    Args:
        config: what it runs from; `load` replaces it.
        state: the database.
        append: of the audit log; raises, or gives None, where a verdict cannot be recorded.
        clock: anchored time.
        random: bytes for request ids.
    """

    def __init__(
        self,
        config: DecisionConfig,
        state: State,
        append: Append,
        *,
        clock: Clock | None = None,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.clock = clock or Clock()
        self.state, self._append, self._random = state, append, random
        self._walkers = ThreadPoolExecutor(_WALKERS, thread_name_prefix="resolve")
        self.asks = Asks(config.approvals.pending, self.clock.now)
        self._locked = ""
        self.load(config)

    # -- the policy in force

    def load(self, config: DecisionConfig) -> None:
        """Put a configuration in force."""
        policy = rules(config)
        deadline = Deadline(parse_instant(config.policy.expires_at), self.clock)
        self.config, self.policy, self._deadline, self._locked = config, policy, deadline, ""

    def lock_down(self, why: str) -> None:
        """Deny everything until the next `load`."""
        self._locked = why

    def closed(self) -> Verdict | None:
        """Why nothing at all is allowed just now."""
        if self._locked:
            return Verdict(Effect.DENY, "", self._locked)
        if self._deadline.over():
            expires = self.config.policy.expires_at
            return Verdict(Effect.DENY, f"head.expires_at[{expires}]", f"the policy expired at {expires}")
        return None

    def close(self) -> None:
        """Let go of what is held."""
        self._walkers.shutdown(wait=False, cancel_futures=True)

    # -- deciding

    async def decide(self, call: Call, peer: Peer) -> Answer:
        """The verdict on a call; it is recorded before it is given."""
        request = f"r-{self._random(6).hex()}"
        bare = _Case(request, call, call.actions, (), "", peer)
        try:
            actions, trees = await self._resolved(call, peer)
            held = binding(self.config.sandbox, self.config.policy.digest, actions)
            case = bare._replace(actions=actions, trees=trees, binding=held)
            return self._record(case, await self._outcome(case))
        except PathError as error:
            return self._refused(bare, f"the path cannot be judged: {error.message}")
        except AuditError:
            return self._answer(bare, _denied("the verdict could not be recorded"))
        except TappassError as error:
            return self._refused(bare, f"the decision service failed: {error.message}")
        except Exception as error:  # noqa: BLE001 - whatever it was, the call must not happen
            return self._refused(bare, f"the decision service failed: {type(error).__name__}")

    def refuse(self, call: Call, peer: Peer, why: str) -> Answer:
        """Deny and record a message that cannot be judged at all."""
        return self._refused(_Case(f"r-{self._random(6).hex()}", call, (), (), "", peer), why)

    async def _resolved(self, call: Call, peer: Peer) -> tuple[tuple[a.Action, ...], tuple[str, ...]]:
        """Walking may hang on a file system that the agent made: not for long, and not here."""
        if not has_paths(call.actions) and not call.trees:
            return call.actions, ()
        loop = asyncio.get_running_loop()
        walk = loop.run_in_executor(self._walkers, partial(self._walk, call, peer))
        try:
            return await asyncio.wait_for(walk, self.config.limits.resolve_s)
        except TimeoutError:
            raise PathError("looking it up took too long") from None

    def _walk(self, call: Call, peer: Peer) -> tuple[tuple[a.Action, ...], tuple[str, ...]]:
        view = self.config.view
        if view.files == "peer" and not peer.pid:
            raise PathError("the process that asks is not visible from here")
        root = open_root(peer.pid if view.files == "peer" else 0)
        try:
            lookup = partial(readings, root, cwd=call.cwd, home=view.home)
            trees = tuple(real for tree in call.trees for real in lookup(tree))
            return resolve(call.actions, lookup), trees
        finally:
            os.close(root)

    async def _outcome(self, case: _Case) -> _Outcome:
        """Judge; where a person has to be asked, ask and judge again: much may have changed meanwhile."""
        outcome = self._judged(case)
        if outcome.verdict.effect is not Effect.ASK:
            return outcome
        said = await self._asked(case, outcome)
        if said:
            return outcome._replace(verdict=outcome.verdict._replace(effect=Effect.DENY, reason=said))
        again = self._judged(case)
        if again.verdict.effect is Effect.ASK:
            why = "the answer was for another policy or was used already"
            return again._replace(verdict=again.verdict._replace(effect=Effect.DENY, reason=why))
        return again

    def _judged(self, case: _Case) -> _Outcome:
        """One reading of policy, labels, answers and counts: all of it or nothing."""
        closed = self.closed()
        if closed is not None:
            return _Outcome(closed)
        with self.state.transaction():
            tainted = self._tainted(case)
            verdict = judge(self.policy, case.actions, trees=case.trees, tainted=tainted)
            outcome = self._approved(case, _Outcome(verdict, tainted))
            return self._settled(case, outcome)

    def _tainted(self, case: _Case) -> frozenset[str]:
        reads = may_read(case.actions, case.trees, self.config.view.workspace)
        return self.state.labels(self.config.sandbox) | self.state.carried(reads)

    def _approved(self, case: _Case, outcome: _Outcome) -> _Outcome:
        if outcome.verdict.effect is not Effect.ASK or self.config.mode == "observe":
            return outcome
        approval = self.state.use(case.binding, self.clock.latest())
        if not approval:
            return outcome
        verdict = outcome.verdict._replace(effect=Effect.ALLOW, reason=f"a person allowed it ({approval})")
        return outcome._replace(verdict=verdict, approval=approval)

    def _settled(self, case: _Case, outcome: _Outcome) -> _Outcome:
        """Count and taint, if the call is going to happen: before it does."""
        observing = self.config.mode == "observe"
        if outcome.verdict.effect in (Effect.ALLOW, Effect.UNMANAGED) or observing:
            over = self._over_budget(case)
            outcome = outcome._replace(verdict=over) if over is not None else outcome
        happens = outcome.verdict.effect in (Effect.ALLOW, Effect.UNMANAGED)
        if observing:
            would = "" if happens else outcome.verdict.effect.value
            outcome = outcome._replace(would=would)
        if happens or observing:
            self._taint(case, outcome.tainted)
        return outcome

    def _over_budget(self, case: _Case) -> Verdict | None:
        limit = self.config.calls_per_minute
        if limit is None or not case.call.counts:
            return None
        if self.state.count(self.config.agent, self.clock.minute(), limit):
            return None
        statement = f"budget.tool_calls_per_minute[{limit}]"
        return Verdict(Effect.DENY, statement, f"more than {limit} tool calls in this minute")

    def _taint(self, case: _Case, tainted: frozenset[str]) -> None:
        labels = tainted | sources(self.policy, case.actions)
        if not labels:
            return
        for label in self.state.set_labels(self.config.sandbox, labels, case.request):
            by = cut(ascii_only(case.call.tool))
            event = Tainted(request=case.request, sandbox=self.config.sandbox, label=label, by=by)
            if self._append(event) is None:
                raise AuditError("too many events")
        self.state.taint_files(written(case.actions, self.config.view.workspace), labels)

    # -- asking

    async def _asked(self, case: _Case, outcome: _Outcome) -> str:
        """Ask a person; gives why not, or an empty text on a yes."""
        approvals = self.config.approvals
        if why := self._nobody(case):
            return why
        ask = self._ask(case, outcome)
        event = Asked(
            request=case.request,
            sandbox=self.config.sandbox,
            tool=cut(ascii_only(case.call.tool)),
            what=ask.what,
            binding=case.binding,
            expires=instant(ask.expires),
        )
        if self._append(event) is None:
            return "too many events of this sandbox"
        self.asks.add(ask)
        try:
            answer = await self.asks.wait(ask)
        except asyncio.CancelledError:
            self._append(Approval(request=case.request, answer="gone", binding=case.binding))
            raise
        if answer == "timeout":
            self._append(Approval(request=case.request, answer="timeout", binding=case.binding))
            return f"nobody answered within {approvals.timeout_s} s"
        return "a person said no" if answer == "deny" else ""

    def _nobody(self, case: _Case) -> str:
        """Why nobody can be asked; empty if somebody can."""
        admin = self.config.admin
        if self.config.approvals.route == "none" or admin is None:
            return "a person would have to be asked, and there is no way to ask one"
        if admin.apart == "namespace" and not is_confined(case.peer):
            return "a person would have to be asked, and the agent is not kept apart from the answers"
        if not self.asks.has_room():
            return "a person would have to be asked, and too many calls wait for an answer already"
        return ""

    def _ask(self, case: _Case, outcome: _Outcome) -> Ask:
        now = self.clock.now()
        return Ask(
            request=case.request,
            tool=ascii_only(case.call.tool),
            what=shown(case.call),
            args=case.call.args,
            statement=outcome.verdict.statement,
            reason=outcome.verdict.reason,
            binding=case.binding,
            created=now,
            expires=now + self.config.approvals.timeout_s,
            future=asyncio.get_running_loop().create_future(),
        )

    # -- answering

    def _record(self, case: _Case, outcome: _Outcome) -> Answer:
        """Write the verdict down; one that is not written is a denial."""
        happens = outcome.verdict.effect in (Effect.ALLOW, Effect.UNMANAGED)
        allowed = happens or (self.config.mode == "observe" and self.closed() is None)
        written_down = self._append(self._event(case, outcome, allowed=allowed))
        if written_down is None and allowed:
            # It was counted in a summary; nothing happens that has no record of its own.
            return self._answer(case, _denied("too many events of this sandbox to record each"))
        return self._answer(case, outcome, allowed=allowed)

    def _refused(self, case: _Case, why: str) -> Answer:
        outcome = _denied(why)
        try:
            self._append(self._event(case, outcome, allowed=False))
        except AuditError:
            return self._answer(case, _denied("the verdict could not be recorded"))
        return self._answer(case, outcome)

    def _event(self, case: _Case, outcome: _Outcome, *, allowed: bool) -> Decided:
        config, call, verdict = self.config, case.call, outcome.verdict
        said = config.provenance.get(verdict.statement)
        tags = (tag for tag, ids in config.compliance_tags.items() if verdict.statement in ids)
        return Decided(
            request=case.request,
            sandbox=config.sandbox,
            dialect=call.dialect,
            tool=cut(ascii_only(call.tool)),
            what=shown(call),
            args=digest_of(call.args),
            effect="allow" if allowed else "deny",
            would=outcome.would,
            statement=cut(verdict.statement, 1000),
            level=said.level if said else "",
            source=said.source if said else "",
            reason=cut(ascii_only(verdict.reason)),
            policy=PolicyLabel(digest=config.policy.digest, version=config.policy.version),
            tags=tuple(sorted(tags)),
            tainted=tuple(sorted(outcome.tainted)),
            approval=outcome.approval,
            session=cut(ascii_only(call.session), 80),
            call=cut(ascii_only(call.call_id), 80),
            uid=case.peer.uid,
        )

    def _answer(self, case: _Case, outcome: _Outcome, *, allowed: bool = False) -> Answer:
        verdict, request = outcome.verdict, case.request
        observing = self.config.mode == "observe"
        if allowed:
            explicit = verdict.dispatch and not observing
            text = ascii_only(f"{verdict.statement or 'policy'}: {verdict.reason} ({request})")
            text = shorten(text, _SHOWN)
            return Answer("allow", explicit, text, request, verdict.statement, verdict.reason, outcome.would)
        note = self.config.annotations.get(verdict.statement)
        whom = " ".join(part for part in (note.owner, note.url) if part) if note else ""
        text = denial_text(
            Denial(
                what=case.call.what,
                policy=self.config.name,
                version=self.config.policy.version,
                statement=verdict.statement,
                why=(note.reason if note else "") or ascii_only(verdict.reason),
                whom=whom or self.config.approvals.whom,
                request=request,
            )
        )
        return Answer("deny", False, text, request, verdict.statement, verdict.reason)


def shown(call: Call) -> str:
    """A call in a few words, as people may read it without being fooled."""
    return shorten(ascii_only(call.what), _SHOWN)


def _denied(why: str) -> _Outcome:
    return _Outcome(Verdict(Effect.DENY, "", why))


def nothing_known(dialect: str) -> Call:
    """What stands for a message that could not be read."""
    return Call(dialect=dialect, tool="?", what="a message that cannot be read", args={}, actions=())


def check_same_place(old: DecisionConfig, new: DecisionConfig) -> None:
    """A reload changes rules, never who asks, who answers, or where it is remembered.

    Raises:
        PolicyError: it would.
    """
    for field in ("sandbox", "agent", "listen", "admin", "state", "audit"):
        if getattr(old, field) != getattr(new, field):
            raise PolicyError(f"a reload may not change {field}", remedy="restart the decision service")
