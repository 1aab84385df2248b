"""`state pull`: what a place holds and the state folder lacks is taken in, each file once it is checked."""

from __future__ import annotations

from pathlib import Path

from snapdrift.errors import StoreError
from snapdrift.pipeline.cut_off import forget_settled, put_beside, put_in_place_of
from snapdrift.pipeline.state_sync import (
    Synced,
    fetched_text,
    is_later,
    last_change,
    open_place,
    read_manifest,
    scratch_beside,
)
from snapdrift.store import run_path
from snapdrift.store.calibration_records import add_calibrations, parse_calibrations
from snapdrift.store.ledger import Ledger
from snapdrift.store.lock import RunLock
from snapdrift.store.state_files import (
    Kind,
    RunFacts,
    check_database,
    check_run,
    copy_database,
    finished_run,
    kind_of,
    ledger_lines,
    plain,
    put,
    verdict_lines,
)
from snapdrift.store.state_places import Shelf
from snapdrift.store.unfinished import beside, cut_off_run, cut_off_run_named, fold_log
from snapdrift.store.verdict_log import add_lines
from snapdrift.store.watch_state import locked_state, parse_watch_state, watch_path
from snapdrift.suites.workspace import find_workspace

LARGEST_PULL = 16 * 2**30


def pull_state(cwd: Path, place: str, *, remote: str | None = None) -> Synced:
    """Takes in what a place holds and the state folder lacks, or has an older form of. Raises `SnapdriftError`.

    Every file is checked before it gets its place; one that is not as it should be is left out, and named.
    """
    workspace = find_workspace(cwd)
    there, state_dir = open_place(place, remote, workspace), workspace.state_dir
    state_dir.mkdir(parents=True, exist_ok=True)
    with scratch_beside(state_dir) as scratch, there.look(to_add=False) as shelf:
        if sum(shelf.files.values()) > LARGEST_PULL:
            raise StoreError(f"{there.name} holds more than {LARGEST_PULL // 2**30} GB; push with a smaller --keep")
        pulling = _Pulling(state_dir, scratch, shelf, there.name)
        pulling.done.nothing_there = not shelf.files
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
            Kind.UNFINISHED: self._unfinished,
            Kind.WATCH: self._watch,
            Kind.CALIBRATION: self._calibrations,
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
        run = Path(path).stem
        target = self._state_dir / path
        said = self._manifest.runs.get(run)
        if target.exists():
            ours = finished_run(target)
            if ours is not None and (said is None or not said.is_newer_than(ours[1])):
                return
        source = self._fetch(path, "run.db")
        theirs = check_run(source, run)
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = RunLock.take(target)  # that another has it is a reason to leave the run out
        try:
            _put_run(source, target, theirs, lock)
            self.done.put.append(path)
            forget_settled(target)
        finally:
            lock.release()

    def _unfinished(self, path: str) -> None:
        """A run that was cut off gets the place of one that is finished nowhere; beside one that is, it waits there."""
        run = Path(path).stem
        target = run_path(run, self._state_dir / "runs")
        said = self._manifest.unfinished.get(run)
        ours = next(filter(None, (cut_off_run(file) for file in (target, beside(target)) if file.exists())), None)
        if ours is not None and (said is None or not said.holds_more_than(ours[1])):
            return
        source = self._fetch(path, "run.db")
        cut_off_run_named(source, run)
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = RunLock.take(target)
        try:
            if target.exists() and finished_run(target) is not None:
                if not put_beside(target, source):
                    return
            else:
                put_in_place_of(target, source, lock)
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

    def _calibrations(self, path: str) -> None:
        theirs = parse_calibrations(fetched_text(self._shelf, path, self._scratch).encode(), Path(path))
        try:
            if add_calibrations(self._state_dir / path, theirs):
                self.done.put.append(path)
        except OSError as error:
            raise StoreError(f"cannot be written ({error.strerror})") from error

    def _verdicts(self, path: str) -> None:
        lines = verdict_lines(fetched_text(self._shelf, path, self._scratch))
        self.done.verdicts = add_lines(self._state_dir / "runs", lines)

    def _ledger(self, path: str) -> None:
        lines = ledger_lines(fetched_text(self._shelf, path, self._scratch))
        self.done.skipped += lines.left_out
        with Ledger(self._state_dir) as ledger:
            self.done.spent = ledger.merge(lines.entries)

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


def _put_run(source: Path, target: Path, theirs: RunFacts, lock: RunLock) -> None:
    """Gives a checked file of a finished run its place; the caller holds the run's lock."""
    ours = finished_run(target) if target.exists() else None
    if ours is None:
        put_in_place_of(target, source, lock)
        return
    if not theirs.is_newer_than(ours[1]):
        raise StoreError("the run here is not older")
    fold_log(target, lock)
    put(source, target)
