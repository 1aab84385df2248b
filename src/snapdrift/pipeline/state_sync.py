"""`state push` and `state pull`: the state folder of a workspace, kept where the next machine finds it.

Both only ever add. Runs are files that do not change but to hold more; logs are unioned; of what cannot be put together
(the evidence of `watch`, other databases) the newer one stays. `docs/design/state.md` has the rules.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from snapdrift.errors import StoreError, UsageError
from snapdrift.pipeline.exporting import write_export
from snapdrift.pipeline.strange_runs import taken_from
from snapdrift.store import run_path
from snapdrift.store.ledger import Ledger
from snapdrift.store.lock import RunLock
from snapdrift.store.state_branch import DEFAULT_BRANCH, open_branch
from snapdrift.store.state_files import (
    LEDGER,
    MANIFEST,
    VERDICTS,
    Kind,
    Manifest,
    RunFacts,
    check_database,
    check_run,
    copy_database,
    finished_run,
    has_ledger,
    kind_of,
    ledger_entries,
    ledger_text,
    plain,
    put,
    read_text,
    verdict_lines,
)
from snapdrift.store.state_places import Folder, Place, Shelf
from snapdrift.store.verdict_log import add_lines, log_path
from snapdrift.store.watch_state import locked_state, parse_watch_state, watch_path
from snapdrift.suites.workspace import Workspace, find_workspace

if TYPE_CHECKING:
    from snapdrift.store.watch_state import WatchState

BRANCH_WORD = "git-branch"
KEEP = 100
"""Runs of each suite that a place keeps unless it is told otherwise."""
LARGEST_PULL = 16 * 2**30
_TIMES = 8


@dataclass(slots=True)
class Synced:
    """What a push or a pull did: the names of what it put in place and took out, and what it left out, in words."""

    where: str
    put: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    verdicts: int = 0
    spent: int = 0


def open_place(text: str, remote: str | None, workspace: Workspace) -> Place:
    """What `--to` means: `git-branch`, `git-branch:NAME`, or a folder (from where the command was given)."""
    word, _, name = text.partition(":")
    if word == BRANCH_WORD:
        return open_branch(workspace.root, name or DEFAULT_BRANCH, remote)
    if remote is not None:
        raise UsageError(f"--remote is for {BRANCH_WORD}; found it beside the folder {text}")
    folder = Path(text).resolve()
    if folder == workspace.state_dir.resolve():
        raise UsageError(f"found the state folder itself, {text}; expected another one")
    return Folder(folder)


# ------------------------------------------------------------------------------------------------- push


def push_state(cwd: Path, to: str, *, remote: str | None = None, keep: int = KEEP, whole: bool = False) -> Synced:
    """Adds what the state folder holds to a place, which afterwards has the newest `keep` runs of each suite.

    `to` is as `open_place` reads it. Finished runs only. A run whose suite has privacy rules goes as an export (without
    what they take out) but with `whole`. Raises `SnapdriftError`.
    """
    workspace = find_workspace(cwd)
    place, state_dir = open_place(to, remote, workspace), workspace.state_dir
    if not state_dir.is_dir():
        raise StoreError(f"{state_dir}: there is no state to push yet; run a suite first")
    with _scratch(state_dir) as scratch:
        pushing = _Pushing(state_dir, scratch, place, keep, whole=whole)
        for _ in range(_TIMES):
            with place.look() as shelf:
                done = pushing.once(shelf)
            if done is not None:
                return done
    raise StoreError(f"{place.name}: others changed it {_TIMES} times while it was looked at; push again")


class _Pushing:
    """One push, which may have to look more than once. Copies that were made are kept for the next look."""

    def __init__(self, state_dir: Path, scratch: Path, place: Place, keep: int, *, whole: bool) -> None:
        self._state_dir, self._scratch, self._place = state_dir, scratch, place
        self._keep, self._whole = keep, whole
        self._copies: dict[str, Path] = {}
        found = ((path, finished_run(path)) for path in sorted((state_dir / "runs").glob("*.db")))
        self._runs = dict(run for path, run in found if run is not None and is_named(path, run[0]))

    def once(self, shelf: Shelf) -> Synced | None:
        """Puts everything there is to put; None where somebody else was first."""
        done, changed = Synced(self._place.name), dict[str, Path]()
        listed = read_manifest(shelf, self._scratch, self._place.name)
        before = replace(listed, runs={**listed.runs, **self._unlisted(shelf, listed, done)})
        runs = {**before.runs, **{r: f for r, f in self._runs.items() if f.is_newer_than(before.runs.get(r))}}
        kept = _newest(runs, self._keep)
        for run in sorted(kept):
            if self._runs.get(run) is kept[run] and not self._take_run(run, changed, done):
                kept[run] = before.runs.get(run) or kept[run]
        kept = {run: facts for run, facts in kept.items() if f"runs/{run}.db" in {*shelf.files, *changed}}
        removed = frozenset(f"runs/{run}.db" for run in before.runs if run not in kept)
        databases = self._take_databases(before, changed, done)
        self._take_texts(shelf, changed, done)
        self._take_watches(shelf, changed, done)
        manifest = Manifest(kept, databases).to_json()
        if not changed and not removed and manifest == listed.to_json():
            return done
        changed[MANIFEST] = self._text("manifest", manifest)
        if not shelf.replace(changed, removed):
            return None
        done.put += [path for path in changed if path != MANIFEST]
        done.removed += sorted(removed)
        return done

    def _unlisted(self, shelf: Shelf, listed: Manifest, done: Synced) -> dict[str, RunFacts]:
        """Runs that the place has and does not list, as after a push that was killed; what is none is left alone."""
        found = {}
        for path in shelf.files:
            if kind_of(path) is Kind.RUN and path[5:-3] not in listed.runs:
                source = self._scratch / "unlisted.db"
                try:
                    shelf.fetch(path, source)
                    found[path[5:-3]] = check_run(source, path[5:-3])
                except StoreError as error:
                    done.skipped.append(f"{path} of {self._place.name}: {plain(error)}")
        return found

    def _take_run(self, run: str, changed: dict[str, Path], done: Synced) -> bool:
        if run not in self._copies:
            copy, path = self._scratch / f"{run}.db", run_path(run, self._state_dir / "runs")
            try:
                with taken_from(path):
                    write_export(path, copy, whole=self._whole)
            except StoreError as error:  # damaged, or somebody has resumed it since: the others go all the same
                done.skipped.append(f"runs/{run}.db: {plain(error)}")
                return False
            self._copies[run] = copy
        return self._take(f"runs/{run}.db", self._copies[run], changed, done)

    def _take(self, path: str, source: Path, changed: dict[str, Path], done: Synced) -> bool:
        """Says that a file is to be put, unless it is larger than the place takes."""
        if source.stat().st_size > self._place.largest:
            size, most = source.stat().st_size // 2**20, self._place.largest // 2**20
            done.skipped.append(f"{path}: {size:,} MB, and {self._place.name} takes {most:,} MB a file")
            return False
        changed[path] = source
        return True

    def _take_databases(self, before: Manifest, changed: dict[str, Path], done: Synced) -> dict[str, str]:
        modified = dict(before.databases)
        for path in sorted(self._state_dir.glob("*.db")):
            if kind_of(path.name) is not Kind.DATABASE:
                continue
            changed_at = last_change(path)
            if changed_at > modified.get(path.name, ""):
                copy = self._scratch / f"database-{path.name}"
                copy.unlink(missing_ok=True)
                copy_database(path, copy)
                check_database(copy)
                if self._take(path.name, copy, changed, done):
                    modified[path.name] = changed_at
        return modified

    def _take_texts(self, shelf: Shelf, changed: dict[str, Path], done: Synced) -> None:
        theirs = verdict_lines(self._read(shelf, VERDICTS))
        ours = verdict_lines(read_text(log_path(self._state_dir / "runs")))
        if ours.keys() - theirs.keys():
            changed[VERDICTS] = self._text("verdicts", "".join(f"{line}\n" for line in {**theirs, **ours}))
            done.verdicts = len(ours.keys() - theirs.keys())
        if has_ledger(self._state_dir):
            told = self._read(shelf, LEDGER)
            with Ledger(self._state_dir) as ledger:
                text = ledger_text(ledger_entries(told + ledger_text(ledger.entries())))
            if text != told:
                changed[LEDGER] = self._text("ledger", text)

    def _take_watches(self, shelf: Shelf, changed: dict[str, Path], done: Synced) -> None:
        for path in sorted((self._state_dir / "watch").glob("*.json")):
            name = f"watch/{path.name}"
            if kind_of(name) is not Kind.WATCH:
                continue
            text = read_text(path)
            ours, there = parse_watch_state(text.encode(), path), self._read(shelf, name)
            theirs = parse_watch_state(there.encode(), Path(name)) if there else None
            if theirs is None or is_later(ours, theirs):
                changed[name] = self._text(f"watch-{path.name}", text)
            elif is_later(theirs, ours):
                done.skipped.append(f"{name}: {self._place.name} has a later night; pull it")

    def _read(self, shelf: Shelf, path: str) -> str:
        return fetched_text(shelf, path, self._scratch)

    def _text(self, name: str, text: str) -> Path:
        path = self._scratch / f"text-{name}"
        path.write_text(text, encoding="utf-8")
        return path


# ------------------------------------------------------------------------------------------------- pull


def pull_state(cwd: Path, place: str, *, remote: str | None = None) -> Synced:
    """Takes in what a place holds and the state folder lacks, or has an older form of. Raises `SnapdriftError`.

    Every file is checked before it gets its place; one that is not as it should be is left out, and named.
    """
    workspace = find_workspace(cwd)
    there, state_dir = open_place(place, remote, workspace), workspace.state_dir
    state_dir.mkdir(parents=True, exist_ok=True)
    with _scratch(state_dir) as scratch, there.look() as shelf:
        if sum(shelf.files.values()) > LARGEST_PULL:
            raise StoreError(f"{there.name} holds more than {LARGEST_PULL // 2**30} GB; push with a smaller --keep")
        pulling = _Pulling(state_dir, scratch, shelf, there.name)
        for path in sorted(shelf.files):
            pulling.take(path)
        return pulling.done


class _Pulling:
    """One pull."""

    def __init__(self, state_dir: Path, scratch: Path, shelf: Shelf, where: str) -> None:
        self._state_dir, self._scratch, self._shelf = state_dir, scratch, shelf
        self._manifest = read_manifest(shelf, scratch, where)
        self.done = Synced(where)

    def take(self, path: str) -> None:
        """Takes in one file, or says why not."""
        kind = kind_of(path)
        takes = {
            Kind.RUN: self._run,
            Kind.WATCH: self._watch,
            Kind.VERDICTS: self._verdicts,
            Kind.LEDGER: self._ledger,
            Kind.DATABASE: self._database,
        }
        if kind is None or kind not in takes:
            return
        if self._shelf.files[path] > kind.largest:
            self.done.skipped.append(f"{path}: larger than {kind.largest // 2**20:,} MB")
            return
        try:
            takes[kind](path)
        except StoreError as error:
            self.done.skipped.append(f"{path}: {plain(error)}")

    def _run(self, path: str) -> None:
        run = path[5:-3]
        target = self._state_dir / path
        said = self._manifest.runs.get(run)
        if target.exists():
            ours = finished_run(target)
            if ours is None:
                raise StoreError(f"the run is not finished here; `snapdrift resume {run}` goes on with it")
            if said is None or not said.is_newer_than(ours[1]):
                return
        source = self._fetch(path, "run.db")
        theirs = check_run(source, run)
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = RunLock.take(target)  # that another has it is a reason to leave the run out
        try:
            _put_run(source, target, theirs)
        finally:
            lock.release()
        self.done.put.append(path)

    def _watch(self, path: str) -> None:
        theirs = parse_watch_state(fetched_text(self._shelf, path, self._scratch).encode(), Path(path))
        target = watch_path(self._state_dir, theirs.suite, theirs.gate)
        if target != self._state_dir / path:
            raise StoreError(f"the state of suite {theirs.suite}, gate {theirs.gate}, under another's name")
        with locked_state(target, theirs.suite, theirs.gate) as file:
            if target.exists() and not is_later(theirs, file.read()):
                return
            file.write(theirs)
        self.done.put.append(path)

    def _verdicts(self, path: str) -> None:
        lines = verdict_lines(fetched_text(self._shelf, path, self._scratch))
        self.done.verdicts = add_lines(self._state_dir / "runs", lines)

    def _ledger(self, path: str) -> None:
        entries = ledger_entries(fetched_text(self._shelf, path, self._scratch))
        with Ledger(self._state_dir) as ledger:
            self.done.spent = ledger.merge(entries)

    def _database(self, path: str) -> None:
        target = self._state_dir / path
        if target.exists() and self._manifest.databases.get(path, "") <= last_change(target):
            return
        source = self._fetch(path, "database.db")
        check_database(source)
        # Into the database that is there, not in its place: others may have it open.
        copy_database(source, target)
        self.done.put.append(path)

    def _fetch(self, path: str, name: str) -> Path:
        target = self._scratch / name
        self._shelf.fetch(path, target)
        return target


def _put_run(source: Path, target: Path, theirs: RunFacts) -> None:
    """Gives a checked run file its place while the run's lock is held."""
    ours = finished_run(target) if target.exists() else None
    if target.exists() and (ours is None or not theirs.is_newer_than(ours[1])):
        raise StoreError("the run here is not older")
    if target.with_name(f"{target.name}-wal").exists():
        raise StoreError("the run here was cut off while it was written; read it once: `snapdrift report`")
    put(source, target)


# ------------------------------------------------------------------------------------------------- both


def is_later(one: WatchState, other: WatchState) -> bool:
    """Which of two states stays: evidence of two lines of nights cannot be put together, so the longer one does."""
    return (one.nights, one.last_night) > (other.nights, other.last_night)


def is_named(path: Path, run: str) -> bool:
    """Whether a run file has the name of its run, and one that travels."""
    return path.stem == run and kind_of(f"runs/{run}.db") is Kind.RUN


def last_change(path: Path) -> str:
    """When a database was last written to (ISO 8601, UTC, microseconds), its log included."""
    log = path.with_name(f"{path.name}-wal")
    newest = max(file.stat().st_mtime for file in (path, log) if file.exists())
    return datetime.fromtimestamp(newest, UTC).isoformat(timespec="microseconds")


def read_manifest(shelf: Shelf, scratch: Path, where: str) -> Manifest:
    """What the place says of itself; nothing where it is empty. Raises `StoreError` where it is something else's."""
    text = fetched_text(shelf, MANIFEST, scratch)
    if not text:
        return Manifest()
    found = Manifest.from_json(text.encode(), where)
    return replace(found, runs={run: facts for run, facts in found.runs.items() if f"runs/{run}.db" in shelf.files})


def fetched_text(shelf: Shelf, path: str, scratch: Path) -> str:
    """A text of the place, empty where it has none. Raises `StoreError` where it is too large to be one."""
    kind = kind_of(path)
    if path not in shelf.files or kind is None:
        return ""
    if shelf.files[path] > kind.largest:
        raise StoreError(f"{path} is larger than {kind.largest // 2**20:,} MB")
    target = scratch / "fetched"
    shelf.fetch(path, target)
    return read_text(target)


def _newest(runs: Mapping[str, RunFacts], keep: int) -> dict[str, RunFacts]:
    """The newest runs of each suite: their ids begin with when they started."""
    by_suite: dict[str, list[str]] = defaultdict(list)
    for run in sorted(runs, reverse=True):
        by_suite[runs[run].suite].append(run)
    return {run: runs[run] for found in by_suite.values() for run in found[:keep]}


@contextmanager
def _scratch(state_dir: Path) -> Iterator[Path]:
    """A folder beside the state, so that a file can get its place in one step."""
    with tempfile.TemporaryDirectory(prefix=".sync-", dir=state_dir) as folder:
        yield Path(folder)
