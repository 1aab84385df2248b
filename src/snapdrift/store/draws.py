"""Which answers a variant of a run rests on, as one value that two runs share only where they share the answers."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snapdrift.errors import StoreError
from snapdrift.model import Outcome, canonical_json
from snapdrift.store.format import decompress

SKETCH = 32
"""How many hashes stand for a draw where it is asked how much of it another one shares."""


@dataclass(frozen=True, slots=True)
class StoredDraw:
    """The measured answers of a variant: what they are (a hash), how many, and when the first and the last came.

    `sketch` are the smallest hashes of its answers: of two draws, by `shared`, they tell how much they have in common.
    """

    digest: str
    answers: int
    oldest: str
    newest: str
    sketch: tuple[str, ...] = ()


@dataclass(slots=True)
class _Tally:
    hash: Any = field(default_factory=hashlib.sha256)
    answers: list[str] = field(default_factory=list)
    times: list[str] = field(default_factory=list)

    def draw(self) -> StoredDraw:
        oldest, newest = min(self.times, default=""), max(self.times, default="")
        sketch = tuple(heapq.nsmallest(SKETCH, self.answers))
        return StoredDraw(self.hash.hexdigest()[:32], len(self.answers), oldest, newest, sketch)


def shared(one: Sequence[str], other: Sequence[str]) -> float:
    """The share of the answers of two draws, taken together, that are in both, estimated from their sketches.

    The smallest hashes of all are a random sample of the answers (Broder 1997, bottom-k sketches): exact where draws
    are no larger than a sketch, 0 for draws without a common answer, 1 for the same one.
    """
    smallest = sorted({*one, *other})[:SKETCH]
    return sum(answer in one and answer in other for answer in smallest) / len(smallest) if smallest else 0.0


def draws_of(rows: Iterable[tuple[Any, ...]], path: Path) -> Mapping[str, StoredDraw]:
    """The draw of each variant, from rows of `rows.DRAWS` in their order. Raises `StoreError` for a damaged answer.

    A body as received names the answer (`id`) and the time, so asking anew gives another draw even where all texts are
    the same; a file of outputs gives the same one as long as its rows are the same.
    """
    tallies: dict[str, _Tally] = {}
    for variant, case_id, repeat, outcome, raw, finished_at in rows:
        if not _outcome(outcome, path).measured:
            continue
        tally = tallies.setdefault(variant, _Tally())
        answer = canonical_json([case_id, repeat, outcome, decompress(raw)]).encode("utf-8", "surrogatepass")
        hashed = hashlib.sha256(answer).digest()
        tally.hash.update(hashed)
        tally.answers.append(hashed.hex()[:16])
        if isinstance(finished_at, str):
            tally.times.append(finished_at)
    return {variant: tally.draw() for variant, tally in tallies.items()}


def _outcome(text: Any, path: Path) -> Outcome:
    try:
        return Outcome(text)
    except ValueError:
        raise StoreError(f"{path}: found the outcome {text!r}, expected one of {', '.join(Outcome)}") from None
