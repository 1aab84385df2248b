"""Gates that say `inconclusive: extend`: a sample, then portions of the rest, until it is settled or the money ends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from snapdrift import pipeline
from snapdrift.conclusions import Evaluation, Sequential
from snapdrift.errors import UsageError
from snapdrift.model import Outcome, Verdict
from snapdrift.pipeline.sequences import RECORD, Ending, order_of, record_of
from snapdrift.store import RunState, RunWriter, codec, open_run

SAMPLE = "sample: {n: 60, seed: 5}\n"
EXTEND = "  inconclusive: extend\n"
PROVE = "  policy: prove\n  inconclusive: extend\n"
CALL_USD = 0.00012
"""About what an answer here costs."""


def options(url: str, **more: Any) -> pipeline.RunOptions:
    made = pipeline.RunOptions(
        target=pipeline.TargetOptions(base_url=url), limits=pipeline.Limits(concurrency=6), fresh=True
    )
    return replace(made, **more)


def run(suite: Path, url: str, **more: Any) -> pipeline.RunOutcome:
    (outcome,) = pipeline.run_suites([suite], options(url, **more))
    return outcome


def budget(usd: float) -> pipeline.Limits:
    return pipeline.Limits(max_usd=usd, concurrency=2)


def went(evaluation: Evaluation) -> Sequential:
    assert evaluation.sequential is not None
    return evaluation.sequential


def ended(outcome: pipeline.RunOutcome) -> Ending | None:
    with open_run(outcome.run_path) as stored:
        record = record_of(stored)
    assert record is not None
    return record.ended


def test_a_sample_that_shows_nothing_is_topped_up_until_the_gate_is_settled(looked_at, land_standin) -> None:
    outcome = run(looked_at(cases=200, isles=16, top=SAMPLE, gate=EXTEND), land_standin()[0])

    (comparison,), how = outcome.evaluation.comparisons, went(outcome.evaluation)
    assert (how.open_ended, how.sample, how.planned, how.stopped) == (True, 60, 200, True)
    assert 60 < how.fed < 200
    assert (comparison.verdict, comparison.method, comparison.n) == (Verdict.REGRESSED, "betting_open_ended", how.fed)
    assert outcome.exit_code == 1
    assert "Stopped after" in outcome.view.labels[1].meaning
    with open_run(outcome.run_path) as stored:
        order, planned = order_of(stored), {key.case_id for key in stored.calls()}
        sample = {unit[0] for unit in order[:60]}
        assert [case.id for case in stored.cases()[60:]] == [unit[0] for unit in order[60 : len(stored.cases())]]
    assert sample < planned
    assert planned == {unit[0] for unit in order[: len(planned)]}


def test_a_sample_that_settles_the_gate_is_all_that_is_asked(looked_at, land_standin) -> None:
    outcome = run(looked_at(cases=200, isles=100, top=SAMPLE, gate=EXTEND), land_standin()[0])

    how = went(outcome.evaluation)
    assert (how.fed, how.stopped) == (60, True)
    assert [variant.outcomes for variant in outcome.evaluation.variants] == [{"ok": 60}, {"ok": 60}]


def test_with_early_stopping_the_sample_itself_may_end_early(looked_at, land_standin) -> None:
    outcome = run(looked_at(cases=200, isles=100, top=f"{SAMPLE}early_stop: true\n", gate=EXTEND), land_standin()[0])

    how = went(outcome.evaluation)
    assert (how.open_ended, how.fed, how.stopped) == (True, 25, True)
    assert outcome.evaluation.variants[0].outcomes[Outcome.NOT_NEEDED] > 0


@pytest.mark.parametrize(("gate", "code"), [(EXTEND, 0), (PROVE, 4)], ids=["catch warns", "prove is inconclusive"])
def test_when_the_rest_is_used_up_the_gate_stays_inconclusive(looked_at, land_standin, gate, code) -> None:
    outcome = run(looked_at(cases=100, isles=3, top=SAMPLE, gate=gate), land_standin()[0])

    how, (comparison,) = went(outcome.evaluation), outcome.evaluation.comparisons
    assert (how.fed, how.stopped, how.spent) == (100, False, "")
    assert comparison.verdict is Verdict.INCONCLUSIVE
    assert not comparison.stopped_early
    assert ended(outcome) is Ending.ALL
    assert outcome.exit_code == code


@pytest.mark.parametrize(("gate", "code"), [(EXTEND, 0), (PROVE, 4)], ids=["catch warns", "prove is inconclusive"])
def test_when_the_allowance_is_spent_in_the_extension_it_is_inconclusive_and_can_go_on(
    looked_at, land_standin, gate, code
) -> None:
    suite, (url, _) = looked_at(cases=200, isles=10, top=SAMPLE, gate=gate), land_standin()
    # A template over the case: what explains the verdict reads the answers to cases that came with the extension again.
    exact = 'exact: "The capital of {{ country }} is {{ expected }}."'
    suite.write_text(suite.read_text().replace('contains: "{{ expected }}"', exact))
    whole = run(suite, url)
    outcome = run(suite, url, limits=budget(180 * CALL_USD))

    how = went(outcome.evaluation)
    assert 60 <= how.fed < went(whole.evaluation).fed
    assert ended(outcome) is Ending.SPENT
    assert outcome.exit_code == code
    assert any("goes on" in text and "--max-usd" in text for text in outcome.evaluation.decision.warnings)
    assert {name for v in outcome.evaluation.variants for name in v.outcomes} <= {"ok", "not_needed"}

    compared = pipeline.compare_run(outcome.run_id, options(""), suite.parent)
    assert compared.evaluation.comparisons == outcome.evaluation.comparisons
    stays = pipeline.resume_run(outcome.run_id, options(url), suite.parent)
    assert went(stays.evaluation).fed == how.fed

    further = pipeline.resume_run(outcome.run_id, options(url, extend=True), suite.parent)
    assert further.evaluation.comparisons == whole.evaluation.comparisons
    assert went(further.evaluation) == went(whole.evaluation)


def test_a_budget_that_ends_in_the_sample_is_incomplete(looked_at, land_standin) -> None:
    suite = looked_at(cases=200, isles=10, top=SAMPLE, gate=EXTEND)
    outcome = run(suite, land_standin()[0], limits=budget(40 * CALL_USD))

    assert outcome.exit_code == 3
    assert ended(outcome) is None
    assert any("--max-usd" in reason for reason in outcome.evaluation.decision.reasons)


def test_a_run_that_was_killed_in_its_extension_goes_on_without_being_told_to(looked_at, land_standin) -> None:
    suite, (url, _) = looked_at(cases=200, isles=10, top=SAMPLE, gate=EXTEND), land_standin()
    whole = run(suite, url)
    outcome = run(suite, url, limits=budget(180 * CALL_USD))
    with RunWriter.open(outcome.run_path) as writer, open_run(outcome.run_path) as stored:
        record = record_of(stored)
        assert record is not None
        writer.set_meta(RECORD, codec.dumps(replace(record, ended=None, detail="")))
        writer.set_state(RunState.RUNNING)

    resumed = pipeline.resume_run(outcome.run_id, options(url), suite.parent)

    assert went(resumed.evaluation) == went(whole.evaluation)
    assert resumed.evaluation.comparisons == whole.evaluation.comparisons


# ------------------------------------------------------------------------------------------------- refusals


def test_a_run_of_a_fixed_number_of_cases_is_not_topped_up(looked_at, land_standin, snapdrift) -> None:
    suite = looked_at(cases=60, isles=3, top="")
    outcome = run(suite, land_standin()[0])

    refused = snapdrift("resume", outcome.run_id, "--extend", cwd=suite.parent)

    assert refused.returncode == 2
    for said in ("fixed in advance", "optional stopping", "20 to 24 false alarms in 100 instead of 5", "extend"):
        assert said in refused.stderr


@pytest.mark.parametrize(
    ("cases", "isles", "found"), [(200, 100, "is settled after 60 units"), (70, 2, "has asked the whole dataset")]
)
def test_there_is_nothing_to_top_up_for_where_all_is_settled_or_asked(
    looked_at, land_standin, cases, isles, found
) -> None:
    suite, (url, _) = looked_at(cases=cases, isles=isles, top=SAMPLE, gate=EXTEND), land_standin()
    outcome = run(suite, url)
    with pytest.raises(UsageError, match=found):
        pipeline.resume_run(outcome.run_id, options(url, extend=True), suite.parent)


def test_wealth_that_other_graders_would_go_on_with_is_refused(looked_at, land_standin) -> None:
    suite, (url, _) = looked_at(cases=200, isles=10, top=SAMPLE, gate=EXTEND), land_standin()
    outcome = run(suite, url, limits=budget(180 * CALL_USD))
    suite.write_text(suite.read_text().replace('contains: "{{ expected }}"', 'regex: "[a-z]"'))
    pipeline.regrade_run(outcome.run_id, pipeline.RunOptions(), suite.parent)

    with pytest.raises(UsageError, match="graded with another suite than it was asked with"):
        pipeline.resume_run(outcome.run_id, options(url, extend=True), suite.parent)


def test_a_sample_of_everything_leaves_nothing_to_draw(looked_at) -> None:
    suite = looked_at(cases=80, top=SAMPLE, gate=EXTEND)
    with pytest.raises(UsageError, match="--sample 80: found the whole dataset"):
        run(suite, "http://127.0.0.1:9/v1", selection=pipeline.Selection(sample=80))


# ------------------------------------------------------------------------------------------------- plan


def test_plan_says_what_topping_up_costs_in_power_and_at_most(looked_at) -> None:
    (plan,) = pipeline.plan_suites([looked_at(cases=200, top=SAMPLE, gate=EXTEND)], pipeline.RunOptions())

    power, cost = plan.looks
    assert "a drop of 30.0 points with a power of over 99.9% instead of over 99.9% at 60 cases (the sample)" in power
    assert "all 200 cases is expected to cost $0.14 for the answers, at most $0.32" in cost
    assert "200 cases gate it at most, by betting" in plan.sufficiency[0].detail


def test_plan_promises_nothing_of_what_early_stopping_spares(looked_at) -> None:
    (plan,) = pipeline.plan_suites([looked_at(cases=60)], pipeline.RunOptions())

    assert plan.looks == (
        "early stopping: at most all of these calls are made; how many it spares depends on the answers",
    )
