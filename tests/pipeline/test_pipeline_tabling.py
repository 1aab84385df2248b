"""`export` as a table: every planned call and score is in it, in each format, and nothing that privacy takes out."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from pyarrow.parquet import read_table
from tests.pipeline.conftest import write_rows

from snapdrift.reports.results import TYPES

CASES = 12
SUITE = """\
suite: towns
dataset: datasets/towns.jsonl
variants: {before: {outputs: datasets/before.jsonl}, now: {outputs: datasets/now.jsonl}}
graders: [{name: town, exact: "{{ expected }}"}]
gate: {baseline: {variant: before}, metrics: {town: {margin: 0.05}}, max_blind: 0.9}
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory, snapdrift) -> Path:
    """A workspace with a finished run of recorded answers, one of which is a formula."""
    root: Path = tmp_path_factory.mktemp("towns")
    for folder in ("evals", "datasets"):
        (root / folder).mkdir()
    (root / "evals" / "towns.yaml").write_text(SUITE)
    cases = [{"id": f"c{n}", "land": f"Land {n}", "expected": f"Town {n}"} for n in range(CASES)]
    answers = [{"id": case["id"], "output": case["expected"]} for case in cases]
    write_rows(root / "datasets" / "towns.jsonl", cases)
    write_rows(root / "datasets" / "before.jsonl", answers)
    write_rows(root / "datasets" / "now.jsonl", [{"id": "c0", "output": "=HYPERLINK(1)"}, *answers[1:]])
    assert snapdrift("run", "evals/towns.yaml", cwd=root).returncode in (0, 1)
    return root


def rows_in(path: Path) -> list[dict[str, Any]]:
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text("utf-8")
    if ".csv" in path.name:
        return list(csv.DictReader(text.splitlines()))
    return [json.loads(line) for line in text.splitlines()]


def test_each_format_has_a_row_for_each_score_of_what_was_planned(ran, snapdrift):
    for name in ("t.csv", "t.jsonl.gz", "t.parquet"):
        done = snapdrift("export", "latest", "-o", name, cwd=ran)
        assert done.returncode == 0, done.stderr
        assert f"{CASES * 2} rows, one a score" in done.stdout
    table = read_table(ran / "t.parquet").to_pylist()
    lines = rows_in(ran / "t.jsonl.gz")
    assert table == lines
    assert list(lines[0]) == list(TYPES)
    sheet = rows_in(ran / "t.csv")
    assert [row["answer"] for row in sheet if "HYPERLINK" in row["answer"]] == ["'=HYPERLINK(1)"]
    assert [row["answer"] for row in lines if "HYPERLINK" in row["answer"]] == ["=HYPERLINK(1)"]
    assert [(row["case"], row["variant"], row["passed"]) for row in sheet] == [
        (row["case"], row["variant"], str(row["passed"]).lower()) for row in lines
    ]


def test_a_row_a_call_has_all_scores_of_the_call_beside_it(ran, snapdrift):
    for name in ("c.csv", "c.jsonl", "c.parquet"):
        done = snapdrift("export", "latest", "-o", name, "--rows", "call", "--json", cwd=ran)
        assert json.loads(done.stdout)["rows"] == CASES * 2
    table, lines, sheet = read_table(ran / "c.parquet").to_pylist(), rows_in(ran / "c.jsonl"), rows_in(ran / "c.csv")
    assert [row["scores"]["town"]["passed"] for row in lines] == [row["town.passed"] for row in table]
    assert [row["town.value"] for row in sheet] == [repr(row["town.value"]) for row in table]
    assert sum(row["town.passed"] is False for row in table) == 1


def test_a_table_has_nothing_that_privacy_takes_out(ran, snapdrift):
    for name in ("p.csv", "p.jsonl", "p.parquet"):
        done = snapdrift("export", "latest", "-o", name, "--redact", "answer", "--rows", "call", cwd=ran)
        assert "without answer" in done.stdout
    texts = (ran / "p.csv").read_text() + (ran / "p.jsonl").read_text() + str(read_table(ran / "p.parquet").to_pylist())
    assert "redacted: answer" in texts
    assert "HYPERLINK" not in texts
    assert "Town 5" not in texts


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("-o", "x.csv", "--format", "xlsx"), "--format: found 'xlsx'; expected one of db, csv, parquet, jsonl"),
        (("-o", "x.cvs"), '-o x.cvs: found a name that ends in ".cvs"; expected .csv, .parquet, .jsonl'),
        (("-o", "x"), "-o x: found no ending; expected .csv"),
        (("-o", "x.csv", "--rows", "case"), "--rows: found 'case'; expected one of score, call"),
        (("-o", "evals/towns.yaml", "--format", "csv"), "there is a file already"),
        (("-o", "x.csv", "--redact", "nothing"), "--redact"),
    ],
)
def test_what_cannot_be_exported_is_one_clear_error_and_writes_nothing(arguments, why, ran, snapdrift):
    done = snapdrift("export", "latest", *arguments, cwd=ran)
    assert done.returncode == 2
    assert why in done.stderr
    assert not list(ran.glob("x*"))
