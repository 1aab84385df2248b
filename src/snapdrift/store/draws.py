"""Which answers a variant of a run rests on, as one value that two runs share only where they share the answers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snapdrift.errors import StoreError
from snapdrift.model import Outcome, canonical_json
from snapdrift.store.format import decompress


@dataclass(frozen=True, slots=True)
class StoredDraw:
    """The measured answers of a variant: what they are (a hash), how many, and when the first and the last came."""

    digest: str
    answers: int
    oldest: str
    newest: str


@dataclass(slots=True)
class _Tally:
    hash: Any = field(default_factory=hashlib.sha256)
    times: list[str] = field(default_factory=list)


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
        tally.hash.update(canonical_json([case_id, repeat, outcome, decompress(raw)]).encode("utf-8", "surrogatepass"))
        if isinstance(finished_at, str):
            tally.times.append(finished_at)
    return {
        variant: StoredDraw(
            tally.hash.hexdigest()[:32], len(tally.times), min(tally.times, default=""), max(tally.times, default="")
        )
        for variant, tally in tallies.items()
    }


def _outcome(text: Any, path: Path) -> Outcome:
    try:
        return Outcome(text)
    except ValueError:
        raise StoreError(f"{path}: found the outcome {text!r}, expected one of {', '.join(Outcome)}") from None
