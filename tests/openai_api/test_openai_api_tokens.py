from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapdrift.openai_api import tokens
from snapdrift.openai_api.tokens import TokenCount, estimate_input_tokens, estimate_tokens, upper_bound_tokens


@pytest.fixture
def without_tokenizer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bpe_openai._bindings", None)
    monkeypatch.setattr(tokens, "_tokenizer", tokens._tokenizer.__wrapped__)


def test_the_tokenizer_is_o200k_base() -> None:
    tokenizer = tokens._tokenizer()
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


def test_a_schema_makes_the_count_an_estimate() -> None:
    body = {"input": "hi", "text": {"format": {"type": "json_schema", "name": "a", "schema": {"type": "object"}}}}
    assert not estimate_input_tokens(body).exact


def test_plain_messages_are_counted_exactly() -> None:
    body = {"messages": [{"role": "user", "content": "hello world"}]}
    assert estimate_input_tokens(body) == TokenCount(2 + 1 + tokens.MESSAGE_TOKENS + tokens.REPLY_TOKENS, exact=True)


def test_an_image_is_bounded_by_its_tiles_and_not_by_its_bytes() -> None:
    part = {"type": "input_image", "image_url": "data:image/png;base64," + "A" * 1_000_000, "detail": "high"}
    bound = upper_bound_tokens({"input": [{"role": "user", "content": [part]}]})
    assert tokens.IMAGE_TOKENS_BOUND <= bound < tokens.IMAGE_TOKENS_BOUND + 1_000


@settings(deadline=None)
@given(st.lists(st.text(max_size=60), max_size=5), st.none() | st.text(max_size=40))
def test_the_bound_is_never_below_the_count(texts: list[str], instructions: str | None) -> None:
    body = {"instructions": instructions, "input": [{"role": "user", "content": text} for text in texts]}
    assert upper_bound_tokens(body) >= estimate_input_tokens(body).tokens


@settings(deadline=None)
@given(st.text(st.characters(codec=None), max_size=50))
def test_any_text_has_at_most_one_token_a_byte_even_with_lone_surrogates(text: str) -> None:
    assert estimate_tokens(text).tokens <= len(text.encode("utf-8", "surrogatepass"))


def test_settings_without_a_schema_add_nothing_to_the_bound() -> None:
    body = {"input": "hi"}
    assert upper_bound_tokens({**body, "text": {"format": {"type": "text"}}, "temperature": 0}) == upper_bound_tokens(
        body
    )
