"""Makes the view model of a run: groups the cases, and says in words what the numbers are."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from snapdrift.conclusions import Evaluation
from snapdrift.model import DecisionWord, MetricSpec, Outcome, ScoreKind
from snapdrift.reports.case_list import CaseList
from snapdrift.reports.case_views import CaseGroup, Change, Lens
from snapdrift.reports.confusions import confusion_views
from snapdrift.reports.data import RunData
from snapdrift.reports.explanations import cases_by_cause, cause_of, explanation_views
from snapdrift.reports.figures import count, typeset
from snapdrift.reports.kept_baseline import baseline_note
from snapdrift.reports.labels import labels_of, resolutions_of, source_of
from snapdrift.reports.must_pass import judged_variants
from snapdrift.reports.operations import operational_view
from snapdrift.reports.scales import scale_sentence, without_mark
from snapdrift.reports.survey import survey
from snapdrift.reports.view import (
    CalibrationView,
    Claims,
    ComparisonView,
    ControlView,
    OrderView,
    ParityView,
    VariantView,
    View,
)
from snapdrift.reports.words import Compared, change_sentence, verdict_word
from snapdrift.verdicts import claims
from snapdrift.verdicts.acceptance_words import standing_of
from snapdrift.verdicts.asides import control_opening, control_sentence, looks_assumed, parity_sentence
from snapdrift.verdicts.calibration_words import STATUS_WORDS, calibration_sentence, review_sentence
from snapdrift.verdicts.causes import CONTENT
from snapdrift.verdicts.orders import is_biased, order_sentence
from snapdrift.verdicts.rerun_words import rerun_sentences
from snapdrift.verdicts.score_tables import as_compared
from snapdrift.verdicts.words import headline


def build_view(data: RunData) -> View:
    """The view model of a run. Pure: the same data gives the same view."""
    # Long as the view has many fields; each is made by a function of its own, or is taken over.
    evaluation = data.evaluation
    data = replace(data, metrics=as_compared(data.metrics, evaluation.gate))
    lenses = _lenses(data)
    found = survey(data, lenses)
    variants = _variant_views(data)
    comparisons = _comparison_views(data)
    causes = cases_by_cause(evaluation.attributions, lenses)
    unanswered = found.cause if _short_of_answers(evaluation) else ""
    reruns = rerun_sentences(evaluation, data.run.attempt)
    return View(
        run=data.run,
        headline=typeset(unanswered or headline(evaluation, {metric.name: metric for metric in data.metrics})),
        unanswered=unanswered,
        reasons=tuple(typeset(reason) for reason in evaluation.decision.reasons),
        change_sentences=_change_sentences(found.cases, data, lenses, causes),
        resolutions=resolutions_of(evaluation),
        decision=evaluation.decision,
        evaluation=evaluation,
        labels=labels_of(data, variants),
        notes=tuple(
            dict.fromkeys(map(typeset, (*_of_baseline(data), *evaluation.decision.warnings, *reruns, *data.warnings)))
        ),
        comparisons=comparisons,
        variants=variants,
        metrics=data.metrics,
        levels={(level.metric, level.variant): level for level in evaluation.metrics},
        judged=judged_variants(evaluation),
        lenses=lenses,
        cases=found.cases,
        must_pass=found.must_pass,
        assumptions=_assumptions(evaluation),
        repeats=data.repeats,
        parity=tuple(ParityView(parity, parity_sentence(parity)) for parity in evaluation.parity),
        controls=_control_views(data),
        failures=found.failures,
        ungraded=found.ungraded,
        operational=tuple(operational_view(one) for one in evaluation.operational),
        claims=_claims(data),
        explanations=explanation_views(data, comparisons),
        causes=causes,
        calibrations=_calibration_views(data),
        reviews=tuple(typeset(review_sentence(tally)) for tally in evaluation.reviews),
        confusions=confusion_views(evaluation),
        orders=_order_views(evaluation),
        comment=data.comment,
        redacted=data.redaction.names,
        label_levels=data.label_levels,
        sheets=data.sheets,
        markable=data.markable,
        distributions=found.distributions,
        acceptances=tuple(standing_of(one, evaluation.comparisons) for one in evaluation.acceptances),
        reference=data.reference,
        baseline=data.baseline,
    )


def _short_of_answers(evaluation: Evaluation) -> bool:
    """Whether a run that asked all its calls is incomplete because too few were answered: then why not comes first."""
    sides = evaluation.variants
    asked_all = not any(one.outcomes.get(Outcome.MISSING.value) for one in sides)
    short = any(one.coverage < evaluation.gate.coverage for one in sides)
    return evaluation.decision.word is DecisionWord.INCOMPLETE and asked_all and short


def _of_baseline(data: RunData) -> tuple[str, ...]:
    note = baseline_note(data.baseline)
    return (note,) if note else ()


def _lenses(data: RunData) -> tuple[Lens, ...]:
    """Every metric of every pair; where the gate pairs nothing, every metric of every variant for itself."""
    evaluation = data.evaluation
    asked = {(c.metric, c.baseline, c.candidate) for c in evaluation.comparisons if c.margin is not None}
    pairs = [(pair.baseline, pair.candidate) for pair in evaluation.gate.pairs]
    ran = {variant.name for variant in data.variants}
    pairs = [pair for pair in pairs if ran.issuperset(pair)]
    if not pairs:
        return tuple(
            Lens(m.name, None, v.name, compared=True, pairwise=m.pairwise, marked=m.has_pass_mark)
            for v in data.variants
            for m in data.metrics
        )
    return tuple(
        Lens(
            m.name,
            baseline,
            candidate,
            not asked or (m.name, baseline, candidate) in asked,
            m.pairwise,
            m.has_pass_mark,
        )
        for baseline, candidate in pairs
        for m in data.metrics
    )


MOVED = (CaseGroup.NEWLY_FAILING, CaseGroup.NEWLY_PASSING)

# ---------------------------------------------------------------------------------------------------------------- words


def _change_sentences(
    cases: CaseList,
    data: RunData,
    lenses: Sequence[Lens],
    causes: Mapping[str, Sequence[tuple[int, str]]],
) -> tuple[tuple[str, str], ...]:
    """For each candidate: how many cases newly fail and pass on some compared metric, and why; then on the others."""
    pairs = dict.fromkeys((c.baseline, c.candidate) for c in data.evaluation.comparisons)
    scales = without_mark(data.metrics)
    numbers = {(lens.metric, lens.baseline, lens.candidate): number for number, lens in enumerate(lenses)}
    moved: dict[tuple[str, str, CaseGroup], dict[str, list[Change]]] = defaultdict(lambda: defaultdict(list))
    on_scales: Counter[tuple[str, str, str, CaseGroup]] = Counter()
    for one in cases.outlines:
        for change in one.changes:
            if change.metric in scales:
                on_scales[change.metric, change.baseline, change.candidate, change.group] += 1
                continue
            moved[change.baseline, change.candidate, change.group][one.id].append(change)
    sentences = []
    for baseline, candidate in pairs:
        failing = moved[baseline, candidate, CaseGroup.NEWLY_FAILING]
        passing = moved[baseline, candidate, CaseGroup.NEWLY_PASSING]
        named = candidate if len(pairs) > 1 else None
        reasons = [changes[0].reason for changes in failing.values()]
        why = [_cause(case_id, changes, numbers, causes) for case_id, changes in failing.items()]
        elsewhere = _failing_elsewhere(cases, lenses, (baseline, candidate))
        compared = _compared(cases, lenses, (baseline, candidate))
        sentence = change_sentence(named, reasons, len(passing), why, on_others=elsewhere, compared=compared)
        sentence += _accepted_of(failing, data.evaluation, (baseline, candidate))
        scaled, all_scales = _moved_on_scales(lenses, (baseline, candidate), on_scales)
        if all_scales:
            sentence = f"{named}:" if named else ""
        sentences.append((candidate, " ".join(text for text in (sentence, *scaled) if text)))
    return tuple(sentences)


def _moved_on_scales(
    lenses: Sequence[Lens], pair: tuple[str, str], moved: Mapping[tuple[str, str, str, CaseGroup], int]
) -> tuple[list[str], bool]:
    """A sentence for each scale without `pass_at` that a pair is compared on, and whether on nothing else."""
    compared = [lens for lens in lenses if lens.compared and (lens.baseline, lens.candidate) == pair]
    scales = [lens.metric for lens in compared if not lens.marked]
    told = [scale_sentence(name, *(moved.get((name, *pair, group), 0) for group in MOVED)) for name in scales]
    return told, bool(scales) and len(scales) == len(compared)


def _compared(cases: CaseList, lenses: Sequence[Lens], pair: tuple[str, str]) -> Compared:
    """How many cases of a pair could be compared, on the metrics that the gate compares."""
    places = [place for place, lens in enumerate(lenses) if lens.compared and (lens.baseline, lens.candidate) == pair]
    measured = partly = lacking = 0
    for one in cases.outlines:
        states = [state for place in places if (state := one.states[place]) not in (None, CaseGroup.NOT_NEEDED)]
        errors = states.count(CaseGroup.ERROR)
        measured += errors < len(states)
        partly += 0 < errors < len(states)
        lacking += 0 < errors == len(states)
    return Compared(measured, partly, lacking)


def _accepted_of(failing: Mapping[str, Sequence[Change]], evaluation: Evaluation, pair: tuple[str, str]) -> str:
    """How many of the newly failing cases are accepted on all metrics by which they do; empty where none is."""
    accepted = {
        (case, c.metric)
        for c in evaluation.comparisons
        if (c.baseline, c.candidate) == pair and c.left_out is not None
        for case in c.left_out.newly_failing
    }
    number = sum(all((case, each.metric) in accepted for each in changes) for case, changes in failing.items())
    return f" {count(number)} of those that newly fail {'is' if number == 1 else 'are'} accepted." if number else ""


def _failing_elsewhere(cases: CaseList, lenses: Sequence[Lens], pair: tuple[str, str]) -> Mapping[str, int] | None:
    """How many cases newly fail on each metric that the gate asks no margin of; None where there is no such metric."""
    places = [
        place
        for place, lens in enumerate(lenses)
        if not lens.compared and not lens.pairwise and lens.marked and (lens.baseline, lens.candidate) == pair
    ]
    if not places:
        return None
    failing = CaseGroup.NEWLY_FAILING
    moved = (place for one in cases.outlines for place in places if one.states[place] is failing)
    return dict(Counter(lenses[place].metric for place in moved))


def _claims(data: RunData) -> Claims:
    evaluation, specs = data.evaluation, {metric.name: metric for metric in data.metrics}
    comparisons = evaluation.comparisons
    if not comparisons:
        return Claims()
    gating = sum(comparison.gating for comparison in comparisons)
    return Claims(
        target=claims.target_sentence(evaluation.gate.target),
        multiplicity=claims.multiplicity_sentence(evaluation.gate, gating),
        sight=claims.sight_sentence(evaluation.gate, comparisons, specs),
        variance=claims.variance_sentences(comparisons, specs),
        repeatability=claims.ASKED_ONCE if data.repeats == 1 else "",
    )


def _cause(
    case_id: str,
    changes: Sequence[Change],
    numbers: Mapping[tuple[str, str | None, str], int],
    causes: Mapping[str, Sequence[tuple[int, str]]],
) -> str | None:
    """Why a case newly fails: content where that is so on some metric, else the form; None where it is not known."""
    lenses = [numbers[change.metric, change.baseline, change.candidate] for change in changes]
    found = [cause_of(causes.get(case_id, ()), lens) for lens in lenses]
    return CONTENT if CONTENT in found else found[0]


def _assumptions(evaluation: Evaluation) -> tuple[tuple[str, str], ...]:
    gate = evaluation.gate
    gating = sum(c.gating for c in evaluation.comparisons)
    confidence = f"{gate.confidence:g} one-sided for each claim; intervals shown are {1 - 2 * gate.alpha:.0%} intervals"
    return (
        ("policy", gate.policy.value),
        ("target", gate.target.value),
        ("confidence", confidence),
        ("multiplicity", f"Holm over {gating} gating comparison{'' if gating == 1 else 's'}"),
        ("discordance", f"{gate.discordance:g} of cases assumed to differ between two variants (for power)"),
        ("max_blind", f"{gate.max_blind:g} at 80% power"),
        ("coverage", f"{gate.coverage:g} of planned calls"),
        ("inconclusive", gate.inconclusive.value),
        ("alias_moved", gate.alias_moved.value),
        *([] if evaluation.sequential is None else [("looks", looks_assumed(evaluation.sequential))]),
    )


def _comparison_views(data: RunData) -> tuple[ComparisonView, ...]:
    """The comparisons: what gates first, then what warns, then what is only read; metrics in the suite's order."""
    specs = {metric.name: (place, metric) for place, metric in enumerate(data.metrics)}
    unknown = len(specs)
    views = []
    for c in data.evaluation.comparisons:
        place, metric = specs.get(c.metric, (unknown, MetricSpec(c.metric, c.metric, ScoreKind.PASS_FAIL)))
        views.append(((not c.gating, c.margin is None, place), ComparisonView(c, metric, verdict_word(c))))
    return tuple(view for _, view in sorted(views, key=lambda pair: pair[0]))


def _control_views(data: RunData) -> tuple[ControlView, ...]:
    specs = {metric.name: metric for metric in data.metrics}
    controls = data.evaluation.controls
    return tuple(ControlView(one, control_opening(one), control_sentence(one, specs)) for one in controls)


def _calibration_views(data: RunData) -> tuple[CalibrationView, ...]:
    specs = {metric.name: metric for metric in data.metrics}
    return tuple(
        CalibrationView(one, STATUS_WORDS[one.status], calibration_sentence(one, specs.get(one.metric)))
        for one in data.evaluation.calibrations
    )


def _order_views(evaluation: Evaluation) -> tuple[OrderView, ...]:
    alpha = round(evaluation.gate.alpha, 12)
    return tuple(
        OrderView(one, order_sentence(one, alpha), is_biased(one, alpha)) for one in evaluation.gradings.orders
    )


def _variant_views(data: RunData) -> tuple[VariantView, ...]:
    gate = data.evaluation.gate
    baselines = {pair.baseline for pair in gate.pairs}
    candidates = {pair.candidate for pair in gate.pairs} | {one.candidate for one in gate.alone}
    return tuple(
        VariantView(summary, source_of(summary, data.asked), summary.name in baselines, summary.name in candidates)
        for summary in data.evaluation.variants
    )
