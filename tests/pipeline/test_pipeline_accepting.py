"""Accepted losses in runs: decided with, told everywhere, bounded, and checked."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from snapdrift import pipeline
from snapdrift.errors import AcceptancesError, InsufficientError, UsageError
from snapdrift.pipeline.options import Output, RunOptions, RunOutcome, Selection, TargetOptions
from snapdrift.pipeline.prepare import check_suites, prepare
from snapdrift.reports.html import render_html
from snapdrift.reports.markdown import render_markdown
from snapdrift.reports.terminal import render_line, render_terminal
from snapdrift.standin.config import Profile, StandinConfig
from snapdrift.standin.launch import StandinProcess

NOVEMBER = "gpt-4o-2024-11-20"


def accept(root: Path, *numbers: int, until: str = "2027-02-20", case: str = "") -> None:
    entry = "- {{suite: capitals, case: {}, metric: capital, why: worded otherwise, by: ada, until: {}}}\n"
    cases = [case] if case else [f"c{number}" for number in numbers]
    (root / "evals" / "accepted.yaml").write_text("".join(entry.format(one, until) for one in cases))


@pytest.fixture(autouse=True)
def the_day(monkeypatch):
    from datetime import date

    monkeypatch.setattr("snapdrift.pipeline.accepting.today", lambda: date(2026, 11, 27))


@dataclass(frozen=True)
class Decided:
    root: Path
    red: RunOutcome
    spared: RunOutcome
    options: RunOptions


@pytest.fixture(scope="module")
def decided(module_workspace):
    """A run whose candidate loses seven cases of 120, and the same run taken up after four of them were accepted."""
    root = module_workspace(cases=120, wrong={NOVEMBER: 7})
    config = StandinConfig(profiles=(Profile(recordings=(root / "datasets" / "recordings.jsonl",)),))
    suite = root / "evals" / "capitals.yaml"
    with StandinProcess(config) as process, pytest.MonkeyPatch.context() as patch:
        from datetime import date

        patch.setattr("snapdrift.pipeline.accepting.today", lambda: date(2026, 11, 27))
        files = Output(junit=root / "junit.xml", summary=root / "summary.md")
        options = RunOptions(target=TargetOptions(base_url=process.base_url), output=files)
        (red,) = pipeline.run_suites([suite], options)
        accept(root, 1, 2, 3, 119)
        (spared,) = pipeline.run_suites([suite, root / "evals" / "accepted.yaml"], options)
        yield Decided(root, red, spared, options)


def document(outcome: RunOutcome) -> Any:
    return json.loads(outcome.reports.verdict.read_text())


def test_a_run_that_is_taken_up_is_decided_again_on_its_answers_with_what_is_accepted(decided):
    assert (decided.red.exit_code, decided.spared.exit_code) == (1, 0)
    assert (decided.spared.run_id, decided.spared.attempt) == (decided.red.run_id, 2)
    (earlier,) = document(decided.spared)["earlier_verdicts"]
    assert (earlier["decision"], earlier["differs"]) == ("regression", ["accepted"])


def test_a_pass_that_rests_on_acceptances_says_so_beside_its_headline(decided):
    spared, red = decided.spared.view, decided.red.view
    assert "[3 accepted]" in render_terminal(spared).splitlines()[0]
    assert "*3 accepted*" in render_markdown(spared).splitlines()[0]
    assert '<span class="label">3 accepted</span> 3 accepted losses are left out' in render_html(spared)
    assert "accepted" not in render_line(red)


def test_verdict_json_lists_what_is_accepted_and_what_it_took_out(decided):
    said = document(decided.spared)
    assert [(one["case"], one["state"], one["candidates"]) for one in said["acceptances"]] == [
        ("c1", "lost", ["november"]),
        ("c2", "lost", ["november"]),
        ("c3", "lost", ["november"]),
        ("c119", "no_longer_lost", []),
    ]
    (comparison,) = said["comparisons"]
    out = comparison["left_out"]
    assert (comparison["n"], out["verdict"], out["losses"]) == (116, "regressed", ["c1", "c2", "c3"])
    assert comparison["newly_failing"] == ["c0", "c4", "c5", "c6"]


def test_summary_junit_and_page_tell_of_accepted_losses(decided):
    summary = (decided.root / "summary.md").read_text()
    assert "Accepted losses (4), left out of the comparisons:" in summary
    assert "- `c119` on capital, by ada until 2027-02-20: no longer lost: the entry can go" in summary
    assert "3 of those that newly fail are accepted" in summary
    assert "newly fails, accepted by ada until 2027-02-20: wrong" in (decided.root / "junit.xml").read_text()
    page = decided.spared.reports.html.read_text()
    assert 'id="accepted-title"' in page
    assert "worded otherwise" in page


def test_cases_that_newly_fail_and_are_accepted_stay_in_the_list_of_those_that_newly_fail(decided):
    group = [one.id for one in decided.spared.view.changed]
    assert sorted(group) == [f"c{number}" for number in range(7)]


def test_compare_decides_by_what_was_accepted_then_and_grade_by_what_is_now(decided):
    accept(decided.root)
    again = pipeline.compare_run(decided.red.run_id, RunOptions(), decided.root)
    assert int(again.evaluation.decision.exit_code) == 0
    graded = pipeline.regrade_run(decided.red.run_id, decided.options, decided.root)
    assert graded.exit_code == 1
    assert document(graded)["acceptances"] == []


def test_more_than_the_margin_bears_is_refused_before_anything_is_sent(workspace):
    root = workspace()
    accept(root, 0, 1, 2, 3)
    expected = "found 4 accepted cases of the 60 that capital applies to; expected at most 3"
    with pytest.raises(UsageError, match=expected):
        prepare(root / "evals" / "capitals.yaml", RunOptions())
    assert prepare(root / "evals" / "capitals.yaml", RunOptions(selection=Selection(cases=("c1",)))).partial


def test_a_gate_that_acceptances_leave_too_few_cases_says_that_they_do(workspace):
    root = workspace()
    suite = root / "evals" / "capitals.yaml"
    suite.write_text(re.sub(r"max_blind: [0-9.]+", "max_blind: 0.01", suite.read_text()))
    accept(root, 0, 1)
    with pytest.raises(
        InsufficientError, match=r"58 cases gate it.*\(2 accepted cases are left out, evals/accepted.yaml"
    ):
        check_suites([suite], RunOptions())


def test_a_sample_is_not_stopped_by_how_many_of_the_accepted_cases_it_draws(workspace):
    root = workspace(more="  pr: {extends: default, sample: 30}\n")
    drawn = [case.id for case in prepare(root / "evals" / "capitals.yaml", RunOptions(gate="pr")).cases]
    accept(root, *(int(case[1:]) for case in drawn[:3]))
    (entry,) = prepare(root / "evals" / "capitals.yaml", RunOptions(gate="pr")).sufficiency
    assert entry.cases == 27


def test_what_a_gate_can_see_is_reckoned_without_accepted_cases(workspace):
    root = workspace()
    accept(root, 0, 1)
    (entry,) = prepare(root / "evals" / "capitals.yaml", RunOptions()).sufficiency
    assert entry.cases == 58


def test_check_validates_the_file_also_by_itself(workspace, snapdrift):
    root = workspace()
    accept(root, 0, 1)
    done = snapdrift("check", "evals/accepted.yaml", "evals/capitals.yaml", cwd=root)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(
        "evals/accepted.yaml: ok\n  2 acceptances (2 of capitals), the first until 2027-02-20"
    )
    accept(root, case="c99")
    done = snapdrift("check", "evals/accepted.yaml", cwd=root)
    assert done.returncode == 2
    assert 'evals/accepted.yaml:1:27: [0].case: no case "c99" in capitals' in done.stderr


def test_an_expired_acceptance_ends_every_command_that_loads_the_suite(workspace):
    root = workspace()
    accept(root, 0, until="2026-11-26")
    with pytest.raises(AcceptancesError, match=r"accepted\.yaml:1:.*2026-11-26, which is over") as error:
        check_suites([root / "evals" / "capitals.yaml"], RunOptions())
    assert error.value.exit_code == 2


def test_only_the_file_of_acceptances_is_nothing_to_run(workspace):
    root = workspace()
    accept(root, 0)
    with pytest.raises(UsageError, match="no suites"):
        check_suites([root / "evals" / "accepted.yaml"], RunOptions())


def test_a_run_that_is_looked_at_while_it_grows_bets_without_accepted_cases(looked_at, land_standin):
    suite = looked_at(cases=100, isles=3)
    name = suite.stem
    rows = (suite.parents[1] / "datasets" / f"{name}.jsonl").read_text().splitlines()
    entries = "".join(
        f"- {{suite: {name}, case: {json.loads(row)['id']}, metric: capital, why: w, by: ada, until: 2027-02-20}}\n"
        for row in rows[:3]
    )
    (suite.parent / "accepted.yaml").write_text(entries)
    options = RunOptions(target=TargetOptions(base_url=land_standin()[0]), early_stop=True)
    (outcome,) = pipeline.run_suites([suite], options)
    (comparison,) = [one for one in outcome.evaluation.comparisons if one.metric == "capital"]
    assert comparison.left_out is not None
    assert set(comparison.left_out.cases).isdisjoint(comparison.newly_failing)
    assert comparison.n <= 97
