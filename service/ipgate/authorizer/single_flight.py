"""Single flight: concurrent misses for the same thing share one load with a timeout."""

import asyncio
from collections.abc import Awaitable, Callable
from math import inf
from typing import Any, TypeVar

from ipgate import tracing
from ipgate.domain.changes import Touched
from ipgate.domain.errors import Unavailable
from ipgate.metrics.counters import Counters
from ipgate.metrics.families import LOAD_SECONDS, LOADS_FAILED

WAIT_TIMEOUT = 3.0
"""Seconds that a caller waits for a load. The load continues without it, so its work is not lost."""

LOAD_TIMEOUT = 120.0
"""Seconds after which a load fails. Each of its reads has a shorter timeout of its own."""

Name = tuple[str, ...]
T = TypeVar("T")


class Flight:
    """A load in flight.

    `invalidated_at`: sequence of the last change that touched what is loaded, -1 for none.
    """

    def __init__(self, name: Name) -> None:
        self.name = name
        self.invalidated_at: float = -1
        self.task: asyncio.Task[Any] | None = None


class SingleFlight:
    """The loads in flight by the name of what they load.

    Failures are not cached.
    """

    def __init__(self, counters: Counters) -> None:
        self._flights: dict[Name, Flight] = {}
        self._counters = counters

    async def do(self, name: Name, load: Callable[[Flight], Awaitable[T]]) -> T:
        """Return the result of the load of `name`, which is started if it is not in flight.

        Raises:
            Unavailable: the load took longer than WAIT_TIMEOUT.
        """
        flight = self._flights.get(name)
        if flight is None:
            flight = self._flights[name] = Flight(name)
            flight.task = asyncio.create_task(self._run(name, flight, load))
            flight.task.add_done_callback(_retrieve_error)
        assert flight.task is not None
        try:
            async with asyncio.timeout(WAIT_TIMEOUT):
                # Shielded: a caller that gives up must not cancel the load of the others.
                result: T = await asyncio.shield(flight.task)
        except TimeoutError:
            raise Unavailable("loading the policy takes long; try again") from None
        return result

    def invalidate(self, touched: Touched, sequence: int) -> None:
        """Let the loads of what a change touched notice it."""
        if touched.everything:
            self.invalidate_all()
            return
        workspace = touched.workspace
        names: list[Name] = [("key", workspace, key) for key in touched.api_keys]
        if touched.credential:
            names.append(("credential", touched.credential))
        if touched.token:
            names.append(("token", touched.token))
        if touched.settings:
            names.append(("workspace", workspace))
        if touched.list_ranges:
            names.append(("list", workspace, touched.list_ranges))
        if touched.deleted_list:
            # The change unlinked keys that it does not name.
            names += [name for name in self._flights if name[1] == workspace]
        for name in names:
            if name in self._flights:
                self._flights[name].invalidated_at = sequence

    def invalidate_all(self) -> None:
        """Make every load start again: what it read may belong to another history."""
        for flight in self._flights.values():
            flight.invalidated_at = inf

    async def _run(self, name: Name, flight: Flight, load: Callable[[Flight], Awaitable[T]]) -> T:
        try:
            with self._counters.timing(LOAD_SECONDS), tracing.span(f"load {name[0]}"):
                async with asyncio.timeout(LOAD_TIMEOUT):
                    return await load(flight)
        except TimeoutError:
            self._counters.add(LOADS_FAILED)
            raise Unavailable("loading the policy takes too long; try again") from None
        except Exception:
            self._counters.add(LOADS_FAILED)
            raise
        finally:
            del self._flights[name]


def _retrieve_error(task: asyncio.Task[Any]) -> None:
    """Mark the error of a load as seen: no caller may be waiting for it any more."""
    if not task.cancelled():
        task.exception()
