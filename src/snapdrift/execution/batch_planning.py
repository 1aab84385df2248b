"""Requests into parts: one model, endpoint and host each, within the limits of an input file and of the queue."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from snapdrift.execution.asker import Costs
from snapdrift.execution.batch_records import BatchSettings
from snapdrift.execution.clock import Clock
from snapdrift.execution.responses import requested_model
from snapdrift.model import Request
from snapdrift.openai_api.batch_lines import input_line
from snapdrift.openai_api.tokens import estimate_input_tokens
from snapdrift.store.batches import BatchJournal, Part, PartCall, PartSize, PartState

_GROUP = 200
"""Requests that are stored at once: memory holds so many of a part, whatever its size."""
_AT_ONCE = 50


@dataclass(slots=True)
class _Filling:
    part: Part
    calls: int = 0
    bytes: int = 0
    tokens: int = 0
    waiting: list[tuple[PartCall, Request]] = field(default_factory=list)


def draw_word() -> str:
    """The random word of one submission."""
    return secrets.token_hex(6)


class Planner:
    """Fills parts, and divides those that turn out too large."""

    def __init__(self, journal: BatchJournal, costs: Costs, settings: BatchSettings, clock: Clock) -> None:
        self._journal, self._costs, self._settings, self._clock = journal, costs, settings, clock

    async def plan(self, requests: Iterable[Request]) -> int:
        """Puts every request into a part and returns how many there were; afterwards all of it is durable.

        Raises `CatalogError` where a price is unknown and a budget is set.
        """
        filling: dict[tuple[str, str, str], _Filling] = {}
        number = 0
        for request in requests:
            number += 1
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)  # rendering and counting take a while; what is asked live goes on
            call = self._measured(request)
            queue = (request.base_url, requested_model(request), request.endpoint.value)
            current = filling.get(queue)
            if current is not None and not self._takes(current, call):
                await self._close(filling.pop(queue))
                current = None
            if current is None:
                current = filling[queue] = await self._open(request)
            current.calls += 1
            current.bytes += call.bytes
            current.tokens += call.tokens
            current.waiting.append((call, request))
            if len(current.waiting) >= _GROUP:
                await self._store(current)
        for left in filling.values():
            await self._close(left)
        return number

    async def split(self, part: Part, limit: int) -> None:
        """Cuts a planned part into pieces of at most `limit` estimated tokens each; a larger call is a piece alone."""
        firsts: list[int] = []
        tokens = 0
        for place, call in enumerate(await self._journal.open_calls(part)):
            tokens += call.tokens
            if place and tokens > limit:
                firsts.append(place)
                tokens = call.tokens
        await self._divide(part, firsts)

    async def halve(self, part: Part, size: PartSize) -> None:
        """Cuts a planned part in the middle."""
        await self._divide(part, [size.calls // 2])

    async def _divide(self, part: Part, firsts: Sequence[int]) -> None:
        await self._journal.split(part, firsts, [draw_word() for _ in firsts])

    def _measured(self, request: Request) -> PartCall:
        return PartCall(
            custom_id=request.client_request_id,
            key=request.call,
            bytes=len(input_line(request)),
            tokens=estimate_input_tokens(request.body).tokens,
            worst_usd=self._costs.worst_of(request),
        )

    def _takes(self, filling: _Filling, call: PartCall) -> bool:
        limit = self._settings.token_limit(filling.part.model)
        return (
            filling.calls < self._settings.max_requests
            and filling.bytes + call.bytes <= self._settings.max_bytes
            and (limit is None or filling.tokens + call.tokens <= limit)
        )

    async def _open(self, request: Request) -> _Filling:
        model, now = requested_model(request), int(self._clock.now().timestamp())
        return _Filling(await self._journal.open_part(draw_word(), request.base_url, model, request.endpoint, now))

    async def _store(self, filling: _Filling) -> None:
        waiting, filling.waiting = filling.waiting, []
        await self._journal.add(filling.part, waiting)

    async def _close(self, filling: _Filling) -> None:
        if filling.waiting:
            await self._store(filling)
        await self._journal.put(replace(filling.part, state=PartState.PLANNED))
