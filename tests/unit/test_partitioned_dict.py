"""Tables in parts against a dictionary."""

from hypothesis import given
from hypothesis import strategies as st
from ipgate.policy.partitioned_dict import MASK, PARTITIONS, PartitionedDict, WeakPartitionedDict

# Integers are their own hash: these fall into few parts.
KEYS = st.builds(lambda part, n: part + n * PARTITIONS, st.integers(0, 2), st.integers(0, 5))
STEPS = st.lists(st.tuples(st.sampled_from(["put", "pop", "next_victim"]), KEYS))


@given(STEPS)
def test_a_table_holds_what_a_dictionary_holds(steps: list[tuple[str, int]]) -> None:
    """In each part, the oldest entry is the one that was put first or longest ago."""
    table: PartitionedDict[int, str] = PartitionedDict()
    model: dict[int, str] = {}
    for number, (step, key) in enumerate(steps):
        if step == "put":
            model.pop(key, None)
            model[key] = f"{key} {number}"
            table.put(key, model[key])
        elif step == "pop":
            assert table.pop(key) == model.pop(key, None)
        elif model:
            victim = table.next_victim()
            part = int(victim.split()[0]) & MASK
            assert victim == next(value for key, value in model.items() if key & MASK == part)
        assert len(table) == len(model)
        assert (key in table, table.get(key)) == (key in model, model.get(key))
    assert sorted(table.values()) == sorted(model.values())


def test_all_parts_have_their_turn() -> None:
    """As often as the oldest entry is asked for, each part gives its own once, then again."""
    table: PartitionedDict[int, int] = PartitionedDict()
    for key in range(3 * PARTITIONS):
        table.put(key, key)
    first = [table.next_victim() for _ in range(PARTITIONS)]
    assert sorted(first) == list(range(PARTITIONS))
    for key in first:
        table.pop(key)
    assert sorted(table.next_victim() for _ in range(PARTITIONS)) == list(
        range(PARTITIONS, 2 * PARTITIONS)
    )


class Thing:
    pass


def test_a_weak_table_keeps_nothing_alive() -> None:
    """And a late farewell does not remove what has taken the place."""
    table: WeakPartitionedDict[str, Thing] = WeakPartitionedDict()
    former, thing = Thing(), Thing()
    table.put("a", former)
    table.put("a", thing)
    table.remove("a", former)
    assert table.get("a") is thing
    del thing
    assert table.get("a") is None
