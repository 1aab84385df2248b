"""Assertions that a model judges, as judges of ours: the criterion is the case's, the words are ours."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from snapdrift.importers.groups import Slot
from snapdrift.importers.promptfoo.asserted import Asserted
from snapdrift.importers.promptfoo.nunjucks import UntranslatableError
from snapdrift.importers.promptfoo.providers import model_of

STEPS = 10
"""Levels above the lowest of the scale that stands for scores from 0 to 1."""
_PINNED = re.compile(r"^ft:|-\d{4}-\d{2}-\d{2}$")
FACTUALITY = (
    "Compare the facts of the answer with those of this expert answer; style, grammar and punctuation do not matter:",
    (
        "Say `same` where both state the same facts, `subset` where the answer states only some of them and nothing "
        "against them, `superset` where it states all of them and more, `immaterial` where they differ in what does "
        "not matter to the facts, and `disagrees` where they contradict each other."
    ),
)
FACTUALITY_LABELS = ("same", "subset", "superset", "immaterial", "disagrees")
FACTUALITY_PASSES = ("same", "subset", "superset", "immaterial")


def judge_of(asserted: Asserted) -> dict[str, Any]:
    """Who judges: the assertion's model, the test's, or the one that the import was given."""
    written = asserted.written.get("provider", asserted.options.get("provider"))
    if isinstance(written, Mapping):
        written = written.get("id", written.get("text"))
        written = written.get("id") if isinstance(written, Mapping) else written
    model, endpoint = asserted.reading.judge, "responses"
    if isinstance(written, str):
        try:
            asked = model_of(written)
        except UntranslatableError:
            asked = None
        if asked is None:
            asserted.note(f"{written} is not asked here; {model} judges instead")
        else:
            endpoint, model = asked
    if asserted.written.get("rubricPrompt") or asserted.options.get("rubricPrompt"):
        asserted.note("its own prompt for the judge is not taken over: the judge is asked in Snapdrift's words")
    made: dict[str, Any] = {"model": model}
    if endpoint == "chat" and isinstance(written, str):
        made["endpoint"] = "chat"
    if not _PINNED.search(model):
        made["allow_alias"] = True
        asserted.note(f"the judge {model} is an alias, which may change under the scores; name a snapshot instead")
    return made


def _rubric(asserted: Asserted) -> dict[str, Any]:
    threshold = asserted.threshold()
    made = {"criteria": _criterion(asserted), **judge_of(asserted)}
    if threshold is None:
        return {"judge": made}
    return {"judge": {**made, **_scale(asserted, threshold)}}


def _g_eval(asserted: Asserted) -> dict[str, Any]:
    criteria = asserted.texts() if isinstance(asserted.value, list) else _criterion(asserted)
    asserted.note("the judge scores by the criteria in one step, without writing steps of its own first")
    made = {"criteria": criteria, "sees": ["question", "answer"], **judge_of(asserted)}
    return {"judge": {**made, **_scale(asserted, asserted.share(0.7))}}


def _scale(asserted: Asserted, threshold: float) -> dict[str, Any]:
    if not 0 <= threshold <= 1:
        raise UntranslatableError(f"its threshold {threshold:g} is not from 0 to 1")
    asserted.note(f"scores from 0 to 1 are judged in whole numbers from 0 to {STEPS}")
    return {"scale": {"from": 0, "to": STEPS}, "pass_at": round(threshold * STEPS, 6)}


def _criterion(asserted: Asserted) -> Any:
    value = asserted.value
    if isinstance(value, Mapping):
        return [Slot(json.dumps(value, ensure_ascii=False))]
    return [asserted.text()]


def _closed_qa(asserted: Asserted) -> dict[str, Any]:
    return {"judge": {"criteria": [asserted.text()], "sees": ["question", "answer"], **judge_of(asserted)}}


def _factuality(asserted: Asserted) -> dict[str, Any]:
    return {"judge": {**factuality(asserted.text()), **judge_of(asserted)}}


def factuality(expected: Any) -> dict[str, Any]:
    """A rubric, without its model, of how an answer's facts relate to an expected one's; `expected` is a criterion."""
    first, second = FACTUALITY
    return {
        "mode": "label",
        "criteria": [first, expected, second],
        "sees": ["question", "answer"],
        "labels": list(FACTUALITY_LABELS),
        "pass_on": list(FACTUALITY_PASSES),
    }


def _similar(asserted: Asserted) -> dict[str, Any]:
    asserted.note("embeddings are not compared: a judge says whether the answer means the same")
    criteria = ["The answer means the same as this text, whatever its words:", asserted.text()]
    return {"judge": {"criteria": criteria, **judge_of(asserted)}}


JUDGED: Mapping[str, Callable[[Asserted], dict[str, Any]]] = {
    "llm-rubric": _rubric,
    "g-eval": _g_eval,
    "model-graded-closedqa": _closed_qa,
    "factuality": _factuality,
    "model-graded-factuality": _factuality,
    "similar": _similar,
}
