"""The answer key: datasets whose `expected` a simulated behaviour answers with, right or wrong on purpose."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snapdrift.errors import ConfigError
from snapdrift.standin.draws import digest
from snapdrift.standin.recordings import read_json_lines

_RESERVED = frozenset({"id", "expected", "tags", "cluster", "tool_results", "messages"})
_SHORTEST_TEXT = 8
"""Shorter variables (a language code, a name) occur in requests by chance and identify no case."""


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A case of the answer key. `text` is its longest text variable, without the white space around it."""

    id: str
    expected: Any
    tags: frozenset[str]
    text: str


@dataclass(frozen=True, slots=True)
class ExpectedCall:
    """A function call that is right. Calls of one `step` are made together, later steps after the earlier ones."""

    name: str
    arguments: Mapping[str, Any]
    step: int = 0


def expected_calls(expected: Any) -> tuple[ExpectedCall, ...] | None:
    """The calls that `expected.tool_calls` names (`[{name, arguments, one_of?, step?}]`), by step; None without any."""
    listed = expected.get("tool_calls") if isinstance(expected, Mapping) else None
    if not isinstance(listed, list):
        return None
    calls = [
        ExpectedCall(str(entry["name"]), _right_arguments(entry), int(entry.get("step", 0)))
        for entry in listed
        if isinstance(entry, Mapping) and "name" in entry
    ]
    return tuple(sorted(calls, key=lambda call: call.step))


def without_calls(expected: Any) -> Any:
    """What is expected of the answer when the calls are made: None where nothing is said of it."""
    if expected_calls(expected) is None:
        return expected
    return {name: value for name, value in expected.items() if name != "tool_calls"} or None


def _right_arguments(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """The arguments of an expected call; of those that may have one of several values, the first."""
    choices = _arguments(entry.get("one_of"))
    first = {name: options[0] for name, options in choices.items() if isinstance(options, list) and options}
    return {**_arguments(entry.get("arguments")), **first}


def _arguments(value: Any) -> Mapping[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    return value if isinstance(value, Mapping) else {}


class AnswerKey:
    """Rows by case id and by text, and the values of each field of `expected`: wrong answers are taken from them."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.rows: dict[str, KeyRow] = {}
        self._by_text: dict[bytes, KeyRow] = {}
        self._labels: dict[str, dict[str, Any]] = {}
        for path in paths:
            for row in _read(path):
                self._add(path, row)
        self._longest_first = sorted(
            (row for row in self.rows.values() if len(row.text) >= _SHORTEST_TEXT), key=lambda row: -len(row.text)
        )

    def _add(self, path: Path, raw: Mapping[str, Any]) -> None:
        case_id = raw.get("id")
        if case_id is None or "expected" not in raw:
            raise ConfigError(f'{path}: an answer key needs "id" and "expected" in every row; found {sorted(raw)}')
        texts = [value for name, value in raw.items() if name not in _RESERVED and isinstance(value, str)]
        row = KeyRow(str(case_id), raw["expected"], _tags(raw.get("tags")), max(texts, key=len, default="").strip())
        self.rows[row.id] = row
        self._by_text.setdefault(digest(row.text), row)
        self._see("", without_calls(row.expected))
        for call in expected_calls(row.expected) or ():
            self._see(f"tool_calls.{call.name}", call.arguments)

    def _see(self, field: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for name, inner in value.items():
                self._see(f"{field}.{name}".lstrip("."), inner)
        elif value is not None and not isinstance(value, list):
            self._labels.setdefault(field, {}).setdefault(repr(value), value)

    def labels(self, field: str) -> tuple[Any, ...]:
        """The different values of a field of `expected` (`queue`, `address.city`; empty for `expected` itself).

        `tool_calls.lookup.city` are those of an argument of a function.
        """
        return tuple(self._labels.get(field, {}).values())

    def find(self, case_id: str | None, last_user_text: str, all_text: str) -> KeyRow | None:
        """The row with that id; else the one whose longest text variable is, or occurs in, what was asked."""
        if case_id is not None and case_id in self.rows:
            return self.rows[case_id]
        stripped = last_user_text.strip()
        if stripped and (same := self._by_text.get(digest(stripped))):
            return same
        return next((row for row in self._longest_first if row.text in all_text), None)


def _tags(value: Any) -> frozenset[str]:
    names = value.split(",") if isinstance(value, str) else value or ()
    return frozenset(str(name).strip() for name in names)


def _read(path: Path) -> Iterator[dict[str, Any]]:
    if path.suffix == ".csv":
        yield from _read_csv(path)
        return
    for _, row in read_json_lines(path):
        yield row


def _read_csv(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            for raw in csv.DictReader(lines):
                row: dict[str, Any] = {}
                for name, value in raw.items():
                    outer, _, inner = str(name).partition(".")
                    if inner:  # `expected.queue` nests, as in datasets
                        row.setdefault(outer, {})[inner] = value
                    else:
                        row[outer] = value
                yield row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: cannot be read as CSV ({error}); expected columns id, expected, ...") from error
