"""Requests of end clients as gateways describe them: the question, and what the upstream learns of the verdict."""

from collections.abc import Sequence
from dataclasses import dataclass

from ipgate.authorizer.authorizer import Question, Verdict
from ipgate.domain.addresses import parse_address
from ipgate.domain.credential import presented_digest
from ipgate.domain.forwarded import TrustedProxies, client_address, forwarded_address
from ipgate.domain.key_source import KeySources, Values

API_KEY, REASON, ALLOW_LIST = "x-ipgate-api-key", "x-ipgate-reason", "x-ipgate-allow-list"
"""Headers that the upstream gets. What a client sends under these names never reaches it."""

_EXTERNAL, _INTERNAL = "x-envoy-external-address", "x-envoy-internal"


@dataclass(frozen=True, slots=True)
class GatewayRules:
    """`keys`: where requests have their API key. `trusted`: the proxies whose headers are believed.

    `external`: Envoy sets `x-envoy-external-address`. Other gateways pass on what a client sends under this name.
    """

    keys: KeySources
    trusted: TrustedProxies
    external: bool = False

    def question(self, values: Values, query: str, peer: str | None) -> Question | None:
        """Return the question about a request, None if it has no API key.

        `values`: of a header, by its name in lower case. `peer`: the other end of the connection to the gateway; None if
        the gateway itself has written it into the headers, as their last hop.
        """
        key = self.keys.find(values, query)
        if not key:
            return None
        return Question(presented_digest(key), self.address(values, peer))

    def address(self, values: Values, peer: str | None) -> int | None:
        """Return the address of the client, None if none follows."""
        headers = values("x-forwarded-for"), values("forwarded")
        if peer is None:
            return forwarded_address(*headers, self.trusted)
        # Envoy leaves the header of a client whose address it holds to be internal as it is.
        if self.external and not values(_INTERNAL) and (said := values(_EXTERNAL)):
            return _only_address(said)
        return client_address(peer, *headers, self.trusted)


def headers_of(verdict: Verdict) -> dict[str, str]:
    """Return the headers for the upstream; "" where there is nothing to say."""
    decision = verdict.decision
    return {
        API_KEY: verdict.api_key,
        REASON: decision.reason.value,
        ALLOW_LIST: decision.allow_list,
    }


def _only_address(values: Sequence[str]) -> int | None:
    try:
        return parse_address(values[0]) if len(values) == 1 else None
    except ValueError:
        return None
