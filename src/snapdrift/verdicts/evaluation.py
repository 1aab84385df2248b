"""From everything that was planned and measured to one decision: the steps in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from snapdrift.calibrations import JudgeCalibration
from snapdrift.conclusions import AliasMove, Comparison, Evaluation, LedgerEntry, Operational, Sequential
from snapdrift.explanations import Explanation
from snapdrift.gradings import Gradings
from snapdrift.model import Gate, Results, Severity
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
from snapdrift.verdicts.call_columns import CallColumns, call_columns
from snapdrift.verdicts.causes import broken_gain_sentences
from snapdrift.verdicts.comparing import Counted, compare
from snapdrift.verdicts.controls import find_controls
from snapdrift.verdicts.coverage import present_pairs, shortfalls, unmeasured_calls
from snapdrift.verdicts.decision import Findings, Imputed, decide
from snapdrift.verdicts.doubts import grader_doubts, sight_doubts
from snapdrift.verdicts.evidence import Question
from snapdrift.verdicts.explaining import explain
from snapdrift.verdicts.facts import RunFacts
from snapdrift.verdicts.gradings import summarise_gradings
from snapdrift.verdicts.ledger import build_ledger, find_alias_moves
from snapdrift.verdicts.limits import Floor, check_floors, check_must_pass, judged_variants
from snapdrift.verdicts.operations import measure_operations
from snapdrift.verdicts.orders import order_doubts
from snapdrift.verdicts.parity import find_parity
from snapdrift.verdicts.planned import PlannedComparison, plan_comparisons
from snapdrift.verdicts.score_tables import Imputation, ScoreTables, as_compared, build_score_tables
from snapdrift.verdicts.summaries import summarise_metrics, summarise_variant

_HOW = {
    Imputation.AGAINST_CANDIDATE: "if all had gone against the candidate",
    Imputation.FOR_CANDIDATE: "if all had gone for the candidate",
}


@dataclass(frozen=True, slots=True)
class _Measured:
    """A run and its gate, as columns and tables: what is compared, and which variants are judged how gravely."""

    results: Results
    gate: Gate
    facts: RunFacts
    calls: Mapping[str, CallColumns]
    tables: ScoreTables
    planned: tuple[PlannedComparison, ...]
    judged: Mapping[str, Severity]


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


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a run shows, from which its gate decides."""

    without: _Without
    sequential: Sequential | None
    explained: tuple[Explanation, ...]
    floors: tuple[Floor, ...]
    operational: tuple[Operational, ...]
    ledger: tuple[LedgerEntry, ...]
    moves: tuple[AliasMove, ...]
    gradings: Gradings


def evaluate(results: Results, gate: Gate, facts: RunFacts, tolerant: Tolerant | None = None) -> Evaluation:
    """Compares, sums up, decides and explains. The same results, gate and facts always give the same evaluation.

    `tolerant` reads an answer again with more tolerance for its form; without it nothing is explained.
    Raises `UsageError` when the gate names a metric or variant that the run does not have.
    """
    run = _measured(replace(results, metrics=as_compared(results.metrics, gate)), gate, facts)
    shown = _shown(run, tolerant)
    results, tables, calls = run.results, run.tables, run.calls
    return Evaluation(
        gate=gate,
        variants=tuple(
            summarise_variant(variant, calls[variant.name], results, tables) for variant in results.variants
        ),
        metrics=summarise_metrics(tables, Question(gate.confidence, None, facts.seed).two_sided),
        comparisons=shown.without.comparisons,
        operational=shown.operational,
        alias_moves=shown.moves,
        decision=decide(_findings(run, shown)),
        ledger=shown.ledger,
        parity=find_parity(results.variants, tables),
        controls=find_controls(results.variants, shown.ledger, tables, gate, facts),
        attributions=shown.explained,
        calibrations=shown.without.calibrations,
        reviews=tally_reviews(facts.judging.labels, tables),
        sequential=shown.sequential,
        acceptances=concerned(results, facts),
        gradings=shown.gradings,
    )


def _measured(results: Results, gate: Gate, facts: RunFacts) -> _Measured:
    calls = call_columns(results)
    tables = build_score_tables(results, gate, calls)
    if facts.looks is not None:
        tables = facts.looks.needed(tables, results.cases, gate.must_pass)
    planned = plan_comparisons(results, gate, partial=facts.partial)
    return _Measured(results, gate, facts, calls, tables, planned, judged_variants(gate, results))


def _shown(run: _Measured, tolerant: Tolerant | None) -> _Shown:
    results, gate, facts, tables = run.results, run.gate, run.facts, run.tables
    lost = accepted_losses(run.planned, tables, results, gate, facts)
    without = _without_accepted(run, lost)
    compared = without.compared
    ledger = build_ledger(results, run.calls, facts)
    pairs = present_pairs(gate, tables)
    return _Shown(
        without=without,
        sequential=None if facts.looks is None else facts.looks.summary(run.planned, compared),
        explained=_explained(
            run.planned, without.comparisons, compared_scores(results, lost), compared, tolerant, facts
        ),
        floors=check_floors(gate, run.judged, tables),
        operational=measure_operations(pairs, gate, list(tables.metrics), run.calls, results.cases, facts.seed),
        ledger=ledger,
        moves=find_alias_moves(ledger),
        gradings=summarise_gradings(results, gate, run.calls),
    )


def _findings(run: _Measured, shown: _Shown) -> Findings:
    """What the gate decides from: a field for each thing that can change the decision or that it says besides."""
    gate, facts, tables, planned = run.gate, run.facts, run.tables, run.planned
    comparisons, calibrations = shown.without.comparisons, shown.without.calibrations
    sequential, specs = shown.sequential, {spec.name: spec for spec in run.results.metrics}
    return Findings(
        gate=gate,
        specs=specs,
        partial=facts.partial,
        stopped_early=facts.stopped_early or (None if sequential is None else unsettled_stop(sequential)),
        comparisons=comparisons,
        floors=shown.floors,
        operational=shown.operational,
        must_pass=check_must_pass(gate.must_pass, run.results.cases, run.judged, tables),
        alias_moves=shown.moves,
        shortfalls=shortfalls(gate, planned, shown.floors, tables),
        unmeasured_calls=unmeasured_calls(planned, shown.floors, tables),
        late_calls=0 if facts.looks is None else facts.looks.late(tables),
        imputed=_impute(run, shown.without),
        judge_doubts=judge_doubts(calibrations, comparisons) + sight_shortfalls(calibrations, comparisons, gate),
        grader_doubts=grader_doubts(planned, tables) + _order_doubts(planned, shown.gradings, gate),
        sight_doubts=sight_doubts(planned, comparisons, shown.without.compared, gate),
        broken_gains=broken_gain_sentences(comparisons, shown.explained, run.results.metrics),
        look_notes=() if sequential is None else sequential_notes(sequential),
        spending_notes=facts.spending_notes,
        acceptance_notes=tuple(acceptance_notes(comparisons, specs)),
    )


def _without_accepted(run: _Measured, lost: AcceptedLosses) -> _Without:
    results, gate, facts, tables, planned = run.results, run.gate, run.facts, run.tables, run.planned
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


def _impute(run: _Measured, without: _Without) -> tuple[Imputed, ...]:
    """The comparisons and floors with unmeasured calls filled in, either way; nothing when all was measured.

    Of a run that was looked at while it grew, the same units are reckoned with as were fed, with what was answered too
    late to be looked at.
    """
    gate, facts, tables, judges = run.gate, run.facts, run.tables, without.judges
    late = facts.looks is not None and facts.looks.late(tables)
    if not (late or unmeasured_calls(run.planned, check_floors(gate, run.judged, tables), tables)):
        return ()
    gating = [one for one in run.planned if one.gating]
    found = []
    for way, how in _HOW.items():
        comparisons = compare(
            gating, without.compared, gate, facts.seed, way, judges.judging, facts.looks, without.counted
        )
        doubts = judge_doubts(judges.calibrations, comparisons)
        doubts += sight_shortfalls(judges.calibrations, comparisons, gate)
        found.append(Imputed(how, comparisons, check_floors(gate, run.judged, tables, way), doubts))
    return tuple(found)
