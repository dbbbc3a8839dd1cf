"""Long computations that let the event loop serve other tasks in between."""

import asyncio
from typing import TypeVar
from weakref import WeakKeyDictionary

from ipgate.domain.intervals import Steps

YIELDS = 6
"""Turns of the event loop between two steps. A call takes several turns to be answered: with one turn,
callers would wait for as many steps."""

T = TypeVar("T")

_locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


def run_whole(steps: Steps[T]) -> T:
    """Run all steps without a pause, and return their result: where nobody waits, or they are few."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            result: T = stop.value
            return result


async def run(steps: Steps[T]) -> T:
    """Run all steps and return their result.

    Between two steps the event loop runs everything else a few times, however many computations are in
    progress.
    """
    lock = _locks.setdefault(asyncio.get_running_loop(), asyncio.Lock())
    while True:
        async with lock:
            try:
                next(steps)
            except StopIteration as stop:
                result: T = stop.value
                return result
            for _ in range(YIELDS):
                await asyncio.sleep(0)
