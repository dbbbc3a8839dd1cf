"""The console beside a server: a process of its own, which has none of the server's secrets."""

import asyncio
import logging
import os
import sys

from ipgate import processes
from ipgate.app.stopping import StopSignal

log = logging.getLogger(__name__)

_CANNOT_START = 2
"""The exit code of a command that failed; it has said why."""

_STOP_TIMEOUT = 10.0


async def keep_console(server: str, listen: str, stopping: StopSignal) -> None:
    """Keep a console running, until the signal to stop.

    One that cannot start is not tried again: the server serves without it.
    """

    async def run() -> None:
        code = await _run(server, listen, stopping)
        if code == _CANNOT_START:
            log.warning("serving without the console listen=%s", listen)
            await stopping.wait()
        elif not stopping.is_set():
            log.error("the console ended, restarting it exit_code=%d", code)

    await stopping.restart_with_backoff(run)


async def _run(server: str, listen: str, stopping: StopSignal) -> int:
    """Run the console from its start to its end, and return its exit code."""
    # Its callers bring their own tokens.
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("IPGATE_")
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ipgate", "console", "--server", server, "--listen", listen),
        stdin=asyncio.subprocess.DEVNULL,
        start_new_session=True,
        env=environment,
        preexec_fn=processes.end_with_parent if sys.platform == "linux" else None,
    )
    await stopping.wait_unless_set(process.wait())
    await processes.end(process, within=_STOP_TIMEOUT)
    return process.returncode or 0
