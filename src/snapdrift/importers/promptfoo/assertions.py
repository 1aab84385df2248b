"""Assertions of promptfoo as checks: each type that has a counterpart, and the reason where one has none."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from snapdrift.importers.groups import Check, Slot
from snapdrift.importers.names import identifier
from snapdrift.importers.notes import Place, others
from snapdrift.importers.promptfoo.asserted import Asserted
from snapdrift.importers.promptfoo.code import python_check
from snapdrift.importers.promptfoo.judged import JUDGED
from snapdrift.importers.promptfoo.kinds import NO_COUNTERPART
from snapdrift.importers.promptfoo.nunjucks import UntranslatableError
from snapdrift.importers.promptfoo.reading import Reading
from snapdrift.importers.promptfoo.tests import MadeTest
from snapdrift.suites.wording import did_you_mean

_KEYS = ("type", "value", "threshold", "weight", "metric", "transform", "provider", "rubricPrompt", "config", "$ref")
_OF_JSON = re.compile(r"(?:JSON\.parse\(\s*output\s*\)|output)((?:\.[A-Za-z_$][\w$]*|\[\d+\])+)")
_CASEFOLD = {"normalise": ["casefold"]}
_AS_IT_IS: dict[str, Any] = {"normalise": []}
_ENDED = {
    "stop": ["stop", "completed"],
    "length": ["length", "max_output_tokens"],
    "content_filter": ["content_filter"],
    "tool_calls": ["tool_calls", "completed"],
}
_OTHER_LIBRARY = "the original's words and counts are another library's; check the threshold on some answers"


def checks_of(test: MadeTest, templates: Place, reading: Reading) -> Iterator[Check]:
    """The checks of a test; assertions without a counterpart are noted."""
    for place in test.asserts:
        try:
            yield _check(_referred(place, templates), test, reading)
        except UntranslatableError as error:
            kind = place.value.get("type") if isinstance(place.value, Mapping) else None
            reading.notes.left_out(place, f"the assertion {kind or '(without type)'}", str(error))


def _referred(place: Place, templates: Place) -> Place:
    """The template of an assertion that `$ref` names, or the assertion itself."""
    value = place.value
    name = value.get("$ref") if isinstance(value, Mapping) else None
    if not isinstance(name, str):
        return place
    found = templates.at(name.rpartition("/")[2])
    if found.value is None:
        raise UntranslatableError(f"no assertion template {name}")
    return found


def _check(place: Place, test: MadeTest, reading: Reading) -> Check:
    written = place.value if isinstance(place.value, Mapping) else {}
    if written.get("type") == "assert-set":
        return _set_of(place, test, reading)
    kind, turned = str(written.get("type") or ""), False
    if kind.startswith("not-"):
        kind, turned = kind.removeprefix("not-"), True
    asserted = Asserted(place, kind, written, test.options, test.variables, reading)
    entry = _entry(asserted)
    if isinstance(written.get("transform"), str):
        entry = {**entry, **_extract(written["transform"], entry)}
    for key in others(written, (*_KEYS, "contextTransform")):
        reading.notes.left_out(place.at(key), f"`{key}` of an assertion", "has no counterpart")
    metric = written.get("metric")
    hint = identifier(str(metric) if metric and "{{" not in str(metric) else f"{'not_' if turned else ''}{kind}")
    if turned:
        entry = {**entry, "not": True}
    return Check(hint, entry, _weight(written), kind in JUDGED, "python" in entry)


def _weight(written: Mapping[str, Any]) -> float:
    weight = written.get("weight", 1)
    return float(weight) if isinstance(weight, int | float) and not isinstance(weight, bool) and weight >= 0 else 1.0


def _entry(asserted: Asserted) -> dict[str, Any]:
    kind = asserted.kind
    if kind in NO_COUNTERPART:
        short = _of_javascript(asserted) if kind == "javascript" else None
        if short is not None:
            return short
        raise UntranslatableError(NO_COUNTERPART[kind])
    make = _MAKERS.get(kind) or JUDGED.get(kind)
    if make is None:
        why = did_you_mean(kind, [*_MAKERS, *JUDGED], "there is no assertion of this type that suites know")
        raise UntranslatableError(why)
    return make(asserted)


def _set_of(place: Place, test: MadeTest, reading: Reading) -> Check:
    """Assertions that count as one: all of them, or a weighted mean with a threshold."""
    written = place.value
    parts = [_check(part, test, reading) for part in place.at("assert").each()]
    if not parts:
        raise UntranslatableError("it holds no assertion")
    threshold = written.get("threshold")
    if threshold is None:
        entry: dict[str, Any] = {"all": [dict(part.entry) for part in parts]}
    else:
        weighted = [{"weight": part.weight, "grader": dict(part.entry)} for part in parts if part.weight > 0]
        entry = {"weighted": weighted, "at_least": float(threshold)}
    judged, coded = any(part.judged for part in parts), any(part.coded for part in parts)
    return Check(identifier(str(written.get("metric") or "assert_set")), entry, _weight(written), judged, coded)


def _extract(transform: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """What part of the answer a transformation takes, where it is a path. Raises `UntranslatableError`."""
    bare = transform.strip().removeprefix("return ").rstrip("; ")
    match = _OF_JSON.fullmatch(bare)
    if match is None or "python" in entry or "judge" in entry:
        raise UntranslatableError(f"its transformation {bare[:60]!r} is code, which is not run")
    return {"extract": {"json": match[1].removeprefix("."), "mode": "strict"}}


# ---------------------------------------------------------------------------------------------------------------- texts


def _equals(asserted: Asserted) -> dict[str, Any]:
    value = asserted.value
    if isinstance(value, Mapping | list):
        return {"path": {"$": {"equals": Slot(value)}}, "extract": {"json": "$", "mode": "strict"}}
    if value == "":
        return {"count": "characters", "exactly": 0}
    return {"exact": [asserted.text()], **_AS_IT_IS}


def _contains(asserted: Asserted) -> dict[str, Any]:
    folded = _CASEFOLD if asserted.kind.startswith("i") else {}
    if asserted.kind.endswith(("-any", "-all")):
        return {"contains": {asserted.kind[-3:]: asserted.texts()}, **folded}
    return {"contains": asserted.text(), **folded}


def _regex(asserted: Asserted) -> dict[str, Any]:
    import regex

    pattern = asserted.text()
    try:
        regex.compile(pattern.value)
    except regex.error as error:
        raise UntranslatableError(f"its pattern is none that is known here: {error}") from None
    return {"regex": pattern}


def _affix(asserted: Asserted) -> dict[str, Any]:
    return {asserted.kind.replace("-", "_"): asserted.text(), **_AS_IT_IS}


def _count(asserted: Asserted) -> dict[str, Any]:
    value = asserted.value
    if isinstance(value, Mapping):
        bounds = {"at_least": value.get("min"), "at_most": value.get("max")}
        made = {key: int(bound) for key, bound in bounds.items() if isinstance(bound, int | float)}
        if not made:
            raise UntranslatableError("it has neither `min` nor `max`")
        return {"count": "words", **made}
    try:
        return {"count": "words", "exactly": int(str(value))}
    except ValueError:
        raise UntranslatableError(f"its value {value!r} is no number of words") from None


def _similarity(measure: str, otherwise: float) -> Callable[[Asserted], dict[str, Any]]:
    def made(asserted: Asserted) -> dict[str, Any]:
        asserted.note(_OTHER_LIBRARY)
        return {"similarity": [asserted.text()], "measure": measure, "at_least": asserted.share(otherwise)}

    return made


def _levenshtein(asserted: Asserted) -> dict[str, Any]:
    """At most so many edits: as a share of the expected text, for `edit` is one less the distance over the length."""
    edits, text = asserted.threshold(5), asserted.text()
    length, edits = max(1, len(text.value)), 5 if edits is None else edits
    asserted.note(f"{edits:g} edits are a likeness of so much of the expected text; longer answers have a little more")
    return {"similarity": [text], "measure": "edit", "at_least": round(max(0.0, 1 - edits / length), 2), **_AS_IT_IS}


# --------------------------------------------------------------------------------------------------- JSON, tools, calls


def _json(asserted: Asserted) -> dict[str, Any]:
    mode = "first_object" if asserted.kind == "contains-json" else "strict"
    return {"schema": asserted.schema() or {}, "extract": {"json": "$", "mode": mode}}


def _xml(asserted: Asserted) -> dict[str, Any]:
    if asserted.value:
        raise UntranslatableError("it wants certain elements; `well_formed: xml` asks for well-formed XML only")
    return {"well_formed": "xml"}


def _valid_calls(asserted: Asserted) -> dict[str, Any]:
    tools = asserted.reading.tools
    names = [str((tool.get("function") or tool).get("name")) for tool in tools if tool.get("type") == "function"]
    if not names:
        raise UntranslatableError("no provider that was taken over has functions")
    settings = {"arguments": "schema", "tools": list(tools)}
    if len(names) == 1:
        return {"tool_calls": [{"name": names[0]}], **settings}
    asserted.note("one call that is valid by its function's parameters is enough; others are not looked at")
    parts = [{"name": name, "tool_calls": [{"name": name}], **settings, "extra_calls": True} for name in names]
    return {"any": parts}


def _tool_call_f1(asserted: Asserted) -> dict[str, Any]:
    names = asserted.texts()
    if asserted.threshold(1.0) != 1.0:
        asserted.note("it passes where all expected tools are called and no other; the share is the metric's `.f1`")
    return {"tool_calls": Slot([{"name": name} for name in names.value]), "arguments": "ignore"}


def _finish_reason(asserted: Asserted) -> dict[str, Any]:
    value = str(asserted.value)
    return {"finish_reason": _ENDED.get(value, [value])}


def _refusal(asserted: Asserted) -> dict[str, Any]:
    asserted.note("what counts as a refusal is told by the API and by the phrases of `refusal`")
    return {"refusal": True}


def _bounded(family: str, factor: float) -> Callable[[Asserted], dict[str, Any]]:
    def made(asserted: Asserted) -> dict[str, Any]:
        threshold = asserted.threshold()
        if threshold is None:
            raise UntranslatableError("it has no threshold")
        return {family: round(threshold * factor, 9)}

    return made


# ----------------------------------------------------------------------------------------------------------- JavaScript

_QUOTED = r"""(?P<quote>['"`])(?P<text>(?:(?!(?P=quote))[^\\$])*)(?P=quote)"""
_SHORT_FORMS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(rf"output\.includes\({_QUOTED}\)"), "contains"),
    (re.compile(rf"!output\.includes\({_QUOTED}\)"), "not-contains"),
    (re.compile(rf"output\.toLowerCase\(\)\.includes\({_QUOTED}\)"), "icontains"),
    (re.compile(rf"output\.startsWith\({_QUOTED}\)"), "starts-with"),
    (re.compile(rf"output(?:\.trim\(\))?\s*===?\s*{_QUOTED}"), "equals"),
    (re.compile(r"output\.length\s*(?P<sign><=|<|>=|>)\s*(?P<number>\d{1,9})"), "length"),
)


def _of_javascript(asserted: Asserted) -> dict[str, Any] | None:
    """The few expressions that say what a grader says; None for any other, which is never run."""
    code = str(asserted.written.get("value") or "").strip().removeprefix("return ").rstrip("; ")
    for pattern, kind in _SHORT_FORMS:
        match = pattern.fullmatch(code)
        if match is None:
            continue
        if kind == "length":
            number = int(match["number"]) + {"<": -1, ">": 1}.get(match["sign"], 0)
            return {"count": "characters", "at_most" if "<" in match["sign"] else "at_least": max(0, number)}
        text = Slot(match["text"])
        if kind == "equals":
            return {"exact": [text], "normalise": ["strip"] if "trim" in code else []}
        if kind == "starts-with":
            return {"starts_with": text, **_AS_IT_IS}
        folded = _CASEFOLD if kind == "icontains" else {}
        return {"contains": {"none" if kind == "not-contains" else "all": [text]}, **folded}
    return None


_MAKERS: Mapping[str, Callable[[Asserted], dict[str, Any]]] = {
    "equals": _equals,
    **dict.fromkeys(("contains", "icontains"), _contains),
    **dict.fromkeys(("contains-any", "contains-all", "icontains-any", "icontains-all"), _contains),
    "regex": _regex,
    "starts-with": _affix,
    "ends-with": _affix,
    "word-count": _count,
    "levenshtein": _levenshtein,
    "rouge-n": _similarity("rouge_1", 0.75),
    "bleu": _similarity("bleu", 0.5),
    "gleu": _similarity("gleu", 0.5),
    "is-json": _json,
    "contains-json": _json,
    "is-xml": _xml,
    **dict.fromkeys(
        ("is-valid-openai-tools-call", "is-valid-function-call", "is-valid-openai-function-call"), _valid_calls
    ),
    "tool-call-f1": _tool_call_f1,
    "finish-reason": _finish_reason,
    "is-refusal": _refusal,
    "latency": _bounded("latency", 0.001),
    "cost": _bounded("cost", 1.0),
    "python": python_check,
}
