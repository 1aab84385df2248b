"""How much of a JSON Schema is gone through for one value: references in `allOf` can double it at each level."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

MOST_STEPS = 10_000
"""Subschemas that may be applied to one and the same value."""
_ALL = ("allOf", "anyOf", "oneOf")
_ONE = ("not", "if", "then", "else")


def require_bounded(schema: Any) -> None:
    """Raises `ValueError` for a schema of which more than `MOST_STEPS` subschemas apply to one value.

    Those that apply to its parts are counted for these: how many parts there are is a matter of the answer.
    """
    try:
        steps = _Steps(schema)
        if any(steps.of(subschema) > MOST_STEPS for subschema in steps.mappings):
            raise ValueError(
                f"one that applies at most {MOST_STEPS:,} subschemas to a value: here references in allOf, anyOf, "
                "oneOf, not or if multiply to more"
            )
    except RecursionError:
        raise ValueError("one that is nested less deeply") from None


class _Steps:
    """The subschemas of a document, and how many steps each takes, itself included."""

    def __init__(self, document: Any) -> None:
        self._document = document
        self.mappings = list(_mappings(document))
        self._named = {
            name: one
            for one in self.mappings
            for key in ("$anchor", "$dynamicAnchor", "$id")
            if isinstance(name := one.get(key), str)
        }
        self._found: dict[int, int] = {}

    def of(self, schema: Any) -> int:
        """Its steps; past `MOST_STEPS` no more than that is said."""
        if not isinstance(schema, Mapping):
            return 1
        key = id(schema)
        if key not in self._found:
            self._found[key] = 1  # of one that refers back to itself: validators go no further there
            total = 1
            for applied in self._applied(schema):
                total += self.of(applied)
                if total > MOST_STEPS:
                    break
            self._found[key] = total
        return self._found[key]

    def _applied(self, schema: Mapping[str, Any]) -> Iterator[Any]:
        for name in _ALL:
            yield from schema[name] if isinstance(schema.get(name), list) else ()
        yield from (schema[name] for name in _ONE if name in schema)
        dependent = schema.get("dependentSchemas")
        yield from dependent.values() if isinstance(dependent, Mapping) else ()
        for name in ("$ref", "$dynamicRef"):
            if isinstance(schema.get(name), str):
                yield self._target(schema[name])

    def _target(self, reference: str) -> Any:
        before, _, fragment = reference.partition("#")
        if reference in self._named:
            return self._named[reference]
        place: Any = self._named.get(before, self._document)
        if not fragment.startswith("/"):
            return self._named.get(fragment, place)
        for part in unquote(fragment)[1:].split("/"):
            key = part.replace("~1", "/").replace("~0", "~")
            if isinstance(place, list) and key.isdigit() and int(key) < len(place):
                place = place[int(key)]
            elif isinstance(place, Mapping) and key in place:
                place = place[key]
            else:
                return None  # the validator says that it is not there
        return place


def _mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    """Every mapping in a document; some are no schemas, and take no steps."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Mapping):
            yield one
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
