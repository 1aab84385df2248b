"""Names of fields that no case expects, and that are nearly the name of one that some case does."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from snapdrift.graders.field_comparers import Comparer, KeyedElements, ListComparer, is_settled
from snapdrift.graders.paths import ABSENT, look_up, parse_path


def misspelt_field(ways: Mapping[str, Comparer], wanted: Sequence[Mapping[str, Any]]) -> str | None:
    """A sentence about the first field that is probably misspelt, in elements of lists too; None without one.

    `wanted` are the objects that cases expect. A field that none of them has and that resembles none may be meant: it
    is then expected to be absent.
    """
    known = dict.fromkeys(key for one in wanted for key in one)
    for field, way in ways.items():
        steps = parse_path(field)
        values = [value for one in wanted if (value := look_up(one, steps)) is not ABSENT]
        if not values and len(steps) == 1 and not is_settled(way):
            free = [key for key in known if key not in ways]
            close = difflib.get_close_matches(str(steps[0]), free, n=1)
            if close:
                return f"fields that a case expects: none expects {field!r}, did you mean {close[0]!r}?"
        told = _in_elements(way, values)
        if told is not None:
            return told
    return None


def _in_elements(way: Comparer, values: Sequence[Any]) -> str | None:
    if not isinstance(way, ListComparer) or not isinstance(way.elements, KeyedElements):
        return None
    elements = [one for value in values if isinstance(value, list) for one in value if isinstance(one, dict)]
    fields = {field: each for field, each in (way.elements.fields or {}).items() if field != way.elements.key}
    return misspelt_field(fields, [_without(element, way.elements.key) for element in elements])


def _without(element: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in element.items() if name != key}
