"""The tips of the last changes, against a plain dictionary of them."""

from hypothesis import given
from hypothesis import strategies as st
from ipgate.authorizer.recent_changes import CAPACITY, RecentChanges

TIPS = st.integers(0, (1 << 64) - 1).map(lambda tip: f"{tip:016x}")


@given(st.lists(TIPS, max_size=60), st.integers(0, 10 * CAPACITY), st.integers(0, 30))
def test_the_last_tips_are_known_by_their_numbers(tips: list[str], first: int, given_: int) -> None:
    """Each change is found by its number, and none by a number that no change had."""
    numbered = {first + index: tip for index, tip in enumerate(tips)}
    begin = dict(list(numbered.items())[:given_])
    recent = RecentChanges(begin)
    for number, tip in list(numbered.items())[given_:]:
        recent.add(number, tip)
    for number in (*numbered, first - 1, first + len(tips), first + CAPACITY, 0):
        assert number < 0 or recent.get(number) == numbered.get(number)


def test_what_is_older_than_the_capacity_is_forgotten() -> None:
    """A newer change takes the place of an older one, never its number."""
    recent = RecentChanges({number: f"{number:016x}" for number in range(CAPACITY + 5)})
    assert recent.get(4) is None
    assert recent.get(5) == f"{5:016x}"
    assert recent.get(CAPACITY + 4) == f"{CAPACITY + 4:016x}"
    assert RecentChanges({}).get(0) is None
