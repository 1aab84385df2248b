"""The answers of earlier runs that a run takes instead of asking (`docs/design/cache.md`)."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from snapdrift.errors import StoreError
from snapdrift.execution.clock import timestamp
from snapdrift.execution.responses import requested_model
from snapdrift.model import Gate, Request, Response
from snapdrift.pipeline.options import RunOptions
from snapdrift.pipeline.reuse_rules import CACHE, NEVER, Rules, refusal, timed_refusal
from snapdrift.pipeline.run_files import runs_dir
from snapdrift.pipeline.suite_graders import graders_of, judges_of
from snapdrift.pipeline.targets import Target
from snapdrift.store import RunWriter, StoredRun, codec, open_run, run_path
from snapdrift.store.cache import CACHE_NAME, AnswerIndex, Entry
from snapdrift.store.cache_answers import (
    REUSABLE,
    Pinned,
    Reusable,
    answer_key,
    as_reused,
    asker_key,
    is_from,
    origin_key,
    origin_of,
    reusable_of,
    same_question,
    stored_answer,
)
from snapdrift.store.cache_rows import taken_of

if TYPE_CHECKING:
    from snapdrift.openai_api.catalog import Catalog
    from snapdrift.suites.resolved import Suite
    from snapdrift.suites.workspace import Workspace

_OPEN = 8
"""Run files that are kept open: answers of one come one after another."""
_KEPT = 64
"""Requests of which it is kept which answers are left: only of those that several calls ask."""
_PORTION = 64
"""Requests that are looked up before others get the event loop."""


class Reusing:
    """What one run may take: each answer once, for one call. `taken` counts what it took."""

    def __init__(
        self, index: AnswerIndex, runs_dir: Path, takes: Reusable, since: str, notice: Callable[[str], None]
    ) -> None:
        self._index = index
        self._runs_dir = runs_dir
        self._takes = takes
        self._since = since
        self._notice = notice
        self._open: OrderedDict[str, StoredRun | None] = OrderedDict()
        # By their keys, which take less room.
        self._origins: set[int] = set()
        self._left: OrderedDict[tuple[str, str, bytes, bool], list[Entry]] = OrderedDict()
        self._served: set[int] = set()
        self._used: list[int] = []
        self._broken = False
        self.taken = 0

    def remember(self, run: StoredRun) -> None:
        """Takes in what the run has taken in earlier processes. Raises `StoreError`."""
        for key, step, origin in taken_of(run):
            self._served.add(hash((key, step)))
            self._origins.add(origin_key(origin))

    def find(self, request: Request, *, batched: bool = False) -> Response | None:
        """The answer of an earlier run to this very request, as this run's own; None where it is to be asked.

        A call that took one and asks again (a judge's reply that cannot be read) gets no other.
        """
        call, model = request.call, requested_model(request)
        pinned = self._takes.of(call.variant, call.grader, model)
        if pinned is None or self._broken or hash((call, request.step)) in self._served:
            return None
        try:
            asked = request.hash
            for entry in self._candidates(request, asked, pinned, batched=batched):
                if entry.origin in self._origins:
                    continue  # known without a look into its run file
                answer = self._answer(entry, request, asked, pinned)
                if answer is None or not is_from(answer.source, pinned):
                    continue
                # What the index says is no proof: two calls of a run never share an answer.
                origin = origin_key(origin_of(answer, entry.run, entry.step))
                if origin not in self._origins:
                    return self._take(request, asked, entry, answer, origin)
        except StoreError as error:
            self._give_up(error)
        return None

    def _candidates(self, request: Request, asked: str, pinned: Pinned, *, batched: bool) -> Iterator[Entry]:
        """The answers that the index has to a request: of the same variant and case first, then the newest.

        One that was looked at for another call is not free any more, so the others of a key are gone through once.
        """
        call, key = request.call, answer_key(request, pinned, asked)
        of = (pinned.place, requested_model(request), key)
        asker = asker_key(call.variant, call.case_id)
        yield from self._index.find(*of, batched=batched, since=self._since, asker=asker)
        left = self._left.pop((*of, batched), None)
        if left is None:
            left = self._index.find(*of, batched=batched, since=self._since)[::-1]
            if len(self._left) >= _KEPT:
                self._left.popitem(last=False)
        self._left[*of, batched] = left
        while left:
            yield left.pop()

    def _take(self, request: Request, asked: str, entry: Entry, answer: Response, origin: int) -> Response:
        self._origins.add(origin)
        self._served.add(hash((request.call, request.step)))
        self._used.append(entry.id)
        self.taken += 1
        return as_reused(request, answer, entry.run, asked)

    def _answer(self, entry: Entry, request: Request, asked: str, pinned: Pinned) -> Response | None:
        """The answer that an entry names, None where the run file is gone, damaged, or answers something else."""
        run = self._run(entry.run)
        if run is None:
            return None
        try:
            found = stored_answer(run, entry.call, entry.step)
        except StoreError:
            return None
        return None if found is None or not same_question(request, asked, found[0], pinned) else found[1]

    def _run(self, run_id: str) -> StoredRun | None:
        if run_id in self._open:
            self._open.move_to_end(run_id)
            return self._open[run_id]
        while len(self._open) >= _OPEN:
            _close(self._open.popitem(last=False)[1])
        try:
            self._open[run_id] = open_run(run_path(run_id, self._runs_dir))
        except StoreError:
            self._open[run_id] = None
        return self._open[run_id]

    def _give_up(self, error: StoreError) -> None:
        self._broken = True
        self._notice(without_cache(error))

    def let_go(self) -> None:
        """Closes the run files."""
        while self._open:
            _close(self._open.popitem()[1])

    def close(self, max_bytes: float) -> None:
        """Notes what was used, forgets what is too much, and lets go of all files."""
        self.let_go()
        try:
            if self._used:
                self._index.used(self._used, timestamp(datetime.now(UTC)))
            self._index.shrink(max_bytes)
        except StoreError as error:
            self._give_up(error)
        finally:
            self._index.close()


def _close(run: StoredRun | None) -> None:
    if run is not None:
        run.close()


def without_cache(error: StoreError) -> str:
    """What a run says that goes on without the cache."""
    return f"the cache across runs is not used: {error}"


def taken_sentence(suite: str, taken: int) -> str:
    """What a command says of the answers that it did not ask for."""
    answers = "1 answer" if taken == 1 else f"{taken:,} answers"
    return f"{suite}: reused {answers} of earlier runs, which cost nothing (--no-cache asks anew)"


async def take_batched(
    reusing: Reusing, requests: Iterable[Request], record: Callable[[Response, Request], Awaitable[None]]
) -> None:
    """Records what is there of requests that would go by batch, before anything is submitted."""
    for number, request in enumerate(requests, start=1):
        found = reusing.find(request, batched=True)
        if found is not None:
            await record(found, request)
        elif number % _PORTION == 0:
            await asyncio.sleep(0)


@contextmanager
def open_reusing(
    writer: RunWriter,
    stored: StoredRun,
    suite: Suite,
    catalog: Catalog,
    workspace: Workspace,
    target: Target,
    options: RunOptions,
    *,
    answers: bool = True,
) -> Iterator[Reusing | None]:
    """What a run may take while it asks, None where it takes nothing; and a note in its file of what others may take.

    No failure of the cache stops a run: it says so, and everything is asked.
    """
    gate = suite.gates[stored.header.gate]
    rules = Rules(suite.name, target, catalog, workspace.config)
    variants = stored.header.variants if answers else ()
    now = rules.reusable(variants, {grader.name: grader.judges for grader in judges_of(suite)})
    begun = any(True for _ in stored.rows("SELECT 1 FROM responses LIMIT 1"))
    writer.set_meta(REUSABLE, codec.dumps(now.after(reusable_of(stored), begun=begun)))
    refused = refusal(options, gate, workspace.config, began_without=stored.meta(CACHE) == NEVER)
    if refused:
        writer.set_meta(CACHE, NEVER)
        yield None
        return
    graders = graders_of(suite)
    untimed = {variant.name for variant in variants if not timed_refusal(variant, gate, graders)}
    takes = Reusable({name: one for name, one in now.answers.items() if name in untimed}, now.judges)
    reusing = _opened(stored, takes, gate, runs_dir(workspace, options), options.notice)
    try:
        yield reusing
    finally:
        if reusing is not None:
            reusing.close(workspace.config.cache_table.max_mb * 2**20)


def since_of(gate: Gate) -> str:
    """The time before which no answer may have been received, as it is stored; empty where any may."""
    if gate.max_age_s is None:
        return ""
    return timestamp(datetime.now(UTC) - timedelta(seconds=gate.max_age_s))


def _opened(
    stored: StoredRun, takes: Reusable, gate: Gate, directory: Path, notice: Callable[[str], None]
) -> Reusing | None:
    """The index brought up to date; None where it has nothing for the run, or cannot be used."""
    others = any(path.name != stored.path.name for path in directory.glob("*.db"))
    if not others or not (takes.answers or takes.judges):
        return None
    index: AnswerIndex | None = None
    try:
        index = AnswerIndex.open(directory.parent / CACHE_NAME)
        index.take_in(directory, but=stored.path)
        left = _there(index, stored, takes)
        if not left.answers and not left.judges:
            index.close()
            return None
        reusing = Reusing(index, directory, left, since_of(gate), notice)
        reusing.remember(stored)
    except StoreError as error:
        if index is not None:
            index.close()
        notice(without_cache(error))
        return None
    return reusing


def _there(index: AnswerIndex, stored: StoredRun, takes: Reusable) -> Reusable:
    """Those of whom there is anything: the others' requests need not be looked up one by one."""
    models = {variant.name: variant.model for variant in stored.header.variants}
    answers = {name: one for name, one in takes.answers.items() if index.has(one.place, models[name])}
    judges = {
        grader: {model: one for model, one in of.items() if index.has(one.place, model)}
        for grader, of in takes.judges.items()
    }
    return Reusable(answers, {grader: of for grader, of in judges.items() if of})
