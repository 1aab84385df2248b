"""The decision table: one function a row, in the order in which the rows are asked; the first that holds decides.

Each row returns the sentences that make it hold, none when it does not. The rows before these (wrong usage, a suite
that could never tell) are errors raised before anything is sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from snapdrift.conclusions import AliasMove, Comparison, Decision, Operational
from snapdrift.model import DecisionWord, Gate, MetricSpec, OnInconclusive, Policy, Severity, Verdict
from snapdrift.verdicts import words
from snapdrift.verdicts.increases import increase_broken, increase_unknown, operational_sentence
from snapdrift.verdicts.limits import Floor, MustPassCheck

_LISTED = 5
_SHOWN = (Verdict.NO_WORSE, Verdict.IMPROVED, Verdict.WORSE_WITHIN_MARGIN)
_UNSHOWN = (Verdict.INCONCLUSIVE, Verdict.INSUFFICIENT)


@dataclass(frozen=True, slots=True)
class Imputed:
    """What comparisons and floors would have been, had all unmeasured calls gone one way (`how`, in words)."""

    how: str
    comparisons: tuple[Comparison, ...]
    floors: tuple[Floor, ...]
    judge_doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Findings:
    """All that the table is asked about.

    `shortfalls` are sentences about coverage that is short, `grader_doubts` about graders that may be wrong,
    `sight_doubts` about results that differ more than the gate assumes, `broken_gains` about metrics that improve only
    because answers broke, `judge_doubts` about gating comparisons that rest on a judge that is not calibrated, or on
    too few labels, `look_notes` about a run that was looked at while it grew. `late_calls` were answered after the look
    that they should have been part of. `spending_notes` are about bills beyond the budget, and answers left unjudged,
    `acceptance_notes` about losses that were accepted.
    """

    gate: Gate
    specs: Mapping[str, MetricSpec]
    partial: bool = False
    stopped_early: str | None = None
    comparisons: tuple[Comparison, ...] = ()
    floors: tuple[Floor, ...] = ()
    operational: tuple[Operational, ...] = ()
    must_pass: tuple[MustPassCheck, ...] = ()
    alias_moves: tuple[AliasMove, ...] = ()
    shortfalls: tuple[str, ...] = ()
    unmeasured_calls: int = 0
    late_calls: int = 0
    imputed: tuple[Imputed, ...] = field(default=())
    grader_doubts: tuple[str, ...] = ()
    sight_doubts: tuple[str, ...] = ()
    broken_gains: tuple[str, ...] = ()
    judge_doubts: tuple[str, ...] = ()
    look_notes: tuple[str, ...] = ()
    spending_notes: tuple[str, ...] = ()
    acceptance_notes: tuple[str, ...] = ()

    @property
    def gating(self) -> tuple[Comparison, ...]:
        """The comparisons that count for the exit code."""
        return tuple(comparison for comparison in self.comparisons if comparison.gating)

    def sentence(self, comparison: Comparison) -> str:
        """A comparison in the words of its metric."""
        return words.comparison_sentence(comparison, self.specs.get(comparison.metric))

    def floor_sentence(self, floor: Floor) -> str:
        """A floor in the words of its metric."""
        return floor_sentence(floor, self.specs.get(floor.metric))


def decide(findings: Findings) -> Decision:
    """The first row of the table that holds, with its reasons; else passed, with what a pass would not have seen."""
    warnings = tuple(dict.fromkeys(_warnings(findings)))
    not_gated = not_gated_reasons(findings)
    if not_gated:
        return Decision(DecisionWord.NOT_GATED, not_gated, () if findings.partial else warnings)
    for word, row in (
        (DecisionWord.REGRESSION, regression_reasons),
        (DecisionWord.INCOMPLETE, incomplete_reasons),
        (DecisionWord.INCONCLUSIVE, inconclusive_reasons),
    ):
        reasons = row(findings)
        if reasons:
            return Decision(word, reasons, tuple(text for text in warnings if text not in reasons))
    reasons = tuple(text for text in _passed_reasons(findings) if text not in warnings)
    missed = would_miss(findings)
    return Decision(DecisionWord.PASSED, reasons, (*warnings, *(findings.sight_doubts if missed else ())), missed)


def not_gated_reasons(findings: Findings) -> tuple[str, ...]:
    """A partial run, or a gate in which nothing can fail: then green would say nothing."""
    gate = findings.gate
    if findings.partial:
        return ("Only a part of the suite was asked for, so the gate was not evaluated.",)
    if not gate.pairs and gate.ref is not None and not gate.absolute:
        there = f"There is no baseline yet at {gate.ref}, and the gate `{gate.name}` sets no floor"
        return (f"{there}, so there is nothing to decide.",)
    if not gate.pairs and not gate.absolute:
        return (f"The gate `{gate.name}` compares no variants and sets no floor, so there is nothing to decide.",)
    if not can_fail(gate):
        asked = "no margin, floor, limit or must-pass case in it has the severity `fail`"
        return (f"Nothing in the gate `{gate.name}` can fail: {asked}, so there is nothing to decide.",)
    return ()


def can_fail(gate: Gate) -> bool:
    """Whether any answers at all could make the gate a regression: something in it is asked with severity `fail`."""
    if _fails(gate.alias_moved):
        return True
    compares = any(_fails(pair.severity) for pair in gate.pairs)
    judged = compares or any(_fails(one.severity) for one in gate.alone)
    failing = [entry for entry in gate.metrics if _fails(entry.severity)]
    if compares and any(entry.margin is not None or entry.max_increase is not None for entry in failing):
        return True
    # Floors and must-pass cases are asked of the candidates, or of every variant where nothing is compared.
    absolute = any(entry.at_least is not None for entry in failing) or gate.must_pass.tags or gate.must_pass.cases
    return bool(absolute) and (judged or not (gate.pairs or gate.alone))


def regression_reasons(findings: Findings) -> tuple[str, ...]:
    """What was measured is worse than the gate allows, however much else is missing."""
    return (
        *(findings.sentence(c) for c in _largest_first(findings) if c.verdict is Verdict.REGRESSED),
        *(findings.floor_sentence(floor) for floor in findings.floors if floor.broken and _fails(floor.severity)),
        *(operational_sentence(o) for o in findings.operational if increase_broken(o) and _fails(o.severity)),
        *_must_pass_sentences(findings, Severity.FAIL),
        *(words.alias_sentence(move) for move in findings.alias_moves if _fails(findings.gate.alias_moved)),
    )


def _largest_first(findings: Findings) -> list[Comparison]:
    """By how far the candidate got worse: the first sentence that a reader sees is about the worst.

    A preference is the share won less the share lost, as a difference of passes is: both are on one scale.
    """

    def change(comparison: Comparison) -> float:
        spec, difference = findings.specs.get(comparison.metric), comparison.difference or 0.0
        return difference if spec is None or spec.higher_is_better else -difference

    return sorted(findings.gating, key=change)


def incomplete_reasons(findings: Findings) -> tuple[str, ...]:
    """Too little was measured to decide, or what was not measured could change the decision."""
    why = findings.stopped_early
    stopped = (words.stop_sentence(why), *findings.spending_notes) if why else ()
    reasons = (
        *stopped,
        *findings.shortfalls,
        *(findings.sentence(c) for c in findings.gating if _starved(c)),
        *(findings.floor_sentence(floor) for floor in findings.floors if floor.mean is None and _fails(floor.severity)),
        *(operational_sentence(o) for o in findings.operational if increase_unknown(o) and _fails(o.severity)),
        *_unmeasured_must_pass(findings),
        *_unasked_must_pass(findings),
    )
    return reasons or imputation_reasons(findings)


def imputation_reasons(findings: Findings) -> tuple[str, ...]:
    """Whether the unmeasured calls, all at their worst or all at their best, would change the exit code."""
    now = _word_of_measured(findings)
    reasons = []
    for imputed in findings.imputed:
        filled = replace(
            findings, comparisons=imputed.comparisons, floors=imputed.floors, judge_doubts=imputed.judge_doubts
        )
        then = _word_of_measured(filled)
        if then is not now:
            calls = _open_calls(findings)
            would_be = f"{imputed.how}, it would be {then.value}, not {now.value}"
            reasons.append(f"{calls} could change the decision: {would_be}.")
    return tuple(reasons)


def _open_calls(findings: Findings) -> str:
    """The calls that the decision was made without, counted."""
    counted = ((findings.unmeasured_calls, "unmeasured call"), (findings.late_calls, "late answer"))
    return " and ".join(f"{n:,} {what}{'' if n == 1 else 's'}" for n, what in counted if n)


def inconclusive_reasons(findings: Findings) -> tuple[str, ...]:
    """`prove`: something is not shown; `inconclusive: fail`: something shows nothing. `extend` is spent by now.

    And whatever the policy, where a judge's verdict does not count: else requiring calibration would turn a red gate
    green.
    """
    gate, doubts = findings.gate, findings.judge_doubts
    if gate.policy is Policy.PROVE:
        return (*doubts, *(findings.sentence(c) for c in findings.gating if c.verdict not in _SHOWN))
    if gate.inconclusive is OnInconclusive.FAIL:
        return (*doubts, *(findings.sentence(c) for c in findings.gating if c.verdict in _UNSHOWN))
    return doubts


def would_miss(findings: Findings) -> dict[str, float]:
    """For `catch`: by gating metric, the drop under which a regression would not have been seen with 80% power.

    The largest over the candidates; 1 where no drop at all would have been seen.
    """
    if findings.gate.policy is not Policy.CATCH:
        return {}
    missed: dict[str, float] = {}
    for comparison in findings.gating:
        drop = 1.0 if comparison.detectable_difference is None else comparison.detectable_difference
        missed[comparison.metric] = max(drop, missed.get(comparison.metric, 0.0))
    return missed


def _word_of_measured(findings: Findings) -> DecisionWord:
    """The decision as if everything had been measured."""
    if regression_reasons(findings):
        return DecisionWord.REGRESSION
    return DecisionWord.INCONCLUSIVE if inconclusive_reasons(findings) else DecisionWord.PASSED


def _passed_reasons(findings: Findings) -> tuple[str, ...]:
    floors = (findings.floor_sentence(floor) for floor in findings.floors if _fails(floor.severity))
    return (*(findings.sentence(c) for c in findings.gating), *floors)


def _warnings(findings: Findings) -> Iterator[str]:
    """What does not decide but should be known."""
    yield from findings.acceptance_notes
    for comparison in findings.comparisons:
        noted = comparison.verdict is Verdict.WORSE_WITHIN_MARGIN or comparison.verdict in _UNSHOWN
        if (noted and comparison.gating) or (comparison.verdict is Verdict.REGRESSED and not comparison.gating):
            yield findings.sentence(comparison)
    for floor in findings.floors:
        if floor.broken and not _fails(floor.severity):
            yield findings.floor_sentence(floor)
    for operational in findings.operational:
        if (increase_broken(operational) or increase_unknown(operational)) and not _fails(operational.severity):
            yield operational_sentence(operational)
    yield from _must_pass_sentences(findings, Severity.WARN)
    ungraded = list(dict.fromkeys(check.case_id for check in findings.must_pass if not check.graded))
    if ungraded:
        yield f"No pass/fail grader applies to the must-pass cases {words.quoted(ungraded)}."
    if not _fails(findings.gate.alias_moved):
        yield from (words.alias_sentence(move) for move in findings.alias_moves)
    yield from findings.grader_doubts
    yield from findings.broken_gains
    yield from findings.look_notes
    yield from findings.spending_notes


def _fails(severity: Severity) -> bool:
    return severity is Severity.FAIL


def _starved(comparison: Comparison) -> bool:
    """Whether nothing was compared, or too little because calls were not measured."""
    return comparison.n == 0 or (comparison.verdict is Verdict.INSUFFICIENT and comparison.unmeasured > 0)


def floor_sentence(floor: Floor, spec: MetricSpec | None) -> str:
    """What a variant reaches, and what is asked of it."""
    asked = words.level_text(floor.at_least, spec)
    if floor.mean is None:
        return f"`{floor.variant}` has no score on {floor.metric}; at least {asked} is asked."
    level = words.level_text(floor.mean, spec, beside=floor.at_least)
    return f"`{floor.variant}` reaches {level} on {floor.metric}; at least {asked} is asked."


def _must_pass_sentences(findings: Findings, severity: Severity) -> tuple[str, ...]:
    failed = [check for check in findings.must_pass if check.failed and check.severity is severity]
    shown = [
        f"The must-pass case `{check.case_id}` fails on `{check.variant}`: {words.names(check.failed)}."
        for check in failed[:_LISTED]
    ]
    more = len(failed) - len(shown)
    return (*shown, f"{more} more must-pass checks fail.") if more > 0 else tuple(shown)


def _unasked_must_pass(findings: Findings) -> tuple[str, ...]:
    """A gate with must-pass cases none of which is in the run (a sample left them out) has checked nothing."""
    must_pass = findings.gate.must_pass
    if findings.must_pass or not (must_pass.tags or must_pass.cases):
        return ()
    return (f"No case that must pass ({words.names([*must_pass.tags, *must_pass.cases])}) is among those asked.",)


def _unmeasured_must_pass(findings: Findings) -> tuple[str, ...]:
    unmeasured = [c for c in findings.must_pass if c.unmeasured and not c.failed and _fails(c.severity)]
    by_variant: dict[str, list[str]] = {}
    for check in unmeasured:
        by_variant.setdefault(check.variant, []).append(check.case_id)
    return tuple(
        f"`{variant}` was not measured on cases that must pass: {words.quoted(case_ids)}."
        for variant, case_ids in by_variant.items()
    )
