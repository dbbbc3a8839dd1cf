"""The bench's own arithmetic: what it reads, judges and draws."""

import json
import xml.etree.ElementTree as ET
from dataclasses import asdict
from pathlib import Path

import pytest
from ipgate.doctor.memory import BYTES_PER_KEY, BYTES_PER_RANGE

from bench import plot, report, thresholds
from bench.figures import Figure, percentile
from bench.h2load import read_log
from bench.results import HALF, LATEST, AtRate, Results, Row, Server, load

OURS, FLOOR, AWAY = "ipgate, grpcio engine", "grpc.aio, empty handler", "Cerbos, 3 ranges"


def run() -> Results:
    """Two contenders that were measured, and one that is missing."""
    rates = {
        "200": AtRate(200, [200.1, 199.9], [500, 700], [900, 1100], [110, 130]),
        HALF: AtRate(1500, [1500, 1490], [800, 900], [2000, 4000], [640, 660]),
    }
    rows = [
        Row(OURS, "ipgate", [110, 330, 105], [9000, 3000, 9500], rates),
        Row(FLOOR, "ipgate", [100, 300, 100], [5000, 1600, 5100]),
        Row(AWAY, "Cerbos"),
    ]
    servers = [Server("ipgate", "ipgate 0", 100.0), Server("Cerbos", missing="npm <is> away")]
    return Results({"cores": "2"}, servers, rows, [Figure("a figure", 3.0, "µs")])


def test_a_percentile_is_a_value_that_so_many_do_not_exceed() -> None:
    """The nearest rank, at both ends as well."""
    values = list(range(1, 201))
    assert [percentile(values, percent) for percent in (50, 99, 100)] == [100, 198, 200]
    assert percentile([7], 99) == 7


def test_the_log_of_the_load_generator_gives_rate_and_percentiles(tmp_path: Path) -> None:
    """Lines are in the order of their ends; the rate is that of the begins."""
    log = tmp_path / "log"
    log.write_text("1000\t200\t900\n3000\t200\t100\n2000\t200\t5000\n")
    paced = read_log(log, ramp=0)
    assert paced.achieved == pytest.approx(1000)
    assert (paced.p50, paced.p99) == (900, 5000)


def test_only_calls_made_while_all_connections_are_at_it_count(tmp_path: Path) -> None:
    """While they come and go there are fewer calls, and shorter ones."""
    log = tmp_path / "log"
    begins = [0, 900, 1000, 2000, 3000, 4000, 4100, 5000]
    log.write_text("".join(f"{begun}\t200\t{begun + 1}\n" for begun in begins))
    paced = read_log(log, ramp=1000)
    assert paced.achieved == pytest.approx(1000)
    assert (paced.p50, paced.p99) == (2001, 4001)


def test_a_call_that_failed_fails_the_measurement(tmp_path: Path) -> None:
    """A stream that broke has the status -1."""
    log = tmp_path / "log"
    log.write_text("1000\t200\t900\n3000\t-1\t100\n")
    with pytest.raises(AssertionError):
        read_log(log, ramp=0)


def test_a_ratio_is_the_median_of_the_ratios_of_the_rounds() -> None:
    """A slow round slows both sides, and does not count more."""
    threshold = {"what": "t", "of": "CPU", "ratio": [OURS, FLOOR], "most": 1.1}
    verdict = thresholds.judge(threshold, run())
    assert verdict.measured == pytest.approx(1.1)
    assert str(verdict) == "holds"
    assert thresholds.judge(threshold | {"most": 1.04}, run()).broken


def test_a_ratio_of_latencies_is_one_at_a_rate() -> None:
    """At half of saturation if none is named."""
    run_of_both = run()
    run_of_both.rows[1].paced = {
        "200": AtRate(200, [200, 200], [1, 1], [300, 1100]),
        HALF: AtRate(800, [800, 800], [1, 1], [1000, 1000]),
    }
    threshold = {"what": "t", "of": "p99", "ratio": [OURS, FLOOR], "aim": 1}
    assert thresholds.judge(threshold, run_of_both).measured == pytest.approx(3)
    assert thresholds.judge(threshold | {"at": "200"}, run_of_both).measured == pytest.approx(2)


def test_what_was_not_measured_neither_holds_nor_is_missed() -> None:
    """It names the row, rate or figure that there was not."""
    ratio = {"what": "t", "of": "CPU", "ratio": [OURS, AWAY], "most": 1}
    at_half = {"what": "t", "of": "p99", "ratio": [OURS, FLOOR], "most": 1}
    figure = {"what": "t", "figure": "another", "unit": "x", "most": 1}
    for threshold, missing in ((ratio, AWAY), (at_half, FLOOR), (figure, "another")):
        verdict = thresholds.judge(threshold, run())
        assert str(verdict) == f"not measured: {missing}"
        assert not verdict.broken


def test_only_what_must_hold_of_ipgate_must_be_measured() -> None:
    """A rate that the load generator did not keep leaves out what is only aimed at."""
    ratio = {"what": "t", "of": "p99", "at": "5000", "ratio": [OURS, FLOOR]}
    assert thresholds.judge(ratio | {"most": 1}, run()).ours_is_missing
    assert not thresholds.judge(ratio | {"aim": 1}, run()).ours_is_missing


def test_every_threshold_names_rows_or_figures_of_the_kept_run() -> None:
    """A name that changed would otherwise go on as not measured."""
    kept = load(LATEST.read_text())
    figures = {figure.what for figure in kept.figures}
    for bound in json.loads(thresholds.FILE.read_text()):
        if "figure" in bound:
            assert bound["figure"] in figures
        assert set(bound.get("figures", ())) <= figures
        for name in bound.get("ratio", ()):
            row = kept.row(name)
            assert row is not None
            assert bound["of"] in ("CPU", "memory") or bound.get("at", HALF) in row.paced


def test_the_memory_rule_is_what_the_bench_bounds() -> None:
    """The doctor's numbers are those of the thresholds."""
    bounds = {
        bound.get("figure"): bound.get("most") for bound in json.loads(thresholds.FILE.read_text())
    }
    assert bounds["memory of a held key, beside its lists"] == BYTES_PER_KEY
    assert bounds["memory held, 100,000 ranges"] == BYTES_PER_RANGE


def test_a_kept_run_is_read_back_as_it_was() -> None:
    """Rates and figures come back as what they were."""
    assert load(json.dumps(asdict(run()))) == run()


def test_a_missing_contender_stands_in_the_tables() -> None:
    """With its rows and the reason."""
    table = report.markdown(run())
    assert f"| {AWAY} | missing |" in table
    assert "missing: npm <is> away" in table


def test_a_rate_at_which_the_core_was_full_is_marked() -> None:
    """What is measured there is a queue."""
    table = report.field_table(run())
    ours = next(row for row in table if row[0] == OURS)
    assert ours[3:] == ["0.6 / 1", "-", "-", "-", "0.85 / 3 (core full)"]


def test_the_plot_is_well_formed_and_shows_what_was_measured() -> None:
    """One bar for each row, one pair of dots for each row at each rate."""
    drawn = ET.fromstring(plot.draw(run()))
    space = "{http://www.w3.org/2000/svg}"
    texts = [element.text for element in drawn.iter(f"{space}text")]
    assert {OURS, FLOOR} <= set(texts)
    assert AWAY not in texts
    assert len(list(drawn.iter(f"{space}circle"))) == 4
