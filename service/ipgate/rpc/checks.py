"""AdminService: CheckAccess."""

import hashlib
import re
from dataclasses import dataclass

from ipgate import cooperative
from ipgate.admin.access_check import AccessChecks, AccessQuestion, CheckedKey, Draft
from ipgate.clock import Clock
from ipgate.domain.addresses import format_address, format_range
from ipgate.domain.decision import Decision
from ipgate.domain.errors import InvalidArgument
from ipgate.domain.intervals import STEP, Steps
from ipgate.domain.names import (
    ALLOW_LISTS,
    API_KEYS,
    key_name,
    parse_sibling,
    parse_workspace,
)
from ipgate.domain.validity import END_OF_TIME
from ipgate.rpc.call_info import CallInfo
from ipgate.rpc.convert import address_in, list_out, ranges_in, time_in, time_out
from ipgate.rpc.paging import page_size, page_token, parse_page_token
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import authorize_pb2 as authorize

_AFTER = re.compile("([0-9]{1,19}):(.*)")
"""The instant of a check, and where its next page begins."""


@dataclass(frozen=True, slots=True)
class CheckServicer:
    checks: AccessChecks
    clock: Clock

    async def CheckAccess(
        self, request: admin.CheckAccessRequest, _info: CallInfo
    ) -> admin.CheckAccessResponse:
        workspace = parse_workspace("parent", request.parent)
        address = address_in("address", request.address)
        if address is None:
            raise InvalidArgument.of("address", "is required; give an IP address")
        listing = f"check:{await cooperative.run(_digest(request))}"
        match = _AFTER.fullmatch(parse_page_token(listing, request.page_token))
        if request.page_token and match is None:
            raise InvalidArgument.of_page_token()
        time, after = match.groups() if match else ("", "")
        question = AccessQuestion(
            workspace=workspace,
            address=address,
            api_key=_only(request.api_key, "api_key", API_KEYS, workspace),
            draft=await _draft(request, workspace),
            time=int(time) if time else self._time(request),
        )
        check = await self.checks.check(question, after, page_size(request.page_size))
        next_after = check.keys.next_after
        message = admin.CheckAccessResponse(
            address=format_address(address),
            time=time_out(question.time),
            api_keys=[_checked_out(workspace, key) for key in check.keys.items],
            next_page_token=page_token(listing, next_after and f"{question.time}:{next_after}"),
        )
        for allow_list in check.lists:
            shown = list_out(allow_list)
            if not allow_list.id:
                shown.name = ""
            message.allow_lists.append(shown)
        return message

    def _time(self, request: admin.CheckAccessRequest) -> int:
        time = time_in("request", request, "time")
        if time is None:
            return self.clock.now()
        if not 0 <= time < END_OF_TIME:
            raise InvalidArgument.of("time", "is not of the years 1970 to 2261; set another one")
        return time


def _digest(request: admin.CheckAccessRequest) -> Steps[str]:
    """Return a digest of what a page token is good for."""
    same = admin.CheckAccessRequest(
        parent=request.parent, address=request.address, api_key=request.api_key
    )
    if request.HasField("time"):
        same.time.CopyFrom(request.time)
    if request.HasField("draft"):
        same.draft.allow_list = request.draft.allow_list
    digest = hashlib.sha256(same.SerializeToString(deterministic=True))
    for index, range_ in enumerate(request.draft.ranges):
        if not index % STEP:
            yield
        message = range_.SerializeToString(deterministic=True)
        digest.update(len(message).to_bytes(4, "big") + message)
    return digest.hexdigest()


async def _draft(request: admin.CheckAccessRequest, workspace: str) -> Draft | None:
    if not request.HasField("draft"):
        return None
    return Draft(
        allow_list=_only(request.draft.allow_list, "draft.allow_list", ALLOW_LISTS, workspace),
        ranges=await cooperative.run(ranges_in("draft.ranges", request.draft.ranges)),
    )


def _only(name: str, field: str, collection: str, workspace: str) -> str:
    """Return the id in the name of a resource of the workspace, "" for no name.

    Raises: InvalidArgument.
    """
    return parse_sibling(field, name, collection, workspace) if name else ""


def _checked_out(workspace: str, key: CheckedKey) -> admin.CheckedApiKey:
    message = admin.CheckedApiKey(
        decision=_decision_out(workspace, key.api_key, key.decision), display_name=key.display_name
    )
    if key.before is not None:
        message.decision_without_draft.CopyFrom(_decision_out(workspace, key.api_key, key.before))
    return message


def _decision_out(workspace: str, api_key: str, decision: Decision) -> authorize.AuthorizeResponse:
    return authorize.AuthorizeResponse(
        allowed=decision.allowed,
        reason=f"REASON_{decision.reason.value}",
        api_key=key_name(workspace, api_key),
        allow_list=decision.allow_list,
        range="" if decision.range is None else format_range(decision.range),
        report_only=decision.report_only,
    )
