"""Bodies that unpack to more than any answer, by every way on which the SDK reads them."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest

from snapdrift.model import CallKey, Endpoint, Failure, FailureKind, Request
from snapdrift.openai_api.batches import BatchClient
from snapdrift.openai_api.body_bounds import LARGEST_STREAM
from snapdrift.openai_api.client import OpenAIClient
from snapdrift.openai_api.errors import AttemptFailed
from snapdrift.openai_api.examining import examine
from snapdrift.openai_api.hosts import Host
from snapdrift.openai_api.posting import LARGEST_BODY

if TYPE_CHECKING:
    from tests.openai_api.conftest import LoopbackHost

PACKED = gzip.compress(bytes(8 * LARGEST_BODY), 1)
GZIP = {"content-encoding": "gzip"}


def host(base_url: str) -> Host:
    return Host("test", base_url, "key-of-the-test-host", is_openai=False)


async def streamed(base_url: str) -> object:
    body = {"model": "m", "input": "hi", "stream": True}
    request = Request(CallKey("c", "v", 0), 0, Endpoint.RESPONSES, base_url, body, "r:c:v/0/0")
    async with OpenAIClient(host(base_url)) as client:
        return await client.ask(request)


async def models(base_url: str) -> object:
    async with OpenAIClient(host(base_url)) as client:
        return await client.list_models()


async def batch(base_url: str) -> object:
    async with BatchClient(host(base_url)) as client:
        return await client.retrieve("batch_1")


async def created(base_url: str) -> object:
    async with BatchClient(host(base_url)) as client:
        return await client.create(Endpoint.RESPONSES, "file-1", {})


def refused(ask: Callable[[str], Awaitable[Any]], base_url: str) -> Failure:
    """What asking ends in, in little memory."""

    async def asked() -> Failure:
        with pytest.raises(AttemptFailed) as caught:
            await ask(base_url)
        return caught.value.failure

    tracemalloc.start()
    try:
        failure = asyncio.run(asked())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * LARGEST_STREAM
    return failure


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("ask", [models, batch, created, streamed])
def test_a_packed_body_that_is_no_answer_is_malformed(
    loopback: LoopbackHost, ask: Callable[[str], Awaitable[Any]], status: int
) -> None:
    loopback.answers(PACKED, status=status, headers=GZIP)
    failure = refused(ask, loopback.base_url)
    assert (failure.kind, failure.may_have_run) == (FailureKind.MALFORMED, True)
    assert "found a body of more than 64 MB; expected an answer" in failure.message


def test_a_packed_stream_that_does_not_end_is_malformed(loopback: LoopbackHost) -> None:
    loopback.answers(PACKED, content_type="text/event-stream", headers=GZIP)
    failure = refused(streamed, loopback.base_url)
    assert (failure.kind, failure.may_have_run) == (FailureKind.MALFORMED, True)
    assert "found a body of more than 192 MB; expected an answer" in failure.message


def test_a_look_at_a_host_survives_a_packed_body(loopback: LoopbackHost) -> None:
    loopback.answers(PACKED, headers=GZIP)
    look = asyncio.run(examine(host(loopback.base_url)))
    assert look.failure is not None
    assert look.failure.kind is FailureKind.MALFORMED


def test_a_batch_file_may_be_larger_than_an_answer_and_is_read_line_by_line(loopback: LoopbackHost) -> None:
    line = b" " * (2**20 - 1) + b"\n"
    loopback.answers(gzip.compress(line * 200, 1), content_type="application/jsonl", headers=GZIP)

    async def lengths() -> set[int]:
        async with BatchClient(host(loopback.base_url)) as client, client.content("file-1") as content:
            return {len(found or b"") async for found in content.lines}

    tracemalloc.start()
    try:
        assert asyncio.run(lengths()) == {2**20 - 1}
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < LARGEST_BODY
