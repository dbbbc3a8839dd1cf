"""The process of a worker."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ipgate.app.root_token import VARIABLE
from ipgate.engines.place import Place


async def launched(place: Place) -> Process:
    """A new worker process, which takes its orders from its standard input. Raises OSError."""
    # Not the root token. gRPC's core would write what strangers send it to the log, byte for byte.
    passed = {name: value for name, value in os.environ.items() if name != VARIABLE}
    with batch_scheduling():
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ipgate.app.worker"),
            stdin=PIPE,
            stdout=PIPE,
            start_new_session=True,
            pass_fds=(place.descriptor,) if place.descriptor >= 0 else (),
            env={"GRPC_VERBOSITY": "NONE"} | passed,
        )


@contextmanager
def batch_scheduling() -> Iterator[None]:
    """The threads of a process that is started inside do not interrupt each other when they wake, only
    when they wait (Linux's SCHED_BATCH). A call passes through several threads: so one of them handles
    many calls in a row, in place of the core changing threads several times for each.
    """
    # Any other policy than the usual one is somebody's choice.
    if not hasattr(os, "SCHED_BATCH") or os.sched_getscheduler(0) != os.SCHED_OTHER:
        yield
        return
    unchanged = os.sched_param(0)
    with suppress(OSError):  # forbidden: a call costs more then, and nothing else
        os.sched_setscheduler(0, os.SCHED_BATCH, unchanged)
    try:
        yield
    finally:
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_OTHER, unchanged)
