"""What a run says about money: bills beyond their worst case, and paid answers that nobody judged."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from snapdrift.errors import StoreError
from snapdrift.execution.surprises import Surprise, Surprises
from snapdrift.store.ledger import NANO

if TYPE_CHECKING:
    from snapdrift.execution.budget import Budget
    from snapdrift.store import RunWriter, StoredRun

SURPRISES, UNJUDGED = SENTENCES = "surprise_notes", "unjudged_note"
"""Under these names a run file keeps the sentences, each a list."""
IN_FLIGHT, UNSEEN = DOLLARS = "in_flight_usd", "unseen_usd"
"""Under these names it keeps what may be in flight, and what was when a process of the run was killed."""
_NAMED = 5


@dataclass(frozen=True, slots=True)
class SpendingNotes:
    """Sentences, empty where there is nothing to say: bills beyond the worst case, and answers left unjudged."""

    surprises: str = ""
    unjudged: str = ""


def spending_notes(
    budget: Budget, surprises: Surprises, unjudged: int = 0, *, by_provider: bool = False
) -> SpendingNotes:
    """What went otherwise than the budget foresees.

    `unjudged` counts the questions that judges were not asked, because money or time ran out or, `by_provider`, because
    nothing more was answered.
    """
    why = "the provider answered no more" if by_provider else "money or time ran out"
    return SpendingNotes(_surprised(budget, surprises), _unjudged(unjudged, why))


def _surprised(budget: Budget, surprises: Surprises) -> str:
    n = surprises.count
    if not n:
        return ""
    called = budget.called[:1].upper() + budget.called[1:]
    over = f"{called} was exceeded by ${budget.exceeded_usd:.4f}: " if budget.exceeded_usd else ""
    if not over and budget.day is not None and (more_than_a_day := budget.day.exceeded()):
        over = f"The budget of ${budget.day.limit_usd:g} a day was exceeded by ${more_than_a_day / NANO:.4f}: "
    billed = f"{n:,} request{' was' if n == 1 else 's were'} billed beyond the worst case, by"
    named = ", ".join(map(_named, surprises.largest[:_NAMED]))
    more = f", and {n - _NAMED:,} more" if n > _NAMED else ""
    return f"{over}{billed} ${surprises.excess_usd:.4f} in all: {named}{more}."


def _unjudged(count: int, why: str) -> str:
    if not count:
        return ""
    asked = "question of a judge was not asked" if count == 1 else "questions of judges were not asked"
    return f"{count:,} {asked} about answers that were paid for: {why}."


def _named(one: Surprise) -> str:
    call = one.call
    repeat = f" repeat {call.repeat}" if call.repeat else ""
    judge = f" ({call.judge})" if call.grader else ""
    return f"{call.case_id} of {call.variant}{repeat}{judge} ${one.usd:.4f} for at most ${one.worst_usd:.4f}"


def keep_notes(writer: RunWriter, stored: StoredRun, notes: SpendingNotes) -> None:
    """Puts them into the run file: what was billed stays true, what is not judged may be judged by now."""
    if notes.surprises:
        writer.set_meta(SURPRISES, json.dumps([*_kept(stored, SURPRISES), notes.surprises]))
    if notes.unjudged or stored.meta(UNJUDGED):
        writer.set_meta(UNJUDGED, json.dumps([notes.unjudged] if notes.unjudged else []))


async def mark_in_flight(writer: RunWriter, usd: float) -> None:
    """Keeps in the run file how much may be in flight at most: what a killed process cannot tell any more."""
    await writer.keep_meta(IN_FLIGHT, repr(usd))


@contextmanager
def nothing_in_flight_after(writer: RunWriter) -> Iterator[None]:
    """Takes the mark away however asking ends: by then everything that was begun is stored with its fate."""
    try:
        yield
    finally:
        with suppress(StoreError):  # a mark that stays is counted, and what went wrong before is what is told
            writer.set_meta(IN_FLIGHT, "0.0")


def unseen_usd(writer: RunWriter, stored: StoredRun) -> float:
    """What killed processes of the run may have been billed for answers that nobody saw, in dollars, at its most."""
    in_flight, before = _usd(stored, IN_FLIGHT), _usd(stored, UNSEEN)
    if in_flight:
        writer.set_meta(UNSEEN, repr(before + in_flight))
        writer.set_meta(IN_FLIGHT, "0.0")
    return before + in_flight


def may_have_cost_usd(stored: StoredRun) -> float:
    """The same as it is now, of a run that nobody works on; nothing is written."""
    return _usd(stored, IN_FLIGHT) + _usd(stored, UNSEEN)


def _usd(stored: StoredRun, name: str) -> float:
    try:
        usd = float(stored.meta(name) or 0.0)
    except ValueError:
        return 0.0  # somebody else's file
    return usd if math.isfinite(usd) and usd > 0 else 0.0


def stored_notes(stored: StoredRun) -> tuple[str, ...]:
    """The sentences that the run file keeps."""
    return (*_kept(stored, SURPRISES), *_kept(stored, UNJUDGED))


def _kept(stored: StoredRun, name: str) -> list[str]:
    try:
        found = json.loads(stored.meta(name) or "[]")
    except ValueError:
        found = None  # somebody else's file
    return [text for text in found if isinstance(text, str)] if isinstance(found, list) else []
