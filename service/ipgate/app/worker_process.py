"""The process of a worker.

The supervisor starts it, writes one line of JSON to its standard input and keeps that open. A later line
carries another root token's digest or other TLS files. When the input closes, the supervisor is gone and the
worker stops.
"""

import asyncio
import json
import logging
import os
import signal
import sys
import warnings
from contextlib import suppress

import uvloop

from ipgate import tracing
from ipgate.app.logs import set_up_logs
from ipgate.app.worker import Worker, build_worker
from ipgate.app.worker_config import READY, WorkerConfig
from ipgate.clock import Clock
from ipgate.engines import grpcio, http2
from ipgate.engines.engine import Build
from ipgate.engines.tls import TlsFiles
from ipgate.store.connection import UnusableStore

log = logging.getLogger(__name__)

STDIN, STDOUT = 0, 1
UNUSABLE_STORE = 2
"""The exit code of a worker that finds the store unusable."""

_MAX_LINE = 16 << 20
"""Bytes of a line from the supervisor: it may hold many certificates."""


async def run(
    config: WorkerConfig, build: Build, stopping: asyncio.Event, supervisor: asyncio.StreamReader
) -> None:
    """Serve until `stopping`, or until the supervisor is gone.

    Raises: UnusableStore.
    """
    export_rest = tracing.set_up() if config.settings.traces else None
    worker = build_worker(config, build, Clock())
    tasks = [asyncio.create_task(_watch_supervisor(supervisor, worker, stopping))]
    try:
        if await worker.start(stopping):
            os.write(STDOUT, READY)
            tasks.append(asyncio.create_task(_heartbeat()))
            await stopping.wait()
            await worker.drain()
    finally:
        for task in tasks:
            task.cancel()
        await worker.stop()
        if export_rest is not None:
            export_rest()


async def _watch_supervisor(
    supervisor: asyncio.StreamReader, worker: Worker, stopping: asyncio.Event
) -> None:
    """Take other root tokens and TLS files, and stop when the supervisor is gone."""
    while line := await supervisor.readline():
        update = json.loads(line)
        if "root_sha256" in update:
            worker.core.authenticator.replace_root(bytes.fromhex(update["root_sha256"]))
        if "tls" in update:
            try:
                worker.replace_tls(TlsFiles(**update["tls"]))
            except OSError as error:
                # Whatever it is, this task must go on to notice the supervisor's end.
                log.warning("TLS files not replaced, the former stay in force error=%r", str(error))
    stopping.set()


async def _heartbeat() -> None:
    """Show the supervisor each second that the event loop turns."""
    os.set_blocking(STDOUT, False)
    while True:
        with suppress(BlockingIOError):
            os.write(STDOUT, b"\n")
        await asyncio.sleep(1)


async def read_config() -> tuple[WorkerConfig, asyncio.StreamReader]:
    """Return the configuration from standard input, and the stream that ends with the supervisor."""
    supervisor = asyncio.StreamReader(limit=_MAX_LINE)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(supervisor), os.fdopen(STDIN, "rb")
    )
    return WorkerConfig.from_json((await supervisor.readline()).decode()), supervisor


async def main() -> None:
    """Run the worker with an engine on this event loop."""
    # A caller may cancel a call before the task that answers it has begun.
    warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
    config, supervisor = await read_config()
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    for number in (signal.SIGINT, signal.SIGHUP):  # the supervisor handles them
        loop.add_signal_handler(number, lambda: None)
    try:
        build = http2.build if config.settings.engine == "http2" else grpcio.build
        set_up_logs(config.settings.log_level, config.settings.log_format)
        await run(config, build, stopping, supervisor)
    except UnusableStore as error:
        log.error("worker cannot start error=%r", str(error))  # noqa: TRY400  the message says everything
        sys.exit(UNUSABLE_STORE)


if __name__ == "__main__":
    uvloop.run(main())
