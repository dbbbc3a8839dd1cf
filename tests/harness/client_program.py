"""A program of a user who has the client library only: asks as a thread and in an event loop.

argv has the server's address, the access token, a credential and two addresses. Prints a line for each answer.
"""

import asyncio
import sys

from ipgate.v1.admin_pb2 import GetWorkspaceRequest
from ipgate.v1.authorize_pb2 import AuthorizeRequest, Reason
from ipgate_client import AsyncClient, CallFailed, Client


def ask(client: Client, key: str, ip: str) -> str:
    answer = client.authorize(AuthorizeRequest(key=key, ip=ip))
    return f"{answer.allowed} {Reason.Name(answer.reason)}"


async def ask_async(client: AsyncClient, key: str, ip: str) -> str:
    answer = await client.authorize(AuthorizeRequest(key=key, ip=ip))
    return f"{answer.allowed} {Reason.Name(answer.reason)}"


async def converse(server: str, token: str, key: str, ips: list[str]) -> None:
    async with AsyncClient(server, token) as client:
        print(*[await ask_async(client, key, ip) for ip in ips], sep="\n")
        try:
            await ask_async(client, key, "x")
        except CallFailed as error:
            print(error.code.name, error.reason, error.violations[0].field)


def main(server: str, token: str, key: str, *ips: str) -> None:
    with Client(server, token) as client:
        print(*[ask(client, key, ip) for ip in ips], sep="\n")
        try:
            client.admin("GetWorkspace", GetWorkspaceRequest(name="workspaces/none"))
        except CallFailed as error:
            print(error.code.name, error.reason)
    asyncio.run(converse(server, token, key, list(ips)))


if __name__ == "__main__":
    main(*sys.argv[1:])
