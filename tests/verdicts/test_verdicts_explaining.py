"""Which comparisons are explained, what is looked for in each, and what of it reaches the decision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from snapdrift.conclusions import Evaluation
from snapdrift.explanations import Explanation
from snapdrift.model import (
    CallKey,
    CallResult,
    FormatCause,
    Gate,
    MetricGate,
    MetricSpec,
    Outcome,
    Reading,
    Reason,
    Results,
    Score,
    ScoreKind,
    Verdict,
)
from snapdrift.store import codec
from snapdrift.verdicts import RunFacts, evaluate
from snapdrift.verdicts.answers import Tolerant
from snapdrift.verdicts.causes import CAUSE_WORDS, CONTENT, case_sentence, gain_sentence, why_sentence

MakeResults = Callable[..., Results]
MakeGate = Callable[..., Gate]
FENCED = Reading(1.0, passed=True, cause=FormatCause.CODE_FENCE)


def nothing_more(score: Score) -> Reading | None:
    del score
    return None


def fences(results: Results, variant: str, count: int) -> tuple[Results, Tolerant]:
    """The first answers of a variant in fences that nothing but a tolerant reading gets past."""
    hit = {f"c{number}" for number in range(count)}

    def is_hit(score: Score) -> bool:
        return score.variant == variant and score.case_id in hit

    broken = {"value": 0.0, "passed": False, "reason": Reason.INVALID_JSON, "detail": "not JSON"}
    scores = tuple(replace(score, **broken) if is_hit(score) else score for score in results.scores)  # type: ignore[arg-type]
    return replace(results, scores=scores), lambda score: FENCED if is_hit(score) else None


def pair(make_results: MakeResults, before: list[int], after: list[int], **more: object) -> Results:
    return make_results({"base": {"right": before}, "cand": {"right": after}}, **more)


def only(evaluation: Evaluation) -> Explanation:
    (one,) = evaluation.attributions
    return one


def test_without_a_tolerant_reading_nothing_is_explained(make_results: MakeResults, make_gate: MakeGate) -> None:
    results = pair(make_results, [1] * 60, [0] * 20 + [1] * 40)
    assert evaluate(results, make_gate(), RunFacts()).attributions == ()


def test_explaining_changes_no_verdict_and_no_exit_code(make_results: MakeResults, make_gate: MakeGate) -> None:
    results, tolerant = fences(pair(make_results, [1] * 60, [1] * 60), "cand", 20)
    plain, explained = (evaluate(results, make_gate(), RunFacts(), one) for one in (None, tolerant))
    assert plain.comparisons == explained.comparisons
    assert plain.decision == explained.decision
    assert only(explained).attribution.format == pytest.approx(-1 / 3)


@pytest.mark.parametrize("margin", [0.03, None])
def test_every_shown_regression_is_explained_whether_it_gates_or_not(
    margin: float | None, make_results: MakeResults, make_gate: MakeGate
) -> None:
    results = pair(make_results, [1] * 60, [0] * 20 + [1] * 40)
    found = evaluate(results, make_gate(margin=margin), RunFacts(), nothing_more)
    assert found.comparisons[0].verdict is Verdict.REGRESSED
    assert len(only(found).attribution.content_part.worse) == 20
    assert only(found).groups[0].calls == 20


def test_agreement_has_nothing_to_explain(make_results: MakeResults, make_gate: MakeGate) -> None:
    results = pair(make_results, [1] * 60, [1] * 60)
    assert evaluate(results, make_gate(), RunFacts(), nothing_more).attributions == ()


def test_cases_that_newly_fail_are_attributed_where_nothing_is_shown(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    results = pair(make_results, [0, 0, *[1] * 98], [1, 1, 0, *[1] * 97])
    found = evaluate(results, make_gate(margin=0.1), RunFacts(), nothing_more)
    assert found.comparisons[0].verdict is Verdict.NO_WORSE
    one = only(found)
    assert one.attribution.content_part.worse == ("c2",)
    assert (one.slices.slices, one.groups) == ((), ())


def test_a_metric_that_the_gate_does_not_ask_about_is_explained_only_where_something_is_shown(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    results = pair(make_results, [1] * 60, [0, *[1] * 59])
    assert evaluate(results, make_gate(margin=None), RunFacts(), nothing_more).attributions == ()


def test_an_improvement_concentrates_where_it_gained(make_results: MakeResults, make_gate: MakeGate) -> None:
    tags = {number: ("german",) if number < 20 else ("english",) for number in range(60)}
    results = pair(make_results, [0] * 15 + [1] * 45, [1] * 60, tags=tags)
    found = evaluate(results, make_gate(), RunFacts(), nothing_more)
    assert found.comparisons[0].verdict is Verdict.IMPROVED
    german = only(found).slices.slices[0]
    assert (german.tags, german.concentrated) == (("german",), True)
    assert (german.difference, german.rest) == (0.75, 0.0)
    assert (german.baseline_mean, german.candidate_mean) == (0.25, 1.0)
    assert german.ci is not None
    assert german.ci[0] < 0.75 < german.ci[1]
    assert set(german.moved) == {f"c{number}" for number in range(15)}


def test_a_metric_that_improves_because_calls_were_written_out_is_a_warning_and_no_exit_code(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    results = pair(make_results, [0] * 15 + [1] * 45, [1] * 60)
    as_text = Reading(0.0, passed=False, cause=FormatCause.TOOL_CALL_AS_TEXT)

    def tolerant(score: Score) -> Reading | None:
        return as_text if score.variant == "cand" and int(score.case_id[1:]) < 12 else None

    found = evaluate(results, make_gate(), RunFacts(), tolerant)
    assert found.decision.exit_code == 0
    (warning,) = (text for text in found.decision.warnings if "answers broke" in text)
    assert warning.startswith(
        "`right` improves on `cand` because answers broke: 20.0 of 25.0 points come from 12 cases"
    )
    assert "`c0`, `c1`" in warning


def test_a_metric_that_improves_for_good_is_no_warning(make_results: MakeResults, make_gate: MakeGate) -> None:
    results = pair(make_results, [0] * 15 + [1] * 45, [1] * 60)
    warnings = evaluate(results, make_gate(), RunFacts(), nothing_more).decision.warnings
    assert [text for text in warnings if "answers broke" in text] == []


def test_a_refusal_that_the_improved_metric_wants_is_not_broken_though_another_cannot_judge_it(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    before, after = [0] * 15 + [1] * 45, [1] * 60
    refused = {CallKey(f"c{number}", "cand", 0): CallResult(Outcome.REFUSED) for number in range(15)}
    sides = {"base": {"right": before, "helpful": [1] * 60}, "cand": {"right": after, "helpful": [1] * 60}}
    results = make_results(sides, calls=refused)
    hit = {key.case_id for key in refused}
    unjudged = {"value": 0.0, "passed": False, "reason": Reason.NOT_ACCEPTED}
    scores = tuple(
        replace(s, **unjudged) if s.metric == "helpful" and s.variant == "cand" and s.case_id in hit else s  # type: ignore[arg-type]
        for s in results.scores
    )
    found = evaluate(replace(results, scores=scores), make_gate(), RunFacts(), nothing_more)
    (right,) = (one for one in found.attributions if one.attribution.metric == "right")
    assert right.attribution.difference == 0.25
    assert right.attribution.improved_by_breaking is None


def test_explanations_survive_the_run_file(make_results: MakeResults, make_gate: MakeGate) -> None:
    tags = dict.fromkeys(range(20), ("german",))
    results, tolerant = fences(pair(make_results, [1] * 60, [1] * 50 + [0] * 10, tags=tags), "cand", 20)
    evaluation = evaluate(results, make_gate(), RunFacts(), tolerant)
    assert only(evaluation).slices.slices
    assert only(evaluation).groups
    assert codec.loads(Evaluation, codec.dumps(evaluation)) == evaluation


# --------------------------------------------------------------------------------------------------------------- words


def test_the_sentence_names_format_causes_content_and_where_it_concentrates(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    tags = dict.fromkeys(range(20), ("german",))
    results, tolerant = fences(pair(make_results, [1] * 60, [1] * 58 + [0] * 2, tags=tags), "cand", 20)
    sentence = why_sentence(only(evaluate(results, make_gate(), RunFacts(), tolerant)))
    assert sentence.startswith("`cand` against `base` on right: format -33.3 points [")
    assert "(code fence in 20 cases), content -3.3 points [" in sentence
    assert "(2 cases worse); it concentrates in german (-100.0, elsewhere -5.0) (exploratory)." in sentence


def test_a_metric_with_a_unit_of_its_own_is_explained_in_it(make_results: MakeResults, make_gate: MakeGate) -> None:
    spec = MetricSpec("right", "right", ScoreKind.GRADED, unit="stars", scale=(1.0, 5.0))
    results = make_results({"base": {"right": [0.75] * 60}, "cand": {"right": [0.5] * 60}}, specs=[spec])
    gate = make_gate(metrics=[MetricGate("right", 0.05)])
    sentence = why_sentence(only(evaluate(results, gate, RunFacts(), nothing_more)), spec)
    assert sentence.endswith("on right: content -1.00 stars (60 cases worse), no format.")


def test_every_cause_has_a_word_and_a_sentence_for_a_case_each_way() -> None:
    codes = [CONTENT, *FormatCause]
    assert set(CAUSE_WORDS) == set(codes)
    told = {case_sentence(code, graded=graded) for code in codes for graded in (False, True)}
    told |= {gain_sentence(code) for code in codes}
    assert all("{" not in sentence and sentence for sentence in told)
    fence = case_sentence(FormatCause.CODE_FENCE, graded=False)
    assert fence == "not in the form asked for: one code fence around it; the same answer passes when the fence goes"
