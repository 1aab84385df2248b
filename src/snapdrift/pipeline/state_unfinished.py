"""Runs that were cut off, on their way to and from a place: what was paid for in them is not asked again elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from snapdrift.errors import StoreError
from snapdrift.pipeline.exporting import taken_out_of
from snapdrift.pipeline.spending import may_have_cost_usd
from snapdrift.pipeline.strange_runs import taken_from
from snapdrift.store import open_run
from snapdrift.store.exports import write_copy
from snapdrift.store.lock import RunLock
from snapdrift.store.state_files import Kind, kind_of
from snapdrift.store.unfinished import FOLDER, CutOff, cut_off_run, held_by


class UnfinishedRuns:
    """Those of a state folder. A copy of one that was made is kept, for a push may have to look more than once."""

    def __init__(self, state_dir: Path, scratch: Path, *, whole: bool) -> None:
        self._scratch, self._whole = scratch, whole
        self._copies: dict[str, Path] = {}
        self._paths: dict[str, Path] = {}
        self._facts: dict[str, CutOff] = {}
        for path in sorted([*(state_dir / "runs").glob("*.db"), *(state_dir / FOLDER).glob("*.db")]):
            found = cut_off_run(path)
            if found is None or found[0] != path.stem or kind_of(name_of(path.stem)) is not Kind.UNFINISHED:
                continue
            run, facts = found
            if facts.holds_more_than(self._facts.get(run)) and _was_paid_for(path):
                self._paths[run], self._facts[run] = path, facts

    def and_those_of(self, place: Mapping[str, CutOff]) -> dict[str, CutOff]:
        """Those of a place and these: of one run that which holds more."""
        more = {run: facts for run, facts in self._facts.items() if facts.holds_more_than(place.get(run))}
        return {**place, **more}

    def is_ours(self, run: str, facts: CutOff) -> bool:
        """Whether it is the file of this state folder that is meant."""
        return self._facts.get(run) is facts

    def copy(self, run: str) -> Path:
        """The whole file as it is. Raises `StoreError` where it does not travel: a process works on it, or privacy."""
        if run not in self._copies:
            path, copy = self._paths[run], self._scratch / f"{FOLDER}-{run}.db"
            lock = RunLock.take(path)
            try:
                with taken_from(path), open_run(path) as stored:
                    names = () if self._whole else taken_out_of(stored)
                    if names:
                        raise StoreError(
                            f"it was cut off, and without what its privacy rules take out ({', '.join(names)}) nobody "
                            "could go on with it: it stays here (--whole pushes it as it is)"
                        )
                    write_copy(stored, copy)
            finally:
                lock.release()
            self._copies[run] = copy
        return self._copies[run]


def name_of(run: str) -> str:
    """The path of an unfinished run in a place."""
    return f"{FOLDER}/{run}.db"


def _was_paid_for(path: Path) -> bool:
    """Whether anything was asked in a run: one that was cut off before is begun anew for nothing."""
    try:
        with open_run(path) as stored:
            return bool(held_by(stored)) or may_have_cost_usd(stored) > 0 or next(stored.responses(), None) is not None
    except StoreError:
        return True  # it is named when it is to be copied
