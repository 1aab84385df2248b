"""The calls and scores of a run file as a decision is made from them: read when asked for, a slice at a time.

A run has hundreds of thousands of them, each of which is a few numbers to whoever counts. So they are given out one by
one, any number of times, and only as much is in memory as one slice has.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import ItemsView, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from snapdrift.errors import StoreError
from snapdrift.model import CallKey, CallResult, Outcome, Reused, Score, Scores, Source, Usage
from snapdrift.store import codec, rows
from snapdrift.store.format import explained

T = TypeVar("T")
SLICE = 256
"""Rows that are read at once: a query of its own for each slice, so that no reader holds up what a writer folds in."""


class Reading:
    """Queries of one run file by one connection."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self.path = path

    def rows(self, query: str, parameters: Sequence[object] = ()) -> Iterator[tuple[Any, ...]]:
        """What a query finds, a row at a time. Raises `StoreError`."""
        with explained(self.path):
            # `yield from` would close the cursor of rows that nobody reads to their end, perhaps after the file.
            for row in self._connection.execute(query, parameters):  # noqa: UP028
                yield row

    def ids(self, query: str) -> array[int]:
        """Row ids as eight bytes each: a plan of a hundred thousand calls takes a megabyte."""
        return array("q", (row[0] for row in self.rows(query)))

    def in_slices(self, ids: Sequence[int], select: str, order: str) -> Iterator[list[tuple[Any, ...]]]:
        """The rows of `select` of these row ids `c.id`, a slice at a time, each slice in `order`."""
        for start in range(0, len(ids), SLICE):
            few = list(ids[start : start + SLICE])
            yield list(self.rows(f"{select} WHERE c.id IN ({','.join('?' * len(few))}){order}", few))

    def in_order(self, ids: Sequence[int], select: str) -> Iterator[tuple[Any, ...]]:
        """The same row by row, in planned order if the ids are."""
        for found in self.in_slices(ids, select, rows.PLANNED):
            yield from found


@dataclass(frozen=True, slots=True)
class _Step:
    """The one thing that counts of a step."""

    returned_model: str | None = None


@dataclass(frozen=True, slots=True)
class _Told:
    """What comparing needs of the record of a response."""

    returned_model: str | None = None
    latency_ms: float | None = None
    usage: Usage | None = None
    usd: float | None = None
    source: Source = Source.OPENAI
    attempts: tuple[Any, ...] = ()
    first_token_ms: float | None = None
    batched: bool = False
    steps: tuple[_Step, ...] = ()
    reused: Reused | None = None

    def made(self, stored: int) -> int:
        """How many of a call's stored requests were made for it: those whose answers are reused were not."""
        if self.reused is not None:
            return max(0, stored - self.reused.requests)
        return stored if self.attempts else 0


class StoredCalls(Mapping[CallKey, CallResult]):
    """Every planned answer call with how it ended, in planned order, read from the file each time.

    One without a response is `MISSING`, or `NOT_NEEDED` where its case is `spared`; it has what its steps cost.
    """

    def __init__(self, reading: Reading, spared: frozenset[str]) -> None:
        self._reading, self._spared = reading, spared

    def __len__(self) -> int:
        return int(next(self._reading.rows("SELECT count(*) FROM calls WHERE grader = ''"))[0])

    def __iter__(self) -> Iterator[CallKey]:
        return (key for key, _ in self._results())

    def __getitem__(self, key: CallKey) -> CallResult:
        row = next(self._reading.rows(rows.RESULTS + rows.ONE_CALL, rows.columns_of(key)), None)
        if row is None or key.grader:
            raise KeyError(key)
        return self._result(row, self._unfinished())[1]

    def items(self) -> ItemsView[CallKey, CallResult]:
        """Calls and how they ended, one at a time."""
        return _Items(self)

    def _results(self) -> Iterator[tuple[CallKey, CallResult]]:
        unfinished = self._unfinished()
        ids = self._reading.ids(rows.ANSWER_CALLS)
        return (self._result(row, unfinished) for row in self._reading.in_order(ids, rows.RESULTS))

    def _unfinished(self) -> dict[CallKey, tuple[int, float]]:
        """Calls that were cut off between two requests: how many there were, and what they cost in dollars."""
        found = self._reading.rows(rows.UNFINISHED)
        return {CallKey(*columns): (count, usd) for *columns, count, usd in found}

    def _result(
        self, row: tuple[Any, ...], unfinished: Mapping[CallKey, tuple[int, float]]
    ) -> tuple[CallKey, CallResult]:
        key, word, record, requests = CallKey(*row[:4]), *row[4:]
        if word is None:
            outcome = Outcome.NOT_NEEDED if key.case_id in self._spared else Outcome.MISSING
            begun, usd = unfinished.get(key, (0, None))
            return key, CallResult(outcome, requests=begun, usd=usd)
        try:
            told, outcome = codec.loads(_Told, record), codec.from_json(Outcome, word)
        except StoreError:  # the place takes as long to write out as the rest to read
            place = f"{self._reading.path}: response {key}"
            told, outcome = codec.loads(_Told, record, place), codec.from_json(Outcome, word, place)
        named = dict.fromkeys(step.returned_model for step in told.steps if step.returned_model is not None)
        return key, CallResult(
            outcome=outcome,
            returned_model=told.returned_model,
            latency_ms=told.latency_ms,
            usage=told.usage,
            usd=told.usd,
            source=told.source,
            requests=told.made(requests),
            first_token_ms=told.first_token_ms,
            batched=told.batched,
            also_returned=tuple(model for model in named if model != told.returned_model),
            reused=told.reused,
        )


class _Items(ItemsView[CallKey, CallResult]):
    """The pairs of `StoredCalls` by one query for all, where the usual view would ask for each."""

    def __init__(self, calls: StoredCalls) -> None:
        super().__init__(calls)
        self._calls = calls

    def __iter__(self) -> Iterator[tuple[CallKey, CallResult]]:
        return self._calls._results()


class StoredScores(Scores):
    """The scores of a run in the order in which they were added, read from the file each time."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def __iter__(self) -> Iterator[Score]:
        return self._found(f"{rows.SCORES} ORDER BY id")

    def of(self, variant: str, metric: str | None = None) -> Iterator[Score]:
        """Those of a variant, or of one metric of it."""
        if metric is None:
            return self._found(f"{rows.SCORES} WHERE variant = ? ORDER BY id", (variant,))
        return self._found(f"{rows.SCORES} WHERE variant = ? AND metric = ? ORDER BY id", (variant, metric))

    def with_facts(self) -> Iterator[Score]:
        """Those that have facts."""
        some, none = "'%\"facts\":{%'", "'%\"facts\":{}}'"  # files of before have the field always
        return self._found(f"{rows.SCORES} WHERE record LIKE {some} AND record NOT LIKE {none} ORDER BY id")

    def _found(self, query: str, parameters: Sequence[object] = ()) -> Iterator[Score]:
        path = self._reading.path
        return (rows.score_of(row, path) for row in self._reading.rows(query, parameters))


def sliced(items: Iterable[T], size: int = SLICE) -> Iterator[list[T]]:
    """What there is in lists of so many."""
    iterator = iter(items)
    while found := list(islice(iterator, size)):
        yield found
