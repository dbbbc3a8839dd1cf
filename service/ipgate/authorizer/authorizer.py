"""From a question to a verdict: `try_decide` from memory, `resolve` with what must be loaded."""

from typing import NamedTuple, TypeGuard

from ipgate.authorizer.follower import Follower
from ipgate.authorizer.loader import PolicyLoader
from ipgate.authorizer.revision_waits import RevisionWaits
from ipgate.clock import Clock
from ipgate.domain.decision import KEY_UNKNOWN, NO_CLIENT_ADDRESS, Decision, NotCompiled, decide
from ipgate.domain.errors import Unavailable
from ipgate.domain.names import API_KEYS, parse_child
from ipgate.domain.resources import Caller
from ipgate.domain.revision import Revision
from ipgate.domain.shards import shard_of
from ipgate.policy.cache import PolicyCache
from ipgate.policy.entries import CachedKey
from ipgate.policy.partitioned_dict import MASK

DEFAULT_WAIT = 5.0
"""Seconds that a call without a deadline waits for its `min_revision`."""

MAX_WAIT = 30.0
"""Seconds that any call waits for it: revisions can be made up, and a call that waits takes room."""

_MAX_ATTEMPTS = 50


Subject = bytes | str | None
"""Whom the question is about: the digest of a presented credential, None if it cannot be one, or
the resource name of an API key."""


class Question(NamedTuple):
    """`address`: as `parse_address` gives it, None if none follows from what proxies sent.

    `min_revision`: what the verdict must reflect, at least. `forwarded`: the verdict names the address.
    """

    subject: Subject
    address: int | None
    min_revision: Revision | None = None
    forwarded: bool = False


class Verdict(NamedTuple):
    """A decision, the resource name of its API key and the revision that it reflects, "" if unknown.

    `address`: the one judged, None unless proxies forwarded it.
    """

    decision: Decision
    api_key: str
    revision: str
    address: int | None = None


_NO_CLIENT_ADDRESS = Verdict(NO_CLIENT_ADDRESS, "", "")

_tuple = tuple.__new__


class Authorizer:
    """Answers from memory; loads what is missing, and fails rather than answer from stale memory."""

    def __init__(
        self,
        cache: PolicyCache,
        loader: PolicyLoader,
        follower: Follower,
        clock: Clock,
        waits: RevisionWaits,
    ) -> None:
        self._waits = waits
        self._cache = cache
        self._loader = loader
        self._follower = follower
        self._freshness = follower.freshness
        self._now, self._steady = clock.now, clock.steady

    def try_decide(
        self, caller: Caller, question: Question, *, confirmed: bool = False
    ) -> Verdict | None:
        """Return the verdict of rules 1 to 5 from memory.

        None if something must be waited for, which `resolve` does, as it does where there is no lease and the
        store was not looked at since the question came (`confirmed`).

        Raises: InvalidArgument for a malformed name, and Unavailable when memory is stale.
        """
        subject, address, revision, forwarded = question
        if address is None:
            return _NO_CLIENT_ADDRESS
        if revision is not None and not self._follower.includes(revision):
            return None
        named = address if forwarded else None
        if isinstance(subject, bytes):
            # As PartitionedDict.get does it, without its call.
            key = self._cache.digests.partitions[hash(subject) & MASK].get(subject)
        elif _is_foreign(subject, caller):
            # Neither what is held nor a load: either would reveal it, by the time it takes. Nor the revision,
            # which would reveal when something changes there.
            parse_child("api_key", subject, API_KEYS)
            return self._not_visible(None, named, confirmed=confirmed)
        else:
            key = self._held(subject)
        if key is None and (key := self._by_previous(subject)) is None:
            # What is not known to be unknown must be loaded.
            known = self._is_unknown(subject)
            return self._not_visible(subject, named, confirmed=confirmed) if known else None
        workspace = key.workspace
        if caller.workspace and caller.workspace != workspace.id:
            # To this caller the key must look as one that does not exist, at any speed.
            return self._not_visible(subject, named, confirmed=confirmed)
        progress = self._freshness.progress[workspace.shard]
        if self._steady() > progress.valid_until and not self._outlives_lease(
            workspace.shard, confirmed=confirmed
        ):
            return None
        if not key.lists and not workspace.loaded:
            return None
        key.used = True
        try:
            decision = decide(key, workspace, address, self._now)
            # As Verdict(…), in half the time.
            return _tuple(Verdict, (decision, key.name, progress.token, named))
        except NotCompiled:
            return None

    async def resolve(
        self, caller: Caller, question: Question, timeout: float | None = None
    ) -> Verdict:
        """Wait for the revision, load what is missing, and return the verdict.

        `timeout`: seconds until the caller's deadline. Raises as `try_decide`.
        """
        subject, _, revision, _ = question
        if isinstance(subject, str):
            parse_child("api_key", subject, API_KEYS)
        if revision is not None and not self._follower.includes(revision):
            wait = DEFAULT_WAIT if timeout is None else min(timeout * 0.9, MAX_WAIT)
            with self._waits.waiting(caller):
                await self._follower.wait_for_revision(revision, wait)
        confirmed = False
        for _ in range(_MAX_ATTEMPTS):
            verdict = self.try_decide(caller, question, confirmed=confirmed)
            if verdict is not None:
                return verdict
            if not confirmed and not self._freshness.is_leased():
                await self._follower.confirm()
                confirmed = True
            else:
                await self._load(subject)
        raise Unavailable("the policy changes faster than it can be read; try again")

    def _outlives_lease(self, shard: int, *, confirmed: bool) -> bool:
        """Return whether memory may be used without a lease.

        Raises: Unavailable when it is stale.
        """
        self._freshness.require(shard)
        return confirmed

    def _held(self, subject: Subject) -> CachedKey | None:
        if isinstance(subject, bytes):
            return self._cache.digests.get(subject) or self._cache.previous.get(subject)
        return None if subject is None else self._cache.keys.get(subject)

    def _by_previous(self, subject: Subject) -> CachedKey | None:
        """Return the key that had the credential before a rotation, until that has ended."""
        key = self._cache.previous.get(subject) if isinstance(subject, bytes) else None
        if key is None or key.previous is None or self._now() >= key.previous.expire_time:
            return None
        return key

    def _is_unknown(self, subject: Subject) -> bool:
        """Return whether a subject that leads to no key now is known to lead to none."""
        if subject is None or subject in self._cache.negative:
            return True
        return isinstance(subject, bytes) and subject in self._cache.previous  # it has ended

    def _not_visible(
        self, subject: Subject, address: int | None, *, confirmed: bool
    ) -> Verdict | None:
        self._freshness.require()
        if not confirmed and not self._freshness.is_leased():
            return None
        if not isinstance(subject, str):
            return Verdict(KEY_UNKNOWN, "", "", address)
        shard = shard_of(parse_child("api_key", subject, API_KEYS).workspace)
        return Verdict(KEY_UNKNOWN, "", self._freshness.progress[shard].token, address)

    async def _load(self, subject: Subject) -> None:
        """Load the next thing that is missing for the verdict."""
        self._freshness.require()
        key = self._held(subject)
        if key is not None:
            await self._loader.load_policy(key)
        elif isinstance(subject, str):
            await self._loader.key(*parse_child("api_key", subject, API_KEYS))
        elif subject is not None:
            await self._loader.credential(subject)


def _is_foreign(subject: str | None, caller: Caller) -> TypeGuard[str]:
    """Return whether a caller who is confined to a workspace names a key of another one."""
    if not caller.workspace or not subject:
        return False
    return not subject.startswith(f"workspaces/{caller.workspace}/")
