"""The documents say what the code does."""

import re

from ipgate.domain import errors
from ipgate.settings import declared, flag, variable

from bench import plot, report, results
from tests.harness.sources import ROOT, SOURCES


def settings_table() -> str:
    """Return the table of settings, as docs/settings.md must have it."""
    lines = ["| flag | variable | default | what |", "|---|---|---|---|"]
    for name, default, text in declared():
        shown = "" if default in ("", False) else f"`{default}`"
        lines.append(f"| `{flag(name)}` | `{variable(name)}` | {shown} | {text} |")
    return "\n".join(lines)


def test_the_documentation_lists_every_setting() -> None:
    """The table of settings is that of the one declaration."""
    assert settings_table() in (ROOT / "docs" / "settings.md").read_text()


def test_every_reason_of_an_error_is_documented() -> None:
    """`docs/errors.md` explains each ErrorInfo reason that the code can send."""
    documented = (ROOT / "docs" / "errors.md").read_text()
    sources = "\n".join(path.read_text() for path in SOURCES)
    reasons = set(re.findall(r'reason="([A-Z0-9_]+)"', sources))
    reasons |= set(re.findall(r'FailedPrecondition\(\s*"([A-Z0-9_]+)"', sources))
    reasons |= {error.reason for error in errors.IpgateError.__subclasses__()}
    assert len(reasons) > 15
    missing = {reason for reason in reasons if f"`{reason}`" not in documented}
    assert not missing


def test_every_kind_of_redis_key_is_documented() -> None:
    """`docs/redis-keys.md` has each key that a script builds."""
    documented = (ROOT / "docs" / "redis-keys.md").read_text()
    for path in (ROOT / "service" / "ipgate" / "store" / "lua").glob("*.lua"):
        for suffix in re.findall(r"'(?::|ws-)?([a-z-]+:?)'(?: \.\.|\)| \.)", path.read_text()):
            if suffix.endswith(":") or f":{suffix}'" in path.read_text():
                assert suffix.strip(":") in documented, f"{path.name}: {suffix}"


def test_the_pages_on_performance_show_the_kept_run() -> None:
    """Its tables and its plot are what `python -m bench.report` makes of bench/results/latest.json."""
    kept = results.load(results.LATEST.read_text())
    assert f"{report.BEGIN}{report.markdown(kept)}{report.END}" in report.RAW.read_text()
    assert f"{report.BEGIN}{report.operators_page(kept)}{report.END}" in report.PAGE.read_text()
    assert f"{report.BEGIN}{report.front_page(kept)}{report.END}" in report.FRONT.read_text()
    assert report.PLOT.read_text() == plot.draw(kept)
