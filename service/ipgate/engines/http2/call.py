"""A call of the http2 engine: its headers as a CallInfo, and how it begins and ends."""

import asyncio
import ssl
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from google.rpc import code_pb2
from google.rpc.status_pb2 import Status

from ipgate.domain.errors import IpgateError
from ipgate.engines.http2.codec import CANCEL, START, Headers, ProtocolError
from ipgate.engines.http2.framing import ANSWER, Frames, seconds, status_headers
from ipgate.engines.http2.requests import AUTHORIZATION, ENCODING, TIMEOUT
from ipgate.engines.messages import DEADLINE_EXCEEDED
from ipgate.rpc.call_info import CallInfo
from ipgate.rpc.pipeline import CallAborted
from ipgate.rpc.status import internal, to_status

if TYPE_CHECKING:
    from ipgate.engines.http2.connection import Connection

MESSAGE_WINDOW = 256 << 10
"""Bytes of a large message that a caller whose token is good may send ahead."""


class ClientGone(Exception):
    """There is nobody to answer any more."""


class Call(CallInfo):
    """What all calls have.

    `ended`: the caller sends no more. `is_counted`: the call counts against `max-concurrent-calls`.
    """

    is_counted = True

    __slots__ = (
        "_deadline",
        "_encoding",
        "_frames",
        "_headers",
        "_started",
        "_tasks",
        "_timer",
        "_unread",
        "connection",
        "ended",
        "stream",
    )

    def __init__(
        self,
        connection: "Connection",
        stream: int,
        headers: Headers,
        values: list[bytes],
    ) -> None:
        """`values`: the headers that are looked at (`requests`)."""
        self.connection = connection
        self.stream = stream
        self.authorization = values[AUTHORIZATION].decode("latin-1")
        self.ended = False
        self._headers = headers
        self._encoding = values[ENCODING]
        self._deadline: float | None = None
        if values[TIMEOUT]:
            self._deadline = connection.time() + (seconds(values[TIMEOUT].decode()) or 0)
        self._frames: Frames | None = None
        self._started = False
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] | None = None
        self._unread = 0

    def metadata(self, name: str) -> str:
        wanted = name.encode()
        for header, value in self._headers:
            if header == wanted:
                return value.decode("latin-1")
        return ""

    def peer(self) -> str:
        address: Any = self.connection.transport.get_extra_info("peername")
        return f"{address[0]}:{address[1]}" if address else "unix"

    def client_certificate(self) -> str:
        tls: Any = self.connection.transport.get_extra_info("ssl_object")
        raw = tls.getpeercert(binary_form=True) if tls is not None else None
        return ssl.DER_cert_to_PEM_cert(raw) if raw else ""

    def time_remaining(self) -> float | None:
        if self._deadline is None:
            return None
        return max(0.0, self._deadline - self.connection.time())

    @abstractmethod
    def on_data(self, data: bytes, *, ended: bool) -> None:
        """Take bytes of the caller's messages."""

    @abstractmethod
    def begin(self) -> None:
        """Is called at the end of the read in which the call began, if it has not ended by then."""

    def collect(self, data: bytes, most: int) -> Frames:
        """Return the messages as far as they have come.

        What was not read yet makes no room for more until `grant_window`.
        """
        if self._frames is None:
            self._frames = Frames(self._encoding.decode("latin-1"), most)
        self._frames.feed(data)
        self._unread += len(data)
        return self._frames

    def grant_window(self) -> None:
        """Let the caller send as much again."""
        if self._unread:
            self.connection.codec.taken(self.stream, self._unread)
            self._unread = 0

    def end_in(self, delay: float, error: IpgateError) -> None:
        """Fail the call with `error` after `delay` seconds, or with DEADLINE_EXCEEDED if its deadline is sooner."""
        remaining = self.time_remaining()
        if remaining is None or remaining > delay:
            self._set_timer(delay, to_status(error))
        else:
            self._set_timer(remaining, DEADLINE_EXCEEDED)

    def end_at_deadline(self) -> None:
        """End the call with DEADLINE_EXCEEDED at its deadline, if it has one."""
        remaining = self.time_remaining()
        if remaining is not None:
            self._set_timer(remaining, DEADLINE_EXCEEDED)

    def _set_timer(self, delay: float, status: Status) -> None:
        self.stop_timer()
        self._timer = self.connection.loop.call_later(
            delay, self.connection.fail_call, self, status
        )

    def stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def spawn(self, work: Any) -> None:
        """Do what must be waited for.

        Its errors end the call.
        """
        if self._tasks is None:
            self._tasks = set()
        task = self.connection.loop.create_task(self._work(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, work: Any) -> None:
        try:
            await work
        except ClientGone:
            return
        except ProtocolError:
            self.connection.close_on_protocol_error()
        except CallAborted as aborted:
            self.connection.fail_call(self, aborted.status)
        except IpgateError as error:
            self.connection.fail_call(self, to_status(error))
        except Exception as error:  # noqa: BLE001  a call without an answer would wait for ever
            self.connection.fail_call(self, internal("a call", error))
        else:
            self.connection.check_authenticated(self)
            self.connection.flush_soon()

    def answer(self, message: bytes) -> None:
        """End a unary call well."""
        unread, self._unread = self._unread, 0
        if self._close():
            prefix = ANSWER + len(message).to_bytes(4, "big")
            self.connection.codec.answer(self.stream, unread, prefix + message)

    def send(self, message: bytes) -> None:
        """Send one message of a stream of answers."""
        # Clients measure the way with pings while they get answers.
        self.connection.lifetime.strikes = 0
        if not self._started:
            self._started = True
            self.connection.codec.begin(self.stream)
        prefix = ANSWER + len(message).to_bytes(4, "big")
        self.connection.codec.send(self.stream, prefix + message)

    def finish(self) -> None:
        """End a stream of answers well."""
        if self._close():
            self._count(code_pb2.OK)
            if not self._started:
                self.connection.codec.begin(self.stream)
            self.connection.codec.end(self.stream)

    def fail(self, status: Status) -> None:
        """End the call with a status; what the caller goes on sending is thrown away."""
        if not self._close():
            return
        self._count(status.code)
        codec, headers = self.connection.codec, status_headers(status)
        if self._started:
            codec.end(self.stream, headers)
        else:
            codec.fail(self.stream, (*START, *headers))
        if not self.ended:
            self.connection.discard(self.stream)

    def abandon(self) -> None:
        """End the call without a word, as one that the caller has cancelled."""
        if self._close():
            self._count(code_pb2.CANCELLED)

    def reset(self) -> None:
        """Reset a stream whose caller takes no answers."""
        if self._close():
            self._count(code_pb2.CANCELLED)
            self.connection.codec.reset(self.stream, CANCEL)

    def _count(self, code: int) -> None:
        """Is called when the call ends with a status, except by `answer`."""

    def _close(self) -> bool:
        """Release what the call holds. Return False if it had ended before."""
        if not self.connection.call_ended(self):
            return False
        if self._timer is not None:
            self.stop_timer()
        if self._unread and not self.connection.is_lost:
            self.grant_window()
        if self._tasks is not None:
            this = asyncio.current_task(self.connection.loop)
            for task in self._tasks:
                if task is not this:
                    task.cancel()
        return True
