"""Rubrics in our words for what several tools ask of a judge."""

from __future__ import annotations

from typing import Any

_CRITERIA = (
    "Compare the facts of the answer with those of this expert answer; style, grammar and punctuation do not matter:",
    (
        "Say `same` where both state the same facts, `subset` where the answer states only some of them and nothing "
        "against them, `superset` where it states all of them and more, `immaterial` where they differ in what does "
        "not matter to the facts, and `disagrees` where they contradict each other."
    ),
)
_LABELS = ("same", "subset", "superset", "immaterial", "disagrees")
_PASSES = ("same", "subset", "superset", "immaterial")


def factuality(expected: Any) -> dict[str, Any]:
    """A rubric, without its model, of how an answer's facts relate to an expected one's; `expected` is a criterion."""
    first, second = _CRITERIA
    return {
        "mode": "label",
        "criteria": [first, expected, second],
        "sees": ["question", "answer"],
        "labels": list(_LABELS),
        "pass_on": list(_PASSES),
    }
