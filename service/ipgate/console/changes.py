"""Makes changes: tells their effect first, asks about it, and says where they are in force."""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ipgate_client import CallFailed
from starlette.responses import Response

from ipgate.console import words
from ipgate.console.page import Page
from ipgate.v1 import admin_pb2 as admin

_CONSENTS = {
    "API_KEYS_UNRESTRICTED": "allow_unrestricted",
    "LIST_TOO_BROAD": "allow_broad",
    "ALLOW_LIST_IN_USE": "force",
}
"""The field of a request that accepts what it was rejected for, by the reason."""

_OPENS = "API_KEYS_UNRESTRICTED"

_FORM_ONLY = frozenset({"form_token", "confirmed", "edit", "once"})


class Asks(Enum):
    """When a person is asked before a change; always about what ipgate itself would reject without consent."""

    ALWAYS = "always"
    EFFECTS = "effects"  # only about effects on addresses, ranges and API keys
    CONSENT = "consent"  # only about that


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """`question`: asked before the change. `done`: what was done. `then`: the page to go to.

    `entered`: of a form that can be gone back to, the fields that stand for what the browser does not send again,
    such as a file. `rest`: the messages after `request`, of a method with many. `about`: what the effect does not say.
    """

    method: str
    request: Any
    question: str
    done: str
    then: str
    asks: Asks = Asks.EFFECTS
    entered: Mapping[str, str] | None = None
    rest: Sequence[Any] = ()
    about: Sequence[str] = ()


async def make(page: Page, change: Change) -> Response:
    """Make a change, or ask about it first.

    A confirmation counts for just what it was asked about: whatever came in between is asked about again.

    Raises: CallFailed.
    """
    change.request.validate_only = True
    reasons, foreseen = await _foresee(page, change)
    effect = foreseen.effect
    sentences = [
        text for reason, text in reasons.items() if reason != _OPENS or not words.opens(effect)
    ]
    sentences += [*change.about, *words.effect(effect, reports=_reports(foreseen))]
    asks = (
        bool(reasons)
        or change.asks is Asks.ALWAYS
        or (change.asks is Asks.EFFECTS and words.matters(effect))
    )
    seen = _digest(change, effect, sentences)
    if asks and page.field("confirmed") != seen:
        return ask(page, change, sentences, seen)
    change.request.validate_only = False
    answer = await _call(page, change)
    return page.go(change.then, f"{change.done} {await in_force(page, answer.revision)}".strip())


def ask(page: Page, change: Change, sentences: Sequence[str], seen: str = "1") -> Response:
    """Ask about a change. `seen`: what the answer confirms."""
    kept = [
        (name, value)
        for name, value in page.form.multi_items()
        if isinstance(value, str) and name not in _FORM_ONLY and name not in (change.entered or {})
    ]
    return page.render(
        "question.html",
        question=change.question,
        sentences=sentences,
        seen=seen,
        is_again=page.is_set("confirmed"),
        kept=[*kept, *(change.entered or {}).items()],
        back=change.then,
        can_go_back=change.entered is not None,
    )


async def in_force(page: Page, revision: str) -> str:
    """Return on how many workers a change is in force, and after which time."""
    if not revision:
        return ""
    began = time.monotonic()
    try:
        waited = await page.call("WaitForRevision", admin.WaitForRevisionRequest(revision=revision))
    except CallFailed:
        pass
    else:
        count, took = waited.worker_count, (time.monotonic() - began) * 1000
        return f"In force on {count} of {count} worker{'s' * (count != 1)} after {took:.0f} ms."
    try:
        status = await page.call(
            "GetRevisionStatus", admin.GetRevisionStatusRequest(revision=revision)
        )
    except CallFailed:
        return "It is not known yet whether it is in force on every worker."
    missing = f", not yet on {', '.join(status.workers_behind)}" if status.workers_behind else ""
    return f"In force on {status.applied_worker_count} of {status.worker_count} workers{missing}."


async def _foresee(page: Page, change: Change) -> tuple[dict[str, str], Any]:
    """Return why consent is needed, which the request has then, and the answer that the change would get.

    Raises: CallFailed.
    """
    request = change.request
    reasons: dict[str, str] = {}
    while True:
        try:
            return reasons, await _call(page, change)
        except CallFailed as error:
            consent = _CONSENTS.get(error.reason, "")
            if consent not in request.DESCRIPTOR.fields_by_name or getattr(request, consent):
                raise
            setattr(request, consent, True)
            reasons[error.reason] = _reason(error)


async def _call(page: Page, change: Change) -> Any:
    if change.rest:
        messages = [change.request, *change.rest]
        return await page.session.client.upload(change.method, messages)
    return await page.call(change.method, change.request)


def _reports(answer: Any) -> bool:
    """Return whether the default Allow list of an answer with a workspace only reports."""
    workspace = getattr(answer, "workspace", None)
    return workspace is not None and bool(workspace.default_allow_list.report_only)


def _digest(change: Change, effect: Any, sentences: Sequence[str]) -> str:
    """Return what a confirmation of a change confirms: what is asked, and all that is known of its effect."""
    seen = [change.question, *sentences, effect.SerializeToString(deterministic=True).hex()]
    return hashlib.sha256("\n".join(seen).encode()).hexdigest()


def _reason(error: CallFailed) -> str:
    """Return why a change was rejected, without what the caller of the API could do about it."""
    first, *others = error.violations
    text = first.description.partition(";")[0]
    names = [words.identifier(violation.field) for violation in others]
    return f"{text[:1].upper()}{text[1:]}" + (
        f": {words.listed(names, len(names))}" if names else ""
    )
