"""What an endpoint or a model cannot do is a suite error with line and column, from the real catalogue and suites."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from snapdrift.errors import SuiteError
from snapdrift.graders.registry import Registry
from snapdrift.openai_api.catalog import load_catalog
from snapdrift.suites.loader import load_suite
from snapdrift.suites.resolved import Suite
from snapdrift.suites.workspace import find_workspace

SUITE = """\
suite: tickets
cases: [{id: a, ticket: "My lamp is broken."}, {id: b, ticket: "Where is it?"}]
prompt: {input: "%(input)s"}
variants:
  first: {model: gpt-4o-2024-08-06}
  second: {model: %(model)s, endpoint: %(endpoint)s}
request:
  %(request)s
graders: [{name: polite, contains: sorry}]
gate: {baseline: {variant: first}, metrics: {polite: {margin: 0.1}}, max_blind: 0.9}
"""


def load(
    root: Path, request: str, *, model: str = "gpt-4o", endpoint: str = "responses", prompt: str = "{{ ticket }}"
) -> Suite:
    path = root / "evals" / "tickets.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(SUITE % {"request": request, "model": model, "endpoint": endpoint, "input": prompt})
    return load_suite(path, find_workspace(path), Registry(), load_catalog(today=date(2026, 11, 22)))


@pytest.mark.parametrize(
    ("request_", "settings", "place", "part"),
    [
        ("seed: 7", {}, "8:9", "the Responses API has no `seed`"),
        ("max_output_tokens: 15", {}, "8:22", "at least 16"),
        ("temperature: 0", {"model": "gpt-6-luna"}, "8:16", "`temperature: null`"),
        (
            "text: {format: {type: json_schema, name: t, schema: {type: object}}}",
            {"model": "gpt-4o-2024-05-13"},
            "8:25",
            "does not take json_schema",
        ),
        ("text: {format: {type: json_object}}", {}, "3:17", "the word JSON"),
        ("truncation: auto", {"endpoint": "chat"}, "8:15", "Chat Completions has no `truncation`"),
        ("tools: [{type: web_search}]", {"endpoint": "chat"}, "8:18", "no built-in tool"),
        (
            "text: {format: {type: json_schema, name: t, strict: true, schema: {type: object, properties: {a: {}}}}}",
            {},
            "8:69",
            "an object that does not say `additionalProperties: false`",
        ),
    ],
)
def test_what_cannot_be_asked_is_an_error_at_its_line_and_column(
    tmp_path: Path, request_: str, settings: dict[str, str], place: str, part: str
) -> None:
    with pytest.raises(SuiteError) as caught:
        load(tmp_path, request_, **settings)
    lines = [str(problem) for problem in caught.value.problems if part in str(problem)]
    assert len(lines) == 1, caught.value
    assert lines[0].startswith(f"evals/tickets.yaml:{place}: "), lines[0]


def test_a_prompt_beyond_the_context_window_is_an_error_that_names_the_case(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"evals/tickets.yaml:3:17: .*context window of 128,000 in case \"a\""):
        load(tmp_path, "max_output_tokens: 16000", prompt="{{ ticket }}" + "\N{CUNEIFORM SIGN A}" * 60_000)


def test_a_violation_of_the_strict_subset_in_a_file_is_told_in_that_file(tmp_path: Path) -> None:
    (tmp_path / "graders").mkdir()
    properties = {"a": {"oneOf": [{"type": "null"}]}}
    schema = {"type": "object", "additionalProperties": False, "required": ["a"], "properties": properties}
    (tmp_path / "graders" / "t.schema.json").write_text(json.dumps(schema))
    with pytest.raises(SuiteError, match=r"graders/t.schema.json:1:1: properties.a.oneOf: `oneOf` is not in"):
        load(tmp_path, "text: {format: {type: json_schema, name: t, strict: true, schema: graders/t.schema.json}}")


def test_a_reasoning_model_is_known_by_its_variant_and_a_small_cap_is_warned_about(tmp_path: Path) -> None:
    suite = load(tmp_path, "max_output_tokens: 200", model="gpt-6-luna")
    assert {name: variant.reasons for name, variant in suite.variants.items()} == {"first": False, "second": True}
    assert any(warning.startswith("second: max_output_tokens is 200") for warning in suite.warnings)
