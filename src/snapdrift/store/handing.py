"""Rows that are made in one thread and stored in another, in one transaction, without all of them being in memory.

The two take turns: while rows are made nobody stores, and while they are stored nobody makes any. At the same time they
would wait for each other at every row, as only one thread of Python runs.
"""

from __future__ import annotations

import queue
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import TypeVar

from snapdrift.errors import StoreError

T = TypeVar("T")
SLICE = 2_048
"""Rows that are made, then stored, at a time."""


class _Turn(Enum):
    """What the thread that stores says: that it wants more rows, or that it is done with them, well or not."""

    MORE = "more"
    OVER = "over"


class _Stopped(Exception):  # noqa: N818  it is no error of its own: the other thread has the reason
    """The rows came to an end that is none, so that what was stored of them is undone."""


def hand_over(
    submit: Callable[[Callable[[sqlite3.Connection], None]], Future[None]],
    rows: Iterable[T],
    store: Callable[[sqlite3.Connection, Iterable[T]], None],
    path: Path,
) -> None:
    """Has `store` called with the rows by the thread that `submit` hands work to; returns when they are on the disk.

    The rows are made in this thread. What raises while they are is raised here, and nothing is stored.
    """
    turns: queue.SimpleQueue[_Turn] = queue.SimpleQueue()
    handed: queue.SimpleQueue[list[T] | _Stopped | None] = queue.SimpleQueue()
    begun: list[bool] = []

    def given() -> Iterator[T]:
        while True:
            turns.put(_Turn.MORE)
            part = handed.get()
            if part is None:
                return
            if isinstance(part, _Stopped):
                raise part
            yield from part

    def work(connection: sqlite3.Connection) -> None:
        if begun:  # undone and tried again: what has come is gone, and half of them must not pass for all
            raise StoreError(f"{path}: the scores were not stored; try again")
        begun.append(True)
        store(connection, given())

    done = submit(work)
    done.add_done_callback(lambda _: turns.put(_Turn.OVER))
    iterator = iter(rows)
    try:
        while turns.get() is _Turn.MORE:
            part = list(islice(iterator, SLICE))
            handed.put(part or None)
    except BaseException:
        handed.put(_Stopped())
        done.exception()
        raise
    done.result()
