"""What is said of the votes of judges, from the facts that scores keep."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from snapdrift.gradings import VoteAgreement
from snapdrift.model import Gate, MetricSpec, Reason, Results, Score, ScoreKind
from snapdrift.verdicts.asides import votes_sentence
from snapdrift.verdicts.gradings import summarise_gradings

SPEC = MetricSpec("kind", "kind", ScoreKind.PASS_FAIL, judged=True)


def score(case: str, votes: Any, *, variant: str = "base", tie: bool = False, **facts: Any) -> Score:
    kept = {**facts, **({} if votes is None else {"votes": votes})}
    value, reason = (None, Reason.GRADER_ERROR) if tie else (1.0, Reason.PASSED)
    return Score(case, variant, 0, "kind", value, None if tie else True, reason, facts=kept)


def votes_of(make_results: Any, *scores: Score) -> tuple[VoteAgreement, ...]:
    results: Results = make_results({"base": {"kind": [1]}, "cand": {"kind": [1]}}, specs=[SPEC])
    return summarise_gradings(replace(results, scores=scores), Gate("default")).votes


def test_votes_are_counted_by_metric_and_variant(make_results: Any) -> None:
    base, cand = votes_of(
        make_results,
        score("c1", [["yes", "yes", "no"], ["no", "no", "no"]]),
        score("c2", [["yes", "yes", "yes"]]),
        score("c3", [["yes", "no"]], tie=True),
        score("c1", [["no", "no", "no"]], variant="cand"),
    )

    assert (base.variant, base.votes, base.answers, base.unanimous, base.ties) == ("base", 3, 3, 1, 1)
    assert base.agreement == pytest.approx((1 / 3 + 1 + 1 + 0) / 4)
    assert base.alpha is not None
    assert base.alpha < 1
    assert (cand.variant, cand.agreement, cand.alpha) == ("cand", 1.0, None)


@pytest.mark.parametrize("facts", [None, [], [["yes"]], "yes", [[]]])
def test_single_votes_and_facts_of_another_form_are_no_votes(facts: Any, make_results: Any) -> None:
    assert votes_of(make_results, score("c1", facts)) == ()


def test_the_votes_on_another_answer_are_not_counted_twice(make_results: Any) -> None:
    (only,) = votes_of(
        make_results,
        score("c1", [["yes", "yes"]]),
        score("c1", [["yes", "yes"]], variant="cand", verdict_of="base/c1/0"),
    )

    assert (only.variant, only.answers) == ("base", 1)


def test_the_votes_of_the_parts_of_a_composition_are_counted_part_by_part(make_results: Any) -> None:
    def part(name: str, *votes: str, value: float | None = 1.0, **facts: Any) -> dict[str, Any]:
        return {"name": name, "value": value, "facts": {"votes": [list(votes)], **facts} if votes else facts}

    nested = part("either", parts=[part("kind", "yes", "yes", "no")])
    unasked = {"name": "kind", "value": None, "passed": None, "reason": None}
    tone, inner = votes_of(
        make_results,
        score("c1", None, parts=[part("tone", "yes", "yes"), nested]),
        score("c2", None, parts=[part("tone", "yes", "no", value=None), {**unasked}]),
        score("c3", None, parts=[part("tone", "no", "no")], verdict_of="base/c1/0"),
    )

    assert (tone.metric, tone.part, tone.answers, tone.unanimous, tone.ties) == ("kind", "tone", 2, 1, 1)
    assert (inner.judge, inner.answers) == ("kind (either.kind)", 1)
    assert inner.agreement == pytest.approx(1 / 3)
    assert tone.is_head
    assert votes_sentence(tone).startswith("kind (tone), `base`: 2 votes on 2 answers")


def test_the_sentence_says_what_can_be_said() -> None:
    one = VoteAgreement("kind", "base", 3, 1200, 1100, 1, 0.95, 0.81)

    assert votes_sentence(one) == (
        "kind, `base`: 3 votes on 1,200 answers, 1,100 unanimous, 1 tie is unscored; 95.0% of pairs agree, "
        "Krippendorff's alpha 0.81."
    )
    assert votes_sentence(replace(one, ties=0, alpha=None, agreement=1.0)).endswith(
        "1,100 unanimous; 100.0% of pairs agree, Krippendorff's alpha not to be said (all verdicts are the same)."
    )
