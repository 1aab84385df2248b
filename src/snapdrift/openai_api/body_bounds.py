"""How much is read of what a host sends, where the SDK reads it: a few packed bytes can unpack to any number."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

import httpx2

from snapdrift.openai_api.errors import malformed_answer
from snapdrift.openai_api.posting import LARGEST_BODY

LARGEST_STREAM = 3 * LARGEST_BODY
"""Bytes of a stream, unpacked: it brings an answer in pieces, then each part of it whole, then the whole."""


class BoundedResponse(httpx2.Response):
    """A response whose body breaks off with `AttemptFailed` (malformed) where it is larger than any answer.

    The content of a file is not bounded as a whole: it is read line by line, and none is kept (`batches.py`).
    """

    async def aiter_bytes(self, chunk_size: int | None = None) -> AsyncGenerator[bytes, None]:
        """The body, unpacked, a piece at a time."""
        largest = self._largest()
        size = 0
        async with aclosing(super().aiter_bytes(chunk_size)) as pieces:
            async for piece in pieces:
                size += len(piece)
                if largest is not None and size > largest:
                    raise malformed_answer(f"found a body of more than {largest // 2**20} MB; expected an answer")
                yield piece

    def _largest(self) -> int | None:
        if self.request.method == "GET" and self.request.url.path.endswith("/content"):
            return None
        streamed = self.headers.get("content-type", "").partition(";")[0].strip().lower() == "text/event-stream"
        return LARGEST_STREAM if streamed else LARGEST_BODY


async def bound_body(response: httpx2.Response) -> None:
    """Bounds a response before its body is read; a hook of the SDK's transport, which makes responses itself."""
    response.__class__ = BoundedResponse
