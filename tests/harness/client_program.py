"""A program of a user who has the client library only: asks as a thread and in an event loop.

argv has the server's address, the access token, a credential and two addresses. Prints a line for each answer.
"""

import asyncio
import sys

from ipgate.v1.admin_pb2 import GetWorkspaceRequest
from ipgate_client import AsyncClient, CallFailed, Client, Denied, Verdict
from ipgate_client.admin import AdminClient
from ipgate_client.async_admin import AsyncAdminClient


def line(verdict: Verdict) -> str:
    return f"{bool(verdict)} {verdict.reason}"


async def converse(server: str, token: str, key: str, ips: list[str]) -> None:
    async with AsyncClient(server, token=token, timeout=10) as client:
        print(*[line(await client.check(key=key, ip=ip)) for ip in ips], sep="\n")
        verdict = await client.check(key=key, ip="x")
        assert verdict.error is not None
        assert not verdict
        error = verdict.error
        print(error.code.name, error.reason, error.violations[0].field)
    async with AsyncAdminClient(server, token) as admin:
        try:
            await admin.call("GetWorkspace", GetWorkspaceRequest(name="workspaces/none"))
        except CallFailed as failed:
            print(failed.code.name, failed.reason)


def main(server: str, token: str, key: str, *ips: str) -> None:
    with Client(server, token=token, timeout=10) as client:
        print(*[line(client.check(key=key, ip=ip)) for ip in ips], sep="\n")
        try:
            client.authorize(key=key, ip=ips[1])
        except Denied as denied:
            print(denied.verdict.reason)
    with AdminClient(server, token) as admin:
        try:
            admin.call("GetWorkspace", GetWorkspaceRequest(name="workspaces/none"))
        except CallFailed as error:
            print(error.code.name, error.reason)
    asyncio.run(converse(server, token, key, list(ips)))


if __name__ == "__main__":
    main(*sys.argv[1:])
