from __future__ import annotations

from typing import Any

import pytest

from snapdrift.conclusions import Operational
from snapdrift.model import Severity
from snapdrift.verdicts.increases import (
    Standing,
    increase_broken,
    limit_text,
    operational_sentence,
    operational_text,
    standing,
)


def measured(
    metric: str, before: float | None, after: float | None, limit: float | None = None, **tests: Any
) -> Operational:
    ratio = after / before if before and after else None
    return Operational(metric, "august", "mini", before, after, ratio, limit, Severity.FAIL, **tests)


def dearer(limit: float | None, **tests: Any) -> Operational:
    """A cost that rose by 24%, with the interval [+18%, +31%]."""
    return measured("cost", 1.0, 1.24, limit, tested_ratio=1.24, interval=(1.18, 1.31), **tests)


def test_a_measure_reads_with_its_change_interval_values_and_limit() -> None:
    assert operational_sentence(dearer(0.2, p_more=0.001, p_over=0.03)) == (
        "cost of `mini` against `august`: +24.0% [+18.0%, +31.0%] ($1 to $1.24), limit +20%: over it, shown."
    )


def test_in_a_row_a_measure_reads_in_whole_percents() -> None:
    assert operational_text(dearer(0.2, p_over=0.03)) == "cost +24% [+18%, +31%], limit +20%: over it, shown"


def test_a_change_next_to_its_limit_keeps_a_decimal() -> None:
    assert operational_text(measured("latency_p95", 1000, 1204, 0.2)).startswith("p95 latency +20.4%, limit +20%: over")


def test_an_increase_from_nothing_reads_its_values() -> None:
    assert operational_sentence(measured("output_tokens", 0.0, 12.0)) == (
        "output tokens of `mini` against `august`: 0.0 to 12.0."
    )


def test_a_measure_that_is_unknown_says_so_with_its_limit() -> None:
    assert operational_sentence(measured("cost", None, None, 0.2)) == (
        "cost of `mini` against `august` could not be measured, limit +20%."
    )


def test_an_open_end_of_the_interval_is_called_open() -> None:
    open_above = measured("latency_p95", 900, 1100, interval=(0.9, None), tested_ratio=1.2)
    assert "[-10.0%, open]" in operational_sentence(open_above)


def test_an_interval_that_is_open_on_both_sides_says_so() -> None:
    nothing = measured("latency_p95", 1000, 1100, interval=(None, None))
    assert operational_text(nothing) == "p95 latency +10%, interval not known"


def test_the_interval_of_another_ratio_is_shown_with_that_ratio() -> None:
    few = measured(
        "cost", 1.0, 1.5, 0.2, tested_ratio=1.02, interval=(1.01, 1.04), interval_is_of_ratio=False, p_more=0.2
    )
    assert operational_text(few) == (
        "cost +50% (case by case +2% [+1%, +4%]), limit +20%: over it as observed, not shown: it may be chance"
    )


@pytest.mark.parametrize(
    ("limit", "tests", "expected"),
    [
        (None, {}, Standing.UNLIMITED),
        (0.2, {"p_more": 0.001, "p_over": 0.05}, Standing.OVER_SHOWN),
        (0.2, {"p_more": 0.001, "p_over": 0.051}, Standing.OVER_INCREASE_SHOWN),
        (0.2, {"p_more": 0.2, "p_over": 0.6}, Standing.OVER_OBSERVED),
        (0.2, {}, Standing.OVER_OBSERVED),
        (0.2, {"p_more": 0.001, "interval_is_of_ratio": False}, Standing.OVER_OBSERVED),
        (0.3, {"p_within": 0.05}, Standing.WITHIN_SHOWN),
        (0.3, {"p_within": 0.06}, Standing.WITHIN_OBSERVED),
        (0.3, {"p_within": 0.06, "confidence": 0.9}, Standing.WITHIN_SHOWN),
    ],
)
def test_what_is_observed_decides_over_or_within_and_the_tests_what_is_shown(
    limit: float | None, tests: dict[str, Any], expected: Standing
) -> None:
    assert standing(dearer(limit, **tests)) is expected


def test_a_limit_without_anything_measured_stands_unknown() -> None:
    unknown = measured("cost", None, None, 0.2)
    assert standing(unknown) is Standing.UNKNOWN
    assert limit_text(unknown) == "limit +20%: not measured"


def test_an_increase_of_exactly_the_limit_is_within_it() -> None:
    assert [increase_broken(measured("cost", 1.0, after, 0.2)) for after in (1.2, 1.2001)] == [False, True]
