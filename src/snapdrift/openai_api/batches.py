"""Files and batches of one host: one attempt an operation, on the SDK, with failures classified like any request's.

What a batch holds is not looked at here; `batch_lines.py` reads it.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from snapdrift.errors import UsageError
from snapdrift.keys import redact
from snapdrift.model import Endpoint, Failure, Source
from snapdrift.openai_api.answers import count_of, mapping_of, mappings_of, name_of, text_of
from snapdrift.openai_api.batch_lines import ENDPOINT_URLS, BatchLine, read_line
from snapdrift.openai_api.client import STANDIN_HEADER, open_sdk
from snapdrift.openai_api.errors import AttemptFailed, classify, malformed_answer, read_object
from snapdrift.openai_api.hosts import Host, is_openai_host

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI

MAX_REQUESTS = 50_000
MAX_BYTES = 200_000_000
"""Limits of an input file (guide to the Batch API, July 2026): 50,000 requests and 200 MB."""
OVER = frozenset({"completed", "failed", "expired", "cancelled"})
"""The statuses in which nothing more happens; any other, one that is new too, is waited for."""

_PAGE = 100
_OPERATION_SECONDS = 60.0
_UPLOAD_SECONDS = 1800.0
_CONNECTIONS = 8
_LONGEST_LINE = 128 * 2**20
"""Bytes of one line of a file: a bound for files that want to fill our memory."""


@dataclass(frozen=True, slots=True)
class BatchMistake:
    """An entry of a failed batch's `errors.data`; `line` counts from 1."""

    code: str
    message: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class RemoteBatch:
    """A batch as the host shows it. File ids that are null, missing or empty are None; `created_at` is Unix time.

    `poll_after_s` is when the host asks to be looked at again, in seconds.
    """

    id: str
    status: str
    input_file_id: str = ""
    output_file_id: str | None = None
    error_file_id: str | None = None
    mistakes: tuple[BatchMistake, ...] = ()
    total: int = 0
    completed: int = 0
    failed: int = 0
    created_at: int = 0
    metadata: tuple[tuple[str, str], ...] = ()
    poll_after_s: float | None = None

    @property
    def over(self) -> bool:
        """Whether its files hold all that they will ever hold."""
        return self.status in OVER


@dataclass(frozen=True, slots=True)
class Content:
    """A file that is being downloaded. `lines` are its lines without their ends; None is one that is too long.

    `source` is where its answers come from; with `standin` a line can say so itself.
    """

    lines: AsyncGenerator[bytes | None, None]
    source: Source
    standin: bool
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def read(self, line: bytes, endpoint: Endpoint) -> BatchLine:
        """What a line says; raises `AttemptFailed` when it does not say whose it is."""
        return read_line(
            line, endpoint, self.source, standin=self.standin, redact=partial(redact, secrets=self.secrets)
        )


class BatchClient:
    """Files and batches of a host; an async context manager. Every method makes one attempt or raises `AttemptFailed`.

    `timeout_s` bounds how long the host may be silent while a file comes or goes.
    """

    def __init__(self, host: Host, *, timeout_s: float = 600.0) -> None:
        self.host = host
        self._timeout_s = timeout_s
        self._sdk: AsyncOpenAI | None = None

    async def __aenter__(self) -> Self:
        self._sdk, _ = open_sdk(self.host, self._timeout_s, _CONNECTIONS)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._sdk is not None:
            await self._sdk.close()
            self._sdk = None

    async def upload(self, path: Path, name: str) -> str:
        """Uploads an input file under a name (it must end in `.jsonl`) and returns the file's id."""

        async def send() -> httpx2.Response:
            with path.open("rb") as lines:
                reply = await self._open.files.with_raw_response.create(
                    file=(name, lines, "application/jsonl"), purpose="batch"
                )
            return reply.http_response

        return _id_of(read_object((await self._attempt(send, _UPLOAD_SECONDS)).text))

    async def find_file(self, name: str, *, since: int) -> str | None:
        """The id of the newest batch file of that name, uploaded not before `since` (Unix time); None: none."""
        async for entry in self._listed("/files", {"purpose": "batch", "order": "desc"}, since):
            if entry.get("filename") == name and entry.get("status") != "error":
                return name_of(entry.get("id"))
        return None

    async def delete_file(self, file_id: str, name: str) -> None:
        """Deletes a file if that is its name: the id may come from a run file, which may be somebody else's."""
        path = f"/files/{_checked(file_id)}"
        reply = await self._attempt(lambda: self._open.get(path, cast_to=_raw()))
        if read_object(reply.text).get("filename") == name:
            await self._attempt(lambda: self._open.delete(path, cast_to=_raw()))

    async def create(self, endpoint: Endpoint, file_id: str, metadata: Mapping[str, str]) -> RemoteBatch:
        """Creates a batch of an uploaded file. After a failure that `may_have_run` it may be there all the same."""
        body = {
            "input_file_id": file_id,
            "endpoint": ENDPOINT_URLS[endpoint],
            "completion_window": "24h",
            "metadata": dict(metadata),
        }
        return _batch(await self._attempt(lambda: self._open.post("/batches", cast_to=_raw(), body=body)))

    async def retrieve(self, batch_id: str) -> RemoteBatch:
        """The batch as it is now."""
        path = f"/batches/{_checked(batch_id)}"
        return _batch(await self._attempt(lambda: self._open.get(path, cast_to=_raw())))

    async def cancel(self, batch_id: str) -> RemoteBatch:
        """Asks the host to stop a batch; what is answered by then is kept."""
        path = f"/batches/{_checked(batch_id)}/cancel"
        return _batch(await self._attempt(lambda: self._open.post(path, cast_to=_raw())))

    async def find_batch(self, metadata: Mapping[str, str], *, since: int) -> RemoteBatch | None:
        """The newest batch with these pairs in its metadata, created not before `since` (Unix time)."""
        async for entry in self._listed("/batches", {}, since):
            if metadata.items() <= mapping_of(entry.get("metadata")).items():
                return _read_batch(entry)
        return None

    @asynccontextmanager
    async def content(self, file_id: str) -> AsyncIterator[Content]:
        """Downloads a file, for as long as the context lasts. Reading its `lines` too raises `AttemptFailed`."""
        try:
            async with self._open.files.with_streaming_response.content(_checked(file_id)) as reply:
                says = reply.headers.get(STANDIN_HEADER)
                yield Content(
                    self._lines(reply.iter_bytes()), self._source(says), says is not None, (self.host.api_key,)
                )
        except AttemptFailed:
            raise
        except Exception as error:  # noqa: BLE001  `classify` raises again what is not a failure of the attempt
            raise AttemptFailed(self._failure(error)) from None

    async def _lines(self, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes | None, None]:
        """Lines end at a line feed and nowhere else: what a model wrote may hold every other separator."""
        pending, too_long = bytearray(), False
        try:
            async for chunk in chunks:
                *ended, rest = chunk.split(b"\n")
                for piece in ended:
                    pending += piece
                    yield None if too_long else bytes(pending)
                    pending, too_long = bytearray(), False
                pending += rest
                if len(pending) > _LONGEST_LINE:
                    pending, too_long = bytearray(), True
        except Exception as error:  # noqa: BLE001  as above
            raise AttemptFailed(self._failure(error)) from None
        if pending or too_long:
            yield None if too_long else bytes(pending)

    async def _listed(self, path: str, query: Mapping[str, str], since: int) -> AsyncIterator[Mapping[str, Any]]:
        """The entries of a list, newest first, page by page until one is older than `since`."""
        after: str | None = None
        while True:
            asked = {**query, "limit": str(_PAGE), **({} if after is None else {"after": after})}
            reply = await self._attempt(partial(self._get_list, path, asked))
            page = read_object(reply.text)
            entries = mappings_of(page.get("data"))
            for entry in entries:
                if count_of(entry.get("created_at")) < since:
                    return
                yield entry
            last = name_of(entries[-1].get("id")) if entries else None
            if page.get("has_more") is not True or last is None or last == after:
                return
            after = last

    async def _get_list(self, path: str, query: Mapping[str, str]) -> httpx2.Response:
        return await self._open.get(path, cast_to=_raw(), options={"params": dict(query)})

    async def _attempt(
        self, send: Callable[[], Awaitable[httpx2.Response]], seconds: float = _OPERATION_SECONDS
    ) -> httpx2.Response:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(seconds):
                return await send()
        except Exception as error:  # noqa: BLE001  `classify` raises again what is not a failure of the attempt
            raise AttemptFailed(self._failure(error), (time.perf_counter() - started) * 1000) from None

    @property
    def _open(self) -> AsyncOpenAI:
        if self._sdk is None:
            raise UsageError("the client is not open; expected `async with BatchClient(host) as client:`")
        return self._sdk

    def _failure(self, error: Exception) -> Failure:
        return classify(error, secrets=(self.host.api_key,))

    def _source(self, says: str | None) -> Source:
        if says is not None:
            return Source.RECORDED if says == Source.RECORDED.value else Source.SIMULATED
        return Source.OPENAI if is_openai_host(self.host.base_url) else Source.HOST


def _raw() -> type[httpx2.Response]:
    import httpx2

    return httpx2.Response


def _batch(reply: httpx2.Response) -> RemoteBatch:
    milliseconds = reply.headers.get("openai-poll-after-ms", "")
    poll_after_s = int(milliseconds) / 1000 if milliseconds.isascii() and milliseconds.isdigit() else None
    return _read_batch(read_object(reply.text), poll_after_s)


def _read_batch(entry: Mapping[str, Any], poll_after_s: float | None = None) -> RemoteBatch:
    """Reads a `batch` object, tolerantly: what is missing or of another type is empty."""
    counts = mapping_of(entry.get("request_counts"))
    return RemoteBatch(
        id=_id_of(entry),
        status=text_of(entry.get("status")),
        input_file_id=text_of(entry.get("input_file_id")),
        output_file_id=name_of(entry.get("output_file_id")),
        error_file_id=name_of(entry.get("error_file_id")),
        mistakes=tuple(
            BatchMistake(text_of(error.get("code")), text_of(error.get("message")), count_of(error.get("line")) or None)
            for error in mappings_of(mapping_of(entry.get("errors")).get("data"))
        ),
        total=count_of(counts.get("total")),
        completed=count_of(counts.get("completed")),
        failed=count_of(counts.get("failed")),
        created_at=count_of(entry.get("created_at")),
        metadata=tuple((str(key), text_of(value)) for key, value in mapping_of(entry.get("metadata")).items()),
        poll_after_s=poll_after_s,
    )


def _checked(identity: str) -> str:
    """The same id; one that would lead elsewhere as a part of a URL is no id. Raises `AttemptFailed`."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", identity):
        raise malformed_answer(f"expected the id of a file or batch; found {identity[:80]!r}")
    return identity


def _id_of(entry: Mapping[str, Any]) -> str:
    identity = name_of(entry.get("id"))
    if identity is None:
        raise malformed_answer(f"expected an object with an id; found {sorted(entry)[:10]}")
    return identity
