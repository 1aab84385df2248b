"""What is read out of rate-limit headers, and what is not believed."""

from __future__ import annotations

import httpx2
import pytest

from snapdrift.model import ToldLimit, ToldLimits
from snapdrift.openai_api.load import ASSUMED_OUTPUT, IMAGE_TOKENS, LOW_IMAGE_TOKENS, load_of
from snapdrift.openai_api.rate_headers import go_seconds, told_by, told_limits
from snapdrift.standin.ratelimits import go_duration


def headers(what: str, limit: str, remaining: str, reset: str) -> dict[str, str]:
    said = {"limit": limit, "remaining": remaining, "reset": reset}
    return {f"x-ratelimit-{name}-{what}": value for name, value in said.items()}


def test_headers_tell_limit_rest_and_time_to_be_whole_again() -> None:
    said = headers("requests", "5000", "4999", "12ms") | headers("tokens", "800000", "799000", "6m0s")
    assert told_limits(said) == ToldLimits(ToldLimit(5000, 4999, 0.012), ToldLimit(800_000, 799_000, 360.0))


def test_they_are_read_whatever_their_case_and_class() -> None:
    said = httpx2.Headers({"X-RateLimit-Limit-Requests": "60", "content-type": "application/json"})
    assert told_limits(said) == ToldLimits(ToldLimit(60))


def test_without_them_nothing_is_told() -> None:
    assert told_limits({"content-type": "application/json", "x-request-id": "req_1"}) is None


@pytest.mark.parametrize(("limit", "remaining"), [("-1", "-1"), ("0", "0"), ("many", "1"), ("", ""), ("1.5", "1")])
def test_a_limit_that_is_none_is_not_believed(limit: str, remaining: str) -> None:
    assert told_limits(headers("requests", limit, remaining, "1s")) is None


@pytest.mark.parametrize("remaining", ["-1", "6000", "some"])
def test_a_rest_that_cannot_be_is_not_believed(remaining: str) -> None:
    assert told_limits(headers("requests", "5000", remaining, "soon")) == ToldLimits(ToldLimit(5000))


def test_of_the_tokens_of_account_and_project_the_tighter_limit_counts() -> None:
    said = headers("tokens", "800000", "799000", "1s") | headers("project-tokens", "100000", "500", "59s")
    assert told_limits(said) == ToldLimits(None, ToldLimit(100_000, 500, 59.0))


@pytest.mark.parametrize("seconds", [0.0, 0.006, 1.0, 8.64, 360.0, 3600.0, 3661.5])
def test_durations_are_read_as_go_writes_them(seconds: float) -> None:
    assert go_seconds(go_duration(seconds)) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "soon", "1x", "1s soon", "-1s", "nan", "inf", "1m 2s"])
def test_what_is_no_duration_is_none(text: str) -> None:
    assert go_seconds(text) is None


def test_a_refusal_tells_by_its_response_and_an_error_without_one_tells_nothing() -> None:
    request = httpx2.Request("POST", "https://api.openai.com/v1/responses")
    response = httpx2.Response(429, headers=headers("requests", "60", "0", "1s"), request=request)
    error = httpx2.HTTPStatusError("429", request=request, response=response)
    assert told_by(error) == ToldLimits(ToldLimit(60, 0, 1.0))
    assert told_by(TimeoutError()) is None


def test_a_request_weighs_its_text_and_the_longest_answer_it_allows() -> None:
    assert load_of({"input": "x" * 350, "max_output_tokens": 50}).tokens == pytest.approx(150, abs=2)
    assert load_of({"messages": [{"role": "user", "content": ""}]}).tokens == pytest.approx(ASSUMED_OUTPUT, abs=2)


def test_images_are_counted_and_never_by_their_bytes() -> None:
    parts = [{"type": "input_image", "image_url": "data:image/png;base64," + "A" * 9999, "detail": "low"}]
    parts.append({"type": "input_image", "image_url": "https://example.com/a.png", "detail": "high"})
    load = load_of({"input": [{"role": "user", "content": parts}], "max_output_tokens": 16})
    assert load.images == 2
    assert load.tokens == pytest.approx(16 + LOW_IMAGE_TOKENS + IMAGE_TOKENS, abs=3)
