"""AdminService: where a change is in force."""

from dataclasses import dataclass

from ipgate.authorizer.revision_waits import RevisionWaits
from ipgate.authorizer.worker_lease import DEFAULT_WAIT, WorkerLease
from ipgate.domain.errors import InvalidArgument
from ipgate.domain.revision import Revision, parse_revision
from ipgate.rpc.call_info import CallInfo
from ipgate.v1 import admin_pb2 as admin

MAX_NAMED_WORKERS = 100


@dataclass(frozen=True, slots=True)
class RevisionServicer:
    lease: WorkerLease
    waits: RevisionWaits

    async def WaitForRevision(
        self, request: admin.WaitForRevisionRequest, info: CallInfo
    ) -> admin.WaitForRevisionResponse:
        revision = _revision_in(request.revision)
        left = info.time_remaining()
        timeout = DEFAULT_WAIT if left is None else min(left * 0.9, DEFAULT_WAIT)
        with self.waits.waiting(info.caller):
            count = await self.lease.wait_until_applied_everywhere(revision, timeout)
        return admin.WaitForRevisionResponse(worker_count=count)

    async def GetRevisionStatus(
        self, request: admin.GetRevisionStatusRequest, info: CallInfo
    ) -> admin.RevisionStatus:
        count, behind = await self.lease.status(_revision_in(request.revision))
        # Names of processes are for those who run them, not for tenants.
        named = 0 if info.caller.workspace else MAX_NAMED_WORKERS
        return admin.RevisionStatus(
            applied_worker_count=count - len(behind),
            worker_count=count,
            workers_behind=behind[:named],
        )


def _revision_in(text: str) -> Revision:
    """Return the revision of a request.

    Raises: InvalidArgument.
    """
    if not text:
        raise InvalidArgument.of("revision", "is required; send one as a change returned it")
    return parse_revision("revision", text)
