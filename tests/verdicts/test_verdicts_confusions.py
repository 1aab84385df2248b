"""Confusion of labels: every answer has its place, and the figures are those of published examples."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.gradings import Confusion
from snapdrift.model import (
    CallKey,
    CallResult,
    Case,
    Endpoint,
    Gate,
    MetricSpec,
    Outcome,
    Reason,
    Results,
    Score,
    ScoreKind,
    Variant,
)
from snapdrift.verdicts.confusions import confusion_of
from snapdrift.verdicts.gradings import summarise_gradings

ABC = MetricSpec("label", "label", ScoreKind.PASS_FAIL, labels=("a", "b", "c"))
NOT_ACCEPTED, UNEXTRACTED = Reason.NOT_ACCEPTED, Reason.UNEXTRACTED
Found = str | Reason | None


def score(expected: str, found: Found, *, case: str = "c1", variant: str = "one", repeat: int = 0) -> Score:
    """`found` is a label, None for a text that is none, or the reason why there is no text."""
    if isinstance(found, Reason):
        facts = {"expected": expected, "found": None}
        value = None if found is Reason.GRADER_ERROR else 0.0
        passed = None if value is None else False
        return Score(case, variant, repeat, "label", value, passed, found, facts=facts)
    right = found == expected
    reason = Reason.PASSED if right else Reason.WRONG
    facts = {"expected": expected, "found": found}
    return Score(case, variant, repeat, "label", float(right), right, reason, facts=facts)


def confusion(pairs: Sequence[tuple[str, Found]]) -> Confusion:
    return confusion_of(ABC, "one", [score(expected, found) for expected, found in pairs])


def test_it_is_the_example_of_scikit_learns_classification_report() -> None:
    # scikit-learn, classification_report, y_true = [0, 1, 2, 2, 2], y_pred = [0, 0, 2, 2, 1].
    found = confusion(list(zip("abccc", "aaccb", strict=True)))

    told = [(one.precision, one.recall, one.f1, one.expected) for one in found.by_label]
    assert told == [
        (0.5, 1.0, pytest.approx(0.67, abs=0.005), 1),
        (0.0, 0.0, 0.0, 1),
        (1.0, pytest.approx(0.67, abs=0.005), pytest.approx(0.80, abs=0.005), 3),
    ]
    assert found.macro_f1 == pytest.approx(0.49, abs=0.005)


def test_it_is_the_example_of_scikit_learns_f1_score() -> None:
    # scikit-learn, f1_score, y_true = [0, 1, 2, 0, 1, 2], y_pred = [0, 2, 1, 0, 0, 1]: [0.8, 0, 0], macro 0.26...
    found = confusion(list(zip("abcabc", "acbaab", strict=True)))

    assert [one.f1 for one in found.by_label] == [pytest.approx(0.8), 0.0, 0.0]
    assert found.macro_f1 == pytest.approx(0.8 / 3)


def test_answers_without_a_label_count_against_recall_and_not_against_precision() -> None:
    found = confusion([("a", "a"), ("a", "a"), ("a", None), ("a", NOT_ACCEPTED), ("a", UNEXTRACTED), ("b", "b")])

    a = found.by_label[0]
    assert (found.counts[0], found.outside, found.unanswered) == ((2, 0, 0), (1, 0, 0), (2, 0, 0))
    assert (a.precision, a.recall) == (1.0, 0.4)
    assert a.f1 == pytest.approx(4 / 7)


def test_a_label_that_no_case_expects_is_not_in_the_mean_and_has_no_recall() -> None:
    found = confusion([("a", "a"), ("b", "b"), ("b", "c")])

    assert found.by_label[2].recall is None
    assert found.by_label[2].f1 == 0.0
    assert found.macro_f1 == pytest.approx((1 + 2 / 3) / 2)


def test_a_label_that_nobody_names_has_no_precision_and_an_f1_of_zero_where_it_was_expected() -> None:
    found = confusion([("a", "b"), ("b", "b")])

    assert (found.by_label[0].precision, found.by_label[0].f1) == (None, 0.0)
    assert (found.by_label[2].precision, found.by_label[2].f1) == (None, None)


ANSWERS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["a", "b", "c", None, NOT_ACCEPTED, UNEXTRACTED])), min_size=1
)


@given(ANSWERS)
def test_every_answer_is_in_exactly_one_cell_and_the_right_ones_on_the_diagonal(
    pairs: list[tuple[str, Found]],
) -> None:
    found = confusion(pairs)

    assert sum(map(sum, found.counts)) + sum(found.outside) + sum(found.unanswered) == len(pairs)
    assert sum(found.counts[place][place] for place in range(3)) == sum(x == y for x, y in pairs)
    assert [one.expected for one in found.by_label] == [sum(x == label for x, _ in pairs) for label in "abc"]


@given(ANSWERS)
def test_f1_is_the_harmonic_mean_of_precision_and_recall(pairs: list[tuple[str, Found]]) -> None:
    for one in confusion(pairs).by_label:
        if one.precision and one.recall:
            assert one.f1 == pytest.approx(2 / (1 / one.precision + 1 / one.recall))


def results(scores: Sequence[Score], outcomes: dict[tuple[str, int], Outcome]) -> Results:
    calls = {CallKey(case, "one", repeat): CallResult(outcome) for (case, repeat), outcome in outcomes.items()}
    cases = tuple(Case(case) for case in dict.fromkeys(case for case, _ in outcomes))
    variant = Variant("one", "gpt-4o-2024-08-06", Endpoint.RESPONSES, {}, {})
    plain = MetricSpec("other", "other", ScoreKind.PASS_FAIL)
    applicable = {"label": frozenset(case.id for case in cases), "other": frozenset()}
    return Results(cases, (variant,), 2, (plain, ABC), calls, tuple(scores), applicable)


def test_repeats_count_one_by_one_and_what_has_no_score_is_counted_apart() -> None:
    scores = [
        score("a", "a", case="c1", repeat=0),
        score("a", "b", case="c1", repeat=1),
        score("b", Reason.GRADER_ERROR, case="c2", repeat=0),
    ]
    outcomes = {
        ("c1", 0): Outcome.OK,
        ("c1", 1): Outcome.OK,
        ("c2", 0): Outcome.OK,
        ("c2", 1): Outcome.API_ERROR,
        ("c3", 0): Outcome.NOT_NEEDED,
    }

    (found,) = summarise_gradings(results(scores, outcomes), Gate("default")).confusions

    assert (found.counts[0], found.by_label[1].expected, found.ungraded) == ((1, 1, 0), 0, 2)


def test_a_metric_without_labels_and_a_variant_without_scores_have_none() -> None:
    assert summarise_gradings(results([], {("c1", 0): Outcome.API_ERROR}), Gate("default")).confusions == ()
