"""Admin calls at random, and a record of what was acknowledged."""

import hashlib
import random
import secrets
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from ipgate.v1 import admin_pb2 as admin

from tests.harness.ranges import plain
from tests.harness.servers import Client, RpcFailed

RACES = {"ALREADY_EXISTS", "NOT_FOUND", "FAILED_PRECONDITION", "ABORTED"}
"""What a random call may end with, when others change the same resources."""


def disturb(client: Client, workspace: str, chance: random.Random) -> None:
    """One admin call of any kind, on few ids, so that calls meet."""
    allow_list = f"{workspace}/allowLists/l{chance.randrange(4)}"
    key = f"{workspace}/apiKeys/k{chance.randrange(6)}"
    identifier = key.rpartition("/")[2]
    listed = allow_list.rpartition("/")[2]
    ranges = [f"10.0.{chance.randrange(9)}.0/24"]
    rotate = admin.RotateApiKeyCredentialRequest(api_key=key)
    rotate.overlap.FromSeconds(chance.choice((0, 3600)))
    revoke = admin.RevokeApiKeyCredentialRequest(
        api_key=key, credential=chance.choice(("CREDENTIAL_CURRENT", "CREDENTIAL_PREVIOUS"))
    )
    calls: Sequence[Any] = (
        lambda: client.allow_list(workspace, listed, ranges, display_name=f"List {listed}"),
        lambda: client.call(
            "AddRanges", admin.AddRangesRequest(allow_list=allow_list, ranges=plain(ranges))
        ),
        lambda: client.call(
            "DeleteAllowList",
            admin.DeleteAllowListRequest(
                name=allow_list, force=chance.random() < 0.5, allow_unrestricted=True
            ),
        ),
        lambda: client.key(workspace, identifier),
        lambda: client.key(workspace, identifier),
        lambda: client.call("DeleteApiKey", admin.DeleteApiKeyRequest(name=key)),
        lambda: client.call("RotateApiKeyCredential", rotate),
        lambda: client.call("RevokeApiKeyCredential", revoke),
        lambda: client.link(allow_list, key),
        lambda: client.link(allow_list, key),
        lambda: client.unlink(allow_list, key),
        lambda: client.call(
            "SetApiKeyAllowLists",
            admin.SetApiKeyAllowListsRequest(api_key=key, allow_lists=[allow_list]),
        ),
        lambda: client.default(workspace, allow_list),
        lambda: client.access_token("AUTHORIZER", workspace),
    )
    try:
        chance.choice(calls)()
    except RpcFailed as failed:
        assert failed.code in RACES, failed


@contextmanager
def disturbed(client: Client, workspace: str, *, threads: int = 4) -> Iterator[None]:
    """`disturb` all the while."""
    stop = threading.Event()

    def run(seed: int) -> None:
        chance = random.Random(seed)
        while not stop.is_set():
            disturb(client, workspace, chance)

    with ThreadPoolExecutor(threads) as pool:
        running = [pool.submit(run, seed) for seed in range(threads)]
        try:
            yield
        finally:
            stop.set()
        for future in running:
            future.result()


class KeyTraffic:
    """Creates, rotates and deletes keys with known credentials until a call fails. `there` and `gone`: by a
    credential, the name of its key, once that was acknowledged; `open`: those of the call that failed."""

    def __init__(self, client: Client, workspace: str) -> None:
        self._client = client
        self._workspace = workspace
        self.there: dict[str, str] = {}
        self.gone: dict[str, str] = {}
        self.open: dict[str, str] = {}

    def run(self, chance: random.Random) -> None:
        while not self.open:
            credential = secrets.token_hex(16)
            identifier = f"k{secrets.token_hex(6)}"
            name = f"{self._workspace}/apiKeys/{identifier}"
            digest = hashlib.sha256(credential.encode()).hexdigest()
            try:
                self._client.key(self._workspace, identifier, credential_sha256=digest)
                credentials = [credential]
                if chance.random() < 0.5:
                    # Both credentials work, so that of a rotation that failed works in any case.
                    rotate = admin.RotateApiKeyCredentialRequest(api_key=name)
                    rotate.overlap.FromSeconds(86_400)
                    answer = self._client.call("RotateApiKeyCredential", rotate)
                    credentials.append(answer.credential)
                is_deleted = chance.random() < 0.6
                if is_deleted:
                    request = admin.DeleteApiKeyRequest(name=name)
                    self._client.call("DeleteApiKey", request)
                record = self.gone if is_deleted else self.there
                record |= dict.fromkeys(credentials, name)
            except RpcFailed:
                self.open[credential] = name
