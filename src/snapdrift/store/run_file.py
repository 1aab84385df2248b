"""A run file that is open for reading: what was fixed when the run started, its cases, and what was concluded."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from snapdrift.closable import Closable
from snapdrift.conclusions import Evaluation
from snapdrift.errors import StoreError
from snapdrift.model import Case
from snapdrift.store import codec, rows
from snapdrift.store.format import ATTEMPT_STARTED, explained
from snapdrift.store.header import RunHeader, RunState, require_file_names
from snapdrift.store.streams import Reading

_RECENT = 16
"""Cases that are kept at hand."""
_CASES = "SELECT id, record FROM cases WHERE id IN ({places})"
T = TypeVar("T")


class CasesById:
    """The cases of a run by id. The last few are at hand: the answers to a case stand next to each other."""

    def __init__(self, stored: RunFile) -> None:
        self._stored = stored
        self._recent: dict[str, Case] = {}

    def ahead(self, items: Iterable[T], case_of: Callable[[T], str]) -> Iterator[T]:
        """Gives on what belongs to cases, a few of which are read at once; `case_of` tells the id of an item's case.

        Beside a process that writes, every query reads anew what it needs of the file, so that a few cases take as
        long as one.
        """
        left = iter(items)
        while few := list(islice(left, _RECENT)):
            wanted = {case_of(item) for item in few}
            self._recent = {case_id: case for case_id, case in self._recent.items() if case_id in wanted}
            if missing := wanted - self._recent.keys():
                self._recent |= self._stored.cases_of(missing)
            yield from few

    def __getitem__(self, case_id: str) -> Case:
        """The case. Raises `StoreError` for one that is not there: the file is damaged."""
        case = self._recent.pop(case_id, None) or self._stored.case(case_id)
        if case is None:
            raise StoreError(f"{self._stored.path}: damaged, it has calls of case {case_id} and no such case")
        self._recent[case_id] = case
        if len(self._recent) > _RECENT:
            del self._recent[next(iter(self._recent))]
        return case


class RunFile(Closable):
    """A run as a whole. Each property is read when asked for, so a live run shows its progress."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._reading = Reading(connection, path)
        self._header: tuple[str, RunHeader] | None = None

    @property
    def header(self) -> RunHeader:
        """What was fixed when the run started."""
        text = self._required_meta("header")
        if self._header is None or self._header[0] != text:
            # It holds the whole suite and is asked for with every call: parsed once for as long as it stays the same.
            header = codec.loads(RunHeader, text, f"{self.path}: header")
            require_file_names(self.path, run=header.run_id, suite=header.suite, gate=header.gate)
            self._header = (text, header)
        return self._header[1]

    @property
    def state(self) -> RunState:
        """Where the run is; a run that was killed still says `running`."""
        return codec.from_json(RunState, self._required_meta("state"), f"{self.path}: state")

    @property
    def finished_at(self) -> str | None:
        """When it was finished (ISO 8601), None before."""
        return self.meta("finished_at")

    @property
    def attempt_started_at(self) -> str | None:
        """When the command began that worked on it last (ISO 8601), None where the file does not say."""
        return self.meta(ATTEMPT_STARTED)

    @property
    def suite(self) -> dict[str, Any]:
        """The suite in its stored form."""
        return self.header.suite_stored

    @property
    def evaluation(self) -> Evaluation | None:
        """What was concluded, None before."""
        text = self.meta("evaluation")
        return None if text is None else codec.loads(Evaluation, text, f"{self.path}: evaluation")

    def meta(self, key: str) -> str | None:
        """A text stored with `RunWriter.set_meta`."""
        row = self._one("SELECT value FROM meta WHERE key = ?", (key,))
        return None if row is None else str(row[0])

    def cases(self) -> tuple[Case, ...]:
        """The cases, in the dataset's order."""
        return tuple(self.each_case())

    def each_case(self) -> Iterator[Case]:
        """The same one at a time."""
        found = self._rows("SELECT id, record FROM cases ORDER BY position")
        return (codec.loads(Case, record, f"{self.path}: case {case_id}") for case_id, record in found)

    def case(self, case_id: str) -> Case | None:
        """One case, None where there is none of that id."""
        row = self._one("SELECT record FROM cases WHERE id = ?", (case_id,))
        return None if row is None else codec.loads(Case, row[0], f"{self.path}: case {case_id}")

    def cases_of(self, case_ids: Collection[str]) -> dict[str, Case]:
        """Some cases (some hundreds at most) by id; one that is not there is left out."""
        found = self._rows(_CASES.format(places=",".join("?" * len(case_ids))), [*case_ids])
        return {case_id: codec.loads(Case, record, f"{self.path}: case {case_id}") for case_id, record in found}

    def known_cases(self) -> CasesById:
        """The cases by id, each read when it is asked for."""
        return CasesById(self)

    def case_heads(self) -> tuple[Case, ...]:
        """The cases with their ids, tags and clusters alone, in the dataset's order."""
        same: dict[str, tuple[str, ...]] = {}
        heads, nothing = [], MappingProxyType[str, Any]({})
        for case_id, tags, cluster in self._rows(rows.CASE_HEADS):
            if tags not in same:
                same[tags] = codec.loads(tuple[str, ...], tags or "[]", f"{self.path}: tags of case {case_id}")
            heads.append(Case(case_id, nothing, tags=same[tags], cluster=None if cluster is None else str(cluster)))
        return tuple(heads)

    def case_ids(self) -> tuple[str, ...]:
        """The ids of the cases, in the dataset's order."""
        return tuple(row[0] for row in self._rows("SELECT id FROM cases ORDER BY position"))

    @contextmanager
    def at_one_moment(self) -> Iterator[None]:
        """Everything read inside is of one moment, whatever a writer does meanwhile."""
        with explained(self.path):
            self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.rollback()

    def copy_into(self, connection: sqlite3.Connection) -> None:
        """Copies the whole file, as it is at one moment, into an empty database."""
        with explained(self.path):
            self._connection.backup(connection)

    def rows(self, query: str, parameters: Sequence[object] = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of a query of another module of the store. Raises `StoreError`."""
        return self._rows(query, parameters)

    def close(self) -> None:
        """Lets go of the file."""
        self._connection.close()

    def _rows(self, query: str, parameters: Sequence[object] = ()) -> Iterator[tuple[Any, ...]]:
        return self._reading.rows(query, parameters)

    def _one(self, query: str, parameters: Sequence[object]) -> tuple[Any, ...] | None:
        return next(self._rows(query, parameters), None)

    def _required_meta(self, key: str) -> str:
        text = self.meta(key)
        if text is None:
            raise StoreError(f"{self.path}: damaged, it has no {key}")
        return text
