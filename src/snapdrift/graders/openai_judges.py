"""OpenAI's `label_model` and `score_model` as judges of ours.

Their prompts become criteria. The answer itself is no part of them: a judge of ours is shown it as quoted data.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snapdrift.graders.openai_templates import (
    NoEquivalentError,
    Pieces,
    Reference,
    Variables,
    as_ours,
    is_of_answer,
    part_of_answer,
    read_template,
)

STEPS = 10
"""Levels above the lowest of a scale that stands for a range of any numbers."""
_MOST_LEVELS = 20
_PINNED = re.compile(r"^ft:|-\d{4}-\d{2}-\d{2}$|-\d{4}$")
_SETTINGS: Mapping[str, str] = {
    "temperature": "temperature",
    "top_p": "top_p",
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "max_completions_tokens": "max_output_tokens",
}


@dataclass(frozen=True, slots=True)
class MappedRubric:
    """A rubric, and what its reader should know of it."""

    rubric: Mapping[str, Any]
    notes: tuple[str, ...]


def label_rubric(grader: Mapping[str, Any], variables: Variables) -> MappedRubric:
    """The rubric of a `label_model`. Raises `NoEquivalentError`."""
    labels, passing = (_texts(grader, key) for key in ("labels", "passing_labels"))
    if len(set(labels)) != len(labels) or len(labels) < 2:
        raise NoEquivalentError("`labels` are not at least two different ones")
    if not passing or not set(passing) < set(labels):
        raise NoEquivalentError("`passing_labels` are not some, but not all, of the `labels`: every answer would do")
    common = _common(grader, variables)
    return MappedRubric({"mode": "label", **common.rubric, "labels": labels, "pass_on": passing}, common.notes)


def score_rubric(grader: Mapping[str, Any], variables: Variables) -> MappedRubric:
    """The rubric of a `score_model`. Raises `NoEquivalentError`."""
    low, high = range_of(grader)
    threshold = number_of(grader, "pass_threshold")
    common = _common(grader, variables)
    whole = low == int(low) and high == int(high) and low >= 0 and 2 <= high - low < _MOST_LEVELS
    first, last = (int(low), int(high)) if whole else (0, STEPS)
    rubric = {"mode": "score", **common.rubric, "scale": {"from": first, "to": last}}
    if threshold is not None:
        rubric["pass_at"] = max(0.0, round(first + (threshold - low) / (high - low) * (last - first), 9))
    if whole:
        note = f"the judge answers with whole numbers from {first} to {last}; the original took fractions too"
        return MappedRubric(rubric, (*common.notes, note))
    told = (
        f"Where a score from {low:g} to {high:g} is asked for, give it as a whole number from {first} to {last}: "
        f"{first} stands for {low:g} and {last} for {high:g}."
    )
    note = f"the range {low:g} to {high:g} is judged in whole numbers from {first} to {last}, which a criterion says"
    return MappedRubric({**rubric, "criteria": [*rubric["criteria"], told]}, (*common.notes, note))


def range_of(grader: Mapping[str, Any]) -> tuple[float, float]:
    """The lowest and the highest score of a `score_model`, 0 and 1 by default. Raises `NoEquivalentError`."""
    ends = grader.get("range") or [0, 1]
    if not isinstance(ends, list) or len(ends) != 2 or not all(_is_number(end) for end in ends) or ends[0] >= ends[1]:
        raise NoEquivalentError("`range` is not a lower and a higher number")
    return float(ends[0]), float(ends[1])


def number_of(grader: Mapping[str, Any], key: str) -> float | None:
    """A number of the grader, None where it has none. Raises `NoEquivalentError`."""
    value = grader.get(key)
    if value is None:
        return None
    if not _is_number(value):
        raise NoEquivalentError(f"`{key}` is not a number")
    return float(value)


def _is_number(value: Any) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _texts(grader: Mapping[str, Any], key: str) -> list[str]:
    value = grader.get(key)
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise NoEquivalentError(f"`{key}` is not a list of texts")
    return value


def _common(grader: Mapping[str, Any], variables: Variables) -> MappedRubric:
    """What both kinds share: the criteria, the model and its settings."""
    model = grader.get("model")
    if not isinstance(model, str) or not model:
        raise NoEquivalentError("`model` is missing")
    messages = [read_template(text) for text in _messages(grader)]
    if not any(map(is_of_answer, messages)):
        raise NoEquivalentError("no message shows the judge the answer ({{ sample.output_text }})")
    criteria = [text for pieces in messages if (text := _criterion(pieces, variables))]
    if not criteria:
        raise NoEquivalentError("no message says what to judge by: there is only the answer")
    rubric: dict[str, Any] = {"criteria": criteria, "model": model}
    notes = ["the messages are the judge's criteria; the answer is shown apart from them, as quoted data"]
    if not _PINNED.search(model):
        rubric["allow_alias"] = True
        notes.append(f"the judge {model} is an alias, which may change under the scores; name a snapshot instead")
    request, others = _request(grader.get("sampling_params"))
    if request:
        rubric["request"] = request
    if others:
        notes.append(f"settings of the judge that are not taken over: {', '.join(others)}")
    return MappedRubric(rubric, tuple(notes))


def _request(params: Any) -> tuple[dict[str, Any], list[str]]:
    """The judge's settings, and the names of those that it is not asked with."""
    given = {key: value for key, value in params.items() if value is not None} if isinstance(params, Mapping) else {}
    known = {_SETTINGS[key]: value for key, value in given.items() if key in _SETTINGS}
    return known, [str(key) for key in given if key not in _SETTINGS]


def _messages(grader: Mapping[str, Any]) -> list[str]:
    messages = grader.get("input")
    if not isinstance(messages, list) or not messages:
        raise NoEquivalentError("`input` is not a list of messages")
    return [text for message in messages for text in _message_texts(message)]


def _message_texts(message: Any) -> Sequence[str]:
    content = message.get("content") if isinstance(message, Mapping) else None
    parts = content if isinstance(content, list) else [content]
    written = [part.get("text") if isinstance(part, Mapping) else part for part in parts]
    texts = [text for text in written if isinstance(text, str)]
    if not texts or len(texts) < len(written):
        raise NoEquivalentError("a message of `input` has something else than text (an image, a file)")
    return texts


def _criterion(pieces: Pieces, variables: Variables) -> str:
    """A message as a criterion, in which the answer is spoken of; empty where it was nothing but the answer."""
    if all(not piece.strip() if isinstance(piece, str) else piece.root == "sample" for piece in pieces):
        for piece in pieces:
            _spoken(piece)
        return ""
    return as_ours([_spoken(piece) for piece in pieces], variables).strip()


def _spoken(piece: str | Reference) -> str | Reference:
    if isinstance(piece, str) or piece.root != "sample":
        return piece
    path = part_of_answer(piece)
    return "(the answer)" if path is None or path == "$" else f"(`{path}` in the answer)"
