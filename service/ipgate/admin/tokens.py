"""Use cases of access tokens."""

import secrets
from dataclasses import dataclass, replace

from ipgate.admin.checks import new_id, raise_if_invalid
from ipgate.domain.credential import ACCESS_TOKEN_PREFIX, RANDOM_BYTES, digest, mint
from ipgate.domain.errors import InvalidArgument, NotFound, Unavailable, Violation
from ipgate.domain.names import token_name, workspace_name
from ipgate.domain.resources import AccessToken, Caller, Page, Role, Workspace
from ipgate.domain.writing import MAINTENANCE, WriteOptions, WriteResult
from ipgate.store.schema import ACCESS_TOKEN
from ipgate.store.tokens import TokenStore
from ipgate.store.workspaces import WorkspaceStore

RESERVED_IDS = frozenset({"anonymous", "ipgate", "maintenance", "root", "system"})
"""Ids that would make an access token look like ipgate itself in a log or in the audit trail."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Errors: those of the store's methods, and InvalidArgument.

    A caller that is confined to a workspace sees and mints only tokens of that workspace.
    """

    store: TokenStore
    workspaces: WorkspaceStore

    async def create(
        self, token: AccessToken, options: WriteOptions
    ) -> tuple[WriteResult[AccessToken], str]:
        """Return the token and its secret, which is "" for `validate_only`.

        An id of "" is minted.
        """
        caller = options.actor
        violations: list[Violation] = []
        chosen = new_id("token", "access_token_id", token.id, violations)
        if chosen in RESERVED_IDS:
            text = f"{chosen} is reserved; choose another id"
            violations.append(Violation("access_token_id", text))
        violations += ACCESS_TOKEN.check_texts("access_token", ACCESS_TOKEN.attributes(token))
        if not token.workspace and (caller.workspace or token.role is not Role.AUTHORIZER):
            text = "is required; only root can mint a token for all workspaces, for an authorizer"
            violations.append(Violation("access_token.workspace", text))
        raise_if_invalid(violations)
        if caller.workspace and token.workspace != caller.workspace:
            raise NotFound(workspace_name(token.workspace))
        workspace = await self.workspaces.get(token.workspace) if token.workspace else None
        secret = mint(ACCESS_TOKEN_PREFIX, secrets.token_bytes(RANDOM_BYTES))
        created = await self.store.create(
            replace(token, id=chosen), (digest(secret) or b"").hex(), options
        )
        if options.validate_only:
            return created, ""
        if workspace is not None:
            await self._check_still_there(workspace, chosen)
        return created, secret

    async def _check_still_there(self, workspace: Workspace, token: str) -> None:
        """Revoke a new token that must not outlive its workspace, nor work for a new one of the same id.

        Raises: NotFound, and Unavailable where the store does not say: nobody learns the secret then.
        """
        try:
            present = await self.workspaces.get(workspace.id)
            if present.meta.create_time == workspace.meta.create_time:
                return
        except NotFound:
            pass
        except Unavailable:
            raise Unavailable(
                f"{token_name(token)} was created, but the store failed before its secret could be "
                "returned; revoke it, and create another one",
                reason="OUTCOME_UNKNOWN",
            ) from None
        await self.store.revoke(token, MAINTENANCE, confined_to="")
        raise NotFound(workspace_name(workspace.id))

    async def page(
        self, caller: Caller, workspace: str, after: str, size: int
    ) -> Page[AccessToken]:
        """Return the tokens of a workspace, for root of all with ""."""
        if caller.workspace and workspace not in ("", caller.workspace):
            raise NotFound(workspace_name(workspace))
        if workspace:
            await self.workspaces.get(workspace)
        return await self.store.page(workspace or caller.workspace, after, size)

    async def revoke(self, token: str, options: WriteOptions) -> WriteResult[AccessToken]:
        return await self.store.revoke(token, options, confined_to=options.actor.workspace)


def check_role(role: Role | None) -> Role:
    """Return the role of a new token.

    Raises: InvalidArgument if none was given.
    """
    if role is None:
        raise InvalidArgument.of(
            "access_token.role",
            "is required; use ROLE_WORKSPACE_ADMIN, ROLE_WORKSPACE_VIEWER or ROLE_AUTHORIZER",
        )
    return role
