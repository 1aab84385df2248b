"""What a judge is told: how to grade, what is material, by which criteria, and what a verdict may be."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from snapdrift.graders.ballots import item_names
from snapdrift.graders.judge_items import Item
from snapdrift.graders.material import material_rules
from snapdrift.graders.rubric import CONSISTENT, CONTRADICTS, NO, OMITS, YES, Example, Mode, Rubric, Sight
from snapdrift.graders.showing import IMAGES_RULE
from snapdrift.graders.values import text_of

_WHOLE = "You grade an answer by criteria. Judge only what the criteria ask for."
_CHECKLIST = "You check of each criterion, by itself, whether it is true of an answer."
_REFERENCE = "You compare an answer with facts, each by itself. Judge only whether the answer agrees with the fact."
_VERDICTS = {
    Mode.CHECKLIST: (
        "For each criterion give your reason in one or two sentences, then your verdict: "
        f'"{YES}" where what the criterion says is true of the answer, else "{NO}".'
    ),
    Mode.REFERENCE: (
        "For each fact give your reason in one or two sentences, then your verdict: "
        f'"{CONSISTENT}" where the answer says the fact, in whatever words, "{OMITS}" where it says nothing about it, '
        f'"{CONTRADICTS}" where it says something that cannot be true together with the fact.'
    ),
}


def instructions(rubric: Rubric, told: Mapping[str, Any], items: Sequence[Item], *, images: bool) -> str:
    """The instructions of a judge's question; `told` is the rubric as it was rendered for the case."""
    task = {Mode.CHECKLIST: _CHECKLIST, Mode.REFERENCE: _REFERENCE}.get(rubric.mode, _WHOLE)
    shown = [sight.value for sight in rubric.shown if sight is not Sight.IMAGES]
    if rubric.sees is None and "question" not in shown:
        shown.insert(0, "question")  # the words of every rubric that says nothing of what is shown
    material = material_rules(shown) + (f" {IMAGES_RULE}" if images else "")
    return "\n\n".join([task, material, *_criteria(rubric, told, items), *_examples(rubric), _ending(rubric)])


def _criteria(rubric: Rubric, told: Mapping[str, Any], items: Sequence[Item]) -> list[str]:
    listed = "\n".join(
        f"{name}: {json.dumps(item.text, ensure_ascii=False)}"
        for name, item in zip(item_names(len(items)), items, strict=True)
    )
    if rubric.mode is Mode.CHECKLIST:
        return [f"Criteria:\n{listed}"]
    written = [f"- {text_of(item).strip()}" for item in told["criteria"]]
    criteria = ["\n".join(["Criteria:", *written])] if written else []
    return [*criteria, f"Facts:\n{listed}"] if rubric.mode is Mode.REFERENCE else criteria


def _examples(rubric: Rubric) -> list[str]:
    if not rubric.examples:
        return []
    lines = [json.dumps(_as_told(example), ensure_ascii=False) for example in rubric.examples]
    return ["\n".join(["Examples of how to judge, each a JSON object of material, reason and verdict:", *lines])]


def _as_told(example: Example) -> dict[str, Any]:
    return {name: value for name, value in example.model_dump(mode="json").items() if value is not None}


def _ending(rubric: Rubric) -> str:
    if rubric.mode in _VERDICTS:
        return _VERDICTS[rubric.mode]
    labels = ", ".join(json.dumps(label, ensure_ascii=True) for label in rubric.verdicts)
    numbers = rubric.mode is Mode.SCORE and all(label == f"{score:g}" for label, score in rubric.levels.items())
    scale = " {:g} is the worst, {:g} the best.".format(*rubric.ends) if numbers else ""
    return f"Give your reason in one or two sentences, then your verdict: one of {labels}.{scale}"
