"""The promises of docs/guarantees.md under faults, and the checker that watches over them."""

from pathlib import Path

import pytest

from tests.faults.ordeal import MAX_STALENESS, ordeal

SECONDS = 16.0
SEEDED = str(Path(__file__).parent / "seeded")


def test_no_answer_is_wrong_or_too_old_whatever_fails(tmp_path: Path) -> None:
    """With stores and workers killed, frozen, filled and disconnected, every answer is that of a state
    that was, not older than allowed, and no acknowledged change is lost."""
    with ordeal(tmp_path) as run:
        report = run.endure(SECONDS, seed=1, faults=True)
        assert not report.violations
        assert not report.lost
        assert report.acknowledged > 100
        assert len(run.history.answers) > 1000
        assert len({kind for _, kind in run.history.faults}) == 7


@pytest.mark.parametrize("bug", ["drop_fence", "skip_invalidation"])
def test_the_checker_finds_a_seeded_bug(tmp_path: Path, bug: str) -> None:
    """Servers with a known bug are found out, by load alone."""
    with ordeal(tmp_path, IPGATE_TEST_BUG=bug, PYTHONPATH=SEEDED) as run:
        # A busy machine may need more than one round for what shows only now and then.
        assert any(run.endure(5, seed=number, faults=False).violations for number in range(2, 6))


@pytest.mark.parametrize("bug", ["", "ignore_epoch"])
def test_the_checker_finds_answers_from_a_store_that_is_gone(tmp_path: Path, bug: str) -> None:
    """After the store was emptied, a server that ignores its epoch is found out, and a right one is
    not."""
    with ordeal(tmp_path, IPGATE_TEST_BUG=bug, PYTHONPATH=SEEDED) as run:
        assert not run.endure(3, seed=3, faults=False).violations
        late = run.answers_after_emptying(MAX_STALENESS + 2, seed=4)
        assert bool(late) == bool(bug)
        assert len(run.history.answers) > 100
