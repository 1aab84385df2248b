"""What a gate can see with the cases it has: asked before anything is sent, so that no money buys a foregone answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from snapdrift.conclusions import Sufficiency
from snapdrift.model import Case, Gate, MetricSpec, Policy, ScoreKind, Severity, Target
from snapdrift.stats.betting_power import betting_cases_for_drop, betting_detectable, betting_power, betting_sees
from snapdrift.stats.paired import MIN_CLUSTERS, ClusterSums, cluster_sums
from snapdrift.stats.power import (
    agreement_p_value,
    cases_for_drop,
    cases_for_no_worse,
    cases_of_agreement,
    detectable_difference,
    mcnemar_power,
    sees_drop,
)
from snapdrift.stats.sequential import StoppingRule
from snapdrift.verdicts import words
from snapdrift.verdicts.measured_entries import metric_entries

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Sight:
    """What decides at the end: a fixed test at `alpha`, or (`betting`) wealth, which may be looked at without end."""

    alpha: float
    betting: bool

    @classmethod
    def of(cls, gate: Gate, rule: StoppingRule | None) -> _Sight:
        """The whole alpha of a fixed number of cases, or the part that a rule leaves for its end."""
        betting = rule is not None and rule.share == 1
        return cls(round(gate.alpha if rule is None or betting else rule.fixed_alpha, 12), betting)

    def sees(self, n: int, drop: float, discordance: float) -> bool:
        return (betting_sees if self.betting else sees_drop)(n, drop, discordance, self.alpha)

    def detectable(self, n: int, discordance: float) -> float | None:
        return (betting_detectable if self.betting else detectable_difference)(n, discordance, self.alpha)

    def cases_for(self, drop: float, discordance: float) -> int | None:
        return (betting_cases_for_drop if self.betting else cases_for_drop)(drop, discordance, self.alpha)


@dataclass(frozen=True, slots=True)
class _Reach:
    """What the cases of one metric can show. `independent` is their effective number where they share clusters.

    `answers` is how often each is asked on a side where that counts (about these cases), else 1.
    """

    cases: int
    independent: int
    clusters: int | None
    detectable: float | None
    cases_for_catch: int | None
    cases_for_prove: int | None
    catches: bool
    proves: bool
    answers: int = 1


def sufficiency(
    gate: Gate,
    metrics: Sequence[MetricSpec],
    cases: Sequence[Case],
    applicable: Mapping[str, frozenset[str]],
    repeats: int,
    rule: StoppingRule | None = None,
) -> tuple[Sufficiency, ...]:
    """For each gating metric and pair, whether the gate's policy can ever tell, and what it would take.

    `catch` needs a drop of `max_blind` seen with 80% power by the exact McNemar test at plain alpha, at the assumed
    discordance; `prove` needs complete agreement to show "no worse than the margin". Graded and repeated metrics have
    the same bound on power: repeats do not lower the number of cases. Cases that share clusters count as their
    effective number of clusters, and fewer than five clusters never tell. About these cases every answer is a draw of
    its own: there cases count as often as they are asked, and clusters do not matter. With a `rule` the run is looked
    at while it grows: what counts is the fixed test at the part of alpha that is left for it, or betting where there is
    no such test; `cases` are then all that can be asked.
    """
    specs = {spec.name: spec for spec in metrics}
    every = frozenset(case.id for case in cases)
    found = []
    for name, entry in metric_entries(gate, list(specs)).items():
        pairs = [pair for pair in gate.pairs if pair.severity is Severity.FAIL]
        if not entry.gates or entry.margin is None or not pairs:
            continue
        # Of a case only its cluster counts: what a large dataset asks need not be in memory for that.
        covered = [
            Case(case.id, _NOTHING, cluster=case.cluster) for case in cases if case.id in applicable.get(name, every)
        ]
        single = repeats == 1 and (specs[name].pairwise or _binary(specs[name], entry.on))
        sight = _Sight.of(gate, rule)
        reach = (
            _reach_of_these(gate, entry.margin, len(covered), repeats)
            if gate.target is Target.THESE_CASES
            else _reach(gate, entry.margin, covered, sight, single=single and not sight.betting)
        )
        enough = reach.catches if gate.policy is Policy.CATCH else reach.proves
        for pair in pairs:
            head = f"{name}, `{pair.candidate}` against `{pair.baseline}`"
            detail = f"{head}: {_detail(gate, (entry.margin, specs[name]), reach, rule, enough=enough)}"
            found.append(
                Sufficiency(
                    metric=name,
                    baseline=pair.baseline,
                    candidate=pair.candidate,
                    cases=reach.cases,
                    detectable=reach.detectable,
                    cases_for_catch=reach.cases_for_catch,
                    cases_for_prove=reach.cases_for_prove,
                    enough=enough,
                    detail=detail,
                )
            )
    return tuple(found)


def _binary(spec: MetricSpec, on: str | None) -> bool:
    return spec.kind is ScoreKind.PASS_FAIL if on is None else on == "passed"


def _reach(gate: Gate, margin: float, cases: Sequence[Case], sight: _Sight, *, single: bool) -> _Reach:
    alpha, n = sight.alpha, len(cases)
    catch_n = sight.cases_for(gate.max_blind, gate.discordance)
    agreement_n = cases_of_agreement(margin, alpha)
    if n == 0 or not _clustered(cases):
        prove_n = cases_for_no_worse(margin, alpha) if single else agreement_n
        catches = sight.sees(n, gate.max_blind, gate.discordance)
        detectable = sight.detectable(n, gate.discordance)
        return _Reach(n, n, None, detectable, catch_n, prove_n, catches, prove_n is not None and n >= prove_n)
    sums = _cluster_sizes(cases)
    independent, enough = math.floor(sums.effective + 1e-9), sums.sizes.size >= MIN_CLUSTERS
    return _Reach(
        cases=n,
        independent=independent,
        clusters=sums.sizes.size,
        detectable=sight.detectable(independent, gate.discordance) if enough else None,
        # As many cases as make up so many effective clusters of the shape that these have.
        cases_for_catch=None if catch_n is None else math.ceil(catch_n * n / sums.effective - 1e-9),
        cases_for_prove=None if agreement_n is None else math.ceil(agreement_n * float(sums.sizes.max())),
        catches=enough and sight.sees(independent, gate.max_blind, gate.discordance),
        proves=enough and agreement_p_value(margin, sums.sizes) <= alpha + 1e-12,
    )


def _reach_of_these(gate: Gate, margin: float, cases: int, repeats: int) -> _Reach:
    """About these cases, where each pair of answers is one more that could differ."""
    alpha, answers = round(gate.alpha, 12), cases * repeats
    catch_n = cases_for_drop(gate.max_blind, gate.discordance, alpha)
    agreement_n = cases_of_agreement(margin, alpha)
    return _Reach(
        cases=cases,
        independent=answers,
        clusters=None,
        detectable=detectable_difference(answers, gate.discordance, alpha),
        cases_for_catch=None if catch_n is None else math.ceil(catch_n / repeats),
        cases_for_prove=None if agreement_n is None else math.ceil(agreement_n / repeats),
        catches=sees_drop(answers, gate.max_blind, gate.discordance, alpha),
        proves=agreement_n is not None and answers >= agreement_n,
        answers=repeats,
    )


def _clustered(cases: Sequence[Case]) -> bool:
    named = [case.cluster for case in cases if case.cluster is not None]
    return len(set(named)) < len(named)


def _cluster_sizes(cases: Sequence[Case]) -> ClusterSums:
    labels = [("case", case.id) if case.cluster is None else ("cluster", case.cluster) for case in cases]
    return cluster_sums(np.zeros(len(cases)), labels)


def _detail(
    gate: Gate, asked: tuple[float, MetricSpec], reach: _Reach, rule: StoppingRule | None, *, enough: bool
) -> str:
    margin, spec = asked
    gated = f"{words.cases(reach.cases)} gate{'s' if reach.cases == 1 else ''} it"
    if rule is not None:
        gated += " at most, by betting" if rule.share == 1 else " unless it is settled before"
    if reach.clusters is not None:
        gated += f", in {reach.clusters} clusters that are worth {words.cases(reach.independent)}"
    if reach.answers > 1:
        gated += f", each by {reach.answers} answers a side"
    assumed = f"with 80% power if {words.percent(gate.discordance)} of results differ"
    seen = (
        f"no {words.for_the_worse(spec)} of any size is sure enough to be seen"
        if reach.detectable is None
        else f"{words.for_the_worse(spec)}s from {words.amount(reach.detectable, spec)} are seen {assumed}"
    )
    catch = f"`max_blind: {gate.max_blind:g}` takes {_needed(reach.cases_for_catch, rule)}"
    proof = _needed(reach.cases_for_prove, rule)
    prove = f"`prove` at a margin of {words.amount(margin, spec)} takes {proof} without a difference"
    text = f"{gated}; {seen}. {catch}; {prove}."
    return text if enough else f"{text} {_mend(gate, reach)}"


def _needed(cases: int | None, rule: StoppingRule | None) -> str:
    if cases is not None:
        return words.cases(cases)
    return "more than ten million cases" if rule is None or rule.share < 1 else "more cases than can be reckoned with"


def _chance(share: float) -> str:
    """A power with one decimal, never rounded up to certainty."""
    return "over 99.9%" if share > 0.9995 else f"{share:.1%}"


def topping_up_power(gate: Gate, alpha: float, sample: int, dataset: int) -> str:
    """What it costs in power that a gate may be topped up: betting against one fixed test, at both sizes.

    For a drop of `max_blind` at the assumed discordance; exact for single passes and fails.
    """
    discordance = max(gate.discordance, gate.max_blind)

    def powers(n: int) -> str:
        fixed = mcnemar_power(n, discordance, -gate.max_blind, alpha)
        bet = betting_power(n, discordance, -gate.max_blind, alpha)
        return f"{_chance(bet)} instead of {_chance(fixed)} at {words.cases(n)}"

    return (
        f"topping up takes betting, which sees a drop of {words.amount(gate.max_blind)} with a power of "
        f"{powers(sample)} (the sample) and {powers(dataset)} (the whole dataset), "
        f"if {words.percent(discordance)} of results differ"
    )


def _mend(gate: Gate, reach: _Reach) -> str:
    if reach.clusters is not None and reach.clusters < MIN_CLUSTERS:
        return f"Fewer than {MIN_CLUSTERS} clusters can never tell: add cases from other clusters."
    where = "" if reach.clusters is None else " in further clusters"
    where += " or ask each more often" if reach.answers > 1 else ""
    if gate.policy is Policy.PROVE:
        return f"{_add(reach.cases_for_prove, reach.cases)}{where}, widen the margin, or use `policy: catch`."
    honest = (
        ""
        if reach.detectable is None
        else f", or say honestly `max_blind: {math.ceil(reach.detectable * 100 - 1e-6) / 100:.2f}`"
    )
    return f"{_add(reach.cases_for_catch, reach.cases)}{where}{honest}."


def _add(needed: int | None, cases: int) -> str:
    return "Add cases" if needed is None else f"Add {words.cases(max(1, needed - cases))}"
