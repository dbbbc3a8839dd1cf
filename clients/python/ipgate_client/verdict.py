"""The answer to a question, and the failure that stands for one."""

from typing import NamedTuple

from ipgate.domain.decision import Reason
from ipgate.v1.authorize_pb2 import AuthorizeResponse
from ipgate.v1.authorize_pb2 import Reason as ReasonNumber

from ipgate_client.errors import CallFailed

KEY_MISSING = "KEY_MISSING"
"""The reason of a guard that denies a request without an API key. ipgate is not asked."""

NO_CLIENT_ADDRESS = Reason.NO_CLIENT_ADDRESS.value


class Verdict(NamedTuple):
    """Whether an API key may be used from an address, and why. It is true if it allows.

    `reason`: the rule that decided, such as `LINKED_LIST_MATCH`; "" if ipgate could not decide, and `error` says
    why then. `report_only`: the address would be denied for `reason`, and is allowed because that is only
    reported. `api_key` and `allow_list` are resource names.
    """

    allowed: bool
    reason: str = ""
    api_key: str = ""
    allow_list: str = ""
    range: str = ""
    address: str = ""
    revision: str = ""
    report_only: bool = False
    error: CallFailed | None = None

    def __bool__(self) -> bool:
        return self.allowed


class Denied(Exception):
    """The API key may not be used from the address; `verdict` says why."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        super().__init__(verdict.reason)


def denied(reason: str, address: str = "") -> Verdict:
    """Return a denial that needs no answer of the server."""
    return Verdict(allowed=False, reason=reason, address=address)


def undecided(error: CallFailed) -> Verdict:
    """Return the denial that a failure is."""
    return Verdict(allowed=False, error=error)


def verdict_of(response: AuthorizeResponse | CallFailed, ip: str) -> Verdict:
    """Return what the server answered to a question about `ip`."""
    if isinstance(response, CallFailed):
        return undecided(response)
    return Verdict(
        allowed=response.allowed,
        reason=_REASONS.get(response.reason, str(response.reason)),
        api_key=response.api_key,
        allow_list=response.allow_list,
        range=response.range,
        address=response.address or ip,
        revision=response.revision,
        report_only=response.report_only,
    )


def enforced(verdict: Verdict) -> Verdict:
    """Return a verdict that allows.

    Raises: Denied, or CallFailed if there was no decision.
    """
    if verdict.error is not None:
        raise verdict.error.copy()
    if not verdict.allowed:
        raise Denied(verdict)
    return verdict


_REASONS = {number: name.removeprefix("REASON_") for name, number in ReasonNumber.items()}
