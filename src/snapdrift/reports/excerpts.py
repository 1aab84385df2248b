"""What was asked and answered of a case, for summaries that may hold it (`privacy: {comment: text}`)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from snapdrift.reports.view import CaseView


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str, skipkeys=True)


def excerpts(view: CaseView) -> Iterator[tuple[str, str]]:
    """What a case is about, as pairs of a name and a text: the question, what is expected, and each side of a change.

    Of a variant's answers the first is told, and why its graders failed it. Nothing is cut or escaped.
    """
    prompts = list(dict.fromkeys(prompt.text for prompt in view.prompts.values()))
    asked = prompts[0] if len(prompts) == 1 else _text(dict(view.case.variables))
    yield "asked", asked
    if view.case.expected is not None:
        yield "expected", _text(view.case.expected)
    sides = dict.fromkeys(side for change in view.changes for side in (change.baseline, change.candidate))
    for side in sides:
        answer = next((one for one in view.answers if one.variant == side), None)
        if answer is None or answer.response is None:
            continue
        if answer.response.said:
            yield side, answer.response.said
        details = dict.fromkeys(s.detail for s in answer.scores if s.detail and s.passed is False)
        yield from ((f"{side} fails", detail) for detail in details)
