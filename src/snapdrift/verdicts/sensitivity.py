"""What a gate can see with the cases it has: asked before anything is sent, so that no money buys a foregone answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from snapdrift.conclusions import Sufficiency
from snapdrift.model import Case, Gate, MetricSpec, Policy, ScoreKind, Severity, Target
from snapdrift.stats.paired import MIN_CLUSTERS, ClusterSums, cluster_sums
from snapdrift.stats.power import (
    agreement_p_value,
    cases_for_drop,
    cases_for_no_worse,
    cases_of_agreement,
    detectable_difference,
    sees_drop,
)
from snapdrift.verdicts import words
from snapdrift.verdicts.comparing import metric_entries


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
) -> tuple[Sufficiency, ...]:
    """For each gating metric and pair, whether the gate's policy can ever tell, and what it would take.

    `catch` needs a drop of `max_blind` seen with 80% power by the exact McNemar test at plain alpha, at the assumed
    discordance; `prove` needs complete agreement to show "no worse than the margin". Graded and repeated metrics have
    the same bound on power: repeats do not lower the number of cases. Cases that share clusters count as their
    effective number of clusters, and fewer than five clusters never tell. About these cases every answer is a draw of
    its own: there cases count as often as they are asked, and clusters do not matter.
    """
    specs = {spec.name: spec for spec in metrics}
    every = frozenset(case.id for case in cases)
    found = []
    for name, entry in metric_entries(gate, list(specs)).items():
        pairs = [pair for pair in gate.pairs if pair.severity is Severity.FAIL]
        if not entry.gates or entry.margin is None or not pairs:
            continue
        covered = [case for case in cases if case.id in applicable.get(name, every)]
        single = repeats == 1 and _binary(specs[name], entry.on)
        about_these = gate.target is Target.THESE_CASES
        reach = (
            _reach_of_these(gate, entry.margin, len(covered), repeats)
            if about_these
            else _reach(gate, entry.margin, covered, single=single)
        )
        enough = reach.catches if gate.policy is Policy.CATCH else reach.proves
        for pair in pairs:
            head = f"{name}, `{pair.candidate}` against `{pair.baseline}`"
            detail = f"{head}: {_detail(gate, entry.margin, reach, enough=enough)}"
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


def _reach(gate: Gate, margin: float, cases: Sequence[Case], *, single: bool) -> _Reach:
    alpha, n = round(gate.alpha, 12), len(cases)
    catch_n = cases_for_drop(gate.max_blind, gate.discordance, alpha)
    agreement_n = cases_of_agreement(margin, alpha)
    if n == 0 or not _clustered(cases):
        prove_n = cases_for_no_worse(margin, alpha) if single else agreement_n
        catches = sees_drop(n, gate.max_blind, gate.discordance, alpha)
        detectable = detectable_difference(n, gate.discordance, alpha)
        return _Reach(n, n, None, detectable, catch_n, prove_n, catches, prove_n is not None and n >= prove_n)
    sums = _cluster_sizes(cases)
    independent, enough = math.floor(sums.effective + 1e-9), sums.sizes.size >= MIN_CLUSTERS
    return _Reach(
        cases=n,
        independent=independent,
        clusters=sums.sizes.size,
        detectable=detectable_difference(independent, gate.discordance, alpha) if enough else None,
        # As many cases as make up so many effective clusters of the shape that these have.
        cases_for_catch=None if catch_n is None else math.ceil(catch_n * n / sums.effective - 1e-9),
        cases_for_prove=None if agreement_n is None else math.ceil(agreement_n * float(sums.sizes.max())),
        catches=enough and sees_drop(independent, gate.max_blind, gate.discordance, alpha),
        proves=enough and agreement_p_value(margin, sums.sizes) <= gate.alpha,
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


def _detail(gate: Gate, margin: float, reach: _Reach, *, enough: bool) -> str:
    gated = f"{words.cases(reach.cases)} gate{'s' if reach.cases == 1 else ''} it"
    if reach.clusters is not None:
        gated += f", in {reach.clusters} clusters that are worth {words.cases(reach.independent)}"
    if reach.answers > 1:
        gated += f", each by {reach.answers} answers a side"
    assumed = f"with 80% power if {words.percent(gate.discordance)} of results differ"
    seen = (
        "no drop of any size is sure enough to be seen"
        if reach.detectable is None
        else f"drops from {words.amount(reach.detectable)} are seen {assumed}"
    )
    catch = f"`max_blind: {gate.max_blind:g}` takes {_needed(reach.cases_for_catch)}"
    prove = f"`prove` at a margin of {words.amount(margin)} takes {_needed(reach.cases_for_prove)} without a difference"
    text = f"{gated}; {seen}. {catch}; {prove}."
    return text if enough else f"{text} {_mend(gate, reach)}"


def _needed(cases: int | None) -> str:
    return "more than ten million cases" if cases is None else words.cases(cases)


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
