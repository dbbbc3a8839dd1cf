"""AuthorizeService."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import cast

from google.rpc.status_pb2 import Status

from ipgate.authorizer.authorizer import (
    LONGEST_WAIT,
    Authorizer,
    Subject,
    Verdict,
    subject_of_credential,
    subject_of_name,
)
from ipgate.domain.credential import digest
from ipgate.domain.errors import InvalidArgument, IpgateError, Unavailable
from ipgate.domain.resources import Caller
from ipgate.rpc.convert import batch_out, stream_out, verdict_out
from ipgate.rpc.guard import Admit, Call, Write
from ipgate.rpc.status import internal, to_status
from ipgate.v1 import authorize_pb2 as authorize

MAX_BATCH = 1000

MAX_ERRORS_IN_A_ROW = 16
"""Errors of a batch that are made without letting others run in between."""

AT_ONCE = 16
"""Requests of a batch or stream that are worked on at a time, where something must be loaded."""


@dataclass(frozen=True, slots=True)
class AuthorizeServicer:
    authorizer: Authorizer

    async def Authorize(self, request: authorize.AuthorizeRequest, call: Call) -> bytes:
        timeout = call.time_remaining() if request.min_revision else None
        return verdict_out(await self._answer(request, call.caller, timeout))

    def AuthorizeAtOnce(self, raw: bytes, caller: Caller) -> bytes | None:
        """The answer to an encoded request if nothing must be waited for."""
        verdict = self._at_once(authorize.AuthorizeRequest.FromString(raw), caller)
        return None if verdict is None else verdict_out(verdict)

    async def BatchAuthorize(self, request: authorize.BatchAuthorizeRequest, call: Call) -> bytes:
        caller = call.caller
        if not 1 <= len(request.requests) <= MAX_BATCH:
            count = len(request.requests)
            raise InvalidArgument.of("requests", f"has {count} requests; send 1 to {MAX_BATCH}")
        # Most are answered from memory; only the others are worth a task each.
        results: list[Verdict | Status | None] = []
        errors = 0
        for question in request.requests:
            result = self._result_at_once(question, caller)
            results.append(result)
            if isinstance(result, Status):
                # An error takes ten times as long as an answer.
                errors += 1
                if not errors % MAX_ERRORS_IN_A_ROW:
                    await asyncio.sleep(0)
        waiting = [index for index, result in enumerate(results) if result is None]
        if waiting:
            asked = [request.requests[index] for index in waiting]
            loaded = await self._load(asked, caller, call.time_remaining())
            for index, answer in zip(waiting, loaded, strict=True):
                results[index] = _result(answer)
        return batch_out(cast("list[Verdict | Status]", results))

    async def _load(
        self, requests: list[authorize.AuthorizeRequest], caller: Caller, timeout: float | None
    ) -> list[Verdict | BaseException]:
        """The answers to those requests of a batch for which something must be loaded, in order."""
        time = asyncio.get_running_loop().time
        deadline = time() + (LONGEST_WAIT if timeout is None else timeout)
        found: list[Verdict | BaseException] = []
        for start in range(0, len(requests), AT_ONCE):
            # Not all together: others would wait for them, here and at the store.
            left = deadline - time()
            if left <= 0:
                late = Unavailable("the batch takes long to load; try again", reason="OVERLOADED")
                return found + [late] * (len(requests) - start)
            found += await asyncio.gather(
                *(self._answer(each, caller, left) for each in requests[start : start + AT_ONCE]),
                return_exceptions=True,
            )
        return found

    async def StreamAuthorize(
        self, messages: AsyncIterator[bytes], admit: Admit, write: Write
    ) -> None:
        writing, places = asyncio.Lock(), asyncio.Semaphore(AT_ONCE)
        loading = set[asyncio.Task[None]]()

        async def tell(request_id: str, result: Verdict | Status) -> None:
            async with writing:
                await write(stream_out(request_id, result))

        async def load(message: authorize.StreamAuthorizeRequest, caller: Caller) -> None:
            try:
                answer: Verdict | Exception = await self._answer(message.request, caller, None)
            except Exception as fault:  # noqa: BLE001  it is told
                answer = fault
            await tell(message.id, _result(answer))

        def loaded(task: asyncio.Task[None]) -> None:
            places.release()
            loading.discard(task)
            if not task.cancelled():
                task.exception()  # a caller that is gone is noticed below, too

        try:
            async for raw in messages:
                caller = await admit()
                message = authorize.StreamAuthorizeRequest.FromString(raw)
                result = self._result_at_once(message.request, caller)
                if result is not None:
                    if loading:
                        await tell(message.id, result)
                    else:  # nobody else writes
                        await write(stream_out(message.id, result))
                    continue
                # Others overtake what must be loaded, but not without end.
                await places.acquire()
                task = asyncio.create_task(load(message, caller))
                loading.add(task)
                task.add_done_callback(loaded)
            await asyncio.gather(*loading)
        finally:
            for task in loading:
                task.cancel()

    def _result_at_once(
        self, request: authorize.AuthorizeRequest, caller: Caller
    ) -> Verdict | Status | None:
        try:
            return self._at_once(request, caller)
        except IpgateError as fault:
            try:
                # As Authorize has it, which looks at the subject first.
                _subject(request)
            except IpgateError as first:
                return to_status(first)
            return to_status(fault)

    def _at_once(self, request: authorize.AuthorizeRequest, caller: Caller) -> Verdict | None:
        """The verdict if nothing must be waited for. Raises IpgateError."""
        if request.min_revision:
            return None
        # Unlike `_subject`: nothing is held for a damaged credential or a malformed name.
        key = request.key
        subject = digest(key) if key else request.api_key
        return self.authorizer.at_once(caller, subject, request.ip)

    async def _answer(
        self, request: authorize.AuthorizeRequest, caller: Caller, timeout: float | None
    ) -> Verdict:
        return await self.authorizer.authorize(
            caller,
            _subject(request),
            request.ip,
            min_revision=request.min_revision,
            timeout=timeout,
        )


def _result(answer: Verdict | BaseException) -> Verdict | Status:
    if isinstance(answer, tuple):
        return answer
    if isinstance(answer, IpgateError):
        return to_status(answer)
    return internal("AuthorizeService", answer)


def _subject(request: authorize.AuthorizeRequest) -> Subject:
    match request.WhichOneof("subject"):
        case "key":
            return subject_of_credential(request.key)
        case "api_key":
            return subject_of_name(request.api_key)
    raise InvalidArgument.of("subject", "is required; send the credential as key, or api_key")
