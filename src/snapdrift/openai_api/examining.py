"""A look at a host: whether it answers, who it is, what its clock and its headers say. One request, no retry."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime

from snapdrift.keys import body_without_keys
from snapdrift.model import (
    CallKey,
    Conversation,
    Endpoint,
    Failure,
    Message,
    Source,
    TextPart,
    ToldLimits,
    Variant,
)
from snapdrift.openai_api.client import STANDIN_HEADER, OpenAIClient, open_sdk
from snapdrift.openai_api.errors import AttemptFailed, classify
from snapdrift.openai_api.hosts import Host
from snapdrift.openai_api.rate_headers import told_by, told_limits
from snapdrift.openai_api.requests import build_request

TINY_OUTPUT = 16
"""Output tokens of the one question that is asked: the fewest that the Responses API takes."""
TINY_INPUT = 20
"""Input tokens that it has at most."""


@dataclass(frozen=True, slots=True)
class Look:
    """What `GET /models` came to. `failure` says why there is no list; `status` None: the host was not reached.

    `latency_ms` is the time it took; `clock_s` how many seconds this machine's clock is ahead of the host's (None: it
    did not say), exact to about a second; `models` the ids that it lists.
    """

    latency_ms: float
    status: int | None
    failure: Failure | None
    models: tuple[str, ...] = ()
    stand_in: bool = False
    told: ToldLimits | None = None
    clock_s: float | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What one tiny question came to: the model that answered, or the failure; what headers said of limits."""

    returned_model: str
    latency_ms: float
    source: Source | None
    told: ToldLimits | None
    failure: Failure | None = None


async def examine(host: Host, timeout_s: float = 15.0) -> Look:
    """Asks a host for its models once and returns what it said; raises nothing that a host can cause."""
    import httpx2
    import openai

    sdk, _ = open_sdk(host, timeout_s, 1)
    began, started = time.time(), time.perf_counter()

    def took() -> float:
        return (time.perf_counter() - started) * 1000

    try:
        async with asyncio.timeout(timeout_s):
            reply = await sdk.get("/models", cast_to=httpx2.Response)
        ids = _ids(body_without_keys(reply.text))
        return _look(took(), reply.status_code, None, reply.headers, began, ids)
    except Exception as error:  # noqa: BLE001  `classify` raises again what is not a failure of the attempt
        failure = classify(error, secrets=(host.api_key,))
        if isinstance(error, openai.APIStatusError):
            return _look(took(), error.status_code, failure, error.response.headers, began, told=told_by(error))
        return Look(took(), None, failure)
    finally:
        await sdk.close()


async def ask_once(host: Host, model: str, *, reasons: bool = False) -> Asked:
    """Asks one tiny question of a model (at most `TINY_INPUT` and `TINY_OUTPUT` tokens), which costs money."""
    request = {"max_output_tokens": TINY_OUTPUT, **({} if reasons else {"temperature": 0})}
    variant = Variant("doctor", model, Endpoint.RESPONSES, request, {})
    conversation = Conversation(None, (Message("user", (TextPart("Say: ok"),)),))
    call = CallKey("doctor", "doctor", 0)
    asked = build_request(call, variant, conversation, "doctor", host.base_url)
    async with OpenAIClient(host, timeout_s=60.0, max_connections=1) as client:
        try:
            answer = await client.ask(asked)
        except AttemptFailed as error:
            return Asked("", error.latency_ms, None, error.told, error.failure)
    return Asked(answer.returned_model or "", answer.latency_ms, answer.source, answer.told)


def _look(
    latency_ms: float,
    status: int,
    failure: Failure | None,
    headers: Mapping[str, str],
    began: float,
    models: tuple[str, ...] = (),
    told: ToldLimits | None = None,
) -> Look:
    middle = began + latency_ms / 2000
    date = _date(headers.get("date"))
    # The header is cut to the second, so half of one is added.
    ahead = None if date is None else middle - (date.timestamp() + 0.5)
    return Look(latency_ms, status, failure, models, STANDIN_HEADER in headers, told or told_limits(headers), ahead)


def _date(text: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(text) if text else None
    except ValueError:
        return None


def _ids(text: str) -> tuple[str, ...]:
    """The ids in a list of models; none where it is no such list."""
    from snapdrift.openai_api.answers import mappings_of, name_of
    from snapdrift.openai_api.errors import read_object

    try:
        entries = mappings_of(read_object(text).get("data"))
    except AttemptFailed:
        return ()
    return tuple(name for entry in entries if (name := name_of(entry.get("id"))))
