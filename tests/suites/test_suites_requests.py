from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from snapdrift.model import DEFAULT_MAX_STEPS
from snapdrift.openai_api.settings import CHAT_ONLY, COMMON, RESPONSES_ONLY
from snapdrift.suites.requests import flat_tool, flat_tool_choice
from snapdrift.suites.resolved import Suite
from snapdrift.suites.suite import RequestSettings

Load = Callable[..., Suite]
Mistakes = Callable[..., list[str]]

HEAD = """\
suite: s
cases: [{id: a, q: short, expected: 1}, {id: b, q: longer than twenty characters, expected: 1}]
graders: [{name: right, same: "{{ expected }}"}]
gate: {metrics: {right: {at_least: 0.5}}}
prompt: {input: "{{ q }}"}
"""
FLAT = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True}
NESTED = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": True}}


@pytest.mark.parametrize("tool", [FLAT, NESTED])
def test_a_function_of_either_api_has_the_shape_of_responses(tool: dict[str, Any]) -> None:
    assert flat_tool(tool) == FLAT


@pytest.mark.parametrize("tool", [{"type": "web_search"}, {"type": "file_search", "vector_store_ids": ["x"]}, 5])
def test_built_in_tools_pass_through(tool: Any) -> None:
    assert flat_tool(tool) is tool


@pytest.mark.parametrize(
    ("choice", "flat"),
    [
        ("required", "required"),
        ({"type": "function", "function": {"name": "f"}}, {"type": "function", "name": "f"}),
        ({"type": "function", "name": "f"}, {"type": "function", "name": "f"}),
        ({"type": "web_search"}, {"type": "web_search"}),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [NESTED]}},
            {"type": "allowed_tools", "mode": "auto", "tools": [FLAT]},
        ),
    ],
)
def test_a_choice_of_tools_has_the_shape_of_responses(choice: Any, flat: Any) -> None:
    assert flat_tool_choice(choice) == flat


@pytest.mark.parametrize("name", ["tools.json", "tools.yaml"])
def test_tools_are_read_from_a_file_and_their_parameters_too(load: Load, name: str) -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": "p.json", "strict": True}}]
    files = {name: json.dumps(tools), "p.json": '{"type": "object"}'}
    suite = load(f"{HEAD}models: [m]\nrequest: {{tools: {name}, tool_choice: auto}}\n", files)
    assert suite.variants["m"].request == {"tools": [FLAT], "tool_choice": "auto"}


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ("{tools: none.json}", "evals/s.yaml:7:18: request.tools: no file none.json; did you mean"),
        ("{tools: p.json}", "p.json:1:1: an empty mapping; expected a list of tools"),
        (
            "{tools: [{type: function, name: f, parameters: t.json}]}",
            "t.json:1:1: a list; expected a JSON Schema, which is a mapping",
        ),
        ("{tools: 5}", "evals/s.yaml:7:18: request.tools: 5; expected a list of tools, or the path of a file with one"),
        ("{tool_choice: [1]}", "evals/s.yaml:7:24: request.tool_choice: a list; expected auto, none, required, or"),
        ("{training_file: file-1}", "evals/s.yaml:7:11: request.training_file: fine-tuning jobs are out of scope: "),
        (
            "{previous_response_id: true}",
            "evals/s.yaml:7:33: request.previous_response_id: `previous_response_id` without `store: true`; expected",
        ),
    ],
)
def test_a_mistake_in_a_request_is_told_once(mistakes: Mistakes, request_: str, expected: str) -> None:
    (found,) = mistakes(f"{HEAD}models: [m, n]\nrequest: {request_}\n", {"p.json": "{}", "t.json": "[1]"})
    assert found.startswith(expected)


def test_chaining_by_id_is_for_responses(mistakes: Mistakes) -> None:
    text = (
        f"{HEAD}request: {{previous_response_id: true, store: true}}\nvariants: {{v: {{model: m, endpoint: chat}}}}\n"
    )
    (found,) = mistakes(text)
    assert "Chat Completions has no `previous_response_id`" in found


def test_editors_complete_every_setting_that_there_is() -> None:
    assert set(RequestSettings.keys()) == COMMON | RESPONSES_ONLY | CHAT_ONLY


# ------------------------------------------------------------------------------------------- streams, batches and steps


def test_a_variant_overrides_whether_it_is_streamed(load: Load) -> None:
    suite = load(f"{HEAD}stream: true\nmax_steps: 3\nvariants: {{a: {{model: m}}, b: {{model: m, stream: false}}}}\n")
    assert [(v.stream, v.batch, v.max_steps) for v in suite.variants.values()] == [(True, False, 3), (False, False, 3)]


def test_a_batch_variant_is_asked_one_request_a_call(load: Load) -> None:
    batched = load(f"{HEAD}variants: {{a: {{model: m, batch: true}}}}\n").variants["a"]
    assert (batched.batch, batched.max_steps) == (True, DEFAULT_MAX_STEPS)


@pytest.mark.parametrize(
    ("variant", "change", "expected"),
    [
        ("batch: true, stream: true", ("", ""), "`batch: true` with `stream: true`; leave one of the two out"),
        (
            "batch: true, request: {previous_response_id: true, store: true}",
            ("", ""),
            "`batch: true` with `previous_response_id`; ",
        ),
        (
            "batch: true",
            ("{id: b,", "{id: b, tool_results: {f: [{nth: 1, returns: 1}]},"),
            '`batch: true` with `tool_results` in case "b" (1 of 2 cases); ',
        ),
        (
            "batch: true",
            ('"{{ q }}"', "[{role: user, content: x}, {role: assistant}, {role: user, content: y}]"),
            '`batch: true` with answers that the conversation goes on from in case "a" (2 of 2 cases); ',
        ),
    ],
)
def test_what_a_batch_cannot_do_is_told_at_the_variant(
    mistakes: Mistakes, variant: str, change: tuple[str, str], expected: str
) -> None:
    text = HEAD.replace(*change) if change[0] else HEAD
    (found,) = mistakes(f"{text}variants: {{v: {{model: m, {variant}}}}}\n")
    assert found.startswith("evals/s.yaml:6:")
    assert found.partition("variants.v.batch: ")[2].startswith(expected)


# ------------------------------------------------------------------------------------------------- facts about prompts


def test_what_a_model_cannot_take_of_a_prompt_is_told_once_with_the_first_case(mistakes: Mistakes, facts: Any) -> None:
    (found,) = mistakes(f"{HEAD}models: [gpt-6-luna, m]\n", facts=facts)
    assert found == (
        'evals/s.yaml:5:17: prompt.input: 29 characters in case "b" (1 of 2 cases, variant gpt-6-luna); '
        "expected 20 at most"
    )


def test_several_cases_and_variants_share_one_line(mistakes: Mistakes, facts: Any) -> None:
    text = HEAD.replace("q: short", "q: this one is too long as well")
    variants = "variants: {a: {model: gpt-6-luna}, b: {model: gpt-6-luna}}\n"
    (found,) = mistakes(f"{text}{variants}", facts=facts)
    assert 'in case "a" (2 of 2 cases, variant a, b)' in found or 'in case "a" (2 of 2 cases);' in found


def test_a_prompt_is_not_checked_by_a_request_that_is_wrong(mistakes: Mistakes, facts: Any) -> None:
    (found,) = mistakes(f"{HEAD}models: [gpt-6-luna]\nrequest: {{temperature: 1}}\n", facts=facts)
    assert "a temperature for a reasoning model" in found


# --------------------------------------------------------------------------------------------------------- out of scope


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            "variants: {v: {model: m, endpoint: assistants}}",
            '6:36: variants.v.endpoint: "assistants"; the Assistants API',
        ),
        (
            "variants: {v: {model: m, endpoint: realtime}}",
            '6:36: variants.v.endpoint: "realtime"; audio and the Realtime',
        ),
        ("variants: {v: {model: m, endpoint: chatt}}", '6:36: variants.v.endpoint: "chatt"; did you mean "chat"?'),
        (
            "variants: {v: {model: m, assistant_id: x}}",
            "6:26: variants.v.assistant_id: the Assistants API is out of scope",
        ),
        (
            "models: [m]\nthread: x",
            "7:1: thread: the Assistants API is out of scope: OpenAI removed it on 2026-08-26; ",
        ),
        ("models: [gpt-4o-realtime-preview]", "6:10: models[0].model: gpt-4o-realtime-preview hears or speaks; "),
        ("variants: {v: {model: gpt-4o-audio-preview}}", "6:23: variants.v.model: gpt-4o-audio-preview hears or"),
        ("variants: {v: {model: gpt-4o-mini-tts}}", "6:23: variants.v.model: gpt-4o-mini-tts hears or speaks; "),
        ("variants: {v: {model: gpt-4o-transcribe}}", "6:23: variants.v.model: gpt-4o-transcribe hears or speaks; "),
    ],
)
def test_what_is_out_of_scope_is_told_with_what_to_use_instead(mistakes: Mistakes, lines: str, expected: str) -> None:
    (found,) = mistakes(f"{HEAD}{lines}\n")
    assert found.startswith(f"evals/s.yaml:{expected}")
    assert "; expected " in found or "did you mean" in found


@pytest.mark.parametrize(
    "variant", ["{model: gpt-4o-mini}", "{model: audio-support, host: proxy}", "{model: ft:gpt-4o:tt}"]
)
def test_no_other_model_is_taken_for_one_that_hears(load: Load, variant: str) -> None:
    assert "v" in load(f"{HEAD}variants: {{v: {variant}}}\n").variants


def test_a_column_may_be_called_thread(load: Load) -> None:
    assert load(HEAD.replace("q: short", "q: short, thread: x") + "models: [m]\n").cases[0].variables["thread"] == "x"
