"""What the same thing asked more than once shows: cases that flicker, and the noise between two runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snapdrift.conclusions import VariantSummary
from snapdrift.model import Source
from snapdrift.stats.history import flakiness, noise_floor
from snapdrift.verdicts.history import FinishedRun, FlakyCase, Noise, digest_of_draw, source_of_variant

FLAKY_RUNS = 5
"""How many of the newest runs of the same thing are looked through for cases that flicker."""
NOISE_COMPARISONS = 10
"""How many of the newest A/A comparisons the noise floor rests on."""

RunScores = Mapping[tuple[str, str], Mapping[str, Sequence["CaseScore"]]]
"""By variant and metric, then by case: the score of each repeat."""
ScoresOf = Callable[[FinishedRun], RunScores]
_Differences = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class CaseScore:
    """What one repeat of a case came to; both None where the grader could not grade."""

    value: float | None
    passed: bool | None


def by_suite_and_gate(runs: Iterable[FinishedRun]) -> Mapping[tuple[str, str], list[FinishedRun]]:
    """The runs of each suite and gate, newest first."""
    groups: dict[tuple[str, str], list[FinishedRun]] = defaultdict(list)
    for run in sorted(runs, key=lambda one: (one.started_at, one.run_id), reverse=True):
        groups[run.suite, run.gate].append(run)
    return groups


def find_flaky(runs: Iterable[FinishedRun], scores_of: ScoresOf) -> tuple[FlakyCase, ...]:
    """The cases that both passed and failed in the repeats of each group's newest run and of those like it.

    Runs are alike that asked the same of the same kind of source and were answered by the same models afresh.
    """
    found: list[FlakyCase] = []
    for group in by_suite_and_gate(runs).values():
        newest = group[0]
        for variant in newest.evaluation.variants:
            alike = _alike(group, variant)[:FLAKY_RUNS]
            if sum(run.repeats for run in alike) < 2:
                continue
            metrics = [level.metric for level in newest.evaluation.metrics if level.variant == variant.name]
            for metric in metrics:
                found += _flaky_of(alike, variant, metric, scores_of)
    return tuple(found)


def find_noise(runs: Iterable[FinishedRun], scores_of: ScoresOf) -> tuple[Noise, ...]:
    """The A/A noise floor of each metric, where something was asked twice.

    An alias that was answered by the snapshot beside it is one comparison; else the first snapshot of two runs that
    asked the same is. No run is in two comparisons, and no answers are compared with themselves.
    """
    found = []
    for group in by_suite_and_gate(runs).values():
        for source, pairs in _comparisons(group).items():
            metrics = dict.fromkeys(level.metric for run in group for level in run.evaluation.metrics)
            for metric in metrics:
                differences = [_differences(pair, metric, scores_of) for pair in pairs[:NOISE_COMPARISONS]]
                noise = _noise(group[0], source, metric, [one for one in differences if one])
                found += [noise] if noise is not None else []
    return tuple(found)


# ------------------------------------------------------------------------------------------------------- flaky cases


def _alike(group: Sequence[FinishedRun], variant: VariantSummary) -> list[FinishedRun]:
    newest, kept, seen = group[0], [], set()
    taken_of = () if variant.reused is None else variant.reused.runs
    for run in group:
        then = next((one for one in run.evaluation.variants if one.name == variant.name), None)
        same = then is not None and source_of_variant(then) is source_of_variant(variant)
        if (
            run.asked != newest.asked
            or then is None
            or not same
            or then.resolved_models.keys() != variant.resolved_models.keys()
            # Of answers that were reused one copy counts: that of the newest run.
            or (run is not newest and (then.reused is not None or run.run_id in taken_of))
        ):
            continue
        digest = digest_of_draw(run, variant.name)
        if digest is None or digest not in seen:
            kept.append(run)
            seen.add(digest)
    return kept


def _flaky_of(
    runs: Sequence[FinishedRun], variant: VariantSummary, metric: str, scores_of: ScoresOf
) -> list[FlakyCase]:
    source = source_of_variant(variant)
    passes: dict[str, list[bool]] = defaultdict(list)
    for run in runs:
        for case_id, scores in scores_of(run).get((variant.name, metric), {}).items():
            passes[case_id] += [score.passed for score in scores if score.passed is not None]
    ids = [case_id for case_id, found in passes.items() if len(found) > 1]
    if source is None or not ids:
        return []
    table = np.full((len(ids), max(len(passes[case_id]) for case_id in ids)), np.nan)
    for row, case_id in enumerate(ids):
        table[row, : len(passes[case_id])] = passes[case_id]
    newest = runs[0]
    return [
        FlakyCase(
            newest.suite,
            newest.gate,
            variant.name,
            metric,
            source,
            ids[one.case],
            one.passes,
            one.repeats,
            one.interval.low,
            one.interval.high,
            len(runs),
        )
        for one in flakiness(table, newest.two_sided)
        if one.flaky
    ]


# -------------------------------------------------------------------------------------------------------- noise floor


@dataclass(frozen=True, slots=True)
class _Side:
    run: FinishedRun
    variant: str


@dataclass(frozen=True, slots=True)
class _Pair:
    """The same thing asked twice."""

    one: _Side
    other: _Side


def _comparisons(group: Sequence[FinishedRun]) -> Mapping[Source, list[_Pair]]:
    """The A/A comparisons of a group, newest first, by where the answers came from."""
    pairs: dict[Source, list[_Pair]] = defaultdict(list)
    waiting: dict[tuple[str, ...], _Side] = {}
    for run in group:
        variants = {one.name: one for one in run.evaluation.variants}
        control = next((c for c in run.evaluation.controls if {c.alias, c.snapshot} <= variants.keys()), None)
        if control is not None:
            source = source_of_variant(variants[control.alias])
            if source is not None and digest_of_draw(run, control.alias) != (
                digest_of_draw(run, control.snapshot) or ""
            ):
                pairs[source].append(_Pair(_Side(run, control.alias), _Side(run, control.snapshot)))
            continue
        snapshot = next((one for one in run.evaluation.variants if set(one.resolved_models) == {one.model}), None)
        source = None if snapshot is None else source_of_variant(snapshot)
        if snapshot is None or source is None or snapshot.reused is not None:
            continue  # answers of another run: compared with these, some would be compared with themselves
        key = (run.asked, snapshot.name, source.value)
        later = waiting.pop(key, None)
        digest = digest_of_draw(run, snapshot.name)
        if later is None:
            waiting[key] = _Side(run, snapshot.name)
        elif digest is not None and digest == digest_of_draw(later.run, snapshot.name):
            waiting[key] = later
        else:
            pairs[source].append(_Pair(later, _Side(run, snapshot.name)))
    return pairs


def _differences(pair: _Pair, metric: str, scores_of: ScoresOf) -> _Differences:
    """By case: the mean of one side's repeats less that of the other, where both were scored."""
    one, other = (_means(scores_of(side.run).get((side.variant, metric), {})) for side in (pair.one, pair.other))
    return {case_id: one[case_id] - other[case_id] for case_id in one.keys() & other.keys()}


def _means(scores: Mapping[str, Sequence[CaseScore]]) -> dict[str, float]:
    values = {case_id: [one.value for one in found if one.value is not None] for case_id, found in scores.items()}
    return {case_id: sum(found) / len(found) for case_id, found in values.items() if found}


def _noise(run: FinishedRun, source: Source, metric: str, differences: Sequence[_Differences]) -> Noise | None:
    if not differences:
        return None
    ids = sorted({case_id for one in differences for case_id in one})
    table: NDArray[np.float64] = np.array([[one.get(case_id, np.nan) for case_id in ids] for one in differences])
    confidence = run.two_sided
    found = noise_floor(table, confidence)
    return Noise(
        suite=run.suite,
        gate=run.gate,
        metric=metric,
        source=source,
        comparisons=found.comparisons,
        cases=found.cases,
        mean=found.mean,
        discordance=found.discordance,
        low=found.discordance_interval.low,
        high=found.discordance_interval.high,
        floor=found.floor,
        confidence=confidence,
        excess=found.p_excess <= 1 - confidence,
    )
