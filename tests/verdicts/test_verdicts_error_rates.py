"""A small part of `benchmarks/error_rates.py`: fails where a method errs much more often than it promises."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
REPS = 120
SEED = 5

LEVELS = (
    "n=200, discordance 0.15, no change",
    "n=60, 20% break, no change on average",
    "k=5, n=200, no change on average",
    "20 of 10, shared shock",
    "pass/fail n=200, 3% only lose, margin 3%",
    "graded n=200, 5% only lose, margin 5%",
    "graded n=200, all lose exactly the margin",
    "pass/fail n=100, discordance 0.15, at the margin of 5%",
    "graded n=60, 20% break, at the margin of 5%",
    "repeated k=5 n=100, at the margin of 5%",
    "cost, 1 in 10 at 6x, n=200, at the limit of 50%",
    "cost, log-normal, n=60, at the limit",
    "p95 latency, n=100, at the limit",
    "PPI, 100 labels, judge flatters, at the margin",
)


@pytest.fixture(scope="module")
def rates() -> Iterator[ModuleType]:
    """The benchmark, which is a program and no package."""
    before = set(sys.modules)
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module("error_rates")
    finally:
        sys.path.remove(str(BENCHMARKS))
        for name in set(sys.modules) - before:
            if name.startswith("error_"):
                del sys.modules[name]


@pytest.mark.parametrize("name", LEVELS)
def test_no_claim_is_made_much_more_often_than_its_level(rates: ModuleType, name: str) -> None:
    (design,) = (one for one in rates.DESIGNS if one.name == name)
    rows = [row for row in rates.simulated(design, REPS, SEED) if row.claim.level is not None]
    assert rows
    assert [(row.claim.name, row.rate) for row in rows if row.verdict != "ok"] == []


def test_early_stopping_saves_a_third_of_the_calls_and_keeps_its_power(rates: ModuleType) -> None:
    (design,) = (one for one in rates.DESIGNS if one.name == "up to n=1000, discordance 0.1, 5% drop")
    rows = {row.claim.name: row for row in rates.simulated(design, 60, SEED)}
    assert rows["calls saved"].rate >= 0.35
    assert rows["worse"].rate >= rows["worse"].claim.power - 3 * max(rows["worse"].error, 0.01)


def test_a_level_that_is_exceeded_is_told_and_ends_the_program_with_1(
    rates: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = rates.Design("pass/fail", "always says worse", (rates.Claim("worse", 0.05),), lambda _: {"worse": True})
    monkeypatch.setattr(rates, "DESIGNS", (broken,))
    assert rates.main(["--reps", "50", "--jobs", "1", "--markdown"]) == 1
    assert "| always says worse | worse | 1.0000 | 0.0000 | at most 0.050 | over |" in capsys.readouterr().out


def test_the_same_seed_gives_the_same_rates_whatever_else_is_simulated(rates: ModuleType) -> None:
    design = rates.DESIGNS[0]
    assert rates.simulated(design, 20, 1) == rates.simulated(design, 20, 1)
    assert rates.simulated(design, 200, 1) != rates.simulated(design, 200, 2)


def test_the_page_of_the_documentation_has_every_design_and_none_over_its_level(rates: ModuleType) -> None:
    page = (BENCHMARKS.parent / "docs" / "design" / "error_rates.md").read_text(encoding="utf-8")
    lines = [line.strip("| \n").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    shown = {cells[1]: cells[-1] for cells in lines[1:]}
    assert shown.keys() >= {design.name for design in rates.DESIGNS}
    assert not {name for name, verdict in shown.items() if verdict in ("over", "under")}
