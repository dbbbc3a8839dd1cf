"""Spans of calls whose caller's trace is sampled, with OpenTelemetry; nothing else is traced.

The extra `otel` has the libraries, which are loaded if tracing is set up.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Thread
from typing import Any

from ipgate.version import VERSION

_SAMPLED = 1

_LAST_EXPORT = 2.0
"""Seconds to export the last spans."""

_MIN_PARTS = 4
"""Parts of a `traceparent`: version, trace, parent, flags; later versions may have more."""


class _Tracing:
    """`tracer`: None until `set_up`."""

    tracer: Any = None
    current: Callable[[], Any]


_tracing = _Tracing()


def set_up() -> Callable[[], None]:
    """Begin to export spans, as the OTEL_* variables say; return what exports the last ones.

    Raises: ImportError without the extra.
    """
    from opentelemetry import trace  # noqa: PLC0415  an extra
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    os.environ.setdefault("OTEL_SERVICE_NAME", "ipgate")
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _tracing.tracer = provider.get_tracer("ipgate", VERSION)
    _tracing.current = trace.get_current_span

    def export_rest() -> None:
        # A receiver that does not answer must not hold up the end of the process.
        rest = Thread(target=provider.shutdown, daemon=True)
        rest.start()
        rest.join(_LAST_EXPORT)

    return export_rest


def is_set_up() -> bool:
    return _tracing.tracer is not None


def is_sampled(traceparent: str) -> bool:
    """Return whether the caller's trace is sampled (W3C Trace Context, 3.2.2.5)."""
    parts = traceparent.split("-")
    if len(parts) < _MIN_PARTS:
        return False
    try:
        return bool(int(parts[3][:2], 16) & _SAMPLED)
    except ValueError:
        return False


@contextmanager
def server_span(name: str, traceparent: str) -> Iterator[None]:
    """Trace a call as a part of its caller's trace."""
    from opentelemetry.trace import SpanKind  # noqa: PLC0415
    from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415
        TraceContextTextMapPropagator,
    )

    context = TraceContextTextMapPropagator().extract({"traceparent": traceparent})
    with _tracing.tracer.start_as_current_span(name, context, kind=SpanKind.SERVER):
        yield


def span(name: str) -> AbstractContextManager[Any]:
    """Trace a part of a call that is traced; nothing outside of one."""
    if _tracing.tracer is None or not _tracing.current().is_recording():
        return nullcontext()
    traced: AbstractContextManager[Any] = _tracing.tracer.start_as_current_span(name)
    return traced
