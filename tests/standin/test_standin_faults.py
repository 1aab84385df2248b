"""Faults on purpose, as the SDK meets them, and rate limits."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import openai
import pytest

from snapdrift.errors import ConfigError
from snapdrift.standin.api_errors import ApiError
from snapdrift.standin.config import Limits
from snapdrift.standin.faults import Fault, FaultPlan
from snapdrift.standin.ratelimits import RateLimiter, go_duration

AUGUST = "gpt-4o-2024-08-06"


@pytest.fixture
def ask(start: Any, connect: Any) -> Any:
    """Asks a server with the faults once; returns the raw response."""

    def asking(faults: str, *, stream: bool = False, **settings: Any) -> Any:
        client = connect(start(faults=faults), **settings)
        return client.responses.with_raw_response.create(model=AUGUST, input="Hello", stream=stream)

    return asking


@pytest.mark.parametrize(
    ("fault", "error", "code"),
    [
        ("429", openai.RateLimitError, "rate_limit_exceeded"),
        ("quota", openai.RateLimitError, "insufficient_quota"),
        ("500", openai.InternalServerError, "server_error"),
        ("503", openai.InternalServerError, "server_overloaded"),
        ("html502", openai.InternalServerError, None),
    ],
)
def test_a_fault_with_a_status_is_the_sdks_error(
    ask: Any, fault: str, error: type[openai.APIStatusError], code: str | None
) -> None:
    with pytest.raises(error) as raised:
        ask(f"first={fault}")
    assert raised.value.code == code
    assert raised.value.response.headers["x-snapdrift-standin"] == "simulated"


def test_retry_after_is_sent_when_it_is_configured_and_left_out_otherwise(ask: Any) -> None:
    with pytest.raises(openai.RateLimitError) as without:
        ask("first=429")
    with pytest.raises(openai.RateLimitError) as sent:
        ask("first=429,retry_after=2.5")
    assert "retry-after" not in without.value.response.headers
    assert sent.value.response.headers["retry-after"] == "2.5"


def test_a_reset_is_a_connection_error(ask: Any) -> None:
    with pytest.raises(openai.APIConnectionError):
        ask("first=reset")


def test_a_stall_is_a_timeout(ask: Any) -> None:
    with pytest.raises(openai.APITimeoutError):
        ask("first=stall", timeout=0.3)


def test_a_stalled_request_is_dropped_in_the_end(ask: Any) -> None:
    with pytest.raises(openai.APIConnectionError) as raised:
        ask("first=stall,stall_seconds=0.2")
    assert not isinstance(raised.value, openai.APITimeoutError)


def test_a_body_that_is_cut_is_a_connection_error(ask: Any) -> None:
    with pytest.raises(openai.APIConnectionError):
        ask("first=truncate_stream")


def test_malformed_json_cannot_be_parsed(ask: Any) -> None:
    with pytest.raises(json.JSONDecodeError):
        ask("first=malformed").parse()


def test_a_wrong_content_type_comes_with_a_200(ask: Any) -> None:
    raw = ask("first=wrong_type")
    assert raw.headers["content-type"].startswith("text/html")


def test_a_failed_response_comes_with_a_200(ask: Any) -> None:
    response = ask("first=failed").parse()
    assert response.status == "failed"
    assert response.error.code == "server_error"


def test_a_stream_that_is_cut_never_reaches_its_terminal_event(ask: Any) -> None:
    events = ask("first=truncate_stream", stream=True).parse()
    types: list[str] = []
    with pytest.raises(openai.APIConnectionError):
        types.extend(event.type for event in events)
    assert types[0] == "response.created"
    assert "response.completed" not in types


def test_an_error_event_ends_a_stream(ask: Any) -> None:
    events = list(ask("first=error_event", stream=True).parse())
    assert events[-1].type == "error"
    assert [event.sequence_number for event in events] == list(range(len(events)))


def test_a_chat_stream_can_end_in_an_error_too(start: Any, connect: Any) -> None:
    client = connect(start(faults="first=error_event"))
    stream = client.chat.completions.create(model=AUGUST, messages=[{"role": "user", "content": "Hello"}], stream=True)
    with pytest.raises(openai.APIError, match="The server had an error"):
        list(stream)


def test_a_broken_event_in_a_stream_cannot_be_parsed(ask: Any) -> None:
    with pytest.raises(json.JSONDecodeError):
        list(ask("first=malformed", stream=True).parse())


def test_the_first_attempts_of_every_call_fail_as_the_script_says(start: Any, connect: Any, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    client = connect(start(faults="first=500+reset*2", log=log))
    for case in ("a", "b"):
        header = {"X-Client-Request-Id": f"s-1:{case}:v/0/0"}
        for error in (openai.InternalServerError, openai.APIConnectionError, openai.APIConnectionError):
            with pytest.raises(error):
                client.responses.create(model=AUGUST, input="Hello", extra_headers=header)
        assert client.responses.create(model=AUGUST, input="Hello", extra_headers=header).output_text
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    finished = [(line["case"], line["fault"]) for line in lines if line["event"] == "finished"]
    assert finished == [(case, fault) for case in "ab" for fault in ("500", "reset", "reset", None)]


def test_faults_are_drawn_from_the_seed_and_the_attempt() -> None:
    plan = FaultPlan.parse("429=0.2,500=0.1")
    drawn = [plan.strike(1, f"call {n}", 0) for n in range(2000)]
    assert drawn == [plan.strike(1, f"call {n}", 0) for n in range(2000)]
    assert drawn != [plan.strike(2, f"call {n}", 0) for n in range(2000)]
    counts = Counter(drawn)
    assert 320 < counts[Fault.RATE_LIMIT] < 480
    assert 140 < counts[Fault.SERVER_ERROR] < 260


@pytest.mark.parametrize(
    "text", ["429=2", "429=0.6,500=0.6", "first=429*x", "retry_after=soon", "429", "first=", "500=-1"]
)
def test_fault_specifications_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"standin\.faults"):
        FaultPlan.parse(text)


def limiter(**limits: Any) -> tuple[RateLimiter, list[float]]:
    now = [0.0]
    return RateLimiter(Limits(**limits), lambda: now[0]), now


def test_a_request_over_the_limit_of_requests_waits_as_long_as_it_says() -> None:
    limits, now = limiter(rpm=2)
    for _ in range(2):
        limits.take(AUGUST, 1)
    with pytest.raises(ApiError) as refused:
        limits.take(AUGUST, 1)
    assert refused.value.status == 429
    assert refused.value.headers["retry-after"] == "30.000"
    now[0] = 30.0
    assert limits.take(AUGUST, 1)["x-ratelimit-remaining-requests"] == "0"


def test_tokens_are_limited_too_and_the_headers_say_what_is_left() -> None:
    limits, _ = limiter(tpm=1000)
    headers = limits.take(AUGUST, 400)
    assert headers["x-ratelimit-limit-tokens"] == "1000"
    assert headers["x-ratelimit-remaining-tokens"] == "600"
    assert headers["x-ratelimit-reset-tokens"] == "24s"
    with pytest.raises(ApiError, match="tokens per min: Limit 1000"):
        limits.take(AUGUST, 700)


@pytest.mark.parametrize("settings", [{"tpm": 1000}, {"tpd": 1000}])
def test_a_request_that_is_more_than_a_whole_limit_is_told_that_waiting_does_not_help(settings: dict[str, int]) -> None:
    limits, _ = limiter(**settings)
    with pytest.raises(ApiError, match=r"Request too large for .* Limit 1000, Requested 1001\.") as refused:
        limits.take(AUGUST, 1001)
    assert (refused.value.status, "retry-after" in refused.value.headers) == (429, False)
    assert limits.take(AUGUST, 1000)


def test_with_a_burst_a_minute_s_limit_is_enforced_in_slices() -> None:
    limits, now = limiter(rpm=3000, burst=2)
    for _ in range(2):
        assert limits.take(AUGUST, 1)["x-ratelimit-limit-requests"] == "3000"
    with pytest.raises(ApiError) as refused:
        limits.take(AUGUST, 1)
    assert refused.value.headers["retry-after-ms"] == "20"
    now[0] = 0.02
    assert limits.take(AUGUST, 1)


@pytest.mark.parametrize(
    ("settings", "said", "seconds"),
    [({"rpd": 2}, "requests per day: Limit 2", 43_200), ({"tpd": 20}, "tokens per day: Limit 20", 43_200)],
)
def test_a_day_has_limits_too(settings: dict[str, int], said: str, seconds: int) -> None:
    limits, now = limiter(**settings)
    for _ in range(2):
        limits.take(AUGUST, 10)
    with pytest.raises(ApiError, match=said):
        limits.take(AUGUST, 10)
    now[0] = seconds
    assert limits.take(AUGUST, 10)


def test_images_are_limited_by_their_number() -> None:
    limits, _ = limiter(ipm=3)
    limits.take(AUGUST, 1, 2)
    limits.take(AUGUST, 1)
    with pytest.raises(ApiError, match="images per min: Limit 3"):
        limits.take(AUGUST, 1, 2)


def test_each_model_has_limits_of_its_own() -> None:
    limits, _ = limiter(rpm=1)
    limits.take(AUGUST, 1)
    assert limits.take("gpt-4o-2024-11-20", 1)


def test_the_headers_can_be_left_out() -> None:
    limits, _ = limiter(rpm=1, headers=False)
    assert limits.take(AUGUST, 1) == {}
    with pytest.raises(ApiError) as refused:
        limits.take(AUGUST, 1)
    assert refused.value.headers == {}


def test_a_429_reaches_the_sdk_with_its_headers(start: Any, connect: Any) -> None:
    client = connect(start(limits={"rpm": 1}))
    client.responses.create(model=AUGUST, input="Hello")
    with pytest.raises(openai.RateLimitError) as refused:
        client.responses.create(model=AUGUST, input="Hello")
    assert refused.value.response.headers["x-ratelimit-remaining-requests"] == "0"
    assert float(refused.value.response.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.006, "6ms"), (1, "1s"), (8.64, "8.64s"), (360, "6m0s"), (3661.5, "1h1m1.5s"), (0.9999, "1s")],
)
def test_durations_are_written_as_go_writes_them(seconds: float, text: str) -> None:
    assert go_duration(seconds) == text
