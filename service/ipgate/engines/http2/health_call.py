"""Calls of the health service, which anybody may make."""

from typing import TYPE_CHECKING

from ipgate.domain.errors import IpgateError
from ipgate.engines.health import LONGEST_READ, MAX_BYTES, WATCH, Health
from ipgate.engines.http2.call import Call, Gone
from ipgate.engines.http2.codec import Headers
from ipgate.engines.http2.requests import PATH
from ipgate.engines.messages import too_slow
from ipgate.rpc.pipeline import CallAborted
from ipgate.rpc.status import to_status

if TYPE_CHECKING:
    from ipgate.engines.http2.connection import Connection

_MAX_UNREAD_STATUSES = 1024
"""Bytes of statuses that a watcher may leave unread."""


class HealthCall(Call):
    """A call of the health service, which needs no token."""

    takes_place = False
    __slots__ = ("_health", "_is_asked", "_path", "_takes_check")

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
        self._takes_check = True
        self._is_asked = False

    def on_data(self, data: bytes, *, ended: bool) -> None:
        self.ended = ended
        if self._is_asked:
            self.connection.codec.taken(self.stream, len(data))
            return
        frames = self.collect(data, MAX_BYTES)
        try:
            raw = frames.take_only(ended=ended)
        except CallAborted as refusal:
            self.fail(refusal.status)
            return
        if self._path == WATCH:
            raw = frames.only  # a watcher may leave its side of the stream open
        if raw is not None:
            self._is_asked = True
            self.stop_timer()
            self.make_room()
            self._give_place_back()
            self.connection.trust()
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

    def stay(self) -> None:
        if not self._is_asked:
            self.end_in(LONGEST_READ, too_slow(LONGEST_READ))

    def _close(self) -> bool:
        if not super()._close():
            return False
        self._give_place_back()
        return True

    def _give_place_back(self) -> None:
        """The places are for requests that are on their way."""
        if self._takes_check:
            self._takes_check = False
            self.connection.server.checks.left += 1

    async def _watch(self, raw: bytes) -> None:
        await self._health.watch(raw, self._tell)
        self.finish()

    async def _tell(self, status: bytes) -> None:
        if self.connection.codec.queued(self.stream) > _MAX_UNREAD_STATUSES:
            self.cut()
        if not self.connection.has(self):
            raise Gone
        self.send(status)
        self.connection.flush()
