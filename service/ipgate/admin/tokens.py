"""Use cases of access tokens."""

import secrets
from dataclasses import dataclass, replace

from ipgate.admin.checks import new_id, refuse
from ipgate.domain.credential import ACCESS_TOKEN_PREFIX, RANDOM_BYTES, digest, mint
from ipgate.domain.errors import InvalidArgument, NotFound, Violation
from ipgate.domain.names import workspace_name
from ipgate.domain.resources import AccessToken, Caller, Page, Role, Workspace
from ipgate.domain.texts import check_display_name
from ipgate.store.tokens import TokenStore
from ipgate.store.workspaces import WorkspaceStore


@dataclass(frozen=True, slots=True)
class Tokens:
    """Errors: those of the store's methods, and InvalidArgument. A caller that is confined to a
    workspace sees and mints only tokens of that workspace."""

    store: TokenStore
    workspaces: WorkspaceStore

    async def create(
        self, caller: Caller, token: AccessToken, *, validate_only: bool
    ) -> tuple[AccessToken, str]:
        """The token and its secret, which is "" for `validate_only`. An id of "" is minted."""
        faults: list[Violation] = []
        chosen = new_id("token", "access_token_id", token.id, faults)
        faults += check_display_name("access_token.display_name", token.display_name)
        if not token.workspace and (caller.workspace or token.role is not Role.AUTHORIZER):
            text = "is required; only root can mint a token for all workspaces, for an authorizer"
            faults.append(Violation("access_token.workspace", text))
        refuse(faults)
        if caller.workspace and token.workspace != caller.workspace:
            raise NotFound(workspace_name(token.workspace))
        workspace = await self.workspaces.get(token.workspace) if token.workspace else None
        secret = mint(ACCESS_TOKEN_PREFIX, secrets.token_bytes(RANDOM_BYTES))
        created = await self.store.create(
            replace(token, id=chosen), (digest(secret) or b"").hex(), validate_only=validate_only
        )
        if validate_only:
            return created, ""
        if workspace is not None and not await self._still_there(workspace):
            # The token must not outlive its workspace, nor work for a new one of the same id.
            await self.store.revoke(chosen, confined_to="", validate_only=False)
            raise NotFound(workspace_name(token.workspace))
        return created, secret

    async def _still_there(self, workspace: Workspace) -> bool:
        try:
            present = await self.workspaces.get(workspace.id)
        except NotFound:
            return False
        return present.stamps.create_time == workspace.stamps.create_time

    async def page(
        self, caller: Caller, workspace: str, after: str, size: int
    ) -> Page[AccessToken]:
        """The tokens of a workspace, for root of all with ""."""
        if caller.workspace and workspace not in ("", caller.workspace):
            raise NotFound(workspace_name(workspace))
        if workspace:
            await self.workspaces.get(workspace)
        return await self.store.page(workspace or caller.workspace, after, size)

    async def revoke(self, caller: Caller, token: str, *, validate_only: bool) -> str:
        """Returns the revision."""
        return await self.store.revoke(
            token, confined_to=caller.workspace, validate_only=validate_only
        )


def check_role(role: Role | None) -> Role:
    """The role of a new token. Raises InvalidArgument if none was given."""
    if role is None:
        raise InvalidArgument.of(
            "access_token.role",
            "is required; use ROLE_WORKSPACE_ADMIN, ROLE_WORKSPACE_VIEWER or ROLE_AUTHORIZER",
        )
    return role
