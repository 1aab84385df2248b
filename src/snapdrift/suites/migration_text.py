"""The text of a suite that judges a replacement: the blocks of another suite as they are written, and new ones.

A block is a top-level key with its value and the comments before it, so that whatever is kept keeps its form.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snapdrift.suites.document import Document
from snapdrift.suites.registry import Location

WIDTH = 120
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
_READ_OTHERWISE = re.compile(r"(?i)true|false|null|yes|no|on|off|y|n|[\d.+-].*")


@dataclass(frozen=True, slots=True)
class Line:
    """A key of a mapping that is written out, and the comment beside it."""

    key: str
    value: Any
    comment: str = ""


def blocks_of(document: Document, source: str) -> dict[str, str] | None:
    """The text of each top-level key, with what stands before the first under ""; None for another way of writing."""
    lines = source.splitlines()
    starts = [(document.keys[key,].line, key) for key in document.value if (key,) in document.keys]
    in_order = len({line for line, _ in starts}) == len(starts) == len(document.value)
    if not in_order or any(document.keys[key,].column != 1 for _, key in starts):
        return None
    found = {"": ""}
    ends = [*(line for line, _ in starts[1:]), len(lines) + 1]
    begin = _first_of_comments(lines, starts[0][0])
    found[""] = _joined(lines[: begin - 1])
    for (line, key), end in zip(starts, ends, strict=True):
        last = _first_of_comments(lines, end) if end <= len(lines) else end
        found[key] = _joined(lines[_first_of_comments(lines, line) - 1 : last - 1])
    return found


def _first_of_comments(lines: Sequence[str], line: int) -> int:
    """The line on which the comments right above a key begin; the language server's belongs to the file."""
    while line > 1 and lines[line - 2].startswith("#") and "yaml-language-server" not in lines[line - 2]:
        line -= 1
    return line


def _joined(lines: Sequence[str]) -> str:
    text = "\n".join(lines).rstrip()
    return f"{text}\n" if text else ""


def entry_text(document: Document, source: str, location: Location) -> str | None:
    """A key of a mapping two levels deep as it is written, comments in it kept; None where it shares its line."""
    lines, position = source.splitlines(), document.keys.get(location)
    if position is None or lines[position.line - 1][: position.column - 1].strip():
        return None
    end = position.line
    while end < len(lines) and _is_inside(lines[end], position.column):
        end += 1
    text = "\n".join(lines[position.line - 1 : end]).rstrip()
    indent = position.column - 1
    return "\n".join(f"  {line[indent:]}" if line.strip() else "" for line in text.splitlines()) + "\n"


def _is_inside(line: str, column: int) -> bool:
    """Whether a line goes on with the value of a key at a column."""
    text = line.strip()
    return not text or len(line) - len(line.lstrip()) >= column


def written_out(lines: Iterable[Line], indent: int) -> str:
    """A mapping in block style, each key on a line with its comment."""
    text = ""
    for one in lines:
        key = f"{' ' * indent}{scalar(one.key)}:"
        if isinstance(one.value, list) and one.value and all(isinstance(entry, Line) for entry in one.value):
            text += f"{key}{_comment(one.comment)}\n{written_out(one.value, indent + 2)}"
        else:
            text += f"{key} {flow(one.value)}{_comment(one.comment)}\n"
    return text


def _comment(text: str) -> str:
    return f"  # {' '.join(text.split())}" if text else ""


def flow(value: Any) -> str:
    """A value on one line, as YAML that is read back as it was."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(str(key))}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    return scalar(value)


def scalar(value: Any) -> str:
    """Text, a number, true, false or null; text that would be read as something else is quoted."""
    import json

    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) and not _READ_OTHERWISE.fullmatch(value)
        return value if plain else json.dumps(value, ensure_ascii=True)
    return json.dumps(value)


def dumped(value: Mapping[str, Any]) -> str:
    """A mapping as YAML in block style, for what cannot be kept as it is written."""
    import yaml

    return str(yaml.safe_dump(dict(value), sort_keys=False, allow_unicode=True, width=WIDTH))
