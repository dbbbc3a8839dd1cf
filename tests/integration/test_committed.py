"""After its commit a change is made, and no failure of what follows says otherwise."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from ipgate.admin.tokens import Tokens
from ipgate.admin.workspaces import Workspaces
from ipgate.domain.errors import Unavailable
from ipgate.domain.resources import AccessToken, Role, Workspace
from ipgate.domain.writing import MAINTENANCE
from ipgate.store.credential_index import CredentialIndex
from ipgate.store.tokens import TokenStore
from ipgate.store.workspaces import WorkspaceStore

from tests.harness.in_process import ROOT, running_worker
from tests.harness.stores import StoreServer

pytestmark = pytest.mark.store

SEEN: list[str] = []


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A store that the tests of this file share."""
    store = StoreServer(tmp_path_factory.mktemp("committed")).start()
    yield store.url
    store.stop()


async def gone(*_: Any) -> None:
    """Stand for a step that finds no store."""
    raise Unavailable("the store is gone")


async def test_a_committed_deletion_is_no_failure(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fails in the clean-up after it is left to the doctor: the key is gone, and the call says so."""

    async with running_worker(url) as p:
        await p.key("k", "secret")
        with monkeypatch.context() as patch:
            patch.setattr(CredentialIndex, "replace", gone)
            deleted = await p.keys.delete(p.workspace, "k", MAINTENANCE)
        assert deleted.revision
        assert (
            await p.ask("8.8.8.8", secret="secret", min_revision=deleted.revision) == "KEY_UNKNOWN"
        )
        await p.key("k", "secret")


async def test_a_committed_deletion_of_a_workspace_is_no_failure(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tokens that could not be revoked after it work for no workspace."""

    async with running_worker(url) as p:
        monkeypatch.setattr(Workspaces, "_revoke_tokens", gone)
        assert (await p.workspaces.delete(p.workspace, MAINTENANCE)).revision


async def test_a_token_whose_workspace_cannot_be_looked_at_again_is_in_doubt(url: str) -> None:
    """Nobody learns its secret then, and the error does not say that nothing was made."""

    async with running_worker(url) as p:
        tokens = Tokens(TokenStore(p.scripts), Vanishing(p.scripts))
        token = AccessToken(id="", role=Role.AUTHORIZER, workspace=p.workspace)
        with pytest.raises(Unavailable) as error:
            await tokens.create(token, replace(MAINTENANCE, actor=ROOT))
        assert error.value.reason == "OUTCOME_UNKNOWN"
        assert "revoke it" in error.value.message


class Vanishing(WorkspaceStore):
    """Is there once."""

    async def get(self, workspace: str) -> Workspace:
        if SEEN:
            raise Unavailable("the store is gone")
        SEEN.append(workspace)
        return await super().get(workspace)
