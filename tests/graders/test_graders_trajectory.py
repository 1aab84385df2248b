"""`trajectory`: which tools were called over the steps of a call, in which order, in how many requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.graders.base import Grader
from snapdrift.graders.trajectory import Trajectory
from snapdrift.model import CallKey, Case, Outcome, Reason, Response, Score, Step, ToolCall
from snapdrift.suites.registry import InvalidEntryError

Parse = Callable[..., Grader]
Graded = Callable[..., Score]
LOOK, REFUND = ("lookup_order", '{"order": "5521"}'), ("refund", '{"order": "5521"}')
AGAIN, BROKEN = ("lookup_order", '{ "order":"5521" }'), ("lookup_order", '{"order": ')


def response_of(steps: list[list[tuple[str, str]]], outcome: Outcome = Outcome.OK) -> Response:
    """A call whose requests were answered with these tool calls; the last one ends it."""
    made = [tuple(ToolCall(f"{n}-{m}", *call) for m, call in enumerate(step)) for n, step in enumerate(steps)]
    earlier = tuple(Step(number, tool_calls=calls) for number, calls in enumerate(made[:-1]))
    every = tuple(call for calls in made for call in calls)
    return Response(CallKey("c1", "v", 0), outcome, "m", "Done.", tool_calls=every, steps=earlier)


@pytest.fixture
def graded(parse: Parse) -> Graded:
    def score(way: Any, steps: list[list[tuple[str, str]]], outcome: Outcome = Outcome.OK, **settings: Any) -> Score:
        case = Case("c1", expected={"tools": ["lookup_order", "refund"], "none": 3})
        grader = parse({"name": "way", "trajectory": way, **settings}, [case])
        return grader.grade(case, response_of(steps, outcome))[0]

    return score


BOTH = [[LOOK], [REFUND], []]


@pytest.mark.parametrize(
    ("way", "steps", "detail"),
    [
        (["lookup_order", "refund"], BOTH, ""),
        ({"exact": "{{ expected.tools }}"}, BOTH, ""),
        ({"exact": ["lookup_order"]}, BOTH, "expected lookup_order, found lookup_order, refund"),
        ({"exact": []}, [[]], ""),
        ({"exact": []}, [[LOOK]], "expected no call, found lookup_order"),
        ({"exact": ["refund"]}, [[]], "expected refund, found no call"),
        ({"exact": ["lookup_order", "refund"]}, [[LOOK, REFUND], []], ""),
        ({"in_order": ["lookup_order", "refund"]}, [[LOOK], [AGAIN], [REFUND], []], ""),
        (
            {"in_order": ["refund", "lookup_order"]},
            BOTH,
            "expected refund, lookup_order in this order, found lookup_order, refund",
        ),
        ({"any_order": ["refund", "lookup_order"]}, BOTH, ""),
        ({"any_order": ["refund", "refund"]}, BOTH, "never called refund; found lookup_order, refund"),
        ({"steps": {"at_most": 3}}, BOTH, ""),
        ({"steps": {"at_most": 2}}, BOTH, "it took 3 steps, not at most 2"),
        ({"steps": {"at_least": 2, "at_most": 3}}, [[]], "it took 1 step, not at least 2 and at most 3"),
        ({"forbidden": "refund"}, [[LOOK], []], ""),
        ({"forbidden": ["refund", "close"]}, BOTH, "called refund, which is forbidden"),
        ({"no_repeats": True}, BOTH, ""),
        ({"no_repeats": True}, [[LOOK], [AGAIN], []], 'the same call twice: lookup_order({"order":"5521"})'),
        ({"no_repeats": True}, [[BROKEN], [BROKEN], []], 'the same call twice: lookup_order("{\\"order\\": ")'),
        ({"no_repeats": True}, [[BROKEN], [LOOK], []], ""),
    ],
)
def test_a_trajectory_is_as_asked_or_says_how_it_is_not(way: Any, steps: Any, detail: str, graded: Graded) -> None:
    score = graded(way, steps)

    assert (score.passed, score.detail) == (not detail, detail)


def test_everything_that_is_wrong_is_told_and_then_the_calls(graded: Graded) -> None:
    way = {"exact": ["refund"], "steps": {"at_most": 1}, "forbidden": "lookup_order"}

    assert graded(way, BOTH).evidence == (
        "expected refund, found lookup_order, refund",
        "it took 3 steps, not at most 1",
        "called lookup_order, which is forbidden",
        "the calls: lookup_order > refund",
    )


@pytest.mark.parametrize("outcome", [Outcome.STEP_LIMIT, Outcome.TOOL_UNMATCHED])
def test_a_call_that_was_cut_short_is_graded_only_where_that_is_accepted(outcome: Outcome, graded: Graded) -> None:
    way = {"forbidden": ["refund"]}

    assert graded(way, [[LOOK]], outcome).reason is Reason.NOT_ACCEPTED
    assert graded(way, [[LOOK]], outcome, accepts=["ok", outcome.value]).passed


@pytest.mark.parametrize(
    ("way", "message"),
    [
        ({}, "one of exact, in_order, any_order, or `steps`"),
        ({"exact": ["a"], "in_order": ["a"]}, "not exact and in_order"),
        ({"exact": "lookup_order"}, "a list of tool names, or a template"),
        ({"exact": [3]}, "a list of tool names"),
        ({"steps": {}}, "`at_least`, `at_most` or both"),
        ({"steps": {"at_least": 3, "at_most": 2}}, "not above at_most"),
        ({"steps": {"at_most": 0}}, "greater than or equal to 1"),
        ({"exact": ["a"], "forbidden": ["a"]}, "the tool a is expected and forbidden"),
        ({"exact": "{{ expected.none }}"}, "exact is 3, no list of tool names"),
        ({"ordered": ["a"]}, "unknown key 'ordered'"),
    ],
)
def test_a_trajectory_that_makes_no_sense_is_refused(way: Any, message: str, graded: Graded) -> None:
    with pytest.raises(InvalidEntryError, match=message):
        graded(way, [[]])


@given(st.lists(st.sampled_from(["a", "b", "c"]), max_size=5), st.lists(st.sampled_from(["a", "b"]), max_size=3))
def test_what_is_exact_is_in_order_and_what_is_in_order_occurs(made: list[str], wanted: list[str]) -> None:
    response = response_of([[(name, "{}") for name in made]])
    exact, in_order, any_order = (
        Trajectory.model_validate({"name": "t", "trajectory": {order: wanted}}).grade(Case("c1"), response)[0].passed
        for order in ("exact", "in_order", "any_order")
    )

    assert exact is (made == wanted)
    assert not exact or in_order
    assert not in_order or any_order
