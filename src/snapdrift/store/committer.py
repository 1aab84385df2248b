"""Group commit: one thread that owns the connection and commits everything that waits in one transaction.

A commit in SQLite's `synchronous = FULL` costs a sync of the disk; a thousand calls in flight must not wait for a
thousand of them in a row, nor may the event loop wait for any. While one commit syncs, the next group gathers.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from snapdrift.errors import StoreError
from snapdrift.store.format import explain

T = TypeVar("T")
GROUP_LIMIT = 256
"""Jobs in one transaction at most, so that the first of them is not kept waiting without bound."""


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """Work, and who waits for it: a thread, or a task of an event loop."""

    work: Callable[[sqlite3.Connection], Any]
    done: Future[Any] | asyncio.Future[Any] = field(default_factory=Future)


@dataclass(frozen=True, slots=True, eq=False)
class _Ended:
    """How a job ended: with a result, or with an error (None: with its result)."""

    job: _Job
    result: Any = None
    error: BaseException | None = None

    def tell(self) -> None:
        """Wakes who waits; one who is gone is not told."""
        done = self.job.done
        if done.done():
            return
        if self.error is not None:
            done.set_exception(self.error)
        else:
            done.set_result(self.result)


class Committer:
    """Runs jobs on a connection in its own thread; a job's future resolves once its transaction is on the disk.

    A group in which a job fails is undone and repeated job by job, so that each failure meets its own waiter only; what
    ails the file itself (full disk, locked) meets all that wait.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closed = False
        self.transactions = 0
        # A daemon, so that a program that forgets to close its writer still ends; what it awaited is on the disk.
        self._thread = threading.Thread(target=self._serve, name=f"store {path.name}", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Queues a job; the future carries its result, or the `StoreError` that says why it is not stored."""
        done: Future[T] = Future()
        self._put(_Job(work, done))
        return done

    def submit_from_loop(self, work: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """The same for a task of the running event loop, which is woken once for all jobs of a transaction."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._put(_Job(work, done))
        return done

    def _put(self, job: _Job) -> None:
        if self._closed:
            raise StoreError(f"{self._path}: the run file is closed")
        self._jobs.put(job)

    def close(self) -> None:
        """Commits what is queued and ends the thread; the connection stays open, for its owner to close."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
            self._thread.join()

    def _serve(self) -> None:
        while (first := self._jobs.get()) is not None:
            group, last = [first], False
            with suppress(queue.Empty):
                while len(group) < GROUP_LIMIT and not last:
                    job = self._jobs.get_nowait()
                    if job is None:
                        last = True
                    else:
                        group.append(job)
            self._commit(group)
            if last:
                return

    def _commit(self, group: list[_Job]) -> None:
        _tell(self._ended(group))

    def _ended(self, group: list[_Job]) -> list[_Ended]:
        try:
            results = self._transact(group)
        except Exception as error:  # noqa: BLE001  whatever it is, the waiter must get it and the thread live on
            # What is wrong with the file or the disk is wrong for all: to try each would take as many time-outs.
            if len(group) > 1 and not isinstance(error, sqlite3.OperationalError):
                return [ended for job in group for ended in self._ended([job])]
            known = isinstance(error, (sqlite3.Error, UnicodeError))
            return [_Ended(job, error=explain(error, self._path) if known else error) for job in group]
        return [_Ended(job, result) for job, result in zip(group, results, strict=True)]

    def _transact(self, group: list[_Job]) -> list[Any]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            results = [job.work(self._connection) for job in group]
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        self.transactions += 1
        return results


def _tell(ended: Sequence[_Ended]) -> None:
    """Wakes all who wait. A loop is called once, for waking it costs more than what it is told."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Ended]] = {}
    for one in ended:
        if isinstance(one.job.done, asyncio.Future):
            by_loop.setdefault(one.job.done.get_loop(), []).append(one)
        else:
            one.tell()
    for loop, its in by_loop.items():
        with suppress(RuntimeError):  # the loop is closed, and with it whoever waited
            loop.call_soon_threadsafe(_tell_all, its)


def _tell_all(ended: Sequence[_Ended]) -> None:
    for one in ended:
        one.tell()
