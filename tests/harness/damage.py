"""Damage to a store, made with plain Redis commands, and what the doctor must say of it."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from ipgate.domain.shards import shard_of
from ipgate.store.key_names import shard_prefix
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import resources_pb2 as resources

from tests.harness.servers import Client, serving
from tests.harness.stores import StoreServer, running

CREDENTIAL = "a credential that the test registers, with a digest it knows"
SHA256 = hashlib.sha256(CREDENTIAL.encode()).hexdigest()
PREVIOUS = hashlib.sha256(b"a credential before a rotation").hexdigest()
W = "sample"
SHARD = shard_prefix(shard_of(W))
OWN = f"{SHARD}ws:{W}"
TOKENS = shard_prefix(0)
TIP = "0123456789abcdef"


def fill(client: Client) -> None:
    """Some of everything, in the workspace `sample`: the key `linked` has the credential."""
    workspace = resources.Workspace(display_name="Sample")
    client.call(
        "CreateWorkspace", admin.CreateWorkspaceRequest(workspace_id=W, workspace=workspace)
    )
    name = f"workspaces/{W}"
    client.allow_list(name, "office", ["198.51.100.73", "192.0.2.0/24"], display_name="Office")
    client.allow_list(name, "spare", ["10.0.0.0/8"], display_name="Straße")
    client.key(name, "linked", credential_sha256=SHA256)
    client.key(name, "plain", disabled=True)
    client.link(f"{name}/allowLists/office", f"{name}/apiKeys/linked")
    client.default(name, f"{name}/allowLists/spare")
    client.key(name, "rotated", credential_sha256=PREVIOUS)
    rotation = admin.RotateApiKeyCredentialRequest(api_key=f"{name}/apiKeys/rotated")
    rotation.overlap.FromSeconds(30 * 86_400)
    client.call("RotateApiKeyCredential", rotation)
    client.access_token("WORKSPACE_ADMIN", name)
    client.access_token("AUTHORIZER")


@contextmanager
def filled(directory: Path) -> Iterator[StoreServer]:
    """A store of the test's own with `fill` in it, and no server running on it."""
    with running(directory / "store") as store:
        with serving(directory / "data", "--redis-url", store.url) as server:
            fill(server.client())
        yield store


class Sample:
    """A store with `fill` in it, which is as it was before each damage."""

    def __init__(self, store: StoreServer) -> None:
        self.store = store
        with redis.Redis(unix_socket_path=str(store.socket)) as client:
            self._dumps = {key: client.dump(key) for key in client.scan_iter()}

    def damage(self, damage: "Damage") -> None:
        with redis.Redis(unix_socket_path=str(self.store.socket)) as client:
            client.flushall()
            client.config_set("maxmemory-policy", "noeviction")
            for key, dump in self._dumps.items():
                client.restore(key, 0, dump)
        with self.store.client() as client:
            assert damage.make(client) is not False


@dataclass(frozen=True, slots=True)
class Damage:
    """`problems`: those that the doctor must name, and no others."""

    name: str
    make: Callable[[Any], Any]
    problems: set[str]


def _token(store: Any) -> str:
    """The Redis key of the token that works for the workspace."""
    (token,) = store.zrange(f"{TOKENS}ws-tokens:{W}", 0, -1)
    return f"{TOKENS}token:{store.hget(TOKENS + 'token-ids', token)}"


def _reserve(store: Any) -> None:
    store.hset(
        f"{OWN}:key:late", mapping={"reserved": TIP, "reserved_at": "1000", "coming": "a" * 64}
    )
    store.set(f"ipgate:digest:{'a' * 64}", f"{W}/late/{TIP}")


def _rotate(store: Any) -> None:
    """As after a crash in the middle of a rotation of the key `plain`."""
    store.hset(
        f"{OWN}:key:plain", mapping={"reserved": TIP, "reserved_at": "1000", "coming": "a" * 64}
    )
    store.set(f"ipgate:digest:{'a' * 64}", f"{W}/plain/{TIP}")


def _delete(store: Any) -> None:
    """As after a crash between the deletion of the key `plain` and its clean-up."""
    key = f"{OWN}:key:plain"
    digest = store.hget(key, "digest")
    store.zrem(f"{OWN}:keys", "plain")
    store.zrem(f"{OWN}:unlinked", "plain")
    store.zrem(f"{OWN}:disabled-keys", "plain")
    store.delete(key)
    store.hset(key, mapping={"digest": str(digest), "deleted": TIP})


def _elsewhere(store: Any) -> None:
    """A copy of the workspace in a shard where it does not belong."""
    store.hset(f"{shard_prefix((shard_of(W) + 1) % 16)}ws:{W}", mapping=store.hgetall(OWN))


def _twice(store: Any) -> None:
    """The key `plain` gets the digest of `linked`, and its own entry goes."""
    store.delete(f"ipgate:digest:{store.hget(f'{OWN}:key:plain', 'digest')}")
    store.hset(f"{OWN}:key:plain", "digest", SHA256)


def _namesake(store: Any) -> None:
    """The list `office` gets the name of `spare`, and its own goes."""
    names = store.hmget(f"{OWN}:list:spare", "display_name", "folded")
    store.hset(
        f"{OWN}:list:office", mapping=dict(zip(("display_name", "folded"), names, strict=True))
    )
    store.hdel(f"{OWN}:list-names", "office")


def _former(store: Any) -> None:
    meta = SHARD + "meta"
    store.hset(meta, mapping={"schema": "1", "epoch": store.hget(meta, "history")})
    store.hdel(meta, "history")


def _homeless(store: Any) -> None:
    """The workspace of a token goes, and all that is in it."""
    store.delete(*store.keys(f"{OWN}*"), *store.keys("ipgate:digest:*"))
    store.zrem(SHARD + "workspaces", W)


REPAIRABLE = [
    Damage("no-entry", lambda s: s.delete(f"ipgate:digest:{SHA256}"), {"NO_ENTRY"}),
    Damage("no-previous-entry", lambda s: s.delete(f"ipgate:digest:{PREVIOUS}"), {"NO_ENTRY"}),
    Damage("cut-off-rotation", _rotate, {"ORPHANED_ENTRY"}),
    Damage(
        "entry-of-no-key",
        lambda s: s.set(f"ipgate:digest:{'b' * 64}", f"{W}/nobody/{TIP}"),
        {"ORPHANED_ENTRY"},
    ),
    Damage(
        "entry-of-another-creation",
        lambda s: s.set(f"ipgate:digest:{SHA256}", f"{W}/linked/{TIP}"),
        {"ORPHANED_ENTRY", "NO_ENTRY"},
    ),
    Damage(
        "entry-of-nonsense",
        lambda s: s.set(f"ipgate:digest:{SHA256}", "nonsense"),
        {"ORPHANED_ENTRY", "NO_ENTRY"},
    ),
    Damage("cut-off-creation", _reserve, {"INCOMPLETE_CREATION", "ORPHANED_ENTRY"}),
    Damage("cut-off-deletion", _delete, {"INCOMPLETE_DELETION", "ORPHANED_ENTRY"}),
    Damage("no-workspace-index", lambda s: s.delete(SHARD + "workspaces"), {"NOT_INDEXED"}),
    Damage("no-list-index", lambda s: s.delete(f"{OWN}:lists"), {"NOT_INDEXED"}),
    Damage("no-key-index", lambda s: s.zrem(f"{OWN}:keys", "linked"), {"NOT_INDEXED"}),
    Damage("no-unlinked", lambda s: s.delete(f"{OWN}:unlinked"), {"NOT_INDEXED"}),
    Damage(
        "linked-as-unlinked", lambda s: s.zadd(f"{OWN}:unlinked", {"linked": 0}), {"STALE_INDEX"}
    ),
    Damage("no-names", lambda s: s.delete(f"{OWN}:list-names"), {"NOT_INDEXED"}),
    Damage(
        "name-of-no-list", lambda s: s.hset(f"{OWN}:list-names", "x", "nobody"), {"ORPHANED_NAME"}
    ),
    Damage(
        "name-of-another",
        lambda s: s.hset(f"{OWN}:list-names", "office", "spare"),
        {"NOT_INDEXED", "ORPHANED_NAME"},
    ),
    Damage("link-on-one-side", lambda s: s.delete(f"{OWN}:list:office:keys"), {"NOT_INDEXED"}),
    Damage("no-token-ids", lambda s: s.delete(TOKENS + "tokens"), {"NOT_INDEXED"}),
    Damage("no-ws-tokens", lambda s: s.delete(f"{TOKENS}ws-tokens:{W}"), {"NOT_INDEXED"}),
    Damage("token-of-no-workspace", _homeless, {"ORPHANED_TOKEN"}),
]
BEYOND_REPAIR = [
    Damage("unknown-key", lambda s: s.set("ipgate:{s00}:nonsense", "1"), {"UNKNOWN_KEY"}),
    Damage("unknown-shard", lambda s: s.set("ipgate:{s16}:meta", "1"), {"UNKNOWN_KEY"}),
    Damage("short-digest", lambda s: s.set("ipgate:digest:abc", "1"), {"UNKNOWN_KEY"}),
    Damage("wrong-type", lambda s: s.set(f"{OWN}:list:other", "x"), {"WRONG_TYPE"}),
    Damage("wrong-shard", _elsewhere, {"WRONG_SHARD"}),
    Damage("no-meta", lambda s: s.delete(SHARD + "meta"), {"BAD_META", "BAD_HISTORY"}),
    Damage("other-schema", lambda s: s.hset(SHARD + "meta", "schema", "9"), {"BAD_META"}),
    Damage("no-history", lambda s: s.hdel(SHARD + "meta", "history"), {"BAD_META"}),
    Damage("rev-set-back", lambda s: s.hset(SHARD + "meta", "rev", "1"), {"BAD_HISTORY"}),
    Damage("other-tip", lambda s: s.hset(SHARD + "meta", "tip", TIP), {"BAD_HISTORY"}),
    Damage("missing-change", lambda s: s.xdel(SHARD + "changes", "3-0"), {"BAD_HISTORY"}),
    Damage("old-schema", _former, {"OLD_SCHEMA"}),
    Damage(
        "import", lambda s: s.hset(SHARD + "meta", "schema", "importing"), {"INCOMPLETE_IMPORT"}
    ),
    Damage("may-evict", lambda s: s.config_set("maxmemory-policy", "allkeys-lru"), {"MAY_EVICT"}),
    Damage("bad-root", lambda s: s.set(TOKENS + "root", "nonsense"), {"BAD_ROOT"}),
    Damage("bad-flag", lambda s: s.hset(OWN, "require", "maybe"), {"BAD_FIELD"}),
    Damage("no-stamp", lambda s: s.hdel(f"{OWN}:list:office", "updated"), {"BAD_FIELD"}),
    Damage(
        "bad-name", lambda s: s.hset(f"{OWN}:key:linked", "display_name", "\x07"), {"BAD_FIELD"}
    ),
    Damage("bad-role", lambda s: s.hset(_token(s), "role", "ROOT"), {"BAD_FIELD"}),
    Damage(
        "other-folded",
        lambda s: s.hset(f"{OWN}:list:office", "folded", "x"),
        {"BAD_FIELD", "NOT_INDEXED", "ORPHANED_NAME", "STALE_INDEX"},
    ),
    Damage("name-twice", _namesake, {"NAME_TAKEN", "NOT_INDEXED", "STALE_INDEX"}),
    Damage("lost-workspace", lambda s: s.delete(OWN), {"DANGLING", "ORPHANED_TOKEN"}),
    Damage(
        "lost-list",
        lambda s: s.delete(f"{OWN}:list:office"),
        {"DANGLING", "MISSING_LIST", "ORPHANED_NAME", "STALE_INDEX"},
    ),
    Damage(
        "lost-key",
        lambda s: s.delete(f"{OWN}:key:linked"),
        {"DANGLING", "ORPHANED_ENTRY", "ONE_SIDED_LINK"},
    ),
    Damage("lost-token", lambda s: s.delete(_token(s)), {"DANGLING"}),
    Damage("no-ranges", lambda s: s.delete(f"{OWN}:list:office:ranges"), {"BAD_RANGES"}),
    Damage(
        "bad-range", lambda s: s.hset(f"{OWN}:list:office:ranges", "10.0.0.1/8", ""), {"BAD_RANGES"}
    ),
    Damage(
        "long-range",
        lambda s: s.hset(f"{OWN}:list:office:ranges", "9.9.9.9/32", ""),
        {"BAD_RANGES"},
    ),
    Damage(
        "bad-attributes",
        lambda s: s.hset(f"{OWN}:list:office:ranges", "9.9.9.9", "x"),
        {"BAD_RANGES"},
    ),
    Damage(
        "ipv6-range",
        lambda s: s.hset(f"{OWN}:list:office", "ipv6_ranges", "1"),
        {"BAD_RANGES", "NOT_INDEXED"},
    ),
    Damage("no-names-of-lists", lambda s: s.delete(f"{OWN}:lists-by-name"), {"NOT_INDEXED"}),
    Damage(
        "disabled-index",
        lambda s: s.zadd(f"{OWN}:disabled-keys", {"linked": 0, "nobody": 0}),
        {"STALE_INDEX"},
    ),
    Damage(
        "name-index", lambda s: s.zadd(f"{OWN}:keys-by-name", {"x\0linked": 0}), {"STALE_INDEX"}
    ),
    Damage("ipv6-index", lambda s: s.zadd(f"{OWN}:ipv6-lists", {"office": 0}), {"STALE_INDEX"}),
    Damage("lost-default", lambda s: s.hset(OWN, "default", "nobody"), {"BAD_DEFAULT"}),
    Damage("no-default", lambda s: s.hset(OWN, "default", ""), {"BAD_DEFAULT"}),
    Damage(
        "unlinked-key",
        lambda s: s.delete(f"{OWN}:key:linked:lists"),
        {"ONE_SIDED_LINK", "NOT_INDEXED"},
    ),
    Damage("credential-twice", _twice, {"DUPLICATE_CREDENTIAL"}),
    Damage(
        "no-end-of-previous",
        lambda s: s.hdel(f"{OWN}:key:rotated", "previous_until"),
        {"BAD_FIELD"},
    ),
]
