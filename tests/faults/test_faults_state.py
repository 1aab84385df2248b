"""A job that is cut off: what it was answered is pushed, pulled by the next one, and asked no more."""

from __future__ import annotations

import json
import shutil
import signal

import pytest
from tests.faults.conftest import Fated, requests_of
from tests.faults.test_faults_kills import (
    CASES,
    COMMIT_GROUP,
    CONCURRENCY,
    INTO_RESPONSES,
    JUDGED,
    PLANNED,
    answers,
    run_file,
)

from snapdrift import pipeline
from snapdrift.store import RunState, open_run

TWICE = CONCURRENCY + COMMIT_GROUP
"""Requests that a kill may cost at most: those in flight, and answers that were not committed yet."""


@pytest.mark.parametrize(
    ("number", "go_on", "lost"),
    [(signal.SIGTERM, ("run", "evals/capitals.yaml"), 0), (signal.SIGKILL, ("resume", "latest"), TWICE)],
    ids=["told to end", "killed"],
)
def test_a_run_that_was_cut_off_goes_on_on_another_machine_with_all_that_it_was_answered(
    judged, standin, fated: Fated, tmp_path, number, go_on, lost
):
    url, log = standin
    here, there, shelf = judged(cases=CASES), tmp_path / "there", str(tmp_path / "shelf")
    shutil.copytree(here, there)
    before = requests_of(log)
    where = ("--base-url", url, "--concurrency", str(CONCURRENCY))
    fate = ["statement", [INTO_RESPONSES, 30, number]]
    ended = fated.run("run", "evals/capitals.yaml", *where, "--quiet", cwd=here, fates=[fate])
    assert ended.code in (130, -signal.SIGKILL), ended.err
    paid = answers(here)
    assert 30 - CONCURRENCY <= len(paid) < PLANNED

    path = run_file(here)
    assert path is not None
    assert pipeline.push_state(here, shelf).put == [f"unfinished/{path.name}"]
    assert pipeline.pull_state(there, shelf).put == [f"unfinished/{path.name}"]
    assert answers(there) == paid

    done = fated.run(*go_on, *where, cwd=there)
    assert done.code == 0, done.err
    if go_on[0] == "run":
        said = f"takes up run {path.stem} of the same commit, suite and gate, attempt 1, which was cut off with "
        assert f"{said}{len(paid)} of " in done.err
    assert paid.items() <= answers(there).items()
    assert (requests_of(log) - before).total() <= PLANNED + JUDGED + lost
    verdict = json.loads((there / "reports" / "capitals" / "latest" / "verdict.json").read_text())
    assert (verdict["run"]["id"], verdict["run"]["attempt"]) == (path.stem, 1)

    # Finished, it takes the place of what was cut off, there and on the machine that was.
    pipeline.push_state(there, shelf)
    assert sorted(one.name for one in (tmp_path / "shelf" / "unfinished").iterdir()) == []
    assert f"runs/{path.name}" in pipeline.pull_state(here, shelf).put
    with open_run(path) as run:
        assert run.state is RunState.FINISHED
