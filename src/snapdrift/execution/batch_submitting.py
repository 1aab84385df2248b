"""From a planned part to a batch at the provider, once: also when an earlier process was killed on the way."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from snapdrift.errors import StoreError
from snapdrift.execution.batch_operations import Operations
from snapdrift.execution.clock import Clock, timestamp
from snapdrift.model import CallKey, Request
from snapdrift.openai_api.batch_lines import input_line
from snapdrift.openai_api.batches import BatchClient, RemoteBatch
from snapdrift.openai_api.errors import AttemptFailed
from snapdrift.store.batches import BatchJournal, Part, PartState

Clients = Callable[[str], BatchClient]
"""The open client of a base URL."""

_CLOCK_SKEW_SECONDS = 24 * 3600
"""How far the host's clock may be behind ours: what is older than the part by more is not looked at in a list."""
_AT_ONCE = 50
_SERVER_ERRORS = 500


@dataclass(frozen=True, slots=True)
class Submitted:
    """A part whose batch is created, and that batch."""

    part: Part
    remote: RemoteBatch


@dataclass(frozen=True, slots=True)
class Submitter:
    """Uploads and creates. `stored` gives the request of a call; `run` is the run's id, `settle` in seconds."""

    clients: Clients
    journal: BatchJournal
    operations: Operations
    stored: Callable[[CallKey], Request | None]
    clock: Clock
    run: str
    settle: float

    async def submit(self, part: Part, *, uncertain: bool) -> Submitted:
        """Uploads and creates what is not. `uncertain`: an earlier process may have come further than is known.

        Raises `AttemptFailed` when the host refuses it for good, `Stopped` when it is over.
        """
        client = self.clients(part.base_url)
        if part.state is PartState.PLANNED:
            file_id = await self._uploaded(client, part, uncertain=uncertain)
            part = await self.journal.put(replace(part, state=PartState.UPLOADED, file_id=file_id))
        remote = await self._created(client, part, uncertain=uncertain)
        now = timestamp(self.clock.now())
        created = replace(part, state=PartState.CREATED, batch_id=remote.id, status=remote.status, submitted_at=now)
        return Submitted(await self.journal.put(created), remote)

    async def forget_file(self, part: Part) -> None:
        """Deletes the input file of a part, as far as that can be done: it expires by itself otherwise."""
        if part.file_id is not None:
            try:
                await self.clients(part.base_url).delete_file(part.file_id, self._file_name(part))
            except AttemptFailed:
                return

    async def _uploaded(self, client: BatchClient, part: Part, *, uncertain: bool) -> str:
        name = self._file_name(part)
        if uncertain:
            since = part.planned_at - _CLOCK_SKEW_SECONDS
            found = await self.operations.make(partial(client.find_file, name, since=since))
            if found is not None:
                return found
        with tempfile.TemporaryDirectory(prefix="snapdrift-") as folder:
            path = Path(folder) / name
            await self._write(part, path)
            return await self.operations.make(partial(client.upload, path, name))

    def _file_name(self, part: Part) -> str:
        return f"snapdrift-{self.run}-{part.name}.jsonl"

    async def _write(self, part: Part, path: Path) -> None:
        with path.open("wb") as lines:
            for number, call in enumerate(await self.journal.open_calls(part), start=1):
                if number % _AT_ONCE == 0:
                    await asyncio.sleep(0)
                request = self.stored(call.key)
                if request is None:
                    raise StoreError(f"the run file is damaged: request 0 of {call.key} is missing")
                lines.write(input_line(request))

    async def _created(self, client: BatchClient, part: Part, *, uncertain: bool) -> RemoteBatch:
        """The one step that must not be made twice: where it may have been made, it is looked for first."""
        metadata = {"snapdrift_run": self.run, "snapdrift_part": part.name}
        since, failures = part.planned_at - _CLOCK_SKEW_SECONDS, 0
        while True:
            if uncertain:
                found = await self.operations.make(partial(client.find_batch, metadata, since=since))
                if found is not None:
                    return found
            try:
                return await client.create(part.endpoint, part.file_id or "", metadata)
            except AttemptFailed as error:
                failure = self.operations.heed(error.failure)
                doubtful = failure.may_have_run or (failure.status or 0) >= _SERVER_ERRORS
                if not (failure.retryable or doubtful):
                    raise
                failures, uncertain = failures + 1, uncertain or doubtful
                await self.operations.pause(failures, failure, self.settle if uncertain else 0.0)
