"""External authorization of Envoy: `envoy.service.auth.v3.Authorization`."""

from collections.abc import Awaitable
from dataclasses import dataclass

from ipgate.authorizer.authorizer import Question
from ipgate.domain.forwarded import UNIX
from ipgate.ext_authz.v3 import check_pb2
from ipgate.rpc.call_info import CallInfo
from ipgate.rpc.check_answers import check_out, key_missing_out
from ipgate.rpc.decisions import Decisions
from ipgate.rpc.gateway import GatewayRules


@dataclass(frozen=True, slots=True)
class ExtAuthzServicer:
    """`challenges`: a request without an API key gets 401 instead of 403."""

    decisions: Decisions
    rules: GatewayRules
    challenges: bool = False

    def Check(self, request: check_pb2.CheckRequest, info: CallInfo) -> bytes | Awaitable[bytes]:
        """Decide about a request by its own headers. Those of the call are the gateway's."""
        question = self._question(request.attributes)
        if question is None:
            status = 401 if self.challenges else 403
            return key_missing_out(status, self.rules.keys.challenge())
        verdict = self.decisions.try_decide(question, info)
        return self._resolved(question, info) if verdict is None else check_out(verdict)

    async def _resolved(self, question: Question, info: CallInfo) -> bytes:
        return check_out(await self.decisions.resolve(question, info, info.time_remaining()))

    def _question(self, attributes: check_pb2.AttributeContext) -> Question | None:
        http = attributes.request.http
        headers = http.headers

        def values(name: str) -> tuple[str, ...]:
            value = headers.get(name)
            return () if value is None else (value.decode("utf-8", "replace"),)

        peer = _peer(attributes.source.address)
        # A resource name can come from the configuration only.
        name = attributes.context_extensions.get("api_key")
        if name is not None:
            return Question(name, self.rules.address(values, peer))
        query = http.path.partition(b"?")[2].decode("latin-1")
        return self.rules.question(values, query, peer)


def _peer(address: check_pb2.Address) -> str:
    return UNIX if address.HasField("pipe") else address.socket_address.address
