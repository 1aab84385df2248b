"""The families that a suite can name, and the parsing of its `graders:` entries."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError
from pydantic.json_schema import models_json_schema

from snapdrift.errors import SnapdriftError
from snapdrift.graders.base import Grader
from snapdrift.graders.families import BUILT_IN
from snapdrift.graders.findings import findings_of
from snapdrift.graders.installed import FamilyError, InstalledFamily, installed_families
from snapdrift.graders.values import quoted
from snapdrift.graders.workspace_files import ParseContext
from snapdrift.model import Case
from snapdrift.suites.registry import Finding, InvalidEntryError, ReadFile

if TYPE_CHECKING:
    from snapdrift.graders.composition import Composition


class Registry:
    """Makes graders of entries.

    `families` are classes derived from `Grader`, each with its own `family` name. Left out, they are those of this
    program and those that installed packages register. `refusal` says why the latter may not be used (None: they may):
    none of their packages is then imported.
    """

    def __init__(self, families: Sequence[type[Grader]] | None = None, *, refusal: str | None = None) -> None:
        self._refusal = refusal
        self._families: Mapping[str, type[Grader]] = (
            BUILT_IN if families is None else {family.family: family for family in families}
        )
        self._installed: Mapping[str, InstalledFamily] = {} if families is not None else installed_families()

    def families(self) -> tuple[str, ...]:
        """The names of the families."""
        return tuple(dict.fromkeys([*self._families, *self._installed]))

    def parse(self, entry: Mapping[str, Any], *, default_extract: Any, read: ReadFile, cases: Sequence[Case]) -> Grader:
        """The grader of one entry; raises `InvalidEntryError` with everything that is wrong with it."""
        return _checked_against(self._parsed(entry, default_extract, read), cases)

    def _parsed(self, entry: Mapping[str, Any], default_extract: Any, read: ReadFile) -> Grader:
        family = self._family_of(entry)
        values: dict[str, Any] = {"name": family.default_name or family.family, **entry}
        if family.composed:
            default_extract = values.pop("extract", default_extract)
            if default_extract is not None:  # what is wrong with it is told once, not by every part
                self._parsed({"exact": "", "extract": default_extract}, None, read)
        elif not family.reads_text and "extract" in entry:
            found = f"`extract`, which a {family.family} grader has no use for"
            raise InvalidEntryError(
                [Finding(("extract",), found, "leave it out: it takes nothing out of the answer's text")]
            )
        if default_extract is not None and family.reads_text:
            values.setdefault("extract", default_extract)
        context = ParseContext(
            read,
            families=self._families,
            parse_part=lambda part: self._parsed(part, default_extract, read),
        )
        try:
            return family.model_validate(values, context=context, by_name=False, by_alias=True)
        except ValidationError as error:
            raise InvalidEntryError(findings_of(error, values, family, context.documents)) from None

    def json_schema(self) -> dict[str, Any]:
        """The JSON Schema of one entry, for editors; without references, so that it can stand inside another.

        A family of an installed package that cannot be used is left out.
        """
        families = {**self._families, **self._loadable()}
        schemas, shared = models_json_schema([(family, "validation") for family in families.values()])
        definitions = shared.get("$defs", {})
        variants = []
        for family in families.values():
            schema = _inlined(schemas[family, "validation"], definitions)
            schema["required"] = [key for key in schema["required"] if key != "name"]
            variants.append(schema)
        return {"title": "Grader", "anyOf": variants}

    def _family(self, name: str) -> type[Grader]:
        installed = self._installed.get(name)
        if installed is None:
            return self._families[name]
        if self._refusal is not None:
            found = f"the grader family {name!r} of {installed.providers}"
            raise InvalidEntryError([Finding((name,), found, f"expected one of Snapdrift's own: {self._refusal}")])
        try:
            return installed.load(self._families)
        except FamilyError as error:
            raise InvalidEntryError([Finding((name,), error.found, error.expected)]) from None

    def _loadable(self) -> dict[str, type[Grader]]:
        found = {}
        for name, installed in self._installed.items():
            with suppress(FamilyError):
                found[name] = installed.load(self._families)
        return found

    def _family_of(self, entry: Mapping[str, Any]) -> type[Grader]:
        families = self.families()
        named = [key for key in entry if key in families]
        own = [key for key in named if key in self._families]
        if len(own) == 1:  # what a package registers takes no argument away from a family of this program
            arguments = _keys(self._families[own[0]])
            named = [key for key in named if key == own[0] or key not in arguments]
        if len(named) == 1:
            return self._family(named[0])
        known = ", ".join(families)
        if named:
            found = f"more than one family: {', '.join(named)}"
            raise InvalidEntryError(
                [Finding((key,), found, "expected exactly one family in an entry") for key in named]
            )
        findings = []
        for key in entry.keys() - Grader.model_fields.keys() - {"not"}:
            close = difflib.get_close_matches(str(key), families, n=1)
            if close:
                findings.append(Finding((key,), f"unknown key {key!r}", f"did you mean {close[0]!r}?"))
        expected = f"expected one key that names a family: {known}"
        raise InvalidEntryError(findings or [Finding((), f"no family among {quoted(list(entry))}", expected)])


def _keys(family: type[Grader]) -> set[str]:
    """The keys that an entry of the family may have."""
    return {field.alias or name for name, field in family.model_fields.items()}


def _checked_parts(grader: Composition, cases: Sequence[Case]) -> Grader:
    """The grader with each part checked against the cases that it is for."""
    taken = [case for case in cases if grader.takes(case)]
    parts: list[Grader] = []
    findings: list[Finding] = []
    for place, part in grader.parts.items():
        try:
            parts.append(_checked_against(part, taken))
        except InvalidEntryError as error:
            findings += [replace(found, location=(*place, *found.location)) for found in error.findings]
    models = sorted({judge.model for judge in grader.judges})
    if len(models) > 1:  # a run tells by grader which model judged, and takes a second one for a move
        expected = "expected one model in a composition; give the others graders of their own"
        findings.append(Finding((grader.family,), f"judges of several models: {', '.join(models)}", expected))
    if findings:
        raise InvalidEntryError(findings)
    return grader.with_parts(parts)


def _checked_against(grader: Grader, cases: Sequence[Case]) -> Grader:
    if grader.composed:
        return _checked_parts(cast("Composition", grader), cases)
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
