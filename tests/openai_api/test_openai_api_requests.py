"""Exactly what is sent first, on either endpoint, and which of it Snapdrift added."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.model import (
    HTTP_ENDPOINTS,
    CallKey,
    ClientRequestId,
    Conversation,
    Endpoint,
    FilePart,
    GeneratedTurn,
    ImagePart,
    Message,
    Part,
    TextPart,
    Variant,
)
from snapdrift.openai_api.requests import build, build_body, build_request
from snapdrift.suites.registry import InvalidEntryError, Location

ASKED = Conversation("Be terse.", (Message("user", (TextPart("Where is "), TextPart("my order?"))),))
SCHEMA = {"type": "object", "properties": {"queue": {"type": "string"}}}
FORMAT = {"type": "json_schema", "name": "ticket", "schema": SCHEMA}
TOOL = {"type": "function", "name": "look_up", "description": "Looks up.", "parameters": SCHEMA}
LOGPROBS = "message.output_text.logprobs"
ENCRYPTED = "reasoning.encrypted_content"
PNG = "data:image/png;base64,AAAA"
PDF = "data:application/pdf;base64,AAAA"


def variant(endpoint: Endpoint, **request: Any) -> Variant:
    return Variant("v", "gpt-4o-2024-08-06", endpoint, request, {})


def said(*parts: Part, role: str = "user") -> Conversation:
    return Conversation(None, (Message(role, parts),))


def content(endpoint: Endpoint, *parts: Part) -> Any:
    body = build_body(variant(endpoint), said(*parts))
    (message,) = body["messages" if endpoint is Endpoint.CHAT else "input"]
    return message["content"]


def test_a_responses_body_is_the_prompt_and_the_settings_as_written() -> None:
    assert build_body(variant(Endpoint.RESPONSES, temperature=0, max_output_tokens=200), ASKED) == {
        "model": "gpt-4o-2024-08-06",
        "instructions": "Be terse.",
        "input": [{"role": "user", "content": "Where is my order?"}],
        "temperature": 0,
        "max_output_tokens": 200,
        "store": False,
    }


def test_a_chat_body_says_the_same_in_chats_names() -> None:
    request = {
        "temperature": 0,
        "max_output_tokens": 200,
        "text": {"format": {**FORMAT, "strict": True}, "verbosity": "low"},
        "reasoning": {"effort": "low"},
        "tools": [TOOL],
        "tool_choice": {"type": "function", "name": "look_up"},
        "parallel_tool_calls": False,
        "include": [LOGPROBS],
        "top_logprobs": 3,
        "service_tier": "flex",
        "seed": 7,
    }
    function = {"name": "look_up", "description": "Looks up.", "parameters": SCHEMA, "strict": False}
    assert build_body(variant(Endpoint.CHAT, **request), ASKED) == {
        "model": "gpt-4o-2024-08-06",
        "messages": [
            {"role": "system", "content": "Be terse."},
            {"role": "user", "content": "Where is my order?"},
        ],
        "temperature": 0,
        "max_completion_tokens": 200,
        "response_format": {"type": "json_schema", "json_schema": {"name": "ticket", "schema": SCHEMA, "strict": True}},
        "verbosity": "low",
        "reasoning_effort": "low",
        "tools": [{"type": "function", "function": function}],
        "tool_choice": {"type": "function", "function": {"name": "look_up"}},
        "parallel_tool_calls": False,
        "logprobs": True,
        "top_logprobs": 3,
        "service_tier": "flex",
        "seed": 7,
        "store": False,
    }


def test_allowed_tools_are_nested_on_chat() -> None:
    choice = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "look_up"}]}
    body = build_body(variant(Endpoint.CHAT, tools=[TOOL], tool_choice=choice), ASKED)
    assert body["tool_choice"] == {
        "type": "allowed_tools",
        "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "look_up"}}]},
    }


def test_built_in_tools_go_to_responses_as_written() -> None:
    tools = [{"type": "file_search", "vector_store_ids": ["vs_1"]}, {"type": "web_search"}]
    built = build(variant(Endpoint.RESPONSES, tools=tools, max_tool_calls=2), ASKED)
    assert (built.body["tools"], built.body["max_tool_calls"]) == (tools, 2)
    assert built.added == {("store",)}


@pytest.mark.parametrize("endpoint", HTTP_ENDPOINTS)
def test_answers_are_kept_at_the_provider_only_where_the_suite_says_so(endpoint: Endpoint) -> None:
    assert build_body(variant(endpoint), ASKED)["store"] is False
    assert build_body(variant(endpoint, store=True), ASKED)["store"] is True


def test_strict_is_explicit_on_responses() -> None:
    body = build_body(variant(Endpoint.RESPONSES, text={"format": FORMAT}, tools=[TOOL]), ASKED)
    assert (body["text"]["format"]["strict"], body["tools"][0]["strict"]) == (False, False)


def test_strict_is_explicit_on_chat() -> None:
    body = build_body(variant(Endpoint.CHAT, text={"format": FORMAT}), ASKED)
    assert body["response_format"]["json_schema"]["strict"] is False


def test_a_stream_is_asked_for_without_padding_and_on_chat_with_usage() -> None:
    body = build_body(replace(variant(Endpoint.RESPONSES), stream=True), ASKED)
    assert (body["stream"], body["stream_options"]) == (True, {"include_obfuscation": False})
    body = build_body(replace(variant(Endpoint.CHAT), stream=True), ASKED)
    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True, "include_obfuscation": False})


def test_a_declared_host_is_not_asked_about_padding() -> None:
    body = build_body(replace(variant(Endpoint.RESPONSES), stream=True, host="proxy"), ASKED)
    assert (body["stream"], "stream_options" in body) == (True, False)
    body = build_body(replace(variant(Endpoint.CHAT), stream=True, host="proxy"), ASKED)
    assert body["stream_options"] == {"include_usage": True}


def test_a_chain_of_responses_begins_with_a_request_that_names_none() -> None:
    body = build_body(variant(Endpoint.RESPONSES, previous_response_id=True, store=True), ASKED)
    assert "previous_response_id" not in body


def test_building_a_body_leaves_the_variant_as_it_is() -> None:
    request: dict[str, Any] = {"text": {"format": dict(FORMAT)}, "tools": [dict(TOOL)], "include": [LOGPROBS]}
    before = copy.deepcopy(request)
    for endpoint in HTTP_ENDPOINTS:
        build_body(Variant("v", "m", endpoint, request, {}, reasons=True, stream=True), ASKED)
    assert request == before


@pytest.mark.parametrize(
    "request_",
    [
        {"truncation": "auto"},
        {"max_tool_calls": 3},
        {"previous_response_id": True},
        {"reasoning": {"effort": "low", "summary": "auto"}},
        {"text": {"format": {"type": "text"}, "tone": "warm"}},
        {"include": ["file_search_call.results"]},
        {"tools": [{"type": "web_search"}]},
        {"tool_choice": {"type": "web_search"}},
        {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "web_search"}]}},
        {"something_new": 1},
    ],
)
def test_what_chat_has_no_word_for_is_refused_and_never_dropped(request_: dict[str, Any]) -> None:
    with pytest.raises(InvalidEntryError, match="cannot be said to Chat Completions"):
        build_body(variant(Endpoint.CHAT, **request_), ASKED)


def test_a_conversation_without_instructions_has_no_system_message() -> None:
    body = build_body(variant(Endpoint.CHAT), Conversation(None, ASKED.messages))
    assert [message["role"] for message in body["messages"]] == ["user"]


def test_a_conversation_without_instructions_sends_none() -> None:
    assert "instructions" not in build_body(variant(Endpoint.RESPONSES), Conversation(None, ASKED.messages))


# ------------------------------------------------------------------------------------------------------------- messages


@pytest.mark.parametrize(
    ("endpoint", "shown"),
    [
        (Endpoint.RESPONSES, {"type": "input_image", "image_url": PNG, "detail": "high"}),
        (Endpoint.CHAT, {"type": "image_url", "image_url": {"url": PNG, "detail": "high"}}),
    ],
)
def test_an_image_has_each_endpoints_shape_with_its_detail(endpoint: Endpoint, shown: dict[str, Any]) -> None:
    text, image = content(endpoint, TextPart("What is it?"), ImagePart("a.png", url=PNG, detail="high"))
    assert image == shown
    assert text == {"type": "input_text" if endpoint is Endpoint.RESPONSES else "text", "text": "What is it?"}


def test_the_detail_of_an_image_is_always_said() -> None:
    (image,) = content(Endpoint.RESPONSES, ImagePart("file-1", file_id="file-1"))
    assert image == {"type": "input_image", "file_id": "file-1", "detail": "auto"}


@pytest.mark.parametrize(
    ("part", "responses", "chat"),
    [
        (
            FilePart("papers/a.pdf", data=PDF),
            {"filename": "a.pdf", "file_data": PDF},
            {"filename": "a.pdf", "file_data": PDF},
        ),
        (FilePart("file-1", file_id="file-1"), {"file_id": "file-1"}, {"file_id": "file-1"}),
        (
            FilePart("https://e.example/a.pdf", url="https://e.example/a.pdf"),
            {"file_url": "https://e.example/a.pdf"},
            None,
        ),
    ],
)
def test_a_document_has_each_endpoints_shape(part: FilePart, responses: dict[str, Any], chat: Any) -> None:
    assert content(Endpoint.RESPONSES, part) == [{"type": "input_file", **responses}]
    if chat is None:
        with pytest.raises(InvalidEntryError, match="by URL"):
            content(Endpoint.CHAT, part)
    else:
        assert content(Endpoint.CHAT, part) == [{"type": "file", "file": chat}]


def test_an_image_by_file_id_is_refused_on_chat() -> None:
    with pytest.raises(InvalidEntryError, match="by file id"):
        content(Endpoint.CHAT, ImagePart("file-1", file_id="file-1"))


def test_a_dialogue_keeps_its_roles_and_its_texts_as_strings() -> None:
    turns = [("developer", "Be kind."), ("user", "Hello"), ("assistant", "Hi!"), ("user", "Where is it?")]
    dialogue = Conversation(None, tuple(Message(role, (TextPart(text),)) for role, text in turns))
    expected = [{"role": role, "content": text} for role, text in turns]
    assert build_body(variant(Endpoint.RESPONSES), dialogue)["input"] == expected
    assert build_body(variant(Endpoint.CHAT), dialogue)["messages"] == expected


def test_the_first_request_of_a_script_holds_what_comes_before_the_first_answer() -> None:
    script = Conversation(None, (*ASKED.messages, GeneratedTurn(), *said(TextPart("And now?")).messages))
    assert build_body(variant(Endpoint.RESPONSES), script)["input"] == [
        {"role": "user", "content": "Where is my order?"}
    ]


# ------------------------------------------------------------------------------------------------------- what was added


SCRIPT = Conversation(None, (*ASKED.messages, GeneratedTurn(), *ASKED.messages))


@pytest.mark.parametrize(
    ("asked", "conversation", "include", "place"),
    [
        (variant(Endpoint.RESPONSES, tools=[TOOL]), ASKED, [ENCRYPTED], ("include",)),
        (variant(Endpoint.RESPONSES), SCRIPT, [ENCRYPTED], ("include",)),
        (variant(Endpoint.RESPONSES, include=[LOGPROBS]), SCRIPT, [LOGPROBS, ENCRYPTED], ("include", 1)),
        (variant(Endpoint.RESPONSES, include=[ENCRYPTED]), SCRIPT, [ENCRYPTED], None),
        (variant(Endpoint.RESPONSES, store=True), SCRIPT, None, None),
        (variant(Endpoint.RESPONSES), ASKED, None, None),
    ],
)
def test_reasoning_is_asked_for_encrypted_where_it_has_to_be_sent_back(
    asked: Variant, conversation: Conversation, include: Any, place: Location | None
) -> None:
    built = build(replace(asked, reasons=True), conversation)
    assert built.body.get("include") == include
    assert [added for added in built.added if added[0] == "include"] == ([] if place is None else [place])


def test_a_model_that_does_not_reason_is_never_asked_for_its_reasoning() -> None:
    assert "include" not in build_body(variant(Endpoint.RESPONSES, tools=[TOOL]), SCRIPT)


def test_what_is_added_is_named_by_its_place_in_the_body() -> None:
    request: dict[str, Any] = {"text": {"format": FORMAT}, "tools": [{**TOOL, "strict": True}, {**TOOL, "name": "b"}]}
    assert build(variant(Endpoint.RESPONSES, **request), ASKED).added == {
        ("store",),
        ("text", "format", "strict"),
        ("tools", 1, "strict"),
    }
    assert build(variant(Endpoint.CHAT, **request), ASKED).added == {
        ("store",),
        ("response_format", "json_schema", "strict"),
        ("tools", 1, "function", "strict"),
    }


@pytest.mark.parametrize("endpoint", HTTP_ENDPOINTS)
def test_what_the_suite_writes_itself_is_not_called_added(endpoint: Endpoint) -> None:
    written = variant(endpoint, store=False, text={"format": {**FORMAT, "strict": True}})
    assert build(written, ASKED).added == frozenset()


@pytest.mark.parametrize("endpoint", HTTP_ENDPOINTS)
def test_a_long_shared_beginning_gets_a_cache_key_that_is_marked(endpoint: Endpoint) -> None:
    instructions = "Answer with care. " * 400
    asked = Variant("v", "gpt-4o-2024-08-06", endpoint, {}, {"instructions": instructions, "input": "{{ question }}"})
    built = build(asked, replace(ASKED, instructions=instructions))
    assert ("prompt_cache_key",) in built.added
    assert built.body["prompt_cache_key"].startswith("snapdrift-")


# ----------------------------------------------------------------------------------------------------- laws of settings


NAMES = st.sampled_from(["ticket", "look_up", "cancel"])
SCHEMAS = st.sampled_from([SCHEMA, {"type": "object", "properties": {}}])
STRICT = st.fixed_dictionaries({}, optional={"strict": st.booleans()})
FORMATS = st.one_of(
    st.just({"type": "text"}),
    st.just({"type": "json_object"}),
    st.builds(
        lambda name, schema, strict: {**FORMAT, "name": name, "schema": schema, **strict}, NAMES, SCHEMAS, STRICT
    ),
)
FUNCTIONS = st.builds(
    lambda name, schema, strict: {"type": "function", "name": name, "parameters": schema, **strict},
    NAMES,
    SCHEMAS,
    STRICT,
)
NAMED = st.builds(lambda name: {"type": "function", "name": name}, NAMES)
CHOICES = st.one_of(
    st.sampled_from(["none", "auto", "required"]),
    NAMED,
    st.builds(lambda tools: {"type": "allowed_tools", "mode": "auto", "tools": tools}, st.lists(NAMED, max_size=2)),
    st.just({"type": "file_search"}),
)
REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.floats(0, 2),
        "top_p": st.floats(0, 1),
        "max_output_tokens": st.integers(16, 4096),
        "text": st.fixed_dictionaries({}, optional={"format": FORMATS, "verbosity": st.just("low")}),
        "reasoning": st.fixed_dictionaries({}, optional={"effort": st.just("low"), "summary": st.just("auto")}),
        "tools": st.lists(FUNCTIONS | st.just({"type": "web_search"}), min_size=1, max_size=3),
        "tool_choice": CHOICES,
        "parallel_tool_calls": st.booleans(),
        "include": st.lists(st.sampled_from([LOGPROBS, ENCRYPTED]), max_size=2, unique=True),
        "top_logprobs": st.integers(0, 20),
        "service_tier": st.sampled_from(["auto", "priority"]),
        "metadata": st.just({"team": "shop"}),
        "store": st.booleans(),
        "truncation": st.just("auto"),
        "seed": st.integers(0, 9),
        "stop": st.just(["END"]),
    },
)


def without(body: dict[str, Any], places: frozenset[Location]) -> dict[str, Any]:
    """The body without what was added to it."""
    left = copy.deepcopy(body)
    for *path, last in sorted(places, key=len, reverse=True):
        at: Any = left
        for part in path:
            at = at[part]
        del at[last]
    return left


def responses_settings(chat: dict[str, Any]) -> dict[str, Any]:
    """A Chat body's settings in the Responses API's names: the translation backwards."""
    names = {"max_completion_tokens": "max_output_tokens"}
    found: dict[str, Any] = {}
    for name, value in chat.items():
        if name in ("model", "messages"):
            continue
        if name == "response_format":
            nested = value.get("json_schema", {})
            found.setdefault("text", {})["format"] = {"type": value["type"], **nested}
        elif name == "verbosity":
            found.setdefault("text", {})["verbosity"] = value
        elif name == "reasoning_effort":
            found["reasoning"] = {"effort": value}
        elif name == "logprobs":
            found["include"] = [LOGPROBS]
        elif name == "tools":
            found["tools"] = [flat(tool) for tool in value]
        elif name == "tool_choice" and isinstance(value, dict):
            allowed = value.get("allowed_tools")
            tools = {} if allowed is None else {**allowed, "tools": [flat(tool) for tool in allowed["tools"]]}
            found["tool_choice"] = flat(value) if allowed is None else {"type": "allowed_tools", **tools}
        else:
            found[names.get(name, name)] = value
    return found


def flat(tool: dict[str, Any]) -> dict[str, Any]:
    return {"type": "function", **tool["function"]}


def meaningful(request: dict[str, Any]) -> dict[str, Any]:
    """Settings that say nothing (`text: {}`) are as good as none."""
    return {name: value for name, value in request.items() if value not in ({}, [])}


@given(REQUESTS)
def test_a_translation_to_chat_loses_nothing_or_is_refused(request_: dict[str, Any]) -> None:
    try:
        built = build(variant(Endpoint.CHAT, **request_), ASKED)
    except InvalidEntryError as error:
        (finding,) = error.findings
        assert finding.location[0] in request_
    else:
        assert responses_settings(without(built.body, built.added)) == meaningful(request_)


@given(REQUESTS, st.booleans(), st.booleans())
def test_without_what_is_marked_a_responses_body_is_what_was_written(
    request_: dict[str, Any], stream: bool, reasons: bool
) -> None:
    asked = replace(variant(Endpoint.RESPONSES, **request_), stream=stream, reasons=reasons)
    built = build(asked, ASKED)
    rest = without(built.body, built.added)
    prompt = {"model": asked.model, "instructions": "Be terse.", "input": rest["input"]}
    assert rest == prompt | request_ | ({"stream": True} if stream else {})


# ------------------------------------------------------------------------------------------------------------- requests


def test_a_request_carries_the_ids_of_its_run_call_and_step() -> None:
    call = CallKey("case/1", "november", 2)
    request = build_request(call, variant(Endpoint.CHAT), ASKED, "run-1", "http://127.0.0.1:1/v1", step=3)
    assert ClientRequestId.parse(request.client_request_id) == ClientRequestId("run-1", "case/1", "november", 2, 3)


def test_a_judges_request_has_another_id_than_the_one_it_judges() -> None:
    answer = build_request(CallKey("c", "v", 0), variant(Endpoint.CHAT), ASKED, "r", "http://127.0.0.1:1/v1")
    judge = build_request(CallKey("c", "v", 0, "helpful"), variant(Endpoint.CHAT), ASKED, "r", "http://127.0.0.1:1/v1")
    assert answer.client_request_id != judge.client_request_id


def test_a_variants_name_is_no_part_of_what_makes_requests_equal() -> None:
    first = build_request(CallKey("c", "a", 0), variant(Endpoint.CHAT), ASKED, "r", "http://127.0.0.1:1/v1")
    second = build_request(CallKey("c", "b", 0), variant(Endpoint.CHAT), ASKED, "s", "http://127.0.0.1:1/v1")
    assert first.hash == second.hash
