"""What of a state folder travels, by name, and how each kind of file is read, checked and put in place.

What comes from elsewhere is somebody else's: only these names are taken, nothing else of a place is ever written to
disk, and every file is read as what it claims to be before it gets its name here.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from snapdrift.errors import StoreError
from snapdrift.store import calibration_records, codec, ledger, unfinished, verdict_log
from snapdrift.store.header import RunState
from snapdrift.store.ledger import LARGEST, Entry
from snapdrift.store.reader import open_run
from snapdrift.store.unfinished import CutOff, require_sound
from snapdrift.store.verdict_log import LoggedVerdict

MANIFEST = "state.json"
FORMAT = "snapdrift.state/1"
VERDICTS = verdict_log.FILE_NAME
LEDGER = "ledger.jsonl"
"""The ledger travels as lines of text, so that two of them can be added up."""
_NAMED = 5
"""Lines of a ledger that are named one by one when they are left out."""
FOLDERS = ("runs", unfinished.FOLDER, "watch", calibration_records.FOLDER)
"""The folders of a state in which there are files that travel."""


class Kind(Enum):
    """The files that travel, by their path; the value is a pattern of it and the most bytes that one may have."""

    RUN = (r"runs/[0-9A-Za-z][0-9A-Za-z-]{0,63}\.db", 4 * 2**30)
    UNFINISHED = (rf"{unfinished.FOLDER}/[0-9A-Za-z][0-9A-Za-z-]{{0,63}}\.db", 4 * 2**30)
    WATCH = (r"watch/[A-Za-z0-9][A-Za-z0-9._-]{0,202}\.json", 16 * 2**20)
    # A metric's name is percent-encoded there, but for spaces.
    CALIBRATION = (rf"{calibration_records.FOLDER}/[A-Za-z0-9][A-Za-z0-9._~% -]{{0,249}}\.json", 16 * 2**20)
    VERDICTS = (re.escape(VERDICTS), 256 * 2**20)
    LEDGER = (re.escape(LEDGER), 64 * 2**20)
    # The ledger travels as text. The cache is an index of the runs that are here; one from elsewhere would bring back
    # what was cleared.
    DATABASE = (r"(?!ledger\.|cache\.)[a-z][a-z0-9_-]{0,63}\.db", 4 * 2**30)
    MANIFEST = (re.escape(MANIFEST), 64 * 2**20)

    @property
    def largest(self) -> int:
        """The most bytes that a file of this kind may have."""
        return self.value[1]


def kind_of(path: str) -> Kind | None:
    """What a path is the name of; None: of nothing that travels."""
    return next((kind for kind in Kind if re.fullmatch(kind.value[0], path, re.ASCII)), None)


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What tells which of two files of one run is the newer: it may have been tried, or graded, again."""

    suite: str
    attempt: int
    finished_at: str

    def is_newer_than(self, other: RunFacts | None) -> bool:
        """Whether it holds what the other does and more. Nothing at all is older than everything."""
        return other is None or (self.attempt, self.finished_at) > (other.attempt, other.finished_at)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a place says that it holds: runs, and when each other database was last changed (ISO 8601, UTC).

    Finished runs and those that were cut off stand apart.
    """

    runs: Mapping[str, RunFacts] = field(default_factory=dict)
    unfinished: Mapping[str, CutOff] = field(default_factory=dict)
    databases: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """As a place keeps it."""
        document = {
            "format": FORMAT,
            "runs": {run: asdict(facts) for run, facts in sorted(self.runs.items())},
            "unfinished": {run: asdict(facts) for run, facts in sorted(self.unfinished.items())},
            "databases": dict(sorted(self.databases.items())),
        }
        return json.dumps(document, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: bytes, where: str) -> Manifest:
        """The inverse of `to_json`. Raises `StoreError` for what is no manifest."""
        document = codec.parse(text, where)
        if type(document) is not dict or document.get("format") != FORMAT:
            raise StoreError(f"{where}: not a state of this version (expected the format {FORMAT!r} in {MANIFEST})")
        kept = {name: document.get(name, {}) for name in ("runs", "unfinished", "databases")}
        return codec.from_json(cls, kept, where)


def finished_run(path: Path) -> tuple[str, RunFacts] | None:
    """The id of a run file and what tells it from others of the run; None where it is unfinished or none."""
    try:
        with open_run(path) as run:
            header, finished_at = run.header, run.finished_at
            if run.state is not RunState.FINISHED or not finished_at:
                return None
            return header.run_id, RunFacts(header.suite, header.attempt, finished_at)
    except StoreError:
        return None


def check_run(path: Path, run_id: str) -> RunFacts:
    """Reads a run file that came from elsewhere. Raises `StoreError` where it is not that of the run, and whole."""
    require_sound(path, run_id)
    with open_run(path) as run:
        _ = run.evaluation
    found = finished_run(path)
    if found is None or found[0] != run_id:
        raise StoreError(f"the file of run {run_id} is of {'another run' if found else 'a run that is not finished'}")
    return found[1]


def check_database(path: Path) -> None:
    """Raises `StoreError` unless the file is an SQLite database of tables and indices alone: nothing in it runs."""
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
        try:
            connection.execute("PRAGMA trusted_schema = OFF")
            odd = "SELECT count(*) FROM sqlite_schema WHERE type NOT IN ('table', 'index') OR sql LIKE '%VIRTUAL%'"
            if connection.execute(odd).fetchone()[0]:
                raise StoreError(f"{path.name} has views, triggers or virtual tables; expected tables alone")
            if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise StoreError(f"{path.name} is damaged")
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StoreError(f"{path.name} is no database ({error})") from error


def copy_database(source: Path, target: Path) -> None:
    """Copies an SQLite database as it is at one moment, also while others use either. Raises `StoreError`."""
    try:
        reading = sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True, timeout=10)
        try:
            writing = sqlite3.connect(target, timeout=10)
            try:
                reading.backup(writing)
            finally:
                writing.close()
        finally:
            reading.close()
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{source} cannot be copied to {target} ({error})") from error


def verdict_lines(text: str) -> dict[str, None]:
    """The verdicts of a log as lines in their one form, in their order; what is none is left out."""
    lines: dict[str, None] = {}
    for line in text.split("\n"):
        try:
            lines[codec.dumps(codec.loads(LoggedVerdict, line, VERDICTS))] = None
        except StoreError:
            continue
    return lines


def ledger_text(entries: Iterable[Entry]) -> str:
    """A ledger as lines."""
    return "".join(codec.dumps(entry) + "\n" for entry in entries)


@dataclass(frozen=True, slots=True)
class LedgerLines:
    """What lines of a ledger say: of a run's day the largest amount. `left_out` says of lines that are none why."""

    entries: tuple[Entry, ...]
    left_out: tuple[str, ...]


def ledger_lines(text: str, ours: Iterable[Entry] = ()) -> LedgerLines:
    """What such lines and entries of `ours` say together. Only the first few lines that are none are named."""
    found: dict[tuple[str, str, str], Entry] = {}
    left_out: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line:
            try:
                _keep_larger(found, _ledger_entry(line, f"{LEDGER}: line {number}"))
            except StoreError as error:
                left_out.append(plain(error))
    for entry in ours:
        _keep_larger(found, entry)
    more = len(left_out) - _NAMED
    others = [f"{LEDGER}: {more:,} more line{' is' if more == 1 else 's are'} none of a ledger"] if more > 0 else []
    return LedgerLines(tuple(found.values()), (*left_out[:_NAMED], *others))


def _keep_larger(found: dict[tuple[str, str, str], Entry], entry: Entry) -> None:
    key = (entry.day, entry.suite, entry.run)
    if entry.nano > (found[key].nano if key in found else 0):
        found[key] = entry


def _ledger_entry(line: str, where: str) -> Entry:
    """What one line says. Raises `StoreError`."""
    entry = codec.loads(Entry, line, where)
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", entry.day, re.ASCII):
        raise StoreError(f"{where}: found the day {entry.day[:40]}; expected a date such as 2026-11-27")
    if not 0 < entry.nano <= LARGEST:
        raise StoreError(f"{where}: found {entry.nano} billionths of a dollar; expected 1 to {LARGEST}")
    return entry


def has_ledger(state_dir: Path) -> bool:
    """Whether anything was ever spent under a budget a day."""
    return (state_dir / ledger.FILE_NAME).is_file()


def put(source: Path, target: Path) -> None:
    """Gives a file its place, whole and on disk."""
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(source, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    source.replace(target)


def read_text(path: Path) -> str:
    """The text of a file, empty where there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""


def plain(value: Any) -> str:
    """A value from elsewhere as it may be printed."""
    return re.sub(r"[^\x20-\x7e]", "?", str(value))[:200]
