"""Whether a revision is in force everywhere."""

from ipgate.v1 import admin_pb2 as admin

from tests.harness.servers import Client, RpcFailed


def in_force(client: Client, revision: str, *, timeout: float = 20) -> int:
    request = admin.WaitForRevisionRequest(revision=revision)
    return int(client.call("WaitForRevision", request, timeout=timeout).worker_count)


def counts(client: Client, revision: str) -> int:
    """As `in_force`, 0 if it is not everywhere within a second."""
    try:
        return in_force(client, revision, timeout=2.5)
    except RpcFailed as failed:
        assert (failed.code, failed.reason) == ("UNAVAILABLE", "REVISION_NOT_REACHED")
        return 0
