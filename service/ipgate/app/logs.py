"""Logs: one line for each event on standard error, times in UTC."""

import logging
import os
import time

from ipgate.domain.characters import readable

INTERVAL = 5.0
_REMEMBERED = 100

_NOISE = ("Invalid encoding on ", "ExecuteBatchError raised in core by ")
"""What gRPC writes, with a traceback, of each header that is not UTF-8, with the header, which may be
a token, and of each caller that goes away while it is answered."""


class _OneLine(logging.Formatter):
    """Whatever a message holds, it cannot begin a line of its own; a traceback is indented."""

    converter = staticmethod(time.gmtime)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's name
        return _printable(super().formatMessage(record))

    def formatException(self, ei: object) -> str:  # noqa: N802  logging's name
        text = super().formatException(ei)  # type: ignore[arg-type]
        return "\n".join(f"    {_printable(line)}" for line in text.splitlines())


def _printable(text: str) -> str:
    """`text` with everything escaped that would end a line or command a terminal."""
    return readable(text)


def _is_informative(record: logging.LogRecord) -> bool:
    """Return whether a record is worth a line: anybody could fill the log with some of them."""
    return not (record.name == "grpc._cython.cygrpc" and str(record.msg).startswith(_NOISE))


class RateLimitFilter(logging.Filter):
    """Lets a warning pass once in INTERVAL seconds: an outage says the same at every call."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno != logging.WARNING:
            return True
        text = f"{record.name} {record.getMessage()}"
        if record.created - self._last.get(text, 0) < INTERVAL:
            return False
        if len(self._last) >= _REMEMBERED:
            self._last.clear()
        self._last[text] = record.created
        return True


def set_up_logs(level: str) -> None:
    handler = logging.StreamHandler()
    form = f"%(asctime)s.%(msecs)03dZ %(levelname)s [{os.getpid()}] %(name)s: %(message)s"
    handler.setFormatter(_OneLine(form, datefmt="%Y-%m-%dT%H:%M:%S"))
    handler.addFilter(RateLimitFilter())
    handler.addFilter(_is_informative)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
