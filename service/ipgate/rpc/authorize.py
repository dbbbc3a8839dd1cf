"""AuthorizeService.

A method answers synchronously if all that it needs is in memory.
"""

import asyncio
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

from ipgate.authorizer.authorizer import DEFAULT_WAIT, Question, Verdict
from ipgate.domain.errors import InvalidArgument, IpgateError, Unavailable
from ipgate.domain.forwarded import NO_PROXIES, TrustedProxies
from ipgate.rpc.answers import batch_out, question_in, stream_out, verdict_out
from ipgate.rpc.call_info import CallInfo
from ipgate.rpc.decisions import Decisions
from ipgate.rpc.status import internal_error, to_error
from ipgate.v1 import authorize_pb2 as authorize

MAX_BATCH = 1000

MAX_ERRORS_IN_A_ROW = 16
"""Errors of a batch that are made without letting others run in between: an error takes ten times as
long as an answer."""

LOADING_SHARE = 0.8
"""How much of the time until its deadline a batch waits for what must be loaded. The answers from memory must not
be lost over a question that takes long."""

MAX_SECONDS_IN_A_ROW = 0.005
"""Of a batch, without letting others run in between: addresses behind proxies may be long to find."""

MAX_CONCURRENT = 8
"""Requests of a batch that are worked on at a time, where something must be loaded."""

_Result: TypeAlias = Verdict | authorize.Error


@dataclass(frozen=True, slots=True)
class AuthorizeServicer:
    """`trusted_proxies`: those whose headers are believed."""

    decisions: Decisions
    trusted_proxies: TrustedProxies = NO_PROXIES

    def Authorize(
        self, request: authorize.AuthorizeRequest, info: CallInfo
    ) -> bytes | Awaitable[bytes]:
        question = question_in(request, self.trusted_proxies)
        verdict = self.decisions.try_decide(question, info)
        return self._resolved(question, info) if verdict is None else verdict_out(verdict)

    async def _resolved(self, question: Question, info: CallInfo) -> bytes:
        return verdict_out(await self.decisions.resolve(question, info, info.time_remaining()))

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
        """Go on with a batch until it is over, or has taken what it may in a row.

        True if all results are there.
        """
        # As `_try`, without its calls: they are a tenth of a question.
        errors, complete, trusted = 0, True, self.trusted_proxies
        decisions, caller, noted = self.decisions, info.caller, self.decisions.noted
        try_decide, end = (
            decisions.authorizer.try_decide,
            time.perf_counter() + MAX_SECONDS_IN_A_ROW,
        )
        result: _Result | Question
        for request in requests[len(results) :]:
            try:
                question = question_in(request, trusted)
                result = try_decide(caller, question) or question
            except IpgateError as error:
                result = to_error(error)
            results.append(result)
            if type(result) is Verdict:  # most are, and isinstance takes twice as long
                if noted:
                    decisions.note(question, result, info)
            elif isinstance(result, Question):
                complete = False
            else:
                errors += 1
                if errors >= MAX_ERRORS_IN_A_ROW:
                    return False
            if not len(results) & 63 and time.perf_counter() > end:
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
        now = asyncio.get_running_loop().time
        timeout = info.time_remaining()
        deadline = now() + (DEFAULT_WAIT if timeout is None else timeout * LOADING_SHARE)
        late = to_error(Unavailable("the batch takes long to load; try again", reason="OVERLOADED"))
        results: list[_Result] = []
        for start in range(0, len(questions), MAX_CONCURRENT):
            # Not all together: others would wait for them, here and at the store.
            left = deadline - now()
            if left <= 0:
                return results + [late] * (len(questions) - start)
            tasks = [
                asyncio.ensure_future(self._resolve(question, info, left))
                for question in questions[start : start + MAX_CONCURRENT]
            ]
            try:
                await asyncio.wait(tasks, timeout=left)
                results += [task.result() if task.done() else late for task in tasks]
            finally:
                for task in tasks:
                    task.cancel()
        return results

    def _try(self, request: authorize.AuthorizeRequest, info: CallInfo) -> _Result | Question:
        """Return the result if nothing must be waited for, else the question."""
        try:
            question = question_in(request, self.trusted_proxies)
            return self.decisions.try_decide(question, info) or question
        except IpgateError as error:
            return to_error(error)

    async def _resolve(self, question: Question, info: CallInfo, timeout: float | None) -> _Result:
        try:
            return await self.decisions.resolve(question, info, timeout)
        except IpgateError as error:
            return to_error(error)
        except Exception as error:  # noqa: BLE001  the other results are not its fault
            return internal_error("AuthorizeService", error)
