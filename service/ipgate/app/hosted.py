"""A worker inside Envoy: the ASGI application that Envoy hosts, whose lifespan is the worker's.

SIGTERM is blocked in the whole process, so that Envoy does not end at once: it is waited for here,
and Envoy is ended when the worker has stopped.
"""

import asyncio
import logging
import os
import shutil
import signal
import threading
from functools import partial
from pathlib import Path

from ipgate.app.worker import obey, take_orders
from ipgate.engines import envoy
from ipgate.engines.asgi import AsgiCalls, Receive, Send

log = logging.getLogger(__name__)


async def _live(receive: Receive, send: Send) -> None:
    await receive()
    built, stopping = asyncio.Event(), asyncio.Event()
    working = asyncio.create_task(_work(built, stopping))
    ready = asyncio.create_task(built.wait())
    await asyncio.wait((working, ready), return_when=asyncio.FIRST_COMPLETED)
    if not built.is_set():
        ready.cancel()
        await send({"type": "lifespan.startup.failed", "message": "the worker could not start"})
        return
    await send({"type": "lifespan.startup.complete"})
    await receive()
    stopping.set()
    await working
    await send({"type": "lifespan.shutdown.complete"})


async def _work(built: asyncio.Event, stopping: asyncio.Event) -> None:
    """Serves until told to stop, and lets Envoy end then."""
    loop = asyncio.get_running_loop()

    def wait_for_sigterm() -> None:
        signal.sigwait({signal.SIGTERM})
        loop.call_soon_threadsafe(stopping.set)

    threading.Thread(target=wait_for_sigterm, daemon=True).start()
    orders, supervisor = await take_orders()
    try:
        build = partial(envoy.build, directory=Path(orders.directory), calls=app, built=built.set)
        await obey(orders, build, stopping, supervisor)
    except Exception:
        log.exception("the worker failed")
    # The supervisor would, if it is still there.
    shutil.rmtree(orders.directory, ignore_errors=True)
    if built.is_set():
        os.kill(os.getpid(), signal.SIGINT)


app = AsgiCalls(_live)
