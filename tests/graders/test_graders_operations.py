"""Graders of the call itself: bounds on what is known of it, and errors where it is not known."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snapdrift.graders.base import Grader
from snapdrift.model import Case, Outcome, Reason, Response, ScoreKind, Usage
from snapdrift.suites.registry import InvalidEntryError

Parse = Callable[..., Grader]
Answered = Callable[..., Response]

CASE = Case("c1")
CACHED = "50.0% of the input was cached"


@pytest.mark.parametrize(
    ("entry", "told", "passed", "figure", "detail"),
    [
        ({"latency": 2.5}, {"latency_ms": 2500.0}, True, 2.5, "2.50 s, within 2.5 s"),
        ({"latency": 2.5}, {"latency_ms": 2501.0}, False, 2.501, "2.50 s, over 2.5 s"),
        ({"first_token": 0.5}, {"first_token_ms": 120.0}, True, 0.12, "0.12 s, within 0.5 s"),
        ({"first_token": 0.1}, {"first_token_ms": 120.0}, False, 0.12, "0.12 s, over 0.1 s"),
        ({"cost": 0.01}, {"usd": 0.0}, True, 0.0, "$0, within $0.01"),
        ({"cost": 0.01}, {"usd": 0.012}, False, 0.012, "$0.012, over $0.01"),
        ({"output_tokens": 20}, {"usage": Usage(5, 0, 20)}, True, 20, "20 tokens, within 20"),
        ({"output_tokens": 19}, {"usage": Usage(5, 0, 20)}, False, 20, "20 tokens, over 19"),
        ({"finish_reason": "stop"}, {"finish_reason": "stop"}, True, "stop", ""),
        (
            {"finish_reason": ["stop", "completed"]}, {"finish_reason": "length"}, False, "length",
            'expected "stop" or "completed", found "length"',
        ),
        ({"cached_share": 0.5}, {"usage": Usage(200, 100, 1)}, True, 0.5, CACHED + ", at least 50.0%"),
        ({"cached_share": 0.6}, {"usage": Usage(200, 100, 1)}, False, 0.5, CACHED + ", under 60.0%"),
    ],
)  # fmt: skip
def test_a_figure_is_compared_with_its_bound_and_shown(
    entry: dict[str, Any], told: dict[str, Any], passed: bool, figure: Any, detail: str, parse: Parse, answer: Answered
) -> None:
    (score,) = parse(entry).grade(CASE, answer("yes", **told))

    assert (score.passed, score.extracted, score.detail) == (passed, figure, detail)


@pytest.mark.parametrize(
    ("entry", "told", "said"),
    [
        ({"latency": 2.5}, {}, "no latency"),
        ({"latency": 2.5}, {"latency_ms": 0.0, "batched": True}, "Batch API"),
        ({"first_token": 0.5}, {"latency_ms": 900.0}, "was not streamed"),
        ({"first_token": 0.5}, {"first_token_ms": 1.0, "batched": True}, "Batch API"),
        ({"cost": 0.01}, {"usd": None}, "no price"),
        ({"output_tokens": 20}, {}, "reports no tokens"),
        ({"finish_reason": "stop"}, {}, "does not say why it ended"),
        ({"cached_share": 0.5}, {}, "no input tokens"),
        ({"cached_share": "graded"}, {"usage": Usage(0, 0, 3)}, "no input tokens"),
    ],
)
def test_a_figure_that_is_not_known_is_a_grader_error_that_says_why(
    entry: dict[str, Any], told: dict[str, Any], said: str, parse: Parse, answer: Answered
) -> None:
    (score,) = parse(entry).grade(CASE, answer("yes", **told))

    assert (score.value, score.reason) == (None, Reason.GRADER_ERROR)
    assert said in score.detail


def test_a_call_is_graded_however_the_model_ended_it(parse: Parse, answer: Answered) -> None:
    made = parse({"latency": 2.5})
    ended = [outcome for outcome in Outcome if outcome.measured]

    assert [made.grade(CASE, answer("", outcome, latency_ms=10.0))[0].passed for outcome in ended] == [True] * len(
        ended
    )


def test_the_cached_share_without_a_bound_is_a_graded_metric(parse: Parse, answer: Answered) -> None:
    made = parse({"cached_share": "graded"})

    scores = [made.grade(CASE, answer("", usage=Usage(400, cached, 1)))[0] for cached in (300, 0)]

    assert [(score.value, score.passed) for score in scores] == [(0.75, True), (0.0, False)]
    assert (made.metrics[0].kind, parse({"cached_share": 0.5}).metrics[0].kind) == (
        ScoreKind.GRADED,
        ScoreKind.PASS_FAIL,
    )


def test_families_named_as_measures_of_every_run_have_names_of_their_own(parse: Parse) -> None:
    named = [parse({family: 1}).name for family in ("cost", "output_tokens")]

    assert named == ["within_cost", "within_output_tokens"]
    with pytest.raises(InvalidEntryError, match="a metric that every run has"):
        parse({"name": "cost", "cost": 1})


@pytest.mark.parametrize(
    "entry",
    [
        {"latency": 0}, {"latency": "2.5"}, {"latency": True}, {"first_token": -1}, {"cost": math.inf},
        {"cost": math.nan}, {"cost": 1e300},
        {"output_tokens": 1.5}, {"output_tokens": 0}, {"finish_reason": []}, {"finish_reason": 3},
        {"cached_share": 1.5}, {"cached_share": "all"}, {"latency": 1, "extract": "last_line"},
    ],
    ids=str,
)  # fmt: skip
def test_a_bound_that_is_none_is_refused(entry: dict[str, Any], parse: Parse) -> None:
    with pytest.raises(InvalidEntryError):
        parse(entry)


def test_a_cost_beyond_what_can_be_counted_is_told_the_most_that_can(parse: Parse) -> None:
    with pytest.raises(InvalidEntryError) as caught:
        parse({"cost": 1e300})
    assert "expected at most 1,000,000,000" in str(caught.value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bound=st.floats(0.001, 1e6), taken=st.floats(0, 1e9), more=st.floats(0, 1e6))
def test_a_looser_bound_never_fails_what_a_tighter_one_passes(
    bound: float, taken: float, more: float, parse: Parse, answer: Answered
) -> None:
    tight, loose = (parse({"latency": seconds}) for seconds in (bound, bound + more))
    response = answer("", latency_ms=taken)

    assert bool(tight.grade(CASE, response)[0].passed) <= bool(loose.grade(CASE, response)[0].passed)
