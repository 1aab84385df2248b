"""`snapdrift history` over the runs of a workspace: what counts, and what it prints."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SUITE = """\
suite: capitals
dataset: datasets/capitals.jsonl
variants:
  old: {outputs: datasets/old.jsonl}
  new: {outputs: datasets/new.jsonl}
repeats: 2
graders: [{name: capital, exact: "{{ expected }}"}]
gate:
  baseline: {variant: old}
  candidates: [new]
  metrics: {capital: {margin: 0.05}}
  max_blind: 0.4
  discordance: 0.02
"""
CASES = 40
RUN = ("run", "evals/capitals.yaml")


def answers(root: Path, name: str, wrong: int) -> None:
    """Two answers to each case; the first `wrong` cases are wrong in the second repeat."""
    rows = [
        {"id": f"c{n}", "repeat": repeat, "output": "?" if repeat and n < wrong else f"Town {n}"}
        for n in range(CASES)
        for repeat in (0, 1)
    ]
    (root / "datasets" / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, snapdrift: Callable[..., Any]) -> Path:
    """A workspace with three whole runs of two versions of `new`, the second run twice, and a partial run."""
    root = tmp_path_factory.mktemp("history")
    for folder in ("evals", "datasets"):
        (root / folder).mkdir()
    (root / "snapdrift.toml").write_text("")
    (root / "evals" / "capitals.yaml").write_text(SUITE)
    rows = [{"id": f"c{n}", "expected": f"Town {n}"} for n in range(CASES)]
    (root / "datasets" / "capitals.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    answers(root, "old", 1)
    for wrong in (0, 2, 4):
        answers(root, "new", wrong)
        snapdrift(*RUN, cwd=root)
    snapdrift(*RUN, cwd=root)
    snapdrift(*RUN, "--case", "c1", cwd=root)
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(made, tmp_path / "workspace"))


def document(root: Path, snapdrift: Callable[..., Any], *arguments: str) -> Any:
    done = snapdrift("history", *arguments, "--json", cwd=root)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def series_of(told: Any, variant: str) -> Any:
    (series,) = [one for one in told["series"] if one["variant"] == variant]
    return series


def test_the_document_has_every_whole_run_once_with_its_level_and_interval(
    made: Path, snapdrift: Callable[..., Any]
) -> None:
    told = document(made, snapdrift)
    points = series_of(told, "new")["points"]

    assert told["format"] == "snapdrift.history/1"
    assert (told["runs"], told["left_out"]) == (3, {"partial": 1})
    assert [point["mean"] for point in points] == pytest.approx([1.0, 1 - 1 / 40, 1 - 2 / 40])
    assert all(point["low"] <= point["mean"] <= point["high"] for point in points)
    assert [point["attempt"] for point in points] == [1, 1, 2]
    assert {one["source"] for one in told["series"]} == {"outputs"}


def test_a_file_of_outputs_that_served_three_runs_is_one_point(made: Path, snapdrift: Callable[..., Any]) -> None:
    series = series_of(document(made, snapdrift), "old")

    assert (len(series["points"]), series["reused"]) == (1, 2)


def test_cases_that_flicker_are_those_of_the_newest_run(made: Path, snapdrift: Callable[..., Any]) -> None:
    flaky = document(made, snapdrift)["flaky"]

    assert {one["case_id"] for one in flaky if one["variant"] == "new"} == {"c0", "c1", "c2", "c3"}
    assert {(one["passes"], one["asked"]) for one in flaky} == {(1, 2)}


def test_csv_has_a_row_for_each_point(made: Path, snapdrift: Callable[..., Any]) -> None:
    rows = list(csv.DictReader(io.StringIO(snapdrift("history", "capitals", "--csv", cwd=made).stdout)))

    assert [(row["variant"], row["mean"]) for row in rows if row["variant"] == "new"] == [
        ("new", "1.0"),
        ("new", "0.975"),
        ("new", "0.95"),
    ]
    assert {row["source"] for row in rows} == {"outputs"}


def test_the_terminal_shows_each_series_as_a_line_with_its_label(made: Path, snapdrift: Callable[..., Any]) -> None:
    lines = snapdrift("history", "evals/capitals.yaml", cwd=made).stdout.splitlines()

    assert lines[0] == "capitals, gate default"
    (new,) = [line for line in lines if line.startswith("  capital new [from a file]")]
    assert "95.0% [" in new
    assert new.endswith("3 runs")
    assert any("the suite was changed" in line for line in lines)
    assert lines[-1] == "3 runs; left out: 1 partial"


def test_only_the_newest_runs_and_one_gate_can_be_asked_for(made: Path, snapdrift: Callable[..., Any]) -> None:
    assert document(made, snapdrift, "--last", "1", "--gate", "default")["runs"] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rivers",), "it has runs of capitals"),
        (("--gate", "nightly"), "it has runs of capitals under the gate default"),
    ],
)
def test_nothing_to_show_is_an_error_that_names_what_there_is(
    made: Path, snapdrift: Callable[..., Any], arguments: tuple[str, ...], said: str
) -> None:
    done = snapdrift("history", *arguments, cwd=made)

    assert done.returncode == 2
    assert said in done.stderr
    assert "snapdrift run SUITE" in done.stderr


def test_a_file_that_is_no_run_and_a_run_that_is_under_way_are_counted(
    root: Path, snapdrift: Callable[..., Any]
) -> None:
    runs = root / ".snapdrift" / "runs"
    (runs / "20990101-000000-0000.db").write_text("no run")
    first = min(path for path in runs.glob("*.db") if path.stem < "2099")
    connection = sqlite3.connect(first)
    connection.execute("UPDATE meta SET value = 'running' WHERE key = 'state'")
    connection.commit()
    connection.close()

    assert document(root, snapdrift)["left_out"] == {"unreadable": 1, "partial": 1, "unfinished": 1}


def test_json_and_csv_at_once_are_refused(made: Path, snapdrift: Callable[..., Any]) -> None:
    assert snapdrift("history", "--json", "--csv", cwd=made).returncode == 2
