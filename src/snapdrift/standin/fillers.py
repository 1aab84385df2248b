"""Values that conform to a JSON Schema, drawn deterministically: what a simulated model says when it knows nothing."""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Mapping
from typing import Any

from snapdrift.standin.draws import draw, pick

_WORDS = ("amber", "birch", "cedar", "dune", "ember", "fjord", "grove", "harbour", "iris", "juniper")
_DEEPEST = 6
_LETTERS = "xyz0_- A"
"""What a negated set of a regular expression is filled from."""
_CATEGORIES = {
    "CATEGORY_DIGIT": (r"\d", "0123456789"),
    "CATEGORY_NOT_DIGIT": (r"\D", "abc"),
    "CATEGORY_WORD": (r"\w", "abcdefghij"),
    "CATEGORY_NOT_WORD": (r"\W", " -"),
    "CATEGORY_SPACE": (r"\s", " "),
    "CATEGORY_NOT_SPACE": (r"\S", "abc"),
}
_FORMATS = {
    "date": "2024-05-{:02d}",
    "date-time": "2024-05-{:02d}T09:30:00Z",
    "time": "09:{:02d}:00Z",
    "duration": "P{}D",
    "email": "someone{}@example.com",
    "hostname": "host{}.example.com",
    "ipv4": "192.0.2.{}",
    "ipv6": "2001:db8::{}",
    "uuid": "00000000-0000-4000-8000-0000000000{:02d}",
    "uri": "https://example.com/{}",
}


def fill(schema: Mapping[str, Any], *key: object) -> Any:
    """A value that conforms to the schema. `key` is what it is drawn from.

    Understands what OpenAI's strict subset allows (`$ref`, `enum`, `anyOf`, `pattern`, `format`, ranges), and `const`,
    `oneOf`, `allOf` and lengths besides. Recursion ends where a branch or a list allows it to.
    """
    return _Filler(schema).value(schema, key, 0)


class _Filler:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root

    def value(self, schema: Any, key: tuple[object, ...], depth: int) -> Any:
        schema = resolve(self._root, schema)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return pick(schema["enum"], "enum", *key)
        branches = schema.get("anyOf") or schema.get("oneOf")
        if branches:
            return self.value(self._branch(branches, depth), key, depth + 1)
        if schema.get("allOf"):
            merged: dict[str, Any] = {}
            for part in schema["allOf"]:
                merged |= resolve(self._root, part)
            return self.value(merged, key, depth + 1)
        return self._typed(schema, key, depth)

    def _branch(self, branches: list[Any], depth: int) -> Any:
        nulls = [branch for branch in branches if resolve(self._root, branch).get("type") == "null"]
        others = [branch for branch in branches if branch not in nulls]
        return (nulls or others)[0] if depth >= _DEEPEST else (others or nulls)[0]

    def _typed(self, schema: Mapping[str, Any], key: tuple[object, ...], depth: int) -> Any:
        kind = schema.get("type", "object" if "properties" in schema else "string")
        if isinstance(kind, list):
            others = [name for name in kind if name != "null"]
            kind = "null" if depth >= _DEEPEST or not others else others[0]
        if kind == "object":
            properties = schema.get("properties") or {}
            return {name: self.value(inner, (*key, name), depth + 1) for name, inner in properties.items()}
        if kind == "array":
            wanted = max(schema.get("minItems", 0), 0 if depth >= _DEEPEST else 1)
            length = min(wanted, schema.get("maxItems", wanted))
            items = schema.get("items", {"type": "string"})
            return [self.value(items, (*key, index), depth + 1) for index in range(length)]
        if kind == "boolean":
            return draw("boolean", *key) < 0.5
        if kind in ("integer", "number"):
            return _number(schema, kind, key)
        return None if kind == "null" else _string(schema, key)


def resolve(root: Mapping[str, Any], schema: Any) -> Mapping[str, Any]:
    """The schema that a `$ref` within the root points at, or the schema itself; `true` is the empty schema."""
    hops = 0
    while isinstance(schema, Mapping) and "$ref" in schema and hops < _DEEPEST:
        target: Any = root
        for step in str(schema["$ref"]).lstrip("#").strip("/").split("/"):
            if step:
                target = target.get(step, {}) if isinstance(target, Mapping) else {}
        schema, hops = target, hops + 1
    return schema if isinstance(schema, Mapping) else {}


def _number(schema: Mapping[str, Any], kind: str, key: tuple[object, ...]) -> float:
    step: float = schema.get("multipleOf") or 1
    low: float | None = schema.get("minimum", schema.get("exclusiveMinimum"))
    high: float | None = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is None:
        low = 1 if high is None else high - 9 * step
    if high is None:
        high = low + 9 * step
    first = math.ceil(low / step)
    first += first * step == schema.get("exclusiveMinimum")
    last = math.floor(high / step)
    last -= last * step == schema.get("exclusiveMaximum")
    if last < first:  # no multiple in between: a number between the ends, for `number` alone
        return (low + high) / 2
    value = (first + int(draw("number", *key) * (last - first + 1))) * step
    return int(value) if kind == "integer" else value


def _string(schema: Mapping[str, Any], key: tuple[object, ...]) -> str:
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]].format(1 + int(draw("format", *key) * 28))
    if schema.get("pattern"):
        return matching(schema["pattern"], *key)
    text = pick(_WORDS, "word", *key)
    while len(text) < schema.get("minLength", 0):
        text += " " + pick(_WORDS, "word", len(text), *key)
    return text[: schema.get("maxLength", len(text))]


def matching(pattern: str, *key: object) -> str:
    """A text that the regular expression matches; a word where the expression is beyond this generator."""
    try:
        parser: Any = importlib.import_module("re._parser")
        text = "".join(_from_tree(parser.parse(pattern), key))
    except (ImportError, re.error, LookupError, ValueError):
        return _WORDS[0]
    return text if re.search(pattern, text) else _WORDS[0]


def _from_tree(tree: Any, key: tuple[object, ...]) -> list[str]:
    return [_from_node(str(op), argument, (*key, index)) for index, (op, argument) in enumerate(tree)]


def _from_node(op: str, argument: Any, key: tuple[object, ...]) -> str:
    """One node of the tree that the standard library parses an expression into."""
    if op == "LITERAL":
        return chr(argument)
    if op in ("ANY", "NOT_LITERAL"):
        return "y" if argument == ord("x") else "x"
    if op == "IN":
        return _from_set(argument, key)
    if op in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        least, most, inner = argument
        times = least or min(1, most)
        return "".join(text for index in range(times) for text in _from_tree(inner, (*key, index)))
    if op == "SUBPATTERN":
        return "".join(_from_tree(argument[-1], key))
    if op == "BRANCH":
        return "".join(_from_tree(pick(argument[1], *key), key))
    if op == "AT":
        return ""
    raise LookupError(op)


def _from_set(members: Any, key: tuple[object, ...]) -> str:
    if str(members[0][0]) == "NEGATE":
        allowed = [letter for letter in _LETTERS if not any(_holds(member, letter) for member in members[1:])]
        return pick(allowed, "not", *key)
    op, argument = pick(members, "set", *key)
    name = str(op)
    if name == "LITERAL":
        return chr(argument)
    if name == "RANGE":
        low, high = argument
        return chr(low + int(draw("range", *key) * (high - low + 1)))
    return pick(_CATEGORIES[str(argument)][1], "category", *key)


def _holds(member: tuple[Any, Any], letter: str) -> bool:
    """Whether a member of a set (a letter, a range, a category) holds the letter."""
    op, argument = str(member[0]), member[1]
    if op == "LITERAL":
        return bool(argument == ord(letter))
    if op == "RANGE":
        return bool(argument[0] <= ord(letter) <= argument[1])
    return re.fullmatch(_CATEGORIES[str(argument)][0], letter) is not None
