"""A worker without an engine in this process, on a real store, with gates that hold up its reads."""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from ipgate.admin.lists import Lists
from ipgate.admin.quotas import Quotas
from ipgate.admin.range_checks import RangeChecks
from ipgate.admin.ranges import Ranges
from ipgate.admin.workspaces import Workspaces
from ipgate.app.worker_core import build_core
from ipgate.authorizer.authorizer import Authorizer
from ipgate.authorizer.follower import Follower
from ipgate.clock import Clock
from ipgate.domain.addresses import format_range
from ipgate.domain.resources import AllowList, ApiKey, Caller, Range, Role, Workspace
from ipgate.domain.shards import SHARDS
from ipgate.domain.writing import MAINTENANCE
from ipgate.policy.cache import PolicyCache
from ipgate.rpc.answers import question_in
from ipgate.rpc.call_info import CallInfo
from ipgate.store import feed
from ipgate.store.api_keys import ApiKeyStore
from ipgate.store.connection import connect
from ipgate.store.lists import ListStore
from ipgate.store.policy_reader import PolicyReader
from ipgate.store.ranges import RangeStore
from ipgate.store.scripts import Scripts
from ipgate.store.store_clock import StoreClock
from ipgate.store.tokens import TokenStore
from ipgate.store.workspaces import WorkspaceStore
from ipgate.v1 import authorize_pb2 as authorize

ROOT = Caller("root", Role.ROOT)


class Gate:
    """Open until it is shut; what arrives at a shut gate waits, and can be waited for."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self.reached = asyncio.Event()

    def shut(self) -> None:
        self._open.clear()
        self.reached.clear()

    def open(self) -> None:
        self._open.set()

    async def passed(self) -> None:
        if not self._open.is_set():
            self.reached.set()
            await self._open.wait()


class GatedReader(PolicyReader):
    """Holds up each answer between its reading and its use, and counts the reads."""

    def __init__(self, scripts: Scripts) -> None:
        super().__init__(scripts)
        self.gates = {name: Gate() for name in ("credential", "key", "workspace", "allow_list")}
        self.reads: list[str] = []

    async def _held_up(self, name: str, answer: Any) -> Any:
        self.reads.append(name)
        await self.gates[name].passed()
        return answer

    async def credential(self, digest: str) -> Any:
        return await self._held_up("credential", await super().credential(digest))

    async def key(self, workspace: str, key: str) -> Any:
        return await self._held_up("key", await super().key(workspace, key))

    async def workspace(self, workspace: str) -> Any:
        return await self._held_up("workspace", await super().workspace(workspace))

    async def allow_list(self, workspace: str, allow_list: str) -> Any:
        return await self._held_up("allow_list", await super().allow_list(workspace, allow_list))


class GatedFeed(feed.Feed):
    """Holds up what the store tells of its changes."""

    gate: Gate

    async def wait(self, after: dict[int, int]) -> Any:
        answer = await super().wait(after)
        await self.gate.passed()
        return answer


class FakeClock(Clock):
    """A clock that can be set forward."""

    ahead = 0.0
    wall: int | None = None
    """The wall time, where a test sets it."""

    def steady(self) -> float:
        return super().steady() + self.ahead

    def now(self) -> int:
        return super().now() if self.wall is None else self.wall


@dataclass
class Worker:
    """What a test drives. Admin calls go to the store as another server's would."""

    workspace: str
    scripts: Scripts
    reader: GatedReader
    feed_gate: Gate
    clock: FakeClock
    cache: PolicyCache
    follower: Follower
    authorizer: Authorizer
    lists: Lists
    ranges: Ranges
    workspaces: Workspaces
    keys: ApiKeyStore

    async def allow_list(self, allow_list: str, *ranges: str) -> None:
        resource = AllowList(
            workspace=self.workspace,
            id=allow_list,
            display_name=allow_list,
            description="d",
            ranges=[Range(text) for text in ranges],
        )
        await self.lists.create(resource, MAINTENANCE)

    async def delete_list(self, allow_list: str) -> None:
        options = replace(MAINTENANCE, force=True, allow_unrestricted=True)
        await self.lists.store.delete(self.workspace, allow_list, options)

    async def key(self, key: str, secret: str = "") -> None:
        sha256 = hashlib.sha256((secret or secrets.token_hex(8)).encode()).hexdigest()
        api_key = ApiKey(workspace=self.workspace, id=key)
        await self.keys.create(api_key, sha256, MAINTENANCE, limit=10**6)

    async def link(self, allow_list: str, *keys: str) -> str:
        linked = await self.lists.link(self.workspace, allow_list, keys, MAINTENANCE, link=True)
        return linked.revision

    async def default(self, allow_list: str, *, enabled: bool) -> None:
        options = replace(MAINTENANCE, allow_unrestricted=True)
        await self.workspaces.update_default(
            self.workspace, options, enabled=enabled, allow_list=allow_list, report_only=False
        )

    async def ask(self, ip: str, key: str = "k", secret: str = "", min_revision: str = "") -> str:
        """The reason of the verdict."""
        name = f"workspaces/{self.workspace}/apiKeys/{key}"
        subject: dict[str, Any] = {"key": secret} if secret else {"api_key": name}
        question = question_in(
            authorize.AuthorizeRequest(ip=ip, min_revision=min_revision, **subject)
        )
        return (await self.authorizer.resolve(ROOT, question)).decision.reason.value

    async def ask_range(self, ip: str, key: str = "k") -> str:
        """The range that decides, "" for none."""
        name = f"workspaces/{self.workspace}/apiKeys/{key}"
        question = question_in(authorize.AuthorizeRequest(ip=ip, api_key=name))
        packed = (await self.authorizer.resolve(ROOT, question)).decision.range
        return "" if packed is None else format_range(packed)

    async def caught_up(self) -> None:
        """Waits until the follower has applied every change made so far."""
        changes = {"display_name": secrets.token_hex(4)}
        updated = await self.workspaces.update(self.workspace, changes, MAINTENANCE)
        await self.ask("1.1.1.1", "nobody", min_revision=updated.revision)


class Root(CallInfo):
    """A call of root without metadata or a deadline."""

    def __init__(self) -> None:
        self.authorization = ""
        self.caller = ROOT

    def metadata(self, name: str) -> str:  # noqa: ARG002
        return ""

    def peer(self) -> str:
        return "here"

    def client_certificate(self) -> str:
        return ""

    def time_remaining(self) -> float | None:
        return None


@asynccontextmanager
async def running_worker(url: str, *, cache_bytes: int = 64 << 20) -> AsyncIterator[Worker]:
    """A worker in this process, with a workspace of its own, that follows the store."""
    clock = FakeClock()
    redis = connect(url, connections=32)
    feed_redis = connect(url, connections=1, socket_timeout=feed.SOCKET_TIMEOUT)
    store_clock = StoreClock(clock)
    scripts = Scripts(redis, clock, store_clock=store_clock)
    await scripts.initialize()
    reader = GatedReader(scripts)
    gated_feed = GatedFeed(feed_redis, range(SHARDS), store_clock)
    gated_feed.gate = Gate()
    core = build_core(
        scripts,
        reader,
        [gated_feed],
        clock,
        cache_bytes=cache_bytes,
        max_staleness=30,
        root_digest=b"",
    )
    await core.follower.start()
    following = asyncio.create_task(core.follower.run())
    workspaces = Workspaces(WorkspaceStore(scripts), TokenStore(scripts))
    lists, quotas = ListStore(scripts), Quotas(100_000, 1000, 10**6, 10_000)
    ranges = Ranges(lists, RangeStore(scripts), RangeChecks(workspaces.store), quotas)
    workspace = f"w{secrets.token_hex(6)}"
    await workspaces.create(Workspace(id=workspace), MAINTENANCE)
    try:
        yield Worker(
            workspace=workspace,
            scripts=scripts,
            reader=reader,
            feed_gate=gated_feed.gate,
            clock=clock,
            cache=core.cache,
            follower=core.follower,
            authorizer=core.authorizer,
            lists=Lists(lists, ranges, quotas),
            ranges=ranges,
            workspaces=workspaces,
            keys=ApiKeyStore(scripts),
        )
    finally:
        core.follower.stop()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await feed_redis.aclose()
        await redis.aclose()
