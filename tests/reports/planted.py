"""A run with a word of its own planted in every place that can hold somebody's text."""

from __future__ import annotations

from dataclasses import replace

from tests.reports.held import changed, held

from snapdrift.conclusions import Decision
from snapdrift.explanations import Attribution, Explanation, FailureGroup, Part
from snapdrift.model import (
    Attempt,
    Case,
    Failure,
    FailureKind,
    Outcome,
    Reason,
    Response,
    Score,
    Step,
    ToolCall,
    ToolResult,
    Variant,
)
from snapdrift.reports import RunData
from snapdrift.reports.asked import MediaView, PromptView

STOPPED = "the-host-said: no more"
ANSWER = ("text", "refusal", "call-name", "call-arguments", "step-text", "step-call", "result", "matched")
PROMPT = ("prompt", "file-name", "address", "tool-definition", "said")
WORDS = ("detail", "evidence", "extracted", "fact", "failure", "attempt", "code", "told", "raw", "pattern", "example")
"""What graders and hosts say: none of it is shown once anything is redacted."""
COLUMNS = ("question", "context")
TOOL = "look_up"


def word(place: str) -> str:
    """The word that is planted in a place; no other text of a run holds it."""
    return f"planted-{place}-word"


def planted(data: RunData) -> RunData:
    """The run, with a word in each place of its first three cases, and tools declared to its variants."""
    cases = tuple(_case(case) for case in held(data).cases)
    first, refused, failed = (case.id for case in cases[:3])
    given = {first: _answered, refused: _refused, failed: _failed}
    responses = tuple(given.get(r.call.case_id, _bare)(r) for r in held(data).responses)
    evaluation = data.evaluation
    reasons = (*evaluation.decision.reasons, STOPPED)
    return changed(
        data,
        cases=cases,
        variants=tuple(_with_tool(variant) for variant in data.variants),
        responses=responses,
        scores=tuple(map(_score, held(data).scores)),
        evaluation=replace(
            evaluation,
            decision=Decision(evaluation.decision.word, reasons, (f"asked: {STOPPED}",)),
            attributions=(_explanation(first),),
        ),
        prompt=lambda _case, _variant: _PROMPT,
    )


_PROMPT = PromptView(
    word("prompt"),
    (MediaView("image", word("file-name"), word("address")),),
    f'[{{"type": "function", "name": "{TOOL}", "description": "{word("tool-definition")}"}}]',
)


def _case(case: Case) -> Case:
    return replace(
        case,
        variables={name: word(name) for name in COLUMNS},
        expected={"queue": word("expected")},
        tool_results={TOOL: word("tool_results")},
    )


def _with_tool(variant: Variant) -> Variant:
    return replace(variant, request={"tools": [{"type": "function", "name": TOOL}]})


def _answered(response: Response) -> Response:
    arguments = f'{{"order": "{word("call-arguments")}"}}'
    step = Step(
        0,
        word("step-text"),
        (ToolCall("1", TOOL, word("step-call")),),
        (ToolResult("1", TOOL, word("result"), word("matched")),),
        (word("said"),),
        ("user",),
    )
    return replace(
        response,
        outcome=Outcome.OK,
        text=f"{response.call.variant == 'november'} {word('text')}",
        raw=word("raw"),
        tool_calls=(*step.tool_calls, ToolCall("2", TOOL, arguments), ToolCall("3", word("call-name"), "{}")),
        steps=(step,),
    )


def _refused(response: Response) -> Response:
    return replace(response, outcome=Outcome.REFUSED, text="", refusal=word("refusal"), detail=word("told"))


def _failed(response: Response) -> Response:
    failure = Failure(FailureKind.BAD_REQUEST, word("failure"), retryable=False, status=400, code=word("code"))
    attempt = Attempt(1, "2026-11-22T14:04:00+00:00", 3.0, replace(failure, message=word("attempt")))
    return replace(response, outcome=Outcome.API_ERROR, text="", failure=failure, attempts=(attempt,))


def _bare(response: Response) -> Response:
    return replace(response, text="billing")


def _score(score: Score) -> Score:
    return replace(
        score,
        detail=word("detail"),
        extracted=word("extracted"),
        evidence=(word("evidence"),),
        facts={"a": word("fact")},
    )


def _explanation(case_id: str) -> Explanation:
    content = Part(None, -0.1, (case_id,))
    attribution = Attribution("queue", "august", "november", 30, -0.1, 0.0, -0.1, None, None, (), content, 0)
    group = FailureGroup(Reason.WRONG, word("pattern"), word("example"), (case_id,), 3, 1)
    return Explanation(attribution, groups=(group,))
