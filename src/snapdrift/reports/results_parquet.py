"""The table of results for Parquet, some thousand calls at a time.

Arrays are made of their buffers: `pyarrow.array` of Python values would load pandas first, which takes as long as a
small report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from snapdrift.reports.escaping import encodable
from snapdrift.reports.results import ANSWER_TYPES, CALL_TYPES, SCORE_TYPES, TYPES, Answered, Rows
from snapdrift.reports.view import View

if TYPE_CHECKING:
    import pyarrow as pa

CALLS, CHARACTERS = 4_096, 4_000_000
"""Planned calls, and characters of their answers, whose rows are together at most: a row group of the file."""
_LARGEST, _LEAST = 2**63 - 1, -(2**63)


class Batch:
    """Collects the rows of some calls by column; what is of a call is kept once for all of its scores."""

    def __init__(self) -> None:
        self._calls: list[list[Any]] = [[] for _ in CALL_TYPES]
        self._scores: list[list[Any]] = [[] for _ in SCORE_TYPES]
        self._answers: list[list[Any]] = [[] for _ in ANSWER_TYPES]
        self._rows: list[int] = []
        self._size = 0
        self._characters = 0

    def __len__(self) -> int:
        """How many calls there are."""
        return self._size

    @property
    def is_full(self) -> bool:
        """Whether another call belongs into another group."""
        return self._size >= CALLS or self._characters >= CHARACTERS

    def add(self, one: Answered) -> None:
        """Adds the rows of a planned call."""
        _append(self._calls, one.call)
        _append(self._answers, one.answer)
        for score in one.scores:
            _append(self._scores, score)
            self._rows.append(self._size)
        self._size += 1
        self._characters += len(one.answer[0] or "")

    def table(self) -> pa.Table:
        """The rows with the columns of `TYPES`. Raises `ImportError` where pyarrow is not installed."""
        import pyarrow as pa

        of_answers = _columns(self._calls, CALL_TYPES) | _columns(self._answers, ANSWER_TYPES)
        rows = _whole(self._rows)
        repeated = {name: values.take(rows) for name, values in of_answers.items()}
        repeated |= _columns(self._scores, SCORE_TYPES)
        return pa.Table.from_arrays([repeated[name] for name in TYPES], names=list(TYPES))


def table_of(rows: Sequence[Sequence[Any]], types: Mapping[str, str]) -> pa.Table:
    """A table of rows whose columns are of these kinds (those of `TYPES`). Raises `ImportError` without pyarrow."""
    import pyarrow as pa

    columns = [[row[place] for row in rows] for place in range(len(types))]
    arrays = _columns(columns, types)
    return pa.Table.from_arrays([arrays[name] for name in types], names=list(types))


def parquet_table(view: View) -> pa.Table:
    """The whole table. Texts are as the run holds them, but for lone surrogates: these are replaced.

    Raises `ImportError` where pyarrow (extra `parquet`) is not installed.
    """
    import pyarrow as pa

    return pa.concat_tables(_tables(view))


def _tables(view: View) -> Iterator[pa.Table]:
    rows, batch = Rows(view), Batch()
    for case in view.cases:
        for one in rows.of(case):
            batch.add(one)
        if batch.is_full:
            yield batch.table()
            batch = Batch()
    yield batch.table()


def _append(columns: Sequence[list[Any]], row: Sequence[Any]) -> None:
    for column, value in zip(columns, row, strict=True):
        column.append(value)


def _columns(values: Sequence[list[Any]], types: Mapping[str, str]) -> dict[str, pa.Array]:
    return {name: _KINDS[kind](column) for column, (name, kind) in zip(values, types.items(), strict=True)}


def _whole(values: Sequence[int | None]) -> pa.Array:
    import pyarrow as pa

    told = (0 if value is None else max(_LEAST, min(value, _LARGEST)) for value in values)
    data = np.fromiter(told, np.int64, len(values))
    return pa.Array.from_buffers(pa.int64(), len(values), [_known(values), pa.py_buffer(data)])


def _numbers(values: Sequence[float | None]) -> pa.Array:
    import pyarrow as pa

    data = np.fromiter((0.0 if value is None else value for value in values), np.float64, len(values))
    return pa.Array.from_buffers(pa.float64(), len(values), [_known(values), pa.py_buffer(data)])


def _flags(values: Sequence[bool | None]) -> pa.Array:
    import pyarrow as pa

    data = _bits(value is True for value in values)
    return pa.Array.from_buffers(pa.bool_(), len(values), [_known(values), data])


def _texts(values: Sequence[str | None]) -> pa.Array:
    import pyarrow as pa

    encoded = [b"" if value is None else _utf8(value) for value in values]
    ends = np.fromiter(accumulate(map(len, encoded), initial=0), np.int64, len(values) + 1)
    buffers = [_known(values), pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.large_string(), len(values), buffers)


def _utf8(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return encodable(text).encode("utf-8")


def _lists(values: Sequence[Sequence[str]]) -> pa.Array:
    import pyarrow as pa

    ends = np.fromiter(accumulate(map(len, values), initial=0), np.int32, len(values) + 1)
    inner = _texts([text for value in values for text in value])
    kind = pa.list_(pa.large_string())
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(ends)], children=[inner])


_KINDS: Mapping[str, Callable[[Sequence[Any]], Any]] = {
    "whole": _whole,
    "number": _numbers,
    "flag": _flags,
    "text": _texts,
    "texts": _lists,
}


def _known(values: Sequence[Any]) -> pa.Buffer | None:
    """Which values are there, one bit each; None where all are."""
    return _bits(value is not None for value in values) if None in values else None


def _bits(values: Iterator[bool]) -> pa.Buffer:
    import pyarrow as pa

    return pa.py_buffer(np.packbits(np.fromiter(values, bool), bitorder="little"))
