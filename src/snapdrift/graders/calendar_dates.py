"""Calendar dates as people and models write them, found in a text."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

import regex

_MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october")
_MONTH_NUMBERS = {name: number for number, name in enumerate((*_MONTHS, "november", "december"), start=1)}
_SHORT = {name[:3]: number for name, number in _MONTH_NUMBERS.items()} | {"sept": 9}

_NAME = rf"(?P<month>{'|'.join((*_MONTH_NUMBERS, 'sept', *(name[:3] for name in _MONTH_NUMBERS)))})\.?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>\d{4})(?!\d)"
_GAP = r"(?:\s{1,3}|\s?[-/.]\s?)"
_FORMS = (
    r"(?P<year>\d{4})(?P<mark>[-/.])(?P<number>\d{1,2})(?P=mark)(?P<day>\d{1,2})(?!\d)",
    r"(?P<year>\d{4})(?P<number>\d{2})(?P<day>\d{2})(?![\d\w])",
    rf"{_DAY}(?:\s(?:day\s)?of)?{_GAP}{_NAME},?{_GAP}{_YEAR}",
    rf"{_NAME}{_GAP}{_DAY},?{_GAP}{_YEAR}",
    r"(?P<first>\d{1,2})(?P<mark>[-/.])(?P<second>\d{1,2})(?P=mark)(?P<year>\d{4})(?!\d)",
)
_FORM = regex.compile("|".join(rf"(?<![\w])(?<!\d[-/.,])(?:{form})" for form in _FORMS), regex.IGNORECASE)


class DayOrder(StrEnum):
    """How `03/04/2025` is read."""

    DAY_FIRST = "day_first"
    MONTH_FIRST = "month_first"


def first_date(text: str, order: DayOrder | None = None) -> date | str | None:
    """The first thing in a text that is written as a date.

    A text where that is no date (30 February) or could be two (`03/04/2025`, unless `order` says how it is read);
    None where nothing is written as one. The year has four digits; months have English names; a time of day after the
    date is left out.
    """
    match = _FORM.search(text)
    if match is None:
        return None
    year, readings = int(match["year"]), _days_and_months(match, order)
    dates = {found for month, day in readings if (found := _date(year, month, day)) is not None}
    if len(dates) == 1:
        return dates.pop()
    return match[0]


def _days_and_months(match: regex.Match[str], order: DayOrder | None) -> list[tuple[int, int]]:
    """The ways to read it, each as month and day."""
    if match["first"] is None:
        return [(_month(match), int(match["day"]))]
    first, second = int(match["first"]), int(match["second"])
    if order is None:
        return [(first, second), (second, first)]
    return [(second, first) if order is DayOrder.DAY_FIRST else (first, second)]


def _month(match: regex.Match[str]) -> int:
    if match["number"] is not None:
        return int(match["number"])
    name = match["month"].casefold()
    return _MONTH_NUMBERS.get(name) or _SHORT[name]


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
