"""Runs that end as soon as their gate is resolved: what is asked, what is concluded, and that order changes nothing."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from snapdrift import pipeline
from snapdrift.conclusions import Evaluation
from snapdrift.errors import StoreError, UsageError
from snapdrift.model import CallKey, Outcome, Verdict
from snapdrift.pipeline.sequences import RECORD, Ending, order_of, record_of
from snapdrift.standin.fault_scripts import FaultRule
from snapdrift.standin.faults import Fault
from snapdrift.store import RunWriter, codec, open_run

CONCURRENCY = 6
JUDGE = """\
  - name: kind
    judge:
      model: gpt-4o-2024-11-20
      criteria: [The reply helps.]
      allow_retiring: true
      scale: pass_fail
"""


def asked(log: Path, run_id: str) -> list[dict[str, Any]]:
    """The requests of a run, by the stand-in's own log."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return [line for line in lines if line["event"] == "received" and line["run"].endswith(run_id)]


def options(url: str, **more: Any) -> pipeline.RunOptions:
    made = pipeline.RunOptions(
        target=pipeline.TargetOptions(base_url=url), limits=pipeline.Limits(concurrency=CONCURRENCY), fresh=True
    )
    return replace(made, **more)


def run(suite: Path, url: str, **more: Any) -> pipeline.RunOutcome:
    (outcome,) = pipeline.run_suites([suite], options(url, **more))
    return outcome


def concluded(evaluation: Evaluation) -> list[Any]:
    return [evaluation.comparisons, evaluation.sequential, evaluation.decision.word]


# ------------------------------------------------------------------------------------------------- stopping


def test_a_run_whose_drop_shows_early_is_stopped_and_the_rest_is_not_asked(looked_at, land_standin) -> None:
    url, log = land_standin()
    outcome = run(looked_at(cases=200, isles=90), url)

    evaluation = outcome.evaluation
    (comparison,), went = evaluation.comparisons, evaluation.sequential
    assert outcome.exit_code == 1
    assert went is not None
    assert (comparison.verdict, comparison.method) == (Verdict.REGRESSED, "betting_hybrid")
    assert (comparison.units_fed, comparison.units_planned, comparison.stopped_early) == (25, 200, True)
    assert comparison.n == went.fed == 25
    requests = asked(log, outcome.run_id)
    assert 50 <= len(requests) < 100  # others go on while an answer that is early in the order is slow
    answered = sum(variant.outcomes["ok"] for variant in evaluation.variants)
    spared = sum(variant.outcomes[Outcome.NOT_NEEDED] for variant in evaluation.variants)
    assert (answered, spared) == (len(requests), 400 - len(requests))
    assert [variant.coverage for variant in evaluation.variants] == [1.0, 1.0]
    assert [label.word for label in outcome.view.labels] == ["recorded", "stopped early"]
    assert "Stopped after 25 of 200 cases" in outcome.view.labels[1].meaning


def test_what_is_seen_does_not_depend_on_the_order_in_which_answers_come_back(looked_at, land_standin) -> None:
    url, _ = land_standin()
    suite = looked_at(cases=120, isles=35)
    one, many = (run(suite, url, limits=pipeline.Limits(concurrency=number)) for number in (1, 16))

    assert one.evaluation.sequential is not None
    assert one.evaluation.sequential.stopped
    assert concluded(one.evaluation) == concluded(many.evaluation)


def test_a_run_that_shows_nothing_early_asks_all_and_has_its_fixed_test(looked_at, land_standin) -> None:
    url, log = land_standin()
    outcome = run(looked_at(cases=60, isles=3), url)

    (comparison,), went = outcome.evaluation.comparisons, outcome.evaluation.sequential
    assert went is not None
    assert (went.fed, went.stopped, comparison.stopped_early) == (60, False, False)
    assert len(asked(log, outcome.run_id)) == 120
    assert comparison.method == "betting_hybrid"
    assert comparison.p_value == pytest.approx(0.125 / 0.8)  # exact McNemar of 3 to 0, at 4/5 of alpha
    assert "stopped early" not in [label.word for label in outcome.view.labels]


def test_a_case_that_must_pass_is_asked_also_after_the_stop(looked_at, land_standin) -> None:
    url, log = land_standin()
    suite = looked_at(cases=200, isles=90, golden=0, gate="  must_pass: {tag: golden}\n")
    outcome = run(suite, url)

    with open_run(outcome.run_path) as stored:
        order, record = order_of(stored), record_of(stored)
    assert record is not None
    assert order.index(("c0",)) >= record.fed + CONCURRENCY  # else this test shows nothing
    assert {line["case"] for line in asked(log, outcome.run_id)} >= {"c0"}
    assert any("must-pass case `c0` fails" in reason for reason in outcome.evaluation.decision.reasons)
    (comparison,) = outcome.evaluation.comparisons
    assert comparison.n == record.fed


def test_a_judged_metric_is_looked_at_while_asking_goes_on(looked_at, land_standin) -> None:
    url, log = land_standin()
    suite = looked_at(cases=120, isles=60, graders=JUDGE, metrics="{kind: {margin: 0.05}}")
    outcome = run(suite, url)

    went, requests = outcome.evaluation.sequential, asked(log, outcome.run_id)
    assert went is not None
    assert went.stopped
    assert len(requests) < 2 * 240
    (comparison,) = (c for c in outcome.evaluation.comparisons if c.gating)
    assert (comparison.metric, comparison.n, comparison.verdict) == ("kind", went.fed, Verdict.REGRESSED)
    with open_run(outcome.run_path) as stored:
        answered = {key for key in stored.answered_keys() if not key.grader}
        judged = {
            (s.case_id, s.variant, s.repeat) for s in stored.scores() if s.metric == "kind" and s.value is not None
        }
        assert judged == {(key.case_id, key.variant, key.repeat) for key in answered}


# ------------------------------------------------------------------------------------------------- failures


def test_a_call_that_fails_holds_up_nothing_and_stays_passed_over_when_the_sweep_gets_its_answer(
    looked_at, land_standin, snapdrift
) -> None:
    suite = looked_at(cases=120, isles=35)
    first = run(suite, land_standin()[0])
    with open_run(first.run_path) as stored:
        case = order_of(stored)[1][0]
    rule = FaultRule(fault=Fault.OVERLOADED, case=case, variant="november", times=1, retry_after=3600)

    outcome = run(suite, land_standin(rule)[0])

    went, (comparison,) = outcome.evaluation.sequential, outcome.evaluation.comparisons
    assert went is not None
    assert (went.passed_over, went.stopped) == (1, True)
    assert (comparison.n, comparison.unmeasured) == (went.fed - 1, 1)
    with open_run(outcome.run_path) as stored:
        record = record_of(stored)
        assert CallKey(case, "november", 0) in stored.answered_keys()
    assert record is not None
    assert record.passed_over == (CallKey(case, "november", 0),)
    again = pipeline.compare_run(outcome.run_id, options(""), suite.parent)
    assert concluded(again.evaluation) == concluded(outcome.evaluation)


def test_a_killed_run_goes_on_in_the_same_order_to_the_same_verdict(looked_at, land_standin) -> None:
    url, log = land_standin()
    suite = looked_at(cases=200, isles=25)
    whole = run(suite, url)
    assert whole.evaluation.sequential is not None
    assert whole.evaluation.sequential.fed >= 50  # else there is no look to be killed between

    command = ["run", "evals/capitals.yaml", "--base-url", url, "--fresh", "--concurrency", "2"]
    process = subprocess.Popen([sys.executable, "-m", "snapdrift", *command], cwd=suite.parents[1])
    before = len(log.read_text().splitlines())
    deadline = time.monotonic() + 60
    while len(log.read_text().splitlines()) < before + 4 * 40:
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=20)

    outcome = pipeline.resume_run("latest", options(url), suite.parent)

    assert outcome.run_id != whole.run_id
    assert concluded(outcome.evaluation) == concluded(whole.evaluation)
    requests = asked(log, outcome.run_id)
    assert len({line["client_request_id"] for line in requests}) >= len(requests) - 2  # what was in flight


def test_a_budget_that_ends_before_anything_is_resolved_is_incomplete(looked_at, land_standin) -> None:
    limits = pipeline.Limits(max_usd=0.004, concurrency=2)
    outcome = run(looked_at(cases=60, isles=3), land_standin()[0], limits=limits)

    assert outcome.exit_code == 3
    assert outcome.evaluation.sequential is not None
    assert not outcome.evaluation.sequential.stopped
    assert Outcome.NOT_NEEDED not in outcome.evaluation.variants[0].outcomes


# ------------------------------------------------------------------------------------------------- from the store


def test_grading_comparing_and_reporting_again_give_the_same_verdict(looked_at, land_standin) -> None:
    suite = looked_at(cases=200, isles=90)
    outcome = run(suite, land_standin()[0])
    cwd = suite.parent

    compared = pipeline.compare_run(outcome.run_id, options(""), cwd).evaluation
    (reported,) = pipeline.report_runs([outcome.run_id], pipeline.RunOptions(), cwd)
    graded = pipeline.regrade_run(outcome.run_id, pipeline.RunOptions(), cwd)
    resumed = pipeline.resume_run(outcome.run_id, options(land_standin()[0]), cwd)

    for evaluation in (compared, reported.evaluation, graded.evaluation, resumed.evaluation):
        assert concluded(evaluation) == concluded(outcome.evaluation)


def test_other_graders_make_their_own_wealth_of_the_units_that_were_fed(looked_at, land_standin) -> None:
    suite = looked_at(cases=200, isles=90)
    outcome = run(suite, land_standin()[0])
    suite.write_text(suite.read_text().replace('contains: "{{ expected }}"', 'regex: "[a-z]"'))

    graded = pipeline.regrade_run(outcome.run_id, pipeline.RunOptions(), suite.parent).evaluation

    (comparison,) = graded.comparisons
    assert (comparison.n, comparison.difference, comparison.verdict) == (25, 0.0, Verdict.INCONCLUSIVE)
    assert graded.decision.word == "incomplete"
    assert "as they are now, they would not have stopped it" in graded.decision.reasons[0]


def test_what_was_looked_at_is_not_graded_as_a_claim_about_these_very_cases(looked_at, land_standin) -> None:
    suite = looked_at(cases=200, isles=90, top="")
    outcome = run(suite, land_standin()[0], early_stop=True)
    suite.write_text(suite.read_text().replace("graders:", "target: these_cases\nrepeats: 2\ngraders:"))

    with pytest.raises(UsageError, match=r"claims something of these_cases, and run .* was looked at while it grew"):
        pipeline.regrade_run(outcome.run_id, pipeline.RunOptions(), suite.parent)


def test_the_record_says_everything_that_is_needed_to_redo_it(looked_at, land_standin) -> None:
    outcome = run(looked_at(cases=200, isles=90), land_standin()[0])
    with open_run(outcome.run_path) as stored:
        record, header = record_of(stored), stored.header

    assert record is not None
    assert (record.share, record.sample, record.fed, record.ended) == (0.2, 200, 25, Ending.RESOLVED)
    assert record.state["order_seed"] == header.seed
    assert set(record.state) == {"format", "config_hash", "order_seed", "units", "comparisons"}
    (claims,), (comparison,) = record.state["comparisons"].values(), outcome.evaluation.comparisons
    assert comparison.p_value == pytest.approx(math.exp(-claims["worse"]["log_peak"]) / record.share)


# ------------------------------------------------------------------------------------------------- the flag


def test_the_flag_stops_a_suite_that_does_not_say_so_and_makes_it_another_run(looked_at, land_standin) -> None:
    suite, (url, _) = looked_at(cases=60, isles=30, top=""), land_standin()
    fixed = run(suite, url)
    stopped = run(suite, url, early_stop=True, fresh=False)
    taken_up = run(suite, url, early_stop=True, fresh=False)
    graded = pipeline.regrade_run(stopped.run_id, pipeline.RunOptions(), suite.parent)

    assert fixed.evaluation.sequential is None
    assert stopped.evaluation.sequential is not None
    assert stopped.evaluation.sequential.stopped
    assert (taken_up.run_id, taken_up.attempt) == (stopped.run_id, 2)
    assert stopped.run_id != fixed.run_id
    assert concluded(graded.evaluation) == concluded(stopped.evaluation) == concluded(taken_up.evaluation)


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({"selection": pipeline.Selection(cases=("c1",))}, "--early-stop: found a part of the suite"),
        ({"batch": pipeline.BatchOptions(all=True)}, "--batch: found early stopping under the gate default"),
    ],
    ids=["a partial run", "a batch"],
)
def test_the_flag_is_refused_where_nothing_could_be_looked_at(looked_at, more, found) -> None:
    with pytest.raises(UsageError, match=found):
        run(looked_at(top=""), "http://127.0.0.1:9/v1", early_stop=True, **more)


def test_the_flag_is_refused_for_a_gate_that_compares_nothing_with_a_margin(looked_at) -> None:
    suite = looked_at(top="", metrics="{capital: {at_least: 0.5}}")
    with pytest.raises(UsageError, match="--early-stop: found the gate default, which compares nothing with a margin"):
        run(suite, "http://127.0.0.1:9/v1", early_stop=True)


def test_a_partial_run_of_such_a_suite_is_asked_whole(looked_at, land_standin) -> None:
    selection = pipeline.Selection(cases=tuple(f"c{number}" for number in range(40)))
    outcome = run(looked_at(cases=60, isles=40), land_standin()[0], selection=selection)

    assert outcome.exit_code == 5
    assert outcome.evaluation.sequential is None
    assert [variant.outcomes for variant in outcome.evaluation.variants] == [{"ok": 40}, {"ok": 40}]


def test_cases_of_a_cluster_are_asked_together_and_fed_as_one_value(looked_at, land_standin) -> None:
    suite, (url, _) = looked_at(cases=100, isles=40), land_standin()
    dataset = suite.parents[1] / "datasets" / "capitals.jsonl"
    rows = [json.loads(line) for line in dataset.read_text().splitlines()]
    dataset.write_text("".join(json.dumps({**row, "cluster": f"k{i // 2}"}) + "\n" for i, row in enumerate(rows)))

    outcome = run(suite, url)

    went, (comparison,) = outcome.evaluation.sequential, outcome.evaluation.comparisons
    assert went is not None
    assert (went.planned, went.unit_size, went.fed, went.stopped) == (50, 2, 25, True)
    assert (comparison.n, comparison.units_fed) == (50, 25)
    with open_run(outcome.run_path) as stored:
        asked_first = [key.case_id for key in stored.calls()[:4]]
        assert set(asked_first) == set(order_of(stored)[0])


@pytest.mark.parametrize(
    ("change", "found"),
    [({"share": 3.0}, "the looks had 3.0 of alpha"), ({"state": {"units": 999}}, "cases that are not in it")],
)
def test_a_record_of_looks_that_cannot_be_is_damage(looked_at, land_standin, change, found) -> None:
    suite = looked_at(cases=60, isles=30)
    outcome = run(suite, land_standin()[0])
    with RunWriter.open(outcome.run_path) as writer, open_run(outcome.run_path) as stored:
        record = record_of(stored)
        assert record is not None
        writer.set_meta(RECORD, codec.dumps(replace(record, **change)))

    with pytest.raises(StoreError, match=found):
        pipeline.compare_run(outcome.run_id, options(""), suite.parent)


def test_wealth_of_another_configuration_is_not_gone_on_with(looked_at, land_standin) -> None:
    suite, (url, _) = looked_at(cases=60, isles=3), land_standin()
    outcome = run(suite, url, limits=pipeline.Limits(max_usd=0.004, concurrency=2))
    with RunWriter.open(outcome.run_path) as writer, open_run(outcome.run_path) as stored:
        record = record_of(stored)
        assert record is not None
        assert record.ended is None
        writer.set_meta(RECORD, codec.dumps(replace(record, state={**record.state, "config_hash": "another"})))

    with pytest.raises(StoreError, match="the run cannot be looked at further: the stored wealth has config_hash"):
        pipeline.resume_run(outcome.run_id, options(url), suite.parent)
