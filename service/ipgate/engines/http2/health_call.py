"""Calls of the health service, which anybody may make."""

from typing import TYPE_CHECKING

from ipgate.domain.errors import IpgateError
from ipgate.engines.health import MAX_BYTES, READ_TIMEOUT, WATCH, Health
from ipgate.engines.http2.call import Call, ClientGone
from ipgate.engines.http2.codec import Headers
from ipgate.engines.http2.requests import PATH
from ipgate.engines.messages import read_timed_out
from ipgate.rpc.pipeline import CallAborted
from ipgate.rpc.status import to_status

if TYPE_CHECKING:
    from ipgate.engines.http2.connection import Connection

_MAX_UNREAD_STATUSES = 1024
"""Bytes of statuses that a watcher may leave unread."""


class HealthCall(Call):
    """A call of the health service, which needs no token."""

    is_counted = False
    __slots__ = ("_health", "_holds_check_slot", "_is_asked", "_path")

    def __init__(
        self,
        health: Health,
        connection: "Connection",
        stream: int,
        headers: Headers,
        values: list[bytes],
    ) -> None:
        super().__init__(connection, stream, headers, values)
        self._health = health
        self._path = values[PATH].decode()
        self._holds_check_slot = True
        self._is_asked = False

    def on_data(self, data: bytes, *, ended: bool) -> None:
        self.ended = ended
        if self._is_asked:
            self.connection.codec.taken(self.stream, len(data))
            return
        frames = self.collect(data, MAX_BYTES)
        try:
            raw = frames.take_only(ended=ended)
        except CallAborted as aborted:
            self.fail(aborted.status)
            return
        if self._path == WATCH:
            raw = frames.only  # a watcher may leave its side of the stream open
        if raw is not None:
            self._is_asked = True
            self.stop_timer()
            self.grant_window()
            self._release_check_slot()
            self.connection.mark_authenticated()
            self._answer(raw)

    def _answer(self, raw: bytes) -> None:
        if self._path == WATCH:
            self.spawn(self._watch(raw))
            self.end_at_deadline()
            return
        try:
            self.answer(self._health.answer(self._path, raw))
        except IpgateError as error:
            self.fail(to_status(error))

    def begin(self) -> None:
        if not self._is_asked:
            self.end_in(READ_TIMEOUT, read_timed_out(READ_TIMEOUT))

    def _close(self) -> bool:
        if not super()._close():
            return False
        self._release_check_slot()
        return True

    def _release_check_slot(self) -> None:
        """Give the slot back: the slots are for requests that have not arrived yet."""
        if self._holds_check_slot:
            self._holds_check_slot = False
            self.connection.server.check_limit.left += 1

    async def _watch(self, raw: bytes) -> None:
        await self._health.watch(raw, self._send_status)
        self.finish()

    async def _send_status(self, status: bytes) -> None:
        if self.connection.codec.queued(self.stream) > _MAX_UNREAD_STATUSES:
            self.reset()
        if not self.connection.is_open(self):
            raise ClientGone
        self.send(status)
        self.connection.flush()
