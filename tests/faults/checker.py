"""Compares a history with the model: no answer may be of a state that never was, or too old.

The truth about the order of changes is in the store's own streams, read at the end. Every answer tells
the revision that it reflects, so it is known which state it must agree with.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from ipgate.domain.shards import shard_of

from tests.faults.history import Answer, Change, History, Workspace
from tests.faults.model import UNKNOWN, Policy

Streams = dict[int, dict[int, tuple[str, str]]]
"""For each shard and number of a change: its tip and its workspace."""


@dataclass
class Report:
    violations: list[str] = field(default_factory=list)
    acknowledged: int = 0
    lost: int = 0
    longest_staleness: float = 0.0


class _Timeline:
    """The states of a workspace by the number of the change that made each."""

    def __init__(self, workspace: Workspace, streams: Streams, report: Report) -> None:
        self.id = workspace.name.removeprefix("workspaces/")
        self.shard = shard_of(self.id)
        stream = streams[self.shard]
        self.numbers = sorted(number for number, (_, owner) in stream.items() if owner == self.id)
        known: list[Change] = []
        for change in workspace.changes:
            if change.revision is None:
                continue
            report.acknowledged += 1
            if stream.get(change.revision.sequence, ("", ""))[0] != change.revision.change_id:
                report.lost += 1
                report.violations.append(
                    f"{workspace.name}: an acknowledged change is lost: {change}"
                )
            known.append(change)
        extra = self.numbers[len(known) :]
        unknown = [change for change in workspace.changes if change.revision is None]
        if len(extra) > len(unknown):
            report.violations.append(
                f"{workspace.name}: changes {extra} were made, but never acknowledged or in doubt"
            )
        self.changes = known + unknown[: len(extra)]
        self.policies = [change.after for change in self.changes]

    def at(self, number: int) -> Policy | None:
        """The policy after the shard's change of that number, None before the workspace was."""
        index = bisect_right(self.numbers, number)
        return self.policies[min(index, len(self.policies)) - 1] if index else None

    def first_missing(self, number: int) -> Change | None:
        """The first change that the state after `number` does not reflect."""
        index = bisect_right(self.numbers, number)
        return self.changes[index] if index < len(self.changes) else None


def check(history: History, streams: Streams, max_staleness: float) -> Report:
    """The violations in a history, and its figures."""
    report = Report()
    lines = {
        workspace.name: _Timeline(workspace, streams, report) for workspace in history.workspaces
    }
    for answer in history.answers:
        line = lines[answer.workspace]
        if answer.revision is None:
            problems = _of_unknown(answer, line, max_staleness)
        else:
            problems = _of_known(answer, line, streams, max_staleness, report)
        report.violations += [f"{problem}: {answer}" for problem in problems]
    for use in history.token_uses:
        if use.revoked is not None and use.began - use.revoked > max_staleness:
            late = use.began - use.revoked
            report.violations.append(
                f"an access token was accepted {late:.1f} s after it was revoked"
            )
    return report


def _of_known(
    answer: Answer, line: _Timeline, streams: Streams, max_staleness: float, report: Report
) -> Iterator[str]:
    revision = answer.revision
    assert revision is not None
    tip, _ = streams[revision.shard].get(revision.sequence, ("", ""))
    if revision.sequence and tip != revision.change_id:
        yield "of a history that the store does not have"
        return
    if answer.wanted and revision.sequence < answer.wanted.sequence:
        yield f"older than its min_revision {answer.wanted.sequence}"
    policy = line.at(revision.sequence) or Policy()
    holder = policy.holder(answer.credential) if answer.credential else answer.key
    expected = policy.decide_during(holder, answer.ip, *answer.wall)
    if answer.said not in expected:
        yield f"not as at {revision.sequence}, where it is {expected}"
    missing = line.first_missing(revision.sequence)
    if missing is not None and missing.revision is not None:
        staleness = answer.began - missing.ended
        report.longest_staleness = max(report.longest_staleness, staleness)
        if staleness > max_staleness:
            yield f"{staleness:.1f} s older than allowed"


def _of_unknown(answer: Answer, line: _Timeline, max_staleness: float) -> Iterator[str]:
    """An unknown credential has no revision: some state of the allowed time must not have known it."""
    if answer.said != UNKNOWN:
        yield "without a revision"
        return
    oldest = 0
    for index, change in enumerate(line.changes):
        wanted = answer.wanted and line.numbers[index] <= answer.wanted.sequence
        if wanted or change.ended < answer.began - max_staleness:
            oldest = index
    allowed = [change for change in line.changes[oldest:] if change.began <= answer.ended]
    if all(change.after.holder(answer.credential) for change in allowed):
        yield "a credential that was known all the time is unknown"
