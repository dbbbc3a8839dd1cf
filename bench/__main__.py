"""`make bench`: everything, kept in bench/results/latest.json and shown in docs/performance.md.

`ARGS=cerbos` or `ARGS='grpcio go'` measures only the contenders that have one of the words in the name
of a row, and keeps nothing; `ARGS=flood` measures that attack instead, `ARGS=scale` a million keys. Exits with 1 if a threshold is
missed.
"""

import sys

from bench import arrivals, decisions, field, flood, questions, report, scale, thresholds
from bench.results import Results, this_machine
from bench.table import show

_KEYS = 100_000
"""Of the scale that the whole bench measures; `ARGS=scale` takes ten times as many."""


def main(words: list[str]) -> int:
    if words[:1] == ["flood"]:
        show(flood.measure(int(words[1]) if len(words) > 1 else 1_000_000))
        return 0
    if words[:1] == ["scale"]:
        show(scale.measure(int(words[1]) if len(words) > 1 else 1_000_000))
        return 0
    chosen = [
        each
        for each in field.CONTENDERS
        if not words or any(word.lower() in ask.lower() for word in words for ask in each.asks)
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
            *scale.measure(_KEYS),
        ]
        results.save()
        report.write(results)
    report.show(results, whole=not words)
    return int(any(each.broken for each in thresholds.verdicts(results)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
