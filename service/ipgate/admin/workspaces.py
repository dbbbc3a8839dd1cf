"""Use cases of workspaces and their default allow list."""

import logging
from dataclasses import dataclass, replace
from typing import Any

from ipgate.admin.checks import new_id, raise_if_invalid
from ipgate.domain.errors import FailedPrecondition, InvalidArgument, Unavailable, Violation
from ipgate.domain.names import workspace_name
from ipgate.domain.resources import Page, Workspace
from ipgate.domain.writing import MAINTENANCE, WriteOptions, WriteResult
from ipgate.store.schema import WORKSPACE
from ipgate.store.tokens import TokenStore
from ipgate.store.workspaces import WorkspaceStore

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Workspaces:
    """Errors: those of the store's methods, and InvalidArgument."""

    store: WorkspaceStore
    tokens: TokenStore

    async def create(self, workspace: Workspace, options: WriteOptions) -> WriteResult[Workspace]:
        """Create a workspace; an id of "" is minted."""
        violations: list[Violation] = []
        chosen = new_id("ws", "workspace_id", workspace.id, violations)
        violations += WORKSPACE.check_texts("workspace", WORKSPACE.attributes(workspace))
        if workspace.default_enabled or workspace.default_list or workspace.default_report_only:
            text = "a new workspace has no lists; use UpdateDefaultAllowList later"
            violations.append(Violation("workspace.default_allow_list", text))
        raise_if_invalid(violations)
        workspace = replace(workspace, id=chosen)
        validated = await self.store.create(workspace, replace(options, validate_only=True))
        if options.validate_only:
            return validated
        # A token of a former workspace of that id must not work for the new one.
        await self._revoke_tokens(chosen)
        return await self.store.create(workspace, options)

    async def page(self, after: str, size: int, *, confined_to: str) -> Page[Workspace]:
        """Return the workspaces, only `confined_to` unless that is ""."""
        if not confined_to:
            return await self.store.page(after, size)
        visible = () if confined_to <= after else (await self.store.get(confined_to),)
        return Page(visible)

    async def update(
        self, workspace: str, changes: dict[str, Any], options: WriteOptions
    ) -> WriteResult[Workspace]:
        """Change attributes of a workspace, except its default allow list."""
        raise_if_invalid(WORKSPACE.check_texts("workspace", changes))
        stored = await self.store.update(workspace, changes, options)
        return _as_changed(stored, options, changes)

    async def update_default(
        self,
        workspace: str,
        options: WriteOptions,
        *,
        enabled: bool,
        allow_list: str,
        report_only: bool,
    ) -> WriteResult[Workspace]:
        """Replace the default allow list of a workspace.

        `allow_list`: a list's id, or "" for none, which is possible only when not enabled.
        """
        if enabled and not allow_list:
            raise InvalidArgument.of(
                "default_allow_list.allow_list", "is required to switch the default on; name a list"
            )
        changes = {
            "default_enabled": enabled,
            "default_list": allow_list,
            "default_report_only": report_only,
        }
        stored = await self.store.update(workspace, changes, options)
        return _as_changed(stored, options, changes)

    async def delete(self, workspace: str, options: WriteOptions) -> WriteResult[Workspace]:
        await self.store.get(workspace)
        if (await self.tokens.page(workspace, "", 1)).items:
            name = workspace_name(workspace)
            text = f"{name} still has access tokens; revoke them first"
            raise FailedPrecondition("WORKSPACE_NOT_EMPTY", [Violation("workspace", text)])
        deleted = await self.store.delete(workspace, options)
        if not options.validate_only:
            try:
                await self._revoke_tokens(workspace)
            except Unavailable:
                # They work for no workspace, and are revoked before there is another one of that id.
                log.warning("tokens of a deleted workspace remain workspace=%s", workspace)
        return deleted

    async def _revoke_tokens(self, workspace: str) -> None:
        """Revoke what a creation that ran at the same time may have left behind."""
        while tokens := (await self.tokens.page(workspace, "", 100)).items:
            for token in tokens:
                await self.tokens.revoke(token.id, MAINTENANCE, confined_to=workspace)


def _as_changed(
    stored: WriteResult[Workspace], options: WriteOptions, changes: dict[str, Any]
) -> WriteResult[Workspace]:
    """Return the answer to a change that was only validated has the changes, too."""
    if options.validate_only:
        return replace(stored, resource=replace(stored.resource, **changes))
    return stored
