"""Which calls of a run go by the Batch API, and the runner that sends them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from snapdrift.errors import UsageError
from snapdrift.execution.asker import Costs
from snapdrift.execution.batch import BatchRunner, Stored
from snapdrift.execution.batch_records import BatchReport, BatchSettings
from snapdrift.model import Variant
from snapdrift.pipeline.options import BatchOptions
from snapdrift.pipeline.targets import Target
from snapdrift.store.batches import BatchJournal, PartState

if TYPE_CHECKING:
    from snapdrift.openai_api.batches import BatchClient
    from snapdrift.openai_api.catalog import Catalog
    from snapdrift.pipeline.prepare import Prepared
    from snapdrift.store import RunWriter, StoredRun
    from snapdrift.suites.config import BatchConfig

ALL = "all"
BATCHED = "batched"
"""Under this name a run file keeps that `--batch` sends everything by batch, judges too."""


def sent_by_batch(prepared: Prepared) -> Prepared:
    """The same with every variant that is asked over HTTP sent by batch, as `--batch` asks for.

    Raises `UsageError` that names each variant, or case, of which that cannot be.
    """
    from snapdrift.suites.batching import variant_obstacle

    obstacles = []
    for variant in prepared.variants:
        if not variant.endpoint.over_http:
            continue
        obstacle = variant_obstacle(variant)
        if obstacle is not None:
            obstacles.append(f"variant {variant.name} has {obstacle}")
        else:
            obstacles += _case_obstacles(prepared, variant)
    if obstacles:
        listed = "\n".join(f"  {text}" for text in obstacles)
        raise UsageError(
            f"{prepared.suite.path}: --batch: found what the Batch API cannot do:\n{listed}\n"
            "expected calls of one request that are answered whole; leave --batch out, or give `batch: true` to the "
            "variants that can go by batch"
        )
    variants = tuple(replace(one, batch=one.batch or one.endpoint.over_http) for one in prepared.variants)
    return replace(prepared, variants=variants)


def require_no_looks(prepared: Iterable[Prepared]) -> None:
    """Raises `UsageError` where everything is to go by batch and a run is to be looked at while it grows."""
    for one in prepared:
        if one.design is not None:
            what = "`inconclusive: extend`" if one.design.rest else "early stopping"
            raise UsageError(
                f"{one.suite.path}: --batch: found {what} under the gate {one.gate.name}; expected its answers one by "
                "one: a batch comes back as a whole. Leave one of the two out"
            )


def require_batches(prepared: Iterable[Prepared], options: BatchOptions, *, own_standin: bool) -> None:
    """Raises `UsageError` for `--no-wait` where nothing goes by batch, or where nothing would be left to collect."""
    if options.wait:
        return
    if not any(variant.batch for one in prepared for variant in one.variants):
        raise UsageError("--no-wait: found no variant that goes by batch; add --batch, or `batch: true` in the suite")
    if own_standin:
        raise UsageError(
            "--no-wait: found --standin, which ends with this command and forgets its batches; start one that stays "
            "(`snapdrift standin`) and name it with --base-url"
        )


def require_batch_hosts(variants: Iterable[Variant], target: Target) -> None:
    """Raises `UsageError` for a variant that goes by batch to a host that takes none, before anything is sent."""
    for variant in variants:
        if variant.batch and (host := target.host(variant)).is_azure:
            raise UsageError(
                f"variant {variant.name} goes by batch to the host {host.name}, an Azure resource in its classic form, "
                "which has no batches at this path; declare its v1 form (base_url .../openai/v1, no `kind`), or leave "
                "`batch` out"
            )


def _case_obstacles(prepared: Prepared, variant: Variant) -> list[str]:
    """The first case that keeps a variant from going by batch; the others are of its kind."""
    from snapdrift.suites.batching import case_obstacle
    from snapdrift.suites.media import Media
    from snapdrift.suites.prompts import render

    media = Media(prepared.workspace, prepared.suite.media)
    for case in prepared.cases:
        obstacle = case_obstacle(case, render(variant.prompt, case, media))
        if obstacle is not None:
            return [f"case {case.id} of variant {variant.name} has {obstacle}"]
    return []


def batch_settings(
    options: BatchOptions, config: BatchConfig, catalog: Catalog, models: Iterable[str], ends_at: float | None
) -> BatchSettings:
    """How a command goes about batches; the account's queue as the workspace names it, else by its usage tier."""
    named, limits = config.enqueued_tokens, dict[str, int]()
    if isinstance(named, int):
        limits["*"] = named
    elif config.tier is not None:
        for model in models:
            info = catalog.get(model)
            tier = info.limits.get(config.tier) if info is not None else None
            if tier is not None and tier.batch_queue is not None:
                limits[model] = tier.batch_queue
    if isinstance(named, Mapping):
        limits |= named
    return BatchSettings(
        enqueued_tokens=limits, deadline=ends_at, wait=options.wait, retry_missing=options.retry_missing
    )


@asynccontextmanager
async def open_batching(
    writer: RunWriter, stored: StoredRun, target: Target, costs: Costs, settings: BatchSettings, options: BatchOptions
) -> AsyncIterator[BatchRunner]:
    """The runner for a run's batches, with a client for each host. Raises `UsageError` for a host that has none."""
    from snapdrift.openai_api.batches import BatchClient

    async with AsyncExitStack() as stack:
        clients: dict[str, BatchClient] = {}
        for host in {host.base_url: host for host in target.hosts.values() if not host.is_azure}.values():
            clients[host.base_url] = await stack.enter_async_context(BatchClient(host))
        journal = BatchJournal(writer)
        if target.standin is not None:
            await _forget(journal)
        yield BatchRunner(
            run_id=stored.header.run_id,
            clients=_finder(clients),
            journal=journal,
            stored=Stored(stored.request, stored.response),
            costs=costs,
            settings=settings,
            progress=options.progress,
            notice=options.notice,
        )


def _finder(clients: Mapping[str, BatchClient]) -> Callable[[str], BatchClient]:
    def find(base_url: str) -> BatchClient:
        if base_url not in clients:
            known = ", ".join(sorted(clients)) or "none"
            raise UsageError(
                f"batches of this run are for {base_url}; found {known} to ask; expected the same host (one of Azure "
                "in the v1 form, whose base_url ends in /openai/v1)"
            )
        return clients[base_url]

    return find


async def _forget(journal: BatchJournal) -> None:
    """What was submitted to a stand-in of an earlier command is gone with it, and cost nothing: it is sent anew."""
    for part in await journal.parts():
        if part.state is not PartState.ENDED:
            await journal.cut(part, 0)
            await journal.put(replace(part, state=PartState.ENDED))


def left_running(report: BatchReport, run_id: str) -> str:
    """What is with the provider and how it is collected, as a sentence; empty where nothing is."""
    if report.complete:
        return ""
    unsent = f"{_counted(report.unsent, 'call')} not submitted yet"
    if not report.under_way:
        return f"{unsent}: go on with `snapdrift resume {run_id}`"
    sent = f"{_counted(report.under_way, 'call')} with the provider in {_counted(report.batches, 'batch', 'batches')}"
    parts = f"{sent} and {unsent}" if report.unsent else sent
    return f"{parts}; batches go on by themselves: collect them with `snapdrift resume {run_id}`"


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
