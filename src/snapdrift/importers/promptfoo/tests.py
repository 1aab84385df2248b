"""Tests of a promptfoo configuration as cases: inline and in files, with defaults, scenarios and lists of values."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from snapdrift.importers.notes import Place, others
from snapdrift.importers.promptfoo.csv_tests import case_of_row
from snapdrift.importers.promptfoo.nunjucks import UntranslatableError
from snapdrift.importers.promptfoo.reading import CODE_SUFFIXES, MEDIA_SUFFIXES, Reading
from snapdrift.importers.sources import DATA_SUFFIXES, FILE_PREFIX, MAX_ROWS, SourceError

_TABLES = (".csv", ".jsonl")
_KNOWN = ("vars", "assert", "description", "options", "threshold", "metadata")


@dataclass(frozen=True, slots=True)
class MadeTest:
    """A test with its defaults laid under it: one case. `asserts` are where its assertions stand."""

    place: Place
    variables: Mapping[str, Any] = field(default_factory=dict)
    asserts: tuple[Place, ...] = ()
    description: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    threshold: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


def read_tests(config: Place, reading: Reading) -> list[MadeTest]:
    """The cases of a configuration; what they hold that has no counterpart is noted."""
    default = _default(config, reading)
    tests = itertools.chain(
        (_test(place, default, reading) for place in _written(config.at("tests"), reading)),
        _scenarios(config.at("scenarios"), default, reading),
    )
    if not config.at("tests").value and not config.at("scenarios").value:
        tests = itertools.chain([default])  # a configuration without tests asks each prompt once
    made: list[MadeTest] = []
    # One at a time, so that a small file that says many does not fill the memory before it is refused.
    for number, test in enumerate(tests, start=1):
        made += itertools.islice(_expanded(test), MAX_ROWS + 1 - len(made))
        if max(number, len(made)) > MAX_ROWS:
            raise SourceError(f"more than {MAX_ROWS:,} cases; import them in parts")
    return made


def _default(config: Place, reading: Reading) -> MadeTest:
    place = config.at("defaultTest")
    try:
        return _test(reading.opened(place), MadeTest(place), reading)
    except UntranslatableError as error:
        reading.notes.left_out(place, "`defaultTest`", str(error))
        return MadeTest(place)


def _written(place: Place, reading: Reading) -> Iterator[Place]:
    """Each test's place, those of files that are named among them."""
    for one in place.each():
        value = one.value
        path = value.get("path") if isinstance(value, Mapping) and "path" in value else value
        if not isinstance(path, str):
            yield one
            continue
        bare = path.removeprefix(FILE_PREFIX).partition("#")[0]
        if "://" in bare:
            reading.notes.left_out(one, f"the tests {path}", "are fetched from the network; download them as a file")
        elif bare.partition(":")[0].lower().endswith((*CODE_SUFFIXES, ".xlsx", ".xls")):
            why = "are code or a workbook, which is not read; save what it gives as CSV, JSONL or YAML"
            reading.notes.left_out(one, f"the tests {path}", why)
        else:
            yield from _of_file(bare, one, reading)


def _of_file(text: str, place: Place, reading: Reading) -> Iterator[Place]:
    try:
        for path in reading.source.matching(text):
            for row in reading.source.rows(path):
                is_table = path.suffix.lower() == ".csv"
                yield replace(row, document=replace(row.document, value=case_of_row(row.value))) if is_table else row
    except SourceError as error:
        reading.notes.left_out(place, f"the tests {text}", str(error))


def _test(place: Place, default: MadeTest, reading: Reading) -> MadeTest:
    value = place.value if isinstance(place.value, Mapping) else {}
    for key in others(value, _KNOWN):
        reading.notes.left_out(place.at(key), f"`{key}` of a test", _why(key))
    options = {**default.options, **_mapping(value.get("options"))}
    inherited = () if options.get("disableDefaultAsserts") else default.asserts
    threshold = value.get("threshold", default.threshold)
    return MadeTest(
        place,
        {**default.variables, **_variables(place.at("vars"), reading)},
        (*inherited, *place.at("assert").each()),
        str(value.get("description") or ""),
        options,
        float(threshold) if isinstance(threshold, int | float) and not isinstance(threshold, bool) else None,
        {**default.metadata, **_mapping(value.get("metadata"))},
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _why(key: str) -> str:
    if key in ("provider", "providers", "prompts"):
        return "every variant is asked every case; `--variant` and `--tag` ask a part"
    if key == "providerOutput":
        return "answers obtained elsewhere come in by `snapdrift import outputs`"
    return "has no counterpart"


def _variables(place: Place, reading: Reading) -> dict[str, Any]:
    try:
        opened = reading.opened(place)
    except UntranslatableError as error:
        reading.notes.left_out(place, "`vars`", str(error))
        return {}
    value = opened.value
    made = {}
    for name, one in value.items() if isinstance(value, Mapping) else ():
        try:
            made[str(name)] = _value(one, reading)
        except UntranslatableError as error:
            reading.notes.left_out(opened.at(name), f"the variable {name}", f"{error}; it is empty")
            made[str(name)] = ""
    return made


def _value(value: Any, reading: Reading) -> Any:
    """A variable's value: of a file its text, of an image or a document its path in the workspace."""
    if value is None:
        return ""
    if isinstance(value, list):
        return [_value(item, reading) for item in value]
    if not isinstance(value, str) or not value.startswith(FILE_PREFIX):
        return value
    name = value.removeprefix(FILE_PREFIX)
    if name.lower().endswith(MEDIA_SUFFIXES):
        try:
            return reading.source.shown(reading.source.path(name))
        except SourceError as error:
            raise UntranslatableError(str(error)) from None
    loaded = reading.loaded(value)
    # A variable is text: what a file of data holds stands in a prompt as JSON.
    return json.dumps(loaded, ensure_ascii=False) if name.lower().endswith(DATA_SUFFIXES) else loaded


def _scenarios(place: Place, default: MadeTest, reading: Reading) -> Iterator[MadeTest]:
    """Each test of a scenario with each of its configurations."""
    for one in place.each():
        try:
            scenario = reading.opened(one)
        except UntranslatableError as error:
            reading.notes.left_out(one, "a scenario", str(error))
            continue
        configs, tests = (
            list(itertools.islice(_written(scenario.at(key), reading), MAX_ROWS + 1)) or [scenario.at(key)]
            for key in ("config", "tests")
        )
        for config, test in itertools.product(configs, tests):
            yield _test(test, _test(config, default, reading), reading)


def _expanded(test: MadeTest) -> Iterator[MadeTest]:
    """A case for each combination of the values of variables that are lists, as promptfoo makes them."""
    lists = [name for name, value in test.variables.items() if isinstance(value, list)]
    if not lists or test.options.get("disableVarExpansion"):
        yield test
        return
    values: list[Sequence[Any]] = [test.variables[name] for name in lists]
    for chosen in itertools.product(*values):
        yield replace(test, variables={**test.variables, **dict(zip(lists, chosen, strict=True))})


def texts_around(tests: Sequence[MadeTest], reading: Reading) -> bool:
    """Whether a test puts something before or after its prompt; what options have no counterpart is noted."""
    around = False
    for test in tests:
        around = around or bool(test.options.get("prefix") or test.options.get("suffix"))
        for key in others(test.options, {"prefix", "suffix", "provider", "disableVarExpansion", "rubricPrompt"}):
            if key not in ("disableDefaultAsserts", "disableConversationVar", "storeOutputAs"):
                why = "answers are graded as they are" if key in ("transform", "postprocess") else "has no counterpart"
                reading.notes.left_out(test.place.at("options", key), f"`{key}` of a test's options", why)
    return around
