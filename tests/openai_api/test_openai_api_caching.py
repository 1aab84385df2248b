from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.model import Case, Endpoint, Variant
from snapdrift.openai_api import text_tokens
from snapdrift.openai_api.caching import MIN_PREFIX_BYTES, cache_prefix, prefix_varies, prompt_cache_key
from snapdrift.openai_api.requests import build_body
from snapdrift.suites.prompts import render

RULES = "Answer as the manual says. " * 200
ENDPOINTS = [Endpoint.RESPONSES, Endpoint.CHAT]


def variant(prompt: dict[str, Any], endpoint: Endpoint = Endpoint.RESPONSES, **changes: Any) -> Variant:
    settings = {"model": "gpt-4o-2024-08-06", "request": {}, **changes}
    return Variant("v", endpoint=endpoint, prompt=prompt, **settings)


def key_of(asked: Variant, **variables: Any) -> str | None:
    body = build_body(asked, render(asked.prompt, Case("c", variables)))
    sent = body.get("prompt_cache_key")
    assert sent is None or isinstance(sent, str)
    return sent


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_cases_under_long_instructions_share_a_key(endpoint: Endpoint) -> None:
    asked = variant({"instructions": RULES, "input": "{{ q }}"}, endpoint)
    key = key_of(asked, q="What now?")
    assert key is not None
    assert key.startswith("snapdrift-")
    assert len(key) == len("snapdrift-") + 32
    assert key == key_of(asked, q="And then?")


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_short_prompt_has_no_key(endpoint: Endpoint) -> None:
    assert key_of(variant({"instructions": "Be terse.", "input": "{{ q }}"}, endpoint), q="Hi") is None


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_long_question_is_no_shared_prefix(endpoint: Endpoint) -> None:
    assert key_of(variant({"input": "{{ q }}"}, endpoint), q=RULES) is None


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_what_the_template_says_before_its_first_expression_is_shared(endpoint: Endpoint) -> None:
    asked = variant({"input": RULES + "\n{{ q }}"}, endpoint)
    assert key_of(asked, q="one") is not None
    assert key_of(asked, q="one") == key_of(asked, q="two")
    assert key_of(variant({"input": "{{ q }}\n" + RULES}, endpoint), q="one") is None


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_cases_about_one_document_share_a_key_and_others_do_not(endpoint: Endpoint) -> None:
    messages = [{"role": "user", "content": "{{ document }}"}, {"role": "user", "content": "{{ q }}"}]
    asked = variant({"input": messages}, endpoint)
    one = key_of(asked, document=RULES, q="Who?")
    assert one is not None
    assert one == key_of(asked, document=RULES, q="When?")
    assert one != key_of(asked, document=RULES + "!", q="Who?")


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_what_is_the_same_for_every_case_goes_before_what_some_share(endpoint: Endpoint) -> None:
    messages = [{"role": "user", "content": "{{ document }}"}, {"role": "user", "content": "{{ q }}"}]
    asked = variant({"instructions": RULES, "input": messages}, endpoint)
    assert key_of(asked, document=RULES, q="Who?") == key_of(asked, document="Another.", q="Who?")


def test_tools_and_the_schema_are_part_of_the_prefix() -> None:
    schema = {"type": "object", "properties": {f"field_{n}": {"type": "string"} for n in range(200)}}
    wanted = {"text": {"format": {"type": "json_schema", "name": "a", "schema": schema}}}
    other = {"text": {"format": {"type": "json_schema", "name": "b", "schema": schema}}}
    one, two = variant({"input": "{{ q }}"}, request=wanted), variant({"input": "{{ q }}"}, request=other)
    assert key_of(one, q="x") is not None
    assert key_of(one, q="x") == key_of(one, q="y")
    assert key_of(one, q="x") != key_of(two, q="x")


def test_two_models_have_keys_of_their_own() -> None:
    prompt = {"instructions": RULES, "input": "{{ q }}"}
    assert key_of(variant(prompt), q="x") != key_of(variant(prompt, model="gpt-4o-2024-11-20"), q="x")


def test_the_suite_s_own_key_is_sent_as_written() -> None:
    asked = variant({"instructions": RULES, "input": "x"}, request={"prompt_cache_key": "mine"})
    body = build_body(asked, render(asked.prompt, Case("c")))
    assert body["prompt_cache_key"] == "mine"
    assert prompt_cache_key(asked, body) is None


def test_a_declared_host_is_sent_nothing_that_it_may_not_know() -> None:
    assert key_of(variant({"instructions": RULES, "input": "x"}, host="my-proxy")) is None


def test_applications_have_no_key() -> None:
    asked = variant({"input": "x"}, Endpoint.PYTHON)
    assert prompt_cache_key(asked, {"input": RULES}) is None


def test_the_key_is_the_same_whether_the_tokenizer_is_installed_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = variant({"instructions": "word " * (MIN_PREFIX_BYTES // 5 + 1), "input": "x"})
    with_it = key_of(asked)
    monkeypatch.setitem(sys.modules, "bpe_openai._bindings", None)
    monkeypatch.setattr(text_tokens, "_tokenizer", text_tokens._tokenizer.__wrapped__)
    assert with_it is not None
    assert key_of(asked) == with_it


def test_a_case_s_own_messages_share_what_goes_before_the_last() -> None:
    asked = variant({"input": "{{ messages }}"})
    start = {"role": "user", "content": RULES}
    told = {"role": "assistant", "content": "Yes."}
    one = key_of(asked, messages=[start, told, {"role": "user", "content": "Who?"}])
    assert one is not None
    assert one == key_of(asked, messages=[start, told, {"role": "user", "content": "When?"}])


@given(st.text(max_size=30), st.text(max_size=30))
def test_one_template_gives_one_key_whatever_it_is_filled_with(one: str, two: str) -> None:
    asked = variant({"instructions": RULES, "input": "Q: {{ q }} {% if q %}!{% endif %}"})
    assert key_of(asked, q=one) == key_of(asked, q=two)


def test_a_prefix_counts_its_tokens() -> None:
    asked = variant({"instructions": RULES, "input": "{{ q }}"})
    prefix = cache_prefix(asked, build_body(asked, render(asked.prompt, Case("c", {"q": "x"}))))
    assert prefix is not None
    assert 1_000 < prefix.tokens < 1_300


@pytest.mark.parametrize(
    ("prompt", "varies"),
    [
        ({"instructions": RULES, "input": "{{ q }}"}, False),
        ({"instructions": "{{ rules }}", "input": "{{ q }}"}, True),
        ({"input": "{{ messages }}"}, True),
        ({"input": [{"role": "user", "content": "{{ d }}"}, {"role": "user", "content": "x"}]}, True),
        ({"input": [{"role": "user", "content": [{"text": "{{ d }}"}]}, {"role": "user", "content": "x"}]}, True),
        ({"input": [{"role": "user", "content": "d"}, {"role": "user", "content": "{{ q }}"}]}, False),
    ],
)
def test_the_order_of_cases_matters_where_a_prefix_depends_on_the_case(prompt: dict[str, Any], varies: bool) -> None:
    cases = [
        Case("c", {"q": "text", "messages": [{"role": "user", "content": "x"}] if "messages" in str(prompt) else ""})
    ]
    assert prefix_varies(variant(prompt), cases) is varies
