"""Answers obtained elsewhere as variants of a suite that is there: matched with its cases, and named in its file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snapdrift.errors import UsageError
from snapdrift.pipeline.importing import Imported, ImportOptions, check_made, require_all, workspace_of, write_files

if TYPE_CHECKING:
    from snapdrift.importers.notes import Notes
    from snapdrift.importers.outputs.record import Messages
    from snapdrift.importers.outputs.suite import OutputsRequest
    from snapdrift.model import Case
    from snapdrift.suites.resolved import Suite
    from snapdrift.suites.workspace import Workspace

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class _Insertion:
    """A suite's text with further variants; `text` is None where its form leaves no place for them."""

    text: str | None
    lines: tuple[str, ...]


def added_to_suite(request: OutputsRequest, options: ImportOptions, path: Path) -> Imported:
    """Writes the answers that are of the suite's cases, and names them as variants in its file.

    The file keeps every other line. Where a variant cannot be put in, the line to add is told instead.
    """
    from snapdrift.importers.made import jsonl
    from snapdrift.importers.notes import Kind, Notes
    from snapdrift.importers.outputs.matching import Index, matched
    from snapdrift.importers.outputs.rows import read_answers
    from snapdrift.importers.outputs.suite import outputs_path

    workspace = workspace_of(path)
    suite = _loaded(path, workspace)
    notes = Notes()
    answers = read_answers(request.file, request.columns, notes)
    index = Index.of(suite.cases, lambda case: _asked(suite, case))
    repeats = max(suite.repeats, *(suite.repeats_for(gate) for gate in suite.gates), 1)
    found = matched(answers, index.find, repeats, request.called, notes)
    if not found.rows:
        raise UsageError(f"{request.file.name}: no answer to a case of {suite.name}{_some(notes)}")
    _require_new(suite, list(found.rows), options)
    left_out = notes.of(Kind.LEFT_OUT)
    require_all(request.file.name, left_out, options)
    paths = {variant: outputs_path(suite.name, variant) for variant in found.rows}
    write_files(workspace.root, {paths[v]: jsonl(rows) for v, rows in found.rows.items()}, force=options.force)
    new = {variant: paths[variant] for variant in found.rows if variant not in suite.variants}
    put = _put_in(path, new) if new else _Put()
    counts = ", ".join(f"{variant}: {_covered(rows, suite)}" for variant, rows in found.rows.items())
    return Imported(
        request.file.name,
        workspace.root,
        (workspace.shown(path),),
        (counts,),
        tuple(paths.values()),
        left_out,
        notes.of(Kind.CHANGED),
        put.problems,
        (put.told,) if put.told else (),
    )


def _loaded(path: Path, workspace: Workspace) -> Suite:
    from snapdrift.graders.registry import Registry
    from snapdrift.pipeline.own_code import refusal
    from snapdrift.pipeline.prepare import workspace_catalog
    from snapdrift.suites.loader import load_suite

    registry = Registry(refusal=refusal(workspace, allowed=True))
    return load_suite(path, workspace, registry, workspace_catalog(workspace))


def _asked(suite: Suite, case: Case) -> Iterator[Messages]:
    """The conversations that the suite's variants ask of a case, as far as they are texts."""
    from snapdrift.errors import SnapdriftError
    from snapdrift.model import Message, TextPart
    from snapdrift.suites.prompts import render

    prompts: list[Any] = []
    for variant in suite.variants.values():
        if not variant.prompt or variant.prompt in prompts:
            continue
        prompts.append(variant.prompt)
        try:
            conversation = render(variant.prompt, case)
        except SnapdriftError:
            continue  # a prompt with images of the workspace; the case's variables still tell it
        messages = [message for message in conversation.messages if isinstance(message, Message)]
        told = [(m.role, "".join(p.text for p in m.parts if isinstance(p, TextPart))) for m in messages]
        yield (("system", conversation.instructions), *told) if conversation.instructions else tuple(told)


def _require_new(suite: Suite, names: Sequence[str], options: ImportOptions) -> None:
    """A variant is not replaced; with --force the answers of one that has its file where they are put are."""
    from snapdrift.importers.outputs.suite import outputs_path

    for name in names:
        there = suite.variants.get(name)
        own = there is not None and there.target == outputs_path(suite.name, name)
        if there is not None and not (own and options.force):
            raise UsageError(f"{suite.path}: a variant {name} is there already; --name gives another name")


def _covered(rows: Sequence[Any], suite: Suite) -> str:
    cases = len({row["id"] for row in rows})
    return f"{len(rows):,} answers to {cases:,} of {len(suite.cases):,} cases"


def _some(notes: Notes) -> str:
    from snapdrift.importers.notes import shortened

    return "".join(f"\n  {line}" for line in list(shortened(tuple(notes.said)))[:5])


# ----------------------------------------------------------------------------------------------------- the suite's file


@dataclass(frozen=True, slots=True)
class _Put:
    """What became of the suite's file: a sentence, and the mistakes that it would have had."""

    told: str = ""
    problems: tuple[str, ...] = ()


def _put_in(path: Path, variants: dict[str, str]) -> _Put:
    """Names the variants in the suite's file, unless that would make a mistake of it."""
    before = path.read_text(encoding="utf-8")
    made = _inserted(before, path.name, variants)
    add = "; ".join(made.lines)
    if made.text is None:
        return _Put(f"{path.name} is left as it is, for its variants stand in one line: add {add}")
    _write(path, made.text)
    problems = check_made(path)
    if problems:
        _write(path, before)
        return _Put(
            f"{path.name} is left as it is, for it would have mistakes: mend them and add {add}", tuple(problems)
        )
    named = ", ".join(variants)
    return _Put(f"{path.name} has {named} under `variants`: name what is compared under `baseline` or `candidates`")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror})") from None


def _inserted(text: str, name: str, variants: dict[str, str]) -> _Insertion:
    """The text with variants before those that it has, or with a key `variants` at its end."""
    from snapdrift.suites.document import parse_document

    document = parse_document(text, name)
    written = document.value.get("variants")
    end = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines(keepends=True)
    shown = tuple(f"{_key(variant)}: {{outputs: {_key(path)}}}" for variant, path in variants.items())
    top = document.keys.get(next(iter((key,) for key in document.value)))
    if top is None or top.column != 1 or text.lstrip().startswith("{"):
        return _Insertion(None, shown)
    if written is None:
        gap = "" if text.endswith("\n") else end
        return _Insertion(f"{text}{gap}variants:{end}" + "".join(f"  {line}{end}" for line in shown), shown)
    key, first = document.keys[("variants",)], document.keys.get(("variants", next(iter(written))))
    if first is None or first.line <= key.line or lines[first.line - 1][: first.column - 1].strip():
        return _Insertion(None, shown)
    indent = " " * (first.column - 1)
    new = [f"{indent}{line}{end}" for line in shown]
    return _Insertion("".join([*lines[: key.line], *new, *lines[key.line :]]), shown)


def _key(text: str) -> str:
    """A text as YAML takes it inside a line."""
    import json

    return text if _PLAIN.fullmatch(text) or re.fullmatch(r"[a-z][A-Za-z0-9_./-]*", text) else json.dumps(text)
