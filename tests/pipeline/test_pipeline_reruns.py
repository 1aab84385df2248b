"""Trying again until it is green: each way to do so, and what the program says of it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from snapdrift.pipeline.reruns import known_verdicts
from snapdrift.store.verdict_log import append_verdict, read_verdicts

SUITE = """\
suite: capitals
dataset: datasets/capitals.jsonl
variants:
  old: {outputs: datasets/old.jsonl}
  new: {outputs: datasets/new.jsonl}
sample: {n: 50, seed: 1}
graders: [{name: capital, exact: "{{ expected }}"}]
gate:
  baseline: {variant: old}
  candidates: [new]
  metrics: {capital: {margin: 0.05}}
  max_blind: 0.3
  discordance: 0.02
"""
RUN = ("run", "evals/capitals.yaml")
ALL = range(60)


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def answers(root: Path, name: str, wrong: int, said: str = "") -> None:
    """The answers of a variant, of which those to the first cases are wrong; `said` makes all of them others."""
    rows = [{"id": f"c{n}", "output": "?" if n < wrong else f"Town {n}{said}"} for n in ALL]
    write(root / "datasets" / f"{name}.jsonl", rows)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("evals", "datasets"):
        (tmp_path / folder).mkdir()
    (tmp_path / "snapdrift.toml").write_text("")
    (tmp_path / "evals" / "capitals.yaml").write_text(SUITE)
    write(tmp_path / "datasets" / "capitals.jsonl", [{"id": f"c{n}", "expected": f"Town {n}"} for n in ALL])
    answers(tmp_path, "old", 0)
    answers(tmp_path, "new", 20)
    return tmp_path


def edit(root: Path, old: str, new: str) -> None:
    path = root / "evals" / "capitals.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def latest(root: Path, name: str) -> str:
    return (root / "reports" / "capitals" / "latest" / name).read_text()


def told(root: Path) -> Any:
    return json.loads(latest(root, "verdict.json"))


def served(root: Path) -> dict[str, int]:
    return {draw["variant"]: draw["earlier_verdicts"] for draw in told(root)["draws"]}


def test_the_first_run_says_nothing_of_earlier_ones(root: Path, snapdrift: Callable[..., Any]) -> None:
    done = snapdrift(*RUN, cwd=root)

    assert done.returncode == 1
    assert served(root) == {"old": 0, "new": 0}
    assert told(root)["earlier_verdicts"] == []
    assert "earlier" not in done.stdout


def test_the_same_run_again_is_an_attempt_and_is_called_so_in_every_rendering(
    root: Path, snapdrift: Callable[..., Any]
) -> None:
    snapdrift(*RUN, cwd=root)
    done = snapdrift(*RUN, cwd=root)

    assert "attempt 2" in done.stderr
    assert "Attempt 2 of this run, on the answers that were there (before: 1 regression)." in done.stdout
    assert told(root)["run"]["attempt"] == 2
    assert [(one["same_run"], one["decision"]) for one in told(root)["earlier_verdicts"]] == [(True, "regression")]
    for page in ("index.html", "summary.md"):
        assert "(attempt 2)" in latest(root, page)


def test_starting_anew_tells_what_was_decided_before_and_the_report_does_too(
    root: Path, snapdrift: Callable[..., Any]
) -> None:
    snapdrift(*RUN, cwd=root)
    snapdrift(*RUN, "--fresh", cwd=root)
    done = snapdrift(*RUN, "--fresh", cwd=root)

    assert "starts anew beside 2 earlier runs of the same commit, suite and gate" in done.stderr
    assert done.stderr.count("regression") == 2
    assert (
        "in 2 earlier runs since they last passed (2 regression); nothing is other now, the answers are the same"
        in done.stdout
    )


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("seed: 1}", "seed: 2}", "the cases that were asked"),
        ("n: 50", "n: 55", "the cases that were asked"),
        ("gate:", "repeats: 2\ngate:", "the number of repeats"),
        ("margin: 0.05", "margin: 0.5", "what the gate asks for"),
        ('exact: "{{ expected }}"', 'contains: "?"', "the graders"),
    ],
)
def test_another_draw_or_a_softer_rule_is_named_as_what_is_other(
    root: Path, snapdrift: Callable[..., Any], old: str, new: str, what: str
) -> None:
    snapdrift(*RUN, cwd=root)
    edit(root, old, new)
    done = snapdrift(*RUN, cwd=root)

    assert "in an earlier run since they last passed (1 regression)" in " ".join(done.stdout.split())
    (note,) = [line for line in latest(root, "summary.md").splitlines() if "since they last passed" in line]
    assert what in note


def test_what_a_gate_may_spend_is_no_other_rule(root: Path, snapdrift: Callable[..., Any]) -> None:
    snapdrift(*RUN, cwd=root)
    edit(root, "  max_blind: 0.3", "  budget: {usd: 5, per_day: 9}\n  max_blind: 0.3")
    snapdrift(*RUN, "--fresh", cwd=root)

    assert [one["differs"] for one in told(root)["earlier_verdicts"]] == [[]]


def test_a_deleted_run_is_remembered(root: Path, snapdrift: Callable[..., Any]) -> None:
    snapdrift(*RUN, cwd=root)
    for path in (root / ".snapdrift" / "runs").iterdir():
        path.unlink()
    done = snapdrift(*RUN, cwd=root)

    assert (
        "in an earlier run since they last passed (1 regression); nothing is other now, the answers are the same"
        in done.stdout
    )
    assert "starts anew beside an earlier run" in done.stderr


def test_a_question_that_has_passed_since_is_not_held_against_it(root: Path, snapdrift: Callable[..., Any]) -> None:
    answers(root, "new", 0)
    snapdrift(*RUN, cwd=root)
    done = snapdrift(*RUN, "--fresh", cwd=root)

    assert done.returncode == 0
    assert "since they last passed" not in done.stdout
    assert [one["decision"] for one in told(root)["earlier_verdicts"]] == ["passed"]


def test_a_baseline_that_is_compared_with_one_candidate_after_another_says_how_often_it_served(
    root: Path, snapdrift: Callable[..., Any]
) -> None:
    for said in ("", ".", "!"):
        answers(root, "new", 20, said)
        done = snapdrift(*RUN, cwd=root)

    assert served(root) == {"old": 2, "new": 0}
    sentence = "have served 2 earlier verdicts: 2 chances to find a candidate that this draw flatters."
    assert f"The answers of the baseline `old`, of {datetime.now(UTC):%Y-%m}" in done.stdout.replace("\n", " ")
    assert sentence in " ".join(done.stdout.split())


def test_the_age_of_a_draw_is_that_of_its_first_use(root: Path, snapdrift: Callable[..., Any]) -> None:
    snapdrift(*RUN, cwd=root)
    runs = root / ".snapdrift" / "runs"
    (logged,) = read_verdicts(runs)
    path = runs.parent / "verdicts.jsonl"
    path.write_text(path.read_text().replace(logged.decided_at, "2020-01-02T03:04:05+00:00"))
    answers(root, "new", 19)
    done = snapdrift(*RUN, cwd=root)

    assert "of 2020-01-02, " in done.stdout
    (draw,) = [draw for draw in told(root)["draws"] if draw["variant"] == "old"]
    assert draw["age_days"] > 2000


def test_a_run_that_the_log_does_not_name_is_read_from_its_file(root: Path, snapdrift: Callable[..., Any]) -> None:
    snapdrift(*RUN, cwd=root)
    (root / ".snapdrift" / "verdicts.jsonl").unlink()
    answers(root, "new", 20, ".")
    snapdrift(*RUN, cwd=root)

    assert served(root) == {"old": 1, "new": 0}


@pytest.mark.parametrize(
    ("key", "odd"),
    [("reached", lambda _: "no JSON"), ("header", lambda header: header.replace('"gate":"default"', '"gate":"none"'))],
)
def test_a_run_file_whose_parts_contradict_each_other_is_gone_by(
    root: Path, snapdrift: Callable[..., Any], key: str, odd: Callable[[str], str]
) -> None:
    snapdrift(*RUN, cwd=root)
    (root / ".snapdrift" / "verdicts.jsonl").unlink()
    (path,) = (root / ".snapdrift" / "runs").glob("*.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        before = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()[0]
        connection.execute("UPDATE meta SET value = ? WHERE key = ?", (odd(before), key))
        assert odd(before) != before

    assert known_verdicts(root / ".snapdrift" / "runs", "capitals") == ()


def test_a_part_of_a_suite_is_no_verdict(root: Path, snapdrift: Callable[..., Any]) -> None:
    assert snapdrift(*RUN, "--case", "c1", cwd=root).returncode == 5

    assert known_verdicts(root / ".snapdrift" / "runs", "capitals") == ()


def test_a_baseline_of_which_some_answers_are_new_is_still_the_same_draw(
    root: Path, snapdrift: Callable[..., Any]
) -> None:
    snapdrift(*RUN, cwd=root)
    answers(root, "old", 3)
    snapdrift(*RUN, cwd=root)
    assert served(root) == {"old": 1, "new": 1}

    answers(root, "old", 60)
    snapdrift(*RUN, cwd=root)
    assert served(root)["old"] == 0


def test_grading_again_is_one_more_verdict_on_the_same_answers(root: Path, snapdrift: Callable[..., Any]) -> None:
    snapdrift(*RUN, cwd=root)
    edit(root, "margin: 0.05", "margin: 0.9")
    done = snapdrift("grade", "latest", cwd=root)

    assert "Decided again, on the answers that were there (before: 1 regression)." in done.stdout
    assert [one["same_run"] for one in told(root)["earlier_verdicts"]] == [True]
    assert served(root) == {"old": 0, "new": 0}  # deciding again on a run's own answers is no further chance


def test_a_line_that_was_cut_off_spoils_no_other(root: Path, snapdrift: Callable[..., Any]) -> None:
    snapdrift(*RUN, cwd=root)
    runs = root / ".snapdrift" / "runs"
    (whole,) = read_verdicts(runs)
    with (runs.parent / "verdicts.jsonl").open("a") as file:
        file.write('{"run_id": "2026')
    append_verdict(runs, whole)

    assert read_verdicts(runs) == (whole, whole)


def test_comparing_again_keeps_what_was_known_of_earlier_verdicts(root: Path, snapdrift: Callable[..., Any]) -> None:
    snapdrift(*RUN, cwd=root)
    snapdrift(*RUN, "--fresh", cwd=root)
    run = told(root)["run"]["id"]
    done = snapdrift("compare", run, "--json", cwd=root)

    assert [one["run_id"] for one in json.loads(done.stdout)["earlier_verdicts"]] == [
        one.run_id for one in read_verdicts(root / ".snapdrift" / "runs") if one.run_id != run
    ]
