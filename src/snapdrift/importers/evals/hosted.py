"""Evals of OpenAI's hosted API, as it gives them: the eval, its runs, and their output items.

The forms are those of the API reference (Evals, 2026-08). A file may be one eval, a list of objects, a page of a list,
an object with several under names of their own, or JSONL; what is in it is told by `object` and by its keys.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from snapdrift.graders.openai_evals import map_grader
from snapdrift.graders.openai_templates import NoEquivalentError, Variables, as_ours, read_template
from snapdrift.importers.entries import suite_entry, variants_of
from snapdrift.importers.evals.items import Item, columns, items_of, recorded
from snapdrift.importers.evals.suite import EvalsRequest
from snapdrift.importers.made import Made, MadeSuite, jsonl
from snapdrift.importers.names import Unique, file_name, label
from snapdrift.importers.notes import Notes, Place
from snapdrift.importers.sources import Source, SourceError

MAX_DEPTH = 6
_SETTINGS = {"temperature": "temperature", "top_p": "top_p", "max_completion_tokens": "max_output_tokens"}
_SETTINGS |= {"max_completions_tokens": "max_output_tokens", "max_tokens": "max_output_tokens"}
_SETTINGS |= {"text": "text", "reasoning": "reasoning", "tools": "tools", "seed": "seed"}


@dataclass(slots=True)
class _Export:
    """The objects of an export, told apart."""

    evals: list[Place] = field(default_factory=list)
    runs: list[Place] = field(default_factory=list)
    items: list[Place] = field(default_factory=list)


def import_hosted(request: EvalsRequest) -> Made:
    """The suites of an export. Raises `SourceError` where there is no eval in it."""
    file, notes = request.file.resolve(), Notes()
    source = Source(file.parent, file.parent)
    export = _Export()
    places = source.lines(file) if file.suffix.lower() == ".jsonl" else [Place(source.document(file))]
    for place in places:
        _collect(place, export, 0)
    if request.data is not None:
        data = request.data.resolve()
        export.items += Source(data.parent, data.parent).rows(data)
    if not export.evals:
        raise SourceError(f"{file.name}: no eval in it; expected an object with `testing_criteria`")
    names = Unique(between="-")
    suites = [suite for place in export.evals for suite in _suites(place, export, names, request, notes)]
    return Made(file.name, tuple(suites), notes)


def _collect(place: Place, export: _Export, depth: int) -> None:
    value = place.value
    if depth > MAX_DEPTH:
        return
    if isinstance(value, list):
        for index in range(len(value)):
            _collect(place.at(index), export, depth + 1)
    elif isinstance(value, Mapping):
        if "testing_criteria" in value:
            export.evals.append(place)
        elif value.get("object") == "eval.run.output_item" or "datasource_item" in value:
            export.items.append(place)
        elif value.get("object") == "eval.run" or "data_source" in value:
            export.runs.append(place)
        elif "item" in value and isinstance(value["item"], Mapping):
            export.items.append(place)
        for key in ("data", "eval", "evals", "run", "runs", "output_items", "items"):
            if isinstance(value.get(key), list | Mapping) and not ("item" in value and key == "items"):
                _collect(place.at(key), export, depth + 1)


def _suites(place: Place, export: _Export, names: Unique, request: EvalsRequest, notes: Notes) -> Iterator[MadeSuite]:
    """The suite that asks what the runs asked, and one of the answers that the export holds.

    They are two: a judge on the stand-in does not judge what a model answered.
    """
    value = place.value
    only = len(export.evals) == 1
    of_it = [run for run in export.runs if only or run.value.get("eval_id") == value.get("id")]
    mine = {run.value.get("id") for run in of_it}
    rows = [row for row in export.items if only or row.value.get("run_id") in mine]
    items = items_of(of_it, rows, notes)
    if not items:
        raise SourceError(f"{place}: no items: neither a run nor the file holds them; --data FILE (JSONL) names them")
    name = (
        request.name if request.name and only else names.of(file_name(str(value.get("name") or value.get("id") or "")))
    )
    renamed = columns(items)
    graders, files = _graders(place.at("testing_criteria"), name, renamed, notes)
    head = {"description": str(value.get("name") or ""), "dataset": f"datasets/{name}.jsonl"}
    asked = _asked(of_it, items, renamed, request, name, notes)
    cases = [item.row for item in items]
    if asked is not None:
        entry = suite_entry({"suite": name, **head}, asked, graders, len(items), notes)
        yield MadeSuite(name, entry, cases, files)
    variants, answers = _recorded(items, name)
    if variants:
        called = f"{name}-recorded" if asked is not None else name
        entry = suite_entry({"suite": called, **head}, {"variants": variants}, graders, len(items), notes)
        yield MadeSuite(called, entry, cases, {**files, **answers})
    elif asked is None:
        raise SourceError(f"{place}: neither a run says what was asked, nor is there an answer to any item")


def _pointed(value: Any, path: str, own: str) -> Any:
    """An entry in which a function of one file is that of another."""
    if isinstance(value, Mapping):
        return {key: _pointed(item, path, own) for key, item in value.items()}
    if isinstance(value, list):
        return [_pointed(item, path, own) for item in value]
    prefix = f"{path}:"
    return f"{own}:{value.removeprefix(prefix)}" if isinstance(value, str) and value.startswith(prefix) else value


def _recorded(items: Sequence[Item], name: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Variants of the answers that the export holds, and their files."""
    names = Unique(between="-")
    variants: dict[str, Any] = {}
    files: dict[str, str] = {}
    for called, rows in recorded(items).items():
        variant = names.of(label(called))
        path = f"datasets/outputs/{name}-{file_name(variant)}.jsonl"
        files[path] = jsonl(rows)
        variants[variant] = {"outputs": path}
    return variants, files


def _graders(
    place: Place, suite: str, renamed: Mapping[str, str], notes: Notes
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The graders that have an equivalent, and the files that they need."""
    made: list[dict[str, Any]] = []
    files: dict[str, str] = {}
    names = Unique()
    for one in place.each():
        written = one.value if isinstance(one.value, Mapping) else {}
        mapped = map_grader(written, renamed=renamed)
        if mapped.entry is None:
            notes.left_out(one, f"the grader {mapped.name}", "; ".join(mapped.reasons))
            continue
        for note in mapped.notes:
            notes.changed(one, f"the grader {mapped.name}", note)
        entry = {**mapped.entry, "name": names.of(mapped.name)}
        for path, text in mapped.files.items():
            own = f"graders/{suite}-{path.rpartition('/')[2]}"  # another eval may have a grader of this name
            entry = _pointed(entry, path, own)
            files[own] = text
        made.append(entry)
    if not made:
        why = "no grader was taken over: an answer that is no refusal is asked for, and no more"
        notes.changed(place, "the graders", why)
        made.append({"name": "agreed", "refusal": False})
    return made, files


# ------------------------------------------------------------------------------------------------------- what was asked


def _asked(
    runs: Sequence[Place],
    items: Sequence[Item],
    renamed: Mapping[str, str],
    request: EvalsRequest,
    name: str,
    notes: Notes,
) -> dict[str, Any] | None:
    """Prompt and variants of the runs, None where no run says what was asked."""
    prompt: dict[str, Any] | None = None
    asked: dict[str, dict[str, Any]] = {}
    for run in runs:
        try:
            prompt = prompt or _prompt(run, renamed)
        except NoEquivalentError as error:
            notes.left_out(run.at("data_source", "input_messages"), "the messages of a run", str(error))
        model = run.value.get("model") or run.at("data_source", "model").value
        if isinstance(model, str) and model not in asked:
            asked[model] = _settings(run.at("data_source", "sampling_params"), notes)
    if prompt is None and _messages_in(items):
        prompt = {"input": "{{ messages }}"}
    if prompt is None:
        notes.changed("", f"the variants of {name}", "no run says what was asked: the answers are compared")
        return None
    if not asked:
        asked = {model: {} for model in request.models}
        notes.changed("", f"the models of {name}", f"no run names one: {', '.join(asked)} are asked (--model)")
    variants = {
        variant: {**entry, **({"request": own} if own else {})}
        for (variant, entry), own in zip(variants_of(list(asked)).items(), asked.values(), strict=True)
    }
    return {"prompt": prompt, "request": {"max_output_tokens": 1024}, "variants": variants}


def _messages_in(items: Sequence[Item]) -> bool:
    return all("messages" in item.row for item in items)


def _prompt(run: Place, renamed: Mapping[str, str]) -> dict[str, Any] | None:
    """What a run asks, as a prompt of ours; None where it says nothing. Raises `NoEquivalentError`."""
    messages = run.at("data_source", "input_messages").value
    if not isinstance(messages, Mapping):
        return None
    reference = messages.get("item_reference")
    if isinstance(reference, str):
        written = reference if reference.startswith("{{") else f"{{{{ {reference} }}}}"
        return {"input": as_ours(read_template(written), Variables(renamed))}
    template = messages.get("template")
    if not isinstance(template, list) or not template:
        return None
    return {"input": [_message(message, renamed) for message in template]}


def _message(message: Any, renamed: Mapping[str, str]) -> dict[str, Any]:
    role = message.get("role") if isinstance(message, Mapping) else None
    if role not in ("user", "assistant", "system", "developer"):
        raise NoEquivalentError(f"a message of the role {role!r}")
    return {"role": role, "content": "".join(_texts(message.get("content"), renamed))}


def _texts(content: Any, renamed: Mapping[str, str]) -> Iterator[str]:
    for part in content if isinstance(content, list) else [content]:
        text = part.get("text") if isinstance(part, Mapping) else part
        if not isinstance(text, str):
            raise NoEquivalentError("a message holds something else than text (an image, a file)")
        pieces = read_template(text)
        if any(not isinstance(piece, str) and piece.root != "item" for piece in pieces):
            raise NoEquivalentError("a message speaks of the answer, which is not there yet")
        yield as_ours(pieces, Variables(renamed))


def _settings(place: Place, notes: Notes) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in place.value.items() if isinstance(place.value, Mapping) else ():
        if value is None:
            continue
        if key == "response_format" and isinstance(value, Mapping):
            inner = value.get("json_schema")
            made["text"] = {"format": {"type": value.get("type"), **(inner if isinstance(inner, Mapping) else {})}}
        elif key == "reasoning_effort":
            made["reasoning"] = {"effort": value}
        elif key in _SETTINGS and key != "seed":
            made[_SETTINGS[key]] = json.loads(json.dumps(value))
        else:
            notes.left_out(place.at(key), f"`{key}` of a run", "the endpoint responses does not take it")
    return made
