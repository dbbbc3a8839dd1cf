"""Long computations that let the event loop serve others in between."""

import asyncio
from typing import TypeVar
from weakref import WeakKeyDictionary

from ipgate.domain.intervals import Steps

TURNS = 6
"""Turns of the event loop between two steps: a call takes several turns to be answered, so with one
of them those who only ask would wait for as many steps."""

T = TypeVar("T")

_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


async def in_steps(steps: Steps[T]) -> T:
    """Runs steps to their end and returns their result. However many do so at a time, between two
    steps the loop runs everything else a few times."""
    turn = _turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())
    while True:
        async with turn:
            try:
                next(steps)
            except StopIteration as stop:
                result: T = stop.value
                return result
            for _ in range(TURNS):
                await asyncio.sleep(0)
