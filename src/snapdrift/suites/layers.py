"""Mappings that override one another: the suite's request, then the variant's, and where each value came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snapdrift.suites.document import Document
from snapdrift.suites.registry import Location


@dataclass(frozen=True, slots=True)
class Layer:
    """A mapping as written, and where it stands."""

    value: Mapping[str, Any]
    document: Document
    location: Location


@dataclass(frozen=True, slots=True)
class Origin:
    """A place in a file."""

    document: Document
    location: Location


def merge(layers: Sequence[Layer]) -> dict[str, Any]:
    """Later layers win: mappings merge deeply, everything else (lists, null) replaces."""
    made: dict[str, Any] = {}
    for layer in layers:
        made = _merged(made, layer.value)
    return made


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    made = dict(base)
    for key, value in over.items():
        below = made.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        made[key] = _merged(below, value) if both else value  # type: ignore[arg-type]
    return made


def without_nulls(settings: Mapping[str, Any], keep: frozenset[Location], at: Location = ()) -> dict[str, Any]:
    """The settings that are sent: null keys left out, and mappings that held nothing else.

    What stands at the locations in `keep` (a JSON Schema, where null is a value) is taken as it is.
    """
    made: dict[str, Any] = {}
    for key, value in settings.items():
        here = (*at, key)
        if value is None:
            continue
        if here in keep or not isinstance(value, Mapping):
            made[key] = value
            continue
        inner = without_nulls(value, keep, here)
        if inner or not value:
            made[key] = inner
    return made


def origin_of(layers: Sequence[Layer], location: Location, otherwise: Origin) -> Origin:
    """Where the merged value at `location` is written; for what is written nowhere, the nearest thing around it."""
    for length in range(len(location), 0, -1):
        for layer in reversed(layers):
            if _holds(layer.value, location[:length]):
                return Origin(layer.document, (*layer.location, *location))
    return otherwise


def _holds(value: Any, location: Location) -> bool:
    for part in location:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True
