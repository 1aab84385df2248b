"""Regular expressions that users write, run over text that a model wrote: bounded in time."""

from __future__ import annotations

from collections.abc import Iterator

import regex

from snapdrift.graders.marks import CannotGradeError

TIMEOUT_SECONDS = 1.0
PATTERN_LIMIT = 4_000
"""Characters of a pattern; a suite from a stranger must not be able to hang the check itself."""


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
    try:
        yield from pattern.finditer(text, timeout=TIMEOUT_SECONDS)
    except TimeoutError:
        raise CannotGradeError(
            f"the pattern {pattern.pattern[:80]!r} took more than {TIMEOUT_SECONDS:g} s on this answer; "
            "make it simpler (nested repeats are the usual cause)"
        ) from None


def first_match(pattern: regex.Pattern[str], text: str) -> regex.Match[str] | None:
    """The first match, or None. Raises `CannotGradeError` when looking for it takes too long."""
    return next(matches(pattern, text), None)


def matches_whole(pattern: regex.Pattern[str], text: str) -> bool:
    """Whether the pattern matches the text from end to end. Raises `CannotGradeError` like `matches`."""
    try:
        return pattern.fullmatch(text, timeout=TIMEOUT_SECONDS) is not None
    except TimeoutError:
        raise CannotGradeError(
            f"the pattern {pattern.pattern[:80]!r} took more than {TIMEOUT_SECONDS:g} s on this answer"
        ) from None
