"""Watches configuration files, so that tokens and certificates are replaced without a restart."""

import asyncio
import logging
from collections.abc import Callable
from typing import TypeVar

from ipgate.app.stopping import StopSignal
from ipgate.settings import BadSetting

log = logging.getLogger(__name__)

T = TypeVar("T")

_INTERVAL = 1.0


async def watch(
    what: str,
    read: Callable[[], T | None],
    current: T,
    replace: Callable[[T], None],
    stopping: StopSignal,
) -> None:
    """Read files each second until `stopping`, and call `replace` with changed content.

    `read` returns None for "no such setting", and raises BadSetting for content that does not work: the
    current content stays in force then, with one warning.
    """
    failing = False
    while not stopping.is_set():
        await stopping.wait_unless_set(asyncio.sleep(_INTERVAL))
        try:
            content = read()
        except BadSetting as error:
            if not failing:
                log.warning(
                    "file not read, the former content stays in force file=%r reason=%r",
                    what,
                    str(error),
                )
            failing = True
            continue
        failing = False
        if content is not None and content != current:
            current = content
            log.info("file changed file=%r", what)
            replace(content)
