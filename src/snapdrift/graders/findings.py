"""Pydantic's errors as findings: where in the entry, what was found, what was expected."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from snapdrift.graders.values import quoted
from snapdrift.graders.workspace_files import FoundError, PartsError
from snapdrift.suites.document import Document, format_location
from snapdrift.suites.registry import Finding, Location

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

_KINDS = {
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "float_type": "a number",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_attributes_type": "a mapping",
    "model_type": "a mapping",
    "string_type": "text",
    "tuple_type": "a list",
}
"""What pydantic's names for kinds of values are called in YAML."""


def findings_of(
    error: ValidationError, entry: Mapping[str, Any], model: type[BaseModel], documents: Mapping[str, Document]
) -> list[Finding]:
    """One finding an error, at its place in the entry as it was written.

    What is wrong inside a file that the entry names has no place in the entry: its finding stands where the file is
    named and begins with the place in the file. `documents` are the files read, by path.
    """
    found: list[Finding] = []
    for detail in error.errors(include_url=False):
        cause = detail.get("ctx", {}).get("error")
        if isinstance(cause, PartsError):
            at, _ = _located(entry, detail["loc"])
            found += [replace(finding, location=(*at, *finding.location)) for finding in cause.findings]
        else:
            found.append(_finding(detail, entry, model, documents))
    return found


def _finding(
    detail: ErrorDetails, entry: Mapping[str, Any], model: type[BaseModel], documents: Mapping[str, Document]
) -> Finding:
    location, inside = _located(entry, detail["loc"])
    file = documents.get(str(_at(entry, location))) if inside else None
    place = _place(file, inside) if file else ""
    # What several arguments have wrong together is an error of the entry as a whole, which has no location.
    kind, last = detail["type"], str(detail["loc"][-1]) if detail["loc"] else ""
    if kind == "extra_forbidden":
        expected = _did_you_mean(last, model) if len(detail["loc"]) == 1 else "expected a key that is known here"
        return Finding(location, f"{place}unknown key {last!r}", expected)
    if kind == "missing":
        return Finding(
            location if inside else location[:-1], f"{place}{last!r} is missing", f"expected a value for {last!r}"
        )
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, FoundError):
        return Finding(location, cause.found, cause.expected)
    # Validators see values in one form (a single item as a list); the message shows what was written.
    written = detail["input"] if inside else _at(entry, location)
    return Finding(location, f"{place}{quoted(written)}", _expected(detail))


def _expected(detail: ErrorDetails) -> str:
    if detail["type"] == "value_error":
        text = str(detail.get("ctx", {}).get("error", detail["msg"]))
    elif detail["type"] == "less_than_equal":
        return f"expected at most {detail['ctx']['le']:,.10g}"
    elif detail["type"] in _KINDS:
        return f"expected {_KINDS[detail['type']]}"
    else:
        text = detail["msg"].replace("Input should be", "expected", 1).replace("expected expected", "expected", 1)
    return text if "expected" in text or text.startswith("did you mean") else f"expected {text[:1].lower()}{text[1:]}"


def _located(entry: Any, location: tuple[int | str, ...]) -> tuple[Location, Location]:
    """The part of a location that the entry has, and the part inside the file that the entry names there.

    Tags of unions, and positions in a list that the entry wrote as a single item, are left out.
    """
    here: list[int | str] = []
    inside: list[int | str] = []
    value = entry
    for step in location:
        if isinstance(step, str) and (step.startswith("@") or step == "[key]"):
            continue
        if isinstance(step, int) and not inside and not isinstance(value, list | tuple):
            continue
        if inside or isinstance(value, str):
            inside.append(step)
            continue
        here.append(step)
        value = _at(value, (step,))
    return tuple(here), tuple(inside)


def _at(value: Any, location: Location) -> Any:
    for step in location:
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list | tuple) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def _place(document: Document, inside: Location) -> str:
    position = document.position(inside)
    return f"{document.file}:{position.line}:{position.column}: {format_location(inside)}: "


def _did_you_mean(key: str, model: type[BaseModel]) -> str:
    known = [field.alias or name for name, field in model.model_fields.items()]
    close = difflib.get_close_matches(key, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"expected one of {', '.join(known)}"
