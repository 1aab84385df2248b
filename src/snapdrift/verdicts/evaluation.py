"""From everything that was planned and measured to one decision: the steps in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from snapdrift.calibrations import JudgeCalibration
from snapdrift.conclusions import Comparison, Evaluation
from snapdrift.explanations import Explanation
from snapdrift.gradings import Gradings
from snapdrift.model import Gate, Pair, Results, Severity
from snapdrift.verdicts import words
from snapdrift.verdicts.acceptance_words import acceptance_notes
from snapdrift.verdicts.accepted_losses import (
    AcceptedLosses,
    accepted_losses,
    compared_scores,
    concerned,
    with_left_out,
)
from snapdrift.verdicts.accepting import leaving_out
from snapdrift.verdicts.answers import Tolerant
from snapdrift.verdicts.asides import sequential_notes, unsettled_stop
from snapdrift.verdicts.calibration import (
    JudgesWeighed,
    judge_doubts,
    sight_shortfalls,
    tally_reviews,
    weigh_judges,
    with_verdicts,
)
from snapdrift.verdicts.call_columns import call_columns
from snapdrift.verdicts.causes import broken_gain_sentences
from snapdrift.verdicts.comparing import Counted, PlannedComparison, compare, plan_comparisons
from snapdrift.verdicts.controls import find_controls
from snapdrift.verdicts.decision import Findings, Imputed, decide
from snapdrift.verdicts.doubts import grader_doubts, sight_doubts
from snapdrift.verdicts.evidence import ROUNDING, Question
from snapdrift.verdicts.explaining import explain
from snapdrift.verdicts.facts import RunFacts
from snapdrift.verdicts.gradings import summarise_gradings
from snapdrift.verdicts.ledger import build_ledger, find_alias_moves
from snapdrift.verdicts.limits import Floor, check_floors, check_must_pass, judged_variants
from snapdrift.verdicts.operations import measure_operations
from snapdrift.verdicts.orders import order_doubts
from snapdrift.verdicts.parity import find_parity
from snapdrift.verdicts.score_tables import Imputation, MetricScores, ScoreTables, as_compared, build_score_tables
from snapdrift.verdicts.summaries import summarise_metrics, summarise_variant

_HOW = {
    Imputation.AGAINST_CANDIDATE: "if all had gone against the candidate",
    Imputation.FOR_CANDIDATE: "if all had gone for the candidate",
}


def evaluate(results: Results, gate: Gate, facts: RunFacts, tolerant: Tolerant | None = None) -> Evaluation:
    """Compares, sums up, decides and explains. The same results, gate and facts always give the same evaluation.

    `tolerant` reads an answer again with more tolerance for its form; without it nothing is explained.
    Raises `UsageError` when the gate names a metric or variant that the run does not have.
    """
    results = replace(results, metrics=as_compared(results.metrics, gate))
    looks = facts.looks
    calls = call_columns(results)
    tables = build_score_tables(results, gate, calls)
    if looks is not None:
        tables = looks.needed(tables, results.cases, gate.must_pass)
    planned = plan_comparisons(results, gate, partial=facts.partial)
    pairs = _present_pairs(gate, tables)
    judged = judged_variants(gate, results)
    lost = accepted_losses(planned, tables, results, gate, facts)
    without = _without_accepted(planned, tables, lost, results, gate, facts)
    compared, counted, judges = without.compared, without.counted, without.judges
    comparisons, calibrations = without.comparisons, without.calibrations
    sequential = None if looks is None else looks.summary(planned, compared)
    explained = _explained(planned, comparisons, compared_scores(results, lost), compared, tolerant, facts)
    floors = check_floors(gate, judged, tables)
    operational = measure_operations(pairs, gate, list(tables.metrics), calls, results.cases, facts.seed)
    ledger = build_ledger(results, calls, facts)
    moves = find_alias_moves(ledger)
    gradings = summarise_gradings(results, gate, calls)
    findings = Findings(
        gate=gate,
        specs={spec.name: spec for spec in results.metrics},
        partial=facts.partial,
        stopped_early=facts.stopped_early or (None if sequential is None else unsettled_stop(sequential)),
        comparisons=comparisons,
        floors=floors,
        operational=operational,
        must_pass=check_must_pass(gate.must_pass, results.cases, judged, tables),
        alias_moves=moves,
        shortfalls=_shortfalls(gate, planned, floors, tables),
        unmeasured_calls=_unmeasured_calls(planned, floors, tables),
        late_calls=0 if looks is None else looks.late(tables),
        imputed=_impute(gate, planned, judged, tables, facts, judges, compared, counted),
        judge_doubts=judge_doubts(calibrations, comparisons) + sight_shortfalls(calibrations, comparisons, gate),
        grader_doubts=grader_doubts(planned, tables) + _order_doubts(planned, gradings, gate),
        sight_doubts=sight_doubts(planned, comparisons, compared, gate),
        broken_gains=broken_gain_sentences(comparisons, explained, results.metrics),
        look_notes=() if sequential is None else sequential_notes(sequential),
        spending_notes=facts.spending_notes,
        acceptance_notes=tuple(acceptance_notes(comparisons, {spec.name: spec for spec in results.metrics})),
    )
    return Evaluation(
        gate=gate,
        variants=tuple(
            summarise_variant(variant, calls[variant.name], results, tables) for variant in results.variants
        ),
        metrics=summarise_metrics(tables, Question(gate.confidence, None, facts.seed).two_sided),
        comparisons=comparisons,
        operational=operational,
        alias_moves=moves,
        decision=decide(findings),
        ledger=ledger,
        parity=find_parity(results.variants, tables),
        controls=find_controls(results.variants, ledger, tables, gate, facts),
        attributions=explained,
        calibrations=calibrations,
        reviews=tally_reviews(facts.judging.labels, tables),
        sequential=sequential,
        acceptances=concerned(results, facts),
        gradings=gradings,
    )


@dataclass(frozen=True, slots=True)
class _Without:
    """The comparisons of what is left when accepted losses are left out, and what they were made of.

    `compared` are the tables without them; `counted` those with them, None where nothing is accepted.
    """

    compared: ScoreTables
    counted: Counted | None
    judges: JudgesWeighed
    comparisons: tuple[Comparison, ...]
    calibrations: tuple[JudgeCalibration, ...]


def _without_accepted(
    planned: Sequence[PlannedComparison],
    tables: ScoreTables,
    lost: AcceptedLosses,
    results: Results,
    gate: Gate,
    facts: RunFacts,
) -> _Without:
    compared, counted, looks = leaving_out(tables, lost.accepted), None, facts.looks
    if lost.accepted:
        counted = Counted(tables, weigh_judges(planned, tables, results, facts.judging, gate, facts.seed).judging)
    judges = weigh_judges(planned, compared, results, facts.judging, gate, facts.seed)
    comparisons = compare(planned, compared, gate, facts.seed, None, judges.judging, looks, counted)
    alone = comparisons
    if judges.changes:
        alone = compare(planned, compared, gate, facts.seed, looks=looks, counted=counted)
    calibrations = with_verdicts(judges.calibrations, comparisons, alone)
    if counted is not None:
        whole = compare(planned, tables, gate, facts.seed, None, counted.judging, looks)
        comparisons = with_left_out(comparisons, whole, tables, lost)
    return _Without(compared, counted, judges, comparisons, calibrations)


def _explained(
    planned: Sequence[PlannedComparison],
    comparisons: Sequence[Comparison],
    results: Results,
    tables: ScoreTables,
    tolerant: Tolerant | None,
    facts: RunFacts,
) -> tuple[Explanation, ...]:
    """Why comparisons moved, of the scores that they are made of: what was not fed explains nothing."""
    if tolerant is None:
        return ()
    if facts.looks is not None:
        results, tables = facts.looks.fed_scores(results), facts.looks.shown(tables)
    return explain(planned, comparisons, results, tables, tolerant, facts.seed)


def _order_doubts(planned: Sequence[PlannedComparison], gradings: Gradings, gate: Gate) -> tuple[str, ...]:
    gating = frozenset(one.comparison for one in planned if one.gating)
    return order_doubts(gradings.orders, gating, round(gate.alpha, 12))


def _present_pairs(gate: Gate, tables: ScoreTables) -> tuple[Pair, ...]:
    return tuple(p for p in gate.pairs if p.baseline in tables.variants and p.candidate in tables.variants)


def _shortfalls(
    gate: Gate, planned: Sequence[PlannedComparison], floors: Sequence[Floor], tables: ScoreTables
) -> tuple[str, ...]:
    """Sentences about sides whose calls, or whose scores of a gating or floored metric, fall short of the coverage."""
    short = []
    for variant in _sides(gate, tables):
        share, index = tables.coverage(variant), tables.variants[variant]
        counted = f"({int(tables.measured[index].sum()):,} of {int(tables.planned[index].sum()):,})"
        if share < gate.coverage - ROUNDING:
            short.append(f"`{variant}` was measured on {_against(share, gate, f'of its planned calls {counted}')}")
    for metric, variant, baseline in _counted(planned, floors, tables):
        scores, index = _scores_of(metric, variant, baseline, tables), tables.variants[variant]
        planned_calls = int(scores.planned[index].sum())
        share = 1.0 - float(scores.unmeasured[index].sum()) / planned_calls if planned_calls else 0.0
        if share < gate.coverage - ROUNDING:
            against = f" against `{baseline}`" if baseline else ""
            calls = f"of the planned calls of `{variant}`{against} that it applies to"
            short.append(f"{metric} was scored on {_against(share, gate, calls)}")
    return tuple(short)


def _against(share: float, gate: Gate, calls: str) -> str:
    asked = words.percent(gate.coverage)
    return f"{words.percent(share, beside=gate.coverage)} {calls}; the gate asks for {asked}."


def _sides(gate: Gate, tables: ScoreTables) -> tuple[str, ...]:
    """The variants whose coverage counts: those of failing pairs, else of any pair, and those alone; else all."""
    pairs = _present_pairs(gate, tables)
    counted = [pair for pair in pairs if pair.severity is Severity.FAIL] or pairs
    sides = dict.fromkeys(side for pair in counted for side in _variants_of(pair))
    sides |= dict.fromkeys(one.candidate for one in gate.alone if one.candidate in tables.variants)
    return tuple(sides) or tuple(tables.variants)


def _variants_of(pair: Pair) -> tuple[str, str]:
    return pair.baseline, pair.candidate


def _counted(
    planned: Sequence[PlannedComparison], floors: Sequence[Floor], tables: ScoreTables
) -> dict[tuple[str, str, str], None]:
    """The metrics and variants whose unmeasured calls could change the decision.

    A preference is one of the candidate over a baseline, which is the third; empty where the variant stands for itself.
    """
    counted: dict[tuple[str, str, str], None] = {}
    for one in planned:
        if one.gating and tables.metrics[one.metric].spec.pairwise:
            counted[one.metric, one.pair.candidate, one.pair.baseline] = None
        elif one.gating:
            counted |= dict.fromkeys((one.metric, side, "") for side in _variants_of(one.pair))
    return counted | {(floor.metric, floor.variant, ""): None for floor in floors if floor.severity is Severity.FAIL}


def _scores_of(metric: str, variant: str, baseline: str, tables: ScoreTables) -> MetricScores:
    return tables.between(metric, baseline, variant) if baseline else tables.metrics[metric]


def _unmeasured_calls(planned: Sequence[PlannedComparison], floors: Sequence[Floor], tables: ScoreTables) -> int:
    """How many calls lack a score that the decision rests on."""
    lacking = np.zeros_like(tables.planned)
    for metric, variant, baseline in _counted(planned, floors, tables):
        index = tables.variants[variant]
        lacking[index] |= _scores_of(metric, variant, baseline, tables).unmeasured[index]
    return int(lacking.sum())


def _impute(
    gate: Gate,
    planned: Sequence[PlannedComparison],
    judged: Mapping[str, Severity],
    tables: ScoreTables,
    facts: RunFacts,
    judges: JudgesWeighed,
    compared: ScoreTables,
    counted: Counted | None,
) -> tuple[Imputed, ...]:
    """The comparisons and floors with unmeasured calls filled in, either way; nothing when all was measured.

    Accepted cases are `counted`, and left out of what is `compared`. Of a run that was looked at while it grew, the
    same units are reckoned with as were fed, with what was answered too late to be looked at.
    """
    late = facts.looks is not None and facts.looks.late(tables)
    if not (late or _unmeasured_calls(planned, check_floors(gate, judged, tables), tables)):
        return ()
    gating = [one for one in planned if one.gating]
    found = []
    for way, how in _HOW.items():
        comparisons = compare(gating, compared, gate, facts.seed, way, judges.judging, facts.looks, counted)
        doubts = judge_doubts(judges.calibrations, comparisons)
        doubts += sight_shortfalls(judges.calibrations, comparisons, gate)
        found.append(Imputed(how, comparisons, check_floors(gate, judged, tables, way), doubts))
    return tuple(found)
