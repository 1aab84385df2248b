"""Entries of a suite: parsed whole, or refused with every mistake at its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from importlib import import_module
from typing import Any

import pytest

from snapdrift.graders.base import Grader
from snapdrift.graders.extract import JsonStep, TextStep
from snapdrift.graders.json_text import JsonMode
from snapdrift.graders.registry import Registry
from snapdrift.model import Case, Outcome
from snapdrift.suites.registry import Finding, GraderRegistry, InvalidEntryError, ParsedGrader

jsonschema: Any = import_module("jsonschema")  # it has no type hints of its own
Parse = Callable[..., Grader]


def refused(parse: Parse, entry: dict[str, Any], **rest: Any) -> tuple[Finding, ...]:
    with pytest.raises(InvalidEntryError) as caught:
        parse(entry, **rest)
    return caught.value.findings


def test_the_registry_and_its_graders_are_what_the_suite_loader_asks_for(parse: Parse) -> None:
    registry: GraderRegistry = Registry()
    grader: ParsedGrader = parse({"exact": "x"})

    assert grader.family in registry.families()


def test_a_grader_is_named_after_its_family_unless_it_has_a_name(parse: Parse) -> None:
    assert [parse({"exact": "x"}).name, parse({"exact": "x", "name": "queue"}).name] == ["exact", "queue"]


@pytest.mark.parametrize(
    ("entry", "extract"),
    [
        ({"exact": "x"}, (JsonStep(path="a", mode=JsonMode.FENCED),)),
        ({"exact": "x", "extract": "whole_text"}, (TextStep.WHOLE_TEXT,)),
        ({"schema": True}, (JsonStep(path="a", mode=JsonMode.FENCED),)),
    ],
)
def test_the_suites_extract_is_the_default_and_an_entry_has_its_own(
    entry: dict[str, Any], extract: tuple[Any, ...], parse: Parse
) -> None:
    assert parse(entry, default_extract={"json": "a", "mode": "fenced"}).extract == extract


def test_without_any_extract_text_families_see_the_whole_text_and_json_families_the_whole_json(parse: Parse) -> None:
    assert [parse(entry).extract for entry in ({"exact": "x"}, {"schema": True})] == [
        (TextStep.WHOLE_TEXT,),
        (JsonStep(path="$", mode=JsonMode.STRICT),),
    ]


@pytest.mark.parametrize(
    ("entry", "finding"),
    [
        ({"exat": "x"}, Finding(("exat",), "unknown key 'exat'", "did you mean 'exact'?")),
        (
            {"exact": "x", "normalize": []},
            Finding(("normalize",), "unknown key 'normalize'", "did you mean 'normalise'?"),
        ),
        ({"exact": None}, Finding(("exact",), "null", "expected a value; it is empty here")),
        ({"exact": "x", "not": "yes"}, Finding(("not",), '"yes"', "expected true or false")),
        ({"contains": 42}, Finding(("contains",), "42", "expected a mapping")),
        ({"regex": 42}, Finding(("regex",), "42", "expected text")),
        ({"exact": "x", "accepts": 3}, Finding(("accepts",), "3", "expected a list")),
        (
            {"exact": float("inf")},
            Finding(("exact",), "Infinity", "expected a finite number, not inf"),
        ),
        (
            {"exact": {1: "x"}},
            Finding(("exact",), '{"1":"x"}', "expected keys that are text; put 1 in quotation marks"),
        ),
        (
            {"contains": {}},
            Finding(("contains",), "{}", "expected texts to look for under `all`, `any` or `none`"),
        ),
        ({"json_equal": {}, "fields": []}, Finding(("fields",), "[]", "expected at least one field")),
        (
            {"json_equal": {}, "fields": ["$"]},
            Finding(("fields",), '["$"]', "expected fields below the root; `$` itself is no field"),
        ),
        (
            {"choice": ["A", "a."]},
            Finding(("choice",), '["A","a."]', "expected labels that differ in more than case; 'A' and 'a.' do not"),
        ),
        (
            {"choice": ["a", "!!"]},
            Finding(("choice",), '["a","!!"]', "expected labels with a letter or digit in them, not '!!'"),
        ),
        ({"choice": ["a"]}, Finding(("choice",), '["a"]', "expected at least two labels")),
        ({"exact": "x", "accepts": []}, Finding(("accepts",), "[]", "expected at least one item")),
        ({"exact": "x", "when": {}}, Finding(("when",), "{}", "expected either `tag: x` or `tags: [x, y]`")),
        (
            {"exact": "x", "extract": {"json": "a", "mod": "fenced"}},
            Finding(("extract", "mod"), "unknown key 'mod'", "expected a key that is known here"),
        ),
        (
            {"exact": "x", "normalise": "strp"},
            Finding(
                ("normalise",),
                '"strp"',
                "expected 'strip', 'casefold', 'whitespace', 'punctuation', 'unicode' or 'number'",
            ),
        ),
        ({"number": 1, "absolute": "0.1"}, Finding(("absolute",), '"0.1"', "expected a number")),
        (
            {"json_equal": {}, "fields": {"a": "dat"}},
            Finding(("fields", "a"), '"dat"', "did you mean 'date'?"),
        ),
        (
            {"exact": "x", "name": "a.b"},
            Finding(("name",), '"a.b"', "expected a name without dots, control characters or blanks around it"),
        ),
        (
            {"exact": "x", "name": "cost"},
            Finding(("name",), '"cost"', "expected another name: 'cost' is a metric that every run has"),
        ),
    ],
)
def test_a_mistake_is_found_at_its_place_with_what_was_expected(
    entry: dict[str, Any], finding: Finding, parse: Parse
) -> None:
    assert refused(parse, entry) == (finding,)


def test_a_file_that_is_not_there_is_told_as_the_workspace_tells_it(parse: Parse) -> None:
    findings = refused(parse, {"schema": "s.json"})

    assert findings == (Finding(("schema",), "no file s.json", "expected a file in the workspace"),)


def test_a_date_in_an_argument_is_refused_rather_than_turned_into_text(parse: Parse) -> None:
    (finding,) = refused(parse, {"exact": date(2025, 1, 31)})

    assert finding.expected.endswith("not a date; quote it")


def test_fields_are_taken_from_the_cases_whose_templates_render(parse: Parse) -> None:
    cases = [Case("c1", {}, {"a": 1}), Case("c2", {"other": {"b": 1}})]

    assert parse({"json_equal": "{{ other }}"}, cases).resolved()["fields"] == {"b": "exact"}


def test_all_mistakes_of_an_entry_are_told_at_once(parse: Parse) -> None:
    entry = {
        "number": 1,
        "absolute": -1,
        "accepts": ["api_error"],
        "extract": [{"json": "a..b"}, {"regex": "("}],
        "x": 1,
    }

    assert {finding.location for finding in refused(parse, entry)} == {
        ("absolute",),
        ("accepts", 0),
        ("extract", 0, "json"),
        ("extract", 1, "regex"),
        ("x",),
    }


def test_two_families_in_an_entry_are_one_too_many(parse: Parse) -> None:
    findings = refused(parse, {"exact": "x", "regex": "y"})

    assert [finding.location for finding in findings] == [("exact",), ("regex",)]


@pytest.mark.parametrize("entry", [{}, {"name": "queue"}])
def test_an_entry_without_a_family_is_told_which_there_are(entry: dict[str, Any], parse: Parse) -> None:
    (finding,) = refused(parse, entry)

    assert all(family in finding.expected for family in Registry().families())


@pytest.mark.parametrize(
    ("entry", "expected", "found"),
    [
        ({"number": "{{ expected }}"}, "many", "not a number"),
        ({"choice": ["a", "b"]}, "c", "none of"),
        ({"regex": "{{ expected }}"}, "(", "is no pattern"),
        ({"json_equal": "{{ expected }}", "fields": ["a"]}, "text", "not an object"),
        ({"json_equal": "{{ expected }}", "fields": {"a": "date"}}, {"a": "soon"}, "not a date"),
        ({"json_equal": "{{ expected }}"}, 3, "no case has an expected object"),
    ],
)
def test_expected_values_that_could_never_be_graded_by_are_found_before_a_run(
    entry: dict[str, Any], expected: Any, found: str, parse: Parse
) -> None:
    (finding,) = refused(parse, entry, cases=[Case("c7", expected=expected)])

    assert found in finding.found


def test_several_cases_with_the_same_mistake_are_one_finding_that_names_the_first(parse: Parse) -> None:
    cases = [Case(f"c{number}", expected="many") for number in range(3)]

    (finding,) = refused(parse, {"number": "{{ expected }}"}, cases=cases)

    assert finding.found == """case 'c0': the expected value "many" is not a number (and 2 more cases)"""


def test_a_template_that_is_not_valid_is_refused(parse: Parse) -> None:
    (finding,) = refused(parse, {"exact": "{{ expected. }}"})

    assert finding.location == ("exact",)


def test_templates_are_known_by_their_places(parse: Parse) -> None:
    grader = parse({"choice": ["a", "b"], "expected": "{{ expected.label }}"})

    assert {place: template.names for place, template in grader.templates.items()} == {
        ("expected",): frozenset({"expected"})
    }


def test_accepted_outcomes_may_be_one_or_several(parse: Parse) -> None:
    assert parse({"exact": "x", "accepts": "refused"}).accepts == (Outcome.REFUSED,)


VALID: list[dict[str, Any]] = [
    {"exact": "x"},
    {"exact": ["a", 1], "name": "n", "normalise": ["strip"], "not": True, "when": {"tag": "t"}, "accepts": ["ok"]},
    {"contains": {"any": ["a"]}, "extract": "last_line"},
    {"regex": "a", "extract": [{"json": "a", "mode": "fenced"}, {"regex": "b"}]},
    {"number": 1, "absolute": 0.5},
    {"choice": ["a", "b"]},
    {"schema": "graders/s.json"},
    {"json_equal": "{{ expected }}", "fields": {"a": {"number": 0.1}, "b": "date"}},
    {"judge": {"criteria": "x", "model": "m-2024-01-01"}},
    {"judge": "graders/r.yaml"},
]


@pytest.mark.parametrize("entry", VALID, ids=[json.dumps(entry)[:40] for entry in VALID])
def test_editors_accept_what_the_registry_accepts(entry: dict[str, Any]) -> None:
    jsonschema.validate(entry, Registry().json_schema())


@pytest.mark.parametrize(
    "entry", [{}, {"name": "x"}, {"exact": "x", "y": 1}, {"regex": 3}, {"exact": "x", "regex": "y"}]
)
def test_editors_mark_what_the_registry_refuses(entry: dict[str, Any]) -> None:
    assert not jsonschema.Draft202012Validator(Registry().json_schema()).is_valid(entry)


def test_the_schema_for_editors_stands_on_its_own() -> None:
    assert "$ref" not in json.dumps(Registry().json_schema())
