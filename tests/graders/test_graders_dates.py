"""`date` and `duration`."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.graders.base import Grader
from snapdrift.graders.calendar_dates import DayOrder, first_date
from snapdrift.graders.lengths_of_time import Clock, Unit, first_duration
from snapdrift.model import Case, Reason, Score
from snapdrift.suites.registry import InvalidEntryError

Scored = Callable[..., Score]
Parse = Callable[..., Grader]

JANUARY_31 = datetime.date(2025, 1, 31)


@pytest.mark.parametrize(
    "text",
    [
        "2025-01-31",
        "2025/1/31",
        "2025.01.31",
        "20250131",
        "2025-01-31T23:30:00+02:00",
        "31 January 2025",
        "31st of January, 2025",
        "31. Jan. 2025",
        "31-JAN-2025",
        "the 31st day of January 2025",
        "January 31, 2025",
        "Jan 31st 2025",
        "31/01/2025",
        "01/31/2025",
        "It is due on Friday, 31 January 2025, or a week later (7 February 2025).",
        "{2025-01-31}",
    ],
)
def test_the_first_date_of_a_text_is_read(text: str) -> None:
    assert first_date(text) == JANUARY_31


@pytest.mark.parametrize("text", ["03/04/2025", "3.4.2025", "30 February 2025", "2025-13-01", "31/31/2025"])
def test_what_could_be_two_dates_or_is_none_is_named_and_no_later_one_taken(text: str) -> None:
    assert first_date(f"On {text}, not 5 May 2025") == text


@pytest.mark.parametrize(
    "text", ["", "soon", "May 2025", "31/01/25", "order 120250131", "1.2.3", "31 Januar 2025", "٣"]
)
def test_a_text_without_a_date_has_none(text: str) -> None:
    assert first_date(text) is None


def test_an_order_says_how_day_and_month_stand() -> None:
    assert first_date("03/04/2025", DayOrder.DAY_FIRST) == datetime.date(2025, 4, 3)
    assert first_date("03/04/2025", DayOrder.MONTH_FIRST) == datetime.date(2025, 3, 4)
    assert first_date("01/31/2025", DayOrder.DAY_FIRST) == "01/31/2025"


@given(st.dates(min_value=datetime.date(1000, 1, 1)))
def test_every_date_is_read_back_from_the_forms_that_it_is_written_in(day: datetime.date) -> None:
    written = [day.isoformat(), f"{day:%d %B %Y}", f"{day:%B %d, %Y}", f"{day:%Y/%m/%d}"]

    assert [first_date(f"due {text}.") for text in written] == [day] * len(written)
    assert first_date(f"{day:%d/%m/%Y}", DayOrder.DAY_FIRST) == day


@pytest.mark.parametrize(
    ("entry", "text", "reason"),
    [
        ({"date": "2025-01-31"}, "Due January 31, 2025.", Reason.PASSED),
        ({"date": "31 January 2025"}, "2025-02-01", Reason.WRONG),
        ({"date": "2025-01-31", "within": 1}, "2025-02-01", Reason.PASSED),
        ({"date": "2025-01-31", "within": 1}, "2025-01-30", Reason.PASSED),
        ({"date": "2025-01-31", "within": 1}, "2025-02-02", Reason.WRONG),
        ({"date": "2025-04-03"}, "03/04/2025", Reason.UNEXTRACTED),
        ({"date": "2025-04-03", "order": "day_first"}, "03/04/2025", Reason.PASSED),
        ({"date": "2025-04-03", "order": "month_first"}, "03/04/2025", Reason.WRONG),
        ({"date": "2025-01-31"}, "tomorrow", Reason.UNEXTRACTED),
        ({"date": "2025-01-31"}, "30 February 2025", Reason.UNEXTRACTED),
        ({"date": "2025-01-31", "extract": {"json": "due"}}, '{"due": "2025-01-31"}', Reason.PASSED),
        ({"date": "2025-01-31", "extract": {"json": "due"}}, '{"due": 20250131}', Reason.UNEXTRACTED),
        ({"date": "2025-01-31", "extract": {"json": "due"}}, "2025-01-31", Reason.INVALID_JSON),
        ({"date": "2025-01-31"}, "2025-01-3\ud800", Reason.PASSED),
        ({"date": "2025-01-31"}, "9999999-99-99 " * 70_000, Reason.UNEXTRACTED),
        ({"duration": "90 min"}, "1:30:00", Reason.PASSED),
        ({"duration": "90 min"}, "It takes an hour and a half.", Reason.PASSED),
        ({"duration": "PT1H30M"}, "2 h", Reason.WRONG),
        ({"duration": "PT1H30M", "within": 60}, "91 minutes", Reason.PASSED),
        ({"duration": "PT1H30M", "within": 59.9}, "91 minutes", Reason.WRONG),
        ({"duration": "PT1H30M", "within": 60}, "89 minutes", Reason.PASSED),
        ({"duration": "0.1 s", "within": 0.2}, "0.3 s", Reason.PASSED),
        ({"duration": "PT1H30M"}, "1:30", Reason.UNEXTRACTED),
        ({"duration": "PT1H30M", "clock": "hours"}, "1:30", Reason.PASSED),
        ({"duration": "PT1H30M", "clock": "minutes"}, "1:30", Reason.WRONG),
        ({"duration": 90, "number_unit": "minutes"}, "1 h 30 min", Reason.PASSED),
        ({"duration": "2 h"}, "2 to 3 hours", Reason.UNEXTRACTED),
        ({"duration": "2 h"}, "soon", Reason.UNEXTRACTED),
        ({"duration": "2 h", "number_unit": "hours", "extract": {"json": "h"}}, '{"h": 2.0}', Reason.PASSED),
        ({"duration": "2 h", "number_unit": "hours", "extract": {"json": "h"}}, '{"h": -2}', Reason.UNEXTRACTED),
        ({"duration": "2 h", "number_unit": "hours", "extract": {"json": "h"}}, '{"h": true}', Reason.UNEXTRACTED),
        ({"duration": "2 h", "extract": {"json": "h"}}, '{"h": 2}', Reason.UNEXTRACTED),
        ({"duration": "2 h", "extract": {"json": "h"}}, '{"h": Infinity}', Reason.INVALID_JSON),
        ({"duration": "2 h"}, "2 h\ud800", Reason.PASSED),
    ],
)
def test_the_first_date_or_duration_is_judged(entry: dict[str, Any], text: str, reason: Reason, score: Scored) -> None:
    text = text.replace("3\ud800", "31\ud800")

    assert score(entry, text).reason is reason


def test_a_date_that_is_off_is_told_with_how_far(score: Scored) -> None:
    assert score({"date": "2025-01-31"}, "1 Feb 2025").detail == "expected 2025-01-31, found 2025-02-01, 1 day later"
    assert score({"duration": "2 h"}, "90 min").detail == 'expected "2 h", found "90 min", 1800 s shorter'


def test_an_ambiguous_form_says_which_argument_would_settle_it(score: Scored) -> None:
    assert "`order: day_first`" in score({"date": "2025-01-31"}, "03/04/2025").detail
    assert "`clock: hours`" in score({"duration": "2 h"}, "2:00").detail
    assert "order" not in score({"date": "2025-01-31"}, "30 February 2025").detail
    assert "clock" not in score({"duration": "2 h"}, "2 to 3 hours").detail


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"date": "{{ expected }}"}, "soon"),
        ({"date": "{{ expected }}"}, "03/04/2025"),
        ({"date": "{{ expected }}"}, 20250131),
        ({"duration": "{{ expected }}"}, "soon"),
        ({"duration": "{{ expected }}"}, 90),
        ({"duration": "{{ expected }}"}, "1:30"),
        ({"duration": "{{ expected }}", "number_unit": "hours"}, -1),
    ],
)
def test_an_expected_value_that_is_none_is_found_when_the_suite_is_loaded(
    entry: dict[str, Any], expected: Any, parse: Parse, score: Scored
) -> None:
    with pytest.raises(InvalidEntryError, match="is not one"):
        parse(entry, [Case("c1", expected=expected)])


SPOKEN = {
    "2 h 30 min": 9_000, "2h30m": 9_000, "2 hours and 30 minutes": 9_000, "2 hrs, 30 mins": 9_000, "150 min": 9_000,
    "2.5 hours": 9_000, "two and a half hours": 9_000, "two hours and a half": 9_000, "half an hour": 1_800,
    "an hour": 3_600, "a quarter of an hour": 900, "three quarters of an hour": 2_700, "twenty-five minutes": 1_500,
    "forty two minutes": 2_520, "one week, two days": 777_600, "1,200 ms": Fraction(6, 5), "0 s": 0,
    "a 90-minute film": 5_400, "1:30:00": 5_400, "100:00:00.5": Fraction(720_001, 2), "PT1H30M": 5_400,
    "P2W": 1_209_600, "P1DT1S": 86_401, "PT0.5S": Fraction(1, 2), "Total: 90 minutes, then 2 hours.": 5_400,
    "a second try in 5 min": 300,
}  # fmt: skip


@pytest.mark.parametrize(("text", "seconds"), SPOKEN.items(), ids=SPOKEN)
def test_a_length_of_time_is_read_in_seconds(text: str, seconds: Fraction) -> None:
    assert first_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["2-3 hours", "2 to 3 hours", "\u22125 min", "-5 min", "1,5 h", "1h30", "quarters of an hour", "1:30"]
)
def test_what_is_no_single_length_of_time_is_named_and_no_later_one_taken(text: str) -> None:
    assert first_duration(f"about {text}; or 10 min") == text


@pytest.mark.parametrize("text", ["", "soon", "P1Y", "PT", "P", "3 months", "5 people", "12:75:00", "hours", "90"])
def test_a_text_without_a_length_of_time_has_none(text: str) -> None:
    assert first_duration(text) is None


def test_a_clock_of_two_parts_and_a_bare_number_are_read_as_the_grader_says() -> None:
    assert first_duration("1:30", clock=Clock.HOURS) == 5_400
    assert first_duration("1:30", clock=Clock.MINUTES) == 90
    assert first_duration(" 90 ", unit=Unit.MINUTES) == 5_400
    assert first_duration("90 s", unit=Unit.MINUTES) == 90


@given(st.integers(0, 10_000), st.integers(0, 59), st.integers(0, 59))
def test_every_length_of_time_is_read_back_from_the_forms_that_it_is_written_in(h: int, m: int, s: int) -> None:
    written = [f"{h}:{m:02}:{s:02}", f"PT{h}H{m}M{s}S", f"{h} hours, {m} minutes and {s} seconds", f"{h}h {m}m {s}s"]

    assert {first_duration(text) for text in written} == {Fraction(3_600 * h + 60 * m + s)}
