"""The alias ledger: which model was asked for and which answered, for every variant and every judge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from snapdrift.conclusions import AliasMove, LedgerEntry
from snapdrift.model import Results
from snapdrift.verdicts.asides import most_first
from snapdrift.verdicts.call_columns import SOURCES, CallColumns
from snapdrift.verdicts.facts import RunFacts


def build_ledger(results: Results, calls: Mapping[str, CallColumns], facts: RunFacts) -> tuple[LedgerEntry, ...]:
    """An entry for each variant that is asked over HTTP, then one for each judge.

    An application or a file of outputs names the models that it likes; nothing was asked for, so nothing can move.
    """
    entries = [
        LedgerEntry(
            variant=variant.name,
            requested=variant.model,
            returned=_returned(calls[variant.name]),
            before=tuple(sorted(facts.previous_models.get(variant.name, ()))),
            sources=_sources(calls[variant.name]),
        )
        for variant in results.variants
        if variant.endpoint.over_http
    ]
    entries += [
        LedgerEntry(
            variant="",
            requested=judge.requested,
            returned=dict(judge.returned),
            before=tuple(sorted(facts.previous_judges.get(judge.judge, ()))),
            judge=judge.judge,
            sources=judge.sources,
        )
        for judge in results.judges
    ]
    return tuple(entries)


def find_alias_moves(ledger: Sequence[LedgerEntry]) -> tuple[AliasMove, ...]:
    """Entries that name another model than last time, or more than one within the run.

    That the answer names another model than was asked for is no move: an alias and a deployment always do that.
    """
    moves = []
    for entry in ledger:
        now = tuple(sorted(entry.returned))
        if len(now) > 1 or (now and entry.before and now != entry.before):
            moves.append(AliasMove(entry.variant, entry.requested, entry.before, now, entry.judge))
    return tuple(moves)


def _returned(calls: CallColumns) -> dict[str, int]:
    """Answers by the model that they name; a call of several requests may name several."""
    measured = calls.measured
    named = Counter(
        {
            calls.named[model]: count
            for model, count in Counter(calls.models[measured & (calls.models >= 0)].tolist()).items()
        }
    )
    named.update(model for call, models in calls.also.items() if measured[call] for model in models)
    return dict(most_first(named))


def _sources(calls: CallColumns) -> tuple[str, ...]:
    return tuple(sorted(SOURCES[code].value for code in set(calls.sources[calls.measured].tolist())))
