"""Authenticates callers by the bearer token of a call."""

import hmac

from ipgate.authorizer.follower import Follower
from ipgate.authorizer.loader import PolicyLoader
from ipgate.clock import Clock
from ipgate.domain.credential import digest, has_bad_checksum
from ipgate.domain.errors import Unauthenticated, Unavailable
from ipgate.domain.resources import ROOT, Caller
from ipgate.domain.shards import TOKEN_SHARD
from ipgate.policy.cache import MAX_TOKENS, PolicyCache

_BEARER = "Bearer "
_MAX_ATTEMPTS = 50


class Authenticator:
    """Knows the configured root token by its digest, and all other tokens from the cache."""

    def __init__(
        self,
        cache: PolicyCache,
        loader: PolicyLoader,
        follower: Follower,
        clock: Clock,
        *,
        root_digest: bytes,
    ) -> None:
        """`root_digest`: of a root token that is valid on this server whatever the store says, b"" for none."""
        self._cache = cache
        self._loader = loader
        self._follower = follower
        self._freshness = follower.freshness
        self._now, self._steady = clock.now, clock.steady
        self._root_digest = root_digest
        self._digests: dict[str, bytes] = {}

    def replace_root(self, digest: bytes) -> None:
        """Replace the configured root token."""
        self._root_digest = digest

    def try_authenticate(self, authorization: str) -> Caller | None:
        """Return the caller if its token was checked before and is still valid, None if `authenticate` must decide.

        Tokens are looked up in clear text. A dictionary compares two strings only if their keyed hashes are
        equal, so the time it takes reveals nothing about the tokens in it.
        """
        presented = self._digests.get(authorization)
        if presented is None:
            return None
        if presented is self._root_digest:
            return ROOT
        caller = self._cache.tokens.get(presented)
        if caller is None:
            return None
        if self._steady() > self._freshness.progress[TOKEN_SHARD].valid_until:
            return None
        if caller.expire_time is not None and self._now() >= caller.expire_time:
            return None
        return caller

    async def authenticate(self, authorization: str) -> Caller:
        """Return the caller of a call with that `authorization` metadata.

        Raises:
            Unauthenticated: the token is missing, unknown, revoked or expired.
            Unavailable: the token cannot be checked.
        """
        if authorization[: len(_BEARER)].lower() != _BEARER.lower():
            raise Unauthenticated(
                "send the metadata authorization: Bearer <token>", reason="TOKEN_MISSING"
            )
        secret = authorization[len(_BEARER) :]
        presented = digest(secret)
        if presented is None:
            raise _invalid()
        if hmac.compare_digest(presented, self._root_digest):
            self._remember(authorization, self._root_digest)
            return ROOT
        if not self._freshness.is_leased():
            await self._follower.confirm()
        for _ in range(_MAX_ATTEMPTS):
            self._freshness.require(TOKEN_SHARD)
            caller = self._cache.tokens.get(presented)
            if caller is not None:
                if caller.expire_time is not None and self._now() >= caller.expire_time:
                    raise Unauthenticated(
                        "the access token has expired; ask for a new one", reason="TOKEN_EXPIRED"
                    )
                self._remember(authorization, presented)
                return caller
            if presented in self._cache.negative_tokens or has_bad_checksum(secret):
                raise _invalid()
            await self._loader.token(presented)
        raise Unavailable("access tokens cannot be checked now; try again")

    def _remember(self, authorization: str, digest: bytes) -> None:
        if len(self._digests) >= MAX_TOKENS:
            self._digests.clear()
        self._digests[authorization] = digest


def _invalid() -> Unauthenticated:
    return Unauthenticated(
        "the access token is not valid; it may have been revoked or mistyped",
        reason="TOKEN_INVALID",
    )
