"""A request to the port of gateways, as the call that it stands for."""

from starlette.requests import Request

from ipgate.rpc.call_info import CallInfo


class HttpCall(CallInfo):
    """`authorization`: by the header `X-Ipgate-Token`; the request's own `Authorization` is the end client's."""

    __slots__ = ("_request",)

    def __init__(self, request: Request) -> None:
        self._request = request
        self.authorization = "Bearer " + ",".join(request.headers.getlist("x-ipgate-token"))

    def metadata(self, name: str) -> str:
        return self._request.headers.get(name, "")

    def peer(self) -> str:
        client = self._request.client
        return f"{client.host}:{client.port}" if client else "unix"

    def client_certificate(self) -> str:
        return ""

    def time_remaining(self) -> None:
        return None
