"""Lengths of time as people and models write them: `2 h 30 min`, `1:30:00`, `PT1H30M`, `half an hour`.

They are read exactly, as fractions of seconds. Months and years have no fixed length and are not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from fractions import Fraction
from functools import cache

import regex

_MAX_DIGITS = 12
_LOOKED_AT = 20
"""Characters before a length of time that may make it something else."""

_SECONDS: Mapping[str, Fraction] = {
    "weeks": Fraction(604_800),
    "days": Fraction(86_400),
    "hours": Fraction(3_600),
    "minutes": Fraction(60),
    "seconds": Fraction(1),
    "milliseconds": Fraction(1, 1_000),
}
_UNITS: Mapping[str, str] = {
    "weeks": r"weeks?|wks?|w",
    "days": r"days?|d",
    "hours": r"hours?|hrs?|h",
    "minutes": r"minutes?|mins?|m",
    "seconds": r"seconds?|secs?|s",
    "milliseconds": r"milliseconds?|msecs?|ms",
}
_TEENS = ("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
_ONES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", *_TEENS)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_WORDS: Mapping[str, int] = {
    **{word: number for number, word in enumerate(_ONES)},
    **{word: 10 * number for number, word in enumerate(_TENS, start=2)},
}

_DIGITS = rf"(?:\d{{1,3}}(?:,\d{{3}}){{1,3}}(?!\d)|\d{{1,{_MAX_DIGITS}}}+)(?:\.\d{{1,{_MAX_DIGITS}}}+)?"
_NUMBER_WORD = rf"(?:(?:{'|'.join(_TENS)})(?:[ -](?:{'|'.join(_ONES[1:10])}))?|{'|'.join(reversed(_ONES))})"
_SOME = (
    rf"(?:{_DIGITS}|{_NUMBER_WORD}(?:\s+and\s+a\s+half)?|half\s+an?|a\s+quarter\s+of\s+an|three\s+quarters\s+of\s+an)"
)
_BETWEEN = r"(?:\s{0,3},?\s{1,3}(?:and\s{1,3})?|,)?"
_ENDS = r"(?![^\W\d])"
"""After a unit there may be a number (`2h30m`), but no letter."""


def _part(unit: str, names: str) -> str:
    # `a second attempt` is no length of time: only longer units are counted by their article.
    some = _SOME if unit in ("seconds", "milliseconds") else rf"(?:{_SOME}|an?(?=\s))"
    return rf"(?:(?P<{unit}>{some})[\s-]{{0,3}}(?:{names})\.?{_ENDS}(?P<half_{unit}>\s+and\s+a\s+half\b)?{_BETWEEN})?"


_SPOILED = regex.compile(
    r"(?:[-\u2212]|\d[.,:/]|\d\s?(?:[-\u2013\u2014]|to|or)\s?|\b(?:quarters?|thirds?|fifths?|tenths?|half|part)\s+of\s)$"
)
"""What may not stand before it: a sign, part of a longer number, the beginning of a range, `3 quarters of` an hour."""
_ANY_PART = rf"(?:{_SOME}|an?(?=\s))[\s-]{{0,3}}(?:{'|'.join(_UNITS.values())})\.?{_ENDS}"
_PARTS = "".join(_part(unit, names) for unit, names in _UNITS.items())


@cache
def _spoken() -> regex.Pattern[str]:
    """Made when it is first needed: that takes longer than all else that this module does at its import."""
    return regex.compile(rf"(?<!\w)(?={_ANY_PART}){_PARTS}", regex.IGNORECASE)


_ISO = regex.compile(
    rf"(?<![\w-])P(?=[\dT])(?:(?P<weeks>{_DIGITS})W)?(?:(?P<days>{_DIGITS})D)?"
    rf"(?:T(?=\d)(?:(?P<hours>{_DIGITS})H)?(?:(?P<minutes>{_DIGITS})M)?(?:(?P<seconds>{_DIGITS})S)?)?(?!\w)"
)
_CLOCK = regex.compile(
    rf"(?<!\w)(?<!\d:)(?P<first>\d{{1,{_MAX_DIGITS}}}+):(?P<second>[0-5]\d)(?::(?P<third>[0-5]\d(?:\.\d{{1,6}})?))?(?![:\w])"
)
_MORE = regex.compile(r"\d{1,12}")
_PLAIN = regex.compile(rf"\s*({_DIGITS})\s*")
_PHRASES: Mapping[str, Fraction] = {
    "a": Fraction(1),
    "an": Fraction(1),
    "half a": Fraction(1, 2),
    "half an": Fraction(1, 2),
    "a quarter of an": Fraction(1, 4),
    "three quarters of an": Fraction(3, 4),
}


class Unit(StrEnum):
    """What a number without a unit counts."""

    MILLISECONDS = "milliseconds"
    SECONDS = "seconds"
    MINUTES = "minutes"
    HOURS = "hours"
    DAYS = "days"


class Clock(StrEnum):
    """How `1:30` is read: as hours and minutes, or as minutes and seconds."""

    HOURS = "hours"
    MINUTES = "minutes"


def first_duration(text: str, *, clock: Clock | None = None, unit: Unit | None = None) -> Fraction | str | None:
    """The first thing in a text that is written as a length of time, in seconds.

    A text where that is none after all: it could be two (`1:30`, unless `clock` says how it is read), it is negative, a
    range (`2 to 3 hours`), or goes on with a number without a unit (`1h30`). None where there is none. With `unit`, a
    text that is one number and nothing else counts so many of them.
    """
    plain = _PLAIN.fullmatch(text) if unit is not None else None
    if plain is not None and unit is not None:
        return _number(plain[1]) * _SECONDS[unit]
    candidates = [match for match in (_ISO.search(text), _CLOCK.search(text), _first_spoken(text)) if match]
    if not candidates:
        return None
    first = min(candidates, key=lambda match: match.start())
    before = _SPOILED.search(text, max(0, first.start() - _LOOKED_AT), first.start())
    if before is not None:
        return before[0] + first[0].rstrip()
    if first.re is _CLOCK:
        return _clock_seconds(first, clock)
    more = None if first[0].rstrip().endswith((",", "and")) else _MORE.match(text, first.end())
    return sum(_parts(first), Fraction(0)) if more is None else first[0] + more[0]


def _first_spoken(text: str) -> regex.Match[str] | None:
    # Every part of the pattern may be missing, so it may match nothing at all (before `a second`).
    return next((match for match in _spoken().finditer(text) if match[0]), None)


def _parts(match: regex.Match[str]) -> Iterator[Fraction]:
    for unit, written in match.groupdict().items():
        if written is None:
            continue
        if unit.startswith("half_"):
            yield _SECONDS[unit.removeprefix("half_")] / 2
        else:
            yield _number(written) * _SECONDS[unit]


def _clock_seconds(match: regex.Match[str], clock: Clock | None) -> Fraction | str:
    first, second = int(match["first"]), int(match["second"])
    if match["third"] is not None:
        return Fraction(3_600 * first + 60 * second) + Fraction(match["third"])
    if clock is None:
        return match[0]
    return Fraction(60 * first + second) * (60 if clock is Clock.HOURS else 1)


def _number(written: str) -> Fraction:
    plain = " ".join(written.casefold().replace(",", "").split())
    if plain[0].isdigit():
        return Fraction(plain)
    if plain in _PHRASES:
        return _PHRASES[plain]
    half = plain.endswith(" and a half")
    words = plain.removesuffix(" and a half").replace("-", " ").split()
    return Fraction(sum(_WORDS[word] for word in words)) + (Fraction(1, 2) if half else 0)
