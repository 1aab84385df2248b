"""`--failed RUN`: the cases that failed on a candidate, or were not measured, are asked again; nothing is gated."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from snapdrift import pipeline
from snapdrift.errors import StoreError, UsageError
from snapdrift.pipeline.options import RunOptions, Selection, TargetOptions
from snapdrift.pipeline.prepare import prepare
from snapdrift.standin.config import Profile, StandinConfig
from snapdrift.standin.fault_scripts import FaultRule
from snapdrift.standin.launch import StandinProcess

NOVEMBER = "gpt-4o-2024-11-20"


@pytest.fixture(scope="module")
def ran(module_workspace):
    """A run whose candidate fails three cases, gets no answer to a fourth; and where the suite is."""
    root = module_workspace(cases=60, wrong={NOVEMBER: 3, "gpt-4o-2024-08-06": 1})
    rules = (FaultRule(case="c9", variant="november", fault="422", times=None),)
    recordings = (root / "datasets" / "recordings.jsonl",)
    with StandinProcess(StandinConfig(profiles=(Profile(recordings=recordings),), fault_rules=rules)) as process:
        options = RunOptions(target=TargetOptions(base_url=process.base_url))
        (outcome,) = pipeline.run_suites([root / "evals" / "capitals.yaml"], options)
        yield root / "evals" / "capitals.yaml", outcome, options


def asked(suite: Path, *runs: str, told: list[str] | None = None, **selection) -> list[str]:
    said: list[str] = [] if told is None else told
    options = RunOptions(selection=Selection(failed=runs, **selection), notice=said.append)
    return [case.id for case in prepare(suite, options).cases]


def test_cases_that_failed_on_a_candidate_or_have_no_answer_are_asked_in_their_order(ran):
    suite, outcome, _ = ran
    told: list[str] = []
    assert asked(suite, outcome.run_id, told=told) == ["c0", "c1", "c2", "c9"]
    which = f"--failed: 4 cases of run {outcome.run_id} (c0, c1, c2, c9): "
    assert told[0].endswith(f"{which}3 failed capital, 1 without an answer, on november")


@pytest.mark.parametrize("name", ["latest", "path", "start"])
def test_a_run_is_named_as_elsewhere(ran, name):
    suite, outcome, _ = ran
    names = {"latest": "latest", "path": str(outcome.run_path), "start": outcome.run_id[:17]}
    assert asked(suite, names[name]) == ["c0", "c1", "c2", "c9"]


def test_the_filters_go_together(ran):
    suite, outcome, _ = ran
    assert asked(suite, outcome.run_id, cases=("c1", "c5")) == ["c1"]
    with pytest.raises(UsageError, match="--failed and --case: the filter matches no case"):
        asked(suite, outcome.run_id, cases=("c5",))


def test_a_variant_that_was_not_judged_is_told_with_those_that_were(ran):
    suite, outcome, _ = ran
    with pytest.raises(UsageError, match=r"judged november, and --variant with august; expected one of those"):
        asked(suite, outcome.run_id, variants=("august",))


def test_a_partial_run_is_not_gated_and_feeds_no_history_and_the_next_goes_on_from_it(ran):
    suite, outcome, options = ran
    part = replace(options, selection=Selection(failed=(outcome.run_id,), variants=("november", "august")))
    (again,) = pipeline.run_suites([suite], part)
    assert (again.exit_code, again.evaluation.decision.word.value) == (5, "not_gated")
    document = json.loads(again.reports.verdict.read_text())
    assert document["run"]["partial"] is True
    assert asked(suite, "latest") == ["c0", "c1", "c2", "c9"]
    history = repr(pipeline.read_history([], suite.parent))
    assert outcome.run_id in history
    assert again.run_id not in history


def test_a_run_in_which_nothing_failed_and_one_of_another_suite_are_refused(ran, tmp_path):
    suite, outcome, options = ran
    other = suite.with_name("other.yaml")
    try:
        other.write_text(suite.read_text().replace("suite: capitals", "suite: other"))
        with pytest.raises(UsageError, match=rf"found {outcome.run_id} of capitals; expected one run of other"):
            asked(other, outcome.run_id)
        with pytest.raises(StoreError, match="there is no finished run of other"):
            asked(other, "latest")
    finally:
        other.unlink()
    (fine,) = pipeline.run_suites(
        [suite], RunOptions(target=options.target, selection=Selection(cases=("c20", "c21")), cache=False)
    )
    with pytest.raises(UsageError, match=r"no case to ask again.*on november nothing failed and all was measured"):
        asked(suite, fine.run_id)


def test_cases_that_left_the_dataset_are_counted_and_not_asked(ran):
    suite, outcome, _ = ran
    dataset = suite.parents[1] / "datasets" / "capitals.jsonl"
    before, told = dataset.read_text(), list[str]()
    try:
        dataset.write_text("".join(line for line in before.splitlines(keepends=True) if '"c1"' not in line))
        assert asked(suite, outcome.run_id, told=told) == ["c0", "c2", "c9"]
    finally:
        dataset.write_text(before)
    assert told[0].endswith("; 1 no longer in the dataset")


def test_several_runs_of_one_suite_are_one_too_many(ran):
    suite, outcome, options = ran
    (second,) = pipeline.run_suites([suite], RunOptions(target=options.target, selection=Selection(cases=("c0",))))
    with pytest.raises(UsageError, match="expected one run of capitals"):
        asked(suite, outcome.run_id, second.run_id)
