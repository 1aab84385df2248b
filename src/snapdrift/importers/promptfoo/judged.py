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
from snapdrift.importers.rubrics import factuality

STEPS = 10
"""Levels above the lowest of the scale that stands for scores from 0 to 1."""
_PINNED = re.compile(r"^ft:|-\d{4}-\d{2}-\d{2}$")


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
