"""Sentences about what decides nothing and helps to read the rest: alias ledger, endpoint parity, A/A controls, looks.

As in `words`, each is whole, with its full stop, and the same in every rendering.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from snapdrift.conclusions import Control, ControlMetric, LedgerEntry, Parity, Sequential
from snapdrift.gradings import VoteAgreement
from snapdrift.model import MetricSpec
from snapdrift.verdicts.words import cases, change_text, names


def ledger_sentence(entry: LedgerEntry) -> str:
    """What was asked for, what answered, and whether that is as it was last time."""
    who = _who(entry).replace("the judge", "The judge", 1) if entry.judge else _who(entry)
    if not entry.returned:
        return f"{who} asked for {entry.requested}, and no answer names a model."
    return f"{who} {_answered(entry)}{_since(entry)}."


def ledger_sentences(entries: Sequence[LedgerEntry]) -> tuple[str, ...]:
    """The sentence of each entry that some model answered; all that no earlier run can be compared with are one."""
    known = [ledger_sentence(entry) for entry in entries if entry.before]
    new = [entry for entry in entries if not entry.before]
    if len(new) < 2:
        return tuple(map(ledger_sentence, entries))
    told = "; ".join(f"{_who(entry)} {_answered(entry)}" for entry in new)
    return (*known, f"{told[0].upper()}{told[1:]}{_UNCOMPARED}.")


_UNCOMPARED = "; no earlier run to compare with"


def _who(entry: LedgerEntry) -> str:
    return f"the judge of `{entry.judge}`" if entry.judge else f"`{entry.variant}`"


def _answered(entry: LedgerEntry) -> str:
    total = sum(entry.returned.values())
    answered = ", ".join(f"{model} in {number:,} of {total:,} answers" for model, number in most_first(entry.returned))
    return f"asked for {entry.requested} and was answered as {answered}"


def _since(entry: LedgerEntry) -> str:
    if not entry.before:
        return _UNCOMPARED
    return ", as last time" if set(entry.before) == set(entry.returned) else f"; last time as {names(entry.before)}"


def parity_sentence(parity: Parity) -> str:
    """Whether the ways agree, on what they do not, and what could not be compared."""
    ways = list(parity.ways.values())
    on = _listed(ways if len(set(ways)) == len(ways) else [f"`{variant}`" for variant in parity.ways])
    if not parity.compared:
        return f"{on} ask the same and could not be compared: no case was measured on all of them."
    differing = [f"{one.metric} on {len(one.differing):,}" for one in parity.metrics if one.differing]
    differing += [f"outcomes on {len(parity.outcomes_differ):,}"] if parity.outcomes_differ else []
    missing = parity.cases - parity.compared
    short = f"; {cases(missing)} could not be compared" if missing else ""
    if differing:
        return f"Results on {on} differ: {_listed(differing)} of {cases(parity.compared)}{short}."
    every = "all " if not missing and parity.cases > 1 else ""
    return f"Identical scores on {on} for {every}{cases(parity.compared)}{short}."


def control_sentence(control: Control, specs: Mapping[str, MetricSpec]) -> str:
    """That the two are one model, and how far apart they come out all the same."""
    floor = "; ".join(_metric_text(one, specs.get(one.metric)) for one in control.metrics if one.n)
    beyond = control.beyond_chance
    doubt = f"; on {names(beyond)} they are larger than chance explains" if beyond else ""
    return f"{control_opening(control)}{f' ({floor})' if floor else ''}{doubt}."


def control_opening(control: Control) -> str:
    """The first words of `control_sentence`, which figures may follow."""
    are = "should be" if control.beyond_chance else "are"
    return (
        f"`{control.alias}` ({control.requested}) and `{control.snapshot}` are the same model, {control.model}: "
        f"differences here {are} noise"
    )


def stopped_sentence(sequential: Sequential) -> str:
    """That a look spared calls, where it ended the asking, and what that does to the difference; else empty."""
    s = sequential
    if not s.stopped or (s.open_ended and s.fed <= s.sample):
        return ""
    most = "up to " if s.open_ended else ""
    return (
        f"Stopped after {s.fed * s.unit_size:,} of {most}{cases(s.planned * s.unit_size)}; answers after that were not "
        "needed; what ended the asking is likely overstated: a drop looks larger, and no change better, than it is."
    )


def looks_assumed(sequential: Sequential) -> str:
    """How alpha is divided in a run that is looked at while it grows, and which intervals are shown."""
    from snapdrift.stats.sequential import LOOK_EVERY

    every = f"looked at every {LOOK_EVERY} units in a drawn order"
    if sequential.open_ended:
        return f"{every}; all of alpha to the looks, intervals by betting"
    end = "one fixed test at 4/5 of it where all were asked"
    return f"{every}; 1/5 of alpha to the looks, {end}; intervals by betting after a stop, else at that test's level"


def sequential_notes(sequential: Sequential) -> tuple[str, ...]:
    """What to know of a run that was looked at while it grew: topping up that ended with nothing settled."""
    s = sequential
    notes = []
    if s.open_ended and s.fed > s.sample and not s.stopped and not s.spent:
        asked = f"Topped up from {s.sample * s.unit_size:,} to all {cases(s.planned * s.unit_size)} of the dataset"
        notes.append(f"{asked}, with nothing settled: add cases to the dataset, or accept that this is open.")
    elif s.open_ended and s.fed > s.sample:
        notes.append(f"Topped up from {s.sample * s.unit_size:,} to {cases(s.fed * s.unit_size)}.")
    if s.spent:
        more = f"after {s.fed * s.unit_size:,} of up to {cases(s.planned * s.unit_size)}"
        notes.append(
            f"Topping up ended {more}, with nothing settled: {s.spent.rstrip('.')}. "
            "`snapdrift resume RUN --extend` goes on."
        )
    return tuple(notes)


def unsettled_stop(sequential: Sequential) -> str | None:
    """Why a run that was stopped early is incomplete after all: graded as it is now, no look would have ended it."""
    s = sequential
    if not s.stopped or s.resolved:
        return None
    stopped = f"The run was stopped after {s.fed * s.unit_size:,} of {cases(s.planned * s.unit_size)}"
    return f"{stopped} by scores that were others then; as they are now, they would not have stopped it."


def _metric_text(one: ControlMetric, spec: MetricSpec | None) -> str:
    change = change_text(one.difference, one.ci, spec)
    return f"{one.metric} {change}, {len(one.differing):,} of {cases(one.n)} differ{'s' if one.n == 1 else ''}"


def most_first(returned: Mapping[str, int]) -> list[tuple[str, int]]:
    """Models by how often they answered, then by name."""
    return sorted(returned.items(), key=lambda item: (-item[1], item[0]))


def _listed(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def votes_sentence(one: VoteAgreement) -> str:
    """How far the votes of a judge on a variant's answers agree."""
    agreement = "–" if one.agreement is None else f"{one.agreement:.1%}"
    alpha = "not to be said (all verdicts are the same)" if one.alpha is None else f"{one.alpha:.2f}"
    ties = f", {one.ties:,} {'tie is' if one.ties == 1 else 'ties are'} unscored" if one.ties else ""
    return (
        f"{one.judge}, `{one.variant}`: {one.votes} votes on {one.answers:,} answers, {one.unanimous:,} unanimous"
        f"{ties}; {agreement} of pairs agree, Krippendorff's alpha {alpha}."
    )
