"""The table of results in one file of the user's choice: CSV, Parquet or JSONL, a row a score or a row a call.

Rows are written case by case, so memory does not grow with the run. Cells of the CSV are guarded as those of
`results.csv`; Parquet and JSONL have texts as they are, only lone surrogates are replaced.
"""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import IO, Any

from snapdrift.reports.escaping import encodable
from snapdrift.reports.files import Drafts, named
from snapdrift.reports.results import (
    ANSWER_TYPES,
    CALL_TYPES,
    HEAD,
    SCORE_TYPES,
    TYPES,
    Answered,
    Rows,
    cells,
    csv_lines,
)
from snapdrift.reports.results_files import ParquetFile
from snapdrift.reports.view import View

AT_ONCE = 2_048
"""Rows of a call that are a row group of a Parquet file."""
OF_SCORE: Mapping[str, str] = {"value": "number", "passed": "flag", "reason": "text"}
"""What a row of a call has of each metric, as `METRIC.value` and so on."""
_PLACES = {name: list(SCORE_TYPES).index(name) for name in SCORE_TYPES}


class TableFormat(StrEnum):
    """What the file is."""

    CSV = "csv"
    PARQUET = "parquet"
    JSONL = "jsonl"


class RowOf(StrEnum):
    """What a row is of: a score (a call has one for each metric of its case), or a call with all its scores."""

    SCORE = "score"
    CALL = "call"


def write_table(view: View, path: Path, kind: TableFormat, row_of: RowOf) -> int:
    """Writes the table of a run; returns its number of rows. A name that ends with `.gz` is packed (not Parquet).

    Raises `OSError` with the path where it cannot be written, `ImportError` for Parquet without pyarrow.
    """
    answered = _answered(view)
    with Drafts() as drafts:
        draft = drafts.begin(path)
        with named(path):
            if kind is TableFormat.PARQUET:
                rows = _parquet(view, answered, draft, path, row_of)
            else:
                with _opened(draft, packed=path.name.lower().endswith(".gz")) as file:
                    rows = _lines(view, answered, file, kind, row_of)
        drafts.place()
    return rows


def _answered(view: View) -> Iterator[Answered]:
    rows = Rows(view)
    for case in view.cases:
        yield from rows.of(case)


def _opened(draft: Path, *, packed: bool) -> IO[str]:
    if not packed:
        return draft.open("w", encoding="utf-8", newline="")
    return io.TextIOWrapper(gzip.GzipFile(draft, "wb", 6, mtime=0), encoding="utf-8", newline="")


def _lines(view: View, answered: Iterable[Answered], file: IO[str], kind: TableFormat, row_of: RowOf) -> int:
    wide = call_types(view)
    if kind is TableFormat.CSV:
        file.write(HEAD if row_of is RowOf.SCORE else cells(list(wide)) + "\n")
    rows = 0
    for one in answered:
        rows += 1 if row_of is RowOf.CALL else len(one.scores)
        if kind is TableFormat.JSONL:
            for row in [_call(one)] if row_of is RowOf.CALL else _scores(one):
                file.write(encodable(json.dumps(row, ensure_ascii=False, default=str)) + "\n")
        else:
            file.write(csv_lines(one) if row_of is RowOf.SCORE else cells(_wide(one, wide)) + "\n")
    return rows


def _scores(one: Answered) -> Iterator[dict[str, Any]]:
    for score in one.scores:
        yield dict(zip(TYPES, (*one.call, *score, *one.answer), strict=True))


def _call(one: Answered) -> dict[str, Any]:
    """A call as one object: its scores by metric."""
    scores = {
        score[0]: {name: score[place] for name, place in _PLACES.items() if name != "metric"}
        for score in one.scores
        if score[0] is not None
    }
    return {
        **dict(zip(CALL_TYPES, one.call, strict=True)),
        **dict(zip(ANSWER_TYPES, one.answer, strict=True)),
        "scores": scores,
    }


def call_types(view: View) -> dict[str, str]:
    """The columns of a row of a call, and of what kind each is: of the call, its answer, and of each metric."""
    of_metrics = {f"{metric.name}.{name}": kind for metric in view.metrics for name, kind in OF_SCORE.items()}
    return {**CALL_TYPES, **ANSWER_TYPES, **of_metrics}


def _wide(one: Answered, types: Mapping[str, str]) -> list[Any]:
    scores = {f"{score[0]}.{name}": score[_PLACES[name]] for score in one.scores for name in OF_SCORE}
    known = len(CALL_TYPES) + len(ANSWER_TYPES)
    return [*one.call, *one.answer, *(scores.get(name) for name in islice(types, known, None))]


def _parquet(view: View, answered: Iterable[Answered], draft: Path, path: Path, row_of: RowOf) -> int:
    if row_of is RowOf.CALL:
        return _wide_parquet(answered, draft, call_types(view))
    file, rows = ParquetFile(draft, path), 0
    try:
        for one in answered:
            file.add(one)
            rows += len(one.scores)
        file.end()
    finally:
        file.close()
    return rows


def _wide_parquet(answered: Iterable[Answered], draft: Path, types: Mapping[str, str]) -> int:
    from pyarrow import parquet

    from snapdrift.reports.results_parquet import table_of

    made = (_wide(one, types) for one in answered)
    first: Sequence[Sequence[Any]] = list(islice(made, AT_ONCE))
    table, rows = table_of(first, types), len(first)
    with parquet.ParquetWriter(draft, table.schema, compression="zstd") as writer:
        writer.write_table(table)
        while group := list(islice(made, AT_ONCE)):
            writer.write_table(table_of(group, types))
            rows += len(group)
    return rows
