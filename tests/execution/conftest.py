"""Runs with calls for batches, a stand-in over real sockets in a thread, and a clock that never waits."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import openai
import pytest
from uvicorn import Server

from snapdrift.execution.asker import Costs
from snapdrift.execution.batch import BatchRunner, Stored
from snapdrift.execution.batch_records import BatchProgress, BatchReport, BatchSettings
from snapdrift.execution.budget import Budget
from snapdrift.execution.plan import plan_calls
from snapdrift.model import CallKey, Case, Conversation, Endpoint, Message, Request, Response, TextPart, Variant
from snapdrift.openai_api.batches import BatchClient
from snapdrift.openai_api.hosts import Host
from snapdrift.openai_api.requests import build_request
from snapdrift.standin.config import StandinConfig
from snapdrift.standin.server import serve
from snapdrift.store import RunHeader, RunWriter, open_run
from snapdrift.store.batches import BatchJournal

MODEL = "gpt-4o-2024-11-20"
RUN_ID = "20261122-140305-8f3a"
USD = 0.001
"""What every answer costs here; its worst case is ten times as much."""


class JumpingClock:
    """A clock whose waits are over at once, and which remembers how long they would have been."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.waits: list[float] = []
        self.on_sleep: Callable[[], None] = lambda: None

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.seconds += max(seconds, 0.0)
        self.on_sleep()
        await asyncio.sleep(0)


@dataclass
class Bench:
    """A run file with its calls, and a stand-in to send them to."""

    path: Path
    url: str
    log: Path
    variants: tuple[Variant, ...]
    cases: tuple[Case, ...]
    clock: JumpingClock = field(default_factory=JumpingClock)
    notices: list[str] = field(default_factory=list)
    progress: list[BatchProgress] = field(default_factory=list)
    budget: Budget = field(default_factory=lambda: Budget(None))

    def request(self, key: CallKey) -> Request:
        variant = next(one for one in self.variants if one.name == key.variant)
        conversation = Conversation(None, (Message("user", (TextPart(f"Say {key.case_id}."),)),))
        return build_request(key, variant, conversation, f"sums-{RUN_ID}", self.url)

    def run(
        self,
        cancel: Callable[[], bool] | None = None,
        client: type[BatchClient] = BatchClient,
        limit_usd: float | None = None,
        spent_usd: float = 0.0,
        **settings: Any,
    ) -> BatchReport:
        """Works on the run as one process does, from opening its file to closing it."""

        async def work() -> BatchReport:
            with RunWriter.open(self.path) as writer, open_run(self.path) as stored:
                self.budget = Budget(limit_usd, spent_usd)
                costs = Costs(lambda _model, _answer: USD, lambda _request: USD * 10, self.budget)
                event = asyncio.Event()
                if cancel is not None:
                    self.clock.on_sleep = lambda: event.set() if cancel() else None

                def requests() -> Iterator[Request]:
                    answered = stored.answered_keys()
                    return (self.request(key) for key in stored.calls() if key not in answered)

                async with client(Host("stand-in", self.url, "key", is_openai=False)) as opened:
                    runner = BatchRunner(
                        RUN_ID,
                        lambda _: opened,
                        BatchJournal(writer),
                        Stored(stored.request, stored.response),
                        costs,
                        BatchSettings(**settings),
                        self.clock,
                        self.progress.append,
                        self.notices.append,
                    )
                    return await runner.run(requests, event)

        return asyncio.run(work())

    def outcomes(self) -> Counter[str]:
        """How calls ended; those of which nothing is stored are not in it."""
        with open_run(self.path) as stored:
            return Counter(response.outcome.value for response in stored.responses())

    def responses(self) -> list[Response]:
        with open_run(self.path) as stored:
            return list(stored.responses())

    def events(self, kind: str) -> list[dict[str, Any]]:
        """What the stand-in logged."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [event for event in map(json.loads, lines) if event["event"] == kind]

    def submitted(self) -> Counter[str]:
        """How often each call was in a batch that was validated."""
        return Counter(event["client_request_id"] for event in self.events("submitted"))

    def created(self) -> set[str]:
        """The ids of all batches that there are."""
        return {event["batch"] for event in self.events("batch")}

    def sdk(self) -> openai.OpenAI:
        return openai.OpenAI(base_url=self.url, api_key="key", max_retries=0)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """Makes a bench: `cases` cases for one variant (or `variants`), and a stand-in with these settings."""
    with ExitStack() as stack:

        def make(cases: int = 8, variants: tuple[Variant, ...] = (), **fields: Any) -> Bench:
            log = tmp_path / "requests.jsonl"
            url = stack.enter_context(_Serving({"log": log, **fields})).url
            asked = variants or (Variant("november", MODEL, Endpoint.RESPONSES, {}, {}, batch=True),)
            rows = tuple(Case(f"c{number}", {"question": f"{number}?"}) for number in range(cases))
            path = tmp_path / f"{RUN_ID}.db"
            RunWriter.create(path, _header(asked), rows, plan_calls(rows, asked, 1, 7)).close()
            return Bench(path, url, log, asked, rows)

        yield make


class _Serving:
    """A stand-in in a thread."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self._config = StandinConfig.checked(fields)
        self._started = threading.Event()
        self._servers: list[Server] = []
        self.url = ""

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=serve, args=(self._config, 0, self._announce, self._servers.append))
        self._thread.start()
        assert self._started.wait(timeout=30)
        return self

    def _announce(self, base_url: str) -> None:
        self.url = base_url
        self._started.set()

    def __exit__(self, *_: object) -> None:
        self._servers[0].should_exit = True
        self._thread.join(timeout=30)


def _header(variants: tuple[Variant, ...]) -> RunHeader:
    return RunHeader(
        run_id=RUN_ID,
        suite="sums",
        gate="default",
        started_at="2026-11-22T14:03:05.000+00:00",
        seed=7,
        attempt=1,
        identity="identity",
        suite_stored={"suite": "sums"},
        suite_hash="s",
        dataset_hash="d",
        versions={},
        git_commit=None,
        git_dirty=None,
        catalog={},
        assumptions={},
        planned_repeats=1,
        partial=False,
        command="",
        variants=variants,
    )
