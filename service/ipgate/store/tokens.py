"""Access tokens in the store, found by the digest of their secret or by their id."""

from dataclasses import dataclass
from typing import Any

from ipgate.domain.names import token_name
from ipgate.domain.resources import AccessToken, Page
from ipgate.domain.shards import TOKEN_SHARD
from ipgate.domain.writing import WriteOptions, WriteResult
from ipgate.store import key_names
from ipgate.store.attribute_indexes import Scan
from ipgate.store.broken import reading
from ipgate.store.schema import ACCESS_TOKEN
from ipgate.store.scripts import Outcome, Scripts


@dataclass(frozen=True, slots=True)
class TokenStore:
    """Every method raises Unavailable when the store cannot be used."""

    scripts: Scripts

    async def create(
        self, token: AccessToken, digest: str, options: WriteOptions
    ) -> WriteResult[AccessToken]:
        """Store a new token by its digest.

        Raises: AlreadyExists.
        """
        outcome = await self.scripts.change(
            "token_create",
            TOKEN_SHARD,
            options,
            ACCESS_TOKEN,
            id=token.id,
            name=token_name(token.id),
            digest=digest,
            fields=ACCESS_TOKEN.encode_resource(token),
        )
        if not options.validate_only:
            token = _read(outcome, outcome.view)
        return outcome.result(token, options)

    async def page(self, workspace: str, after: str, size: int) -> Page[AccessToken]:
        """Return the tokens of a workspace, of all for ""."""
        return await self.scripts.page(
            TOKEN_SHARD,
            _read,
            Scan("ws-tokens" if workspace else "tokens"),
            kind="token",
            index=key_names.of("ws-tokens" if workspace else "tokens", workspace),
            after=after,
            size=size,
        )

    async def revoke(
        self, token: str, options: WriteOptions, *, confined_to: str
    ) -> WriteResult[AccessToken]:
        """Revoke a token.

        Raises: NotFound, also for a token that does not work for the workspace `confined_to`, unless that is "".
        """
        outcome = await self.scripts.change(
            "token_revoke",
            TOKEN_SHARD,
            options,
            ACCESS_TOKEN,
            id=token,
            name=token_name(token),
            confined_to=confined_to,
        )
        return outcome.result(_read(outcome, outcome.view), options)


def _read(outcome: Outcome, view: Any) -> AccessToken:
    fields = view["fields"]
    with reading(token_name(view["id"])):
        meta = outcome.meta(fields)
        return AccessToken(
            create_time=meta.create_time,
            revision=meta.revision,
            **ACCESS_TOKEN.decode(fields),
        )
