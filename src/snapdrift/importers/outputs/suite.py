"""`import outputs`: a suite made of answers alone, where there is none that they belong to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snapdrift.importers.entries import suite_entry
from snapdrift.importers.made import Made, MadeSuite, jsonl
from snapdrift.importers.names import RESERVED_COLUMNS, file_name
from snapdrift.importers.notes import Notes
from snapdrift.importers.outputs.matching import matched
from snapdrift.importers.outputs.record import Answer
from snapdrift.importers.outputs.rows import Columns, read_answers
from snapdrift.importers.sources import SourceError

MOST_REPEATS = 1_000


@dataclass(frozen=True, slots=True)
class OutputsRequest:
    """A file of answers, what its variant (or the suite) is called, and the columns that the user named."""

    file: Path
    name: str | None = None
    id_column: str | None = None
    input_column: str | None = None
    answer_column: str | None = None

    @property
    def columns(self) -> Columns:
        """The named columns."""
        return Columns(self.id_column, self.input_column, self.answer_column)

    @property
    def called(self) -> str:
        """The given name, or one after the file."""
        return self.name or file_name(self.file.name.partition(".")[0])


def outputs_path(suite: str, variant: str) -> str:
    """Where the answers of a variant are kept, in the workspace."""
    return f"datasets/outputs/{suite}-{file_name(variant)}.jsonl"


def made_suite(request: OutputsRequest, workspace_root: Path | None) -> Made:
    """A suite of a file's answers: a case for each thing that was asked. Raises `SourceError` where there is none."""
    del workspace_root
    notes = Notes()
    answers = read_answers(request.file, request.columns, notes)
    if not answers:
        told = "".join(f"\n  {note}" for note in notes.said)
        raise SourceError(f"{request.file.name}: no answer in it{told}")
    name = file_name(request.called)
    cases = _Cases()
    for answer in answers:
        cases.add(answer)
    repeats = min(MOST_REPEATS, 1 + max((answer.repeat or 0) for answer in answers))
    found = matched(answers, cases.find, repeats, "recorded", notes)
    variants = {variant: {"outputs": outputs_path(name, variant)} for variant in found.rows}
    files = {outputs_path(name, variant): jsonl(rows) for variant, rows in found.rows.items()}
    graders = _graders(cases.rows, notes)
    head: dict[str, Any] = {"suite": name, "description": f"Answers of {request.file.name}."}
    head["dataset"] = f"datasets/{name}.jsonl"
    asked: dict[str, Any] = {"variants": variants, **({"repeats": repeats} if repeats > 1 else {})}
    entry = suite_entry(head, asked, graders, len(cases.rows), notes)
    return Made(request.file.name, (MadeSuite(name, entry, cases.rows, files),), notes)


class _Cases:
    """The cases that answers are of: an id of theirs, else what was asked."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self._ids: dict[str, str] = {}
        self._taken: set[str] = set()

    def add(self, answer: Answer) -> None:
        """Makes a case of an answer to something new."""
        key = _key(answer)
        if key in self._ids:
            return
        number = len(self.rows) + 1
        written = " ".join((answer.case_id or "").split())[:100]
        usable = written and written.isprintable() and written not in self._taken
        case_id = written if usable else f"row-{number:04d}"
        while case_id in self._taken:
            number += 1
            case_id = f"row-{number:04d}"
        self._taken.add(case_id)
        self._ids[key] = case_id
        row: dict[str, Any] = {"id": case_id}
        if answer.asked:
            row |= {"question": answer.asked[-1][1]} if len(answer.asked) == 1 else {"question": _told(answer)}
        for name, value in answer.variables.items():
            row.setdefault(f"var_{name}" if name in RESERVED_COLUMNS else name, value)
        self.rows.append({**row, "expected": answer.expected} if answer.expected is not None else row)

    def find(self, answer: Answer) -> str | None:
        """The case of an answer."""
        return self._ids.get(_key(answer))


def _key(answer: Answer) -> str:
    if answer.case_id is not None:
        return f"id:{answer.case_id}"
    told = [answer.asked or (), dict(answer.variables)]
    return json.dumps(told, sort_keys=True, default=str)


def _told(answer: Answer) -> str:
    """A conversation as a text to read; it is not asked again."""
    return "\n\n".join(f"{role}: {text}" for role, text in answer.asked or ())


def _graders(rows: Sequence[Mapping[str, Any]], notes: Notes) -> list[dict[str, Any]]:
    """What can be asked of any answer, and whether it has what is expected where the file says that."""
    made: list[dict[str, Any]] = [
        {"name": "answered", "count": "characters", "at_least": 1},
        {"name": "agreed", "refusal": False},
    ]
    with_expected = [row for row in rows if row.get("expected") not in (None, "")]
    if rows and len(with_expected) == len(rows):
        every_text = all(isinstance(row["expected"], str) for row in rows)
        contains = "{{ expected }}" if every_text else {"any": "{{ expected }}"}
        lists = all(isinstance(row["expected"], list) for row in rows)
        if every_text or lists:
            made.append({"name": "has_expected", "contains": contains, "normalise": ["casefold"]})
    why = "say only that there is an answer"
    notes.changed("", "the graders", f"{why}{' with what is expected in it' if len(made) > 2 else ''}; write your own")
    return made
