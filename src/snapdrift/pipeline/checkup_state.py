"""What `doctor` looks at of the workspace's state folder: room, whether it can be written, and the runs in it."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from snapdrift.errors import SnapdriftError
from snapdrift.pipeline.checkup import Check, Level

if TYPE_CHECKING:
    from snapdrift.suites.workspace import Workspace

LITTLE_ROOM = 2**30
NO_ROOM = 100 * 2**20
"""Bytes that are free: below the first it is worth knowing, below the second a run may not come to its end."""
MOST_RUNS = 100
"""Runs that are looked at, the newest: opening each takes milliseconds."""


def state_checks(workspace: Workspace) -> Iterator[Check]:
    """What is found of the state folder. It is not made where it is not there; a file is written and removed again."""
    folder = workspace.state_dir
    there = next((place for place in (folder, *folder.parents) if place.exists()), Path("/"))
    yield _room(there)
    yield _writing(folder, there)
    if (folder / "runs").is_dir():
        yield _runs(folder / "runs")


def _room(place: Path) -> Check:
    try:
        free = shutil.disk_usage(place).free
    except OSError as error:
        return Check("disk", Level.WARN, f"{place}: not known ({error.strerror})")
    found = f"{free / 2**30:,.1f} GB free for {place}"
    if free < NO_ROOM:
        return Check("disk", Level.BAD, found, "make room: answers are stored before they count")
    return Check("disk", Level.WARN if free < LITTLE_ROOM else Level.OK, found, "make room" * (free < LITTLE_ROOM))


def _writing(folder: Path, there: Path) -> Check:
    """Whether run files can be kept there: written, locked, and with SQLite's log, which network folders may lack."""
    mend = 'name another folder: `state = "..."` in snapdrift.toml'
    if not there.is_dir():
        return Check("state folder", Level.BAD, f"{there} is no folder", mend)
    try:
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=there) as scratch:
            locked = os.open(Path(scratch) / "lock", os.O_RDWR | os.O_CREAT)
            try:
                fcntl.flock(locked, fcntl.LOCK_EX | fcntl.LOCK_NB)
            finally:
                os.close(locked)
            with closing(sqlite3.connect(Path(scratch) / "run.db")) as connection:
                mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
                connection.execute("CREATE TABLE t (n INTEGER NOT NULL) STRICT")
    except (OSError, sqlite3.Error) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        how = "give yourself the right to write there, or " if getattr(error, "errno", 0) in (errno.EACCES, 1) else ""
        return Check("state folder", Level.BAD, f"{there} cannot be written ({why})", how + mend)
    if mode != "wal":
        found = f"{there}: SQLite has no write-ahead log there (a network folder?)"
        return Check("state folder", Level.BAD, found, mend)
    new = "" if folder.exists() else " (made by the first run)"
    return Check("state folder", Level.OK, f"{folder}: can be written{new}")


def _runs(folder: Path) -> Check:
    files = sorted(folder.glob("*.db"), key=lambda path: path.name, reverse=True)
    states = Counter(_state(path) for path in files[:MOST_RUNS])
    more = f" of the newest {MOST_RUNS:,}" if len(files) > MOST_RUNS else ""
    told = ", ".join(f"{number:,} {state}" for state, number in sorted(states.items()))
    found = f"{len(files):,} run{'' if len(files) == 1 else 's'}" + (f"; {told}{more}" if told else "")
    if states["unreadable"]:
        unread = next(path for path in files[:MOST_RUNS] if _state(path) == "unreadable")
        return Check("runs", Level.WARN, f"{found}, such as {unread.name}", f"move it away: {unread}")
    if states["interrupted"]:
        return Check("runs", Level.WARN, found, "go on with one: snapdrift resume RUN (`snapdrift resume latest`)")
    return Check("runs", Level.OK, found)


def _state(path: Path) -> str:
    """Where a run is; one that was killed says that it is running, and nobody holds its lock."""
    from snapdrift.store import open_run
    from snapdrift.store.header import RunState

    try:
        with open_run(path) as run:
            state = run.state
    except SnapdriftError:
        return "unreadable"
    if state is RunState.RUNNING:
        return "running" if _is_held(path.with_suffix(".lock")) else RunState.INTERRUPTED.value
    return state.value


def _is_held(lock: Path) -> bool:
    """Whether a process holds a lock; the file is neither made nor changed."""
    try:
        descriptor = os.open(lock, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
