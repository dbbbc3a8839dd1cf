"""The store's user that the guide recommends can do all that the service needs."""

import re
from pathlib import Path

import pytest
import redis
from ipgate.v1 import admin_pb2 as admin

from tests.harness.ranges import plain
from tests.harness.servers import rejection, serving
from tests.harness.stores import StoreServer

pytestmark = pytest.mark.store

GUIDE = Path(__file__).parents[2] / "docs" / "security.md"


def test_the_recommended_user_suffices_and_reaches_nothing_else(tmp_path: Path) -> None:
    """Start, changes, reads and decisions work as that user, who can touch no other key."""
    match = re.search(r"ACL SETUSER .*", GUIDE.read_text())
    assert match
    store = StoreServer(tmp_path / "own").start()
    try:
        with store.client() as root:
            root.execute_command(*match[0].replace("PASSWORD", "secret").split())
        url = f"unix://ipgate:secret@{store.socket}"
        with serving(tmp_path / "s", "--redis-url", url) as server:
            client = server.client()
            workspace = client.workspace()
            created = client.key(workspace, "k")
            many = [f"10.{n // 250}.{n % 250}.1" for n in range(3000)]
            allow_list = client.allow_list(workspace, "l", many).name
            client.link(allow_list, created.api_key.name)
            token = client.access_token("AUTHORIZER", workspace)
            assert client.as_(token.token).ask("10.0.7.1", key=created.credential).allowed
            client.call(
                "RemoveRanges", admin.RemoveRangesRequest(allow_list=allow_list, ranges=many[:9])
            )
            page = admin.ListRangesRequest(allow_list=allow_list)
            assert client.call("ListRanges", page).ranges
            client.call(
                "UpdateAllowList",
                admin.UpdateAllowListRequest(
                    allow_list={"name": allow_list, "ranges": plain(many[:20])}
                ),
            )
            client.call(
                "SetApiKeyAllowLists",
                admin.SetApiKeyAllowListsRequest(
                    api_key=created.api_key.name, allow_lists=[allow_list]
                ),
            )
            client.default(workspace, allow_list)
            client.call("ListApiKeys", admin.ListApiKeysRequest(parent=workspace))
            name = token.access_token.name
            client.call("RevokeAccessToken", admin.RevokeAccessTokenRequest(name=name))
            client.call("DeleteApiKey", admin.DeleteApiKeyRequest(name=created.api_key.name))
            request = admin.DeleteAllowListRequest(
                name=allow_list, force=True, allow_unrestricted=True
            )
            client.call("DeleteAllowList", request)
            client.call("DeleteWorkspace", admin.DeleteWorkspaceRequest(name=workspace))
            assert "NOPERM" not in server.log.read_text()
            assert "permission" not in server.log.read_text().lower()
        with store.client() as root:
            root.execute_command("ACL SETUSER", "ipgate", "-exists")
        assert "the store rejects what ipgate needs" in rejection("--redis-url", url)
        with redis.Redis.from_url(url) as user:
            for command in (("GET", "other"), ("KEYS", "*"), ("FLUSHALL",), ("CONFIG", "GET", "*")):
                with pytest.raises(redis.exceptions.NoPermissionError):
                    user.execute_command(*command)
    finally:
        store.stop()
