"""Every verdict that was made in a state folder, one line each: what remains when a run is tried again or deleted.

`verdicts.jsonl` beside the folder of runs is appended to and never rewritten. What it lacks (runs of an older version,
files brought from elsewhere) is read from the run files themselves.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from snapdrift.errors import StoreError
from snapdrift.model import DecisionWord
from snapdrift.store import codec
from snapdrift.store.own_files import open_own

FILE_NAME = "verdicts.jsonl"


@dataclass(frozen=True, slots=True)
class LoggedVerdict:
    """One conclusion of a run. That of a partial run is no verdict: it has no `question`, and only its run is named.

    `identity` is the run's; `question` the hash of what is asked whatever it is asked with: suite, gate, variants, and
    where answers come from. `facets` are the rest, each by a value that is equal where nothing changed (`seed`,
    `cases`, ...). `draws` are the sketches of the variants' answers (`draws.shared`).
    """

    run_id: str
    attempt: int
    suite: str
    gate: str
    decided_at: str
    decision: DecisionWord
    identity: str
    question: str
    facets: Mapping[str, str] = field(default_factory=dict)
    draws: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def log_path(runs_dir: Path) -> Path:
    """Where the verdicts on the runs of a folder are kept."""
    return runs_dir.parent / FILE_NAME


def append_verdict(runs_dir: Path, verdict: LoggedVerdict) -> None:
    """Adds a line, on disk when it returns. Raises `StoreError` when it cannot be written."""
    _append(runs_dir, lambda _: (codec.dumps(verdict),))


def add_lines(runs_dir: Path, lines: Iterable[str]) -> int:
    """Adds those verdicts of another folder's log that are new, and returns how many. Raises `StoreError`."""

    def news(file: BinaryIO) -> tuple[str, ...]:
        file.seek(0)
        known = set(file.read().decode("utf-8", "replace").split("\n"))
        return tuple(line for line in lines if line not in known)

    return _append(runs_dir, news)


def _append(runs_dir: Path, lines: Callable[[BinaryIO], tuple[str, ...]]) -> int:
    """Adds what `lines` makes of the file while it is locked, and returns how many lines it was."""
    path = log_path(runs_dir)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(open_own(path, os.O_RDWR | os.O_CREAT | os.O_APPEND), "ab+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            added = lines(file)
            if not added:
                return 0
            # A process that was killed while it wrote leaves half a line: the next one starts on a line of its own.
            file.seek(0, os.SEEK_END)
            end = file.tell()
            file.seek(max(0, end - 1))
            torn = end > 0 and file.read(1) != b"\n"
            text = "".join(f"{line}\n" for line in added)
            file.write((b"\n" if torn else b"") + text.encode())
            file.flush()
            os.fsync(file.fileno())
            return len(added)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written; check the folder and its permissions ({error})") from error


def read_verdicts(runs_dir: Path) -> tuple[LoggedVerdict, ...]:
    """The verdicts in the order in which they were made, whoever made them.

    Lines that cannot be read (a torn one) are left out. Raises `StoreError` when the file cannot be read at all.
    """
    path = log_path(runs_dir)
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise StoreError(f"{path}: cannot be read; check its permissions ({error})") from error
    verdicts = []
    for line in text.splitlines():
        try:
            verdicts.append(codec.loads(LoggedVerdict, line, str(path)))
        except StoreError:
            continue
    # Lines that came from elsewhere stand at the end.
    return tuple(sorted(verdicts, key=lambda verdict: verdict.decided_at))
