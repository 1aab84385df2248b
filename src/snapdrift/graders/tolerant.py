"""Reading an answer again with more tolerance for its form: what it would score if its form were mended.

A reading is the metric's own grader on the same answer; only how its value is found is more tolerant. More tolerant
ways come after the suite's own `extract`, so an answer that was readable is read as before.
`docs/design/attribution.md` has the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from snapdrift.errors import SnapdriftError
from snapdrift.graders.base import Grader
from snapdrift.graders.extract import JsonStep, TextStep
from snapdrift.graders.field_comparers import NO_SUCH_FIELD
from snapdrift.graders.json_equal import JsonEqual
from snapdrift.graders.json_text import JsonMode, first_object_is_json, read_json, unfenced
from snapdrift.graders.marks import CannotGradeError, InvalidJsonError, NotExtractedError
from snapdrift.graders.schema import Schema
from snapdrift.graders.scoring import EVIDENCE_LIMIT, grade
from snapdrift.graders.tool_calls import ToolCalls
from snapdrift.graders.written_calls import written_calls
from snapdrift.model import Case, FormatCause, Outcome, Reading, Reason, Response, Score

Readings = Mapping[str, Reading]
"""By metric: what a tolerant reading makes of one answer; a metric without an entry stays as it was graded."""

NO_FIELD = Reading(0.0, passed=False, cause=FormatCause.MISSING_FIELD, readable=False)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One way to read an answer: which grader reads what, and what about the answer's form that puts up with."""

    grader: Grader
    response: Response
    cause: FormatCause | None


def may_read_otherwise(grader: Grader, score: Score) -> bool:
    """Whether a tolerant reading could score the answer otherwise: only then it is worth looking it up.

    Judges are never asked again, and an answer that could not be graded, or was not to be, stays as it is.
    """
    if grader.judged or score.value is None or score.reason is Reason.NOT_ACCEPTED:
        return False
    if grader.family == ToolCalls.family:
        return bool(score.extracted == [])
    best = 0.0 if score.metric in grader.less_is_better else 1.0
    if score.value == best and not grader.negate:
        return False
    if _is_unread(grader, score):
        return grader.reads_text
    if grader.family == JsonEqual.family:
        return not grader.negate and _tells_of_missing_fields(score)
    if grader.family == Schema.family:
        return not grader.negate
    return grader.reads_text and _takes_text_as_it_stands(grader)


def read_again(grader: Grader, case: Case, response: Response, score: Score, tools: Sequence[str]) -> Readings:
    """The answer read tolerantly, by metric; nothing where its form is as asked for, or no reading finds more in it.

    `score` is one that the grader gave the answer, `tools` are the names of the functions that its variant may call.
    Never raises for what an answer holds.
    """
    if response.outcome is not Outcome.OK or not may_read_otherwise(grader, score):
        return {}
    if isinstance(grader, ToolCalls):
        return _made_of_text(grader, case, response, tools)
    as_asked = _Attempt(grader, response, None)
    if isinstance(grader, Schema | JsonEqual) and not _is_unread(grader, score):
        return _readings(as_asked, case, grade(grader, case, response))  # readable, so that only fields can be missing
    for attempt in _attempts(as_asked, extracted=not score.reason.not_extracted):
        scores = grade(attempt.grader, case, attempt.response)
        if scores and not scores[0].reason.not_extracted:
            return _readings(attempt, case, scores)
    # What was found and holds no value of the kind asked for (a field that is no date) is there.
    return _no_field_of(grader) if score.extracted_by is None and _lacks_path(grader, response) else {}


def _is_unread(grader: Grader, score: Score) -> bool:
    """Whether nothing to judge was found; a field that a family finds nothing in is one of JSON that was read."""
    return score.reason.not_extracted and not (grader.family == JsonEqual.family and score.extracted_by is not None)


def _tells_of_missing_fields(score: Score) -> bool:
    """Whether a field may be missing, by what the score says; the answer itself decides."""
    told = (score.detail, *score.evidence)
    return len(score.evidence) >= EVIDENCE_LIMIT or any(NO_SUCH_FIELD in line for line in told)


def _takes_text_as_it_stands(grader: Grader) -> bool:
    return not grader.reads_json and any(
        not isinstance(step, JsonStep) and step is not TextStep.FENCED for step in grader.extract
    )


def _attempts(as_asked: _Attempt, *, extracted: bool) -> Iterator[_Attempt]:
    """The ways to read an answer that come after those that the suite asks for, which yielded something if `extracted`.

    Text that is taken as it stands is always readable, so there what stands in a fence comes before it.
    """
    grader, response = as_asked.grader, as_asked.response
    bare = unfenced(response.text)
    fenced = [] if bare == response.text else [_Attempt(grader, replace(response, text=bare), FormatCause.CODE_FENCE)]
    yield from fenced
    if extracted:
        yield as_asked
    lenient = tuple(_first_objects(grader))
    if lenient:
        cause = FormatCause.PROSE if first_object_is_json(response.text) else FormatCause.MALFORMED
        yield _Attempt(grader.model_copy(update={"extract": lenient}), response, cause)


def _first_objects(grader: Grader) -> Iterator[JsonStep]:
    """The JSON steps of a grader, each as it finds the first object; none that is one already."""
    for step in grader.extract:
        if isinstance(step, JsonStep) and step.mode is not JsonMode.FIRST_OBJECT:
            yield step.model_copy(update={"mode": JsonMode.FIRST_OBJECT})
        elif grader.reads_json and step in (TextStep.WHOLE_TEXT, TextStep.FENCED):
            yield JsonStep(path="$", mode=JsonMode.FIRST_OBJECT)


def _readings(attempt: _Attempt, case: Case, scores: Sequence[Score]) -> dict[str, Reading]:
    found = {}
    if attempt.cause is not None:
        for score in scores:
            if score.value is not None and score.passed is not None:
                found[score.metric] = Reading(score.value, score.passed, attempt.cause)
    return {**found, **_missing_fields(attempt, case, scores)}


# ------------------------------------------------------------------------------------------------------ missing fields


def _missing_fields(attempt: _Attempt, case: Case, scores: Sequence[Score]) -> dict[str, Reading]:
    """Readings of metrics that ask for a field that the JSON does not have; `not: true` may ask for just that."""
    grader = attempt.grader
    if grader.negate or scores[0].value in (None, 1.0):
        return {}
    try:
        if isinstance(grader, Schema) and scores[0].reason is Reason.SCHEMA_VIOLATION:
            value = grader.value_in(attempt.response).value
            return {grader.name: NO_FIELD} if grader.lacks_fields_only(value) else {}
        if isinstance(grader, JsonEqual):
            return _missing_of(
                grader, grader.missing_fields(case, grader.value_in(attempt.response).value), scores, attempt
            )
    except (NotExtractedError, CannotGradeError, SnapdriftError):
        return {}
    return {}


def _missing_of(
    grader: JsonEqual, missing: Sequence[str], scores: Sequence[Score], attempt: _Attempt
) -> dict[str, Reading]:
    """Each missing field holds nothing to judge; in the mean, its share is form and the rest is judged."""
    mean = scores[0]
    if not missing or mean.value is None:
        return {}
    value = min(1.0, mean.value + len(missing) / len(grader.fields or missing))
    lacking = {grader.metric_of(field) for field in missing} | {mean.metric} | grader.less_is_better
    passed = all(score.passed for score in scores if score.metric not in lacking)
    whole = Reading(value, passed, attempt.cause or FormatCause.MISSING_FIELD)
    return {grader.name: whole, **{grader.metric_of(field): NO_FIELD for field in missing}}


def _no_field_of(grader: Grader) -> dict[str, Reading]:
    """That the field is missing, for each metric; it is the worst there is, which is 1 where less is better."""
    worst = {metric.name: 0.0 if metric.higher_is_better else 1.0 for metric in grader.metrics}
    return {name: replace(NO_FIELD, value=value) for name, value in worst.items()}


def _lacks_path(grader: Grader, response: Response) -> bool:
    """Whether the answer is (or holds) JSON in which no path of the grader leads anywhere."""
    if not any(isinstance(step, JsonStep) and step.path != "$" for step in grader.extract):
        return False
    for mode in (JsonMode.FENCED, JsonMode.FIRST_OBJECT):
        try:
            return isinstance(read_json(response.text, mode), dict | list)
        except InvalidJsonError:
            continue
    return False


# ----------------------------------------------------------------------------------------------- tool calls as text


def _made_of_text(grader: ToolCalls, case: Case, response: Response, tools: Sequence[str]) -> Readings:
    """The answer graded with the calls that it writes out instead of making them."""
    calls = () if response.tool_calls else written_calls(response.text, tools or None)
    if not calls:
        return {}
    scores = grade(grader, case, replace(response, tool_calls=calls))
    return _readings(_Attempt(grader, response, FormatCause.TOOL_CALL_AS_TEXT), case, scores)
