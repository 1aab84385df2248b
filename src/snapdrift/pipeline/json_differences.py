"""In which places two JSON values differ, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from snapdrift.model import canonical_json

_SHOWN = 60
"""Characters of a value that are shown, around the first that differs."""
_ABSENT = "(not there)"


@dataclass(frozen=True, slots=True)
class Difference:
    """A place (`body.input[0].content`) and both values, shortened."""

    path: str
    now: str
    then: str


def differences(now: Any, then: Any, path: str = "") -> Iterator[Difference]:
    """Every place in which two values differ, as deep as both have the same shape there."""
    if isinstance(now, Mapping) and isinstance(then, Mapping):
        for key in dict.fromkeys((*now, *then)):
            inside = f"{path}.{key}" if path else str(key)
            if key not in now or key not in then:
                yield Difference(inside, _side(now, key), _side(then, key))
            else:
                yield from differences(now[key], then[key], inside)
    elif isinstance(now, list) and isinstance(then, list) and len(now) == len(then):
        for number, (one, other) in enumerate(zip(now, then, strict=True)):
            yield from differences(one, other, f"{path}[{number}]")
    elif canonical_json(now) != canonical_json(then):
        yield Difference(path, *_shortened(_text(now), _text(then)))


def _side(value: Mapping[str, Any], key: str) -> str:
    return _cut(_text(value[key]), 0) if key in value else _ABSENT


def _text(value: Any) -> str:
    return value if isinstance(value, str) else canonical_json(value)


def _shortened(one: str, other: str) -> tuple[str, str]:
    """Both texts around the first character that differs."""
    pairs = enumerate(zip(one, other, strict=False))
    first = next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))
    start = max(0, first - _SHOWN // 3) if max(len(one), len(other)) > _SHOWN else 0
    return _cut(one, start), _cut(other, start)


def _cut(text: str, start: int) -> str:
    shown = text[start : start + _SHOWN]
    before, after = "…" if start else "", "…" if len(text) > start + _SHOWN else ""
    return f"{before}{shown}{after}"
