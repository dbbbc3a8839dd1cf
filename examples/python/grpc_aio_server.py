"""A gRPC server for allowed API keys, with asyncio: `python grpc_aio_server.py 127.0.0.1:8001`."""

import asyncio
import os
import sys

import grpc.aio
from ipgate_client import AsyncClient
from ipgate_client.grpc_server import VERDICT, AsyncIpgateInterceptor

token_file = os.environ.get("IPGATE_TOKEN_FILE", "token")
client = AsyncClient(os.environ.get("IPGATE_SERVER", "127.0.0.1:50051"), token_file=token_file)
proxies = os.environ.get("TRUSTED_PROXIES", "").split()


async def orders(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
    return VERDICT.get().api_key.encode()


async def main() -> None:
    server = grpc.aio.server(interceptors=[AsyncIpgateInterceptor(client, trusted_proxies=proxies)])
    methods = {"List": grpc.unary_unary_rpc_method_handler(orders)}
    server.add_registered_method_handlers("shop.Orders", methods)
    server.add_insecure_port(sys.argv[1])
    await server.start()
    await server.wait_for_termination()


asyncio.run(main())
