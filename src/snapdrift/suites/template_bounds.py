"""How much a rendering may take: time, steps, the texts and lists that it makes, and the size of what it looks into.

A template of a few lines can double a list forty times. The list itself stays small, for it holds one list twice, and
everything that goes through it does not end. So whatever goes through a value looks first how large it is written out,
and looks at the clock. Imported only by what renders, for Jinja is slow to import.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import local
from typing import Any

from jinja2 import Undefined
from jinja2.exceptions import SecurityError

MAX_TEXT = 2_000_000
"""Characters of a rendered text, and of any text on the way to it."""
MAX_DATA = 80_000_000
"""Characters of a text that an expression yields as it is: a case may hold an image or a document as a data URL."""
MAX_MADE = 2 * MAX_DATA
"""Characters of all texts that one rendering makes on its way, a list's element counting as some."""
MAX_LIST = 100_000
"""Elements of a list made by a template."""
MAX_VALUES = 2_000_000
"""Values in lists and mappings, however deep, that are gone through at once."""
MAX_LOOP_STEPS = 100_000
"""Steps of all loops of one rendering together."""
MAX_SECONDS = 5.0
"""Seconds of processor time that one rendering may take; how busy the machine is plays no part."""
MAX_BITS = 16_384
"""Of a whole number that a filter makes: to divide by one of millions takes seconds."""
_ELEMENT = 64
"""Characters that an element of a list counts as."""
_OFTEN = 4_096
"""After how many values the clock is looked at."""


class _Meter:
    """What one rendering has left."""

    __slots__ = ("made", "steps", "until")

    def __init__(self) -> None:
        self.until = time.thread_time() + MAX_SECONDS
        self.steps = MAX_LOOP_STEPS
        self.made = MAX_MADE


class _Meters(local):
    """The rendering of this thread, None where there is none."""

    now: _Meter | None = None


_METERS = _Meters()


@contextmanager
def metered() -> Iterator[None]:
    """What is rendered inside is one rendering."""
    before, _METERS.now = _METERS.now, _Meter()
    try:
        yield
    finally:
        _METERS.now = before


def look_at_clock() -> None:
    """Raises `SecurityError` once a rendering takes too long."""
    meter = _METERS.now
    if meter is not None and time.thread_time() > meter.until:
        raise SecurityError(f"the template takes more than {MAX_SECONDS:g} seconds")


def loop_steps(values: Any) -> Iterator[Any]:
    """The values that a loop goes through, each of them a step."""
    meter = _METERS.now
    for value in values:
        if meter is not None:
            meter.steps -= 1
            if meter.steps < 0:
                raise SecurityError(f"the loops take more than {MAX_LOOP_STEPS:,} steps")
            look_at_clock()
        yield value


def made(value: Any) -> Any:
    """The same value, which a rendering made: what texts and lists take is counted, and numbers are bounded."""
    size = 0
    if isinstance(value, str):
        size = len(value)
    elif isinstance(value, list | tuple):
        size = _ELEMENT * len(value)
    elif isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise SecurityError("the number is too large")
    meter = _METERS.now
    if meter is not None and size:
        meter.made -= size
        if meter.made < 0:
            raise SecurityError(f"the texts that the template makes on its way are larger than {MAX_MADE:,}")
    return value


def checked(value: Any, characters: int = MAX_DATA) -> Any:
    """The value itself, if going through it has an end: not too large when written out, an iterator counted."""
    if isinstance(value, list | tuple | Mapping):
        plain_value(value, characters)
    elif isinstance(value, Iterator):
        return _counted(value)
    return value


def bounded_length(length: int, limit: int) -> None:
    """Raises `SecurityError` when a text or list would be too long."""
    if length > limit:
        raise SecurityError(f"the result is larger than {limit:,}")


def first_items(values: Iterable[Any]) -> Iterator[Any]:
    """The values; raises `SecurityError` when they are more than a list may have."""
    for count, value in enumerate(values, start=1):
        bounded_length(count, MAX_LIST)
        yield value


def plain_value(value: Any, characters: int = MAX_DATA) -> Any:
    """The value as data (text, number, true, false, null, list, mapping), iterators read out.

    Raises `SecurityError` for methods and other objects that an expression may end in and for what is too large when
    it is written out (one long text or list many times in a list), `UndefinedError` for what is not defined.
    """
    look_at_clock()
    return _plain(value, [characters, MAX_VALUES, characters], 0)


def _counted(values: Iterator[Any]) -> Iterator[Any]:
    """What an iterator yields, as far as all of it could be kept."""
    characters = 0
    for count, value in enumerate(values, start=1):
        bounded_length(count, MAX_LIST)
        if isinstance(value, str):
            characters += len(value)
            bounded_length(characters, MAX_DATA)
        look_at_clock()
        yield value


def _plain(value: Any, room: list[int], depth: int) -> Any:
    """The same inside a value; `room` is the characters left, the values left, and the characters there were."""
    if depth > 100:
        raise SecurityError("the value is nested more than 100 levels deep")
    room[0] -= len(value) if isinstance(value, str) else 1
    room[1] -= 1
    if room[0] < 0:
        raise SecurityError(f"the result is larger than {room[2]:,}")
    if room[1] < 0:
        raise SecurityError(f"the result has more than {MAX_VALUES:,} values")
    if not room[1] % _OFTEN:
        look_at_clock()
    if isinstance(value, Undefined):
        str(value)  # strict: raises with the name that is missing
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return {_key_text(key, room): _plain(item, room, depth + 1) for key, item in value.items()}
    if isinstance(value, Sequence | Iterator) or type(value).__name__ in ("dict_keys", "dict_values", "dict_items"):
        return [_plain(item, room, depth + 1) for item in first_items(value)]
    raise SecurityError(f"the expression yields a {type(value).__name__}, not data")


def _key_text(key: Any, room: list[int]) -> str:
    text = key if isinstance(key, str) else str(_plain(key, room, 100))
    room[0] -= len(text)
    return str(text)
