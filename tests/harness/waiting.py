"""Waiting for a condition, with a deadline instead of a sleep for luck."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

WAIT_TIMEOUT = 30.0

Value = TypeVar("Value")


def eventually(condition: Callable[[], Value], what: str, *, within: float = WAIT_TIMEOUT) -> Value:
    """What the condition gives once it holds; fails, naming `what`, if it does not in time."""
    deadline = time.monotonic() + within
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {within:g} s: {what}"
        time.sleep(0.01)
    return value


async def until(condition: Callable[[], object], what: str) -> None:
    """As `eventually`, while the loop goes on."""
    try:
        async with asyncio.timeout(WAIT_TIMEOUT):
            while not condition():
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"not within {WAIT_TIMEOUT:g} s: {what}") from None
