"""What a template reads and a case lacks, in words: the path as it is written, and what is there instead."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from snapdrift.suites.wording import did_you_mean, listed, quoted

_LACKS = re.compile(r"(?:'[\w.]+ object'|[\w.]+ object|'?None'?) has no (?:attribute|element) (?P<key>'[^']*'|\d+)")
"""The words of Jinja 3 for a key, an attribute or an element of a list that is not there."""
_STEP = r"(?:\.\w+|\[(?:'[^']*'|\"[^\"]*\"|\d+)\])"
_KEY = re.compile(r"\.(\w+)|\['([^']*)'\]|\[\"([^\"]*)\"\]|\[(\d+)\]")
_SHOWN, _LENGTH = 8, 40


class Missing(NamedTuple):
    """What is not there, and how to mend it."""

    found: str
    expected: str | None


def missing_words(message: str, source: str, context: Mapping[str, Any]) -> Missing | None:
    """Jinja's message about a value that is not there, told by the path in the template; None for any other message.

    Where the path cannot be told (it begins at a variable of the template's own), only the key is named.
    """
    match = _LACKS.fullmatch(message)
    if match is None:
        return None
    key = match["key"].strip("'")
    for path in _paths(source, key):
        parent = path[: path.rindex("." if path.endswith(f".{key}") else "[")]
        held = _value_at(parent, context)
        if held is not _NOTHING and not _has(held, key):
            return Missing(f"`{path}` is not there", _instead(parent, held, key))
    return Missing(f"{quoted(key)} is not there", None)


_NOTHING = object()


def _paths(source: str, key: str) -> list[str]:
    """The paths in a template that end with a key, in their order."""
    last = rf"(?:\.{re.escape(key)}\b|\[(?:'{re.escape(key)}'|\"{re.escape(key)}\"|{re.escape(key)})\])"
    return list(dict.fromkeys(re.findall(rf"(?<![\w.\]])[A-Za-z_]\w*{_STEP}{{0,20}}?{last}", source)))


def _value_at(path: str, context: Mapping[str, Any]) -> Any:
    name = re.match(r"\w+", path)
    value: Any = context.get(name[0], _NOTHING) if name else _NOTHING
    for step in _KEY.findall(path):
        key = next(filter(None, step), "")
        if not _has(value, key):
            return _NOTHING
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value


def _has(value: Any, key: str) -> bool:
    if isinstance(value, list):
        return key.isdecimal() and int(key) < len(value)
    return isinstance(value, dict) and key in value


def _instead(path: str, held: Any, key: str) -> str:
    """What stands where a key was looked for, with the nearest to it."""
    if not isinstance(held, dict) or not held:
        return f"`{path}` is {'null' if held is None else quoted(held)} there"
    keys = [str(name) if len(str(name)) <= _LENGTH else f"{str(name)[:_LENGTH]}…" for name in held]
    near = did_you_mean(key, keys, "")
    return f"`{path}` has {listed(keys, _SHOWN)} there{f'; {near}' if near else ''}"
