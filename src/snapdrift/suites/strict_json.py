"""JSON that every reader understands alike."""

from __future__ import annotations

import json
from typing import Any


def loads_strictly(text: str) -> Any:
    """`json.loads` without what JSON does not have or reads two ways.

    Raises `ValueError` for NaN and infinities, duplicate keys and half of a surrogate pair (which is no text).
    """
    value = json.loads(text, parse_constant=_no_constant, parse_float=finite, object_pairs_hook=_unique_keys)
    if "\\u" in text:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError("half of a surrogate pair (\\ud800 to \\udfff), which is no character") from None
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value")


def finite(text: str) -> float:
    """The number that a text says. Raises `ValueError` when it is too large to be one."""
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text} is too large a number")
    return number


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {json.dumps(twice, ensure_ascii=False)} appears twice in one object")
    return made
