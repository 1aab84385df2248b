"""The families that a suite can name, and the parsing of its `graders:` entries."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic.json_schema import models_json_schema

from snapdrift.errors import SnapdriftError
from snapdrift.graders.base import Grader
from snapdrift.graders.choice import Choice
from snapdrift.graders.contains import Contains
from snapdrift.graders.exact import Exact
from snapdrift.graders.findings import findings_of
from snapdrift.graders.json_equal import JsonEqual
from snapdrift.graders.judge import JudgeGrader
from snapdrift.graders.number import Number
from snapdrift.graders.pairwise import PairwiseGrader
from snapdrift.graders.regex import Regex
from snapdrift.graders.schema import Schema
from snapdrift.graders.tool_calls import ToolCalls
from snapdrift.graders.values import quoted
from snapdrift.graders.workspace_files import ParseContext
from snapdrift.model import Case
from snapdrift.suites.registry import Finding, InvalidEntryError, ReadFile

FAMILIES: tuple[type[Grader], ...] = (
    Exact,
    Contains,
    Regex,
    Number,
    Choice,
    Schema,
    JsonEqual,
    ToolCalls,
    JudgeGrader,
    PairwiseGrader,
)
"""Every family; a new one is a module with a class, named here."""


class Registry:
    """Makes graders of entries. `families` are classes derived from `Grader`, each with its own `family` name."""

    def __init__(self, families: Sequence[type[Grader]] = FAMILIES) -> None:
        self._families = {family.family: family for family in families}

    def families(self) -> tuple[str, ...]:
        """The names of the families."""
        return tuple(self._families)

    def parse(self, entry: Mapping[str, Any], *, default_extract: Any, read: ReadFile, cases: Sequence[Case]) -> Grader:
        """The grader of one entry; raises `InvalidEntryError` with everything that is wrong with it."""
        family = self._family_of(entry)
        values: dict[str, Any] = {"name": family.family, **entry}
        if not family.reads_text and "extract" in entry:
            found = f"`extract`, which a {family.family} grader has no use for"
            raise InvalidEntryError([Finding(("extract",), found, "leave it out: the answer's text is not looked at")])
        if default_extract is not None and family.reads_text:
            values.setdefault("extract", default_extract)
        context = ParseContext(read)
        try:
            grader = family.model_validate(values, context=context, by_name=False, by_alias=True)
        except ValidationError as error:
            raise InvalidEntryError(findings_of(error, values, family, context.documents)) from None
        return _checked_against(grader, cases)

    def json_schema(self) -> dict[str, Any]:
        """The JSON Schema of one entry, for editors; without references, so that it can stand inside another."""
        schemas, shared = models_json_schema([(family, "validation") for family in self._families.values()])
        definitions = shared.get("$defs", {})
        variants = []
        for family in self._families.values():
            schema = _inlined(schemas[family, "validation"], definitions)
            schema["required"] = [key for key in schema["required"] if key != "name"]
            variants.append(schema)
        return {"title": "Grader", "anyOf": variants}

    def _family_of(self, entry: Mapping[str, Any]) -> type[Grader]:
        named = [key for key in entry if key in self._families]
        if len(named) == 1:
            return self._families[named[0]]
        known = ", ".join(self._families)
        if named:
            found = f"more than one family: {', '.join(named)}"
            raise InvalidEntryError(
                [Finding((key,), found, "expected exactly one family in an entry") for key in named]
            )
        findings = []
        for key in entry.keys() - Grader.model_fields.keys() - {"not"}:
            close = difflib.get_close_matches(str(key), self._families, n=1)
            if close:
                findings.append(Finding((key,), f"unknown key {key!r}", f"did you mean {close[0]!r}?"))
        expected = f"expected one key that names a family: {known}"
        raise InvalidEntryError(findings or [Finding((), f"no family among {quoted(list(entry))}", expected)])


def _checked_against(grader: Grader, cases: Sequence[Case]) -> Grader:
    main = (grader.family,)
    try:
        grader = grader.with_cases(cases)
        list(grader.templates)
    except (ValueError, SnapdriftError) as error:
        raise InvalidEntryError([Finding(main, str(error), "expected an argument that fits the dataset")]) from None
    problems = []
    for case in cases:
        try:
            problem = grader.check_case(case) if grader.applies(case) else None
        except SnapdriftError:
            continue  # the loader tries every template on every case and reports with the template's own position
        if problem is not None:
            problems.append((case.id, problem))
    if problems:
        first, problem = problems[0]
        others = f" (and {len(problems) - 1} more cases)" if len(problems) > 1 else ""
        raise InvalidEntryError(
            [Finding(main, f"case {first!r}: {problem}{others}", "expected values that it can grade by")]
        )
    return grader


def _inlined(schema: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_inlined(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    reference = schema.get("$ref")
    if isinstance(reference, str):
        target = _inlined(definitions[reference.rsplit("/", 1)[-1]], definitions)
        return {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    return {key: _inlined(value, definitions) for key, value in schema.items()}
