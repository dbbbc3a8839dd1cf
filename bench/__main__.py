"""`make bench`: everything, kept in bench/results/latest.json and shown in docs/performance.md.

`ARGS=cerbos` or `ARGS='grpcio go'` measures only the contenders that have one of the words in the name
of a row, and keeps nothing; `ARGS=flood` measures that attack instead, `ARGS=scale` a million keys,
`ARGS=search` the searches of administrators among them, `ARGS=upgrade` the upgrade of a store with them, `ARGS=clients` the
client library, `ARGS=gateway` Envoy as a gateway. Exits with 1 if a threshold is missed, or if ipgate itself was to be measured and was not.
"""

import sys
from collections.abc import Callable

from bench import (
    arrivals,
    coalescing,
    decisions,
    field,
    flood,
    gateway,
    questions,
    report,
    scale,
    search,
    thresholds,
    upgrade,
    worst_messages,
)
from bench.figures import Figure
from bench.results import Results, this_machine

_ALONE: dict[str, Callable[[int], list[Figure]]] = {
    "clients": coalescing.measure,
    "flood": flood.measure,
    "gateway": gateway.measure,
    "scale": scale.measure,
    "search": search.measure,
    "upgrade": upgrade.measure,
    "messages": worst_messages.measure,
}
_KEYS = 100_000
"""Of the scale and the searches that the whole bench measures; `ARGS=scale` and `ARGS=search` take ten times as many."""


def main(words: list[str]) -> int:
    if words and words[0] in _ALONE:
        figures = _ALONE[words[0]](int(words[1]) if len(words) > 1 else 1_000_000)
        return shown(Results({}, [], [], figures), whole=False)
    chosen = [
        contender
        for contender in field.CONTENDERS
        if not words or any(word.lower() in ask.lower() for word in words for ask in contender.asks)
    ]
    if not chosen:
        print(
            f"no contender of that name; there are: {'; '.join(c.name for c in field.CONTENDERS)}"
        )
        return 2
    results = Results(this_machine(), *field.measure(chosen), [])
    if not words:
        print("measuring decisions, arrivals and scale", flush=True)
        results.figures += [
            *decisions.measure(),
            *questions.measure(),
            *arrivals.measure(),
            *coalescing.measure(),
            *gateway.measure(),
            *worst_messages.measure(),
            *scale.measure(_KEYS),
            *search.measure(_KEYS),
        ]
        results.save()
        report.write(results)
    return shown(results, whole=not words)


def shown(results: Results, *, whole: bool) -> int:
    """Prints the results; the exit code."""
    report.show(results, whole=whole)
    verdicts = thresholds.verdicts(results)
    return int(any(verdict.broken or (whole and verdict.ours_is_missing) for verdict in verdicts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
