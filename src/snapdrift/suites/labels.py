"""Files of labels: what people say of answers, one JSON object a line.

A row is either of an answer that it names (`LabelRow`; `docs/reference.md` documents it), or a filled-in row of a sheet
that `snapdrift calibrate --draw` wrote (`SheetRow`), which does not say whose answer it is. Here only their form is
checked; whether a run has such answers is the pipeline's business.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError

from snapdrift.errors import DatasetError, LabelsError, Problem
from snapdrift.suites.datasets import read_rows
from snapdrift.suites.document import format_location
from snapdrift.suites.row_mistakes import RowMistakes
from snapdrift.suites.rows import Row
from snapdrift.suites.shapes import Entry, Shape, mistakes_of

FORMATS = (".jsonl", ".jsonl.gz")


def _label(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("expected true, false, or a number of the metric's scale")
    return value


def _label_or_none(value: Any) -> Any:
    return None if value is None else _label(value)


def _digest(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise ValueError("expected the SHA-256 of the answer's text, 64 hexadecimal digits")
    return text


Text = Annotated[str, Field(min_length=1)]
Digest = Annotated[str, AfterValidator(_digest)]


class LabelRow(Entry):
    """A label of one answer under one metric, as reports export it."""

    run: Text
    case: Text
    variant: Text
    repeat: Annotated[int, Field(ge=0, lt=1_000_000)]
    metric: Text
    answer: Digest
    """The SHA-256 of the answer's text in UTF-8 (of the refusal, where the model refused)."""
    label: Annotated[Any, AfterValidator(_label)]
    """true or false for a metric that passes or fails, else a number on its own scale."""
    purpose: Literal["review", "calibration"]
    rater: str = ""
    comment: str = ""
    labelled_at: str = ""


class SheetRow(Entry):
    """A row of a drawn sheet. It is told from the other kind by its `item`, which only the run file can resolve."""

    item: Text
    run: Text
    metric: Text
    question: Any
    text: str
    criteria: list[str]
    scale: dict[str, Any]
    answer: Digest
    label: Annotated[Any, AfterValidator(_label_or_none)]
    """null: not labelled yet."""
    rater: str = ""
    comment: str = ""
    labelled_at: str = ""


@dataclass(frozen=True, slots=True)
class WrittenLabel:
    """A row as it was read, and where it stands."""

    entry: LabelRow | SheetRow
    row: Row

    def problem(self, key: str, found: str, expected: str) -> Problem:
        """A mistake in one key of the row."""
        return self.row.problem(key, found, expected)


def read_labels(path: Path, shown: str) -> tuple[WrittenLabel, ...]:
    """The rows of a file of labels; `shown` is its name in messages. Raises `LabelsError` with every mistake."""
    if not path.name.lower().endswith(FORMATS):
        raise LabelsError([Problem(shown, 0, 0, "", "a file of another format", f"expected {' or '.join(FORMATS)}")])
    try:
        rows = read_rows(path, shown)
    except DatasetError as error:
        raise LabelsError(error.problems) from None
    if not rows:
        raise LabelsError([Problem(shown, 0, 0, "", "no labels", "expected at least one row")])
    written: list[WrittenLabel] = []
    mistakes = RowMistakes()
    for row in rows:
        entry = _entry(row)
        if isinstance(entry, Entry):
            written.append(WrittenLabel(entry, row))
        else:
            mistakes.add(entry)
    if mistakes:
        raise LabelsError(mistakes.told())
    return tuple(written)


def _entry(row: Row) -> LabelRow | SheetRow | Sequence[Problem]:
    kind: type[LabelRow | SheetRow] = SheetRow if "item" in row.values else LabelRow
    values, shape = dict(row.values), Shape()
    try:
        return kind.model_validate(values, context=shape)
    except ValidationError as error:
        mistakes = mistakes_of(error, values, shape)
    return [row.problem(format_location(one.location), one.found, one.expected) for one in mistakes]
