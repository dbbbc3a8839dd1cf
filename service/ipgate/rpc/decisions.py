"""Decisions as every way to ask for them counts and logs them."""

from collections.abc import Callable
from dataclasses import dataclass, field

from ipgate.authorizer.authorizer import Authorizer, Question, Verdict
from ipgate.domain.decision import Decision
from ipgate.metrics.counters import DecisionCounts
from ipgate.rpc.call_info import CallInfo
from ipgate.rpc.denial_log import DenialLog


@dataclass(frozen=True, slots=True)
class Decisions:
    """`counts`: None if decisions are not counted. `count`: counts one, and is looked up once for all.

    `denials`: None if denied decisions are not logged.
    """

    authorizer: Authorizer
    counts: DecisionCounts | None = None
    denials: DenialLog | None = None
    count: Callable[[Decision], None] | None = field(init=False)
    noted: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "count", self.counts and self.counts.count)
        object.__setattr__(self, "noted", bool(self.counts or self.denials))

    def try_decide(self, question: Question, info: CallInfo) -> Verdict | None:
        """Return the verdict on a question from memory, None if `resolve` must be awaited.

        Raises: as `Authorizer.try_decide`.
        """
        verdict = self.authorizer.try_decide(info.caller, question)
        if verdict is not None and self.noted:
            self.note(question, verdict, info)
        return verdict

    def note(self, question: Question, verdict: Verdict, info: CallInfo) -> None:
        """Count and log a verdict from memory, if that is wanted (`noted`)."""
        if self.count is not None:
            self.count(verdict[0])
        if self.denials is not None:
            self.denials.note(info, question, verdict)

    async def resolve(self, question: Question, info: CallInfo, timeout: float | None) -> Verdict:
        """Return the verdict on a question that memory has no answer to.

        `timeout`: seconds until the caller's deadline. Raises: as `Authorizer.resolve`.
        """
        if self.counts is not None:
            self.counts.missed()
        verdict = await self.authorizer.resolve(info.caller, question, timeout)
        if self.counts is not None:
            self.counts.resolved(verdict.decision)
        if self.denials is not None:
            self.denials.note(info, question, verdict)
        return verdict
