"""Evals of the open registry: a YAML file that names classes and samples, with the samples in JSONL.

Classes, arguments and the layout of the folders are those of the openai/evals repository (docs/build-eval.md,
evals/elsuite/basic, evals/elsuite/modelgraded).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from snapdrift.importers.entries import suite_entry, variants_of
from snapdrift.importers.evals.modelgraded import INPUT, modelgraded
from snapdrift.importers.evals.suite import EvalsRequest
from snapdrift.importers.made import Made, MadeSuite
from snapdrift.importers.names import Unique, file_name
from snapdrift.importers.notes import Notes, Place, others
from snapdrift.importers.sources import Source, SourceError
from snapdrift.suites.strict_json import loads_strictly

_EXAMPLES = {"example_user": "user", "example_assistant": "assistant"}
_ROLES = ("user", "assistant", "system", "developer")
_ARGS = (
    "samples_jsonl", "max_tokens", "num_few_shot", "few_shot_jsonl", "ignore_case", "modelgraded_spec",
    "modelgraded_spec_file", "modelgraded_spec_args", "eval_type", "samples_renamings", "metaeval", "match_fn",
    "multicomp_n", "multicomp_temperature",
)  # fmt: skip


def import_registry(request: EvalsRequest) -> Made:
    """A suite for each eval of a registry file. Raises `SourceError` where there is none that can be taken over."""
    file, notes = request.file.resolve(), Notes()
    # Samples and rubrics stand beside the folder `evals/`, in `data/` and `modelgraded/`.
    root = file.parent.parent if file.parent.name == "evals" else file.parent
    source = Source(root, root)
    registry = Place(source.document(file))
    suites: list[MadeSuite] = []
    names = Unique(between="-")
    for name, spec in _specs(registry, request, notes):
        own = Notes()
        try:
            suites.append(_suite(name, names, spec, request, source, own))
            notes.said |= own.said
        except SourceError as error:
            notes.left_out(spec, f"the eval {name}", str(error))
    if not suites:
        told = "".join(f"\n  {note}" for note in notes.said)
        raise SourceError(f"{file.name}: no eval that can be taken over{told}")
    return Made(file.name, tuple(suites), notes)


def _specs(registry: Place, request: EvalsRequest, notes: Notes) -> Iterator[tuple[str, Place]]:
    """Each eval by the name that it is run by, with the place of the entry that has its class."""
    value = registry.value
    if not isinstance(value, Mapping):
        raise SourceError(f"{registry}: no registry of evals; expected a mapping of names to evals")
    named = {str(entry["id"]) for entry in value.values() if isinstance(entry, Mapping) and "id" in entry}
    wanted = list(request.evals)
    unknown = [name for name in wanted if name not in value]
    if unknown:
        raise SourceError(f"{registry}: no eval {unknown[0]}; expected one of {', '.join(map(str, value))}")
    for name, entry in value.items():
        if not isinstance(entry, Mapping) or (wanted and name not in wanted):
            continue
        if "class" in entry and (name not in named or name in wanted):
            yield str(name), registry.at(name)
        elif isinstance(entry.get("id"), str):
            target = registry.at(entry["id"])
            if target.value is None:
                notes.left_out(registry.at(name, "id"), f"the eval {name}", f"there is no entry {entry['id']}")
            else:
                yield str(name), target


def _suite(name: str, names: Unique, spec: Place, request: EvalsRequest, source: Source, notes: Notes) -> MadeSuite:
    args = spec.value.get("args") if isinstance(spec.value.get("args"), Mapping) else {}
    kind = str(spec.value.get("class") or "").rpartition(":")[2]
    for key in others(args, _ARGS):
        notes.left_out(spec.at("args", key), f"`{key}` of {name}", "has no counterpart")
    make = _CLASSES.get(kind)
    if make is None:
        raise SourceError(f"the class {kind or '(none)'} has no counterpart; expected one of {', '.join(_CLASSES)}")
    samples = _samples(args, request, source)
    shots = _shots(args, source, notes, spec)
    rows, graders, rubric_notes = make(samples, spec, request, source)
    for note in rubric_notes:
        notes.changed(spec, name, note)
    suite = names.of(request.name if request.name and len(request.evals) == 1 else file_name(name))
    asked = [
        _row(number, sample, row, shots, notes) for number, (sample, row) in enumerate(zip(samples, rows, strict=True))
    ]
    cap = args.get("max_tokens", 512 if kind != "ModelBasedClassify" else 1024)
    head = {"suite": suite, "description": str(spec.value.get("description") or f"The eval {name}.")}
    entry = suite_entry(
        {**head, "dataset": f"datasets/{suite}.jsonl"},
        {
            "prompt": {"input": "{{ messages }}"},
            "request": {"temperature": 0, "max_output_tokens": max(16, int(cap) if isinstance(cap, int) else 512)},
            "variants": variants_of(request.models),
        },
        graders,
        len(asked),
        notes,
    )
    notes.changed(
        spec, f"the models of {name}", f"a registry names none: {', '.join(request.models)} are asked (--model)"
    )
    return MadeSuite(suite, entry, asked, notes=notes)


# -------------------------------------------------------------------------------------------------------------- samples


def _samples(args: Mapping[str, Any], request: EvalsRequest, source: Source) -> list[Place]:
    if request.data is not None:
        own = Source(request.data.resolve().parent, request.data.resolve().parent)
        return own.lines(request.data.resolve())
    return source.lines(_data(str(args.get("samples_jsonl") or ""), source))


def _data(text: str, source: Source) -> Path:
    if not text:
        raise SourceError("it names no samples (`samples_jsonl`)")
    told = None
    for place in (f"data/{text}", text):
        try:
            return source.path(place)
        except SourceError as error:
            told = told or error
    raise SourceError(f"its samples {text} are not there ({told}); `--data FILE` names them")


def _shots(args: Mapping[str, Any], source: Source, notes: Notes, spec: Place) -> list[dict[str, Any]]:
    """Messages of examples that every case begins with."""
    number = args.get("num_few_shot", 0)
    if not isinstance(number, int) or number < 1 or not args.get("few_shot_jsonl"):
        return []
    made: list[dict[str, Any]] = []
    for place in source.lines(_data(str(args["few_shot_jsonl"]), source))[:number]:
        sample = place.value.get("sample") if isinstance(place.value, Mapping) else None
        if isinstance(sample, list):
            made += [_message(message, notes, spec) for message in sample]
    return made


def _row(number: int, sample: Place, row: Mapping[str, Any], shots: Sequence[Any], notes: Notes) -> dict[str, Any]:
    written = row.get(INPUT, sample.value.get("input"))
    if isinstance(written, str):
        messages = [*shots, {"role": "user", "content": written}]
    else:
        own = [_message(message, notes, sample) for message in written]
        messages = [*own[:-1], *shots, *own[-1:]]
    return {"id": f"sample-{number + 1:04d}", "messages": messages, **{k: v for k, v in row.items() if k != INPUT}}


def _message(message: Any, notes: Notes, place: Place) -> dict[str, Any]:
    if not isinstance(message, Mapping) or message.get("role") not in _ROLES:
        raise SourceError(f"{place}: a message that suites do not have: {json.dumps(message, default=str)[:80]}")
    role, name = message["role"], message.get("name")
    if name in _EXAMPLES and role == "system":
        role = _EXAMPLES[name]
        notes.changed("", f"messages of the role system called {name}", f"are asked as messages of the role {role}")
    content = message.get("content")
    return {"role": role, "content": content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)}


# -------------------------------------------------------------------------------------------------------------- classes

_Graded = tuple[list[dict[str, Any]], list[dict[str, Any]], tuple[str, ...]]


def _ideals(sample: Place) -> list[str]:
    value = sample.value.get("ideal") if isinstance(sample.value, Mapping) else None
    ideals = value if isinstance(value, list) else [value]
    if not isinstance(sample.value, Mapping) or not isinstance(sample.value.get("input"), str | list):
        raise SourceError(f"{sample}: a sample without `input`")
    if not ideals or not all(isinstance(ideal, str | int | float) for ideal in ideals):
        raise SourceError(f"{sample}: a sample without `ideal`")
    return [str(ideal) for ideal in ideals]


def _with_ideals(samples: Sequence[Place]) -> list[dict[str, Any]]:
    return [{"expected": _ideals(sample)} for sample in samples]


def _match(samples: Sequence[Place], spec: Place, request: EvalsRequest, source: Source) -> _Graded:
    del spec, request, source
    return _with_ideals(samples), [{"name": "match", "starts_with": "{{ expected }}", "normalise": []}], ()


def _includes(samples: Sequence[Place], spec: Place, request: EvalsRequest, source: Source) -> _Graded:
    del request, source
    folded = {"normalise": ["casefold"]} if spec.at("args", "ignore_case").value is True else {}
    return _with_ideals(samples), [{"name": "includes", "contains": {"any": "{{ expected }}"}, **folded}], ()


def _fuzzy(samples: Sequence[Place], spec: Place, request: EvalsRequest, source: Source) -> _Graded:
    del spec, request, source
    normalise = ["casefold", "punctuation", "whitespace"]
    parts = [
        {"name": "has_it", "contains": {"any": "{{ expected }}"}, "normalise": normalise},
        {"name": "same_words", "similarity": "{{ expected }}", "measure": "token_f1", "at_least": 1.0},
    ]
    note = "an answer that is only a part of an ideal one passed in the original, and does not here"
    return _with_ideals(samples), [{"name": "fuzzy_match", "any": parts}], (note,)


def _json(samples: Sequence[Place], spec: Place, request: EvalsRequest, source: Source) -> _Graded:
    del spec, request, source
    rows = []
    for sample in samples:
        try:
            rows.append({"expected": [loads_strictly(ideal) for ideal in _ideals(sample)]})
        except (ValueError, RecursionError) as error:
            raise SourceError(f"{sample}: an ideal that is not JSON: {error}") from None
    grader = {
        "name": "json_match",
        "path": {"$": {"one_of": "{{ expected }}"}},
        "extract": {"json": "$", "mode": "strict"},
    }
    return rows, [grader], ()


def _valid_json(samples: Sequence[Place], spec: Place, request: EvalsRequest, source: Source) -> _Graded:
    del spec, request, source
    for sample in samples:
        if not isinstance(sample.value, Mapping) or not isinstance(sample.value.get("input"), str | list):
            raise SourceError(f"{sample}: a sample without `input`")
    return [{} for _ in samples], [{"name": "json_valid", "well_formed": "json"}], ()


_CLASSES: Mapping[str, Callable[[Sequence[Place], Place, EvalsRequest, Source], _Graded]] = {
    "Match": _match,
    "Includes": _includes,
    "FuzzyMatch": _fuzzy,
    "JsonMatch": _json,
    "JsonValidator": _valid_json,
    "ModelBasedClassify": modelgraded,
}
