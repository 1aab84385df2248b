"""`history`: reads what was concluded from the runs of a state folder, and puts it in the order of time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snapdrift.errors import StoreError, UsageError
from snapdrift.model import sha256
from snapdrift.store import RunHeader, RunState, StoredRun, open_run

if TYPE_CHECKING:
    from snapdrift.suites.workspace import Workspace
    from snapdrift.verdicts.history import FinishedRun, History
    from snapdrift.verdicts.repeated import CaseScore, RunScores

PARTIAL, UNFINISHED, UNREADABLE, INCOMPLETE = "partial", "unfinished", "unreadable", "incomplete"


def read_history(
    suites: Sequence[str], cwd: Path, *, gate: str | None = None, last: int | None = None, state_dir: Path | None = None
) -> History:
    """The history of the suites (names or paths; none: of all) in the workspace's state folder.

    Only whole runs that came to a conclusion count, and of them only what was measured as far as the gate asks; `last`
    takes the newest so many of each suite and gate. Raises `UsageError` where there is nothing to show, naming what
    there is.
    """
    from snapdrift.suites.workspace import find_workspace
    from snapdrift.verdicts.history import History, build_series, find_moves
    from snapdrift.verdicts.repeated import by_suite_and_gate, find_flaky, find_noise

    workspace = find_workspace(cwd)
    directory = (state_dir or workspace.state_dir) / "runs"
    found = _Reader(suites, workspace, gate)
    for path in sorted(directory.glob("*.db"), reverse=True):
        found.read(path)
    runs = [run for group in by_suite_and_gate(found.runs).values() for run in group[:last]]
    if not runs:
        raise UsageError(_nothing(directory, found, suites, gate))
    paths = {run.run_id: found.paths[run.run_id] for run in runs}

    @cache
    def scores_of_run(run_id: str) -> RunScores:
        return _scores(paths[run_id])

    def scores_of(run: FinishedRun) -> RunScores:
        levels = {(level.variant, level.metric) for level in run.evaluation.metrics}
        return {key: scores for key, scores in scores_of_run(run.run_id).items() if key in levels}

    return History(
        runs=len(runs),
        series=build_series(runs),
        moves=find_moves(runs),
        flaky=find_flaky(runs, scores_of),
        noise=find_noise(runs, scores_of),
        left_out=dict(found.left_out),
    )


class _Reader:
    """Reads run files one by one; keeps those that are asked for, and counts the others by why they are not."""

    def __init__(self, suites: Sequence[str], workspace: Workspace, gate: str | None) -> None:
        self._wanted = {text for suite in suites for text in (suite, *_inside(suite, workspace))}
        self._gate = gate
        self.runs: list[FinishedRun] = []
        self.paths: dict[str, Path] = {}
        self.left_out: Counter[str] = Counter()
        self.known: set[str] = set()

    def read(self, path: Path) -> None:
        try:
            with open_run(path) as stored:
                header = stored.header
                if self._wanted and not self._wanted & {header.suite, str(header.suite_stored.get("path"))}:
                    self.known.add(header.suite)
                    return
                if self._gate is not None and header.gate != self._gate:
                    self.known.add(f"{header.suite} under the gate {header.gate}")
                    return
                run = finished_run(stored, header)
        except StoreError:
            self.left_out[UNREADABLE] += 1
            return
        if isinstance(run, str):
            self.left_out[run] += 1
        else:
            self.runs.append(run)
            self.paths[run.run_id] = path


def _inside(suite: str, workspace: Workspace) -> tuple[str, ...]:
    """The path of a suite as run files have it, where the text is the path of a file in the workspace."""
    path = Path(suite).resolve()
    return (path.relative_to(workspace.root).as_posix(),) if path.is_relative_to(workspace.root) else ()


def finished_run(stored: StoredRun, header: RunHeader) -> FinishedRun | str:
    """The run as history reads it, or why it does not count."""
    from snapdrift.verdicts.history import FinishedRun, measured_levels

    if header.partial:
        return PARTIAL
    evaluation = stored.evaluation if stored.state is RunState.FINISHED else None
    if evaluation is None:
        return UNFINISHED
    levels = measured_levels(evaluation)
    if evaluation.metrics and not levels:
        return INCOMPLETE
    # A run that stopped early has a level of the cases that it asked, not of all.
    cases = sha256([header.dataset_hash, sorted(set(stored.case_ids()) - stored.spared_cases())])
    return FinishedRun(
        run_id=header.run_id,
        suite=header.suite,
        gate=header.gate,
        started_at=header.started_at,
        attempt=header.attempt,
        repeats=header.planned_repeats,
        cases=cases,
        asked=sha256([header.suite_hash, cases, header.planned_repeats]),
        suite_hash=header.suite_hash,
        versions=_versions(header.suite_stored, {level.metric for level in evaluation.metrics}),
        evaluation=replace(evaluation, metrics=levels),
    )


def _versions(suite: Mapping[str, Any], metrics: set[str]) -> dict[str, str]:
    """The version of the grader that each metric is of; `fields.total` is of `fields`."""
    graders = sorted(suite["versions"], key=len, reverse=True)
    found = {}
    for metric in metrics:
        grader = next((name for name in graders if metric == name or metric.startswith(f"{name}.")), "")
        found[metric] = str(suite["versions"].get(grader, ""))
    return found


def _scores(path: Path) -> RunScores:
    from snapdrift.verdicts.repeated import CaseScore

    found: dict[tuple[str, str], dict[str, list[CaseScore]]] = defaultdict(lambda: defaultdict(list))
    with open_run(path) as stored:
        for score in stored.score_values():
            found[score.variant, score.metric][score.case_id].append(CaseScore(score.value, score.passed))
    return found


def _nothing(directory: Path, found: _Reader, suites: Sequence[str], gate: str | None) -> str:
    what = ", ".join(suites) or "any suite"
    under = f" under the gate {gate}" if gate else ""
    why = ", ".join(f"{number} {reason}" for reason, number in found.left_out.items())
    known = ", ".join(sorted(found.known))
    have = [f"it has runs of {known}"] if known else []
    have += [f"left out: {why}"] if why else []
    told = "; ".join(have) or "it has no runs"
    found_none = f"{directory}: found no finished, whole run of {what}{under} ({told})"
    return f"{found_none}; expected at least one: `snapdrift run SUITE`"
