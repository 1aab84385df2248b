"""`compare RUN LATER`: two stored runs judged against each other, by the gate of the later one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from tests.pipeline.conftest import write_rows

from snapdrift.store import RunWriter, open_run

NOVEMBER = "gpt-4o-2024-11-20"
CASES = 60


@dataclass(frozen=True)
class TwoRuns:
    """A workspace, and the ids of its two runs."""

    root: Path
    then: str
    now: str

    def stored(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted(self.root.rglob("*")) if path.is_file()}


def run(snapdrift: Callable[..., Any], root: Path) -> str:
    done = snapdrift(
        "run", "evals/capitals.yaml", "--standin", "--recordings", "datasets/recordings.jsonl", "--json", cwd=root
    )
    return str(json.loads(done.stdout)["run"]["id"])


@pytest.fixture(scope="module")
def two(snapdrift, module_workspace) -> TwoRuns:
    """A dataset and a model that both change between two runs: a case each is added, removed and changed."""
    root = module_workspace()
    data, recorded = (root / "datasets" / name for name in ("capitals.jsonl", "recordings.jsonl"))
    then = run(snapdrift, root)
    rows = [json.loads(line) for line in data.read_text().splitlines()]
    rows[5]["expected"] = "Elsewhere"
    write_rows(data, [*rows[1:], {"id": "new", "country": "Land 0", "expected": "Town 0", "tags": []}])
    said = [json.loads(line) for line in recorded.read_text().splitlines()]
    wrong = {f"What is the capital of Land {number}?" for number in range(10, 30)}
    for entry in said:
        if entry["model"] == NOVEMBER and entry["input"] in wrong:
            entry["output"] = "No idea"
    write_rows(recorded, said)
    return TwoRuns(root, then, run(snapdrift, root))


def compared(snapdrift: Callable[..., Any], two: TwoRuns, *options: str) -> tuple[int, dict[str, Any]]:
    done = snapdrift("compare", two.then, two.now, *options, "--json", cwd=two.root)
    return done.returncode, json.loads(done.stdout)


def test_each_variant_is_judged_against_its_namesake_on_the_cases_that_both_asked_alike(snapdrift, two):
    before = two.stored()
    code, verdict = compared(snapdrift, two)
    kept = verdict["baseline"]["kept"]
    assert (kept["added"], kept["removed"], kept["changed"], kept["paired"]) == (["new"], ["c0"], ["c5"], CASES - 2)
    found = {c["candidate"]: (c["baseline"], c["n"], c["verdict"], c["severity"]) for c in verdict["comparisons"]}
    assert found == {
        "august": (f"august@{two.then}", CASES - 2, "no_worse", "warn"),
        "november": (f"november@{two.then}", CASES - 2, "regressed", "fail"),
    }, "the gate asks nothing of its own baseline"
    assert (code, verdict["run"]["id"]) == (1, two.now)
    assert {variant["source"] for variant in verdict["variants"]} == {"recorded"}
    assert two.stored() == before, "nothing is written"


def test_one_variant_is_judged_against_another_of_the_earlier_run(snapdrift, two):
    code, verdict = compared(snapdrift, two, "--baseline", "november", "--candidate", "august")
    assert [(c["baseline"], c["candidate"]) for c in verdict["comparisons"]] == [(f"november@{two.then}", "august")]
    assert code == 0


def test_a_person_reads_what_is_compared_what_is_not_and_that_it_is_recorded(snapdrift, two):
    done = snapdrift("compare", two.then, two.now, "--baseline", "august", cwd=two.root)
    assert done.stdout.startswith("capitals  REGRESSION, EXIT 1  [recorded]")
    assert "1 added (new), 1 changed (c5), 1 removed (c0)" in done.stderr
    assert "august (archived)" not in done.stdout
    assert f"against august@{two.then}" in done.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--candidate", "mini"), "has no variant 'mini' to compare; expected one of august, november"),
        (("--baseline", "mini"), "has no variant 'mini' to compare; expected one of august, november"),
    ],
)
def test_a_variant_that_a_run_does_not_have_is_named_with_those_that_it_has(snapdrift, two, options, said):
    done = snapdrift("compare", two.then, two.now, *options, cwd=two.root)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_options_for_two_runs_are_refused_with_one_and_a_run_is_not_compared_with_itself(snapdrift, two):
    one = snapdrift("compare", two.now, "--baseline", "august", cwd=two.root)
    assert (one.returncode, one.stderr.splitlines()[0][:40]) == (2, "--baseline is for two runs; found one; e")
    twice = snapdrift("compare", two.now, two.now, cwd=two.root)
    assert twice.returncode == 2
    assert f"found run {two.now} twice" in twice.stderr


def test_runs_of_two_suites_are_not_compared(snapdrift, two, tmp_path):
    towns = Path(shutil.copy(two.root / ".snapdrift" / "runs" / f"{two.now}.db", tmp_path / "towns.db"))
    with RunWriter.open(towns) as writer, open_run(towns) as stored:
        writer.replace_header(replace(stored.header, suite="towns", run_id=f"{two.now}-towns"))
    done = snapdrift("compare", two.then, towns, cwd=two.root)
    assert done.returncode == 2
    assert f"run {two.then} is of the suite capitals, run {two.now}-towns of towns" in done.stderr
    assert "expected two runs of one suite" in done.stderr


def test_scores_by_another_grader_are_not_compared(snapdrift, two):
    suite = two.root / "evals" / "capitals.yaml"
    text = suite.read_text()
    suite.write_text(text.replace('exact: "{{ expected }}"', 'exact: "{{ expected }}", normalise: casefold'))
    regraded = run(snapdrift, two.root)
    suite.write_text(text)
    done = snapdrift("compare", two.then, regraded, cwd=two.root)
    assert done.returncode == 2
    assert "the gate default breaks on capital, which cannot be compared" in done.stderr
    assert f"`snapdrift grade {two.then}`" in done.stderr
