"""The folder that run files are kept in: naming a new run, and finding one by what a person types."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from snapdrift.errors import StoreError
from snapdrift.model import DecisionWord
from snapdrift.store.header import RunState
from snapdrift.store.reader import open_run

LATEST = "latest"
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A stored run at a glance. `decision` is None until the run was evaluated."""

    run_id: str
    path: Path
    suite: str
    gate: str
    started_at: str
    finished_at: str | None
    state: RunState
    identity: str
    attempt: int
    partial: bool
    decision: DecisionWord | None


def new_run_id(now: datetime, rng: random.Random) -> str:
    """An id that sorts by its start (UTC) and is a plain file name: `20261122-140305-8f3a`.

    Of the last four digits two are the part of the second, in 256ths, so that `latest` is the latest of runs that take
    less than a second (of kept answers, say), and two are drawn.
    """
    start = now.astimezone(UTC)
    return f"{start:%Y%m%d-%H%M%S}-{start.microsecond * 256 // 1_000_000:02x}{rng.getrandbits(8):02x}"


def run_path(run_id: str, runs_dir: Path) -> Path:
    """Where a run's file is kept."""
    return runs_dir / f"{run_id}.db"


def list_runs(runs_dir: Path) -> tuple[RunSummary, ...]:
    """The runs in a folder, newest first. Files that cannot be read as runs are left out."""
    return tuple(_summaries(runs_dir))


def find_run(text: str, runs_dir: Path) -> Path:
    """The run file that `text` means: `latest`, an id, the unique beginning of one, or a path.

    Raises `StoreError` naming the runs there are when it means none or several.
    """
    if text == LATEST:
        newest = next(_summaries(runs_dir), None)
        if newest is None:
            raise StoreError(f"there are no runs in {runs_dir}; make one with `snapdrift run SUITE`")
        return newest.path
    exact = run_path(text, runs_dir)
    if _is_plain(text) and exact.is_file():
        return exact
    if Path(text).is_file():
        return Path(text)
    known = _run_files(runs_dir)
    matches = [path for path in known if text and path.stem.startswith(text)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise StoreError(f"{text!r} begins {len(matches)} runs: {_listed(matches)}; type more of the id")
    have = f"{runs_dir} has {_listed(known)}" if known else f"{runs_dir} has no runs"
    raise StoreError(f"{text!r} is neither a run id, the beginning of one, a run file nor `latest`; {have}")


def _summaries(runs_dir: Path) -> Iterator[RunSummary]:
    for path in _run_files(runs_dir):
        try:
            yield _summary(path)
        except StoreError:
            continue


def _summary(path: Path) -> RunSummary:
    with open_run(path) as run:
        header, evaluation = run.header, run.evaluation
        return RunSummary(
            run_id=header.run_id,
            path=path,
            suite=header.suite,
            gate=header.gate,
            started_at=header.started_at,
            finished_at=run.finished_at,
            state=run.state,
            identity=header.identity,
            attempt=header.attempt,
            partial=header.partial,
            decision=evaluation.decision.word if evaluation else None,
        )


def _run_files(runs_dir: Path) -> list[Path]:
    """Run files, newest first: ids begin with the time, so their names sort as their starts do."""
    return sorted(runs_dir.glob("*.db"), key=lambda path: path.name, reverse=True)


def _is_plain(text: str) -> bool:
    return bool(text) and Path(text).name == text


def _listed(paths: list[Path]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ", ".join(path.stem for path in paths[:_SHOWN]) + more
