from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from snapdrift.conclusions import AliasMove, Comparison, Decision, Evaluation, PairTable, VarianceParts
from snapdrift.model import DecisionWord, Gate, MetricSpec, Policy, ScoreKind, Severity, Verdict
from snapdrift.verdicts import words

STARS = MetricSpec("tone", "tone", ScoreKind.GRADED, unit="of 5", scale=(1.0, 5.0))
COMPARISON = Comparison(
    metric="queue",
    baseline="august",
    candidate="mini",
    severity=Severity.FAIL,
    gating=True,
    n=1319,
    baseline_mean=0.962,
    candidate_mean=0.942,
    difference=-0.0197,
    ci=(-0.03, -0.0104),
    p_value=0.00055,
    p_two_sided=0.0011,
    p_mid=0.0005,
    p_better=0.9998,
    p_adjusted=0.0011,
    p_no_worse=0.97,
    method="mcnemar_exact",
    margin=0.01,
    confidence=0.95,
    verdict=Verdict.REGRESSED,
    table=PairTable(1229, 40, 14, 36),
    detectable_difference=0.06,
    newly_failing=tuple(f"f{i}" for i in range(40)),
    newly_passing=tuple(f"p{i}" for i in range(14)),
)

PARTS = VarianceParts(5.0, 0.01, 0.02, 0.3, False, 0.006, 0.005, 0.004, 0.0045, 0.0055, "cases")


def said(**changes: Any) -> str:
    return words.comparison_sentence(replace(COMPARISON, **changes))


def test_a_regression_says_who_against_whom_on_what_how_much_and_how_sure() -> None:
    figures = "-2.0 points [-3.0, -1.0], Holm-adjusted p = 0.0011; 40 cases newly fail, 14 newly pass"
    assert said() == f"`mini` is worse than `august` on queue: {figures}."


def test_a_regression_that_does_not_gate_has_the_plain_p() -> None:
    assert "one-sided p = 0.0006" in said(gating=False)


def test_one_case_reads_as_one() -> None:
    assert "1 case newly fails, 1 newly passes" in said(newly_failing=("a",), newly_passing=("b",))


@pytest.mark.parametrize("verdict", [Verdict.REGRESSED, Verdict.WORSE_WITHIN_MARGIN, Verdict.IMPROVED])
def test_repeated_metrics_say_what_newly_failing_means(verdict: Verdict) -> None:
    meaning = "(a case passes where most of its answers do; the difference counts smaller changes too)"
    found = said(verdict=verdict, table=None, variance=PARTS)
    assert found.endswith(f"40 cases newly fail, 14 newly pass {meaning}.")


def test_graded_metrics_of_one_answer_a_case_speak_of_no_other_answers() -> None:
    meaning = "(the difference counts smaller changes too)"
    assert said(table=None).endswith(f"40 cases newly fail, 14 newly pass {meaning}.")


def test_worse_within_the_margin_names_the_margin() -> None:
    assert said(verdict=Verdict.WORSE_WITHIN_MARGIN, margin=0.03).startswith(
        "`mini` is worse than `august` on queue, by no more than the margin of 3.0 points: -2.0 points"
    )


def test_better_shows_the_p_for_better() -> None:
    found = said(verdict=Verdict.IMPROVED, difference=0.02, ci=(0.01, 0.03), p_better=0.002)
    assert found.startswith("`mini` is better than `august` on queue: +2.0 points [+1.0, +3.0], one-sided p = 0.0020")


def test_no_worse_shows_the_margin_and_the_p_for_it() -> None:
    found = said(verdict=Verdict.NO_WORSE, difference=0.0, ci=(-0.01, 0.01), p_no_worse=0.00001)
    figures = "0.0 points [-1.0, +1.0], one-sided p < 0.0001"
    assert found == f"`mini` is no worse than `august` on queue by a margin of 1.0 points: {figures}."


def test_inconclusive_says_how_many_cases_would_settle_it() -> None:
    found = said(verdict=Verdict.INCONCLUSIVE, n=199, cases_to_resolve=1310)
    figures = "-2.0 points [-3.0, -1.0] over 199 cases"
    more = "about 1,310 cases in all (1,111 more) would settle it if it stays as seen"
    assert found == f"`mini` against `august` on queue is inconclusive: {figures}; {more}."


def test_inconclusive_that_cannot_be_resolved_says_so() -> None:
    assert "cannot be resolved" in said(verdict=Verdict.INCONCLUSIVE)


def test_a_pair_of_which_nothing_was_scored_was_not_compared() -> None:
    found = said(verdict=Verdict.INSUFFICIENT, n=0, difference=None, ci=None, unmeasured=20)
    reason = "no case was scored on both sides (20 cases unmeasured)"
    assert found == f"`mini` was not compared with `august` on queue: {reason}."


def test_insufficient_says_that_there_are_too_few_cases() -> None:
    assert "3 cases are too few" in said(verdict=Verdict.INSUFFICIENT, n=3)


@pytest.mark.parametrize("verdict", list(Verdict))
def test_every_verdict_makes_a_whole_sentence(verdict: Verdict) -> None:
    found = said(verdict=verdict)
    assert found.endswith(".")
    assert "None" not in found
    assert words.VERDICT_WORDS[verdict]


@pytest.mark.parametrize(
    ("value", "text"), [(-0.0197, "-2.0"), (0.0, "0.0"), (0.0004, "0.0"), (-0.0004, "0.0"), (0.0449, "+4.5")]
)
def test_differences_read_in_signed_points_with_one_decimal(value: float, text: str) -> None:
    assert words.points(value) == text


def test_a_metric_with_its_own_scale_reads_in_its_own_unit() -> None:
    assert words.difference_text(replace(COMPARISON, difference=0.025, ci=(-0.05, 0.1)), STARS) == (
        "+0.10 of 5 [-0.20, +0.40]"
    )


def test_a_difference_without_an_interval_stands_alone() -> None:
    assert words.difference_text(replace(COMPARISON, ci=None)) == "-2.0 points"


def test_no_difference_is_said_in_words() -> None:
    assert words.difference_text(replace(COMPARISON, difference=None)) == "no difference measured"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0011, "p = 0.0011"),
        (1e-9, "p < 0.0001"),
        (0.000099, "p < 0.0001"),
        (0.0001, "p = 0.0001"),
        (None, "p unknown"),
    ],
)
def test_p_values_are_never_written_as_zero(value: float | None, text: str) -> None:
    assert words.p_text(value) == text


@pytest.mark.parametrize(
    ("share", "text"), [(1.0, "100.0%"), (0.9997, "99.970%"), (0.0002, "0.020%"), (0.0, "0.0%"), (0.985, "98.5%")]
)
def test_a_share_is_never_rounded_to_all_or_none(share: float, text: str) -> None:
    assert words.percent(share) == text


def test_a_share_is_never_rounded_to_the_one_beside_it() -> None:
    assert words.percent(0.9796, beside=0.98) == "97.960%"


def test_long_lists_are_cut_and_counted() -> None:
    assert words.quoted(list("abcdefg")) == "`a`, `b`, `c`, `d`, `e` and 2 more"


def test_an_alias_that_answered_as_two_models_is_said_to_have() -> None:
    move = AliasMove("alias", "gpt-4o", (), ("gpt-4o-2024-08-06", "gpt-4o-2024-11-20"))
    assert words.alias_sentence(move) == (
        "`alias` (gpt-4o) answered as more than one model within the run: gpt-4o-2024-08-06, gpt-4o-2024-11-20."
    )


def evaluation(decision: Decision, *comparisons: Comparison, policy: Policy = Policy.CATCH) -> Evaluation:
    return Evaluation(Gate("default", policy=policy), (), (), comparisons, (), (), decision)


@pytest.mark.parametrize(
    "word", [DecisionWord.REGRESSION, DecisionWord.INCOMPLETE, DecisionWord.INCONCLUSIVE, DecisionWord.NOT_GATED]
)
def test_the_headline_of_what_did_not_pass_is_its_first_reason(word: DecisionWord) -> None:
    assert words.headline(evaluation(Decision(word, ("First.", "Second.")), COMPARISON)) == "First."


def test_the_headline_of_a_catch_pass_says_what_it_would_have_missed() -> None:
    decision = Decision(DecisionWord.PASSED, would_miss={"queue": 0.06, "valid": 0.04})
    unclear = replace(COMPARISON, verdict=Verdict.INCONCLUSIVE)
    assert words.headline(evaluation(decision, unclear, replace(unclear, metric="valid"))) == (
        "No regression shown: `mini` against `august` on queue, valid; "
        "it would not have seen drops under 6.0 points on queue."
    )


def test_the_headline_names_all_metrics_that_miss_as_much() -> None:
    decision = Decision(DecisionWord.PASSED, would_miss={"queue": 0.06, "valid": 0.04, "tone": 0.06004})
    unclear = replace(COMPARISON, verdict=Verdict.INCONCLUSIVE)
    found = words.headline(evaluation(decision, unclear))
    assert found.endswith("; it would not have seen drops under 6.0 points on queue, tone.")


def test_the_headline_names_what_each_unit_misses_most() -> None:
    preferred = MetricSpec("better", "better", ScoreKind.GRADED, unit="in preference", pairwise=True)
    decision = Decision(DecisionWord.PASSED, would_miss={"better": 0.244, "polite": 0.234, "valid": 0.04})
    found = words.headline(
        evaluation(decision, replace(COMPARISON, verdict=Verdict.INCONCLUSIVE)), {"better": preferred}
    )
    assert found.endswith(
        "not have seen drops under 0.24 in preference on better, nor drops under 23.4 points on polite."
    )


def test_the_headline_calls_the_worse_of_what_less_is_better_of_a_rise() -> None:
    less = {"invented": MetricSpec("invented", "invented", ScoreKind.GRADED, higher_is_better=False)}
    unclear = replace(COMPARISON, verdict=Verdict.INCONCLUSIVE)

    def ends(**missed: float) -> str:
        decision = Decision(DecisionWord.PASSED, would_miss=missed)
        return words.headline(evaluation(decision, unclear), less).rpartition("seen ")[2]

    assert ends(invented=0.06) == "rises under 6.0 points on invented."
    assert ends(invented=0.06, queue=0.06) == "drops under 6.0 points on invented, queue."


def test_the_headline_says_when_more_results_differ_than_was_assumed() -> None:
    unclear = replace(COMPARISON, verdict=Verdict.INCONCLUSIVE, table=PairTable(60, 15, 15, 10))
    found = words.headline(evaluation(Decision(DecisionWord.PASSED, would_miss={"queue": 0.14}), unclear))
    seen = "drops under 14.0 points on queue (30.0% of results differ, 15.0% were assumed)"
    assert found.endswith(f"; it would not have seen {seen}.")


def test_graded_results_that_differ_more_than_assumed_are_said_as_if_they_were_passes() -> None:
    found = words.sight_sentence(replace(COMPARISON, table=None, detectable_difference=None), 0.3, 0.15)
    differ = "results differ as if 30.0% had changed sides, more than the 15.0% assumed"
    assert found == f"`mini` against `august` on queue: {differ}; no drop of any size would have been seen."


def test_the_headline_of_what_was_proved_says_so() -> None:
    shown = replace(COMPARISON, verdict=Verdict.NO_WORSE)
    found = words.headline(evaluation(Decision(DecisionWord.PASSED), shown, policy=Policy.PROVE))
    assert found == "Shown to be no worse than the margin allows: `mini` against `august` on queue."


def test_the_headline_of_limits_alone_says_that_they_hold() -> None:
    found = words.headline(evaluation(Decision(DecisionWord.PASSED)))
    assert found == "Everything that the gate `default` asks for holds."
