"""Plausible wrong values: what a model that errs would have said instead of what is expected."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

from snapdrift.standin.draws import draw, pick
from snapdrift.standin.fillers import resolve

Labels = Callable[[str], tuple[Any, ...]]
"""The values that a field of the answer key takes elsewhere, by path (`queue`, `address.city`)."""


class Mistake:
    """Makes values wrong. `schema` is the request's (its enums are respected), `key` what choices are drawn from."""

    def __init__(self, schema: Mapping[str, Any] | None, labels: Labels, key: tuple[object, ...]) -> None:
        self._root = schema or {}
        self._labels = labels
        self._key = key

    def instead_of(self, value: Any, field: str | None = None) -> Any:
        """A different value: another member of the enum, another label, a number or a day a little off.

        Of an object one field is changed, the named one, else one that is drawn.
        """
        if not isinstance(value, Mapping):
            return self._other(value, self._root, "")
        properties = self._properties(self._root)
        known = [name for name in value if not properties or name in properties]
        candidates = [name for name in known if value[name] not in (None, [], {})] or known  # what can be got wrong
        chosen = field if field in value else pick(candidates, "field", *self._key) if candidates else None
        if chosen is None:
            return value
        return {**value, chosen: self._other(value[chosen], properties.get(chosen, {}), chosen)}

    def _properties(self, schema: Any) -> Mapping[str, Any]:
        found: Mapping[str, Any] = resolve(self._root, schema).get("properties") or {}
        return found

    def _other(self, value: Any, schema: Any, path: str) -> Any:
        members = _enum(self._root, schema)
        others = [member for member in members if member != value]
        if others:
            return pick(others, path, *self._key)
        if isinstance(value, Mapping) and value:
            inner = self._properties(schema)
            name = pick(sorted(value), path, *self._key)
            return {**value, name: self._other(value[name], inner.get(name, {}), f"{path}.{name}".lstrip("."))}
        if isinstance(value, list):
            return self._other_list(value, schema, path)
        if isinstance(value, bool):
            return not value
        if isinstance(value, int | float):
            return _number_off(value, (path, *self._key))
        return self._other_text(value, path)

    def _other_list(self, value: list[Any], schema: Any, path: str) -> list[Any]:
        if not value:
            return []
        if len(value) > 1 and draw("drop", path, *self._key) < 0.5:
            return value[:-1]
        at = int(draw("at", path, *self._key) * len(value))
        items = resolve(self._root, schema).get("items", {})
        return [self._other(item, items, path) if index == at else item for index, item in enumerate(value)]

    def _other_text(self, value: Any, path: str) -> Any:
        labels = [label for label in self._labels(path) if label != value]
        if value is None:
            return pick(labels, path, *self._key) if labels else None
        text = str(value)
        number = _as_number(text)
        if number is not None:
            return json.dumps(_number_off(number, (path, *self._key)))
        day = _as_date(text)
        if day is not None:
            return (day + timedelta(days=pick((1, -1, 7, 30), path, *self._key))).isoformat()
        return pick(labels, path, *self._key) if labels else f"not {text}"


def _enum(root: Mapping[str, Any], schema: Any) -> list[Any]:
    """The members that a field may have, `anyOf` branches included."""
    schema = resolve(root, schema)
    members = list(schema.get("enum") or [])
    for branch in schema.get("anyOf") or []:
        members += _enum(root, branch)
    return members


def _number_off(value: float, key: tuple[object, ...]) -> float:
    if isinstance(value, int):
        step = pick((1, -1, 2, 10), "off", *key)
        return value + step if value + step >= 0 or value < 0 else value - step
    decimals = len(f"{value:.10f}".rstrip("0").partition(".")[2])
    changed = round(value * pick((0.9, 1.05, 1.1, 1.2), "off", *key), decimals)
    return changed if changed != value else round(value + 10.0**-decimals, decimals)


def _as_number(text: str) -> int | float | None:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) < 1e15 else None


def _as_date(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None
