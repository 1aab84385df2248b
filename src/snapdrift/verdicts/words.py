"""Verdicts and decisions in sentences, the same in the terminal, the page, the summary and `verdict.json`.

Differences read in percent points with one decimal and a sign; a metric with a unit of its own (stars of a rubric)
reads in that. Every function that says `sentence` returns a whole one, with its full stop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from snapdrift.calibrations import LABEL_METHODS
from snapdrift.conclusions import AliasMove, Comparison, Evaluation, PairTable
from snapdrift.model import DecisionWord, MetricSpec, Policy, Verdict

POINTS = "points"
VERDICT_WORDS = {
    Verdict.REGRESSED: "regressed",
    Verdict.WORSE_WITHIN_MARGIN: "worse, within margin",
    Verdict.IMPROVED: "improved",
    Verdict.NO_WORSE: "no worse",
    Verdict.INCONCLUSIVE: "inconclusive",
    Verdict.INSUFFICIENT: "insufficient",
}
_NAMED = 5
NO_SPECS: Mapping[str, MetricSpec] = {}


def points(value: float, spec: MetricSpec | None = None, *, signed: bool = True) -> str:
    """A difference without its unit: `-2.0`. In percent points, or on the metric's own scale."""
    own = spec is not None and spec.unit != POINTS
    scaled = value * spec.reach if spec is not None and own else value * 100
    digits = 2 if own else 1
    # A difference that rounds to nothing has no sign.
    rounded = round(scaled, digits) + 0.0
    return f"{rounded:+.{digits}f}" if signed and rounded else f"{abs(rounded):.{digits}f}"


def amount(value: float, spec: MetricSpec | None = None) -> str:
    """A size with its unit and no sign: `3.0 points`."""
    return f"{points(value, spec, signed=False)} {spec.unit if spec else POINTS}"


def difference_text(comparison: Comparison, spec: MetricSpec | None = None) -> str:
    """The difference with its interval: `-2.0 points [-3.0, -1.0]`."""
    return change_text(comparison.difference, comparison.ci, spec)


def change_text(difference: float | None, ci: tuple[float, float] | None, spec: MetricSpec | None = None) -> str:
    """A difference in score units with its interval: `-2.0 points [-3.0, -1.0]`."""
    if difference is None:
        return "no difference measured"
    text = f"{points(difference, spec)} {spec.unit if spec else POINTS}"
    if ci is None:
        return text
    low, high = (points(bound, spec) for bound in ci)
    return f"{text} [{low}, {high}]"


def p_text(value: float | None) -> str:
    """A p-value: `p = 0.0011`, `p < 0.0001`."""
    if value is None:
        return "p unknown"
    return "p < 0.0001" if value < 0.0001 else f"p = {value:.4f}"


def percent(share: float, *, beside: float | None = None) -> str:
    """A share with one decimal, or with three where one would round it to all, to none, or to the share beside it."""
    text = f"{share:.1%}"
    hidden = text in ("100.0%", "0.0%") and share not in (0.0, 1.0)
    merged = beside is not None and beside != share and text == f"{beside:.1%}"
    return f"{share:.3%}" if hidden or merged else text


def level_text(mean: float, spec: MetricSpec | None = None, *, beside: float | None = None) -> str:
    """The level of a metric: in percent, or of a pairwise one as a preference from -1 to 1 (`-0.15`)."""
    if spec is None or not spec.pairwise:
        return percent(mean, beside=beside)
    return f"{round(2 * mean - 1, 2) + 0.0:.2f}"


def names(items: Sequence[str], limit: int = _NAMED) -> str:
    """Names in a row, the rest counted: `a, b and 3 more`."""
    shown = ", ".join(items[:limit])
    return f"{shown} and {len(items) - limit} more" if len(items) > limit else shown


def quoted(items: Sequence[str], limit: int = _NAMED) -> str:
    """As `names`, each in backticks."""
    return names([f"`{item}`" for item in items], limit)


def cases(number: int) -> str:
    """A number of cases: `1 case`, `40 cases`."""
    return "1 case" if number == 1 else f"{number:,} cases"


def comparison_sentence(comparison: Comparison, spec: MetricSpec | None = None) -> str:
    """What one comparison shows, how much and how sure."""
    c = comparison
    candidate, baseline = f"`{c.candidate}`", f"`{c.baseline}`"
    change = difference_text(c, spec)
    margin = amount(c.margin, spec) if c.margin is not None else ""
    if c.verdict is Verdict.REGRESSED:
        return f"{candidate} is worse than {baseline} on {c.metric}: {change}, {_worse_p(c)}; {movement(c, spec)}."
    if c.verdict is Verdict.WORSE_WITHIN_MARGIN:
        within = f"by no more than the margin of {margin}"
        shown = f"{change}, {_worse_p(c)}; {movement(c, spec)}"
        return f"{candidate} is worse than {baseline} on {c.metric}, {within}: {shown}."
    if c.verdict is Verdict.IMPROVED:
        return (
            f"{candidate} is better than {baseline} on {c.metric}: {change}, "
            f"one-sided {p_text(c.p_better)}; {movement(c, spec)}."
        )
    if c.verdict is Verdict.NO_WORSE:
        return (
            f"{candidate} is no worse than {baseline} on {c.metric} by a margin of {margin}: "
            f"{change}, one-sided {p_text(c.p_no_worse)}."
        )
    if c.verdict is Verdict.INCONCLUSIVE:
        seen = f"{change} over {cases(c.n)}"
        return f"{candidate} against {baseline} on {c.metric} is inconclusive: {seen}; {resolution(c)}."
    if c.n == 0:
        unscored = f"no case was scored on both sides ({cases(c.unmeasured)} unmeasured)"
        return f"{candidate} was not compared with {baseline} on {c.metric}: {unscored}."
    few = f"{cases(c.n)} are too few, or share too few clusters, for any outcome to show something"
    return f"{c.metric} could never tell {candidate} from {baseline}: {few}."


def movement(comparison: Comparison, spec: MetricSpec | None = None) -> str:
    """How many cases changed sides: `40 cases newly fail, 14 newly pass`.

    Of graded and repeated metrics they are not what the difference is made of, and the words say so; what a case of
    several answers counts as is said where there are several. Of a pairwise metric they are cases lost and won.
    """
    failing, passing = len(comparison.newly_failing), len(comparison.newly_passing)
    if spec is not None and spec.pairwise:
        tied = comparison.n - failing - passing
        return f"of {cases(comparison.n)} it loses {failing:,}, wins {passing:,} and ties {tied:,}"
    if spec is not None and not spec.has_pass_mark:
        return f"{cases(failing)} {'is' if failing == 1 else 'are'} worse, {passing:,} better"
    verb = "fails" if failing == 1 else "fail"
    moved = f"{cases(failing)} newly {verb}, {passing:,} newly {'passes' if passing == 1 else 'pass'}"
    if comparison.method in LABEL_METHODS:
        return f"by the judge's verdicts {moved}, the difference is by people's labels"
    if comparison.table is not None:
        return moved
    most = "a case passes where most of its answers do; " if comparison.variance is not None else ""
    return f"{moved} ({most}the difference counts smaller changes too)"


def resolution(comparison: Comparison) -> str:
    """What it would take to settle an inconclusive comparison."""
    if comparison.stopped_early:
        return "asking ended before this was settled"
    if comparison.capped:
        return "its judge's verdict does not count until people's labels show how it errs (`snapdrift calibrate`)"
    repeats = comparison.repeats_to_resolve
    if repeats is not None:
        return f"about {repeats:,} answers to each case would settle it about these cases, if it stays as seen"
    total = comparison.cases_to_resolve
    if total is None and comparison.method in LABEL_METHODS:
        return "more labelled pairs would tell more"
    if total is None:
        return "a difference so near the boundary cannot be resolved at a size like this"
    return f"about {cases(total)} in all ({total - comparison.n:,} more) would settle it if it stays as seen"


def stop_sentence(why: str) -> str:
    """Why asking ended early, as a sentence: the words of a host, or of the program, as a run keeps them."""
    return f"{why[:1].upper()}{why[1:]}{'' if why.endswith(('.', '!', '?')) else '.'}"


def alias_sentence(move: AliasMove) -> str:
    """How a variant's or a judge's model moved."""
    who = f"The judge of `{move.judge}`" if move.judge else f"`{move.variant}`"
    if len(move.now) > 1:
        return f"{who} ({move.requested}) answered as more than one model within the run: {names(move.now)}."
    return f"{who} ({move.requested}) answered as {names(move.now)}; before, as {names(move.before)}."


def headline(evaluation: Evaluation, specs: Mapping[str, MetricSpec] = NO_SPECS) -> str:
    """The report's first sentence: who, against whom, on what, how much, how sure. `specs` say how metrics read."""
    decision = evaluation.decision
    if decision.word is not DecisionWord.PASSED:
        return decision.reasons[0] if decision.reasons else f"The gate `{evaluation.gate.name}` was not passed."
    gating = [comparison for comparison in evaluation.comparisons if comparison.gating]
    if not gating:
        return f"Everything that the gate `{evaluation.gate.name}` asks for holds."
    against = f"{_sides(gating)} on {names(list(dict.fromkeys(c.metric for c in gating)))}"
    if evaluation.gate.policy is Policy.PROVE or all(_shown_no_worse(c) for c in gating):
        return f"Shown to be no worse than the margin allows: {against}."
    return f"No regression shown: {against}{_blind(evaluation, specs)}."


def for_the_worse(spec: MetricSpec | None) -> str:
    """What a change for the worse is called: a `drop`, or a `rise` of what less is better of."""
    return "drop" if spec is None or spec.higher_is_better else "rise"


def would_miss_text(metric: str, drop: float, spec: MetricSpec | None = None) -> str:
    """What a pass would not have seen: `drops under 6.0 points on queue`."""
    return f"{for_the_worse(spec)}s under {amount(drop, spec)} on {metric}"


def sight_sentence(comparison: Comparison, observed: float, assumed: float, spec: MetricSpec | None = None) -> str:
    """What a comparison sees where results differ more than was assumed."""
    c, share, usual = comparison, percent(observed, beside=assumed), percent(assumed, beside=observed)
    differ = f"{share} of results differ" if c.table is not None else f"results differ as if {share} had changed sides"
    seen = (
        f"no {for_the_worse(spec)} of any size would have been seen"
        if c.detectable_difference is None
        else f"{would_miss_text(c.metric, c.detectable_difference, spec)} would not have been seen"
    )
    return f"`{c.candidate}` against `{c.baseline}` on {c.metric}: {differ}, more than the {usual} assumed; {seen}."


def _worse_p(c: Comparison) -> str:
    return f"Holm-adjusted {p_text(c.p_adjusted)}" if c.gating else f"one-sided {p_text(c.p_value)}"


def _shown_no_worse(c: Comparison) -> bool:
    return c.verdict in (Verdict.NO_WORSE, Verdict.IMPROVED, Verdict.WORSE_WITHIN_MARGIN)


def _sides(comparisons: Sequence[Comparison]) -> str:
    candidates = quoted(list(dict.fromkeys(c.candidate for c in comparisons)))
    return f"{candidates} against {quoted(list(dict.fromkeys(c.baseline for c in comparisons)))}"


def _blind(evaluation: Evaluation, specs: Mapping[str, MetricSpec]) -> str:
    """What a pass would not have seen: the largest of each unit, for points and preferences hide each other."""
    of_units: dict[str, list[str]] = {}
    for metric in evaluation.decision.would_miss:
        spec = specs.get(metric)
        of_units.setdefault(spec.unit if spec else POINTS, []).append(metric)
    told = [_blind_of(evaluation, metrics, specs) for metrics in of_units.values()]
    return f"; it would not have seen {', nor '.join(told)}" if told else ""


def _blind_of(evaluation: Evaluation, metrics: Sequence[str], specs: Mapping[str, MetricSpec]) -> str:
    missed = evaluation.decision.would_miss
    # Metrics that read the same are blind to the same: one of them alone would hide the others.
    largest = max(metrics, key=lambda metric: missed[metric])
    shown = amount(missed[largest], specs.get(largest))
    tied = [metric for metric in metrics if amount(missed[metric], specs.get(metric)) == shown]
    named = next((metric for metric in tied if for_the_worse(specs.get(metric)) == "drop"), largest)
    return would_miss_text(names(tied), missed[largest], specs.get(named)) + _differing(evaluation, tied)


def _differing(evaluation: Evaluation, metrics: Sequence[str]) -> str:
    """The share of results that differ, where that is more than was assumed and so decided what could be seen."""
    assumed = evaluation.gate.discordance
    found = [c.table for c in evaluation.comparisons if c.gating and c.metric in metrics and c.table is not None]
    shares = [(table.only_baseline + table.only_candidate) / _total(table) for table in found if _total(table)]
    largest = max(shares, default=0.0)
    return f" ({percent(largest)} of results differ, {percent(assumed)} were assumed)" if largest > assumed else ""


def _total(table: PairTable) -> int:
    return table.both_pass + table.only_baseline + table.only_candidate + table.both_fail
