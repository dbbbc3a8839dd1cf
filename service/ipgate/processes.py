"""Signals to child processes, and their end."""

import asyncio
import ctypes
import os
import signal
from asyncio.subprocess import Process
from contextlib import suppress

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Let the kernel end this process with its parent; called in a new child, on Linux."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


async def end(process: Process, *, within: float) -> bool:
    """End a child process: gracefully, or by force after `within` seconds.

    False if it took force.
    """
    if process.returncode is not None:
        return True
    send(process, signal.SIGTERM)
    try:
        async with asyncio.timeout(within):
            await process.wait()
    except TimeoutError:
        await kill(process)
        return False
    return True


async def kill(process: Process) -> None:
    """End a child process by force."""
    send(process, signal.SIGKILL)
    await process.wait()


def send(process: Process, number: signal.Signals) -> None:
    """Send a signal to a child process that may have ended."""
    # Not process.send_signal: it reaps a child that has just ended, and asyncio, which waits for it,
    # reports an unknown child process then.
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)
