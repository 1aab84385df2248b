"""The alias ledger: which model was asked for and which answered, for every variant and every judge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from snapdrift.conclusions import AliasMove, LedgerEntry
from snapdrift.model import CallResult, Results
from snapdrift.verdicts.asides import most_first
from snapdrift.verdicts.facts import RunFacts
from snapdrift.verdicts.summaries import CallsOfVariant


def build_ledger(results: Results, calls: Mapping[str, CallsOfVariant], facts: RunFacts) -> tuple[LedgerEntry, ...]:
    """An entry for each variant that is asked over HTTP, then one for each judge.

    An application or a file of outputs names the models that it likes; nothing was asked for, so nothing can move.
    """
    entries = [
        LedgerEntry(
            variant=variant.name,
            requested=variant.model,
            returned=_returned(calls[variant.name].values()),
            before=tuple(sorted(facts.previous_models.get(variant.name, ()))),
            sources=tuple(
                sorted(s.value for s in {c.source for c in calls[variant.name].values() if c.outcome.measured})
            ),
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


def _returned(calls: Iterable[CallResult]) -> dict[str, int]:
    """Answers by the model that they name; a call of several requests may name several."""
    measured = [call for call in calls if call.outcome.measured]
    named = Counter([call.returned_model for call in measured if call.returned_model is not None])
    named.update(model for call in measured for model in call.also_returned)
    return dict(most_first(named))
