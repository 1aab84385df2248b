"""How often the parts of a JSON Schema (draft 2020-12) apply at one place of a value: what validating takes.

`$ref`, `allOf` and their like apply further parts at the same place. Where a part is referred to twice by one that is
itself referred to twice, and so on, a schema of a few lines applies its parts more often than any machine can.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

from snapdrift.suites.registry import Finding, Location

MAX_APPLIED = 10_000
"""How often parts may apply at one place: a fifth of a second for the validator, and more than people write."""
MAX_WAYS = 1_000_000
"""Ways through a schema that a validator goes in a twentieth of a second where it has not to say what is wrong."""

_LISTS = ("allOf", "anyOf", "oneOf")
_SINGLE = ("not", "if", "then", "else")
_REFERENCES = ("$ref", "$dynamicRef")
_UNEVALUATED = ("unevaluatedProperties", "unevaluatedItems")
"""What is evaluated at a place is found out for these by going through its parts once more."""


@dataclass(slots=True)
class _Part:
    """A subschema; `inside` are the numbers of those that apply at the same place, as often as they do."""

    schema: Mapping[str, Any]
    place: Location
    inside: list[int] = field(default_factory=list)


class SchemaSteps:
    """The parts of a schema that can come to apply, and what they lead to."""

    def __init__(self, schema: Any) -> None:
        self._references = _References(schema)
        self._numbers: dict[int, int] = {}
        self._parts: list[_Part] = []
        self._below: dict[int, tuple[Mapping[str, Any], ...]] = {}
        if isinstance(schema, Mapping):
            self._number(schema, ())
        for part in self._parts:  # which grows meanwhile
            part.inside = [self._number(*found) for found in self._inside(part)]
            for found in _below(part.schema, part.place):
                self._number(*found)
        self._order: list[int] = []
        self.finding = self._ordered()
        self._order_of = {number: rank for rank, number in enumerate(self._order)}

    @cached_property
    def _ways(self) -> tuple[int, bool]:
        """By how many ways parts are come to, none of them twice on one way; and whether ways lead back."""
        edges = [
            [*part.inside, *(self._numbers[id(found)] for found, _ in _below(part.schema, ()))] for part in self._parts
        ]
        order, circular = _ranked(edges)
        ways: dict[int, int] = {}
        for number in order:
            ways[number] = 1 + sum(ways.get(found, 0) for found in edges[number])
        return ways.get(0, 0), circular

    def is_bounded(self) -> bool:
        """Whether no value whatever can have parts apply more than `MAX_APPLIED` times at one of its places."""
        ways, circular = self._ways
        return not circular and ways <= MAX_APPLIED

    def is_quick(self) -> bool:
        """Whether the validator soon says of any value if it is valid.

        It looks at a reference that leads back once at each place, so that how many there are does not matter.
        """
        return self._ways[0] <= MAX_WAYS

    def fits(self, value: Any, matches: Callable[[str, str], bool]) -> bool:
        """Whether it stays within `MAX_APPLIED` at every place of a value; `matches` looks for a pattern in a name.

        Where parts apply themselves at the same place, that is not told: false.
        """
        if self._circular or not self._parts:
            return not self._circular
        waiting: list[tuple[Any, Mapping[int, int]]] = [(value, {0: 1})]
        while waiting:
            at, first = waiting.pop()
            if not first:
                continue
            applied = self._applied(first)
            if applied.total() > MAX_APPLIED:
                return False
            waiting.extend(self._next(at, applied, matches))
        return True

    def _applied(self, first: Mapping[int, int]) -> Counter[int]:
        """How often each part applies at a place where `first` do."""
        applied = Counter(first)
        ranks = [-self._order_of[number] for number in first]
        heapq.heapify(ranks)
        done: set[int] = set()
        while ranks:
            number = self._order[-heapq.heappop(ranks)]
            if number in done:
                continue
            done.add(number)
            for found in self._parts[number].inside:
                applied[found] += applied[number]
                heapq.heappush(ranks, -self._order_of[found])
        return applied

    def _next(
        self, at: Any, applied: Mapping[int, int], matches: Callable[[str, str], bool]
    ) -> Iterator[tuple[Any, Mapping[int, int]]]:
        """The values in a value with the parts that begin to apply to them."""
        if not isinstance(at, Mapping | list) or not at:
            return
        inner = at.items() if isinstance(at, Mapping) else enumerate(at)
        of: Callable[..., Iterator[Any]] = _of_property if isinstance(at, Mapping) else _of_item
        for key, value in inner:
            yield value, self._begun(applied, partial(of, key=key, matches=matches))
        if isinstance(at, Mapping):
            yield "", self._begun(applied, lambda schema: iter([schema.get("propertyNames")]))

    def _begun(
        self, applied: Mapping[int, int], found_in: Callable[[Mapping[str, Any]], Iterator[Any]]
    ) -> Mapping[int, int]:
        begun: defaultdict[int, int] = defaultdict(int)
        for number, count in applied.items():
            for found in found_in(self._parts[number].schema):
                if isinstance(found, Mapping):
                    begun[self._numbers[id(found)]] += count
        return begun

    def _number(self, schema: Mapping[str, Any], place: Location) -> int:
        number = self._numbers.setdefault(id(schema), len(self._parts))
        if number == len(self._parts):
            self._parts.append(_Part(schema, place))
        return number

    def _inside(self, part: _Part) -> Iterator[tuple[Mapping[str, Any], Location]]:
        schema, place = part.schema, part.place
        found = [*_subschemas(schema, place, _SINGLE, _LISTS, ("dependentSchemas",))]
        for key in _REFERENCES:
            found += self._references.named(schema, key)
        again = 2 if any(key in schema for key in _UNEVALUATED) else 1
        for _ in range(again):
            yield from found

    def _ordered(self) -> Finding | None:
        """Puts the parts in the order in which they are counted; a finding where they are too many."""
        inside = [part.inside for part in self._parts]
        self._order, self._circular = _ranked(inside)
        applied: dict[int, int] = {}
        for number in self._order:
            applied[number] = 1 + sum(applied.get(found, 0) for found in inside[number])
            if applied[number] > MAX_APPLIED:
                found = f"references that apply more than {MAX_APPLIED:,} parts at one place"
                return Finding(self._parts[number].place, found, "expected references that do not double one another")
        return None


def _ranked(edges: list[list[int]]) -> tuple[list[int], bool]:
    """The numbers with those that they lead to before them, but by edges that lead back; and if there are any."""
    order: list[int] = []
    circular = False
    state = bytearray(len(edges))  # 1: on the way; 2: done
    for start in range(len(edges)):
        if state[start]:
            continue
        state[start] = 1
        stack = [(start, iter(edges[start]))]
        while stack:
            number, left = stack[-1]
            for found in left:
                circular = circular or state[found] == 1
                if not state[found]:
                    state[found] = 1
                    stack.append((found, iter(edges[found])))
                    break
            else:
                state[number] = 2
                order.append(number)
                stack.pop()
    return order, circular


def _subschemas(
    schema: Mapping[str, Any], place: Location, single: tuple[str, ...], lists: tuple[str, ...], maps: tuple[str, ...]
) -> Iterator[tuple[Mapping[str, Any], Location]]:
    """The subschemas under these keys with their places; true and false are none."""
    for key in (*single, *lists, *maps):
        value = schema.get(key)
        inner: list[tuple[Location, Any]]
        if key in single:
            inner = [((key,), value)]
        elif key in lists:
            inner = [((key, index), each) for index, each in enumerate(value if isinstance(value, list) else ())]
        else:
            inner = [((key, name), each) for name, each in (value.items() if isinstance(value, Mapping) else ())]
        for inside, found in inner:
            if isinstance(found, Mapping):
                yield found, (*place, *inside)


def _below(schema: Mapping[str, Any], place: Location) -> Iterator[tuple[Mapping[str, Any], Location]]:
    """The subschemas that apply to what is in a value."""
    single = ("additionalProperties", "propertyNames", "items", "contains", *_UNEVALUATED)
    return _subschemas(schema, place, single, ("prefixItems",), ("properties", "patternProperties"))


def _of_property(schema: Mapping[str, Any], key: str, matches: Callable[[str, str], bool]) -> Iterator[Any]:
    """The subschemas that apply to a property of this name."""
    known = False
    properties = schema.get("properties")
    if isinstance(properties, Mapping) and key in properties:
        known = True
        yield properties[key]
    patterns = schema.get("patternProperties")
    for pattern, found in patterns.items() if isinstance(patterns, Mapping) else ():
        if matches(pattern, key):
            known = True
            yield found
    if not known:
        yield schema.get("additionalProperties", schema.get("unevaluatedProperties"))


def _of_item(schema: Mapping[str, Any], key: int, matches: object) -> Iterator[Any]:
    """The subschemas that apply to the item there."""
    del matches
    first = schema.get("prefixItems")
    if isinstance(first, list) and key < len(first):
        yield first[key]
    else:
        yield schema.get("items", schema.get("unevaluatedItems"))
    yield schema.get("contains")


class _References:
    """What `$ref` and `$dynamicRef` name within one schema. What they do not name there is an error elsewhere."""

    def __init__(self, schema: Any) -> None:
        self._bases: dict[int, str] = {}
        self._resources: dict[str, tuple[Any, Location]] = {"": (schema, ())}
        self._anchors: dict[tuple[str, str], tuple[Any, Location]] = {}
        self._dynamic: defaultdict[str, list[tuple[Any, Location]]] = defaultdict(list)
        waiting: list[tuple[Any, Location, str]] = [(schema, (), "")]
        while waiting:
            value, place, base = waiting.pop()
            if isinstance(value, list):
                waiting.extend((each, (*place, index), base) for index, each in enumerate(value))
            elif isinstance(value, Mapping) and id(value) not in self._bases:
                inner = self._enter(value, place, base)
                waiting.extend((each, (*place, key), inner) for key, each in value.items())

    def _enter(self, schema: Mapping[str, Any], place: Location, base: str) -> str:
        identity = schema.get("$id")
        if isinstance(identity, str):
            base = urldefrag(urljoin(base, identity)).url
            self._resources[base] = (schema, place)
        self._bases[id(schema)] = base
        for key in ("$anchor", "$dynamicAnchor"):
            name = schema.get(key)
            if isinstance(name, str):
                self._anchors[base, name] = (schema, place)
                if key == "$dynamicAnchor":
                    self._dynamic[name].append((schema, place))
        return base

    def named(self, schema: Mapping[str, Any], key: str) -> list[tuple[Mapping[str, Any], Location]]:
        """What the reference of a subschema under `key` may lead to: a dynamic one to all that have the name."""
        reference = schema.get(key)
        if not isinstance(reference, str):
            return []
        base = self._bases[id(schema)]
        url, fragment = (base, reference[1:]) if reference.startswith("#") else urldefrag(urljoin(base, reference))
        if key == "$dynamicRef" and fragment in self._dynamic:
            found = self._dynamic[fragment]
        elif fragment and not fragment.startswith("/"):
            found = [self._anchors.get((url, unquote(fragment)), (None, ()))]
        else:
            found = [_pointed_at(*self._resources.get(url, (None, ())), unquote(fragment))]
        return [(named, place) for named, place in found if isinstance(named, Mapping) and id(named) in self._bases]


def _pointed_at(value: Any, place: Location, pointer: str) -> tuple[Any, Location]:
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, Mapping):
            value, place = value.get(name), (*place, name)
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value, place = value[int(name)], (*place, int(name))
        else:
            return None, place
    return value, place
