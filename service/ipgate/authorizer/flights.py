"""Single flight: many callers that miss the same thing cost one load, bounded in time."""

import asyncio
from collections.abc import Awaitable, Callable
from math import inf
from typing import Any, TypeVar

from ipgate.domain.errors import Unavailable
from ipgate.store.feed import Change

PATIENCE = 3.0
"""Seconds that a caller waits for a load. The load goes on without it: its work is not lost."""

LONGEST = 120.0
"""Seconds after which a load is given up; each of its reads is bounded by seconds of its own."""

Name = tuple[str, ...]
T = TypeVar("T")


class Flight:
    """A load under way. `touched`: the number of the last change that touched what is loaded."""

    def __init__(self, name: Name) -> None:
        self.name = name
        self.touched: float = -1
        self.task: asyncio.Task[Any] | None = None


class Flights:
    """The loads under way, by what they load; a failure is not remembered."""

    def __init__(self) -> None:
        self._flights: dict[Name, Flight] = {}

    async def join(self, name: Name, load: Callable[[Flight], Awaitable[T]]) -> T:
        """The result of the load of `name`, which is started if it is not under way. Raises
        Unavailable."""
        flight = self._flights.get(name)
        if flight is None:
            flight = self._flights[name] = Flight(name)
            flight.task = asyncio.create_task(self._fly(name, flight, load))
            flight.task.add_done_callback(_retrieve)
        assert flight.task is not None
        try:
            async with asyncio.timeout(PATIENCE):
                # Shielded: a caller that gives up must not take the load away from the others.
                result: T = await asyncio.shield(flight.task)
        except TimeoutError:
            raise Unavailable("what decides takes long to load; try again") from None
        return result

    def touch(self, change: Change) -> None:
        """Tells the loads that a change touches about it."""
        workspace = change.workspace
        match change.kind:
            case "keys":
                names: list[Name] = [("key", workspace, key) for key in change.ids]
                names.append(("credential", change.digest))
            case "token":
                names = [("token", change.digest)]
            case "workspace":
                names = [("workspace", workspace)]
            case "list":
                names = [("list", workspace, change.ids[0])]
            case "list_text":
                names = []
            case "list_deleted":
                # It unlinked keys that the change does not name.
                names = [name for name in self._flights if name[1] == workspace]
            case _:
                self.touch_all()
                return
        for name in names:
            if name in self._flights:
                self._flights[name].touched = change.number

    def touch_all(self) -> None:
        """Makes every load begin anew: what it read may be of another history."""
        for flight in self._flights.values():
            flight.touched = inf

    async def _fly(self, name: Name, flight: Flight, load: Callable[[Flight], Awaitable[T]]) -> T:
        try:
            async with asyncio.timeout(LONGEST):
                return await load(flight)
        except TimeoutError:
            raise Unavailable("what decides takes too long to load; try again") from None
        finally:
            del self._flights[name]


def _retrieve(task: asyncio.Task[Any]) -> None:
    """Takes note of a failure for which no caller may be waiting any more."""
    if not task.cancelled():
        task.exception()
