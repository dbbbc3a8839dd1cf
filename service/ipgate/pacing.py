"""Long computations that let the event loop serve others in between."""

import asyncio
from typing import TypeVar

from ipgate.domain.intervals import Steps

T = TypeVar("T")


async def in_steps(steps: Steps[T]) -> T:
    """Runs steps to their end, with a pause after each, and returns their result."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            result: T = stop.value
            return result
        await asyncio.sleep(0)
