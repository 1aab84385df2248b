"""What a run claims and how surely, in sentences: of which cases, adjusted for what, seeing how much, why so unsure.

As in `words`, each is whole, with its full stop, and the same in every rendering.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from snapdrift.conclusions import Comparison, VarianceParts
from snapdrift.model import Gate, MetricSpec, Policy, Target
from snapdrift.verdicts.words import amount, cases, for_the_worse, percent, points

ASKED_ONCE = (
    "Each case was asked once, so what the models vary by themselves cannot be told from what differs between cases, "
    "and whether repeats would help is not known; `repeats: 2` would show it."
)
"""What can be said of repeatability where each case has one answer."""
_HELPS = {
    "cases": "more cases would help",
    "either": "more of either would help",
    "repeats": "more repeats would help",
}


def target_sentence(target: Target) -> str:
    """What the comparisons of a run are about."""
    if target is Target.THESE_CASES:
        return (
            "Claimed about these very cases: only what the models vary from answer to answer is uncertain, "
            "and nothing is said of other cases."
        )
    return "Claimed about cases like these: the cases count as a sample of all that could have been asked."


def multiplicity_sentence(gate: Gate, gating: int) -> str:
    """Why shown worse takes an adjustment and shown no worse takes none; empty where nothing gates."""
    if not gating:
        return ""
    alpha = f"{gate.alpha:.3g}"
    if gating == 1:
        return f"One comparison gates, so its p-values are taken as they are, at {alpha} one-sided."
    return (
        f"The run fails if any one of {gating:,} gating comparisons is shown worse, so those p-values are adjusted "
        f"(Holm) and a false alarm among them all has at most the chance {alpha}; that none is worse than its margin "
        f"is shown only by all of them, each at {alpha}, which takes no adjustment (intersection-union)."
    )


def sight_sentence(gate: Gate, comparisons: Sequence[Comparison], specs: Mapping[str, MetricSpec]) -> str:
    """How small a drop (or rise, where less is better) the gating comparisons could see; empty where nothing gates."""
    largest: dict[str, float | None] = {}
    for c in comparisons:
        if c.gating and c.n:
            known = largest.get(c.metric, 0.0)
            seen = c.detectable_difference
            largest[c.metric] = None if seen is None or known is None else max(known, seen)
    if not largest:
        return ""
    kind = {metric: for_the_worse(specs.get(metric)) for metric in largest}
    unseen = [f"no {kind[metric]} of any size on {metric}" for metric, size in largest.items() if size is None]
    sizes: dict[str, list[str]] = {}
    for metric, size in largest.items():
        if size is not None:
            sizes.setdefault(kind[metric], []).append(f"{amount(size, specs.get(metric))} on {metric}")
    seen_of = [f"{word}s of at least {', '.join(told)}" for word, told in sizes.items()] + unseen
    # In the terms of what was seen, where that is one thing.
    units = {spec.unit: spec for metric in largest if (spec := specs.get(metric)) is not None}
    one = next(iter(units.values())) if len(units) == 1 else None
    asked = f"; `max_blind` asks for {amount(gate.max_blind, one)}" if gate.policy is Policy.CATCH else ""
    assumed = (
        f"Reckoned for {percent(gate.discordance)} of results that differ, or for as many as did where that is more"
    )
    return f"Large enough to be noticed (with 80% power): {', '.join(seen_of)}{asked}. {assumed}."


def variance_sentences(comparisons: Sequence[Comparison], specs: Mapping[str, MetricSpec]) -> tuple[str, ...]:
    """For each comparison with a margin and repeats, whether more cases or more repeats would help."""
    asked = [c for c in comparisons if c.margin is not None]
    return tuple(variance_sentence(c, c.variance, specs.get(c.metric)) for c in asked if c.variance is not None)


def variance_sentence(comparison: Comparison, parts: VarianceParts, spec: MetricSpec | None = None) -> str:
    """Which part of the uncertainty is the model's, what that makes of the error, and what would make it smaller."""
    c = comparison
    head = f"{c.metric}, `{c.candidate}` against `{c.baseline}`"
    if parts.remedy == "neither":
        return f"{head}: nothing varied, neither between cases nor from answer to answer."
    share = (
        f"{percent(parts.noise_share)} of the variance of a case's difference is the models' own, from answer to answer"
    )
    if c.target is Target.THESE_CASES:
        error, other = amount(parts.these_cases_error, spec), points(parts.like_these_error, spec, signed=False)
        twice = points(parts.twice_the_repeats, spec, signed=False)
        return (
            f"{head}: {share}; the standard error about these cases is {error} ({other} about cases like them), and "
            f"twice the repeats would make it {twice}: {_HELPS[parts.remedy]}."
        )
    error, pooled = amount(parts.like_these_error, spec), points(parts.pooled_error, spec, signed=False)
    more = "" if parts.twice_the_cases is None else points(parts.twice_the_cases, spec, signed=False)
    twice = points(parts.twice_the_repeats, spec, signed=False)
    return (
        f"{head}: {share}, the rest differs between cases, so {parts.repeats:.3g} answers to a case are not as many "
        f"cases: the standard error over {cases(c.n)} is {error}, not the {pooled} that pooled answers would claim; "
        f"twice the cases would make it {more}, twice the repeats {twice}: {_HELPS[parts.remedy]}."
    )
