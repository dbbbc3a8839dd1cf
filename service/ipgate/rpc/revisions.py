"""AdminService: where a change is in force."""

from dataclasses import dataclass

from ipgate.authorizer.presence import LONGEST_WAIT, Presence
from ipgate.authorizer.revision_waits import RevisionWaits
from ipgate.domain.errors import InvalidArgument
from ipgate.domain.revision import parse_revision
from ipgate.rpc.call_info import CallInfo
from ipgate.v1 import admin_pb2 as admin


@dataclass(frozen=True, slots=True)
class RevisionServicer:
    presence: Presence
    waits: RevisionWaits

    async def WaitForRevision(
        self, request: admin.WaitForRevisionRequest, info: CallInfo
    ) -> admin.WaitForRevisionResponse:
        if not request.revision:
            raise InvalidArgument.of("revision", "is required; send one as a change returned it")
        revision = parse_revision("revision", request.revision)
        left = info.time_remaining()
        timeout = LONGEST_WAIT if left is None else min(left * 0.9, LONGEST_WAIT)
        with self.waits.waiting(info.caller):
            count = await self.presence.everywhere(revision, timeout)
        return admin.WaitForRevisionResponse(worker_count=count)
