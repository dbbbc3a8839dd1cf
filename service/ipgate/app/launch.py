"""The process of a worker: Python, or Envoy with Python in it."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from ipgate.app.root_token import VARIABLE
from ipgate.app.worker import Orders
from ipgate.engines import envoy_config

_HOSTED = "ipgate.app.hosted:app"


async def launched(orders: Orders) -> Process:
    """A new process that takes its orders from its standard input. Raises BadSetting and OSError."""
    settings = orders.settings
    if settings.engine != "envoy":
        return await _process([sys.executable, "-m", "ipgate.app.worker"], os.environ)
    directory = Path(orders.directory)
    made = envoy_config.configuration(settings, orders.port, directory, _HOSTED)
    config = directory / "envoy.json"
    config.write_text(json.dumps(made))
    # Envoy would end at once on SIGTERM; the worker in it waits for the signal instead.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        return await _process(envoy_config.command(config), envoy_config.environment())
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


async def _process(command: list[str], environment: Mapping[str, str]) -> Process:
    # Not the root token. gRPC's core would write what strangers send it to the log, byte for byte.
    passed = {name: value for name, value in environment.items() if name != VARIABLE}
    with batch_scheduling():
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=PIPE,
            stdout=PIPE,
            start_new_session=True,
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
