"""Numbers as people and models write them: `-1,234.50`, `$70,000`, `1/2`, `1 1/2`, `3e8`, `50%`.

They are read exactly, as fractions, so that a tolerance means what it says at its edge.
"""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import regex

_MAX_CHARACTERS = 400
"""A longer number is no number that anybody asked for, and exact arithmetic on it is slow."""
_MAX_EXPONENT = 400

_MARK = r"[,'’_\u00a0\u202f\u2009]"
_WHOLE = rf"(?:\d{{1,3}}(?:{_MARK}\d{{3}})++(?!\d)|\d{{1,2}}(?:{_MARK}\d{{2}}(?!\d))++{_MARK}\d{{3}}(?!\d)|\d++)"
_DECIMAL = rf"(?:{_WHOLE}(?:\.\d++)?|(?<![\w.])\.\d++)"
_NUMBER = regex.compile(
    rf"(?:(?<![\w)\]])(?P<sign>[-+\u2212])(?:\p{{Sc}}\s?)?)?"
    rf"(?:(?P<extra>\d++)\s(?P<part>\d{{1,4}})[/\u2044](?P<of>\d{{1,4}})(?![\d/.])"
    rf"|(?P<top>{_DECIMAL})(?:[eE](?P<exponent>[-+]?\d{{1,6}})(?!\w))?"
    rf"(?:\s?[/\u2044]\s?(?P<bottom>{_DECIMAL})(?!\s?/))?)"
    r"(?P<percent>\s?%)?"
)
_MONEY_AROUND = regex.compile(r"^\s*(?:\p{Sc}\s?)?(.*?)(?:\s?\p{Sc})?\s*$", regex.DOTALL)
_NOT_DIGITS = regex.compile(r"[^\d.]")


def first_number(text: str, *, percent: bool = False, decimal: str = ".") -> Fraction | None:
    """The first number in the text, or None where there is none that can be read.

    Currency signs are skipped, thousands marks removed and `a/b` evaluated. With `percent`, `50%` is 0.5, else 50.
    `decimal` is the decimal mark, `.` or `,`; the other one then marks thousands.
    """
    if decimal == ",":
        text = text.translate({ord("."): ",", ord(","): "."})
    match = _NUMBER.search(text)
    return None if match is None else _value(match, percent=percent)


def as_number(value: Any, *, percent: bool = False, decimal: str = ".") -> Fraction | None:
    """A JSON number, or the first number of a text; None for anything else (booleans, `null`, NaN)."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return Fraction(value)
    if isinstance(value, float):
        return _exact(value) if math.isfinite(value) else None
    return first_number(value, percent=percent, decimal=decimal) if isinstance(value, str) else None


def canonical_number(text: str) -> str:
    """A text that is a number and nothing else (but a currency sign) in one form, `1,200.0` as `1200`; others as is."""
    if len(text) > _MAX_CHARACTERS:
        return text
    around = _MONEY_AROUND.match(text)
    match = _NUMBER.fullmatch(around[1]) if around else None
    value = None if match is None or match["percent"] else _value(match, percent=False)
    return text if value is None else written(value)


def written(value: Fraction) -> str:
    """The shortest exact form: digits, a finite decimal, or `a/b`."""
    bottom, places = value.denominator, 0
    for prime in (2, 5):
        count = 0
        while bottom % prime == 0:
            bottom //= prime
            count += 1
        places = max(places, count)
    if bottom != 1:
        return f"{value.numerator}/{value.denominator}"
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    sign = "-" if value < 0 else ""
    return f"{sign}{digits[:-places]}.{digits[-places:]}" if places else f"{sign}{digits}"


def close(found: Fraction, wanted: Fraction, *, absolute: float = 0.0, relative: float = 0.0) -> bool:
    """Whether two numbers are equal, exactly or as floats, or differ by no more than the larger tolerance."""
    if found == wanted:
        return True
    if abs(found - wanted) <= max(_exact(absolute), _exact(relative) * abs(wanted)):
        return True
    try:
        return float(found) == float(wanted)
    except OverflowError:
        return False


def _exact(number: float) -> Fraction:
    """The fraction that a float is written as: 0.1 is a tenth."""
    return Fraction(Decimal(repr(number)))


def _value(match: regex.Match[str], *, percent: bool) -> Fraction | None:
    if match.end() - match.start() > _MAX_CHARACTERS:
        return None
    value = _plain(match) if match["extra"] is None else _mixed(match)
    if value is None:
        return None
    if match["sign"] in ("-", "\u2212"):
        value = -value
    return value / 100 if percent and match["percent"] else value


def _mixed(match: regex.Match[str]) -> Fraction | None:
    part, of = int(match["part"]), int(match["of"])
    # "12 34/5" is two numbers, of which the first counts; "1 1/2" is one.
    return Fraction(int(match["extra"])) + (Fraction(part, of) if part < of else 0)


def _plain(match: regex.Match[str]) -> Fraction | None:
    exponent = int(match["exponent"] or 0)
    if abs(exponent) > _MAX_EXPONENT:
        return None
    top = Fraction(_digits(match["top"])) * Fraction(10) ** exponent
    if match["bottom"] is None:
        return top
    bottom = Fraction(_digits(match["bottom"]))
    return top / bottom if bottom else None


def _digits(text: str) -> str:
    return _NOT_DIGITS.sub("", text)
