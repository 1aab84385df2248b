"""Series over time: what stands beside what, and what is said of moves, flaky cases and noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from snapdrift.conclusions import Control, Decision, Draw, Evaluation, LedgerEntry, MetricSummary, VariantSummary
from snapdrift.model import DecisionWord, Endpoint, Gate, Outcome, Reason, Source, Usage
from snapdrift.stats.intervals import wilson_interval
from snapdrift.verdicts.history import FinishedRun, build_series, find_moves, measured_levels
from snapdrift.verdicts.repeated import CaseScore, RunScores, find_flaky, find_noise

AUGUST, NOVEMBER = "gpt-4o-2024-08-06", "gpt-4o-2024-11-20"
N = 200


def variant(name: str, model: str, resolved: str, source: str = "openai") -> VariantSummary:
    return VariantSummary(
        name, model, Endpoint.RESPONSES, {resolved: N}, N, N, {source: N}, {"ok": N}, 1.0, Usage(), 0.0, 0.0, None, None
    )


def run(
    day: int,
    mean: float = 0.9,
    *,
    resolved: str = AUGUST,
    source: str = "openai",
    draw: str | None = None,
    variants: Sequence[VariantSummary] | None = None,
    controls: tuple[Control, ...] = (),
    **others: Any,
) -> FinishedRun:
    """A run of one variant `alias` (or of `variants`), whose metric `queue` is at `mean` over 200 cases."""
    found = tuple(variants or [variant("alias", "gpt-4o", resolved, source)])
    interval = wilson_interval(round(mean * N), N, 0.9)
    evaluation = Evaluation(
        gate=Gate("default"),
        variants=found,
        metrics=tuple(
            MetricSummary(one.name, "queue", N, mean, (interval.low, interval.high), 0, 0, 0) for one in found
        ),
        comparisons=(),
        operational=(),
        alias_moves=(),
        decision=Decision(DecisionWord.PASSED),
        ledger=tuple(
            LedgerEntry(one.name, one.model, one.resolved_models, sources=tuple(one.sources)) for one in found
        ),
        controls=controls,
        draws=tuple(Draw(one.name, f"{draw or day}{one.name}", N, "", "") for one in found),
    )
    facts = {
        "suite": "triage", "gate": "default", "attempt": 1, "repeats": 1, "cases": "c", "asked": "a", "suite_hash": "s",
        "versions": {"queue": "exact/1"},
    }  # fmt: skip
    return FinishedRun(
        run_id=f"run-{day:02d}",
        started_at=f"2026-11-{day:02d}T03:00:00+00:00",
        evaluation=evaluation,
        **{**facts, **others},
    )


def test_a_series_is_in_the_order_of_time_with_its_intervals() -> None:
    (series,) = build_series([run(2, 0.8), run(1, 0.9)])
    interval = wilson_interval(160, N, 0.9)

    assert [(point.run_id, point.mean) for point in series.points] == [("run-01", 0.9), ("run-02", 0.8)]
    assert (series.points[1].low, series.points[1].high) == (interval.low, interval.high)
    assert (series.model, series.source) == ("gpt-4o", Source.OPENAI)


def test_a_level_of_which_too_little_was_measured_is_none() -> None:
    variants = (variant("alias", "gpt-4o", AUGUST), replace(variant("other", "gpt-4o", AUGUST), coverage=0.07))
    evaluation = run(1, variants=variants).evaluation
    queue = evaluation.metrics[0]
    judged = {"passed": 10, Reason.GRADER_ERROR.value: 190}
    helpful = replace(queue, metric="helpful", endings=judged)
    whole = replace(queue, metric="valid", endings={"passed": 190, "wrong": 8, Outcome.API_ERROR.value: 2})
    found = measured_levels(replace(evaluation, metrics=(*evaluation.metrics, helpful, whole)))
    assert [(level.variant, level.metric) for level in found] == [("alias", "queue"), ("alias", "valid")]


def test_simulated_and_measured_runs_are_never_in_one_series() -> None:
    series = build_series([run(1), run(2, source="simulated"), run(3)])

    assert [(one.source, len(one.points)) for one in series] == [(Source.OPENAI, 2), (Source.SIMULATED, 1)]


def test_other_cases_begin_a_new_series_that_says_so() -> None:
    before, after = build_series([run(1), run(2, cases="more"), run(3, cases="more")])

    assert [point.changed for point in before.points] == [()]
    assert [point.changed for point in after.points] == [("cases",), ()]


def test_scores_of_another_grader_version_stand_in_a_series_of_their_own() -> None:
    _, after = build_series([run(1), run(2, versions={"queue": "exact/2"})])

    assert after.points[0].changed == ("graders",)


def test_a_changed_suite_and_another_model_are_marked_where_they_came() -> None:
    (series,) = build_series([run(1), run(2, suite_hash="t"), run(3, suite_hash="t", resolved=NOVEMBER)])

    assert [point.changed for point in series.points] == [(), ("suite",), ("model",)]


def test_runs_that_rest_on_the_answers_of_an_earlier_one_are_counted_and_left_out() -> None:
    (series,) = build_series([run(1, draw="same"), run(2, draw="same"), run(3)])

    assert [point.run_id for point in series.points] == ["run-01", "run-03"]
    assert series.reused == 1


def test_a_step_is_shown_where_the_level_changed_and_not_in_noise() -> None:
    noise = [0.0, 0.01, -0.01, 0.005, -0.005, 0.0]
    (stepped,) = build_series(
        [run(day + 1, 0.9 + n) for day, n in enumerate(noise)] + [run(day + 7, 0.6 + n) for day, n in enumerate(noise)]
    )
    (level,) = build_series([run(day + 1, 0.9 + n) for day, n in enumerate(noise * 2)])

    assert [step.run_id for step in stepped.steps] == ["run-07"]
    assert stepped.steps[0].before == pytest.approx(0.9)
    assert stepped.steps[0].after == pytest.approx(0.6)
    assert level.steps == ()


def test_an_alias_moves_where_other_models_answered_than_the_time_before() -> None:
    (move,) = find_moves([run(1), run(2), run(3, resolved=NOVEMBER), run(4, resolved=NOVEMBER)])

    assert (move.run_id, move.before, move.now) == ("run-03", (AUGUST,), (NOVEMBER,))


def test_what_a_stand_in_answered_moves_no_alias_of_a_model() -> None:
    assert find_moves([run(1), run(2, resolved=NOVEMBER, source="simulated"), run(3)]) == ()


# ------------------------------------------------------------------------------------------------- asked more than once


def scores_of(table: Mapping[str, Mapping[str, Sequence[bool]]], name: str = "alias") -> Any:
    """Scores by run: for each case its repeats."""

    def read(one: FinishedRun) -> RunScores:
        cases = {case: [CaseScore(float(p), p) for p in passes] for case, passes in table[one.run_id].items()}
        return {(name, "queue"): cases}

    return read


def test_a_case_that_passes_and_fails_in_the_repeats_of_the_newest_run_is_flaky() -> None:
    scores = scores_of({"run-02": {"a": [True] * 5, "b": [True, False, True, True, False]}})
    (case,) = find_flaky([run(1, repeats=5, asked="other"), run(2, repeats=5)], scores)
    interval = wilson_interval(3, 5, 0.9)

    assert (case.case_id, case.passes, case.asked, case.runs) == ("b", 3, 5, 1)
    assert (case.low, case.high) == pytest.approx((interval.low, interval.high))


def test_runs_that_asked_the_same_of_the_same_model_are_repeats_too() -> None:
    scores = scores_of({f"run-0{day}": {"a": [day != 2], "b": [True]} for day in (1, 2, 3)})
    (case,) = find_flaky([run(1), run(2), run(3)], scores)

    assert (case.case_id, case.passes, case.asked, case.runs) == ("a", 2, 3, 3)


def test_a_case_that_fails_on_another_model_is_not_flaky() -> None:
    scores = scores_of({"run-01": {"a": [False]}, "run-02": {"a": [True]}})

    assert find_flaky([run(1, resolved=NOVEMBER), run(2)], scores) == ()


def pinned(day: int, **others: Any) -> FinishedRun:
    return run(day, variants=[variant("pinned", AUGUST, AUGUST)], **others)


def test_the_noise_floor_is_measured_on_a_snapshot_that_was_asked_twice() -> None:
    cases = [f"c{n}" for n in range(100)]
    table = {f"run-0{day}": {case: [(n + day) % 25 != 0] for n, case in enumerate(cases)} for day in (1, 2)}
    (noise,) = find_noise([pinned(1), pinned(2)], scores_of(table, "pinned"))

    assert (noise.comparisons, noise.cases, noise.mean) == (1, 100, 0.0)
    assert noise.discordance == pytest.approx(0.08)
    assert 0.03 < noise.floor < 0.07


def test_no_answers_are_compared_with_themselves_and_no_run_twice() -> None:
    table = {f"run-0{day}": {"a": [True], "b": [day == 1]} for day in (1, 2, 3)}

    assert find_noise([pinned(1, draw="x"), pinned(2, draw="x")], scores_of(table, "pinned")) == ()
    (noise,) = find_noise([pinned(1), pinned(2), pinned(3)], scores_of(table, "pinned"))
    assert noise.comparisons == 1


def test_an_alias_beside_its_snapshot_is_an_a_a_comparison() -> None:
    both = [variant("alias", "gpt-4o", AUGUST), variant("pinned", AUGUST, AUGUST)]
    control = Control("alias", "pinned", "gpt-4o", AUGUST, ())

    def scores(one: FinishedRun) -> RunScores:
        cases = {f"c{n}": n for n in range(50)}
        return {
            ("alias", "queue"): {case: [CaseScore(float(n > 2), n > 2)] for case, n in cases.items()},
            ("pinned", "queue"): {case: [CaseScore(float(n > 0), n > 0)] for case, n in cases.items()},
        }

    (noise,) = find_noise([run(1, variants=both, controls=(control,))], scores)

    assert (noise.comparisons, noise.cases) == (1, 50)
    assert noise.mean == pytest.approx(-0.04)


def test_the_alias_and_another_model_are_no_noise() -> None:
    assert find_noise([run(1, resolved=NOVEMBER), run(2)], scores_of({})) == ()
