"""The examples that families bring: an answer, what it takes to grade it, and a grader, as YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from snapdrift.model import CallKey, Case, Outcome, Response, ToolCall, Usage
from snapdrift.suites.document import parse_document

BASELINE = "baseline"
"""The variant whose answer `baseline_answer` is."""
_VARIANT, _MODEL = "candidate", "gpt-4o-2024-11-20"
_RESPONSE_KEYS = ("answer", "baseline_answer", "calls", "outcome", "refusal", "response")
_KEYS = frozenset(("grader", "expected", "files", "passes", "verdict", "verdicts", *_RESPONSE_KEYS))


@dataclass(frozen=True, slots=True)
class Example:
    """One example: `grader` is its entry, which the response passes unless `passes` is false.

    `verdicts` are the texts that judges answer with, in the order of what is needed; `files` are those of the
    workspace; `others` the answers of other variants to the same case.
    """

    grader: Mapping[str, Any]
    case: Case
    response: Response
    passes: bool
    verdicts: tuple[str, ...]
    files: Mapping[str, str]
    others: Mapping[str, Response]


def read_example(text: str) -> Example:
    """The example in a YAML text.

    Keys: `grader`, `answer` (text), `calls` (`{name, arguments}`), `outcome`, `refusal` (the API's refusal field),
    `response` (further fields of the response), `expected`, `verdict` or `verdicts`, `baseline_answer`, `files`,
    `passes`; every other key is a variable of the case.
    """
    written: dict[str, Any] = parse_document(text, "example").value
    refusal = written.get("refusal")
    further = dict(written.get("response", {}))
    if "usage" in further:
        further["usage"] = Usage(**further["usage"])
    outcome = written.get("outcome", Outcome.OK if refusal is None else Outcome.REFUSED)
    calls = enumerate(written.get("calls", ()), start=1)
    verdict = written.get("verdict")
    others = {}
    if "baseline_answer" in written:
        others[BASELINE] = _response(BASELINE, written["baseline_answer"])
    return Example(
        grader=written["grader"],
        case=Case(
            "example", {key: value for key, value in written.items() if key not in _KEYS}, written.get("expected")
        ),
        response=_response(
            _VARIANT,
            written.get("answer", ""),
            Outcome(outcome),
            refusal=refusal,
            tool_calls=tuple(ToolCall(f"call_{number}", call["name"], call["arguments"]) for number, call in calls),
            **further,
        ),
        passes=written.get("passes", True),
        verdicts=tuple(written.get("verdicts", () if verdict is None else (verdict,))),
        files=written.get("files", {}),
        others=others,
    )


def _response(variant: str, text: str, outcome: Outcome = Outcome.OK, **further: Any) -> Response:
    return Response(CallKey("example", variant, 0), outcome, _MODEL, text=text, **further)
