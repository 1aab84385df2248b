"""Results that promptfoo wrote (`promptfoo eval -o results.json`), by its documentation of output formats."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from snapdrift.importers.notes import Notes
from snapdrift.importers.outputs.bodies import messages_of
from snapdrift.importers.outputs.record import Answer


def is_results(value: Any) -> bool:
    """Whether a JSON value is such a file."""
    return isinstance(value, Mapping) and isinstance(_results(value), list)


def _results(value: Mapping[str, Any]) -> Any:
    inner = value.get("results")
    return inner.get("results") if isinstance(inner, Mapping) else None


def answers(value: Mapping[str, Any], file: str, notes: Notes) -> Iterator[Answer]:
    """Each result as an answer of its provider and prompt; errors are noted."""
    results = _results(value)
    prompts = {json.dumps(_prompt_of(one), default=str) for one in results if isinstance(one, Mapping)}
    for number, one in enumerate(results):
        place = f"{file}: results[{number}]"
        if not isinstance(one, Mapping):
            continue
        response = one.get("response")
        output = response.get("output") if isinstance(response, Mapping) else None
        if output is None:
            notes.left_out(place, "a result", f"has no output: {_why(one)}")
            continue
        variables = one.get("vars")
        provider = one.get("provider")
        provider = provider if isinstance(provider, Mapping) else {"id": provider}
        name = str(provider.get("label") or provider.get("id") or "promptfoo")
        label = _prompt_of(one)
        yield Answer(
            place,
            output if isinstance(output, str) else json.dumps(output, ensure_ascii=False),
            asked=_asked(one),
            variables=variables if isinstance(variables, Mapping) else {},
            model=str(provider.get("id") or "").rpartition(":")[2] or None,
            variant=name if len(prompts) < 2 else f"{label[:40]}/{name}",
        )


def _why(one: Mapping[str, Any]) -> str:
    return " ".join(str(one.get("error") or "it was not answered").split())[:120]


def _prompt_of(one: Mapping[str, Any]) -> str:
    index = one.get("promptIdx")
    if isinstance(index, int):
        return f"prompt-{index + 1}"
    prompt = one.get("prompt")
    return str(prompt.get("label") or "") if isinstance(prompt, Mapping) else ""


def _asked(one: Mapping[str, Any]) -> tuple[tuple[str, str], ...] | None:
    prompt = one.get("prompt")
    raw = prompt.get("raw") if isinstance(prompt, Mapping) else None
    if not isinstance(raw, str):
        return None
    return messages_of(raw)
