"""Scores of different grader versions are not compared, on whichever path they would meet."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from snapdrift.graders.exact import Exact
from snapdrift.store import open_run

RUN = ("run", "evals/capitals.yaml", "--recordings", "datasets/recordings.jsonl")
RECORDED = ("--recordings", "datasets/recordings.jsonl")


@pytest.fixture
def upgraded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A later Snapdrift, whose `exact` scores some answers otherwise."""
    monkeypatch.setattr(Exact, "family_version", Exact.family_version + 1)


@pytest.fixture
def run(workspace, snapdrift):
    """A finished run of a small workspace, which is two folders above it."""
    root = workspace(cases=20, max_blind=0.6)
    done = snapdrift(*RUN, cwd=root)
    assert done.returncode == 0, done.stderr
    (path,) = (root / ".snapdrift" / "runs").glob("*.db")
    return path


def versions(path: Path) -> set[str]:
    with open_run(path) as stored:
        return {score.version.partition(":")[0] for score in stored.scores()}


def one_score_of_another_version(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        (number, record) = connection.execute("SELECT id, record FROM scores ORDER BY id LIMIT 1").fetchone()
        changed = json.dumps({**json.loads(record), "version": "exact/0:000000000000"})
        connection.execute("UPDATE scores SET record = ? WHERE id = ?", (changed, number))


def test_scores_of_an_older_version_are_not_compared_and_the_error_says_to_grade(run, snapdrift, request):
    request.getfixturevalue("upgraded")
    root = run.parents[2]
    done = snapdrift("compare", run.stem, cwd=root)
    assert done.returncode == 2
    assert "capital was scored by exact/1:" in done.stderr
    assert "the suite now has exact/2:" in done.stderr
    assert f"grade the run again with `snapdrift grade {run.stem}`" in done.stderr
    assert "Traceback" not in done.stderr


def test_once_graded_again_they_are_compared(run, snapdrift, request):
    request.getfixturevalue("upgraded")
    root = run.parents[2]
    assert snapdrift("grade", run.stem, cwd=root).returncode == 0
    assert versions(run) == {"exact/2"}
    assert snapdrift("compare", run.stem, cwd=root).returncode == 0


def test_a_report_of_an_older_version_is_written_as_it_was_concluded(run, snapdrift, request):
    request.getfixturevalue("upgraded")
    done = snapdrift("report", run.stem, cwd=run.parents[2])
    assert done.returncode == 0, done.stderr
    assert versions(run) == {"exact/1"}


def test_a_resumed_run_has_scores_of_one_version_whatever_it_began_with(run, snapdrift, request):
    request.getfixturevalue("upgraded")
    done = snapdrift("resume", run.stem, cwd=run.parents[2])
    assert done.returncode == 0, done.stderr
    assert versions(run) == {"exact/2"}


def test_the_same_suite_run_again_after_an_upgrade_begins_anew_and_mixes_nothing(run, snapdrift, request):
    request.getfixturevalue("upgraded")
    done = snapdrift(*RUN, cwd=run.parents[2])
    assert done.returncode == 0, done.stderr
    (newer,) = set(run.parent.glob("*.db")) - {run}
    assert (versions(run), versions(newer)) == ({"exact/1"}, {"exact/2"})


@pytest.mark.parametrize("command", ["compare", "report"])
def test_scores_of_two_versions_in_one_file_are_not_compared(command, run, snapdrift):
    one_score_of_another_version(run)
    done = snapdrift(command, run.stem, cwd=run.parents[2])
    assert done.returncode == 2
    assert "exact/0:000000000000" in done.stderr
    assert f"`snapdrift grade {run.stem}`" in done.stderr


def test_grading_a_file_of_two_versions_again_makes_it_one(run, snapdrift):
    one_score_of_another_version(run)
    root = run.parents[2]
    assert snapdrift("grade", run.stem, cwd=root).returncode == 0
    assert snapdrift("compare", run.stem, cwd=root).returncode == 0


def test_a_suite_that_changed_since_is_compared_by_the_graders_of_the_run_until_it_is_graded(run, snapdrift):
    root = run.parents[2]
    suite = root / "evals" / "capitals.yaml"
    suite.write_text(
        suite.read_text().replace('exact: "{{ expected }}"', 'exact: "{{ expected }}", normalise: casefold')
    )
    with open_run(run) as stored:
        before = {score.version for score in stored.scores()}
    for command in ("compare", "report"):
        assert snapdrift(command, run.stem, cwd=root).returncode == 0
    assert snapdrift("grade", run.stem, cwd=root).returncode == 0
    with open_run(run) as stored:
        after = {score.version for score in stored.scores()}
    assert len(before) == len(after) == 1
    assert before != after
