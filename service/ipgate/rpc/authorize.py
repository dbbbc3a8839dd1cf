"""AuthorizeService.

A method answers synchronously if all that it needs is in memory.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, cast

from ipgate.authorizer.authorizer import DEFAULT_WAIT, Authorizer, Question, Verdict
from ipgate.domain.decision import Decision
from ipgate.domain.errors import InvalidArgument, IpgateError, Unavailable
from ipgate.domain.forwarded import NO_PROXIES, TrustedProxies
from ipgate.metrics.counters import DecisionCounts
from ipgate.rpc.answers import batch_out, question_in, stream_out, verdict_out
from ipgate.rpc.call_info import CallInfo
from ipgate.rpc.denial_log import DenialLog
from ipgate.rpc.status import internal_error, to_error
from ipgate.v1 import authorize_pb2 as authorize

MAX_BATCH = 1000

MAX_ERRORS_IN_A_ROW = 16
"""Errors of a batch that are made without letting others run in between: an error takes ten times as
long as an answer."""

MAX_CONCURRENT = 8
"""Requests of a batch that are worked on at a time, where something must be loaded."""

_Result: TypeAlias = Verdict | authorize.Error


@dataclass(frozen=True, slots=True)
class AuthorizeServicer:
    """`trusted_proxies`: those whose headers are believed.

    `counts`: None if decisions are not counted. `count`: counts one, and is looked up once for all.

    `denials`: None if denied decisions are not logged.
    """

    authorizer: Authorizer
    counts: DecisionCounts | None = None
    denials: DenialLog | None = None
    trusted_proxies: TrustedProxies = NO_PROXIES
    count: Callable[[Decision], None] | None = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "count", self.counts and self.counts.count)

    def Authorize(
        self, request: authorize.AuthorizeRequest, info: CallInfo
    ) -> bytes | Awaitable[bytes]:
        question = question_in(request, self.trusted_proxies)
        verdict = self.authorizer.try_decide(info.caller, question)
        if verdict is None:
            return self._resolved(question, info)
        if self.count is not None:
            self.count(verdict[0])
        if self.denials is not None:
            self.denials.note(info, question, verdict)
        return verdict_out(verdict)

    async def _resolved(self, question: Question, info: CallInfo) -> bytes:
        return verdict_out(await self._missed(question, info, info.time_remaining()))

    async def _missed(self, question: Question, info: CallInfo, timeout: float | None) -> Verdict:
        """Return the verdict on a question that memory has no answer to."""
        if self.counts is not None:
            self.counts.missed()
        verdict = await self.authorizer.resolve(info.caller, question, timeout)
        if self.counts is not None:
            self.counts.resolved(verdict.decision)
        if self.denials is not None:
            self.denials.note(info, question, verdict)
        return verdict

    def StreamAuthorize(
        self, message: authorize.StreamAuthorizeRequest, info: CallInfo
    ) -> bytes | Awaitable[bytes]:
        """One message of the stream; an error of its request is its answer."""
        result = self._try(message.request, info)
        if isinstance(result, Question):
            return self._resolved_later(message.id, result, info)
        return stream_out(message.id, result)

    async def _resolved_later(self, request_id: str, question: Question, info: CallInfo) -> bytes:
        return stream_out(request_id, await self._resolve(question, info, None))

    def BatchAuthorize(
        self, request: authorize.BatchAuthorizeRequest, info: CallInfo
    ) -> bytes | Awaitable[bytes]:
        count = len(request.requests)
        if not 1 <= count <= MAX_BATCH:
            raise InvalidArgument.of("requests", f"has {count} requests; send 1 to {MAX_BATCH}")
        results: list[_Result | Question] = []
        if self._tried(request.requests, info, results):
            return batch_out(cast("list[_Result]", results))
        return self._batch(request.requests, info, results)

    def _tried(
        self,
        requests: Sequence[authorize.AuthorizeRequest],
        info: CallInfo,
        results: list[_Result | Question],
    ) -> bool:
        """Go on with a batch until it is over, or has more errors than may be made in a row.

        True if all results are there.
        """
        errors, complete, attempt = 0, True, self._try
        for request in requests[len(results) :]:
            result = attempt(request, info)
            results.append(result)
            if type(result) is Verdict:
                continue  # most are, and isinstance takes twice as long
            if isinstance(result, Question):
                complete = False
            else:
                errors += 1
                if errors >= MAX_ERRORS_IN_A_ROW:
                    return False
        return complete

    async def _batch(
        self,
        requests: Sequence[authorize.AuthorizeRequest],
        info: CallInfo,
        results: list[_Result | Question],
    ) -> bytes:
        while len(results) < len(requests):
            await asyncio.sleep(0)
            self._tried(requests, info, results)
        missing = [index for index, result in enumerate(results) if isinstance(result, Question)]
        questions = [cast("Question", results[index]) for index in missing]
        resolved = await self._resolve_all(questions, info)
        for index, result in zip(missing, resolved, strict=True):
            results[index] = result
        return batch_out(cast("list[_Result]", results))

    async def _resolve_all(self, questions: list[Question], info: CallInfo) -> list[_Result]:
        """Return the results of those questions of a batch for which something must be loaded, in order."""
        time = asyncio.get_running_loop().time
        timeout = info.time_remaining()
        deadline = time() + (DEFAULT_WAIT if timeout is None else timeout)
        results: list[_Result] = []
        for start in range(0, len(questions), MAX_CONCURRENT):
            # Not all together: others would wait for them, here and at the store.
            left = deadline - time()
            if left <= 0:
                late = Unavailable("the batch takes long to load; try again", reason="OVERLOADED")
                return results + [to_error(late)] * (len(questions) - start)
            results += await asyncio.gather(
                *(
                    self._resolve(question, info, left)
                    for question in questions[start : start + MAX_CONCURRENT]
                )
            )
        return results

    def _try(self, request: authorize.AuthorizeRequest, info: CallInfo) -> _Result | Question:
        """Return the result if nothing must be waited for, else the question."""
        try:
            question = question_in(request, self.trusted_proxies)
            verdict = self.authorizer.try_decide(info.caller, question)
            if verdict is None:
                return question
            if self.count is not None:
                self.count(verdict[0])
            if self.denials is not None:
                self.denials.note(info, question, verdict)
            return verdict
        except IpgateError as error:
            return to_error(error)

    async def _resolve(self, question: Question, info: CallInfo, timeout: float | None) -> _Result:
        try:
            return await self._missed(question, info, timeout)
        except IpgateError as error:
            return to_error(error)
        except Exception as error:  # noqa: BLE001  the other results are not its fault
            return internal_error("AuthorizeService", error)
