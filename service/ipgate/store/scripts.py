"""Runs the Lua scripts: one for each change, so that a change is made whole or not at all."""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any, Protocol, TypeVar

from redis.exceptions import ConnectionError, NoScriptError

from ipgate import tracing
from ipgate.clock import Clock
from ipgate.domain.errors import Unavailable
from ipgate.domain.resources import Access, Page, ResourceMeta
from ipgate.domain.revision import Revision
from ipgate.domain.shards import SHARDS
from ipgate.domain.writing import Affected, Effect, WriteOptions, WriteResult
from ipgate.store import key_names
from ipgate.store.attribute_indexes import Scan
from ipgate.store.audit_settings import AuditSettings
from ipgate.store.connection import UnusableStore, unavailable
from ipgate.store.schema import Schema
from ipgate.store.script_errors import script_error
from ipgate.store.store_clock import Deadline, StoreClock
from ipgate.store.topology import FAULTS, Store
from ipgate.store.writes import ReplicatedWriter

SCHEMA = "2"
UPGRADES = FORMER, UPGRADING = "1", "upgrading"
"""What stands for the schema before an upgrade, and during it (store/upgrade.py)."""
IMPORTS = IMPORTING, IMPORTED = "importing", "imported"
"""Stand for the schema during an import: before and after all data are written."""

T = TypeVar("T")


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


R = TypeVar("R", bound=_Identified)

PAGE_PART = 50
"""Resources that one script reads for a page."""

MAX_EXAMINED = 1000
"""Resources that are read for a page, of which few may be taken; the page ends after them."""

MAX_PAGE_LINKS = 20_000
"""Links that the API keys of a page may have together; the page ends after them."""


_TIME = "return redis.call('TIME')"

_IN_TIME = """
local time = redis.call('TIME')
if time[1] + time[2] / 1000000 > tonumber(ARGV[1]) then return redis.error_reply('TOO_LATE the change came after its deadline') end
"""

HISTORY = 100_000
"""Changes kept in each shard's stream, about; a follower further behind starts afresh."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an admin script answers: the shard's revision after it, what it shows, and what the change does."""

    revision: Revision
    view: Any
    effect: Effect

    def result(self, resource: T, options: WriteOptions) -> WriteResult[T]:
        """Return what the caller of a change gets."""
        revision = "" if options.validate_only else self.revision.token()
        return WriteResult(resource, self.effect, revision)

    def meta(self, fields: dict[str, str]) -> ResourceMeta:
        """Return the metadata of a resource of this shard, from its stored fields."""
        return ResourceMeta(
            create_time=int(fields["created"]),
            update_time=int(fields["updated"]),
            etag=fields["etag"],
            revision=replace(
                self.revision, sequence=int(fields["rev"]), change_id=fields["etag"]
            ).token(),
        )


class Scripts:
    """The scripts of one store."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        replicas: int = 0,
        store_clock: StoreClock | None = None,
        audit: AuditSettings | None = None,
    ) -> None:
        """`store_clock`: kept up to date by the caller; without it, the clock is read before each change."""
        self.store = store
        self.store_clock = store_clock or StoreClock(clock)
        self._writer = ReplicatedWriter(store, clock.steady, replicas=replicas)
        self._clock = clock
        self._audit = audit or AuditSettings()
        folder = files(__package__).joinpath("lua")
        prelude = folder.joinpath("prelude.lua").read_text()
        self._scripts = {
            path.name.removesuffix(".lua"): store.register_script(f"{prelude}\n{path.read_text()}")
            for path in folder.iterdir()
            if path.name.endswith(".lua") and path.name != "prelude.lua"
        }

    async def change(
        self,
        script: str,
        shard: int,
        options: WriteOptions,
        schema: Schema | None = None,
        **args: Any,
    ) -> Outcome:
        """Make a change of a resource, which `schema` describes, and record it in the audit log.

        `schema` is None for a step that is no change alone. `args` have the resource's `id` and `name`.

        Raises what `script_errors` says, or Unavailable.
        """
        if schema is not None:
            args["audit"] = self._audit.arguments(schema, options, args["name"])
        return await self._admin(script, shard, args | options.arguments(), schema, writing=True)

    async def read(self, script: str, shard: int, **args: Any) -> Outcome:
        """Read resources.

        Raises: NotFound or Unavailable.
        """
        return await self._admin(script, shard, args, writing=False)

    async def page(
        self,
        shard: int,
        build: Callable[[Outcome, Any], R],
        scan: Scan,
        *,
        after: str,
        size: int,
        accept: Callable[[R], bool] = lambda _: True,
        **args: Any,
    ) -> Page[R]:
        """Return a page of the resources that a scan finds and `accept` takes, after a member.

        It is read in parts, so that neither the store nor the event loop is held by a long page, and it ends early
        where its resources have many links, or few are taken.

        Raises: NotFound or Unavailable.
        """
        items: list[R] = []
        links = examined = 0
        while True:
            part = PAGE_PART if examined > len(items) else min(size - len(items), PAGE_PART)
            low = f"({after}" if after else scan.low
            outcome = await self.read("page", shard, low=low, high=scan.high, size=part, **args)
            view = outcome.view
            # An empty table of Lua is encoded as an object.
            for member, item in zip(view["members"] or (), view["items"] or (), strict=True):
                built = build(outcome, item)
                after, examined = member, examined + 1
                links += len(item.get("lists", ()))
                if accept(built):
                    items.append(built)
                if len(items) == size or links >= MAX_PAGE_LINKS:
                    is_last = not view["more"] and member == view["members"][-1]
                    return Page(tuple(items), "" if is_last else after, view["total"])
            if not view["more"]:
                return Page(tuple(items), "", view["total"])
            if examined >= MAX_EXAMINED:
                return Page(tuple(items), after, view["total"])

    async def rules(self, shard: int, **args: Any) -> Any:
        """Read what a decision needs; `rules.lua` has the shape.

        Raises: Unavailable.
        """
        arguments = json.dumps(
            _present(args)
            | {"prefix": key_names.shard_prefix(shard), "schema": SCHEMA, "initial": True}
        )
        return await self._run("rules", shard, arguments)

    async def write(self, key: str, script: str, *arguments: str, shard: int | None = None) -> Any:
        """Run a script of one key that writes, without the prelude.

        `ARGV[1]` is its deadline; the other arguments follow. `shard`: that of the key, if it is in one.

        Raises: Unavailable.
        """
        deadline, command = await self.command(key, script, *arguments, shard=shard)
        return await self._writer.write(key, deadline, *command)

    async def command(
        self, key: str, script: str, *arguments: str, shard: int | None = None
    ) -> tuple[Deadline, list[str | int]]:
        """Return the command that `write` sends, for who sends many together.

        Raises: Unavailable.
        """
        deadline = await self._deadline(shard)
        not_after = repr(deadline.not_after)
        return deadline, ["EVAL", _IN_TIME + script, 1, key, not_after, *arguments]

    async def lease_end(self, seconds: float) -> float:
        """Return the end of a lease of so many seconds, by the store's clock.

        Raises: Unavailable.
        """
        await self._deadline(None)
        end = self.store_clock.lease_end(seconds)
        assert end is not None
        return end

    async def _deadline(self, shard: int | None) -> Deadline:
        """Return the deadline of a change that is sent now."""
        deadline = self.store_clock.deadline(shard)
        if deadline is None:
            read = shard or 0
            asked = self.store_clock.steady()
            try:
                seconds, micros = await self.store.eval(_TIME, 1, key_names.meta(read))
            except FAULTS as error:
                raise unavailable(error, writing=False) from error
            self.store_clock.observe([read], int(seconds) + int(micros) / 1e6, asked=asked)
            deadline = self.store_clock.deadline(shard)
            assert deadline is not None
        return deadline

    async def initialize(self) -> None:
        """Set up the shards that are new.

        Raises: UnusableStore for another version's data.
        """
        for shard in range(SHARDS):
            arguments = json.dumps(
                {
                    "prefix": key_names.shard_prefix(shard),
                    "initial": True,
                    "schema": SCHEMA,
                    "epoch": secrets.token_hex(8),
                    "tip": secrets.token_hex(8),
                    "not_after": (await self._deadline(shard)).not_after,
                }
            )
            schema, *_ = await self._run("initialize", shard, arguments)
            if schema in IMPORTS:
                text = "an import into the store was interrupted; run ipgate import with --restart"
                raise UnusableStore(text)
            if schema in UPGRADES:
                raise Unavailable("the store is being upgraded; try again")
            if schema != SCHEMA:
                text = f"the store holds data of schema {schema}; this ipgate reads schema {SCHEMA}"
                raise UnusableStore(text)

    async def _admin(
        self,
        script: str,
        shard: int,
        args: dict[str, Any],
        schema: Schema | None = None,
        *,
        writing: bool,
    ) -> Outcome:
        fixed = {
            "prefix": key_names.shard_prefix(shard),
            "schema": SCHEMA,
            "now": str(self._clock.now()),
            "history": HISTORY,
        }
        deadline = await self._deadline(shard) if writing else None
        not_after = {"not_after": deadline.not_after} if deadline else {}
        arguments = json.dumps({"tip": secrets.token_hex(8)} | _present(args) | fixed | not_after)
        answer = json.loads(await self._run(script, shard, arguments, deadline))
        if "rejected" in answer:
            raise script_error(answer["rejected"], answer["detail"])
        revision = Revision(shard, answer["epoch"], int(answer["rev"]), answer["tip"])
        effect = effect_of(answer.get("effect") or {})
        if schema is not None and (answer["before"] or answer["after"]):
            attributes = schema.differences(answer["before"], answer["after"])
            effect = replace(effect, attributes=attributes)
        return Outcome(revision, answer["view"], effect)

    async def _run(
        self, script: str, shard: int, arguments: str, deadline: Deadline | None = None
    ) -> Any:
        """Return what a script answers, which changes something if it has a deadline."""
        with tracing.span(f"store {script}"):
            return await self._send(script, shard, arguments, deadline)

    async def _send(
        self, script: str, shard: int, arguments: str, deadline: Deadline | None
    ) -> Any:
        where = [key_names.meta(shard), key_names.changes(shard)]
        registered = self._scripts[script]
        if deadline:
            sha = str(registered.sha)
            command: list[str | int] = ["EVALSHA", sha, len(where), *where, arguments]
            try:
                return await self._writer.write(where[0], deadline, *command)
            except NoScriptError:
                await self._load(str(registered.script))
                return await self._writer.write(where[0], deadline, *command)
        try:
            try:
                return await registered(keys=where, args=[arguments])
            except ConnectionError:
                # A pooled connection may have died unnoticed; a read can simply be sent again.
                return await registered(keys=where, args=[arguments])
        except FAULTS as error:
            raise unavailable(error, writing=False) from error

    async def _load(self, text: str) -> None:
        try:
            await self.store.script_load(text)
        except FAULTS as error:
            raise unavailable(error, writing=False) from error


def effect_of(answer: dict[str, Any]) -> Effect:
    """Return an effect as scripts have it."""
    access = answer.pop("unlinked_access", None)
    # An empty table of Lua is encoded as an object.
    affected: dict[str, Any] = {
        name: Affected(affected["count"], tuple(affected["names"]))
        for name, affected in answer.items()
    }
    return Effect(unlinked_access=Access(access) if access else None, **affected)


def _present(args: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in args.items() if value is not None}
