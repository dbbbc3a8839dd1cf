"""The one table from the error code of a script to the error that the caller sees."""

from collections.abc import Callable, Sequence
from typing import Any

from ipgate.domain.errors import (
    AlreadyExists,
    Conflict,
    FailedPrecondition,
    IpgateError,
    LimitExceeded,
    NotFound,
    Unavailable,
    Violation,
    quoted,
)


class ListChanged(Exception):
    """The list, or a range of it, changed since it was read; read it again."""


class StagingLost(Exception):
    """The staged ranges of a change are not there any more; stage them again."""


class CoverageUnknown(Exception):
    """The bound of the list's coverage does not suffice; the exact figure is needed."""


def script_error(code: str, detail: Any) -> Exception:
    """Return the error for the error `code` of a script, with its `detail`."""
    return _ERRORS[code](detail)


def _not_found(detail: Any) -> IpgateError:
    return NotFound(*([detail] if isinstance(detail, str) else detail))


def _in_use(detail: Any) -> IpgateError:
    uses = []
    if detail["default"]:
        uses.append(Violation("default", "the list is the default allow list of its workspace"))
    uses += [Violation(key, f"API key {key} is linked to the list") for key in list(detail["keys"])]
    count = detail["linked"]
    text = f"the list is in use ({count} linked API key{'s' * (count != 1)}"
    text += ", and it is the default allow list)" if detail["default"] else ")"
    ways = ["unlink it"] if detail["linked"] else []
    ways += ["switch the default off, or set another"] if detail["default"] else []
    text += f"; {' and '.join(ways)} first, or use force"
    return FailedPrecondition("ALLOW_LIST_IN_USE", [Violation("uses", text), *uses])


def _too_many_links(detail: Any) -> IpgateError:
    text = (
        f"{detail['linked']} API keys are linked to the list, more than the {detail['most']} that can "
        "be unlinked in one change; unlink some first"
    )
    return FailedPrecondition("ALLOW_LIST_IN_USE", [Violation("uses", text)])


def _unrestricted(detail: Any) -> IpgateError:
    keys, count = detail["keys"], detail["keys"]["count"]
    them = "it" if count == 1 else "them"
    opens = f"{count} API key{'s' * (count != 1)} would become usable from every address"
    text = f"{opens}; link {them} to another allow list first, or set allow_unrestricted if that is what you want"
    if detail.get("report_only"):  # links do not help an API key whose lists only report
        text = f"{opens}; set allow_unrestricted if that is what you want"
    violations = [
        Violation(key, f"API key {key} would become usable from every address")
        for key in tuple(keys["names"])
    ]
    return FailedPrecondition(
        "API_KEYS_UNRESTRICTED", [Violation("allow_unrestricted", text), *violations]
    )


def _not_empty(detail: Any) -> IpgateError:
    text = (
        f"the workspace still has {detail['lists']} allow lists, {detail['keys']} API keys and "
        f"{detail['tokens']} access tokens; delete them first"
    )
    return FailedPrecondition("WORKSPACE_NOT_EMPTY", [Violation("workspace", text)])


def changed_by_another(name: str) -> IpgateError:
    """Return the error for a resource with another etag than the caller knows."""
    return Conflict(f"{name} was changed by somebody else; read it and try again")


def missing_ranges(texts: Sequence[str]) -> IpgateError:
    """Return the error for ranges that a list does not have."""
    return FailedPrecondition(
        "RANGE_NOT_IN_LIST",
        [
            Violation(text, f"{quoted(text)} is not a range of the list; see its ranges")
            for text in texts[:100]
        ],
    )


def range_exists(texts: Sequence[str], count: int | None = None) -> IpgateError:
    """Return the error for ranges that a list has with other attributes; of `count`, some texts may be left out."""
    count = count or len(texts)
    text = (
        f"{count} of the ranges {'are' if count != 1 else 'is'} in the list with other attributes; change them with "
        "UpdateRanges, or leave them out"
    )
    violations = [
        Violation(name, f"{quoted(name)} is in the list with other attributes")
        for name in texts[:100]
    ]
    return FailedPrecondition("RANGE_EXISTS", [Violation("ranges", text), *violations])


def _ipv6_in_use(detail: Any) -> IpgateError:
    names, count = tuple(detail["lists"]), detail["count"]
    lists = ", ".join(names) + (f" and {count - len(names)} more" if count > len(names) else "")
    text = f"{count} allow list{'s have' if count != 1 else ' has'} IPv6 ranges: {lists}; remove those ranges first"
    return FailedPrecondition("IPV6_IN_USE", [Violation("workspace.ipv6_enabled", text)])


def _limit(what: str, setting: str) -> Callable[[Any], IpgateError]:
    def build(detail: Any) -> IpgateError:
        limit = detail["limit"] if isinstance(detail, dict) else detail
        return LimitExceeded(f"{what}; at most {limit} are permitted (setting {setting})")

    return build


_ERRORS: dict[str, Callable[[Any], Exception]] = {
    "NO_STORE": lambda _: Unavailable("the store was emptied and is being set up; try again"),
    "NOT_FOUND": _not_found,
    "EXISTS": lambda name: AlreadyExists(f"{name} exists already; choose another id"),
    "NAME_TAKEN": lambda detail: AlreadyExists(
        f"the allow list {detail['holder']} of the workspace has the display name "
        f"{quoted(detail['display_name'])} already; choose another",
        reason="DISPLAY_NAME_TAKEN",
    ),
    "ETAG": changed_by_another,
    "RESERVATION": lambda name: Conflict(
        f"{name} is being created by somebody else; read it and try again", reason="CREATE_RACE"
    ),
    "ROTATION": lambda name: Conflict(
        f"the credential of {name} is being rotated by somebody else; read it and try again",
        reason="ROTATE_RACE",
    ),
    "PREVIOUS_WORKS": lambda name: FailedPrecondition(
        "PREVIOUS_CREDENTIAL_WORKS",
        [
            Violation(
                "api_key",
                f"the previous credential of {name} still works, and a key has two at most; revoke one of the two "
                "first",
            )
        ],
    ),
    "ONLY_CREDENTIAL": lambda name: FailedPrecondition(
        "ONLY_CREDENTIAL",
        [
            Violation(
                "credential",
                f"{name} has no other credential; rotate it with an overlap of 0s, or disable the key",
            )
        ],
    ),
    "IN_USE": _in_use,
    "TOO_MANY_LINKS": _too_many_links,
    "UNRESTRICTED": _unrestricted,
    "NOT_EMPTY": _not_empty,
    "MISSING_RANGES": missing_ranges,
    "EMPTY": lambda _: FailedPrecondition(
        "ALLOW_LIST_EMPTY",
        [Violation("ranges", "no range would be left in the list; delete the list instead")],
    ),
    "LIMIT_RANGES": _limit("too many ranges in the allow list", "max-ranges-per-list"),
    "LIMIT_LISTS": _limit("too many allow lists on one API key", "max-lists-per-key"),
    "LIMIT_WORKSPACE_LISTS": _limit(
        "too many allow lists in the workspace", "max-lists-per-workspace"
    ),
    "LIMIT_KEYS": _limit("too many API keys in the workspace", "max-keys-per-workspace"),
    "RANGE_EXISTS": lambda detail: range_exists(detail["names"], detail["count"]),
    "IPV6_OFF": lambda name: FailedPrecondition(
        "IPV6_DISABLED",
        [
            Violation(
                "ranges",
                f"{name} would have IPv6 ranges, and its workspace has IPv6 disabled; set ipv6_enabled of the "
                "workspace, or leave them out",
            )
        ],
    ),
    "IPV6_IN_USE": _ipv6_in_use,
    "STAGING_LOST": lambda _: StagingLost(),
    "MOVED": lambda _: ListChanged(),
    "COVERAGE": lambda _: CoverageUnknown(),
}
