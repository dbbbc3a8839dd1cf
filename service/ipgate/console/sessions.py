"""Who is logged in: sessions in memory, each with the access token of a person, and limits of attempts."""

import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from ipgate_client import AsyncClient

IDLE = 30 * 60.0
"""Seconds after which a session that is not used ends."""

ABSOLUTE = 8 * 3600.0
"""Seconds after which any session ends."""

MAX_SESSIONS = 1000
"""Sessions at a time; the one that was not used for the longest ends for a new one."""

MAX_FAILURES = 10
"""Failed attempts to log in, of one address in `FAILURES_WITHIN` seconds."""

MAX_ALL_FAILURES = 200
"""Failed attempts of all addresses together in that time."""

FAILURES_WITHIN = 60.0

ID_BYTES = 32


@dataclass(frozen=True, slots=True)
class Person:
    """Whose token it is, as GetCaller reports it.

    `workspace`: the id of the one that the token works for, "" for all. `role`: `ROOT` and so on.
    """

    token: str
    role: str
    workspace: str

    def may_change(self) -> bool:
        """Return whether the token may make changes in its workspace."""
        return self.role in ("ROOT", "WORKSPACE_ADMIN")


@dataclass(slots=True)
class Session:
    """`form_token`: what the forms of this session carry. `notice`: what to show once, on the next page."""

    client: AsyncClient
    person: Person
    began: float
    used: float
    form_token: str = field(default_factory=lambda: secrets.token_urlsafe(ID_BYTES))
    notice: str = ""


class Sessions:
    """Sessions by their id. `now`: seconds that only go forward."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    async def begin(self, client: AsyncClient, person: Person) -> str:
        """Return the id of a new session."""
        now = self._now()
        for identifier in [
            identifier
            for identifier, session in self._sessions.items()
            if self._has_ended(session, now)
        ]:
            await self.end(identifier)
        while len(self._sessions) >= MAX_SESSIONS:
            await self.end(next(iter(self._sessions)))
        identifier = secrets.token_urlsafe(ID_BYTES)
        self._sessions[identifier] = Session(client, person, now, now)
        return identifier

    def get(self, identifier: str) -> Session | None:
        """Return a session that has not ended, and count it as used now."""
        session, now = self._sessions.get(identifier), self._now()
        if session is None or self._has_ended(session, now):
            return None
        session.used = now
        self._sessions.move_to_end(identifier)
        return session

    async def end(self, identifier: str) -> None:
        """End a session, if there is one of that id."""
        session = self._sessions.pop(identifier, None)
        if session is not None:
            await session.client.close()

    async def end_all(self) -> None:
        for identifier in list(self._sessions):
            await self.end(identifier)

    def _has_ended(self, session: Session, now: float) -> bool:
        return now - session.used >= IDLE or now - session.began >= ABSOLUTE


class Attempts:
    """Failed attempts to log in, by address."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._failures: OrderedDict[str, list[float]] = OrderedDict()
        self._total = 0

    def is_blocked(self, address: str) -> bool:
        """Return whether an address, or all together, failed too often."""
        self._forget()
        return (
            len(self._failures.get(address, ())) >= MAX_FAILURES or self._total >= MAX_ALL_FAILURES
        )

    def fail(self, address: str) -> None:
        """Count a failure."""
        self._failures.setdefault(address, []).append(self._now())
        self._total += 1

    def _forget(self) -> None:
        since = self._now() - FAILURES_WITHIN
        for address, times in list(self._failures.items()):
            recent = [time for time in times if time > since]
            self._total -= len(times) - len(recent)
            if recent:
                self._failures[address] = recent
            else:
                del self._failures[address]
