"""What commands say of a baseline of kept answers, on one line each: an archive's texts are anybody's."""

from __future__ import annotations

from collections.abc import Sequence

from snapdrift.baselines import BaselineFacts, BaselineKind, Unpaired

_NAMED = 5


def sentence_of(facts: BaselineFacts) -> str:
    """What a command says of the baseline before it asks anything."""
    kept = facts.kept
    if kept is None:
        return f"baseline: `{facts.name}` is asked; {facts.fallback} would stand in for it once its model is gone."
    from snapdrift.reports.escaping import line

    instead = f"{facts.because}, so {kept.where} stands in for `{facts.of}`: " if facts.of else ""
    left_out = (
        counts_of(kept.unpaired) if any((kept.unpaired.added, kept.unpaired.removed, kept.unpaired.changed)) else ""
    )
    first, last = kept.first_at[:10], kept.last_at[:10]
    span = first if first == last else f"{first} to {last}"
    how = "Archived by force" if facts.kind is BaselineKind.ARCHIVE else "No baseline but for the stand-in"
    forced = f" {how}: {'; '.join(kept.forced)}." if kept.forced else ""
    return line(
        f"baseline: {instead}`{facts.name}`, the answers of {kept.asked} in run {kept.run} of {span}; "
        f"{kept.paired:,} cases pair{f', not compared: {left_out}' if left_out else ''}.{forced}"
    )


def counts_of(unpaired: Unpaired) -> str:
    """How many cases are not compared, by reason, with the first ids."""
    parts = ((unpaired.added, "added"), (unpaired.changed, "changed"), (unpaired.removed, "removed"))
    return ", ".join(f"{len(ids):,} {what} ({_listed(ids)})" for ids, what in parts if ids) or "it is empty"


def _listed(ids: Sequence[str]) -> str:
    from snapdrift.reports.escaping import line

    more = f" and {len(ids) - _NAMED:,} more" if len(ids) > _NAMED else ""
    return f"{', '.join(line(case_id) for case_id in ids[:_NAMED])}{more}"
