"""The methods of AdminService, put together."""

from ipgate.admin.access_check import AccessChecks
from ipgate.admin.api_keys import ApiKeys
from ipgate.admin.audit import AuditLog
from ipgate.admin.credentials import Credentials
from ipgate.admin.lists import Lists
from ipgate.admin.quotas import Quotas
from ipgate.admin.range_checks import RangeChecks
from ipgate.admin.range_pages import RangePages
from ipgate.admin.ranges import Ranges
from ipgate.admin.tokens import Tokens
from ipgate.admin.workspaces import Workspaces
from ipgate.clock import Clock
from ipgate.rpc.api_keys import ApiKeyServicer
from ipgate.rpc.audit import AuditServicer
from ipgate.rpc.checks import CheckServicer
from ipgate.rpc.credentials import CredentialServicer
from ipgate.rpc.lists import ListServicer
from ipgate.rpc.tokens import TokenServicer
from ipgate.rpc.workspaces import WorkspaceServicer
from ipgate.store.address_search import AddressSearch
from ipgate.store.api_keys import ApiKeyStore
from ipgate.store.audit import AuditStore
from ipgate.store.credentials import CredentialStore
from ipgate.store.lists import ListStore
from ipgate.store.ranges import RangeStore
from ipgate.store.scripts import Scripts
from ipgate.store.tokens import TokenStore
from ipgate.store.workspaces import WorkspaceStore


def admin_servicers(limits: Quotas, scripts: Scripts, clock: Clock) -> list[object]:
    """Return what implements AdminService, except for the methods about revisions."""
    workspaces, tokens = WorkspaceStore(scripts), TokenStore(scripts)
    lists, keys = ListStore(scripts), ApiKeyStore(scripts)
    ranges = Ranges(lists, RangeStore(scripts), RangeChecks(workspaces), limits)
    search = AddressSearch(scripts)
    checks = AccessChecks(workspaces, lists, keys, search, ranges.checks)
    return [
        AuditServicer(AuditLog(AuditStore(scripts))),
        CheckServicer(checks, clock),
        WorkspaceServicer(Workspaces(workspaces, tokens), workspaces),
        ListServicer(Lists(lists, ranges, limits), ranges, RangePages(lists), search, lists),
        ApiKeyServicer(ApiKeys(keys, limits), keys, clock),
        CredentialServicer(Credentials(CredentialStore(scripts), clock)),
        TokenServicer(Tokens(tokens, workspaces)),
    ]
