from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from snapdrift.suites.document import parse_document
from snapdrift.suites.schema import suite_json_schema
from snapdrift.suites.suite import SuiteFile


@pytest.fixture
def validator(registry: Any) -> Draft202012Validator:
    schema = suite_json_schema(registry)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def errors_of(validator: Draft202012Validator, text: str) -> list[str]:
    return [error.json_path for error in validator.iter_errors(parse_document(text, "s.yaml").value)]


def test_a_good_suite_satisfies_the_schema(validator: Draft202012Validator, good: str) -> None:
    assert errors_of(validator, good) == []


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("suite: triage", "suite: triage\nrepeats: often", "$.repeats"),
        ("{model: gpt-4o-2024-08-06}", "{modle: x}", "$.variants.august"),
        ("suite: triage", "suite: triage\nrequest: {temperature: 9}", "$.request.temperature"),
        ("name: queue", "name: 5", "$.graders[0].name"),
        ("id: a,", "", "$.cases[0]"),
    ],
)
def test_a_mistake_breaks_the_schema_at_its_place(
    validator: Draft202012Validator, good: str, old: str, new: str, path: str
) -> None:
    assert any(found.startswith(path) for found in errors_of(validator, good.replace(old, new)))


@pytest.mark.parametrize(
    ("prompt", "path"),
    [
        ("{input: [{role: user, content: [{image: '{{ x }}', detail: low, if: x, each: y}]}]}", None),
        ("{input: [{role: user, content: x}, {role: assistant}, {role: user, content: [{file: x}]}]}", None),
        ("{input: [{role: user, content: [{image: x, detail: lower}]}]}", "$.prompt"),
    ],
)
def test_parts_and_generated_turns_are_in_the_schema(
    validator: Draft202012Validator, good: str, prompt: str, path: str | None
) -> None:
    found = errors_of(validator, good.replace('{input: "{{ ticket }}"}', prompt))
    assert (found == []) if path is None else found[0].startswith(path)


def test_keys_have_the_text_that_editors_show(registry: Any) -> None:
    definitions = suite_json_schema(registry)["$defs"]
    assert "never fetched" in definitions["PartEntry"]["properties"]["image"]["description"]
    assert "PATH.py:FUNCTION" in definitions["VariantEntry"]["properties"]["python"]["description"]


def test_null_instructions_satisfy_the_schema(validator: Draft202012Validator, good: str) -> None:
    text = good.replace("{model: gpt-4o-2024-08-06}", "{model: m, prompt: {instructions: null}}")
    assert errors_of(validator, text) == []


def test_null_request_settings_satisfy_the_schema(validator: Draft202012Validator, good: str) -> None:
    assert errors_of(validator, f"{good}request: {{temperature: null}}\n") == []


def test_every_key_of_the_suite_is_in_the_schema(registry: Any) -> None:
    assert set(suite_json_schema(registry)["properties"]) == set(SuiteFile.keys())
