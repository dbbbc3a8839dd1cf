"""Tables in parts against a dictionary."""

from hypothesis import given
from hypothesis import strategies as st
from ipgate.authorizer.tables import MASK, PARTS, Table, WeakTable

# Integers are their own hash: these fall into few parts.
KEYS = st.builds(lambda part, n: part + n * PARTS, st.integers(0, 2), st.integers(0, 5))
STEPS = st.lists(st.tuples(st.sampled_from(["put", "pop", "oldest"]), KEYS))


@given(STEPS)
def test_a_table_holds_what_a_dictionary_holds(steps: list[tuple[str, int]]) -> None:
    """In each part, the oldest entry is the one that was put first or longest ago."""
    table: Table[int, str] = Table()
    model: dict[int, str] = {}
    for number, (step, key) in enumerate(steps):
        if step == "put":
            model.pop(key, None)
            model[key] = f"{key} {number}"
            table.put(key, model[key])
        elif step == "pop":
            assert table.pop(key) == model.pop(key, None)
        elif model:
            found = table.oldest()
            part = int(found.split()[0]) & MASK
            assert found == next(value for each, value in model.items() if each & MASK == part)
        assert len(table) == len(model)
        assert (key in table, table.get(key)) == (key in model, model.get(key))
    assert sorted(table.values()) == sorted(model.values())


def test_all_parts_have_their_turn() -> None:
    """As often as the oldest entry is asked for, each part gives its own once, then again."""
    table: Table[int, int] = Table()
    for key in range(3 * PARTS):
        table.put(key, key)
    first = [table.oldest() for _ in range(PARTS)]
    assert sorted(first) == list(range(PARTS))
    for key in first:
        table.pop(key)
    assert sorted(table.oldest() for _ in range(PARTS)) == list(range(PARTS, 2 * PARTS))


class Thing:
    pass


def test_a_weak_table_keeps_nothing_alive() -> None:
    """And a late farewell does not remove what has taken the place."""
    table: WeakTable[str, Thing] = WeakTable()
    former, thing = Thing(), Thing()
    table.put("a", former)
    table.put("a", thing)
    table.forget("a", former)
    assert table.get("a") is thing
    del thing
    assert table.get("a") is None
