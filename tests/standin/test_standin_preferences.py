"""Simulated judges of two answers: the better one by a visible rule, or the first by a rate."""

from __future__ import annotations

import json
from typing import Any

import pytest

from snapdrift.standin.behaviours import Behaviour
from snapdrift.standin.judging import REASON, verdict_for

LONG = "Your parcel arrives tomorrow before noon, and the shipping is refunded."
SHORT = "Your parcel arrives tomorrow."
POOR = "No."
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "reason": {"type": "string"},
        "verdict": {"type": "string", "enum": ["first", "second", "tie"]},
    },
    "required": ["reason", "verdict"],
    "additionalProperties": False,
}


def said(first: str, second: str, key: tuple[object, ...] = (7, "c1", "model"), **numbers: float) -> str:
    text = "\n".join(
        f"<{tag}>\n{json.dumps(answer)}\n</{tag}>"
        for tag, answer in (("first_answer", first), ("second_answer", second))
    )
    behaviour = Behaviour.model_validate({"judge_first": 0.0, "judge_prefers": 1.0, **numbers})
    verdict = verdict_for(SCHEMA, f"<question>\nWhere?\n</question>\n{text}", behaviour, None, key)
    assert verdict is not None
    assert verdict["reason"] == REASON
    return str(verdict["verdict"])


@pytest.mark.parametrize(
    ("better", "worse"), [(LONG, SHORT), (LONG, POOR), (SHORT, POOR), (LONG, "I'm sorry, I can't.")]
)
def test_the_longer_answer_wins_in_either_order_and_a_poor_one_loses(better: str, worse: str) -> None:
    assert (said(better, worse), said(worse, better)) == ("first", "second")


def test_answers_of_one_length_tie_and_so_does_what_is_not_preferred() -> None:
    assert said("a" * 40, "b" * 40) == "tie"
    assert said(LONG, SHORT, judge_prefers=0.0) == "tie"


def test_a_judge_with_position_bias_says_first_whatever_it_sees() -> None:
    assert {said(one, two, judge_first=1.0) for one in (LONG, POOR) for two in (SHORT, POOR)} == {"first"}


def test_the_rates_are_kept_and_only_position_bias_makes_the_orders_disagree() -> None:
    pairs = [(f"{LONG} {i}.", f"{SHORT} {i}.") for i in range(400)]
    # What else a request is drawn by differs between the orders: its text is another.
    both = [
        (said(a, b, (7, i, "forward"), judge_prefers=0.3), said(b, a, (7, i, "backward"), judge_prefers=0.3))
        for i, (a, b) in enumerate(pairs)
    ]
    biased = [said(b, a, (7, i), judge_first=0.2) for i, (a, b) in enumerate(pairs)]

    assert set(both) == {("first", "second"), ("tie", "tie")}
    assert sum(one == "first" for one, _ in both) / 400 == pytest.approx(0.3, abs=0.08)
    assert biased.count("first") / 400 == pytest.approx(0.2, abs=0.08)
