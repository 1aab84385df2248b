"""The rows of a file of answers, whatever its format: what was asked, what came back, and whose answer it is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from snapdrift.errors import DatasetError
from snapdrift.importers.notes import Notes, Place
from snapdrift.importers.outputs import inspect_logs, promptfoo_results
from snapdrift.importers.outputs.bodies import (
    NoAnswerError,
    answer_of,
    asked_of,
    is_body,
    messages_of,
    plain_text,
)
from snapdrift.importers.outputs.record import Answer
from snapdrift.importers.sources import Source, SourceError
from snapdrift.suites import datasets
from snapdrift.suites.datasets import read_rows
from snapdrift.suites.strict_json import loads_strictly

IDS = ("custom_id", "case_id", "case", "id")
ANSWERS = ("output", "answer", "completion", "response", "reply", "output_text", "text")
INPUTS = ("input", "messages", "prompt", "question", "query", "request")
EXPECTED = ("expected", "target", "ideal", "reference")


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that a user named; None is found by its usual names."""

    id: str | None = None
    input: str | None = None
    answer: str | None = None


@dataclass(slots=True)
class _Reader:
    source: Source
    columns: Columns
    notes: Notes
    failed: int = field(default=0)


def read_answers(file: Path, columns: Columns, notes: Notes) -> list[Answer]:
    """The answers of a file; rows without one are noted. Raises `SourceError`."""
    file = file.resolve()
    reader = _Reader(Source(file.parent, file.parent, datasets.MAX_BYTES), columns, notes)
    return list(_answers(file, reader))


def _answers(file: Path, reader: _Reader) -> Iterator[Answer]:
    suffix = file.suffix.lower()
    if suffix == ".eval":
        yield from inspect_logs.of_archive(file, reader.notes)
        return
    if suffix == ".json":
        value = _json(file, reader)
        if promptfoo_results.is_results(value):
            yield from promptfoo_results.answers(value, file.name, reader.notes)
            return
        if inspect_logs.is_log(value):
            yield from inspect_logs.answers(value, file.name, reader.notes)
            return
        rows = value.get("data") if isinstance(value, Mapping) and isinstance(value.get("data"), list) else value
        listed = rows if isinstance(rows, list) else [rows]
        places = [Place.of_row(f"{file.name}: row {n}", 0, row) for n, row in enumerate(listed, start=1)]
    elif suffix == ".csv":
        places = reader.source.table(file)
    else:
        places = _table(file)
    for place in places:
        answer = _answer(place, reader)
        if answer is not None:
            yield answer


def _json(file: Path, reader: _Reader) -> Any:
    try:
        return loads_strictly(reader.source.text(file))
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{file.name}: not JSON: {error}") from None


def _table(file: Path) -> list[Place]:
    try:
        rows = read_rows(file, file.name)
    except DatasetError as error:
        raise SourceError(str(error)) from None
    return [Place.of_row(row.place if not row.line else row.file, row.line, dict(row.values)) for row in rows]


def _answer(place: Place, reader: _Reader) -> Answer | None:
    row = place.value
    if not isinstance(row, Mapping):
        reader.notes.left_out(place, "a row", "is no mapping")
        return None
    try:
        return _read(row, str(place), reader.columns)
    except NoAnswerError as error:
        reader.notes.left_out(place, "a row", str(error))
        return None


def _read(row: Mapping[str, Any], place: str, columns: Columns) -> Answer:
    """The answer of a row. Raises `NoAnswerError`."""
    named = columns.id or next((name for name in IDS if row.get(name) not in (None, "")), None)
    case_id = None if named is None or row.get(named) in (None, "") else str(row[named])
    if columns.answer is None:
        if is_body(row):
            # A stored completion's own id says nothing of the case; what was sent along with it may.
            answer = _of_body(row, row, place)
            return replace(answer, case_id=_of_metadata(row) if columns.id is None else case_id)
        inner = row.get("response")
        if "custom_id" in row and ("response" in row or "error" in row):
            return replace(_of_batch(row, place), case_id=case_id)
        if isinstance(inner, Mapping) and is_body(inner):
            request = row.get("request")
            asked = request if isinstance(request, Mapping) else row
            return replace(_of_body(inner, asked, place), case_id=case_id or _of_metadata(inner))
        messages = row.get("messages")
        if isinstance(messages, list) and _ends_with_an_answer(messages):
            text = plain_text(messages[-1].get("content"))
            return Answer(place, text, case_id=case_id, asked=messages_of(messages[:-1]), model=_model(row))
    return _of_columns(row, place, columns, case_id)


def _of_columns(row: Mapping[str, Any], place: str, columns: Columns, case_id: str | None) -> Answer:
    said = columns.answer or next((name for name in ANSWERS if row.get(name) is not None), None)
    if said is None or row.get(said) is None:
        raise NoAnswerError(f"has no answer (a column such as {', '.join(ANSWERS[:4])}; --answer names it)")
    value = row[said]
    if isinstance(value, Mapping) and is_body(value):
        return replace(_of_body(value, row, place), case_id=case_id)
    asked = columns.input or next((name for name in INPUTS if row.get(name) not in (None, "")), None)
    expected = next((row[name] for name in EXPECTED if row.get(name) not in (None, "")), None)
    repeat = row.get("repeat")
    used = {said, asked, "model", "repeat", *IDS, *EXPECTED, columns.id}
    return Answer(
        place,
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False),
        case_id=case_id,
        asked=None if asked is None else messages_of(row[asked]),
        model=_model(row),
        expected=expected,
        variables={str(name): cell for name, cell in row.items() if name not in used and cell is not None},
        repeat=repeat if isinstance(repeat, int) and not isinstance(repeat, bool) and repeat >= 0 else None,
    )


def _of_batch(row: Mapping[str, Any], place: str) -> Answer:
    response, error = row.get("response"), row.get("error")
    body = response.get("body") if isinstance(response, Mapping) else None
    status = response.get("status_code") if isinstance(response, Mapping) else None
    if error or status not in (None, 200) or not isinstance(body, Mapping):
        raise NoAnswerError(f"failed in its batch (status {status})")
    return _of_body(body, {}, place)


def _of_body(body: Mapping[str, Any], request: Mapping[str, Any], place: str) -> Answer:
    asked = asked_of(request)
    return Answer(place, answer_of(body), asked=None if asked is None else messages_of(asked), model=_model(body))


def _of_metadata(body: Mapping[str, Any]) -> str | None:
    metadata = body.get("metadata")
    values = [metadata[name] for name in IDS if metadata.get(name)] if isinstance(metadata, Mapping) else []
    return str(values[0]) if values else None


def _model(row: Mapping[str, Any]) -> str | None:
    model = row.get("model")
    return model if isinstance(model, str) and model else None


def _ends_with_an_answer(messages: Sequence[Any]) -> bool:
    last = messages[-1] if messages else None
    return isinstance(last, Mapping) and last.get("role") == "assistant" and last.get("content") is not None
