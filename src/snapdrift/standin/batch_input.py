"""The input file of a batch: read line by line, with the mistakes for which a batch fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_LONGEST_LIST = 100
"""Mistakes that are listed; a file of another kind has one in each of its lines."""


@dataclass(frozen=True, slots=True)
class InputLine:
    """A request of a batch."""

    custom_id: str
    body: dict[str, Any]

    @property
    def model(self) -> str:
        """The model that is asked, empty where the body names none."""
        model = self.body.get("model")
        return model if isinstance(model, str) else ""


@dataclass(frozen=True, slots=True)
class InputFile:
    """The requests of a file, and what is wrong with it: objects of the API's `errors.data`."""

    lines: tuple[InputLine, ...]
    errors: tuple[dict[str, Any], ...]


def mistake(code: str, message: str, line: int | None = None, param: str | None = None) -> dict[str, Any]:
    """An object of `errors.data`; `line` counts from 1."""
    return {"code": code, "message": message, "line": line, "param": param}


def read_input(content: bytes, endpoint: str, max_requests: int) -> InputFile:
    """Reads and validates a file for a batch of an endpoint (`/v1/responses`)."""
    lines: list[InputLine] = []
    errors: list[dict[str, Any]] = []
    seen: set[str] = set()
    for number, raw in enumerate(content.split(b"\n"), start=1):
        if not raw.strip():
            continue
        found = list(_mistakes(raw, endpoint, seen, lines))
        errors += [{**error, "line": number} for error in found]
    if not lines and not errors:
        errors.append(mistake("empty_file", "The input file is empty. Please ensure that the batch contains requests."))
    if len(lines) > max_requests:
        text = f"The batch has {len(lines)} requests, the limit is {max_requests}."
        errors.append(mistake("too_many_tasks", text))
    return InputFile(tuple(lines), tuple(errors[:_LONGEST_LIST]))


def _mistakes(raw: bytes, endpoint: str, seen: set[str], lines: list[InputLine]) -> Iterator[dict[str, Any]]:
    """What is wrong with a line; one that can be read is added to `lines`."""
    try:
        entry = json.loads(raw)
    except (ValueError, RecursionError):
        entry = None
    if not isinstance(entry, dict):
        yield mistake("invalid_json_line", "This line is not parseable as valid JSON.")
        return
    custom_id, body = entry.get("custom_id"), entry.get("body")
    for name, value, kind in (("custom_id", custom_id, str), ("body", body, dict)):
        if not isinstance(value, kind):
            yield mistake("missing_required_parameter", f"Missing required parameter: '{name}'.", param=name)
    if not isinstance(custom_id, str) or not isinstance(body, dict):
        return
    if entry.get("method") != "POST":
        yield mistake("invalid_method", "The method must be POST.", param="method")
    if custom_id in seen:
        yield mistake("duplicate_custom_id", f"The custom_id '{custom_id}' is not unique.", param="custom_id")
    if entry.get("url") != endpoint:
        text = f"The URL provided for this request does not match the batch endpoint ({endpoint})."
        yield mistake("url_mismatch", text, param="url")
    line = InputLine(custom_id, body)
    if lines and line.model != lines[0].model:
        text = f"The model of this request ('{line.model}') is not that of the first one ('{lines[0].model}')."
        yield mistake("model_mismatch", text, param="body.model")
    seen.add(custom_id)
    lines.append(line)
