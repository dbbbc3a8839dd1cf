"""What is decided for an address, now or at another time, with the lists that are stored or a draft of one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ipgate import cooperative
from ipgate.admin.checks import raise_if_invalid
from ipgate.admin.range_checks import RangeChecks
from ipgate.domain.addresses import PREFIX_BITS, last_address, parse_range
from ipgate.domain.decision import Compiled, Decision, decide
from ipgate.domain.errors import Violations
from ipgate.domain.intervals import STEP, Intervals, Steps, compile_list
from ipgate.domain.names import list_name
from ipgate.domain.resources import AllowList, ApiKey, Page, Range, Workspace
from ipgate.domain.validity import ALWAYS
from ipgate.store.address_search import AddressSearch
from ipgate.store.api_keys import ApiKeyStore
from ipgate.store.lists import ListStore
from ipgate.store.workspaces import WorkspaceStore

MAX_LISTS = 100
"""Lists of one page that hold the address."""

_COMPILED = 30
"""Lists that are compiled in one step: a millisecond."""

_LISTS = "l"
"""Begins where a page goes on among the lists that hold the address; the API keys come after them."""

_UNLINKED = "u"
"""Begins where a page goes on among the API keys without an allow list, after those of a list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """`allow_list`: the id of the list that it stands for, "" for a new one."""

    allow_list: str
    ranges: Sequence[Range]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessQuestion:
    """`api_key`: id of the only one to decide for, "" for all that are concerned. `time`: ns since 1970."""

    workspace: str
    address: int
    api_key: str = ""
    draft: Draft | None = None
    time: int


@dataclass(frozen=True, slots=True)
class CheckedKey:
    """`before`: what is decided without the draft, None if there is none."""

    api_key: str
    display_name: str
    decision: Decision
    before: Decision | None


@dataclass(frozen=True, slots=True)
class AccessCheck:
    """`lists`: those that hold the address. They come first, and `keys` has items once all of them were found."""

    lists: Sequence[AllowList]
    keys: Page[CheckedKey]


@dataclass(frozen=True, slots=True)
class _Holding:
    """The ranges of a list that hold the address, compiled."""

    intervals: Intervals | None


@dataclass(frozen=True, slots=True)
class _Key:
    disabled: bool
    expire_time: int | None
    report_only: bool
    lists: tuple[Compiled, ...]


@dataclass(frozen=True, slots=True)
class _Workspace:
    require_allow_list: bool
    default: Compiled | None
    default_report_only: bool


@dataclass(frozen=True, slots=True)
class AccessChecks:
    """Errors: those of the store's methods, and InvalidArgument."""

    workspaces: WorkspaceStore
    lists: ListStore
    keys: ApiKeyStore
    search: AddressSearch
    ranges: RangeChecks

    async def check(self, question: AccessQuestion, after: str, size: int) -> AccessCheck:
        """Return a page of decisions.

        Raises: NotFound for the workspace, the API key, and the list that a draft stands for.
        """
        draft = question.draft
        drafted: tuple[Range, ...] = ()
        if draft is not None:
            violations = Violations()
            parsed = await self.ranges.parse(
                "draft.ranges", question.workspace, draft.ranges, violations
            )
            raise_if_invalid(violations)
            drafted = await cooperative.run(_holding(parsed, question.address))
            if draft.allow_list:
                await self.lists.get(question.workspace, draft.allow_list)
        workspace = await self.workspaces.get(question.workspace)
        lists: Sequence[AllowList] = ()
        if not after or after.startswith(f"{_LISTS}/"):
            found = await self._lists(question, drafted, after[2:])
            if found.next_after:
                return AccessCheck(found.items, Page((), f"{_LISTS}/{found.next_after}"))
            lists, after = found.items, ""
        keys = await self._keys(question, workspace, after, size)
        deciding = _deciding(workspace, keys.items)
        stored = await self.search.among(question.workspace, question.address, deciding)
        before = {name: allow_list.ranges for name, allow_list in stored.items()}
        now = before
        if draft is not None and draft.allow_list:
            now = before | {draft.allow_list: drafted}
        checked = await cooperative.run(_decided(question, workspace, keys.items, now, before))
        return AccessCheck(lists, Page(tuple(checked), keys.next_after))

    async def _keys(
        self, question: AccessQuestion, workspace: Workspace, after: str, size: int
    ) -> Page[ApiKey]:
        """Return a page of the API keys that are concerned."""
        draft, owner = question.draft, question.workspace
        if question.api_key:
            return Page((await self.keys.get(owner, question.api_key),))
        if draft is None:
            return await self.keys.page(owner, after, size)
        if not draft.allow_list:
            return Page(())
        is_default = workspace.default_enabled and workspace.default_list == draft.allow_list
        if after.startswith(f"{_UNLINKED}/"):
            page = await self.keys.unlinked(owner, after[2:], size)
            return replace(page, next_after=page.next_after and f"{_UNLINKED}/{page.next_after}")
        page = await self.lists.linked(owner, draft.allow_list, after, size)
        if page.next_after or not is_default:
            return page
        return replace(page, next_after=f"{_UNLINKED}/")

    async def _lists(
        self, question: AccessQuestion, drafted: Sequence[Range], after: str
    ) -> Page[AllowList]:
        """Return a page of the lists that hold the address, with the draft instead of its list."""
        page = await self.search.page(question.workspace, question.address, after, MAX_LISTS)
        draft = question.draft
        if draft is None:
            return page
        found = [allow_list for allow_list in page.items if allow_list.id != draft.allow_list]
        if drafted and not after:
            found.insert(
                0, AllowList(workspace=question.workspace, id=draft.allow_list, ranges=drafted)
            )
        return replace(page, items=tuple(found))


def _deciding(workspace: Workspace, keys: Sequence[ApiKey]) -> list[str]:
    """Return the ids of the lists that decide for API keys."""
    ids = {allow_list for key in keys for allow_list in key.lists}
    if workspace.default_enabled:
        ids.add(workspace.default_list)
    return sorted(ids)


def _decided(
    question: AccessQuestion,
    workspace: Workspace,
    keys: Sequence[ApiKey],
    now: Mapping[str, Sequence[Range]],
    before: Mapping[str, Sequence[Range]],
) -> Steps[list[CheckedKey]]:
    """Return what is decided for API keys by the ranges that hold the address, by lists; with a draft also `before`."""
    lists = yield from _compiled(question, workspace, keys, now)
    former = lists
    if question.draft is not None:
        former = yield from _compiled(question, workspace, keys, before)
    checked = []
    for key in keys:
        yield
        decision = _decide(question, workspace, key, lists)
        without = _decide(question, workspace, key, former) if question.draft else None
        checked.append(CheckedKey(key.id, key.display_name, decision, without))
    return checked


def _compiled(
    question: AccessQuestion,
    workspace: Workspace,
    keys: Sequence[ApiKey],
    ranges: Mapping[str, Sequence[Range]],
) -> Steps[dict[str, _Holding]]:
    """Return all lists that decide, compiled from those of their ranges that hold the address."""
    compiled = {}
    for index, allow_list in enumerate(_deciding(workspace, keys)):
        if not index % _COMPILED:
            yield
        valid = {parse_range(range_.cidr): range_.valid() for range_ in ranges.get(allow_list, ())}
        conditional = {packed: times for packed, times in valid.items() if times != ALWAYS}
        name = list_name(question.workspace, allow_list)
        compiled[allow_list] = _Holding(
            cooperative.run_whole(compile_list(name, list(valid), conditional))
        )
    return compiled


def _decide(
    question: AccessQuestion,
    workspace: Workspace,
    key: ApiKey,
    lists: Mapping[str, _Holding],
) -> Decision:
    rules = _Key(
        key.disabled,
        key.expire_time,
        key.report_only,
        tuple(lists[allow_list] for allow_list in key.lists),
    )
    of_all = _Workspace(
        workspace.require_allow_list,
        lists[workspace.default_list] if workspace.default_enabled else None,
        workspace.default_report_only,
    )
    return decide(rules, of_all, question.address, lambda: question.time)


def _holding(ranges: Mapping[int, Range], address: int) -> Steps[tuple[Range, ...]]:
    """Return the ranges that hold an address, the narrowest first."""
    holding = []
    for index, (packed, range_) in enumerate(ranges.items()):
        if not index % STEP:
            yield
        if packed >> PREFIX_BITS <= address <= last_address(packed):
            holding.append(range_)
    return tuple(reversed(holding))
