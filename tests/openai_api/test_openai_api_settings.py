"""Which request settings are refused before anything is sent, where, and in what words."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from snapdrift.model import HTTP_ENDPOINTS, Endpoint
from snapdrift.openai_api.catalog import Catalog, load_catalog

SCHEMA = {
    "type": "object",
    "properties": {"queue": {"type": "string"}},
    "required": ["queue"],
    "additionalProperties": False,
}
FORMAT = {"type": "json_schema", "name": "ticket", "strict": True, "schema": SCHEMA}
LOOK_UP = {"type": "function", "name": "look_up", "parameters": SCHEMA, "strict": True}
LOGPROBS = "message.output_text.logprobs"
AUGUST = "gpt-4o-2024-08-06"
MAY = "gpt-4o-2024-05-13"
LUNA = "gpt-6-luna"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog(today=date(2026, 11, 22))


@pytest.mark.parametrize(
    ("model", "endpoint", "request_", "location", "part"),
    [
        (MAY, "responses", {"text": {"format": FORMAT}}, ("text", "format", "type"), "json_schema"),
        (AUGUST, "responses", {"max_output_tokens": 15}, ("max_output_tokens",), "at least 16"),
        (AUGUST, "chat", {"max_output_tokens": 0}, ("max_output_tokens",), "at least 1 "),
        (AUGUST, "chat", {"max_output_tokens": 20_000}, ("max_output_tokens",), "at most 16384"),
        (AUGUST, "responses", {"seed": 7}, ("seed",), "endpoint: chat"),
        (AUGUST, "chat", {"truncation": "auto"}, ("truncation",), "endpoint: responses"),
        ("gpt-6-luna", "responses", {"temperature": 0}, ("temperature",), "temperature: null"),
        (AUGUST, "responses", {"reasoning": {"effort": "low"}}, ("reasoning", "effort"), "does not reason"),
        (AUGUST, "responses", {"temprature": 0}, ("temprature",), "did you mean `temperature`?"),
        (AUGUST, "chat", {"max_tokens": 5}, ("max_tokens",), "max_output_tokens"),
        (AUGUST, "chat", {"response_format": {}}, ("response_format",), "text: {format"),
        (AUGUST, "chat", {"n": 2}, ("n",), "repeats"),
        (AUGUST, "responses", {"stream": True}, ("stream",), "of the suite or the variant"),
        (AUGUST, "chat", {"stream_options": {}}, ("stream_options",), "of the suite or the variant"),
        (AUGUST, "chat", {"service_tier": "ultrafast"}, ("service_tier",), "priority"),
        (AUGUST, "responses", {"service_tier": "cheap"}, ("service_tier",), "flex"),
        (AUGUST, "responses", {"temperature": 2.5}, ("temperature",), "from 0 to 2"),
        (AUGUST, "responses", {"temperature": True}, ("temperature",), "from 0 to 2"),
        (AUGUST, "responses", {"top_p": "high"}, ("top_p",), "from 0 to 1"),
        (AUGUST, "responses", {"store": "no"}, ("store",), "true or false"),
        (AUGUST, "responses", {"text": {"fromat": {}}}, ("text", "fromat"), "did you mean `format`?"),
        (AUGUST, "responses", {"text": {"format": {"type": "json"}}}, ("text", "format", "type"), "json_object"),
        (AUGUST, "responses", {"text": {"format": {**FORMAT, "name": "a b"}}}, ("text", "format", "name"), "letters"),
        (
            AUGUST,
            "responses",
            {"text": {"format": {**FORMAT, "schema": 1}}},
            ("text", "format", "schema"),
            "JSON Schema",
        ),
        (
            AUGUST,
            "responses",
            {"text": {"format": {**FORMAT, "strict": "yes"}}},
            ("text", "format", "strict"),
            "true or",
        ),
        (AUGUST, "responses", {"text": "json"}, ("text",), "mapping"),
        (AUGUST, "responses", {"text": {"verbosity": "loud"}}, ("text", "verbosity"), "medium"),
        (AUGUST, "chat", {"include": ["file_search_call.results"]}, ("include", 0), "leave it out"),
        (AUGUST, "responses", {"include": "x"}, ("include",), "a list"),
        (AUGUST, "responses", {"metadata": {"a": 1}}, ("metadata",), "pairs"),
        (AUGUST, "responses", {"previous_response_id": "resp_1"}, ("previous_response_id",), "expected true"),
        (AUGUST, "responses", {"previous_response_id": True}, ("previous_response_id",), "`store: true`"),
        (AUGUST, "chat", {"previous_response_id": True, "store": True}, ("previous_response_id",), "endpoint: resp"),
        (AUGUST, "responses", {"conversation": "conv_1"}, ("conversation",), "stand alone"),
        (AUGUST, "responses", {"background": True}, ("background",), "stand alone"),
        (AUGUST, "responses", {"assistant_id": "asst_1"}, ("assistant_id",), "Assistants API is out of scope"),
        (AUGUST, "chat", {"modalities": ["audio"]}, ("modalities",), "out of scope"),
        (AUGUST, "responses", {"turn_detection": {}}, ("turn_detection",), "Realtime API"),
        (AUGUST, "responses", {"training_file": "file-1"}, ("training_file",), "fine-tuning jobs are out of scope"),
        (AUGUST, "responses", {"truncation": "middle"}, ("truncation",), "disabled"),
        (AUGUST, "responses", {"max_tool_calls": 0}, ("max_tool_calls",), "at least 1"),
        (AUGUST, "chat", {"max_tool_calls": 1}, ("max_tool_calls",), "endpoint: responses"),
        (AUGUST, "responses", {"top_logprobs": 21, "include": [LOGPROBS]}, ("top_logprobs",), "from 0 to 20"),
        (AUGUST, "responses", {"top_logprobs": 3}, ("top_logprobs",), LOGPROBS),
        (AUGUST, "chat", {"top_logprobs": 3}, ("top_logprobs",), LOGPROBS),
        (AUGUST, "chat", {"logprobs": True}, ("logprobs",), LOGPROBS),
        (AUGUST, "responses", {"include": ["message.logprobs"]}, ("include", 0), LOGPROBS),
        (AUGUST, "chat", {"stop": ["a", "b", "c", "d", "e"]}, ("stop",), "up to 4"),
        (AUGUST, "chat", {"logit_bias": {"5": 200}}, ("logit_bias",), "-100 to 100"),
        (AUGUST, "responses", {"safety_identifier": "x" * 65}, ("safety_identifier",), "up to 64"),
        (AUGUST, "responses", {"prompt_cache_retention": "1y"}, ("prompt_cache_retention",), "24h"),
        (AUGUST, "responses", {"reasoning": {"summary": "auto"}}, ("reasoning", "summary"), "does not reason"),
        (LUNA, "responses", {"reasoning": {"effort": "huge"}}, ("reasoning", "effort"), "xhigh"),
        (LUNA, "responses", {"reasoning": {"summary": "long"}}, ("reasoning", "summary"), "concise"),
        (LUNA, "chat", {"stop": "x"}, ("stop",), "stop: null"),
        (AUGUST, "responses", {"instructions": "Be terse."}, ("instructions",), "prompt"),
        ("gpt-6-luna", "chat", {"reasoning": {"summary": "auto"}}, ("reasoning", "summary"), "effort"),
    ],
)
def test_a_setting_that_is_not_taken_is_found_at_its_place(
    catalog: Catalog, model: str, endpoint: str, request_: dict[str, Any], location: tuple[str | int, ...], part: str
) -> None:
    (finding,) = catalog.check_request(model, Endpoint(endpoint), request_)
    assert finding.location == location
    assert part in f"{finding.found}; {finding.expected}"


@pytest.mark.parametrize("endpoint", HTTP_ENDPOINTS)
@pytest.mark.parametrize("model", [AUGUST, "gpt-4o", f"ft:{AUGUST}:acme::x", "a-model-nobody-knows"])
def test_ordinary_settings_are_taken_on_both_endpoints(catalog: Catalog, model: str, endpoint: Endpoint) -> None:
    request = {
        "temperature": 0,
        "top_p": 1,
        "max_output_tokens": 200,
        "text": {"format": FORMAT},
        "service_tier": "default",
        "metadata": {"a": "b"},
        "store": False,
    }
    assert catalog.check_request(model, endpoint, request) == ()


def test_every_mistake_is_found_at_once(catalog: Catalog) -> None:
    request = {"temprature": 0, "seed": 7, "max_output_tokens": 3}
    assert len(catalog.check_request(AUGUST, Endpoint.RESPONSES, request)) == 3


def test_a_reasoning_model_that_is_told_not_to_reason_takes_a_temperature(catalog: Catalog) -> None:
    assert catalog.check_request(LUNA, Endpoint.RESPONSES, {"reasoning": {"effort": "none"}, "temperature": 0}) == ()


def test_a_users_own_catalogue_decides_what_a_model_takes() -> None:
    own = load_catalog({"my-model": {"temperature": False, "logprobs": False, "json_object": False}})
    request = {
        "temperature": 0,
        "top_logprobs": 1,
        "include": [LOGPROBS],
        "text": {"format": {"type": "json_object"}},
    }
    places = {finding.location for finding in own.check_request("my-model", Endpoint.RESPONSES, request)}
    assert places == {("temperature",), ("top_logprobs",), ("text", "format", "type")}


@pytest.mark.parametrize("endpoint", HTTP_ENDPOINTS)
def test_everything_an_application_uses_of_tools_and_logprobs_is_taken(catalog: Catalog, endpoint: Endpoint) -> None:
    request = {
        "tools": [LOOK_UP, {**LOOK_UP, "name": "cancel", "strict": False}],
        "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "cancel"}]},
        "parallel_tool_calls": False,
        "include": [LOGPROBS],
        "top_logprobs": 5,
        "service_tier": "flex",
        "store": True,
    }
    assert catalog.check_request(AUGUST, endpoint, request) == ()


def test_what_only_responses_has_is_taken_there(catalog: Catalog) -> None:
    request = {
        "tools": [{"type": "web_search"}, {"type": "file_search", "vector_store_ids": ["vs_1"]}],
        "tool_choice": {"type": "file_search"},
        "max_tool_calls": 3,
        "truncation": "auto",
        "include": ["file_search_call.results"],
        "previous_response_id": True,
        "store": True,
    }
    assert catalog.check_request(AUGUST, Endpoint.RESPONSES, request) == ()


# ---------------------------------------------------------------------------------------------------------------- tools


@pytest.mark.parametrize(
    ("tools", "location", "part"),
    [
        ([], ("tools",), "null for none"),
        ({"type": "function"}, ("tools",), "a list of tools"),
        (["look_up"], ("tools", 0), "without `type`"),
        ([{"type": "functoin"}], ("tools", 0, "type"), "did you mean `function`?"),
        ([{"type": "web_search"}], ("tools", 0, "type"), "endpoint: responses"),
        ([{"type": "local_shell"}], ("tools", 0, "type"), "tool_results"),
        ([{**LOOK_UP, "name": "look up"}], ("tools", 0, "name"), "letters, digits"),
        ([{**LOOK_UP, "name": "x" * 65}], ("tools", 0, "name"), "up to 64"),
        ([LOOK_UP, LOOK_UP], ("tools", 1, "name"), "different names"),
        ([{**LOOK_UP, "strict": "yes"}], ("tools", 0, "strict"), "true or false"),
        ([{**LOOK_UP, "description": 5}], ("tools", 0, "description"), "expected text"),
        ([{**LOOK_UP, "paramters": {}}], ("tools", 0, "paramters"), "did you mean `parameters`?"),
        ([{"type": "function", "name": "f"}], ("tools", 0, "parameters"), "properties: {}"),
        ([{**LOOK_UP, "parameters": {"type": "string"}}], ("tools", 0, "parameters", "type"), "of an object"),
        (
            [{**LOOK_UP, "strict": False, "parameters": {"type": "object", "required": "x"}}],
            ("tools", 0, "parameters", "required"),
            "valid JSON Schema",
        ),
        (
            [{**LOOK_UP, "parameters": {**SCHEMA, "required": []}}],
            ("tools", 0, "parameters", "required"),
            "`required` lacks `queue`",
        ),
    ],
)
def test_a_mistake_in_tools_is_found_at_its_place(
    catalog: Catalog, tools: Any, location: tuple[str | int, ...], part: str
) -> None:
    (finding,) = catalog.check_request(AUGUST, Endpoint.CHAT, {"tools": tools})
    assert finding.location == location
    assert part in f"{finding.found}; {finding.expected}"


@pytest.mark.parametrize(
    ("choice", "location", "part"),
    [
        ("always", ("tool_choice",), "none, auto, required"),
        ({"type": "function", "name": "lookup"}, ("tool_choice", "name"), "did you mean `look_up`?"),
        ({"type": "function", "name": "look_up", "strict": True}, ("tool_choice", "strict"), "`type` and `name`"),
        ({"type": "web_search"}, ("tool_choice", "type"), "`tools` has no web_search"),
        ({"type": "functions"}, ("tool_choice",), "allowed_tools"),
        (
            {"type": "allowed_tools", "mode": "some", "tools": [{"type": "function", "name": "look_up"}]},
            None,
            "required",
        ),
        ({"type": "allowed_tools", "mode": "auto", "tools": []}, ("tool_choice", "tools"), "a list"),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "x"}]},
            ("tool_choice", "tools", 0, "name"),
            "no function 'x'",
        ),
    ],
)
def test_a_tool_choice_that_names_nothing_is_found(catalog: Catalog, choice: Any, location: Any, part: str) -> None:
    request = {"tools": [LOOK_UP], "tool_choice": choice}
    (finding,) = catalog.check_request(AUGUST, Endpoint.RESPONSES, request)
    assert finding.location == (location or ("tool_choice", "mode"))
    assert part in f"{finding.found}; {finding.expected}"


@pytest.mark.parametrize("setting", [{"tool_choice": "auto"}, {"parallel_tool_calls": True}])
def test_settings_of_tools_without_tools_are_found(catalog: Catalog, setting: dict[str, Any]) -> None:
    (finding,) = catalog.check_request(AUGUST, Endpoint.CHAT, setting)
    assert finding.location == tuple(setting)


def test_a_model_that_takes_no_strict_functions_is_told_at_the_function() -> None:
    own = load_catalog({"my-model": {"strict_tools": False}})
    (finding,) = own.check_request("my-model", Endpoint.RESPONSES, {"tools": [LOOK_UP]})
    assert finding.location == ("tools", 0, "strict")
