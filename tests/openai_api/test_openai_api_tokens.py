from __future__ import annotations

import base64
import io
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapdrift.openai_api import text_tokens, tokens
from snapdrift.openai_api.images import GPT_4O, GPT_4O_MINI
from snapdrift.openai_api.tokens import TokenCount, estimate_input_tokens, estimate_tokens, upper_bound_tokens

WEATHER = {
    "type": "function",
    "name": "weather",
    "description": "Tells the weather.",
    "parameters": {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Where."},
            "unit": {"type": "string", "enum": ["C", "F"]},
        },
    },
}


@pytest.fixture
def without_tokenizer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bpe_openai._bindings", None)
    monkeypatch.setattr(text_tokens, "_tokenizer", text_tokens._tokenizer.__wrapped__)


def picture(width: int, height: int) -> str:
    image = pytest.importorskip("PIL.Image", reason="Pillow (extra `vision`) is not installed")
    out = io.BytesIO()
    image.new("1", (width, height)).save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def asked(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"input": [{"role": "user", "content": list(parts)}]}


def test_the_tokenizer_is_o200k_base() -> None:
    tokenizer = text_tokens._tokenizer()
    assert tokenizer is not None
    assert tokenizer.encode("hello world") == [24912, 2375]


def test_a_text_is_counted_exactly_with_the_tokenizer() -> None:
    assert estimate_tokens("hello world") == TokenCount(2, exact=True)


def test_a_text_that_looks_like_a_special_token_is_counted_as_text() -> None:
    assert estimate_tokens("<|endoftext|>").tokens > 1


def test_without_the_tokenizer_the_count_is_marked_as_an_estimate(without_tokenizer: None) -> None:
    assert estimate_tokens("hello world") == TokenCount(4, exact=False)


def test_a_text_too_long_for_the_tokenizer_is_estimated() -> None:
    assert not estimate_tokens("word " * 200_001).exact


def test_the_example_of_the_api_reference_has_nineteen_tokens_on_both_endpoints() -> None:
    system, user = "You are a helpful assistant.", "Hello!"
    chat = {"messages": [{"role": "system", "content": system}, {"role": "user", "content": user}]}
    assert estimate_input_tokens(chat) == TokenCount(19, exact=True)
    assert estimate_input_tokens({"instructions": system, "input": user}) == TokenCount(19, exact=True)


def test_a_text_counts_the_same_in_a_part_and_plain() -> None:
    plain = estimate_input_tokens({"input": [{"role": "user", "content": "hello world"}]})
    assert estimate_input_tokens(asked({"type": "input_text", "text": "hello world"})) == plain
    assert estimate_input_tokens({"messages": asked({"type": "text", "text": "hello world"})["input"]}) == plain


def test_a_schema_makes_the_count_an_estimate() -> None:
    body = {"input": "hi", "text": {"format": {"type": "json_schema", "name": "a", "schema": {"type": "object"}}}}
    assert not estimate_input_tokens(body).exact
    assert estimate_input_tokens(body).tokens > estimate_input_tokens({"input": "hi"}).tokens


def test_a_tool_is_counted_as_the_cookbook_does_and_marked() -> None:
    words = ["weather:Tells the weather", "city:string:Where", "unit:string", "C", "F"]
    added = sum(estimate_tokens(word).tokens for word in words)
    count = estimate_input_tokens({"input": "hi", "tools": [WEATHER]})
    # 7 a function, 3 for its properties, 3 each, -3 for the enum and 3 for each of its values, 12 at the end
    assert count.tokens - estimate_input_tokens({"input": "hi"}).tokens == added + 7 + 3 + 2 * 3 - 3 + 2 * 3 + 12 + 1
    assert not count.exact


def test_a_tool_counts_the_same_in_the_shapes_of_both_endpoints() -> None:
    nested = {"type": "function", "function": {key: value for key, value in WEATHER.items() if key != "type"}}
    chat = estimate_input_tokens({"messages": [{"role": "user", "content": "hi"}], "tools": [nested]})
    assert chat == estimate_input_tokens({"input": "hi", "tools": [WEATHER]})


def test_tools_called_and_answered_before_are_counted() -> None:
    called = {"type": "function_call", "call_id": "1", "name": "weather", "arguments": '{"city": "Oslo"}'}
    told = {"type": "function_call_output", "call_id": "1", "output": "It rains."}
    start = {"role": "user", "content": "hi"}
    short = estimate_input_tokens({"input": [start]})
    long = estimate_input_tokens({"input": [start, called, told]})
    assert long.tokens > short.tokens
    assert not long.exact


def test_an_image_of_known_size_is_counted_exactly_by_the_rule_of_its_model() -> None:
    part = {"type": "input_image", "image_url": picture(1024, 1024), "detail": "high"}
    text = estimate_input_tokens(asked()).tokens
    assert estimate_input_tokens(asked(part), GPT_4O) == TokenCount(text + 765, exact=True)
    assert estimate_input_tokens(asked(part), GPT_4O_MINI) == TokenCount(text + 25_501, exact=True)
    assert not estimate_input_tokens(asked(part)).exact


def test_an_image_of_chat_is_counted_like_one_of_responses() -> None:
    url = picture(600, 300)
    chat = {"messages": asked({"type": "image_url", "image_url": {"url": url, "detail": "high"}})["input"]}
    responses = asked({"type": "input_image", "image_url": url, "detail": "high"})
    assert estimate_input_tokens(chat, GPT_4O) == estimate_input_tokens(responses, GPT_4O)


def test_an_image_elsewhere_counts_as_the_largest_and_is_marked() -> None:
    part = {"type": "input_image", "image_url": "https://example.com/a.png"}
    count = estimate_input_tokens(asked(part), GPT_4O)
    assert count == TokenCount(estimate_input_tokens(asked()).tokens + 85 + 8 * 170, exact=False)


def test_the_bytes_of_an_image_are_no_text() -> None:
    part = {"type": "input_image", "image_url": "data:image/png;base64," + "A" * 1_000_000, "detail": "high"}
    bound = upper_bound_tokens(asked(part))
    assert bound is not None
    assert tokens.IMAGE_TOKENS_BOUND <= bound < tokens.IMAGE_TOKENS_BOUND + 1_000
    assert estimate_input_tokens(asked(part)).tokens < 2_000


def test_a_file_is_bounded_by_the_context_window_alone() -> None:
    part = {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64," + "A" * 100}
    assert upper_bound_tokens(asked(part)) is None
    assert upper_bound_tokens(asked(part), GPT_4O, 128_000) == 128_000
    assert not estimate_input_tokens(asked(part)).exact


def test_what_is_not_in_the_body_is_bounded_by_the_context_window_alone() -> None:
    body = {"input": "hi", "previous_response_id": "resp_1"}
    assert upper_bound_tokens(body) is None
    assert upper_bound_tokens(body, None, 128_000) == 128_000
    assert not estimate_input_tokens(body).exact


def test_what_a_built_in_tool_finds_is_bounded_by_the_context_window_alone() -> None:
    body = {"input": "hi", "tools": [{"type": "web_search"}]}
    assert upper_bound_tokens(body) is None
    assert upper_bound_tokens(body, None, 128_000) == 128_000
    assert not estimate_input_tokens(body).exact


def test_nothing_is_bounded_by_more_than_the_context_window() -> None:
    assert upper_bound_tokens({"input": "word " * 100_000}, None, 128_000) == 128_000


@settings(deadline=None)
@given(st.lists(st.text(max_size=60), max_size=5), st.none() | st.text(max_size=40))
def test_the_bound_is_never_below_the_count(texts: list[str], instructions: str | None) -> None:
    body = {"instructions": instructions, "input": [{"role": "user", "content": text} for text in texts]}
    bound = upper_bound_tokens(body)
    assert bound is not None
    assert bound >= estimate_input_tokens(body).tokens


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=10), st.sampled_from(["string", "number"]), max_size=6), st.text(max_size=80))
def test_the_bound_holds_for_tools_and_schemas_too(properties: dict[str, str], description: str) -> None:
    schema = {"type": "object", "properties": {name: {"type": kind} for name, kind in properties.items()}}
    tool = {"type": "function", "name": "f", "description": description, "parameters": schema}
    answer = {"format": {"type": "json_schema", "name": "a", "schema": schema}}
    body = {"input": "hi", "tools": [tool], "text": answer}
    assert (upper_bound_tokens(body) or 0) >= estimate_input_tokens(body).tokens


@settings(deadline=None)
@given(st.text(st.characters(codec=None), max_size=50))
def test_any_text_has_at_most_one_token_a_byte_even_with_lone_surrogates(text: str) -> None:
    assert estimate_tokens(text).tokens <= len(text.encode("utf-8", "surrogatepass"))


def test_settings_without_a_schema_add_nothing_to_the_bound() -> None:
    body = {"input": "hi"}
    assert upper_bound_tokens({**body, "text": {"format": {"type": "text"}}, "temperature": 0}) == upper_bound_tokens(
        body
    )


@pytest.mark.parametrize("text", ["Where is my parcel? " * 40, "配達はいつですか。" * 30, '{"a": [1, 2, 3]}' * 9, ""])
def test_a_counted_bound_is_nearer_than_bytes_and_never_under_the_count(text: str) -> None:
    body = {"instructions": "Be terse.", "input": [{"role": "user", "content": text}], "max_output_tokens": 16}
    counted, by_bytes = upper_bound_tokens(body, counted=True), upper_bound_tokens(body)
    assert counted is not None
    assert by_bytes is not None
    assert estimate_input_tokens(body).tokens <= counted <= by_bytes
    assert not text or counted < by_bytes
