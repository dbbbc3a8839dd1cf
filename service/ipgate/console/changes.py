"""Makes changes: tells their effect first, asks where they open or remove something, and says where they are in force."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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

_QUESTIONS = {
    "allow_unrestricted": "Should these API keys be usable from every address?",
    "allow_broad": "Should the list cover so many addresses?",
    "force": "Should the list be unlinked from them, and deleted?",
}

_FORM_ONLY = frozenset({"form_token", "confirmed", "edit"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """`question`: asked before the change. `asks`: also where it affects no API key.

    `done`: what was done. `then`: the page to go to. `entered`: of a form that can be gone back to, the fields that stand
    for what the browser does not send again, such as a file. `rest`: the messages after `request`, of a method with many.
    """

    method: str
    request: Any
    question: str
    done: str
    then: str
    asks: bool = False
    entered: Mapping[str, str] | None = None
    rest: Sequence[Any] = ()


async def make(page: Page, change: Change) -> Response:
    """Make a change, or ask about it first.

    Raises: CallFailed.
    """
    request = change.request
    for name in _CONSENTS.values():
        if name in request.DESCRIPTOR.fields_by_name and page.is_set(f"consent_{name}"):
            setattr(request, name, True)
    request.validate_only = True
    try:
        foreseen = await _call(page, change)
        sentences = words.effect(foreseen.effect)
        affects = change.asks or bool(words.consequences(foreseen.effect))
        if affects and not page.is_set("confirmed"):
            return _question(page, change, change.question, sentences)
        request.validate_only = False
        answer = await _call(page, change)
    except CallFailed as error:
        consent = _CONSENTS.get(error.reason, "")
        if consent not in request.DESCRIPTOR.fields_by_name:
            raise
        return _question(page, change, _QUESTIONS[consent], [_reason(error)], consent)
    return page.go(change.then, f"{change.done} {await in_force(page, answer.revision)}".strip())


async def _call(page: Page, change: Change) -> Any:
    if change.rest:
        messages = [change.request, *change.rest]
        return await page.session.client.upload(change.method, messages)
    return await page.call(change.method, change.request)


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


def _reason(error: CallFailed) -> str:
    """Return why a change was rejected, without what the caller of the API could do about it."""
    first, *others = error.violations
    text = first.description.partition(";")[0]
    names = [words.identifier(violation.field) for violation in others]
    return f"{text[:1].upper()}{text[1:]}" + (
        f": {words.listed(names, len(names))}" if names else ""
    )


def _question(
    page: Page, change: Change, question: str, sentences: Sequence[str], consent: str = ""
) -> Response:
    kept = [
        (name, value)
        for name, value in page.form.multi_items()
        if isinstance(value, str) and name not in _FORM_ONLY and name not in (change.entered or {})
    ]
    kept += (change.entered or {}).items()
    if consent:
        kept.append((f"consent_{consent}", "1"))
    return page.render(
        "question.html",
        question=question,
        about=change.question if consent else "",
        sentences=sentences,
        kept=kept,
        back=change.then,
        can_go_back=change.entered is not None,
    )
