"""Arguments of a function, found in the words of a prompt, as a simulated model takes them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from snapdrift.standin.fillers import fill, resolve
from snapdrift.standin.tools import Tool

_MISSING = object()
_DATE = re.compile(r"\b\d{4}-\d\d-\d\d\b")
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_NUMBER = re.compile(r"(?<![\w.-])-?\d[\d,]*(?:\.\d+)?(?![\w-])")
_CODE = re.compile(r"#?\b((?=[\w-]*\d)[\w-]{2,})\b")
_QUOTED = re.compile(r"[\"'“‘]([^\"'”’]{2,80})[\"'”’]")
_NAME = re.compile(r"(?<=[a-z,:;] )((?:[A-Z][\w'-]+)(?: [A-Z][\w'-]+)*)")
_ID_WORDS = frozenset(
    ["id", "number", "no", "code", "ref", "reference", "order", "sku", "invoice", "ticket", "account"]
)
_WHOLE_WORDS = frozenset(
    ["query", "question", "text", "message", "request", "search", "input", "description", "content"]
)
_MIN_WORD = 4


def spoken_arguments(tool: Tool, text: str) -> dict[str, Any] | None:
    """Arguments for the function taken from the text, or None where a required one is not in it."""
    found = _object(tool.parameters, tool.parameters, text)
    return found if isinstance(found, dict) else None


def completed_arguments(tool: Tool, text: str, key: tuple[object, ...]) -> dict[str, Any]:
    """Arguments for a function that must be called: from the text as far as it goes, else plausible."""
    filled = fill(tool.parameters, "tool", *key)
    filled = filled if isinstance(filled, dict) else {}
    properties = resolve(tool.parameters, tool.parameters).get("properties") or {}
    for name in filled:
        value = _value(tool.parameters, name, properties.get(name, {}), text)
        if value is not _MISSING:
            filled[name] = value
    return filled


def meant_tool(tools: Sequence[Tool], text: str) -> Tool | None:
    """The function whose name, else whose description, shares most words with the text; None where none shares any."""
    words = _words(text)
    scored = [(3 * len(_words(tool.name) & words) + len(_words(tool.words) & words), tool) for tool in tools]
    best = max(scored, key=lambda pair: pair[0], default=None)
    return best[1] if best and best[0] else None


def _words(text: str) -> set[str]:
    split = re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", text).lower())
    return {word.rstrip("s") for word in split if len(word) >= _MIN_WORD}


def _object(root: Mapping[str, Any], schema: Mapping[str, Any], text: str) -> Any:
    schema = resolve(root, schema)
    properties: Mapping[str, Any] = schema.get("properties") or {}
    found: dict[str, Any] = {}
    for name, inner in properties.items():
        value = _value(root, name, inner, text)
        if value is not _MISSING:
            found[name] = value
        elif name in (schema.get("required") or ()):
            return _MISSING
    return found


def _value(root: Mapping[str, Any], name: str, schema: Any, text: str) -> Any:
    schema = resolve(root, schema)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        lowered = text.lower()
        said = [m for m in schema["enum"] if m is not None and re.search(rf"\b{re.escape(str(m).lower())}\b", lowered)]
        return said[0] if said else None if None in schema["enum"] else _MISSING
    branches = [resolve(root, branch) for branch in schema.get("anyOf") or ()]
    if branches:
        tried = (_value(root, name, branch, text) for branch in branches if branch.get("type") != "null")
        nothing = None if any(branch.get("type") == "null" for branch in branches) else _MISSING
        return next((value for value in tried if value is not _MISSING), nothing)
    kinds = schema.get("type", "string")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    value = _typed(root, name, schema, next((kind for kind in kinds if kind != "null"), "null"), text)
    return None if value is _MISSING and "null" in kinds else value


def _typed(root: Mapping[str, Any], name: str, schema: Mapping[str, Any], kind: str, text: str) -> Any:
    if kind == "object":
        return _object(root, schema, text)
    if kind == "array":
        item = _value(root, name, schema.get("items") or {}, text)
        return _MISSING if item is _MISSING else [item]
    if kind == "boolean":
        return bool(_words(name) & _words(text))
    if kind in ("integer", "number"):
        return _spoken_number(name, kind, text)
    return _spoken_text(name, schema, text)


def _spoken_number(name: str, kind: str, text: str) -> Any:
    near = _after(name, text, r"-?\d[\d,]*(?:\.\d+)?")
    numbers = [near] if near else _NUMBER.findall(text)
    values = [float(number.replace(",", "")) for number in numbers if number.strip(",-")]
    whole = [value for value in values if kind == "number" or value.is_integer()]
    if not whole:
        return _MISSING
    return int(whole[0]) if whole[0].is_integer() else whole[0]


def _spoken_text(name: str, schema: Mapping[str, Any], text: str) -> Any:
    parts = set(re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower()))
    if schema.get("pattern"):
        found = re.search(str(schema["pattern"]).removeprefix("^").removesuffix("$"), text)
        return found[0] if found else _MISSING
    if schema.get("format") == "date" or "date" in parts:
        return _first(_DATE, text)
    if schema.get("format") == "email" or "email" in parts:
        return _first(_EMAIL, text)
    if parts & _ID_WORDS:
        near = _after(name, text, r"(?=[\w-]*\d)[\w-]+")
        return near if near else _first(_CODE, text)
    if parts & _WHOLE_WORDS:
        return text.strip() or _MISSING
    for pattern in (_QUOTED, _NAME):
        found = _first(pattern, text)
        if found is not _MISSING:
            return found
    return _MISSING


def _after(name: str, text: str, what: str) -> str | None:
    """What follows a word of the name: `order #5521`, `quantity: 3`."""
    for word in re.findall(r"[a-z]+", name.lower()):
        if word == "id":
            continue
        found = re.search(rf"\b{word}\w*\W{{0,3}}(?:number|no|id|is|of)?\W{{0,3}}({what})", text, re.IGNORECASE)
        if found:
            return found[1]
    return None


def _first(pattern: re.Pattern[str], text: str) -> Any:
    found = pattern.search(text)
    return found[found.lastindex or 0] if found else _MISSING
