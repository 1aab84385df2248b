"""`ModelBasedClassify`: a rubric of the registry as a judge of ours.

Its prompt becomes the criteria. The answer is no part of them: a judge of ours is shown it as quoted data.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from snapdrift.importers.evals.suite import EvalsRequest
from snapdrift.importers.names import identifier, is_usable
from snapdrift.importers.notes import Place
from snapdrift.importers.rubrics import factuality
from snapdrift.importers.sources import Source, SourceError

INPUT = "\0input"
"""What was asked, in a row that is still to get its messages."""
_FIELD = re.compile(r"\{([A-Za-z_]\w*)\}|\{\{|\}\}")
_OWN = ("input", "ideal", "messages", "id", "tags", "cluster", "tool_results", "expected")


def modelgraded(
    samples: Sequence[Place], spec: Place, request: EvalsRequest, source: Source
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], tuple[str, ...]]:
    """Rows, graders and notes of a model-graded eval. Raises `SourceError`."""
    args = spec.value.get("args") or {}
    name = str(args.get("modelgraded_spec") or args.get("modelgraded_spec_file") or "")
    if args.get("multicomp_n", 1) != 1:
        raise SourceError("it compares several answers of one case; `pairwise` compares those of two variants")
    if args.get("metaeval"):
        raise SourceError("it measures the judge against labels; `snapdrift calibrate` does")
    written = args.get("samples_renamings")
    renamed: Mapping[str, str] = written if isinstance(written, Mapping) else {}
    rows = [_row(sample, renamed) for sample in samples]
    rubric, notes = _rubric(name, args, source)
    judge: dict[str, Any] = {**rubric, "model": request.judge}
    notes = (*notes, f"{request.judge} judges, in Snapdrift's words and with a reason before the verdict (--judge)")
    return rows, [{"name": identifier(name or "judged"), "judge": judge}], notes


def _row(sample: Place, renamed: Mapping[str, str]) -> dict[str, Any]:
    """What a sample has beside its input: variables, and `expected` for what is called ideal."""
    if not isinstance(sample.value, Mapping):
        raise SourceError(f"{sample}: a sample that is no mapping")
    columns = {renamed.get(str(key), str(key)): value for key, value in sample.value.items()}
    if not isinstance(columns.get("input"), str | list):
        raise SourceError(f"{sample}: a sample without `input`")
    kept = {_variable(key): value for key, value in columns.items() if key not in ("input", "completion")}
    return {**kept, INPUT: columns["input"]}


def _variable(name: str) -> str:
    if name == "ideal":
        return "expected"
    return f"var_{name}" if name in _OWN else name


def _rubric(name: str, args: Mapping[str, Any], source: Source) -> tuple[dict[str, Any], tuple[str, ...]]:
    found = _written(name, source)
    if found is None:
        if name == "fact":
            return factuality("{{ expected }}"), ("its rubric is not beside it: the judge compares facts in our words",)
        if name == "closedqa":
            rubric = {"criteria": ["{{ criteria }}"], "sees": ["question", "answer"]}
            return rubric, ("its rubric is not beside it: the judge is asked whether the criterion holds",)
        raise SourceError(
            f"its rubric {name or '(none)'} is not in modelgraded/ beside the folder of the registry file"
        )
    outputs = found.get("input_outputs")
    if isinstance(outputs, Mapping) and len(outputs) > 1:
        raise SourceError("it shows the judge several answers; `pairwise` compares those of two variants")
    completion = str(next(iter(outputs.values()), "completion")) if isinstance(outputs, Mapping) else "completion"
    prompt = found.get("prompt")
    if isinstance(prompt, list):
        prompt = "\n\n".join(str(part.get("content")) for part in prompt if isinstance(part, Mapping))
    if not isinstance(prompt, str) or not prompt.strip():
        raise SourceError(f"its rubric {name} has no prompt")
    return _judge(name, prompt, found, args, completion)


def _written(name: str, source: Source) -> Mapping[str, Any] | None:
    """The rubric as it is written: a file of its own, or an entry of one, in `modelgraded/`."""
    for pattern in ("modelgraded/*.yaml", "modelgraded/*.yml"):
        try:
            paths = source.matching(pattern)
        except SourceError:
            continue
        for path in paths:
            if path.stem == name:
                value = source.document(path).value
                inner = value.get(name) if isinstance(value, Mapping) else None
                return inner if isinstance(inner, Mapping) else value if isinstance(value, Mapping) else None
        for path in paths:
            value = source.document(path).value
            if isinstance(value, Mapping) and isinstance(value.get(name), Mapping):
                return value[name]  # type: ignore[no-any-return]
    return None


def _judge(
    name: str, prompt: str, found: Mapping[str, Any], args: Mapping[str, Any], completion: str
) -> tuple[dict[str, Any], tuple[str, ...]]:
    given = {key: _first_text(value) for key, value in (found.get("args") or {}).items()}
    given |= {key: _first_text(value) for key, value in (args.get("modelgraded_spec_args") or {}).items()}
    choices = _choices(found)
    notes = ["its prompt is the judge's criteria; question and answer are shown apart from them, as quoted data"]
    rubric = {"criteria": [_criteria(prompt, completion, given)], "sees": ["question", "answer"]}
    scores = found.get("choice_scores")
    if scores == "from_strings":
        scores = {choice: float(choice) for choice in choices}
    if isinstance(scores, Mapping) and scores and len(set(scores.values())) > 1:
        scale = {str(choice): scores[choice] for choice in scores if isinstance(scores[choice], int | float)}
        return {"mode": "score", **rubric, "scale": scale, "pass_at": max(scale.values())}, tuple(notes)
    passing = _passing(name, choices)
    notes.append(f"it gives no scores to its choices: {', '.join(passing)} pass here; say which should (`pass_on`)")
    return {"mode": "label", **rubric, "labels": choices, "pass_on": passing}, tuple(notes)


def _choices(found: Mapping[str, Any]) -> list[str]:
    written = found.get("choice_strings")
    choices = [str(choice) for choice in written] if isinstance(written, str | list) else []
    if len(choices) < 2:
        raise SourceError("its rubric has no choices (`choice_strings`) that could be taken over")
    return choices


def _passing(name: str, choices: Sequence[str]) -> list[str]:
    if name == "fact" and list(choices) == list("ABCDE"):
        return [choice for choice in choices if choice != "D"]
    yes = [choice for choice in choices if choice.casefold() in ("y", "yes", "true")]
    return yes or [choices[0]]


def _first_text(value: Any) -> str:
    """The text of an argument that may have several; the first counts."""
    if isinstance(value, Mapping):
        value = next(iter(value.values()), "")
    return value if isinstance(value, str) else json.dumps(value)


def _criteria(prompt: str, completion: str, given: Mapping[str, str]) -> str:
    """The prompt as a criterion over a case: fields of the sample as templates, the answer spoken of."""

    def told(match: re.Match[str]) -> str:
        name = match[1]
        if name is None:
            return match[0][0]
        if name == completion:
            return "(the answer)"
        if name == "input":
            return "(the question)"
        if name in given:
            return _plain(given[name])
        variable = _variable(name)
        return f"{{{{ {variable} }}}}" if is_usable(variable) else match[0]

    pieces, position = [], 0
    for match in _FIELD.finditer(prompt):
        pieces += [_plain(prompt[position : match.start()]), told(match)]
        position = match.end()
    return "".join([*pieces, _plain(prompt[position:])]).strip()


def _plain(text: str) -> str:
    """Text in which nothing opens a template."""
    return re.sub(r"\{[{%#]", lambda found: f'{{{{ "{found[0]}" }}}}', text)
