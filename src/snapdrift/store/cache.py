"""The cache across runs: an index of which request is answered in which run file (`docs/design/cache.md`).

The run files hold the answers; this file can be deleted, and is made anew. Every failure is a `StoreError`: whoever
asks goes on without it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snapdrift.closable import Closable
from snapdrift.errors import NewerFormatError, StoreError
from snapdrift.store.cache_rows import Found, entries_of
from snapdrift.store.own_files import require_own

FORMAT = 2
APPLICATION_ID = 0x536E4463
"""`SnDc`."""
CACHE_NAME = "cache.db"
_BUSY_TIMEOUT_S = 2.0
_FILLED = 0.9
"""How full the index is left when it was over its bound, so that it is not over it with the next run."""

SCHEMA = """
CREATE TABLE runs (
  id INTEGER PRIMARY KEY, run TEXT NOT NULL UNIQUE, size INTEGER NOT NULL, changed INTEGER NOT NULL) STRICT;
CREATE TABLE models (id INTEGER PRIMARY KEY, place TEXT NOT NULL, model TEXT NOT NULL, UNIQUE (place, model)) STRICT;
CREATE TABLE entries (
  id INTEGER PRIMARY KEY, key BLOB NOT NULL, model INTEGER NOT NULL REFERENCES models (id),
  run INTEGER NOT NULL REFERENCES runs (id), call INTEGER NOT NULL, step INTEGER NOT NULL, batched INTEGER NOT NULL,
  received_at TEXT NOT NULL, used_at TEXT NOT NULL, bytes INTEGER NOT NULL,
  asker INTEGER NOT NULL, origin INTEGER NOT NULL, UNIQUE (run, call, step)) STRICT;
CREATE INDEX entries_by_key ON entries (key, asker);
CREATE TABLE cleared (model TEXT NOT NULL, received_before TEXT NOT NULL) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """Where an answer is: the run, the row of the call in its file, the step; and when it was received.

    `origin` (`origin_key`) is the same for all copies of an answer.
    """

    id: int
    run: str
    call: int
    step: int
    received_at: str
    origin: int


@dataclass(frozen=True, slots=True)
class ModelEntries:
    """The answers of one model in the index. `bytes` are what they take in run files; times are ISO 8601."""

    model: str
    entries: int
    bytes: int
    oldest: str
    newest: str


class AnswerIndex(Closable):
    """The index, open. Close it. Every method raises `StoreError` when the file cannot be used any more."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def open(cls, path: Path) -> AnswerIndex:
        """Opens the index, or makes it. Raises `NewerFormatError` and `StoreError`."""
        with _explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            require_own(path)
            connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
            try:
                connection.execute("PRAGMA trusted_schema = OFF")
                if connection.execute("PRAGMA application_id").fetchone()[0] == 0:
                    _lay_out(connection)
                _renew(connection)
                _check(connection, path)
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")  # what a power cut takes is made anew
            except BaseException:
                connection.close()
                raise
        return cls(path, connection)

    def take_in(self, runs_dir: Path, *, but: Path | None = None) -> None:
        """Brings the index up to date with the run files of a folder, newest first; the file `but` is left out.

        Files that are no run files, that say nothing of reuse, or from which something was taken out have no entries.
        """
        with _explained(self.path):
            known = {run: (size, changed) for run, size, changed in self._rows("SELECT run, size, changed FROM runs")}
            there = {path.stem: path for path in runs_dir.glob("*.db")}
            gone = [run for run in known if run not in there]
            if gone:
                with self._transaction():
                    for run in gone:
                        self._forget(run)
            for run in sorted(there, reverse=True):
                if but is not None and run == but.stem:
                    continue
                try:
                    about = there[run].stat()
                except OSError:
                    continue
                now = (about.st_size, about.st_mtime_ns)
                if known.get(run) != now:
                    self._take_in_run(there[run], *now)

    def has(self, place: str, model: str) -> bool:
        """Whether there is any answer of a model at a place."""
        query = (
            "SELECT 1 FROM models m WHERE place = ? AND model = ? AND EXISTS (SELECT 1 FROM entries WHERE model = m.id)"
        )
        with _explained(self.path):
            return self._connection.execute(query, (place, model)).fetchone() is not None

    def find(
        self, place: str, model: str, key: bytes, *, batched: bool, since: str = "", asker: int | None = None
    ) -> list[Entry]:
        """The answers to a request, the newest first, copies among them; those of one `asker` (`asker_key`), or all.

        `since` leaves out what was received before.
        """
        query = (
            "SELECT e.id, r.run, e.call, e.step, e.received_at, e.origin FROM entries e"
            " JOIN models m ON m.id = e.model JOIN runs r ON r.id = e.run"
            " WHERE e.key = ? AND m.place = ? AND m.model = ? AND e.batched = ? AND e.received_at >= ?"
        )
        values: tuple[object, ...] = (key, place, model, int(batched), since)
        if asker is not None:
            query, values = f"{query} AND e.asker = ?", (*values, asker)
        with _explained(self.path):
            return [Entry(*row) for row in self._rows(f"{query} ORDER BY e.received_at DESC, e.id DESC", values)]

    def used(self, ids: Iterable[int], moment: str) -> None:
        """Notes when entries were used: what was not used longest goes first."""
        with _explained(self.path), self._transaction():
            self._connection.executemany("UPDATE entries SET used_at = ? WHERE id = ?", ((moment, one) for one in ids))

    def shrink(self, max_bytes: float) -> int:
        """Forgets what was not used longest until the file holds at most `max_bytes`; returns how many entries went."""
        with _explained(self.path):
            taken = self.size_bytes
            count: int = self._connection.execute("SELECT count(*) FROM entries").fetchone()[0]
            if taken <= max_bytes or not count:
                return 0
            too_many = min(count, int(count * (1 - _FILLED * max_bytes / taken)) + 1)
            with self._transaction():
                self._connection.execute(
                    "DELETE FROM entries WHERE id IN (SELECT id FROM entries ORDER BY used_at, id LIMIT ?)", (too_many,)
                )
            self._connection.execute("VACUUM")
            return too_many

    @property
    def size_bytes(self) -> int:
        """What the index takes on the disk."""
        with _explained(self.path):
            names = ("page_count", "freelist_count", "page_size")
            pages, free, size = (int(self._connection.execute(f"PRAGMA {name}").fetchone()[0]) for name in names)
            return (pages - free) * size

    def models(self) -> list[ModelEntries]:
        """What there is, by model."""
        query = (
            "SELECT m.model, count(*), sum(e.bytes), min(e.received_at), max(e.received_at)"
            " FROM entries e JOIN models m ON m.id = e.model GROUP BY m.model ORDER BY m.model"
        )
        with _explained(self.path):
            return [ModelEntries(*row) for row in self._rows(query)]

    def clear(self, received_before: str, model: str | None = None) -> int:
        """Forgets the answers received before a moment, of one model or all, for good; returns how many there were."""
        query = (
            "DELETE FROM entries WHERE received_at < ?"
            " AND (? IS NULL OR model IN (SELECT id FROM models WHERE model = ?))"
        )
        with _explained(self.path), self._transaction():
            found = self._connection.execute(query, (received_before, model, model))
            self._connection.execute("INSERT INTO cleared VALUES (?, ?)", (model or "", received_before))
            return found.rowcount

    def close(self) -> None:
        """Lets go of the file."""
        self._connection.close()

    def _rows(self, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(query, parameters).fetchall()

    def _take_in_run(self, path: Path, size: int, changed: int) -> None:
        """Puts a run's entries in the place of those there were; a file that is damaged has none until it changes."""
        with self._transaction():
            self._forget(path.stem)
            insert = "INSERT INTO runs (run, size, changed) VALUES (?, ?, ?)"
            number = self._connection.execute(insert, (path.stem, size, changed)).lastrowid
            cleared = self._rows("SELECT model, received_before FROM cleared")
            models = {(place, model): one for one, place, model in self._rows("SELECT id, place, model FROM models")}
            self._connection.execute("SAVEPOINT entries")
            try:
                self._connection.executemany(
                    "INSERT OR IGNORE INTO entries (key, model, run, call, step, batched, received_at, used_at, bytes,"
                    " asker, origin) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        (one.key, self._model(one, models), number, one.call, one.step, int(one.batched), *_facts(one))
                        for one in entries_of(path)
                        if not _is_cleared(one, cleared)
                    ),
                )
            except StoreError:
                self._connection.execute("ROLLBACK TO entries")
            self._connection.execute("RELEASE entries")

    def _model(self, one: Found, models: dict[tuple[str, str], Any]) -> Any:
        """The row of a model at a place, made where there is none; `models` are those known."""
        known = models.get((one.place, one.model))
        if known is None:
            insert = "INSERT INTO models (place, model) VALUES (?, ?)"
            known = models[one.place, one.model] = self._connection.execute(insert, (one.place, one.model)).lastrowid
        return known

    def _forget(self, run: str) -> None:
        self._connection.execute("DELETE FROM entries WHERE run = (SELECT id FROM runs WHERE run = ?)", (run,))
        self._connection.execute("DELETE FROM runs WHERE run = ?", (run,))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise


def _facts(one: Found) -> tuple[str, str, int, int, int]:
    """When an answer was received, when it was used (not since), its size, who asked and its origin."""
    return one.received_at, one.received_at, one.bytes, one.asker, one.origin


def _is_cleared(one: Found, cleared: Iterable[tuple[str, str]]) -> bool:
    return any(model in ("", one.model) and one.received_at < before for model, before in cleared)


def _lay_out(connection: sqlite3.Connection) -> None:
    """Makes the tables in an empty file; of two processes that begin at once one finds them there."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.execute("PRAGMA application_id").fetchone()[0] == 0:
            _make_tables(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _renew(connection: sqlite3.Connection) -> None:
    """Makes an index of an older format anew, for the run files have it all but for what was cleared."""

    def is_older() -> bool:
        application: int = connection.execute("PRAGMA application_id").fetchone()[0]
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        return application == APPLICATION_ID and version < FORMAT

    if not is_older():
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        if is_older():  # nobody was first
            cleared = connection.execute("SELECT model, received_before FROM cleared").fetchall()
            for table in ("entries", "models", "runs", "cleared"):
                connection.execute(f"DROP TABLE {table}")
            _make_tables(connection)
            connection.executemany("INSERT INTO cleared VALUES (?, ?)", cleared)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _make_tables(connection: sqlite3.Connection) -> None:
    for statement in filter(str.strip, SCHEMA.split(";")):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {FORMAT}")


def _check(connection: sqlite3.Connection, path: Path) -> None:
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise StoreError(f"{path}: not a cache of Snapdrift; delete it, it is made anew from the run files")
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found > FORMAT:
        raise NewerFormatError(
            f"{path}: written in cache format {found}, this Snapdrift reads {FORMAT}; upgrade snapdrift"
        )
    query = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name"
    expected = sqlite3.connect(":memory:", isolation_level=None)
    try:
        _lay_out(expected)
        if found != FORMAT or connection.execute(query).fetchall() != expected.execute(query).fetchall():
            raise StoreError(f"{path}: damaged; delete it, it is made anew from the run files")
    finally:
        expected.close()


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError, UnicodeError, OverflowError) as error:
        text = str(error)
        mends = {
            "locked": "another process keeps it locked",
            "readonly": "it cannot be written; check the permissions of the file and its folder",
            "Permission denied": "check the permissions of the file and its folder",
            "unable to open": "it cannot be opened; check the permissions of the file and its folder",
            "full": "the disk is full",
        }
        otherwise = "damaged; delete it, it is made anew from the run files"
        if isinstance(error, OSError):
            otherwise = "it cannot be used; check its folder and the permissions there"
        mend = next((mend for sign, mend in mends.items() if sign in text), otherwise)
        raise StoreError(f"{path}: {mend} ({text})") from error
