"""What templates take texts apart with, so that a text of a case, which may be an image of many megabytes, stays whole.

A text that is gone through letter by letter, or of which every word becomes a value of its own, takes fifty times its
size and seconds in which nothing looks at the clock. Imported only by what renders, as the bounds are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jinja2.exceptions import SecurityError

from snapdrift.suites.template_bounds import MAX_DATA, MAX_LIST, MAX_TEXT, bounded_length, checked

MAX_TRIMMED = 1_000
"""Characters that are trimmed off a text: each of the text is looked up in all of them."""
_LINE_ENDS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_BY_LETTER = dict.fromkeys(
    ("groupby", "list", "map", "max", "min", "reject", "rejectattr", "select", "selectattr", "sort", "unique"), MAX_LIST
)
_BY_WORD = dict.fromkeys(("striptags", "title", "urlencode", "wordcount"), MAX_TEXT)
_LONGEST = _BY_LETTER | _BY_WORD
"""Characters of a text that a filter takes apart."""


def fit_for(filter_name: str, value: Any) -> Any:
    """What a filter is given, if it may take so much of it apart; raises `SecurityError` if not."""
    if isinstance(value, str):
        bounded_length(len(value), _LONGEST.get(filter_name, len(value)))
        return value
    return checked(value, _BY_WORD.get(filter_name, MAX_DATA))


def trimmed(text: Any, characters: str | None = None) -> str:
    """The filter `trim`."""
    return _strip(str(text), "strip", characters)


def _strip(text: str, method: str, characters: str | None = None) -> str:
    if characters is not None and len(characters) > MAX_TRIMMED:
        raise SecurityError(f"`{method}` takes at most {MAX_TRIMMED:,} characters")
    return str(getattr(text, method)(characters))


def _split(text: str, method: str, sep: str | None = None, maxsplit: int = -1) -> list[str]:
    pieces: list[str] = getattr(text, method)(sep, MAX_LIST if maxsplit < 0 else min(maxsplit, MAX_LIST))
    bounded_length(len(pieces), MAX_LIST)
    return pieces


def _splitlines(text: str, _method: str, *arguments: Any, **named: Any) -> list[str]:
    if len(text) > MAX_LIST:
        bounded_length(sum(map(text.count, _LINE_ENDS)) - text.count("\r\n"), MAX_LIST)
    return text.splitlines(*arguments, **named)


_METHODS: Mapping[str, Callable[..., Any]] = {
    "lstrip": _strip,
    "rsplit": _split,
    "rstrip": _strip,
    "split": _split,
    "splitlines": _splitlines,
    "strip": _strip,
}


def bounded_method(method: Any) -> Any:
    """What is called in a method's place: the same, with a bound, where one of a text has none of its own."""
    text = getattr(method, "__self__", None)
    bounded = _METHODS.get(method.__name__) if isinstance(text, str) else None
    if bounded is None:
        return method
    return lambda *arguments, **named: bounded(text, method.__name__, *arguments, **named)
