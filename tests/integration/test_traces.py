"""Spans of sampled calls, as an OTLP receiver gets them."""

import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from ipgate.v1 import authorize_pb2 as authorize
from ipgate.v1.authorize_pb2_grpc import AuthorizeServiceStub
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from tests.harness.servers import ROOT_TOKEN, Client, serving

pytestmark = pytest.mark.engine

WAIT = 30.0
AUTHORIZE = "ipgate.v1.AuthorizeService/Authorize"


class Receiver(trace_service_pb2_grpc.TraceServiceServicer):
    """Keeps all spans."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.services: set[str] = set()

    def Export(self, request: Any, _context: object) -> Any:  # noqa: N802  its name in the protocol
        for of_resource in request.resource_spans:
            attributes = of_resource.resource.attributes
            self.services |= {
                item.value.string_value for item in attributes if item.key == "service.name"
            }
            for scope in of_resource.scope_spans:
                self.spans += scope.spans
        return trace_service_pb2.ExportTraceServiceResponse()

    def of(self, trace: str, count: int) -> list[Any]:
        """The spans of a trace, once there are so many."""
        deadline = time.monotonic() + WAIT
        while True:
            found = [span for span in self.spans if span.trace_id.hex() == trace]
            if len(found) >= count:
                return found
            assert time.monotonic() < deadline, [span.name for span in found]
            time.sleep(0.05)


@contextmanager
def receiving() -> Iterator[tuple[Receiver, str]]:
    receiver = Receiver()
    server = grpc.server(ThreadPoolExecutor(2))
    add: Any = trace_service_pb2_grpc.add_TraceServiceServicer_to_server
    add(receiver, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield receiver, f"http://127.0.0.1:{port}"
    finally:
        server.stop(None)


def ask(client: Client, key: str, traceparent: str) -> bool:
    stub: Any = AuthorizeServiceStub(client.channel)
    metadata = [("authorization", f"Bearer {ROOT_TOKEN}"), ("traceparent", traceparent)]
    question = authorize.AuthorizeRequest(ip="192.0.2.1", api_key=key)
    return bool(stub.Authorize(question, metadata=metadata, timeout=WAIT).allowed)


def test_the_trace_of_a_sampled_caller_goes_on(tmp_path: Path) -> None:
    """With admission, decision, load and store under the caller's span; calls that are not sampled leave none."""
    with receiving() as (receiver, endpoint):
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        with serving(tmp_path, "--workers", "1", "--traces", **variables) as server:
            client = server.client()
            key = client.key(client.workspace(), "k").api_key.name
            others = [
                f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00",
                "00-nonsense",
                f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-zz",
                "",
            ]
            for other in others:
                assert ask(client, key, other)
            key = client.key(client.workspace(), "k").api_key.name
            trace, parent = secrets.token_hex(16), secrets.token_hex(8)
            assert ask(client, key, f"00-{trace}-{parent}-01")
            spans = {span.name: span for span in receiver.of(trace, 6)}
            assert spans.keys() >= {AUTHORIZE, "admission", "decision", "load key", "store rules"}
            assert spans[AUTHORIZE].parent_span_id.hex() == parent
            assert spans["decision"].parent_span_id == spans[AUTHORIZE].span_id
            assert spans["load key"].parent_span_id == spans["decision"].span_id
            assert spans["store rules"].parent_span_id in {
                span.span_id for name, span in spans.items() if name.startswith("load ")
            }
            again = secrets.token_hex(16)
            assert ask(client, key, f"00-{again}-{parent}-01")
            assert {span.name for span in receiver.of(again, 3)} == {
                AUTHORIZE,
                "admission",
                "decision",
            }
        assert receiver.services == {"ipgate"}
        assert {span.trace_id.hex() for span in receiver.spans} == {trace, again}
        assert not any(key in str(span) or ROOT_TOKEN in str(span) for span in receiver.spans)


def test_a_receiver_that_is_down_holds_nothing_up(tmp_path: Path, free_port: int) -> None:
    """Calls are answered, and the server stops."""
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port}"}
    with serving(tmp_path, "--workers", "1", "--traces", **variables) as server:
        client = server.client()
        key = client.key(client.workspace(), "k").api_key.name
        for _ in range(20):
            assert ask(client, key, f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01")
