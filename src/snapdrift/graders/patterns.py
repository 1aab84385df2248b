"""Regular expressions that users write, run over text that a model wrote: bounded in time."""

from __future__ import annotations

from collections.abc import Iterator

import regex

from snapdrift.graders.marks import CannotGradeError

TIMEOUT_SECONDS = 1.0
"""Of processor time, for one search over one answer."""
PATTERN_LIMIT = 4_000
"""Characters of a pattern; a suite from a stranger must not be able to hang the check itself."""
_REMEMBERED = 10_000
"""Searches that ran out of time and are remembered: a few bytes each."""

_Search = tuple[str, int, int, int, str]
_out_of_time: dict[_Search, None] = {}


def compiled(pattern: str) -> regex.Pattern[str]:
    """The compiled pattern (cached by `regex`). Raises `ValueError` with a sentence."""
    if len(pattern) > PATTERN_LIMIT:
        raise ValueError(f"expected a pattern of at most {PATTERN_LIMIT:,} characters, not {len(pattern):,}")
    try:
        return regex.compile(pattern)
    except (regex.error, RecursionError, OverflowError) as error:
        raise ValueError(f"expected a regular expression: {error}") from None


def matches(pattern: regex.Pattern[str], text: str) -> Iterator[regex.Match[str]]:
    """The matches in the text. Raises `CannotGradeError` when finding them takes too long."""
    search = _search(pattern, text, "all")
    if search in _out_of_time:
        raise _took_too_long(pattern)
    try:
        yield from pattern.finditer(text, timeout=TIMEOUT_SECONDS)
    except TimeoutError:
        _remember(search)
        raise _took_too_long(pattern) from None


def first_match(pattern: regex.Pattern[str], text: str) -> regex.Match[str] | None:
    """The first match, or None. Raises `CannotGradeError` when looking for it takes too long."""
    search = _search(pattern, text, "first")
    if search in _out_of_time:
        raise _took_too_long(pattern)
    try:
        return pattern.search(text, timeout=TIMEOUT_SECONDS)
    except TimeoutError:
        _remember(search)
        raise _took_too_long(pattern) from None


def matches_whole(pattern: regex.Pattern[str], text: str) -> bool:
    """Whether the pattern matches the text from end to end. Raises `CannotGradeError` like `matches`."""
    search = _search(pattern, text, "whole")
    if search in _out_of_time:
        raise _took_too_long(pattern)
    try:
        return pattern.fullmatch(text, timeout=TIMEOUT_SECONDS) is not None
    except TimeoutError:
        _remember(search)
        raise _took_too_long(pattern) from None


def _search(pattern: regex.Pattern[str], text: str, what: str) -> _Search:
    """What is looked for in which text. Texts are told apart by hash and length: keeping them would fill the memory."""
    return pattern.pattern, pattern.flags, hash(text), len(text), what


def _remember(search: _Search) -> None:
    """Equal answers are many (a model that repeats itself, variants that agree), and each would take as long again."""
    while len(_out_of_time) >= _REMEMBERED:
        del _out_of_time[next(iter(_out_of_time))]
    _out_of_time[search] = None


def _took_too_long(pattern: regex.Pattern[str]) -> CannotGradeError:
    return CannotGradeError(
        f"the pattern {pattern.pattern[:80]!r} took more than {TIMEOUT_SECONDS:g} s on this answer; "
        "make it simpler (nested repeats are the usual cause)"
    )
