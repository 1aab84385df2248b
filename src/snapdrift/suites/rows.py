"""Rows of a dataset, from whichever format, made into cases."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from snapdrift.errors import DatasetError, Problem
from snapdrift.model import Case
from snapdrift.suites.case_list import CaseList
from snapdrift.suites.document import Document, Position, format_location
from snapdrift.suites.messages import message_findings
from snapdrift.suites.registry import Finding, Location
from snapdrift.suites.row_mistakes import RowMistakes, told_briefly
from snapdrift.suites.strict_json import loads_strictly
from snapdrift.suites.tool_results import check_tool_results
from snapdrift.suites.wording import quoted

MAX_ID = 300
MAX_LEVELS = 64
_STRUCTURED: Mapping[str, Callable[[Any], tuple[Finding, ...]]] = {
    "messages": message_findings,
    "tool_results": check_tool_results,
}
"""Columns that hold more than a value, with what checks them. Where a format has only text (CSV), they are JSON."""
_FORMS = {
    "messages": "expected a list of {role, content}, or that as JSON text",
    "tool_results": "expected a mapping of tools to what their calls get back, or that as JSON text",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its values by column and where it stands. `columns` says more exactly where some columns stand."""

    values: Mapping[str, Any]
    file: str
    line: int
    column: int = 1
    path: str = ""
    columns: Mapping[str, Position] = field(default_factory=dict)

    def problem(self, column: str, found: str, expected: str) -> Problem:
        """A mistake in one column of the row."""
        at = self.columns.get(column, Position(self.line, self.column))
        place = f"{self.path}.{column}" if self.path and column else self.path or column
        return Problem(self.file, at.line, at.column, place, found, expected)

    @property
    def place(self) -> str:
        """Where the row is, for another row's message."""
        return place_of(self.file, self.line or self.path)


def place_of(file: str, row: int | str) -> str:
    """A row by its line, or by its path where the format has no lines."""
    return f"{file}:{row}" if isinstance(row, int) else f"{row} of {file}"


def rows_of_document(document: Document, location: Location) -> list[Row]:
    """The rows of a list of mappings at a location of a YAML document. Raises `DatasetError`."""
    value: Any = document.value
    for part in location:
        value = value[part]
    if not isinstance(value, list):
        expected = "expected a list of rows, or a mapping with a list under `cases`"
        raise DatasetError([document.problem(location, quoted(value), expected)])
    wrong = [
        document.problem((*location, index), quoted(row), "expected a mapping of columns to values")
        for index, row in enumerate(value)
        if not isinstance(row, dict)
    ]
    if wrong:
        raise DatasetError(told_briefly(wrong))
    return [_row_of(document, (*location, index), row) for index, row in enumerate(value)]


def _row_of(document: Document, location: Location, row: Mapping[str, Any]) -> Row:
    at = document.position(location)
    columns = {name: document.position((*location, name)) for name in row}
    return Row(row, document.file, at.line, at.column, format_location(location), columns)


@dataclass(frozen=True, slots=True)
class CasesRead:
    """The cases of all rows that are right, in the rows' order, and the mistakes of the others."""

    cases: Sequence[Case]
    problems: tuple[Problem, ...]


def read_cases(rows: Iterable[Row], file: str) -> CasesRead:
    """Makes cases of rows, and keeps none of these. No rows at all is a mistake."""
    mistakes = RowMistakes()
    first: dict[str, int | str] = {}
    cases = CaseList()
    for written in rows:
        row, wrong = _structured(written)
        wrong += _mistakes_in(row)
        case_id = row.values.get("id")
        if not wrong and case_id in first:
            found = f"the id {quoted(case_id)} a second time"
            wrong = [
                row.problem("id", found, f"expected unique ids; it is first at {place_of(file, first[str(case_id)])}")
            ]
        if not wrong:
            first[str(case_id)] = row.line or row.path
            cases.append(_case_of(row.values))
            continue
        mistakes.add(wrong)
    if not (cases or mistakes):
        return CasesRead((), (Problem(file, 0, 0, "", "no cases", "expected at least one row"),))
    return CasesRead(cases, mistakes.told())


def _case_of(values: Mapping[str, Any]) -> Case:
    reserved = ("id", "tags", "cluster", "expected", "tool_results")
    cluster = values.get("cluster")
    return Case(
        id=values["id"],
        variables={name: value for name, value in values.items() if name not in reserved},
        expected=values.get("expected"),
        tags=_tags(values.get("tags")),
        cluster=None if cluster in (None, "") else str(cluster),
        tool_results=values.get("tool_results"),
    )


def _structured(row: Row) -> tuple[Row, list[Problem]]:
    """The row with its structured columns as values instead of JSON text, and what is wrong with them."""
    values, wrong = row.values, []
    for name, findings in _STRUCTURED.items():
        written = values.get(name)
        if written is None:
            continue
        try:
            value = (loads_strictly(written) if written.strip() else None) if isinstance(written, str) else written
        except (ValueError, RecursionError) as error:
            wrong.append(row.problem(name, f"not JSON: {error}", _FORMS.get(name, "expected JSON text")))
            continue
        if value is not written:
            values = {**values, name: value}
        for finding in findings(value) if value is not None else ():
            found = row.problem(name, finding.found, finding.expected)
            wrong.append(replace(found, path=format_location((found.path, *finding.location))))
    return (row if values is row.values else replace(row, values=values)), wrong


def _tags(written: Any) -> tuple[str, ...]:
    words = written.split(",") if isinstance(written, str) else written or ()
    return tuple(dict.fromkeys(word.strip() for word in words if word.strip()))


def _mistakes_in(row: Row) -> Iterator[Problem]:
    values = row.values
    stable = 'expected text that stays the same from run to run (id: "t-17")'
    if "id" not in values:
        yield row.problem("", "no id", stable)
    elif not isinstance(values["id"], str):
        yield row.problem("id", quoted(values["id"]), f"{stable}; put it in quotes")
    elif not _is_label(values["id"]):
        yield row.problem("id", quoted(values["id"]), f"expected 1 to {MAX_ID} printable characters, no blanks around")
    tags = values.get("tags")
    listed = isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)
    if tags is not None and not isinstance(tags, str) and not listed:
        yield row.problem("tags", quoted(tags), "expected a list of text, or text with commas")
    cluster = values.get("cluster")
    if cluster is not None and (isinstance(cluster, bool) or not isinstance(cluster, str | int)):
        yield row.problem("cluster", quoted(cluster), "expected text")
    for name, value in values.items():
        strange = _not_data(value)
        if strange is not None:
            yield row.problem(name, strange, "expected text, a finite number, true, false, null, a list or a mapping")


def _is_label(text: str) -> bool:
    return 0 < len(text) <= MAX_ID and text == text.strip() and text.isprintable()


def _not_data(value: Any, level: int = 0) -> str | None:
    """What in a value cannot be written as JSON, None when all can."""
    if value is None or isinstance(value, bool | int | str):
        return None
    if isinstance(value, float):
        return None if math.isfinite(value) else f"{value} (not a finite number)"
    if level > MAX_LEVELS:
        return f"more than {MAX_LEVELS} levels of nesting"
    if isinstance(value, list):
        return next((found for item in value if (found := _not_data(item, level + 1))), None)
    if isinstance(value, dict):
        odd = next((key for key in value if not isinstance(key, str)), None)
        if odd is not None:
            return f"the key {odd!r}, which is not text"
        return next((found for item in value.values() if (found := _not_data(item, level + 1))), None)
    return f"a value of type {type(value).__name__}"
