"""A stop loses no call of callers who try again where they may."""

import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from ipgate.v1 import authorize_pb2 as authorize

from tests.harness.http2 import AUTHORIZE
from tests.harness.servers import ROOT_TOKEN, serving

pytestmark = pytest.mark.engine

CHANNELS, CALLERS = 6, 60
RETRY = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 5,
                "initialBackoff": "0.01s",
                "maxBackoff": "0.1s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
}


def test_callers_who_retry_lose_no_call_to_a_stop(tmp_path: Path) -> None:
    """60 callers over six channels to two servers of http2, of which one is stopped: every call ends with
    OK, none with an error or CANCELLED."""
    engine = ("--engine", "http2")
    question = authorize.AuthorizeRequest(key="x", ip="1.2.3.4").SerializeToString()
    metadata = (("authorization", f"Bearer {ROOT_TOKEN}"),)
    with serving(tmp_path / "a", *engine) as staying:
        url = f"unix://{tmp_path}/a/store/valkey.sock"
        with serving(tmp_path / "b", *engine, "--redis-url", url) as leaving:
            target = f"ipv4:{leaving.address},{staying.address}"
            options = [
                ("grpc.service_config", json.dumps(RETRY)),
                ("grpc.use_local_subchannel_pool", 1),
            ]
            channels = [grpc.insecure_channel(target, options) for _ in range(CHANNELS)]
            over = threading.Event()
            seen = Counter[str]()

            def call(index: int) -> None:
                ask: Any = channels[index % CHANNELS].unary_unary(AUTHORIZE)
                while not over.is_set():
                    try:
                        ask(question, metadata=metadata, timeout=20)
                        seen["OK"] += 1
                    except grpc.RpcError as error:
                        seen[f"{error.code().name}: {error.details()}"] += 1

            with ThreadPoolExecutor(CALLERS) as pool:
                for index in range(CALLERS):
                    pool.submit(call, index)
                while seen["OK"] < CALLERS * 20:
                    over.wait(0.01)
                assert leaving.stop() == 0
                after = seen["OK"]
                while seen["OK"] < after + CALLERS * 20 and sum(seen.values()) == seen["OK"]:
                    over.wait(0.01)
                over.set()
            assert set(seen) == {"OK"}, seen
            for channel in channels:
                channel.close()
