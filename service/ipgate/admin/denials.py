"""Counts calls that were denied to known tokens, and records them once a minute for each token and method."""

import asyncio
import logging
from collections import Counter

from ipgate.domain.errors import Unavailable
from ipgate.domain.resources import Caller
from ipgate.store.audit import AuditStore

log = logging.getLogger(__name__)

GATHERED_FOR = 60.0
"""Seconds in which denials of one token and method become one event."""

MAX_GATHERED = 1000
"""Tokens and methods of one such time; further ones are only logged."""

_Denied = tuple[str, str]
"""A token and a method."""


class Denials:
    """Counts denied calls, so that nobody can push other events out of the audit log."""

    def __init__(self, store: AuditStore, *, peers: bool) -> None:
        self._store = store
        self._peers = peers
        self._counts: Counter[_Denied] = Counter()
        self._events: dict[_Denied, dict[str, str]] = {}

    def note(self, caller: Caller, method: str, peer: str, request_id: str) -> None:
        """Count a call; the event names the address and the request of the first one."""
        denied = caller.token, method
        if denied not in self._events:
            if len(self._events) == MAX_GATHERED:
                return
            self._events[denied] = {
                "workspace": caller.workspace,
                "actor": caller.token,
                "role": caller.role.value,
                "peer": peer if self._peers else "",
                "request": request_id,
                "method": method,
            }
        self._counts[denied] += 1

    def waiting(self) -> int:
        """Return how many denied calls are not recorded yet."""
        return self._counts.total()

    async def run(self) -> None:
        """Record what was counted, again and again."""
        while True:
            await asyncio.sleep(GATHERED_FOR)
            await self.flush()

    async def flush(self) -> None:
        """Record what was counted since the last time."""
        events, self._events = self._events, {}
        counts, self._counts = self._counts, Counter()
        for denied, event in events.items():
            try:
                await self._store.add_denied(event | {"denied": str(counts[denied])})
            except Unavailable:
                log.warning("denied calls could not be recorded actor=%s method=%s", *denied)
