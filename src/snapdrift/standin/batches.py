"""Batches: created, validated, answered, ended. Their time is virtual, so that a day takes as long as one likes."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from snapdrift.openai_api.tokens import estimate_input_tokens
from snapdrift.standin.api_errors import ApiError, invalid
from snapdrift.standin.batch_answers import ENDPOINTS, LineAnswerer, joined
from snapdrift.standin.batch_input import mistake, read_input
from snapdrift.standin.batch_jobs import Batch, Counts, Status
from snapdrift.standin.batch_settings import BatchFate, BatchSettings
from snapdrift.standin.files import FileStore, page_of
from snapdrift.standin.log import RequestLog

_DEFAULT_PAGE, _LARGEST_PAGE = 20, 100
_FATE_ENDS = {"expired": Status.EXPIRED, "cancelled": Status.CANCELLED}
_UNANSWERED = {Status.EXPIRED: "batch_expired", Status.CANCELLED: "batch_cancelled"}


class BatchStore:
    """All batches. `clock` gives seconds that only go up, `now` Unix time."""

    def __init__(
        self,
        settings: BatchSettings,
        files: FileStore,
        answerer: LineAnswerer,
        log: RequestLog,
        clock: Callable[[], float],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._settings, self._files, self._answerer, self._log = settings, files, answerer, log
        self._clock, self._now = clock, now
        self._batches: dict[str, Batch] = {}

    def create(self, body: Any) -> Batch:
        """Takes the body of `POST /v1/batches`; what is wrong with the file only shows in the batch."""
        fields = body if isinstance(body, Mapping) else {}
        file = self._files.get(_required(fields, "input_file_id"), "input_file_id")
        endpoint = _required(fields, "endpoint")
        if file.purpose != "batch":
            raise invalid("Invalid 'input_file_id': expected a file of purpose batch.", param="input_file_id")
        if endpoint not in ENDPOINTS:
            text = f"Invalid value: '{endpoint}'. Supported values are: {', '.join(sorted(ENDPOINTS))}."
            raise invalid(text, param="endpoint", code="invalid_value")
        if _required(fields, "completion_window") != "24h":
            raise invalid("Supported values are: '24h'.", param="completion_window", code="invalid_value")
        number = len(self._batches)
        fates = self._settings.fates
        batch = Batch(
            id=f"batch_{uuid.uuid4().hex}",
            endpoint=endpoint,
            input_file_id=file.id,
            metadata=_metadata(fields.get("metadata")),
            created_at=int(self._now()),
            born=self._clock(),
            number=number,
            fate=fates[number] if number < len(fates) else BatchFate(),
            output_seconds=_expiry(fields.get("output_expires_after")),
            content=file.content,
        )
        self._batches[batch.id] = batch
        self._tell(batch)
        return batch

    async def get(self, batch_id: str, *, look: bool = True) -> Batch:
        """The batch as it is now; without a `speed`, a `look` is what takes it a status further. Raises the 404."""
        if batch_id not in self._batches:
            raise ApiError(404, f"No batch found with id '{batch_id}'.", param="batch_id")
        batch = self._batches[batch_id]
        async with batch.turn:
            if self._settings.speed is None:
                age = batch.next_at if look and batch.next_at is not None else batch.age
            else:
                age = (self._clock() - batch.born) * self._settings.speed
            while batch.next_at is not None and batch.next_at <= age:
                await self._go_on(batch, batch.next_at)
                if self._settings.speed is None:
                    break
            batch.age = max(batch.age, age)
        return batch

    async def cancel(self, batch_id: str) -> Batch:
        """Begins to cancel a batch; raises the API's 400 for one that is over."""
        batch = await self.get(batch_id, look=False)
        if batch.status.over:
            raise invalid(f"Cannot cancel a batch with status '{batch.status.value}'.", param="batch_id")
        if batch.status is not Status.CANCELLING:
            batch.cancel(timeless=self._settings.speed is None)
            self._tell(batch)
        return batch

    async def page(self, query: Mapping[str, str]) -> dict[str, Any]:
        """What `GET /v1/batches` lists, newest first. In virtual time that stands still, listing is no look."""
        found = [await self.get(batch_id, look=False) for batch_id in reversed(list(self._batches))]
        return page_of([self.shown(batch) for batch in found], query, _DEFAULT_PAGE, _LARGEST_PAGE)

    def shown(self, batch: Batch) -> dict[str, Any]:
        """The API's object of a batch."""
        return batch.to_json(empty_ids=self._settings.empty_ids)

    async def _go_on(self, batch: Batch, age: float) -> None:
        """The one change of status that is due."""
        match batch.status:
            case Status.VALIDATING:
                self._validate(batch)
                batch.enter(Status.FAILED if batch.errors else Status.IN_PROGRESS, age)
            case Status.IN_PROGRESS if batch.fate.ends == "completed":
                await self._answer(batch, len(batch.lines), "")
                batch.enter(Status.FINALIZING, age)
            case Status.IN_PROGRESS:
                await self._end_early(batch, _FATE_ENDS[batch.fate.ends], 0.5, age)
            case Status.FINALIZING:
                batch.enter(Status.COMPLETED, age)
            case _:
                await self._end_early(batch, Status.CANCELLED, batch.progress_before_cancel, age)
        self._tell(batch)

    async def _end_early(self, batch: Batch, status: Status, progress: float, age: float) -> None:
        done = int(len(batch.lines) * progress) if batch.fate.answered is None else batch.fate.answered
        if not batch.counts.completed and not batch.counts.failed:  # one cancelled while finalizing has its files
            await self._answer(batch, done, _UNANSWERED[status])
        batch.enter(status, age)

    def _validate(self, batch: Batch) -> None:
        file = read_input(batch.content, batch.endpoint, self._settings.max_requests)
        batch.content = b""
        batch.lines, batch.errors = file.lines, file.errors
        batch.counts = Counts(total=len(file.lines))
        batch.tokens = sum(estimate_input_tokens(line.body).tokens for line in file.lines)
        for line in file.lines:
            self._log.write("submitted", {"client_request_id": line.custom_id, "batch": batch.id})
        limit = self._settings.enqueued_tokens
        others = (b for b in self._batches.values() if b.model == batch.model and b is not batch and not b.status.over)
        if limit is not None and sum(other.tokens for other in others) + batch.tokens > limit:
            text = (
                f"Enqueued token limit reached for {batch.model} in organization snapdrift-standin. Limit: {limit:,} "
                "enqueued tokens. Please try again once some in_progress batches have been completed."
            )
            batch.errors = (*batch.errors, mistake("token_limit_exceeded", text))
        if batch.fate.fails_with:
            batch.errors = (*batch.errors, mistake(batch.fate.fails_with, "Failed on purpose. (simulated)"))

    async def _answer(self, batch: Batch, number: int, unanswered: str) -> None:
        """Answers a part of the lines and writes what there is to write."""
        written = await self._answerer.answer(batch, number, unanswered)
        batch.counts.completed = written.completed
        batch.counts.failed = batch.counts.total - written.completed
        batch.usage = written.usage
        seconds = batch.output_seconds
        for name, lines in (("output", written.output), ("error", written.errors)):
            if lines:
                file = self._files.add(f"{batch.id}_{name}.jsonl", "batch_output", joined(lines), seconds)
                setattr(batch, f"{name}_file_id", file.id)

    def _tell(self, batch: Batch) -> None:
        self._log.write(
            "batch",
            {
                "batch": batch.id,
                "status": batch.status.value,
                "model": batch.model,
                "requests": batch.counts.total,
                "metadata": batch.metadata,
            },
        )


def _required(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if value is None:
        text = f"Missing required parameter: '{name}'."
        raise invalid(text, param=name, code="missing_required_parameter")
    if not isinstance(value, str):
        text = f"Invalid type for '{name}': expected a string, but got {type(value).__name__} instead."
        raise invalid(text, param=name, code="invalid_type")
    return value


def _metadata(value: Any) -> Mapping[str, str] | None:
    if value is None:
        return None
    pairs = value.items() if isinstance(value, Mapping) else ()
    if not isinstance(value, Mapping) or len(value) > 16 or not all(_is_pair(*pair) for pair in pairs):
        text = "Invalid 'metadata': expected at most 16 pairs of strings, keys to 64 and values to 512 characters."
        raise invalid(text, param="metadata", code="invalid_value")
    return dict(value)


def _is_pair(key: Any, value: Any) -> bool:
    return isinstance(key, str) and isinstance(value, str) and len(key) <= 64 and len(value) <= 512


def _expiry(value: Any) -> int | None:
    if value is None:
        return None
    seconds = value.get("seconds") if isinstance(value, Mapping) else None
    if not isinstance(seconds, int) or not 3600 <= seconds <= 2_592_000:
        text = "Invalid 'output_expires_after.seconds': expected an integer from 3600 to 2592000."
        raise invalid(text, param="output_expires_after", code="invalid_value")
    return seconds
