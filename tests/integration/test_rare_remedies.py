"""What the messages about rare conditions say to do works; the conditions are brought about in this process."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub as StubOf1Alpha
from ipgate.backup.errors import BackupError
from ipgate.backup.restore import restore
from ipgate.domain.errors import FailedPrecondition
from ipgate.domain.resources import ROOT, Caller
from ipgate.domain.writing import MAINTENANCE
from ipgate.engines import grpcio, http2, reflection
from ipgate.engines.listen_address import ListenAddress
from ipgate.settings import Settings
from ipgate.store import lists
from ipgate.store.connection import connect

from tests.harness.backups import exported
from tests.harness.damage import filled
from tests.harness.in_process import running_worker
from tests.harness.stores import StoreServer, running

pytestmark = pytest.mark.engine


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreServer]:
    with running(tmp_path / "empty") as store:
        yield store


async def test_a_list_of_too_many_links_is_deleted_once_some_are_gone(
    store: StoreServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The forced deletion unlinks a bounded number of keys; it works after some were unlinked."""
    monkeypatch.setattr(lists, "MAX_UNLINKED", 2)

    async with running_worker(store.url) as p:
        await p.allow_list("l", "192.0.2.1")
        for key in ("a", "b", "c"):
            await p.key(key)
        await p.link("l", "a", "b", "c")
        with pytest.raises(FailedPrecondition, match="unlink some first"):
            await p.delete_list("l")
        options = replace(MAINTENANCE, allow_unrestricted=True)
        await p.lists.link(p.workspace, "l", ["a"], options, link=False)
        await p.delete_list("l")


def test_a_file_that_changes_while_it_is_imported_is_noticed(
    tmp_path: Path, store: StoreServer
) -> None:
    """What was written of it is never served, and --restart imports a file that stands still."""
    with filled(tmp_path) as source:
        exported(source.url, tmp_path / "x")
    data = (tmp_path / "x").read_bytes()

    async def run(source: BytesIO, *, restart: bool) -> dict[str, int]:
        client = connect(store.url, connections=4)
        try:
            return await restore(client, source, restart=restart, progress=lambda *_: None)
        finally:
            await client.aclose()

    with pytest.raises(BackupError, match="give --restart to begin again"):
        asyncio.run(run(Changing(data), restart=False))
    assert asyncio.run(run(BytesIO(data), restart=True))["key"] == 3


class Changing(BytesIO):
    """A file that changes between two readings."""

    def seek(self, at: int, whence: int = 0, /) -> int:
        if self.tell() > 0:
            with self.getbuffer() as view:
                view[self.getvalue().index(b"Sample")] = ord("T")
        return super().seek(at, whence)


class Anybody:
    """Takes every caller for root."""

    def try_authenticate(self, _authorization: str) -> Caller:
        return ROOT


@pytest.mark.parametrize("build", [grpcio.build, http2.build])
async def test_a_reflection_stream_ends_in_time(
    monkeypatch: pytest.MonkeyPatch, build: Any
) -> None:
    """A stream that was open too long is ended, and another one is served."""
    monkeypatch.setattr(reflection, "STREAM_TIMEOUT", 0.2)
    request = reflection_pb2.ServerReflectionRequest(list_services="*")

    engine = build(Settings(listen="127.0.0.1:0"), ListenAddress(), {}, Anybody())
    await engine.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{engine.port}") as channel:
        for stub in (StubOf1Alpha(channel), StubOf1(channel)):
            stream = stub.ServerReflectionInfo()
            await stream.write(request)
            names = [
                service.name for service in (await stream.read()).list_services_response.service
            ]
            assert "ipgate.v1.AuthorizeService" in names
            with pytest.raises(grpc.aio.AioRpcError, match="open a new one") as failed:
                await stream.read()
            assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
    await engine.stop(0)


def StubOf1(channel: Any) -> Any:  # noqa: N802
    """No package has it; it has the messages of version 1alpha."""
    return SimpleNamespace(
        ServerReflectionInfo=channel.stream_stream(
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
    )
