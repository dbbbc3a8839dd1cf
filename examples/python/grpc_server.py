"""A gRPC server for allowed API keys, with threads: `python grpc_server.py 127.0.0.1:8001`."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import grpc
from ipgate_client import Client
from ipgate_client.grpc_server import VERDICT, IpgateInterceptor

client = Client(
    os.environ.get("IPGATE_SERVER", "127.0.0.1:50051"),
    token_file=os.environ.get("IPGATE_TOKEN_FILE", "token"),
)
proxies = os.environ.get("TRUSTED_PROXIES", "").split()


def orders(request: bytes, context: grpc.ServicerContext) -> bytes:
    return VERDICT.get().api_key.encode()


methods = {"List": grpc.unary_unary_rpc_method_handler(orders)}
server = grpc.server(
    ThreadPoolExecutor(16), interceptors=[IpgateInterceptor(client, trusted_proxies=proxies)]
)
server.add_registered_method_handlers("shop.Orders", methods)
server.add_insecure_port(sys.argv[1])
server.start()
server.wait_for_termination()
