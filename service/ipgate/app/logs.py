"""Logs: one line for each event on standard error, times in UTC."""

import json
import logging
import os
import re
import time

from ipgate.domain.characters import readable
from ipgate.rpc.call_info import CALL

INTERVAL = 5.0
_REMEMBERED = 100

_NAMED = re.compile(r"\b([a-z_]+)=%[srdg]")

_NOISE = ("Invalid encoding on ", "ExecuteBatchError raised in core by ")
"""What gRPC writes, with a traceback, of each header that is not UTF-8, with the header, which may be
a token, and of each caller that goes away while it is answered."""


class _OneLine(logging.Formatter):
    """Whatever a message holds, it cannot begin a line of its own; a traceback is indented."""

    converter = staticmethod(time.gmtime)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's name
        text = super().formatMessage(record)
        call = CALL.get()
        if call is not None and "request_id=" not in text:
            text += f" request_id={call.request_id()}"
        return _printable(text)

    def formatException(self, ei: object) -> str:  # noqa: N802  logging's name
        text = super().formatException(ei)  # type: ignore[arg-type]
        return "\n".join(f"    {_printable(line)}" for line in text.splitlines())


class _Json(logging.Formatter):
    """One object a line. What a message names, as in `actor=root`, is a field of its own."""

    def format(self, record: logging.LogRecord) -> str:
        event, fields = _fields(record)
        call = CALL.get()
        line = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{record.msecs:03.0f}Z",
            "level": record.levelname,
            "pid": os.getpid(),
            "logger": record.name,
            "event": event,
        }
        line = fields | line
        if call is not None:
            line.setdefault("request_id", call.request_id())
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def _fields(record: logging.LogRecord) -> tuple[str, dict[str, object]]:
    """Return what a record says, and what it names."""
    names = _NAMED.findall(str(record.msg))
    values = record.args if isinstance(record.args, tuple) else ()
    if not names or len(names) != len(values):
        return record.getMessage(), {}
    event = _NAMED.split(str(record.msg), maxsplit=1)[0].strip()
    return event, {
        name: value.strip("'") if isinstance(value, str) else value
        for name, value in zip(names, values, strict=True)
    }


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


def set_up_logs(level: str, form: str) -> None:
    """Log to standard error; `form`: text or json."""
    handler = logging.StreamHandler()
    line = f"%(asctime)s.%(msecs)03dZ %(levelname)s [{os.getpid()}] %(name)s: %(message)s"
    text = _OneLine(line, datefmt="%Y-%m-%dT%H:%M:%S")
    handler.setFormatter(_Json() if form == "json" else text)
    handler.addFilter(RateLimitFilter())
    handler.addFilter(_is_informative)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
