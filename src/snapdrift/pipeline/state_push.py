"""`state push`: what the state folder holds is added to a place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from snapdrift.errors import StoreError
from snapdrift.pipeline.cut_off import is_settled_by
from snapdrift.pipeline.exporting import write_export
from snapdrift.pipeline.state_sync import (
    Synced,
    fetched_text,
    is_later,
    last_change,
    open_place,
    read_manifest,
    scratch_beside,
)
from snapdrift.pipeline.state_unfinished import UnfinishedRuns, name_of
from snapdrift.pipeline.strange_runs import taken_from
from snapdrift.store import calibration_records, run_path
from snapdrift.store.calibration_records import parse_calibrations, read_calibrations
from snapdrift.store.ledger import Ledger
from snapdrift.store.state_files import (
    LEDGER,
    MANIFEST,
    VERDICTS,
    Kind,
    Manifest,
    check_database,
    check_run,
    copy_database,
    finished_run,
    has_ledger,
    kind_of,
    ledger_lines,
    ledger_text,
    plain,
    read_text,
    verdict_lines,
)
from snapdrift.store.state_places import Place, Shelf
from snapdrift.store.unfinished import CutOff, cut_off_run, cut_off_run_named
from snapdrift.store.verdict_log import log_path
from snapdrift.store.watch_state import parse_watch_state
from snapdrift.suites.workspace import find_workspace

KEEP = 100
"""Runs of each suite that a place keeps unless it is told otherwise."""
_TIMES = 8


def push_state(cwd: Path, to: str, *, remote: str | None = None, keep: int = KEEP, whole: bool = False) -> Synced:
    """Adds what the state folder holds to a place, which afterwards has the newest `keep` runs of each suite.

    `to` is as `open_place` reads it. Runs that were cut off go too, unless a process works on them. A run whose suite
    has privacy rules goes as an export (without what they take out) but with `whole`; one that was cut off does not go
    then, for nobody could go on with it. Raises `SnapdriftError`.
    """
    workspace = find_workspace(cwd)
    place, state_dir = open_place(to, remote, workspace), workspace.state_dir
    if not state_dir.is_dir():
        raise StoreError(f"{state_dir}: there is no state to push yet; run a suite first")
    with scratch_beside(state_dir) as scratch:
        pushing = _Pushing(state_dir, scratch, place, keep, whole=whole)
        for _ in range(_TIMES):
            with place.look(to_add=True) as shelf:
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
        self._redacted: set[str] = set()
        self._unfinished = UnfinishedRuns(state_dir, scratch, whole=whole)
        found = ((path, finished_run(path)) for path in sorted((state_dir / "runs").glob("*.db")))
        self._runs = dict(run for path, run in found if run is not None and is_named(path, run[0]))

    def once(self, shelf: Shelf) -> Synced | None:
        """Puts everything there is to put; None where somebody else was first."""
        done, changed = Synced(self._place.name), dict[str, Path]()
        listed = read_manifest(shelf, self._scratch, self._place.name)
        before = self._with_unlisted(shelf, listed, done)
        runs = {**before.runs, **{r: f for r, f in self._runs.items() if f.is_newer_than(before.runs.get(r))}}
        cut_off = self._unfinished.and_those_of(before.unfinished)
        suites = {run: facts.suite for run, facts in cut_off.items()} | {run: runs[run].suite for run in runs}
        newest = _newest(suites, self._keep)
        kept = {run: facts for run, facts in runs.items() if run in newest}
        for run in sorted(kept):
            if self._runs.get(run) is kept[run] and not self._take_run(run, changed, done):
                kept[run] = before.runs.get(run) or kept[run]
        kept = {run: facts for run, facts in kept.items() if f"runs/{run}.db" in {*shelf.files, *changed}}
        cut_off = {run: facts for run, facts in sorted(cut_off.items()) if run in newest}
        unfinished = self._take_unfinished(shelf, before, cut_off, changed, done)
        gone = [f"runs/{run}.db" for run in before.runs if run not in kept]
        removed = frozenset([*gone, *(name_of(run) for run in before.unfinished if run not in unfinished)])
        databases = self._take_databases(before, changed, done)
        self._take_texts(shelf, changed, done)
        self._take_watches(shelf, changed, done)
        self._take_calibrations(shelf, changed, done)
        manifest = Manifest(kept, unfinished, databases).to_json()
        if not changed and not removed and manifest == listed.to_json():
            return done
        changed[MANIFEST] = self._text("manifest", manifest)
        if not shelf.replace(changed, removed):
            return None
        done.put += [path for path in changed if path != MANIFEST]
        done.redacted += [path for path in done.put if path in self._redacted]
        done.removed += sorted(gone)
        return done

    def _with_unlisted(self, shelf: Shelf, listed: Manifest, done: Synced) -> Manifest:
        """What the place lists, and runs that it has and does not list, as after a push that was killed.

        What is none is left alone.
        """
        runs, unfinished = dict(listed.runs), dict(listed.unfinished)
        for path in shelf.files:
            kind, run = kind_of(path), Path(path).stem
            if (kind is not Kind.RUN or run in runs) and (kind is not Kind.UNFINISHED or run in unfinished):
                continue
            try:
                source = self._fetched(shelf, path)
                if kind is Kind.RUN:
                    runs[run] = check_run(source, run)
                else:
                    unfinished[run] = cut_off_run_named(source, run)
            except StoreError as error:
                done.skipped.append(f"{path} of {self._place.name}: {plain(error)}")
        return replace(listed, runs=runs, unfinished=unfinished)

    def _fetched(self, shelf: Shelf, path: str) -> Path:
        source = self._scratch / "fetched.db"
        shelf.fetch(path, source)
        return source

    def _take_unfinished(
        self, shelf: Shelf, before: Manifest, cut_off: Mapping[str, CutOff], changed: dict[str, Path], done: Synced
    ) -> dict[str, CutOff]:
        """Takes the runs that were cut off, and says which of them the place has afterwards.

        One of which a finished run has all that it holds is of no use any more.
        """
        found = {}
        for run, facts in cut_off.items():
            there = before.unfinished.get(run)
            try:
                if not self._unfinished.is_ours(run, facts):
                    finished = run_path(run, self._state_dir / "runs") if run in self._runs else None
                    if finished is None or not is_settled_by(self._fetched(shelf, name_of(run)), finished):
                        found[run] = facts
                    continue
                copy, finished = self._unfinished.copy(run), changed.get(f"runs/{run}.db")
                if finished is None and f"runs/{run}.db" in shelf.files:
                    finished = self._fetched(shelf, f"runs/{run}.db")
                now = cut_off_run(copy)
                if now is None or (finished is not None and is_settled_by(copy, finished)):
                    continue
                if self._take(name_of(run), copy, changed, done):
                    found[run] = now[1]
                    continue
            except StoreError as error:
                done.skipped.append(f"{name_of(run)}: {plain(error)}")
            if there is not None:
                found[run] = there
        return found

    def _take_run(self, run: str, changed: dict[str, Path], done: Synced) -> bool:
        if run not in self._copies:
            copy, path = self._scratch / f"{run}.db", run_path(run, self._state_dir / "runs")
            try:
                with taken_from(path):
                    if write_export(path, copy, whole=self._whole).redacted:
                        self._redacted.add(f"runs/{run}.db")
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
                lines = ledger_lines(told, ledger.entries())
            done.skipped += lines.left_out
            text = ledger_text(lines.entries)
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

    def _take_calibrations(self, shelf: Shelf, changed: dict[str, Path], done: Synced) -> None:
        for path in sorted((self._state_dir / calibration_records.FOLDER).glob("*.json")):
            name = f"{calibration_records.FOLDER}/{path.name}"
            if kind_of(name) is not Kind.CALIBRATION:
                continue
            try:
                ours, there = read_calibrations(path), self._read(shelf, name)
                theirs = parse_calibrations(there.encode(), Path(name)) if there else None
            except StoreError as error:
                done.skipped.append(f"{name}: {plain(error)}")
                continue
            both = ours if theirs is None else theirs.with_those_of(ours)
            if both != theirs:
                changed[name] = self._text(f"calibration-{len(changed)}", both.to_json())

    def _read(self, shelf: Shelf, path: str) -> str:
        return fetched_text(shelf, path, self._scratch)

    def _text(self, name: str, text: str) -> Path:
        path = self._scratch / f"text-{name}"
        path.write_text(text, encoding="utf-8")
        return path


def is_named(path: Path, run: str) -> bool:
    """Whether a run file has the name of its run, and one that travels."""
    return path.stem == run and kind_of(f"runs/{run}.db") is Kind.RUN


def _newest(suites: Mapping[str, str], keep: int) -> frozenset[str]:
    """The newest runs of each suite, of runs and their suites: their ids begin with when they started."""
    by_suite: dict[str, list[str]] = defaultdict(list)
    for run in sorted(suites, reverse=True):
        by_suite[suites[run]].append(run)
    return frozenset(run for found in by_suite.values() for run in found[:keep])
