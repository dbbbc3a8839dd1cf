"""Who is logged in: sessions in memory, each with the access token of a person, and limits of attempts."""

import asyncio
import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from ipgate_client.async_admin import AsyncAdminClient

IDLE = 30 * 60.0
"""Seconds after which a session that is not used ends."""

ABSOLUTE = 8 * 3600.0
"""Seconds after which any session ends."""

MAX_SESSIONS = 1000
"""Sessions at a time; the one that was not used for the longest ends for a new one."""

MAX_OF_A_TOKEN = 10
"""Sessions of one access token: nobody ends those of others by logging in often."""

MAX_FAILURES = 10
"""Attempts to log in that failed or have no result yet, of one address in `FAILURES_WITHIN` seconds."""

FAILURES_WITHIN = 60.0

MAX_REMEMBERED = 10_000
"""Addresses with failed attempts, and tokens that have logged in."""

IPV6_PREFIX = 64
"""Bits of an IPv6 address that one machine cannot choose for itself."""

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
    """`form_token`: what the forms of this session carry. `sent`: where forms that were sent led to.

    `notices`: what to show once, by the address of the page. `secrets`: what is shown once and forgotten, such as a new
    credential, by the address of its page.
    """

    client: AsyncAdminClient
    person: Person
    began: float
    used: float
    form_token: str = field(default_factory=lambda: secrets.token_urlsafe(ID_BYTES))
    sent: "OrderedDict[str, asyncio.Future[str]]" = field(default_factory=OrderedDict)
    notices: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, Mapping[str, Any]] = field(default_factory=dict)


class Sessions:
    """Sessions by their id. `now`: seconds that only go forward."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    async def begin(self, client: AsyncAdminClient, person: Person) -> str:
        """Return the id of a new session."""
        now = self._now()
        for identifier in [
            identifier
            for identifier, session in self._sessions.items()
            if self._has_ended(session, now)
        ]:
            await self.end(identifier)
        of_token = [
            identifier
            for identifier, session in self._sessions.items()
            if session.person.token == person.token
        ]
        if len(of_token) >= MAX_OF_A_TOKEN:
            await self.end(of_token[0])
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
    """Limits how often an address may try to log in. Tokens that have logged in before are not kept out."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._times: OrderedDict[str, list[float]] = OrderedDict()
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def begin(self, address: str, token: str) -> bool:
        """Count an attempt, as one that fails; return whether it may be made."""
        if _digest(token) in self._known:
            return True
        network, since = _network(address), self._now() - FAILURES_WITHIN
        times = [time for time in self._times.pop(network, ()) if time > since]
        self._times[network] = times
        if len(self._times) > MAX_REMEMBERED:
            self._times.popitem(last=False)
        if len(times) >= MAX_FAILURES:
            return False
        times.append(self._now())
        return True

    def did_not_fail(self, address: str, token: str, *, logged_in: bool) -> None:
        """Take back that an attempt counts."""
        times = self._times.get(_network(address))
        if times and _digest(token) not in self._known:
            times.pop()
        if logged_in:
            self._known[_digest(token)] = None
            if len(self._known) > MAX_REMEMBERED:
                self._known.popitem(last=False)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _network(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    return str(ip_network((int(parsed), IPV6_PREFIX), strict=False))
