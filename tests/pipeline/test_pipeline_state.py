"""State that survives CI: pushed to and pulled from a folder or a git branch, with real repositories."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from snapdrift import pipeline
from snapdrift.calibrations import JudgeCalibration, JudgeStatus
from snapdrift.errors import StoreError, UsageError
from snapdrift.store import RunWriter, list_runs, open_run
from snapdrift.store.calibration_records import (
    CalibrationRecords,
    add_calibrations,
    calibrations_path,
    read_calibrations,
)
from snapdrift.store.ledger import NANO, Entry, Ledger, me
from snapdrift.store.state_branch import without_secrets
from snapdrift.store.verdict_log import read_verdicts
from snapdrift.store.watch_state import WatchState, locked_state, watch_path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """Copies a workspace in which a suite was run twice to a place."""
    root = run_twice(tmp_path_factory.mktemp("made") / "workspace")
    return lambda target: Path(shutil.copytree(root, target))


def run_twice(root: Path) -> Path:
    for folder in ("evals", "datasets"):
        (root / folder).mkdir(parents=True)
    (root / "snapdrift.toml").write_text("")
    rows = [{"id": f"c{n}", "country": f"Land {n}", "expected": f"Town {n}"} for n in range(60)]
    models = ("gpt-4o-2024-08-06", "gpt-4o-2024-11-20")
    recordings = [{"model": m, "input": f"Land {n}?", "output": f"Town {n}"} for n in range(60) for m in models]
    for name, lines in (("capitals", rows), ("recordings", recordings)):
        (root / "datasets" / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (root / "evals" / "capitals.yaml").write_text(SUITE)
    options = pipeline.RunOptions(
        target=pipeline.TargetOptions(standin=True, recordings=(root / "datasets" / "recordings.jsonl",)), fresh=True
    )
    for _ in range(2):
        pipeline.run_suites([root / "evals" / "capitals.yaml"], options)
    return root


SUITE = """\
suite: capitals
dataset: datasets/capitals.jsonl
prompt: {input: "{{ country }}?"}
request: {temperature: 0, max_output_tokens: 64}
variants:
  august: {model: gpt-4o-2024-08-06}
  november: {model: gpt-4o-2024-11-20}
graders:
  - {name: capital, exact: "{{ expected }}"}
gate:
  baseline: {variant: august}
  candidates: [november]
  metrics: {capital: {margin: 0.05}}
  max_blind: 0.3
  discordance: 0.02
"""


def state(root: Path) -> Path:
    return root / ".snapdrift"


def runs(root: Path) -> list[str]:
    return sorted(path.stem for path in (state(root) / "runs").glob("*.db"))


def empty(root: Path) -> Path:
    root.mkdir()
    (root / "snapdrift.toml").write_text("")
    return root


def git(root: Path, *arguments: str) -> str:
    who = {f"GIT_{role}_{what}": "somebody" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True, env={**os.environ, **who}
    )
    return done.stdout.strip()


def repository(root: Path, remote: Path | None = None) -> Path:
    """Makes a workspace a git repository with one commit, a change that is staged and one that is not."""
    git(root, "init", "--quiet", "--initial-branch", "main")
    (root / ".gitignore").write_text(".snapdrift/\nreports/\n")
    git(root, "add", "snapdrift.toml", ".gitignore")
    git(root, "commit", "--quiet", "-m", "first")
    (root / "staged.txt").write_text("staged")
    git(root, "add", "staged.txt")
    (root / "snapdrift.toml").write_text("# changed\n")
    if remote is not None:
        if not remote.exists():
            git(root, "init", "--quiet", "--bare", str(remote))
        git(root, "remote", "add", "origin", str(remote))
    return root


# ------------------------------------------------------------------------------------------------- a folder


def test_what_was_pushed_to_a_folder_is_there_after_a_pull_elsewhere(made, tmp_path: Path, snapdrift) -> None:
    here, there = made(tmp_path / "here"), empty(tmp_path / "there")
    shelf = tmp_path / "shelf"
    pushed = snapdrift("state", "push", "--to", str(shelf), cwd=here)
    assert (pushed.returncode, pushed.stdout) == (0, f"pushed to {shelf}: 2 runs, verdicts.jsonl, 2 verdicts\n")
    pulled = snapdrift("state", "pull", "--from", str(shelf), cwd=there)
    assert pulled.returncode == 0, pulled.stderr

    assert runs(there) == runs(here)
    assert read_verdicts(state(there) / "runs") == read_verdicts(state(here) / "runs")
    assert [run.decision for run in list_runs(state(there) / "runs")] == [
        run.decision for run in list_runs(state(here) / "runs")
    ]
    for command in ("push", "pull"):
        again = snapdrift("state", command, "--to", str(shelf), cwd=there)
        assert again.stdout == f"{shelf}: nothing new\n"
    assert not list(state(there).glob(".sync-*"))


def test_a_run_that_was_tried_again_is_the_newer_one_on_both_ways(made, tmp_path: Path) -> None:
    here, there, shelf = made(tmp_path / "here"), made(tmp_path / "there"), str(tmp_path / "shelf")
    pipeline.push_state(there, shelf)
    run = runs(here)[0]
    with RunWriter.open(state(here) / "runs" / f"{run}.db") as writer:
        writer.finish("2099-01-01T00:00:00+00:00")
    assert pipeline.push_state(here, shelf).put == [f"runs/{run}.db"]
    assert pipeline.push_state(there, shelf).put == []
    assert pipeline.pull_state(there, shelf).put == [f"runs/{run}.db"]
    with open_run(state(there) / "runs" / f"{run}.db") as stored:
        assert stored.finished_at == "2099-01-01T00:00:00+00:00"


def test_a_place_keeps_the_newest_runs_of_each_suite(made, tmp_path: Path) -> None:
    here, shelf = made(tmp_path / "here"), tmp_path / "shelf"
    pipeline.push_state(here, str(shelf))
    older, newer = runs(here)
    assert pipeline.push_state(here, str(shelf), keep=1).removed == [f"runs/{older}.db"]
    assert [path.stem for path in (shelf / "runs").iterdir()] == [newer]
    assert pipeline.push_state(here, str(shelf), keep=1).put == []


def test_a_push_that_was_killed_before_it_listed_its_runs_loses_none(made, tmp_path: Path) -> None:
    here, there, shelf = made(tmp_path / "here"), made(tmp_path / "there"), tmp_path / "shelf"
    older, newer = runs(here)
    pipeline.push_state(here, str(shelf))
    (shelf / "state.json").write_text('{"format": "snapdrift.state/1"}')
    (shelf / "runs" / "20260101-000000-0000.db").write_bytes(b"half a file")
    (state(there) / "runs" / f"{older}.db").unlink()
    pushed = pipeline.push_state(there, str(shelf))
    assert pushed.skipped[0].startswith("runs/20260101-000000-0000.db of ")
    listed = json.loads((shelf / "state.json").read_text())["runs"]
    assert sorted(listed) == [older, newer]
    assert len(list((shelf / "runs").iterdir())) == 3


def test_a_damaged_run_is_named_and_the_others_are_pushed(made, tmp_path: Path) -> None:
    here, shelf = made(tmp_path / "here"), tmp_path / "shelf"
    older, newer = runs(here)
    damaged = sqlite3.connect(state(here) / "runs" / f"{newer}.db")
    damaged.execute("UPDATE cases SET record = 'no JSON'")
    damaged.commit()
    damaged.close()
    pushed = pipeline.push_state(here, str(shelf))
    assert pushed.put == [f"runs/{older}.db", "verdicts.jsonl"]
    assert [text.partition(": ")[0] for text in pushed.skipped] == [f"runs/{newer}.db"]
    assert list(json.loads((shelf / "state.json").read_text())["runs"]) == [older]


def test_a_run_with_privacy_rules_is_pushed_without_what_they_take_out(made, tmp_path: Path) -> None:
    here = made(tmp_path / "here")
    suite = here / "evals" / "capitals.yaml"
    suite.write_text(suite.read_text() + "privacy: {redact: [country]}\n")
    target = pipeline.TargetOptions(standin=True, recordings=(here / "datasets" / "recordings.jsonl",))
    outcome = pipeline.run_suites([suite], pipeline.RunOptions(target=target, fresh=True))[0]
    pipeline.push_state(here, str(tmp_path / "shelf"))
    pipeline.push_state(here, str(tmp_path / "whole"), whole=True)
    texts = {}
    for place in ("shelf", "whole"):
        with open_run(tmp_path / place / "runs" / f"{outcome.run_id}.db") as stored:
            texts[place] = str(stored.cases()[0].variables["country"])
    assert texts == {"shelf": "redacted: country", "whole": "Land 0"}


# ------------------------------------------------------------------------------------------------- a branch


def test_a_branch_is_written_without_a_checkout_and_leaves_index_and_work_tree_alone(made, tmp_path: Path) -> None:
    here = repository(made(tmp_path / "here"), tmp_path / "remote.git")
    hook = here / ".git" / "hooks" / "pre-push"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    before = git(here, "status", "--porcelain"), git(here, "rev-parse", "HEAD"), git(here, "diff", "--cached", "--stat")
    pushed = pipeline.push_state(here, "git-branch")
    assert len(pushed.put) == 3
    assert before == (
        *(git(here, "status", "--porcelain"), git(here, "rev-parse", "HEAD")),
        git(here, "diff", "--cached", "--stat"),
    )
    assert git(here, "branch", "--list") == "* main"
    there = repository(empty(tmp_path / "there"), tmp_path / "remote.git")
    pipeline.pull_state(there, "git-branch")
    assert runs(there) == runs(here)


def test_the_branch_is_one_commit_so_that_what_is_not_kept_is_gone(made, tmp_path: Path) -> None:
    here = repository(made(tmp_path / "here"))
    pipeline.push_state(here, "git-branch:kept")
    pipeline.push_state(here, "git-branch:kept", keep=1)
    assert git(here, "rev-list", "--count", "kept") == "1"
    names = git(here, "ls-tree", "-r", "--name-only", "kept").splitlines()
    assert names == [f"runs/{runs(here)[1]}.db", "state.json", "verdicts.jsonl"]
    assert pipeline.push_state(here, "git-branch:kept", keep=1).put == []


def test_jobs_that_push_at_once_lose_nothing_of_each_other(made, tmp_path: Path) -> None:
    remote, jobs = tmp_path / "remote.git", []
    for number in range(2):
        job = repository(made(tmp_path / f"job{number}"), remote)
        mine = runs(job)[number]
        for path in (state(job) / "runs").glob("*.db"):
            if path.stem != mine:
                path.unlink()
        jobs.append(job)
    failures: list[Exception] = []

    def push(job: Path) -> None:
        try:
            pipeline.push_state(job, "git-branch")
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=push, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    there = repository(empty(tmp_path / "there"), remote)
    pipeline.pull_state(there, "git-branch")
    assert runs(there) == sorted(run for job in jobs for run in runs(job))
    assert len(runs(there)) == 2


def test_who_looked_before_another_pushed_looks_again(made, tmp_path: Path, monkeypatch: Any) -> None:
    from snapdrift.store.state_branch import BranchShelf

    here, other = (repository(made(tmp_path / name), tmp_path / "remote.git") for name in ("here", "other"))
    (state(here) / "runs" / f"{runs(here)[0]}.db").unlink()
    replaces, looked = BranchShelf.replace, []

    def replace(shelf: BranchShelf, changed: Any, removed: Any) -> bool:
        looked.append(shelf)
        if len(looked) == 1:
            pipeline.push_state(other, "git-branch")
        return replaces(shelf, changed, removed)

    monkeypatch.setattr(BranchShelf, "replace", replace)
    pipeline.push_state(here, "git-branch")
    pipeline.pull_state(here, "git-branch")
    assert runs(here) == runs(other)


def test_a_branch_of_something_else_is_left_as_it_is(made, tmp_path: Path) -> None:
    here = repository(made(tmp_path / "here"), tmp_path / "remote.git")
    git(here, "push", "--quiet", "origin", "main")
    tip = git(here, "rev-parse", "HEAD")
    with pytest.raises(StoreError, match="branch main of origin holds no state of Snapdrift, and is left as it is"):
        pipeline.push_state(here, "git-branch:main")
    assert git(tmp_path / "remote.git", "rev-parse", "main") == tip


@pytest.mark.parametrize(
    ("to", "remote", "said"),
    [
        ("git-branch:-x", None, "expected the name of a branch"),
        ("git-branch:a..b", None, "expected the name of a branch"),
        ("git-branch:main", None, "the branch main is checked out"),
        ("git-branch", "nowhere", "--remote: found 'nowhere'"),
        ("elsewhere", "origin", "--remote is for git-branch"),
        (".snapdrift", None, "found the state folder itself"),
        ("", None, "found no place at all; expected `git-branch`, `git-branch:NAME` or a folder"),
        (" ", None, "found no place at all"),
        (".", None, "found the workspace itself, .; expected a folder of its own"),
        ("..", None, "found a folder that the workspace is in, ..; expected a folder of its own"),
    ],
)
def test_a_place_that_cannot_be_one_is_a_usage_error(
    made, tmp_path: Path, monkeypatch: Any, to: str, remote: str | None, said: str
) -> None:
    here = repository(made(tmp_path / "here"))
    monkeypatch.chdir(here)
    with pytest.raises(UsageError, match=said):
        pipeline.push_state(here, to, remote=remote)


@pytest.mark.parametrize("place", ["", ".", ".."])
def test_no_place_and_the_workspace_are_refused_by_both_commands_and_nothing_is_written(
    made, tmp_path: Path, snapdrift, place: str
) -> None:
    here = made(tmp_path / "here")
    before = sorted(here.iterdir())
    for command in ("push", "pull"):
        done = snapdrift("state", command, "--to", place, cwd=here)
        assert (done.returncode, done.stdout) == (2, "")
        assert "expected" in done.stderr
    assert sorted(here.iterdir()) == before


def test_a_pull_from_a_folder_that_is_not_there_says_so_and_makes_none(tmp_path: Path, snapdrift) -> None:
    there = empty(tmp_path / "there")
    done = snapdrift("state", "pull", "--from", "nowhere/x", cwd=there)
    place = there / "nowhere" / "x"
    assert (done.returncode, done.stdout) == (0, f"{place}: nothing is kept there yet, so nothing was pulled\n")
    assert not place.parent.exists()
    told = snapdrift("state", "pull", "--from", "nowhere/x", "--json", cwd=there)
    assert json.loads(told.stdout)["nothing_there"] is True


def test_without_a_repository_a_branch_says_what_to_do_instead(made, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is in no git repository; keep the state in a folder: --to DIR"):
        pipeline.push_state(made(tmp_path / "here"), "git-branch")


def test_a_password_in_a_remotes_address_is_not_told() -> None:
    said = "fatal: unable to access 'https://x-access-token:s3cret@example.org/a.git/'"
    assert "s3cret" not in without_secrets(said)


# ------------------------------------------------------------------------------------------------- what merges


def night(root: Path, nights: int, last: str) -> None:
    path = watch_path(state(root), "capitals", "default")
    with locked_state(path, "capitals", "default") as file:
        file.write(WatchState("capitals", "default", nights=nights, last_night=last))


def nights(root: Path) -> int:
    with locked_state(watch_path(state(root), "capitals", "default"), "capitals", "default") as file:
        return file.read().nights


def test_of_two_lines_of_nights_the_longer_one_stays(made, tmp_path: Path) -> None:
    here, there, shelf = made(tmp_path / "here"), made(tmp_path / "there"), str(tmp_path / "shelf")
    night(here, 3, "2026-11-26T03:00:00+00:00")
    night(there, 5, "2026-11-25T03:00:00+00:00")
    pipeline.push_state(there, shelf)
    assert any("has a later night; pull it" in text for text in pipeline.push_state(here, shelf).skipped)
    pipeline.pull_state(here, shelf)
    night(there, 6, "2026-11-27T03:00:00+00:00")
    pipeline.pull_state(there, shelf)
    assert (nights(here), nights(there)) == (5, 6)


def calibrate(root: Path, *records: tuple[str, str]) -> None:
    """Keeps calibrations, each of a run and made on a day."""
    made = tuple(
        JudgeCalibration("helpful", "a", "b", JudgeStatus.CALIBRATED, "judge/1:x", of_run=run, made_at=day, labelled=60)
        for run, day in records
    )
    news = CalibrationRecords("capitals", "helpful", made)
    add_calibrations(calibrations_path(state(root) / "calibrations", "capitals", "helpful"), news)


def calibrated(root: Path) -> list[tuple[str, str]]:
    found = read_calibrations(calibrations_path(state(root) / "calibrations", "capitals", "helpful"))
    return [(one.of_run, one.made_at) for one in found.records]


def test_calibrations_of_two_machines_are_united_the_newest_first_and_bounded(made, tmp_path: Path) -> None:
    here, there, shelf = made(tmp_path / "here"), made(tmp_path / "there"), str(tmp_path / "shelf")
    calibrate(here, ("r1", "2026-11-01"), ("r2", "2026-11-09"))
    calibrate(there, ("r1", "2026-11-05"), *((f"s{n}", f"2026-10-{n:02}") for n in range(1, 20)))
    pipeline.push_state(here, shelf)
    pipeline.push_state(there, shelf)
    assert "calibrations/capitals.helpful.json" in pipeline.pull_state(here, shelf).put
    pipeline.pull_state(there, shelf)

    newest = [("r2", "2026-11-09"), ("r1", "2026-11-05"), *((f"s{n}", f"2026-10-{n:02}") for n in range(19, 1, -1))]
    assert calibrated(here) == calibrated(there) == newest
    assert pipeline.push_state(here, shelf).put == pipeline.pull_state(here, shelf).put == []


@pytest.mark.parametrize(
    "changed",
    [
        {"format": "snapdrift.calibration/9"},
        {"suite": "another"},
        {"metric": "../../../evil"},
        {"suite": ["capitals"]},
        {"calibrations": [{"metric": "helpful"}]},
        {"calibrations": "all"},
        {"status": "uncalibrated"},
        {"bias": float("nan")},
        {"metric_of_record": "another"},
    ],
)
def test_a_calibration_from_elsewhere_that_is_none_is_left_out_and_named(made, tmp_path: Path, changed: Any) -> None:
    here, there, shelf = made(tmp_path / "here"), empty(tmp_path / "there"), tmp_path / "shelf"
    calibrate(here, ("r1", "2026-11-01"))
    pipeline.push_state(here, str(shelf))
    path = shelf / "calibrations" / "capitals.helpful.json"
    document = json.loads(path.read_text())
    of_record = {"status", "bias", "metric_of_record"}
    document |= {key: value for key, value in changed.items() if key not in of_record}
    if of_record & changed.keys():
        document["calibrations"][0] |= {key.removesuffix("_of_record"): value for key, value in changed.items()}
    path.write_text(json.dumps(document))

    pulled = pipeline.pull_state(there, str(shelf))
    assert [text.partition(":")[0] for text in pulled.skipped] == ["calibrations/capitals.helpful.json"]
    assert not (state(there) / "calibrations").exists()


def test_a_calibration_here_that_cannot_be_read_is_not_written_over(made, tmp_path: Path) -> None:
    here, there, shelf = made(tmp_path / "here"), made(tmp_path / "there"), str(tmp_path / "shelf")
    calibrate(here, ("r1", "2026-11-01"))
    pipeline.push_state(here, shelf)
    path = state(there) / "calibrations" / "capitals.helpful.json"
    path.parent.mkdir()
    path.write_text('{"format": "snapdrift.calibration/2"}')
    for done in (pipeline.pull_state(there, shelf), pipeline.push_state(there, shelf)):
        assert any("found the format 'snapdrift.calibration/2'" in text for text in done.skipped)
    assert path.read_text() == '{"format": "snapdrift.calibration/2"}'


def test_what_other_machines_spent_today_counts_here_too_and_once(made, tmp_path: Path) -> None:
    here, there, shelf = made(tmp_path / "here"), made(tmp_path / "there"), str(tmp_path / "shelf")
    for root, run, nano in ((here, "r1", 300), (there, "r2", 500)):
        with Ledger(state(root), lambda: "2026-11-27") as ledger:
            ledger.force(me(), Entry("2026-11-27", "capitals", run, nano))
    for root in (here, there, here, here):
        pipeline.push_state(root, shelf)
        pipeline.pull_state(root, shelf)
    with Ledger(state(here), lambda: "2026-11-27") as ledger:
        assert ledger.standing("capitals").counted == 800


def test_what_a_run_spent_travels_however_much_it_was(made, tmp_path: Path) -> None:
    here, there, shelf = made(tmp_path / "here"), made(tmp_path / "there"), str(tmp_path / "shelf")
    million = 10**6 * NANO
    with Ledger(state(here), lambda: "2026-11-27") as ledger:
        ledger.force(me(), Entry("2026-11-27", "capitals", "r1", million))
    assert pipeline.push_state(here, shelf).skipped == []
    assert pipeline.pull_state(there, shelf).skipped == []
    with Ledger(state(there), lambda: "2026-11-27") as ledger:
        assert ledger.standing("capitals").counted == million


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            '{"day":"2026-11-27","suite":"s","run":"r","nano":4611686018427387904}',
            "line 2: found 4611686018427387904 billionths",
        ),
        ('{"day":"2026-11-27","suite":"s","run":"r","nano":-1}', "line 2: found -1 billionths"),
        ('{"day":"tomorrow","suite":"s","run":"r","nano":1}', "line 2: found the day tomorrow; expected a date"),
        ("no JSON at all", "line 2: found 'no JSON at all', expected JSON"),
        ('{"day":"2026-11-27","suite":"s","run":"r","nano":1' + "0" * 5000 + "}", "line 2: "),
    ],
)
def test_a_line_of_a_ledger_that_is_none_is_left_out_and_named(made, tmp_path: Path, line: str, said: str) -> None:
    here, there, shelf = made(tmp_path / "here"), made(tmp_path / "there"), tmp_path / "shelf"
    for root in (here, there):
        with Ledger(state(root), lambda: "2026-11-27") as ledger:
            ledger.force(me(), Entry("2026-11-27", "capitals", "r1", 300))
    pipeline.push_state(here, str(shelf))
    ledger_file = shelf / "ledger.jsonl"
    ledger_file.write_text(f"{ledger_file.read_text()}{line}\n")
    for done in (pipeline.pull_state(there, str(shelf)), pipeline.push_state(here, str(shelf))):
        assert [text for text in done.skipped if text.startswith(f"ledger.jsonl: {said}")], done.skipped
    assert line not in ledger_file.read_text()


def test_of_many_lines_that_are_none_the_first_are_named_and_the_others_counted(made, tmp_path: Path) -> None:
    there, shelf = made(tmp_path / "there"), tmp_path / "shelf"
    shelf.mkdir()
    (shelf / "ledger.jsonl").write_text("junk\n" * 1000)
    skipped = pipeline.pull_state(there, str(shelf)).skipped
    assert len(skipped) == 6
    assert skipped[-1] == "ledger.jsonl: 995 more lines are none of a ledger"


def database(path: Path, value: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE IF NOT EXISTS answers (text)")
    connection.execute("DELETE FROM answers")
    connection.execute("INSERT INTO answers VALUES (?)", (value,))
    connection.commit()
    connection.close()


def test_of_another_database_the_newer_one_stays_also_where_it_is_open(made, tmp_path: Path) -> None:
    here, there, shelf = made(tmp_path / "here"), made(tmp_path / "there"), str(tmp_path / "shelf")
    database(state(there) / "other.db", "old")
    os.utime(state(there) / "other.db", (1.6e9, 1.6e9))
    database(state(here) / "other.db", "new")
    assert "other.db" in pipeline.push_state(here, shelf).put
    assert "other.db" not in pipeline.push_state(there, shelf).put
    reading = sqlite3.connect(state(there) / "other.db")
    assert pipeline.pull_state(there, shelf).put == ["other.db"]
    assert reading.execute("SELECT text FROM answers").fetchall() == [("new",)]
    reading.close()


def test_the_cache_stays_where_it_is_so_that_what_was_cleared_stays_cleared(made, tmp_path: Path) -> None:
    here, there, shelf = made(tmp_path / "here"), empty(tmp_path / "there"), tmp_path / "shelf"
    database(state(here) / "cache.db", "cleared elsewhere")
    assert "cache.db" not in pipeline.push_state(here, str(shelf)).put
    assert not (shelf / "cache.db").exists()
    database(shelf / "cache.db", "put there")
    assert "cache.db" not in pipeline.pull_state(there, str(shelf)).put
    assert not (state(there) / "cache.db").exists()


# ------------------------------------------------------------------------------------------------- hostile places


def test_nothing_is_taken_but_files_of_the_known_names_that_are_what_they_say(made, tmp_path: Path) -> None:
    here, there, shelf = made(tmp_path / "here"), empty(tmp_path / "there"), tmp_path / "shelf"
    pipeline.push_state(here, str(shelf))
    older, newer = runs(here)
    (shelf / "runs" / f"{older}.db").rename(shelf / "runs" / "20260101-000000-0000.db")
    other = sqlite3.connect(shelf / "runs" / f"{newer}.db")
    other.execute("CREATE TRIGGER t AFTER INSERT ON meta BEGIN DELETE FROM meta; END")
    other.commit()
    other.close()
    evil = sqlite3.connect(shelf / "other.db")
    evil.execute("CREATE VIEW answers AS SELECT 1")
    evil.close()
    (shelf / "runs" / "link.db").symlink_to("/etc/hostname")
    (shelf / "watch").mkdir()
    (shelf / "watch" / "a.b.json").write_text('{"format": "snapdrift.watch-state/1", "suite": "x", "gate": "y"}')
    (shelf / "snapdrift.toml").write_text("[hosts]")
    with (shelf / "verdicts.jsonl").open("a") as file:
        file.write("no verdict\n")

    pulled = pipeline.pull_state(there, str(shelf))
    assert pulled.put == []
    assert [text.partition(":")[0] for text in pulled.skipped] == [
        *("other.db", "runs/20260101-000000-0000.db", f"runs/{newer}.db", "watch/a.b.json")
    ]
    assert sorted(path.name for path in state(there).iterdir()) == ["verdicts.jsonl"]
    assert len(read_verdicts(state(there) / "runs")) == 2


def test_links_and_paths_that_lead_out_are_not_seen_in_a_branch(made, tmp_path: Path) -> None:
    here, there = repository(made(tmp_path / "here")), tmp_path / "there"
    pipeline.push_state(here, "git-branch")
    secret = tmp_path / "secret"
    secret.write_text("out")
    blob = git(here, "hash-object", "-w", str(secret))
    entries = git(here, "ls-tree", "snapdrift-state").replace(" blob ", " blob ") + f"\n120000 blob {blob}\tother.db"
    entries += f"\n100644 blob {blob}\t..evil.db\n100755 blob {blob}\trun.db\n"
    tree = subprocess.run(
        ["git", "-C", str(here), "mktree"], input=entries, capture_output=True, text=True, check=True
    ).stdout.strip()
    git(here, "update-ref", "refs/heads/snapdrift-state", git(here, "commit-tree", tree, "-m", "evil"))
    shutil.copytree(here, there)
    shutil.rmtree(state(there))
    pulled = pipeline.pull_state(there, "git-branch")
    assert sorted(pulled.put) == [f"runs/{run}.db" for run in runs(here)]
    assert sorted(path.name for path in state(there).iterdir()) == ["runs", "verdicts.jsonl"]


def test_a_place_that_is_not_there_yet_is_empty_and_a_manifest_of_something_else_is_refused(
    made, tmp_path: Path, snapdrift
) -> None:
    there = repository(empty(tmp_path / "there"), tmp_path / "remote.git")
    done = snapdrift("state", "pull", "--from", "git-branch", cwd=there)
    said = "branch snapdrift-state of origin: nothing is kept there yet, so nothing was pulled\n"
    assert (done.returncode, done.stdout) == (0, said)
    here, shelf = made(tmp_path / "here"), tmp_path / "shelf"
    shelf.mkdir()
    (shelf / "state.json").write_text('{"format": "terraform"}')
    with pytest.raises(StoreError, match="not a state of this version"):
        pipeline.push_state(here, str(shelf))
