"""Cerbos: one resource policy for each number of ranges, with a condition on the address.

Its conditions look through ranges in order. They are written in the way that is quickest: a few as
expressions of their own, many as a constant list. A thousand are measured as expressions, too, and all of
them are looked at: so a policy grows that began with an address or two, and so it is usually compared.
"""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.message import Message
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from bench import ranges
from bench.contenders.contender import Ask, Contender, Running
from bench.h2load import grpc_call
from bench.install import npm_packages
from bench.processes import free_address, launched

ROWS = {f"Cerbos, {count:,} ranges": (count, count <= 10) for count in (3, 100, 1000)}
LAST = "Cerbos, 1,000 expressions, the last matches"
ROWS[LAST] = (1000, True)
"""How many ranges, and whether each is an expression."""
_PATH = "/cerbos.svc.v1.CerbosService/CheckResources"


@contextmanager
def start(directory: Path) -> Iterator[Running]:
    program = str(npm_packages() / "@cerbos/cerbos-linux-x64" / "cerbos-linux-x64")
    address = free_address()
    policies = directory / "policies"
    policies.mkdir()
    for number, (count, apart) in enumerate(ROWS.values()):
        policy = _policy(f"api{number}", count, apart=apart)
        (policies / f"{number}.json").write_text(json.dumps(policy))
    config = directory / "config.json"
    config.write_text(
        json.dumps(
            {
                "server": {"grpcListenAddr": address, "httpListenAddr": free_address()},
                "storage": {"driver": "disk", "disk": {"directory": str(policies)}},
                "telemetry": {"disabled": True},
            }
        )
    )
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    command = [program, "server", "--debug-listen-addr=", "--log-level=error", f"--config={config}"]
    with launched(command, address, directory / "output") as pid:
        asker = _Asker(address)
        yield Running(
            f"Cerbos {version.stdout.split()[0]}",
            lambda: [pid],
            {
                name: asker.ask(f"api{number}", _address(name, count), directory)
                for number, (name, (count, _)) in enumerate(ROWS.items())
            },
        )


def _policy(resource: str, count: int, *, apart: bool) -> dict[str, Any]:
    texts = ranges.texts(count)
    policy: dict[str, Any] = {"resource": resource, "version": "default"}
    if apart:
        of = [{"expr": f'P.attr.ip.inIPAddrRange("{_prefix(text)}")'} for text in texts]
        match: dict[str, Any] = {"any": {"of": of}}
    else:
        policy["constants"] = {"local": {"ranges": [_prefix(text) for text in texts]}}
        match = {"expr": "C.ranges.exists(prefix, P.attr.ip.inIPAddrRange(prefix))"}
    policy["rules"] = [
        {
            "actions": ["use"],
            "effect": "EFFECT_ALLOW",
            "roles": ["key"],
            "condition": {"match": match},
        }
    ]
    return {"apiVersion": "api.cerbos.dev/v1", "resourcePolicy": policy}


def _address(name: str, count: int) -> str:
    texts = ranges.texts(count)
    return texts[-1] if name == LAST else ranges.inside(texts)


def _prefix(text: str) -> str:
    return text if "/" in text else f"{text}/32"


class _Asker:
    """Knows Cerbos's messages from its reflection."""

    def __init__(self, address: str) -> None:
        self._address = address
        channel: Any = grpc.insecure_channel(address)
        known = ProtoReflectionDescriptorDatabase(channel)
        pool = descriptor_pool.DescriptorPool(known)

        def kind(name: str) -> Any:
            return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))

        self._request = kind("cerbos.request.v1.CheckResourcesRequest")
        response = kind("cerbos.response.v1.CheckResourcesResponse")
        self._call = channel.unary_unary(
            _PATH,
            request_serializer=self._request.SerializeToString,
            response_deserializer=response.FromString,
        )

    def ask(self, resource: str, ip: str, directory: Path) -> Ask:
        message = self._question(resource, ip).SerializeToString()
        return Ask(grpc_call(self._address, _PATH, message, directory), self._check(resource, ip))

    def _question(self, kind: str, ip: str) -> Message:
        resource = {"kind": kind, "id": "any"}
        asked = {
            "principal": {"id": "k", "roles": ["key"], "attr": {"ip": ip}},
            "resources": [{"actions": ["use"], "resource": resource}],
        }
        message: Message = json_format.ParseDict(asked, self._request())
        return message

    def _check(self, resource: str, ip: str) -> Callable[[], None]:
        def effect(ip: str) -> str:
            response = self._call(self._question(resource, ip), timeout=10)
            (result,) = json_format.MessageToDict(response)["results"]
            return str(result["actions"]["use"])

        def check() -> None:
            assert effect(ip) == "EFFECT_ALLOW"
            assert effect(ranges.OUTSIDE) == "EFFECT_DENY"

        return check


CONTENDER = Contender("Cerbos", tuple(ROWS), start)
