"""Logs denied decisions, where that is wanted: not more than so many a second."""

import logging
from collections.abc import Callable

from ipgate.authorizer.authorizer import Question, Verdict
from ipgate.domain.addresses import format_address
from ipgate.domain.errors import quoted
from ipgate.rpc.call_info import CallInfo

log = logging.getLogger(__name__)


class DenialLog:
    """`most`: lines a second. `steady`: seconds that only go forward."""

    def __init__(self, most: int, steady: Callable[[], float]) -> None:
        self._most = most
        self._steady = steady
        self._since = -1.0
        self._logged = self._left_out = 0

    def note(self, info: CallInfo, question: Question, verdict: Verdict) -> None:
        """Log a decision if it denies, or would."""
        decision = verdict.decision
        if decision.allowed and not decision.report_only:
            return
        now = self._steady()
        if now - self._since >= 1:
            if self._left_out:
                log.info("denied decisions that were not logged count=%d", self._left_out)
            self._since, self._logged, self._left_out = now, 0, 0
        if self._logged >= self._most:
            self._left_out += 1
            return
        self._logged += 1
        log.info(
            "denied api_key=%s address=%s reason=%s report_only=%s request_id=%s",
            quoted(verdict.api_key or "unknown"),
            "none" if question.address is None else format_address(question.address),
            decision.reason.value,
            decision.report_only,
            info.request_id(),
        )
