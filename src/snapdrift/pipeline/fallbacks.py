"""Whether the models of baselines that have a fallback can still be asked: found out before anything is spent."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from snapdrift.baselines import BaselineKind
from snapdrift.errors import UsageError
from snapdrift.model import Source

if TYPE_CHECKING:
    from snapdrift.model import Variant
    from snapdrift.pipeline.prepare import Prepared
    from snapdrift.pipeline.targets import Target


class BaselineGone(Exception):  # noqa: N818  it is no error: the command goes on with the fallback
    """Baselines that nobody can be asked for: by the path of the suite, why."""

    def __init__(self, because: Mapping[str, str]) -> None:
        super().__init__(", ".join(because))
        self.because = dict(because)


def require_baselines(prepared: Sequence[Prepared], target: Target) -> None:
    """Raises `BaselineGone` where a host says that it does not have the model of a baseline with a fallback.

    Each is asked once for what it knows of the model, which costs nothing. A host that does not say has it. Raises
    `UsageError` where a real model would be compared with a run of the stand-in.
    """
    for one in prepared:
        _require_measured(one, target)
    gone = {}
    for one in prepared:
        asks = None if one.based is None else one.based.asks
        if asks is not None and asks.endpoint.over_http and asks in one.variants and not _has(asks, target):
            gone[one.suite.path] = f"{target.host(asks).name} says that the model {asks.model} does not exist"
    if gone:
        raise BaselineGone(gone)


def _require_measured(one: Prepared, target: Target) -> None:
    facts = None if one.based is None else one.based.facts
    kept = None if facts is None else facts.kept
    if (
        facts is None
        or kept is None
        or facts.kind is not BaselineKind.RUN
        or Source.SIMULATED.value not in kept.sources
    ):
        return
    live = [variant.name for variant in one.variants if target.is_live(variant)]
    if live:
        raise UsageError(
            f"{one.suite.path}: gate {one.gate.name}: found run {kept.run} as the baseline, whose answers are "
            f"simulated, and {live[0]}, which a model would be asked for; expected a run that asked a model, or "
            "--standin"
        )


def _has(variant: Variant, target: Target) -> bool:
    from snapdrift.openai_api.loading import load_sdk

    load_sdk()  # before there is a loop that it would hold up
    return asyncio.run(_asked(variant, target))


async def _asked(variant: Variant, target: Target) -> bool:
    from snapdrift.openai_api.client import OpenAIClient

    async with OpenAIClient(target.host(variant)) as client:
        return await client.has_model(variant.model) is not False
