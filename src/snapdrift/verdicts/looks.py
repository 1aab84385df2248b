"""Comparisons that were looked at while they grew: which units they rest on, and what may be said of them.

A run of a fixed number of cases has no `Looks`. Where there is one, a comparison is made of the units that were fed, in
the drawn order, and its p-values are those of the wealth won by betting on them; where all planned units were asked
(and their number was fixed) the ordinary tests have their share too. `docs/design/early_stopping.md` has the rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from snapdrift.conclusions import Sequential
from snapdrift.model import CallKey, Case, Gate, MustPass, OnInconclusive, Results, Score, Scores, canonical_json
from snapdrift.stats.betting import betting_interval
from snapdrift.stats.betting_power import betting_detectable
from snapdrift.stats.case_order import Unit
from snapdrift.stats.paired import SidedP
from snapdrift.stats.power import detectable_difference
from snapdrift.stats.sequential import (
    LOOK_EVERY,
    ComparisonWealth,
    SequentialState,
    StoppingRule,
    advance,
    resolved,
)
from snapdrift.verdicts.evidence import Evidence, PairedValues, Question, weigh
from snapdrift.verdicts.planned import PlannedComparison
from snapdrift.verdicts.score_tables import BoolArray, FloatArray, Imputation, MetricScores, ScoreTables

OPEN_ENDED = "betting_open_ended"
"""The method of comparisons of a run whose number of units is open."""
_WIDEST_MARGIN = 1 - 1e-9


def stopping_rule(gate: Gate, *, early_stop: bool) -> StoppingRule | None:
    """How a gate divides its alpha where its run is looked at while it grows; None for a fixed number of cases."""
    alpha = round(gate.alpha, 12)
    if gate.inconclusive is OnInconclusive.EXTEND:
        return StoppingRule.open_ended(alpha)
    return StoppingRule(alpha) if early_stop else None


@dataclass(frozen=True, slots=True)
class Looks:
    """How far a run went that was looked at while it grew.

    `order` has the units that were planned, in drawn order, and the first `fed` of them were looked at; `planned` is
    how many could have been asked at most, `sample` how many of them from the start (None: all). `stopped` says that
    a look ended the asking. The calls `passed_over` had no value when their unit was fed, whatever came of them later
    (a judge's call stands for its metrics); `spent` is why topping up ended with nothing settled.
    """

    rule: StoppingRule
    order: tuple[Unit, ...]
    fed: int
    planned: int
    sample: int | None = None
    stopped: bool = False
    passed_over: frozenset[CallKey] = frozenset()
    spent: str = ""

    @property
    def open_ended(self) -> bool:
        """Whether the number of units was open, so that there is no fixed test."""
        return self.rule.share == 1

    @property
    def complete(self) -> bool:
        """Whether all units of a number fixed in advance were fed, so that the fixed test is there."""
        return not self.open_ended and self.fed == self.planned

    @property
    def first(self) -> int:
        """How many units were planned from the start."""
        return self.planned if self.sample is None else self.sample

    @property
    def end(self) -> int:
        """How many units are needed: those before the stop; of a run that may be topped up the sample and those fed."""
        if self.stopped:
            return self.fed
        return max(self.fed, self.first) if self.open_ended else len(self.order)

    @property
    def resolving_alpha(self) -> float:
        """The level of a fixed test that needs about as many cases as this rule does to settle a comparison.

        Betting needs about as many as a fixed test at a fifth of its alpha (145 for 10 points at a discordance of 0.15,
        where 147 are reckoned).
        """
        return self.rule.alpha / 5 if self.open_ended else self.rule.fixed_alpha

    def shown(self, tables: ScoreTables, imputation: Imputation | None = None) -> ScoreTables:
        """What comparisons are made of: the scores of the units fed, without what was passed over.

        To see what could change a decision (`imputation`), what was answered after it was passed over counts as well.
        """
        if self.complete:
            return tables
        unfed = _marked(tables, self.order[self.fed :])
        metrics = {}
        for name, scores in tables.metrics.items():
            hidden = self._passed_over(scores, tables, imputation)
            hidden |= unfed[None, :, None]
            metrics[name] = replace(scores.hiding(hidden), planned=scores.planned & ~unfed[None, :, None])
        return replace(tables, metrics=metrics)

    def fed_scores(self, results: Results) -> Results:
        """The results with the scores of `shown` only."""
        if self.complete:
            return results
        fed = {case for unit in self.order[: self.fed] for case in unit}
        graders = {spec.name: spec.grader for spec in results.metrics}
        lost = {CallKey(key.case_id, key.variant, key.repeat, key.judge) for key in self.passed_over}

        def counts(score: Score) -> bool:
            keys = (CallKey(score.case_id, score.variant, score.repeat, by) for by in ("", graders[score.metric]))
            return score.case_id in fed and lost.isdisjoint(keys)

        return replace(results, scores=FilteredScores(results, counts))

    def needed(self, tables: ScoreTables, cases: Sequence[Case], must_pass: MustPass) -> ScoreTables:
        """The tables without the unmeasured calls that nothing needs: beyond `end`, of cases that need not pass."""
        kept = self.kept(cases, must_pass)
        spared = [tuple(case for case in unit if case not in kept) for unit in self.order[self.end :]]
        idle = _marked(tables, spared)[None, :, None]
        metrics = {
            name: replace(scores, planned=scores.planned & ~(idle & np.isnan(scores.compared)))
            for name, scores in tables.metrics.items()
        }
        return replace(tables, metrics=metrics, planned=tables.planned & ~(idle & ~tables.measured))

    def kept(self, cases: Sequence[Case], must_pass: MustPass) -> frozenset[str]:
        """The cases that are asked whatever the looks say: those that must pass, of what was planned from the start."""
        first = {case for unit in self.order[: self.first] for case in unit}
        return frozenset(case.id for case in cases if must_pass.covers(case) and case.id in first)

    def values(
        self, planned: PlannedComparison, tables: ScoreTables, imputation: Imputation | None = None
    ) -> FloatArray:
        """The difference of each unit fed, turned so that below 0 is worse; NaN where it has none."""
        scores = tables.metrics[planned.metric]
        hidden = self._passed_over(scores, tables, imputation)
        return _unit_values(planned, tables, self.order[: self.fed], hidden, imputation)

    def settled(self, planned: Sequence[PlannedComparison], tables: ScoreTables) -> bool:
        """Whether the scores as they are settle the gate by betting alone."""
        gating = [one for one in planned if one.gating]
        wealth = {name_of(one): _wealth(self.values(one, tables), one.margin) for one in gating}
        return resolved(SequentialState("", 0, self.fed, wealth), self.rule, wealth.keys())

    def summary(self, planned: Sequence[PlannedComparison], tables: ScoreTables) -> Sequential:
        """How it went, as a record."""
        return Sequential(
            open_ended=self.open_ended,
            fed=self.fed,
            planned=self.planned,
            sample=self.first,
            unit_size=max(map(len, self.order), default=1),
            stopped=self.stopped,
            resolved=self.settled(planned, tables),
            passed_over=len(self.passed_over),
            spent=self.spent,
        )

    def late(self, tables: ScoreTables) -> int:
        """How many calls were answered after their unit had been looked at without them."""
        places = {case: index for index, case in enumerate(tables.case_ids)}
        keys = {(key.case_id, key.variant, key.repeat) for key in self.passed_over if key.variant in tables.variants}
        return sum(
            bool(tables.measured[tables.variants[variant], places[case], tables.repeats.get(repeat, repeat)])
            for case, variant, repeat in keys
            if case in places
        )

    def _passed_over(self, scores: MetricScores, tables: ScoreTables, imputation: Imputation | None) -> BoolArray:
        """The calls that have no value for a metric: answers passed over, and those whose judge of the metric was."""
        hidden = np.zeros_like(scores.planned)
        places = {case: index for index, case in enumerate(tables.case_ids)} if self.passed_over else {}
        for key in self.passed_over if imputation is None else ():
            if key.judge in ("", scores.spec.grader) and key.case_id in places and key.variant in tables.variants:
                repeat = tables.repeats.get(key.repeat, key.repeat)
                hidden[tables.variants[key.variant], places[key.case_id], repeat] = True
        return hidden


class FilteredScores(Scores):
    """The scores among those of some results that count."""

    def __init__(self, results: Results, counts: Callable[[Score], bool]) -> None:
        self._results, self._counts = results, counts

    def __iter__(self) -> Iterator[Score]:
        return filter(self._counts, self._results.scores)

    def of(self, variant: str, metric: str | None = None) -> Iterator[Score]:
        """Those of a variant, or of one metric of it."""
        return filter(self._counts, self._results.scores_of(variant, metric))

    def with_facts(self) -> Iterator[Score]:
        """Those that have facts."""
        return filter(self._counts, self._results.scores_with_facts())


def name_of(planned: PlannedComparison) -> str:
    """What a stored state calls a comparison."""
    return canonical_json([planned.metric, planned.pair.baseline, planned.pair.candidate])


def margins_of(planned: Sequence[PlannedComparison]) -> dict[str, float | None]:
    """The gating comparisons by name with their margins: what a state is started with."""
    return {name_of(one): _inside(one.margin) for one in planned if one.gating}


def unit_differences(
    planned: Sequence[PlannedComparison], tables: ScoreTables, units: Sequence[Unit]
) -> list[dict[str, float | None]]:
    """What a state is fed for each unit: the difference of every gating comparison, None where it has none."""
    gating = [one for one in planned if one.gating]
    columns = {
        name_of(one): _unit_values(one, tables, units, np.zeros_like(tables.planned), None).tolist() for one in gating
    }
    return [{name: None if np.isnan(v[i]) else v[i] for name, v in columns.items()} for i in range(len(units))]


def walk(
    planned: Sequence[PlannedComparison],
    tables: ScoreTables,
    order: Sequence[Unit],
    rule: StoppingRule,
    *,
    sample: int | None = None,
    every: int = LOOK_EVERY,
) -> Looks:
    """What a run with these scores would have seen: units fed in `order` up to the first look that decides.

    With a `sample` the first look is at its end, as in a run that is topped up. `compare` takes the result.
    """
    units, margins = unit_differences(planned, tables, order), margins_of(planned)
    state = SequentialState.start("", 0, margins).fed(units[: sample or 0])
    stopped = bool(sample) and resolved(state, rule, margins)
    if not stopped:
        progress = advance(state, units[sample or 0 :], rule, margins, every)
        state, stopped = progress.state, progress.stopped
    stopped = stopped and state.units < len(units)
    return Looks(rule, tuple(order), state.units, len(units), sample=sample, stopped=stopped)


def weigh_looks(plain: Evidence, values: PairedValues, question: Question, looks: Looks, units: FloatArray) -> Evidence:
    """The evidence of one comparison that was looked at.

    `plain` is that of the `values` as of a fixed number of cases; `units` is what was fed of it (NaN: nothing).
    """
    if values.gains.size == 0:
        return plain
    if looks.complete:
        plain = weigh(values, replace(question, confidence=1 - looks.rule.fixed_alpha))
    wealth, rule = _wealth(units, question.margin), looks.rule
    fixed = plain if looks.complete and plain.p is not None else None
    worse = rule.p_value(wealth.worse, fixed.p.worse if fixed and fixed.p else None)
    better = rule.p_value(wealth.better, fixed.p.better if fixed and fixed.p else None)
    return replace(
        plain,
        method=OPEN_ENDED if looks.open_ended else "betting_hybrid",
        p=SidedP.of_tails(worse, better),
        p_mid=None,
        p_no_worse=None
        if wealth.no_worse is None
        else rule.p_value(wealth.no_worse, fixed.p_no_worse if fixed else None),
        ci=fixed.ci if fixed else _interval(units, values, question),
        ci_newcombe=fixed.ci_newcombe if fixed else None,
    )


def looks_detectable(values: PairedValues, gate: Gate, looks: Looks, units: FloatArray, margin: float | None) -> float:
    """The drop that a run looked at like this sees with 80% power, at the larger of assumed and observed discordance.

    That of the fixed part at the planned size, or of betting where there is none: over the units fed where topping up
    ended with nothing settled. Where a look ended the asking it is never under the margin, for a smaller drop may have
    been stopped as no worse than that. 1 where none is seen.
    """
    discordance, alpha = max(gate.discordance, round(values.discordance, 12)), round(looks.rule.alpha, 12)
    share = np.count_nonzero(~np.isnan(units)) / max(1, looks.fed)
    if looks.open_ended:
        seen = betting_detectable(round(share * (looks.planned if looks.stopped else looks.fed)), discordance, alpha)
    else:
        seen = detectable_difference(round(share * looks.planned), discordance, round(looks.rule.fixed_alpha, 12))
    drop = 1.0 if seen is None else seen
    return max(drop, margin or 0.0) if looks.stopped else drop


def _inside(margin: float | None) -> float | None:
    return None if margin is None else min(margin, _WIDEST_MARGIN)


def _wealth(units: FloatArray, margin: float | None) -> ComparisonWealth:
    return ComparisonWealth.start(_inside(margin)).after(units[~np.isnan(units)])


def _interval(units: FloatArray, values: PairedValues, question: Question) -> tuple[float, float] | None:
    fed = units[~np.isnan(units)]
    if fed.size == 0:
        return None
    found = betting_interval(fed, question.two_sided)
    return (found.low, found.high) if values.higher_is_better else (-found.high, -found.low)


def _marked(tables: ScoreTables, units: Sequence[Unit]) -> BoolArray:
    cases = {case for unit in units for case in unit}
    return np.array([case in cases for case in tables.case_ids], dtype=np.bool_)


def _unit_values(
    planned: PlannedComparison,
    tables: ScoreTables,
    units: Sequence[Unit],
    hidden: BoolArray,
    imputation: Imputation | None,
) -> FloatArray:
    """The mean difference over the cases of each unit that pair, of case means without the calls that are `hidden`."""
    scores = tables.metrics[planned.metric]
    seen = scores.hiding(hidden) if hidden.any() else scores
    seen = seen.between(tables.variants[planned.pair.baseline], tables.variants[planned.pair.candidate])
    sides = []
    for name, candidate in ((planned.pair.baseline, False), (planned.pair.candidate, True)):
        fill = None if imputation is None else scores.filled(imputation, candidate=candidate)
        sides.append(seen.case_means(tables.variants[name], fill))
    differences = np.round(sides[1] - sides[0], 12) + 0.0
    gains = differences if scores.spec.higher_is_better else -differences
    places = {case: index for index, case in enumerate(tables.case_ids)}
    of_units = gains[[places[case] for unit in units for case in unit]] if units else np.empty(0)
    owners = np.repeat(np.arange(len(units)), [len(unit) for unit in units])
    there = ~np.isnan(of_units)
    counts = np.bincount(owners, weights=there, minlength=len(units))
    sums = np.bincount(owners, weights=np.where(there, of_units, 0.0), minlength=len(units))
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
