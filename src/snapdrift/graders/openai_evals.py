"""OpenAI's graders (Evals and reinforcement fine-tuning) as entries of ours, or why one has no equivalent.

Their forms are those of the API reference (2026-08): `string_check`, `text_similarity`, `label_model`, `score_model`,
`python` and `multi`. Nothing is asked and nothing is run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from snapdrift.graders.openai_formula import Linear, Together, read_formula
from snapdrift.graders.openai_judges import label_rubric, number_of, range_of, score_rubric
from snapdrift.graders.openai_python import adapted
from snapdrift.graders.openai_templates import (
    NoEquivalentError,
    Pieces,
    Variables,
    as_ours,
    extract_of,
    is_of_answer,
    read_template,
)
from snapdrift.graders.shared_arguments import RESERVED_NAMES

_LEAST_WEIGHT = Fraction(1, 10**9)
_PASS_OR_FAIL = ("string_check", "label_model")
_MEASURES: Mapping[str, str] = {
    "fuzzy_match": "edit",
    **{name: name for name in ("bleu", "gleu", "rouge_l", *(f"rouge_{order}" for order in range(1, 6)))},
}
_NO_MEASURE: Mapping[str, str] = {
    "cosine": "`cosine` compares embeddings, which a model has to be asked for; `token_f1` or a judge comes nearest",
    "meteor": "`meteor` needs WordNet's synonyms; `rouge_l` or `token_f1` comes nearest",
}
_MEASURE_NOTES: Mapping[str, str] = {
    "fuzzy_match": "which of rapidfuzz's ratios `fuzzy_match` is, is not documented; `edit` may differ, so check the "
    "threshold on some answers",
    "bleu": "`bleu` needs sacrebleu (pip install 'snapdrift[bleu]'), whose tokens and smoothing may differ",
    **dict.fromkeys(
        ("gleu", "rouge_l", *(f"rouge_{order}" for order in range(1, 6))),
        "the original's words and counts are another library's, so values may differ; check the threshold on answers",
    ),
}


@dataclass(frozen=True, slots=True)
class MappedGrader:
    """An entry for `graders:` and the files that it names, by path, with notes; or the reasons why there is none.

    Notes and reasons are sentences for a person, each without a full stop.
    """

    name: str
    entry: Mapping[str, Any] | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()

    @property
    def has_equivalent(self) -> bool:
        """Whether there is an entry."""
        return self.entry is not None


def map_grader(
    grader: Mapping[str, Any], *, renamed: Mapping[str, str] | None = None, name: str | None = None
) -> MappedGrader:
    """What one of OpenAI's graders is here.

    `renamed` says how columns of the data (`item.x`) are called as case variables where that is not by their own name:
    `{"label": "expected.label"}`. `name` is used where the grader has none. Never raises for what a grader holds.
    """
    kind = grader.get("type")
    called = _name_of(grader.get("name") or name or kind)
    make = _MAKERS.get(kind) if isinstance(kind, str) else None
    if make is None:
        known = ", ".join(_MAKERS)
        return MappedGrader(called, reasons=(f"there is no grader of the type {kind!r}; known are {known}",))
    try:
        mapped = make(grader, called, Variables(renamed or {}))
    except NoEquivalentError as error:
        return MappedGrader(called, reasons=(str(error),))
    if called != grader.get("name") and grader.get("name"):
        note = f"called {called} here: a name has no dots, no control characters and none of the names of run metrics"
        return replace(mapped, notes=(note, *mapped.notes))
    return mapped


def _name_of(written: Any) -> str:
    """A name as ours may be: without dots and control characters, and none that every run has."""
    text = "".join(character if character.isprintable() else " " for character in str(written)).replace(".", "_")
    text = " ".join(text.split()) or "grader"
    return f"{text}_grader" if text in RESERVED_NAMES else text


def _text(grader: Mapping[str, Any], key: str) -> str:
    value = grader.get(key)
    if not isinstance(value, str):
        raise NoEquivalentError(f"`{key}` is missing" if value is None else f"`{key}` is not text")
    return value


# --------------------------------------------------------------------------------------------------- comparing texts


@dataclass(frozen=True, slots=True)
class _Sides:
    """Which of the two texts is the answer, and what the other one is."""

    extract: Any
    expected: Pieces
    answer_is_input: bool

    def entry(self, called: str, family: str, expected: Any, **settings: Any) -> dict[str, Any]:
        """An entry that compares the two as they stand."""
        return {"name": called, family: expected, "normalise": [], **settings, "extract": self.extract}


def _sides(grader: Mapping[str, Any]) -> _Sides:
    written = {key: read_template(_text(grader, key)) for key in ("input", "reference")}
    of_answer = [key for key, pieces in written.items() if is_of_answer(pieces)]
    if len(of_answer) != 1:
        what = "neither `input` nor `reference` is" if not of_answer else "both `input` and `reference` are"
        raise NoEquivalentError(f"{what} the answer; one has to be {{{{ sample.output_text }}}} or a part of its JSON")
    answer = of_answer[0]
    other = "reference" if answer == "input" else "input"
    return _Sides(extract_of(written[answer]), written[other], answer == "input")


def _expected(sides: _Sides, variables: Variables) -> list[str]:
    # As a list of one: a column that holds a list is then one value, and not several of which any would do.
    return [as_ours(sides.expected, variables)]


def _string_check(grader: Mapping[str, Any], called: str, variables: Variables) -> MappedGrader:
    sides, operation = _sides(grader), grader.get("operation")
    if operation in ("eq", "ne"):
        turned = {"not": True} if operation == "ne" else {}
        return MappedGrader(called, sides.entry(called, "exact", _expected(sides, variables), **turned))
    if operation not in ("like", "ilike"):
        raise NoEquivalentError(f"there is no operation {operation!r}; known are eq, ne, like, ilike")
    if not sides.answer_is_input:
        raise NoEquivalentError(f"`{operation}` asks whether `input` contains `reference`, which here is the answer")
    folded = {"normalise": ["casefold"]} if operation == "ilike" else {}
    return MappedGrader(called, sides.entry(called, "contains", _expected(sides, variables), **folded))


def _text_similarity(grader: Mapping[str, Any], called: str, variables: Variables) -> MappedGrader:
    metric = _text(grader, "evaluation_metric")
    if metric not in _MEASURES:
        raise NoEquivalentError(_NO_MEASURE.get(metric, f"there is no evaluation metric {metric!r}"))
    threshold = number_of(grader, "pass_threshold")
    if threshold is not None and not 0 <= threshold <= 1:
        raise NoEquivalentError(f"`pass_threshold` is {threshold:g}, and the value is from 0 to 1")
    sides = _sides(grader)
    settings = {"measure": _MEASURES[metric]} | ({} if threshold is None else {"at_least": threshold})
    entry = sides.entry(called, "similarity", _expected(sides, variables), **settings)
    notes = [_MEASURE_NOTES[metric]] if metric in _MEASURE_NOTES else []
    if threshold is None:
        notes.append("without `pass_threshold` an answer passes with the value 1 only")
    return MappedGrader(called, entry, notes=tuple(notes))


# ----------------------------------------------------------------------------------------------------- judges and code


def _label_model(grader: Mapping[str, Any], called: str, variables: Variables) -> MappedGrader:
    made = label_rubric(grader, variables)
    return MappedGrader(called, {"name": called, "judge": dict(made.rubric)}, notes=made.notes)


def _score_model(grader: Mapping[str, Any], called: str, variables: Variables) -> MappedGrader:
    made = score_rubric(grader, variables)
    return MappedGrader(called, {"name": called, "judge": dict(made.rubric)}, notes=made.notes)


def _python(grader: Mapping[str, Any], called: str, variables: Variables) -> MappedGrader:
    made = adapted(_text(grader, "source"), grader.get("image_tag"), variables.renamed)
    path = f"graders/{re.sub(r'[^a-z0-9]+', '_', called.casefold()).strip('_') or 'grader'}.py"
    threshold = number_of(grader, "pass_threshold")
    entry: dict[str, Any] = {"name": called, "python": f"{path}:{made.function}"}
    if threshold is not None:
        if not 0 <= threshold <= 1:
            raise NoEquivalentError(f"`pass_threshold` is {threshold:g}, and a function here returns 0 to 1")
        entry["at_least"] = threshold
    return MappedGrader(called, entry, {path: made.source}, made.notes)


# ------------------------------------------------------------------------------------------------------- several in one


def _multi(grader: Mapping[str, Any], called: str, variables: Variables) -> MappedGrader:
    members = _members(grader)
    formula = read_formula(_text(grader, "calculate_output"))
    used = formula.names if isinstance(formula, Together) else tuple(n for n, w in formula.weights.items() if w)
    unknown = [name for name in used if name not in members]
    if unknown or not used:
        problem = f"names {unknown[0]!r}, which is none of its graders" if unknown else "names none of its graders"
        raise NoEquivalentError(f"the formula {problem}")
    parts = {name: _part(name, members[name], variables) for name in dict.fromkeys(used)}
    missing = [f"{name}: {reason}" for name, part in parts.items() for reason in part.reasons]
    if missing:
        return MappedGrader(called, reasons=tuple(missing))
    entries = [part.entry or {} for part in parts.values()]
    models = sorted({str(entry["judge"]["model"]) for entry in entries if "judge" in entry})
    if len(models) > 1:
        raise NoEquivalentError(f"its judges are of several models ({', '.join(models)}); here one grader asks one")
    notes = [f"{name}: {note}" for name, part in parts.items() for note in part.notes]
    notes += [f"{name} is left out: the formula does not name it" for name in members if name not in parts]
    files = {path: text for part in parts.values() for path, text in part.files.items()}
    if len(files) < sum(len(part.files) for part in parts.values()):
        raise NoEquivalentError("two of its `python` graders have names that make one file name; rename one")
    if isinstance(formula, Together):
        made = _together(formula, members, parts, called, number_of(grader, "pass_threshold"))
    else:
        made = _weighted(formula, members, parts, called, number_of(grader, "pass_threshold"))
    return replace(made, files=files, notes=(*notes, *made.notes))


def _members(grader: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The graders by name: a mapping as the guide has it, or a list or a single one as other pages have it."""
    written = grader.get("graders")
    if isinstance(written, Mapping) and isinstance(written.get("type"), str):
        written = [written]
    if isinstance(written, list):
        written = {str(one.get("name")): one for one in written if isinstance(one, Mapping)}
    if not isinstance(written, Mapping) or not written:
        raise NoEquivalentError("`graders` is not a mapping of names to graders")
    return {str(name): one for name, one in written.items() if isinstance(one, Mapping)}


def _part(name: str, member: Mapping[str, Any], variables: Variables) -> MappedGrader:
    if member.get("type") == "multi":
        return MappedGrader(name, reasons=("a `multi` inside a `multi` is not allowed",))
    return map_grader({**member, "name": name}, renamed=variables.renamed)


def _together(
    formula: Together,
    members: Mapping[str, Mapping[str, Any]],
    parts: Mapping[str, MappedGrader],
    called: str,
    threshold: float | None,
) -> MappedGrader:
    graded = [name for name in parts if members[name].get("type") not in _PASS_OR_FAIL]
    if graded:
        raise NoEquivalentError(f"the formula takes the least, the most or the product of {graded[0]}, which is graded")
    if threshold is not None and not 0 < threshold <= 1:
        raise NoEquivalentError(f"with `pass_threshold: {threshold:g}` the answer does not matter")
    return MappedGrader(called, {"name": called, formula.family: [dict(part.entry or {}) for part in parts.values()]})


def _weighted(
    formula: Linear,
    members: Mapping[str, Mapping[str, Any]],
    parts: Mapping[str, MappedGrader],
    called: str,
    threshold: float | None,
) -> MappedGrader:
    """The formula as `constant + total * mean`, where the mean is that of parts with positive weights.

    A part with a negative weight is turned round: `-w * v` is `-w + w * (1 - v)`. A judge's value is on its own range.
    """
    constant, total, weighted = formula.constant, Fraction(0), []
    for name, part in parts.items():
        low, high = range_of(members[name]) if members[name].get("type") == "score_model" else (0.0, 1.0)
        weight = formula.weights[name] * (Fraction(repr(high)) - Fraction(repr(low)))
        constant += formula.weights[name] * Fraction(repr(low)) + min(weight, Fraction(0))
        if not (_LEAST_WEIGHT <= abs(weight) <= 1 / _LEAST_WEIGHT and abs(constant) <= 1 / _LEAST_WEIGHT):
            raise NoEquivalentError(f"the formula's numbers around {name} are too large or too small to be meant")
        entry = dict(part.entry or {}) if weight > 0 else _turned(part.entry or {})
        weighted.append({"weight": float(abs(weight)), "grader": entry})
        total += abs(weight)
    made: dict[str, Any] = {"name": called, "weighted": weighted}
    notes = []
    if constant != 0 or total != 1:
        ends = f"{float(constant):g} to {float(constant + total):g}"
        notes.append(f"the value is from 0 to 1 here; the original's ran from {ends}")
    if threshold is None:
        notes.append("without `pass_threshold` an answer passes with the highest value only")
    else:
        least = float((Fraction(repr(threshold)) - constant) / total)
        if not 0 <= least <= 1:
            raise NoEquivalentError(f"`pass_threshold` {threshold:g} is outside the values that the formula can have")
        made["at_least"] = least
    return MappedGrader(called, made, notes=tuple(notes))


def _turned(entry: Mapping[str, Any]) -> dict[str, Any]:
    turned = {key: value for key, value in entry.items() if key != "not"}
    return turned if entry.get("not") else {**turned, "not": True}


_MAKERS: Mapping[str, Callable[[Mapping[str, Any], str, Variables], MappedGrader]] = {
    "string_check": _string_check,
    "text_similarity": _text_similarity,
    "label_model": _label_model,
    "score_model": _score_model,
    "python": _python,
    "multi": _multi,
}
