"""Reading JSON out of an answer, in the three ways that a suite can ask for.

All three refuse what JSON does not have (`NaN`, `Infinity`), numbers that no float or bounded integer holds, and
nesting so deep that what comes after could not walk it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Any, NoReturn

from snapdrift.graders.marks import InvalidJsonError
from snapdrift.graders.values import copied

MAX_DEPTH = 100
MAX_DIGITS = 1_000
"""Digits of an integer; Python itself refuses to write out more than 4,300."""


class JsonMode(StrEnum):
    """How JSON is found in an answer."""

    STRICT = "strict"
    FENCED = "fenced"
    FIRST_OBJECT = "first_object"


def read_json(text: str, mode: JsonMode = JsonMode.STRICT) -> Any:
    """The JSON value in the text. Raises `InvalidJsonError` with a sentence that says what is wrong with it.

    `strict` takes the whole text; `fenced` removes exactly one code fence around the whole text first (a text without
    one is taken as it is); `first_object` takes the first balanced object, with raw control characters in strings.
    """
    return _READERS[mode](text)


def _whole(text: str) -> Any:
    return copied(_document(text))


@lru_cache(maxsize=1)
def _document(text: str) -> Any:
    """What all of the text is, kept until another is read: the graders of an answer read it one after the other."""
    return _guarded(_STRICT.decode, text)


def _without_fence(text: str) -> Any:
    return _whole(unfenced(text))


def _first_object(text: str) -> Any:
    start = text.find("{")
    if start < 0:
        raise InvalidJsonError("no JSON object: the answer has no `{`")
    # Decoding at the first brace ends where that brace is closed: braces inside strings do not count.
    return _guarded(lambda source: _LENIENT.raw_decode(source)[0], text[start:])


def first_object_is_json(text: str) -> bool:
    """Whether the first object in the text is JSON by the letter, whatever stands around it."""
    start = text.find("{")
    try:
        return start >= 0 and _guarded(lambda source: _STRICT.raw_decode(source)[0], text[start:]) is not None
    except InvalidJsonError:
        return False


_READERS: Mapping[JsonMode, Callable[[str], Any]] = {
    JsonMode.STRICT: _whole,
    JsonMode.FENCED: _without_fence,
    JsonMode.FIRST_OBJECT: _first_object,
}


def unfenced(text: str) -> str:
    """The text without the one Markdown code fence that encloses all of it; the text itself where there is none.

    A fence is as in CommonMark (0.31, section 4.5): a line of at least three backticks or tildes with an optional
    language, closed by a line of at least as many of the same.
    """
    stripped = text.strip()
    if not stripped.startswith(("```", "~~~")):
        return text
    for mark in "`~":
        width = len(stripped) - len(stripped.lstrip(mark))
        first, newline, rest = stripped.partition("\n")
        if width < 3 or not newline or "`" in first[width:]:
            continue
        body, _, last = rest.rpartition("\n")
        closing = last.strip()
        if len(closing) >= width and not closing.strip(mark):
            return body
    return text


def _guarded(decode: Callable[[str], Any], text: str) -> Any:
    try:
        value = decode(text)
    except json.JSONDecodeError as error:
        raise InvalidJsonError(f"not JSON: {error.msg} at line {error.lineno} column {error.colno}") from None
    except RecursionError:
        raise InvalidJsonError(f"JSON nested deeper than {MAX_DEPTH} levels") from None
    except ValueError as error:
        raise InvalidJsonError(f"not JSON: {error}") from None
    if text.count("{") + text.count("[") > MAX_DEPTH and _deeper_than(value, MAX_DEPTH):
        raise InvalidJsonError(f"JSON nested deeper than {MAX_DEPTH} levels")
    return value


def _deeper_than(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit + 1):
        level = [
            child
            for parent in level
            if isinstance(parent, dict | list)
            for child in (parent.values() if isinstance(parent, dict) else parent)
        ]
        if not level:
            return False
    return True


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON value")


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"an integer of {len(digits):,} digits (at most {MAX_DIGITS:,} are read)")
    return int(digits)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:40]} is out of range")
    return number


def _decoder(*, strict: bool) -> json.JSONDecoder:
    return json.JSONDecoder(strict=strict, parse_constant=_refuse, parse_int=_integer, parse_float=_finite)


_STRICT = _decoder(strict=True)
_LENIENT = _decoder(strict=False)
