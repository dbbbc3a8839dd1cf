"""Starts worker processes, and notices when one exits or hangs."""

import asyncio
import logging
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ipgate import processes
from ipgate.app.root_token import VARIABLE
from ipgate.engines.listen_address import ListenAddress

log = logging.getLogger(__name__)

HEARTBEAT_TIMEOUT = 20
"""Seconds without a heartbeat after which a worker is killed; it sends one each second."""


async def launch(listen_address: ListenAddress, metrics: int) -> Process:
    """Start a worker process, which reads its configuration from standard input.

    `metrics`: the descriptor of the memory that it counts in, -1 for none.

    Raises: OSError.
    """
    # Without the root token. gRPC's core would write what anyone sends it to the log, byte for byte.
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    with batch_scheduling():
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ipgate.app.worker_process"),
            stdin=PIPE,
            stdout=PIPE,
            start_new_session=True,
            pass_fds=[fd for fd in (listen_address.descriptor, metrics) if fd >= 0],
            env={"GRPC_VERBOSITY": "NONE"} | environment,
        )


@contextmanager
def batch_scheduling() -> Iterator[None]:
    """Start processes under SCHED_BATCH, so that a waking thread does not preempt a running one.

    A thread handles many calls in a row then, instead of the core changing threads several times a call.
    """
    # Any other policy than the usual one is the operator's choice.
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


async def wait_for_exit_or_hang(process: Process, heartbeats: asyncio.StreamReader) -> None:
    """Wait until a worker exits.

    Kill it after HEARTBEAT_TIMEOUT without a heartbeat.
    """
    # Counted in short waits: this process may have been stopped itself for a while.
    missed = 0
    while missed < HEARTBEAT_TIMEOUT:
        try:
            # Not wait_for: it loses a cancellation that comes together with a heartbeat (Python 3.11).
            async with asyncio.timeout(1):
                heartbeat = await heartbeats.readline()
            if not heartbeat:
                await process.wait()
                return
            missed = 0
        except TimeoutError:
            missed += 1
    log.error("worker hangs, killing it pid=%d", process.pid)
    await processes.kill(process)
