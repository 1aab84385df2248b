"""What an account is told of its use: cached tokens, service tiers, quota, limits of the context."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from tests.standin.conversations import MODEL, chat, data_url, own_service, png, refusal, responses

from snapdrift.model import Endpoint
from snapdrift.standin.config import StandinConfig
from snapdrift.standin.service import AnswerService

LONG = "The quick brown fox jumps over the lazy dog. " * 150


def timed() -> tuple[AnswerService, list[float]]:
    now = [0.0]
    return AnswerService(StandinConfig.checked({}), lambda: now[0]), now


def cached(service: AnswerService, prompt: Any, **settings: Any) -> int:
    return int(responses(service, prompt, **settings)["usage"]["input_tokens_details"]["cached_tokens"])


def test_what_was_asked_before_is_cached_in_steps_of_128_tokens() -> None:
    service, _ = timed()
    assert cached(service, LONG) == 0
    again = responses(service, LONG)["usage"]
    known = again["input_tokens_details"]["cached_tokens"]
    assert known % 128 == 0
    assert again["input_tokens"] - 160 < known < again["input_tokens"]


def test_only_the_common_prefix_is_cached() -> None:
    service, _ = timed()
    cached(service, LONG + "One. " * 1000)
    whole = cached(service, LONG)
    assert cached(service, LONG + "Two. " * 1000) in (whole, whole + 128)
    assert cached(service, "Another start. " + LONG) == 0


def test_a_short_prompt_is_never_cached() -> None:
    service, _ = timed()
    assert [cached(service, "Hello") for _ in range(2)] == [0, 0]


def test_the_cache_forgets_after_ten_minutes_without_use() -> None:
    service, now = timed()
    cached(service, LONG)
    now[0] = 599.0
    assert cached(service, LONG) > 0
    now[0] = 1198.0
    assert cached(service, LONG) > 0
    now[0] = 1799.0
    assert cached(service, LONG) == 0


def test_models_and_cache_keys_share_nothing_and_both_endpoints_do() -> None:
    service, _ = timed()
    cached(service, LONG)
    assert cached(service, LONG, model="gpt-4o-2024-08-06") == 0
    assert cached(service, LONG, prompt_cache_key="mine") == 0
    assert cached(service, LONG, prompt_cache_key="mine") > 0
    on_chat = chat(service, [{"role": "user", "content": LONG}])
    assert on_chat["usage"]["prompt_tokens_details"]["cached_tokens"] > 0


def test_an_image_is_part_of_the_prefix_with_its_detail() -> None:
    def prompt(detail: str) -> list[Any]:
        part = {"type": "input_image", "image_url": data_url(png(1024, 1024)), "detail": detail}
        return [{"role": "user", "content": [part, part]}]

    service, _ = timed()
    cached(service, prompt("high"))
    assert cached(service, prompt("low")) == 0
    assert cached(service, prompt("high")) == 1408


def test_a_model_without_a_price_for_cached_tokens_has_none() -> None:
    service, _ = timed()
    assert [cached(service, LONG, model="gpt-4o-2024-05-13") for _ in range(2)] == [0, 0]


def test_caching_can_be_switched_off() -> None:
    service = own_service(prompt_caching=False)
    assert [cached(service, LONG) for _ in range(2)] == [0, 0]


@pytest.mark.parametrize(
    ("asked", "served"),
    [
        (None, "default"),
        ("auto", "default"),
        ("default", "default"),
        ("priority", "priority"),
        ("fast", "priority"),
        ("flex", "flex"),
    ],
)
def test_the_service_tier_that_served_is_told_on_both_endpoints(asked: str | None, served: str) -> None:
    settings = {} if asked is None else {"service_tier": asked}
    assert responses(own_service(), "Hello", **settings)["service_tier"] == served
    assert chat(own_service(), [{"role": "user", "content": "Hello"}], **settings)["service_tier"] == served


def test_a_used_up_quota_is_a_429_that_never_goes_away() -> None:
    service = own_service(limits={"quota_requests": 2})
    for _ in range(2):
        responses(service, "Hello")
    for _ in range(2):
        error = refusal(service, Endpoint.RESPONSES, {"input": "Hello"})
        assert (error["status"], error["code"], error["type"]) == (429, "insufficient_quota", "insufficient_quota")


def test_a_quota_in_dollars_is_used_up_by_what_answers_cost() -> None:
    service = own_service(limits={"quota_usd": 0.00001})
    responses(service, "Hello")
    assert refusal(service, Endpoint.RESPONSES, {"input": "Hello"})["code"] == "insufficient_quota"


def test_the_quota_reaches_the_sdk(start: Any, connect: Any) -> None:
    client = connect(start(limits={"quota_requests": 0}))
    with pytest.raises(openai.RateLimitError) as refused:
        client.responses.create(model=MODEL, input="Hello")
    assert refused.value.code == "insufficient_quota"


def test_a_prompt_beyond_the_context_window_is_refused_on_both_endpoints() -> None:
    text = "word " * 130_000
    on_responses = refusal(own_service(), Endpoint.RESPONSES, {"input": text})
    assert (on_responses["code"], on_responses["param"]) == ("context_length_exceeded", "input")
    on_chat = refusal(own_service(), Endpoint.CHAT, {"messages": [{"role": "user", "content": text}]})
    assert on_chat["message"].startswith("This model's maximum context length is 128000 tokens.")
    assert responses(own_service(), text, truncation="auto")["status"] == "completed"


def test_a_cap_beyond_what_the_model_writes_is_refused() -> None:
    error = refusal(own_service(), Endpoint.RESPONSES, {"input": "Hello", "max_output_tokens": 20_000})
    assert error["message"].startswith("max_output_tokens is too large: 20000.")


def test_a_reasoning_model_reports_what_it_thought() -> None:
    service = own_service()
    usage = responses(service, "Hello", model="gpt-6-luna")["usage"]
    thought = usage["output_tokens_details"]["reasoning_tokens"]
    assert 0 < thought < usage["output_tokens"]
    little = responses(service, "Hello", model="gpt-6-luna", reasoning={"effort": "low"})["usage"]
    assert little["output_tokens_details"]["reasoning_tokens"] < thought
    on_chat = chat(service, [{"role": "user", "content": "Hello"}], model="gpt-6-luna")["usage"]
    assert on_chat["completion_tokens_details"]["reasoning_tokens"] == thought


def test_a_small_cap_leaves_a_reasoning_model_nothing_to_say() -> None:
    body = responses(own_service(), "Hello", model="gpt-6-luna", max_output_tokens=32)
    assert body["incomplete_details"] == {"reason": "max_output_tokens"}
    assert [item["type"] for item in body["output"]] == ["reasoning"]
    assert body["usage"]["output_tokens"] == 32
    messages = [{"role": "user", "content": "Hello"}]
    choice = chat(own_service(), messages, model="gpt-6-luna", max_completion_tokens=32)["choices"][0]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("length", "")


@pytest.mark.parametrize(
    ("endpoint", "settings", "param"),
    [
        (Endpoint.RESPONSES, {"model": "gpt-6-luna", "temperature": 0}, "temperature"),
        (Endpoint.CHAT, {"model": "gpt-6-luna", "max_tokens": 100}, "max_tokens"),
        (Endpoint.CHAT, {"model": "gpt-6-luna", "logprobs": True}, "logprobs"),
        (Endpoint.RESPONSES, {"reasoning": {"effort": "low"}}, "reasoning.effort"),
        (Endpoint.CHAT, {"reasoning_effort": "low"}, "reasoning_effort"),
    ],
)
def test_parameters_that_a_model_does_not_take_are_refused(
    endpoint: Endpoint, settings: dict[str, Any], param: str
) -> None:
    prompt = {"input": "Hello"} if endpoint is Endpoint.RESPONSES else {"messages": [{"role": "user", "content": "x"}]}
    error = refusal(own_service(), endpoint, {**prompt, **settings})
    assert (error["code"], error["param"]) == ("unsupported_parameter", param)


@pytest.mark.parametrize(
    ("settings", "param"),
    [
        ({"service_tier": "gold"}, "service_tier"),
        ({"include": ["everything"]}, "include"),
        ({"include": ["reasoning.encrypted_content"]}, "include"),
        ({"stream_options": {"include_obfuscation": False}}, "stream_options"),
        ({"metadata": {"n": 1}}, "metadata.n"),
        ({"metadata": {str(n): "x" for n in range(17)}}, "metadata"),
        ({"model": "gpt-4o-2024-05-13", "text": {"format": {"type": "json_schema"}}}, "text.format"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], param: str) -> None:
    assert refusal(own_service(), Endpoint.RESPONSES, {"input": "Hello", **settings})["param"] == param


def test_logprobs_are_told_for_each_token_and_are_the_same_on_both_endpoints() -> None:
    include = ["message.output_text.logprobs"]
    body = responses(own_service(), "Hello", include=include, top_logprobs=2)
    [part] = body["output"][0]["content"]
    assert "".join(token["token"] for token in part["logprobs"]) == part["text"]
    assert all(len(token["top_logprobs"]) == 2 and token["logprob"] <= 0 for token in part["logprobs"])
    messages = [{"role": "user", "content": "Hello"}]
    choice = chat(own_service(), messages, logprobs=True, top_logprobs=2)["choices"][0]
    assert choice["logprobs"]["content"] == part["logprobs"]
    assert json.dumps(responses(own_service(), "Hello")).count('"logprobs": []') == 1
