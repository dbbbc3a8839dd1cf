"""Who may call what: one rule for each method.

A method without a rule keeps the server from starting.
"""

from dataclasses import dataclass
from enum import Enum

from google.protobuf.message import Message

from ipgate.domain.errors import NotFound, PermissionDenied
from ipgate.domain.resources import Caller, Role

_ROOT = frozenset({Role.ROOT})
_ADMIN = frozenset({Role.ROOT, Role.WORKSPACE_ADMIN})
_READ = frozenset({Role.ROOT, Role.WORKSPACE_ADMIN, Role.WORKSPACE_VIEWER})
_AUTHORIZE = frozenset({Role.ROOT, Role.WORKSPACE_ADMIN, Role.AUTHORIZER})
_ANYBODY = frozenset(Role)


class Size(Enum):
    """What a request holds, which says how large it may be (docs/security.md, "Bounds")."""

    QUESTION = "a question"
    RESOURCE = "names and texts of a resource"
    LINKS = "names of up to 1,000 resources"
    GATEWAY = "a request of HTTP, by a gateway"
    BATCH = "up to 1,000 questions"
    RANGES = "the ranges of an allow list"


@dataclass(frozen=True, slots=True)
class AccessRule:
    """`roles` may call the method.

    `resource`: path of the request's field that names what the call is about; a caller confined to a
    workspace gets NotFound for one outside of it. Methods without it look to the workspace themselves.
    `changes`: the method makes a change, so it gets WriteOptions and is logged.
    """

    roles: frozenset[Role]
    resource: str = ""
    changes: bool = True
    size: Size = Size.RESOURCE


def _reads(
    resource: str = "", roles: frozenset[Role] = _READ, size: Size = Size.RESOURCE
) -> AccessRule:
    return AccessRule(roles, resource, changes=False, size=size)


RULES: dict[str, AccessRule] = {
    "ipgate.v1.AdminService/CreateWorkspace": AccessRule(_ROOT),
    "ipgate.v1.AdminService/GetWorkspace": _reads("name"),
    "ipgate.v1.AdminService/ListWorkspaces": _reads(),
    "ipgate.v1.AdminService/UpdateWorkspace": AccessRule(_ADMIN, "workspace.name"),
    "ipgate.v1.AdminService/DeleteWorkspace": AccessRule(_ROOT, "name"),
    "ipgate.v1.AdminService/UpdateDefaultAllowList": AccessRule(_ADMIN, "workspace"),
    "ipgate.v1.AdminService/CreateAllowList": AccessRule(_ADMIN, "parent", size=Size.RANGES),
    "ipgate.v1.AdminService/GetAllowList": _reads("name"),
    "ipgate.v1.AdminService/ListAllowLists": _reads("parent"),
    "ipgate.v1.AdminService/UpdateAllowList": AccessRule(
        _ADMIN, "allow_list.name", size=Size.RANGES
    ),
    "ipgate.v1.AdminService/DeleteAllowList": AccessRule(_ADMIN, "name"),
    "ipgate.v1.AdminService/AddRanges": AccessRule(_ADMIN, "allow_list", size=Size.RANGES),
    "ipgate.v1.AdminService/UpdateRanges": AccessRule(_ADMIN, "allow_list", size=Size.RANGES),
    "ipgate.v1.AdminService/ReplaceRanges": AccessRule(_ADMIN, "allow_list", size=Size.RANGES),
    "ipgate.v1.AdminService/ListRanges": _reads("allow_list"),
    "ipgate.v1.AdminService/RemoveRanges": AccessRule(_ADMIN, "allow_list", size=Size.RANGES),
    "ipgate.v1.AdminService/LinkApiKeys": AccessRule(_ADMIN, "allow_list", size=Size.LINKS),
    "ipgate.v1.AdminService/UnlinkApiKeys": AccessRule(_ADMIN, "allow_list", size=Size.LINKS),
    "ipgate.v1.AdminService/ListLinkedApiKeys": _reads("allow_list"),
    "ipgate.v1.AdminService/CreateApiKey": AccessRule(_ADMIN, "parent"),
    "ipgate.v1.AdminService/GetApiKey": _reads("name"),
    "ipgate.v1.AdminService/ListApiKeys": _reads("parent"),
    "ipgate.v1.AdminService/UpdateApiKey": AccessRule(_ADMIN, "api_key.name"),
    "ipgate.v1.AdminService/SetApiKeyAllowLists": AccessRule(_ADMIN, "api_key", size=Size.LINKS),
    "ipgate.v1.AdminService/RotateApiKeyCredential": AccessRule(_ADMIN, "api_key"),
    "ipgate.v1.AdminService/RevokeApiKeyCredential": AccessRule(_ADMIN, "api_key"),
    "ipgate.v1.AdminService/DeleteApiKey": AccessRule(_ADMIN, "name"),
    "ipgate.v1.AdminService/WaitForRevision": _reads(),
    "ipgate.v1.AdminService/GetRevisionStatus": _reads(),
    "ipgate.v1.AdminService/CheckAccess": _reads("parent", size=Size.RANGES),
    "ipgate.v1.AdminService/ListAuditEvents": _reads("parent"),
    "ipgate.v1.AdminService/GetCaller": _reads(roles=_ANYBODY),
    "ipgate.v1.AdminService/CreateAccessToken": AccessRule(_ADMIN),
    "ipgate.v1.AdminService/ListAccessTokens": _reads(),
    "ipgate.v1.AdminService/RevokeAccessToken": AccessRule(_ADMIN, "name"),
    "ipgate.v1.AuthorizeService/Authorize": _reads(roles=_AUTHORIZE, size=Size.QUESTION),
    "ipgate.v1.AuthorizeService/BatchAuthorize": _reads(roles=_AUTHORIZE, size=Size.BATCH),
    "ipgate.v1.AuthorizeService/StreamAuthorize": _reads(roles=_AUTHORIZE, size=Size.QUESTION),
    "envoy.service.auth.v3.Authorization/Check": _reads(roles=_AUTHORIZE, size=Size.GATEWAY),
    "grpc.reflection.v1.ServerReflection/ServerReflectionInfo": _reads(
        roles=_ANYBODY, size=Size.QUESTION
    ),
    "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": _reads(
        roles=_ANYBODY, size=Size.QUESTION
    ),
}


class OutsideWorkspace(Exception):
    """A caller named a resource outside of its workspace; to the caller it looks as one that does not exist."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.not_found = NotFound(name)


def check_role(rule: AccessRule, caller: Caller, method: str) -> None:
    """Check that the caller's role may call the method.

    Raises: PermissionDenied.
    """
    if caller.role not in rule.roles:
        name = method.rpartition("/")[2]
        raise PermissionDenied(
            f"the role {caller.role.value} may not call {name}; use a token with another role"
        )


def resource_name(rule: AccessRule, request: Message) -> str:
    """Return the resource name that a request is about, "" if its rule names none."""
    value: object = request
    for part in rule.resource.split("."):
        value = getattr(value, part) if part else ""
    return str(value)


def check_tenant(rule: AccessRule, caller: Caller, request: Message) -> None:
    """Check that a caller who is confined to a workspace names no resource of another, existing or not.

    A malformed name is left to the method, which rejects it.

    Raises: OutsideWorkspace.
    """
    if caller.workspace and rule.resource:
        name = resource_name(rule, request)
        match name.split("/"):
            case ["workspaces", workspace, *_] if workspace != caller.workspace:
                raise OutsideWorkspace(name)
