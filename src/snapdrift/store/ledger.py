"""What is spent each day, shared by every process that uses a state folder: one SQLite file, `ledger.db`.

A process never writes for every request. It leases an amount, asks within it, and at its end puts what was spent in the
lease's place. A lease counts in full until then, also when its process died: what became of it nobody knows. A day is
a date in UTC. Days that have not come yet count too, so that a clock that is set back finds no fresh budget.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from snapdrift.closable import Closable
from snapdrift.errors import StoreError
from snapdrift.store.own_files import require_own

FILE_NAME = "ledger.db"
FORMAT = 1
APPLICATION_ID = 0x536E4C67
"""`SnLg`."""
NANO = 1_000_000_000
"""Amounts are whole billionths of a dollar, so that sums are exact."""
LARGEST = 2**62 - 1
"""The most that one row holds: two of them together still fit 64 bits. What is more counts as this, above any limit."""
_BUSY_TIMEOUT_S = 20.0

_SCHEMA = """
CREATE TABLE spent (
  day TEXT NOT NULL, suite TEXT NOT NULL, run TEXT NOT NULL, nano INTEGER NOT NULL,
  PRIMARY KEY (day, suite, run)) STRICT;
CREATE TABLE leases (
  owner TEXT NOT NULL, day TEXT NOT NULL, suite TEXT NOT NULL, run TEXT NOT NULL, nano INTEGER NOT NULL,
  PRIMARY KEY (owner, day)) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a suite's day has come to, in billionths of a dollar.

    `held` is leased by processes that live; `unsettled` by some that died, or left batches with the provider: it counts
    like what is spent.
    """

    day: str
    spent: int = 0
    held: int = 0
    unsettled: int = 0

    @property
    def counted(self) -> int:
        """All of it together."""
        return self.spent + self.held + self.unsettled


@dataclass(frozen=True, slots=True)
class Entry:
    """What a run has spent, or may have spent, on a day in billionths of a dollar."""

    day: str
    suite: str
    run: str
    nano: int


@dataclass(frozen=True, slots=True)
class Closing:
    """How a lease ends: what was `spent` of it, and what is `left` to be settled by who goes on with the run."""

    owner: str
    day: str
    spent: int
    left: int = 0


def utc_day() -> str:
    """Today's date in UTC, as `2026-11-27`."""
    return datetime.now(UTC).date().isoformat()


class Ledger(Closable):
    """The ledger of a state folder. Every method is one transaction and may be called from any thread.

    `today` tells the date. Raises `StoreError` where the file cannot be used: money is not spent unseen.
    """

    def __init__(self, state_dir: Path, today: Callable[[], str] = utc_day) -> None:
        self.path = state_dir / FILE_NAME
        self.today = today
        self._guard = threading.Lock()
        with self._explained():
            state_dir.mkdir(parents=True, exist_ok=True)
            self._connection = _connect(self.path)
            try:
                _lay_out(self._connection, self.path)
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        """Closes the file. What is leased stays leased."""
        self._connection.close()

    def standing(self, suite: str) -> Standing:
        """What counts against the suite's budget of today."""
        with self._transaction() as connection:
            return _standing(connection, suite, self.today())

    def draw(self, owner: str, asked: Entry, limit: int, want: int) -> Standing | int:
        """Adds at least what is `asked` for, and up to `want`, to what `owner` has leased of that day.

        Returns how much it was; where not even that is left of the `limit`, what the day has come to.
        """
        day, suite, run, need = asked.day, asked.suite, asked.run, asked.nano
        with self._transaction() as connection:
            standing = _standing(connection, suite, day)
            room = limit - standing.counted
            if room < need:
                return standing
            amount = min(max(need, want), room)
            _lease(connection, owner, Entry(day, suite, run, amount))
            return amount

    def force(self, owner: str, entry: Entry) -> None:
        """Leases what is spent or under way already, whether it fits or not."""
        with self._transaction() as connection:
            _lease(connection, owner, entry)

    def give_back(self, owner: str, spent: Entry, idle: int) -> None:
        """Takes out of a lease what was `spent` of it, which stays spent, and what lies idle, which is free again."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE leases SET nano = max(0, nano - ?) WHERE owner = ? AND day = ?",
                (min(spent.nano + idle, LARGEST), owner, spent.day),
            )
            _spend(connection, spent)

    def take_over(self, owner: str, run: str) -> tuple[Entry, ...]:
        """Makes `owner` that of what ended processes of a run have left leased, by day.

        To be called by who holds the run's lock: then no other process of it lives.
        """
        with self._transaction() as connection:
            rows = connection.execute("SELECT owner, day, suite, nano FROM leases WHERE run = ?", (run,)).fetchall()
            totals: dict[tuple[str, str], int] = {}
            for before, day, suite, nano in rows:
                if not is_alive(before):
                    totals[day, suite] = totals.get((day, suite), 0) + nano
                    connection.execute("DELETE FROM leases WHERE owner = ? AND day = ?", (before, day))
            entries = tuple(Entry(day, suite, run, nano) for (day, suite), nano in totals.items())
            for entry in entries:
                _lease(connection, owner, entry)
            return entries

    def settle(self, suite: str, run: str, closings: Iterable[Closing]) -> None:
        """Ends leases: puts what was spent in their place, and keeps what is left to be settled."""
        with self._transaction() as connection:
            for one in closings:
                connection.execute("DELETE FROM leases WHERE owner = ? AND day = ?", (one.owner, one.day))
                _spend(connection, Entry(one.day, suite, run, one.spent))
                if one.left:
                    _lease(connection, f"left:{run}", Entry(one.day, suite, run, one.left))

    def entries(self) -> tuple[Entry, ...]:
        """What each run has spent each day, what is leased included."""
        with self._transaction() as connection:
            rows = connection.execute(
                "SELECT day, suite, run, nano FROM spent UNION ALL SELECT day, suite, run, nano FROM leases"
            )
            totals: dict[tuple[str, str, str], int] = {}
            for *of, nano in rows:
                day, suite, run = of
                totals[day, suite, run] = totals.get((day, suite, run), 0) + nano
        return tuple(Entry(*of, nano=min(nano, LARGEST)) for of, nano in sorted(totals.items()))

    def merge(self, entries: Iterable[Entry]) -> int:
        """Takes in what another ledger says: of a run's day the larger amount counts. Returns how many were news."""
        known = {(one.day, one.suite, one.run): one.nano for one in self.entries()}
        news = [one for one in entries if one.nano > known.get((one.day, one.suite, one.run), 0)]
        with self._transaction() as connection:
            for one in news:
                more = one.nano - known.get((one.day, one.suite, one.run), 0)
                _spend(connection, Entry(one.day, one.suite, one.run, more))
        return len(news)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._guard, self._explained():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"{self.path}: the ledger of what is spent each day cannot be used ({error}); check the file and its "
                "folder, or move it away to count anew"
            ) from error


def me() -> str:
    """A name for this process that no other has, nor had: by it others see whether it lives."""
    return f"{os.getpid()}:{_started(os.getpid())}:{os.urandom(6).hex()}"


def is_alive(owner: str) -> bool:
    """Whether the process that made the name still runs; a process id that was given again is told by its start."""
    pid, _, rest = owner.partition(":")
    if not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except PermissionError:
        pass  # it is there, and somebody else's
    except (ProcessLookupError, OverflowError):
        return False
    return _started(int(pid)) == rest.partition(":")[0]


def _started(pid: int) -> str:
    """When a process started, in the kernel's own count (field 22 of proc(5) `stat`); empty where there is no /proc."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    return text.rpartition(")")[2].split()[19]


def _connect(path: Path) -> sqlite3.Connection:
    require_own(path)
    connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _lay_out(connection: sqlite3.Connection, path: Path) -> None:
    """Makes the tables in a new file; refuses one that is another program's, or of a newer version."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            for statement in filter(str.strip, _SCHEMA.split(";")):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {FORMAT}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    found = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    odd = connection.execute("SELECT count(*) FROM sqlite_schema WHERE type NOT IN ('table', 'index')").fetchone()[0]
    if (found, version) != (APPLICATION_ID, FORMAT) or odd:
        raise StoreError(f"{path}: not a ledger of this version; move it away to count anew")


def _standing(connection: sqlite3.Connection, suite: str, day: str) -> Standing:
    # Summed here, where a sum cannot be too large.
    rows = connection.execute("SELECT nano FROM spent WHERE suite = ? AND day >= ?", (suite, day))
    spent = sum(nano for (nano,) in rows)
    held = unsettled = 0
    for owner, nano in connection.execute("SELECT owner, nano FROM leases WHERE suite = ? AND day >= ?", (suite, day)):
        if is_alive(owner):
            held += nano
        else:
            unsettled += nano
    return Standing(day, spent, held, unsettled)


def _lease(connection: sqlite3.Connection, owner: str, entry: Entry) -> None:
    connection.execute(
        "INSERT INTO leases (owner, day, suite, run, nano) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (owner, day) DO UPDATE SET nano = min(nano + excluded.nano, ?)",
        (owner, entry.day, entry.suite, entry.run, min(entry.nano, LARGEST), LARGEST),
    )


def _spend(connection: sqlite3.Connection, entry: Entry) -> None:
    if entry.nano:
        connection.execute(
            "INSERT INTO spent (day, suite, run, nano) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (day, suite, run) DO UPDATE SET nano = min(nano + excluded.nano, ?)",
            (entry.day, entry.suite, entry.run, min(entry.nano, LARGEST), LARGEST),
        )
