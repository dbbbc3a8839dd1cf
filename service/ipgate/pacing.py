"""Long computations that let the event loop serve others in between."""

import asyncio
from typing import TypeVar
from weakref import WeakKeyDictionary

from ipgate.domain.intervals import Steps

T = TypeVar("T")

_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


async def in_steps(steps: Steps[T]) -> T:
    """Runs steps to their end and returns their result. However many do so at a time, between two
    steps the loop runs everything else once."""
    turn = _turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())
    while True:
        async with turn:
            try:
                next(steps)
            except StopIteration as stop:
                result: T = stop.value
                return result
            await asyncio.sleep(0)
