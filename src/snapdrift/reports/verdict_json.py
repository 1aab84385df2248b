"""`verdict.json`, the file that other programs read: format `snapdrift.verdict/1`.

Fields may be added within the format; readers ignore those they do not know.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from snapdrift.conclusions import Comparison, Decision, MetricSummary, Operational
from snapdrift.explanations import Explanation
from snapdrift.model import DecisionWord, Endpoint, Gate
from snapdrift.references import Reference
from snapdrift.reports.case_views import CaseOutline, Change
from snapdrift.reports.data import Provenance
from snapdrift.reports.kept_baseline import baseline_document
from snapdrift.reports.reuse import age_days
from snapdrift.reports.view import VariantView, View
from snapdrift.reports.words import cached_share
from snapdrift.unasked import Unasked
from snapdrift.verdicts.acceptance_words import AcceptanceStanding
from snapdrift.verdicts.causes import cause_code
from snapdrift.verdicts.increases import operational_sentence, standing
from snapdrift.verdicts.words import headline

FORMAT = "snapdrift.verdict/1"
_ENCODER = json.JSONEncoder(indent=1, ensure_ascii=True, allow_nan=False)


def render_verdict(view: View) -> str:
    """The document as ASCII JSON, ending in a newline."""
    return _json(verdict_document(view))


def verdict_pieces(view: View) -> Iterator[str]:
    """The same text in pieces."""
    yield from _ENCODER.iterencode(verdict_document(view))
    yield "\n"


def render_verdicts(views: Sequence[View], unasked: Sequence[Unasked] = ()) -> str:
    """One JSON text whatever the number of runs: the document of one run, an array of the documents of several.

    What was to be decided and took no run has a short document in front: no run's id, the decision, the sentence.
    """
    documents = [_undecided(one) for one in unasked if one.undecided] + [verdict_document(view) for view in views]
    return _json(documents[0] if len(documents) == 1 else documents)


def _json(value: Any) -> str:
    return _ENCODER.encode(value) + "\n"


def verdict_document(view: View) -> dict[str, Any]:
    """The document as plain values."""
    run = view.run
    return {
        "format": FORMAT,
        "run": _run(run),
        "report_url": view.report_url or None,
        "reference": None if view.reference is None else _reference(view.reference, view.reference_sentences),
        "headline": view.unanswered or headline(view.evaluation, {metric.name: metric for metric in view.metrics}),
        "labels": [{"word": label.word, "meaning": label.meaning} for label in view.labels],
        "baseline": baseline_document(view.baseline, run.started_at),
        "reused": sum(
            v.summary.reused.calls
            for v in view.variants
            if v.summary.reused is not None and v.summary.endpoint is not Endpoint.ARCHIVE
        ),
        "variants": [_variant(v, run.started_at) for v in view.variants],
        "metrics": [_metric(m) for m in view.evaluation.metrics],
        "gate": _gate(view.evaluation.gate),
        "claims": {"sentences": list(view.claims.sentences)},
        "comparisons": [comparison_document(c) for c in view.evaluation.comparisons],
        "operational": [_operational(o) for o in view.evaluation.operational],
        "alias_moves": [_plain(move) for move in view.evaluation.alias_moves],
        "alias_ledger": [_plain(entry) for entry in view.evaluation.ledger],
        "parity": [_plain(one.parity) | {"sentence": one.sentence} for one in view.parity],
        "controls": [_plain(one.control) | {"sentence": one.sentence} for one in view.controls],
        "attributions": [_attribution(one) for one in view.evaluation.attributions],
        "draws": [_plain(draw) for draw in view.evaluation.draws],
        "earlier_verdicts": [_plain(one) | {"decision": one.decision.value} for one in view.evaluation.earlier],
        "acceptances": [_acceptance(one) for one in view.acceptances],
        "calibrations": [_plain(one.calibration) | {"sentence": one.sentence} for one in view.calibrations],
        "votes": [_plain(one) for one in view.evaluation.gradings.votes],
        "orders": [_plain(one.orders) | {"sentence": one.sentence} for one in view.orders],
        "reviews": [_plain(tally) for tally in view.evaluation.reviews],
        "confusions": [_plain(one) for one in view.evaluation.gradings.confusions],
        "sequential": None if view.evaluation.sequential is None else _plain(view.evaluation.sequential),
        "changes": [_change(one, change) for one in view.cases.outlines for change in one.changes],
        "must_pass": [_plain(m) for m in view.must_pass],
        "decision": _decision(view.decision),
    }


def _run(run: Provenance) -> dict[str, Any]:
    return {
        "id": run.run_id,
        "suite": run.suite,
        "gate": run.gate,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "seed": run.seed,
        "attempt": run.attempt,
        "partial": run.partial,
        "suite_hash": run.suite_hash,
        "dataset_hash": run.dataset_hash,
        "git_commit": run.git_commit,
        "git_dirty": run.git_dirty,
        "versions": dict(run.versions),
    }


def _decision(decision: Decision) -> dict[str, Any]:
    return {
        "word": decision.word.value,
        "exit_code": int(decision.exit_code),
        "reasons": list(decision.reasons),
        "warnings": list(decision.warnings),
        "would_miss": dict(decision.would_miss),
    }


def _undecided(one: Unasked) -> dict[str, Any]:
    decision = {"word": DecisionWord.NOT_GATED.value, "exit_code": int(one.exit_code), "reasons": [one.text]}
    return {
        "format": FORMAT,
        "run": {"id": None, "suite": one.suite, "gate": one.gate},
        "headline": one.text,
        "decision": {**decision, "warnings": [], "would_miss": {}},
    }


def _acceptance(one: AcceptanceStanding) -> dict[str, Any]:
    """An accepted loss that concerns the run, with what became of it."""
    return _plain(one.acceptance) | {"state": one.state.value, "candidates": list(one.candidates)}


def _reference(reference: Reference, sentences: Sequence[str]) -> dict[str, Any]:
    """The git tree that baselines are from, without the words of prompts."""
    return {
        "ref": reference.ref,
        "taken": reference.taken,
        "commit": reference.commit,
        "suite_path": reference.suite_path,
        "files": [{"path": one.path, "change": one.change.value} for one in reference.files],
        "candidates": [
            {"candidate": one.candidate, "standing": one.standing.value, "baseline": one.baseline}
            | {"differs": list(one.differs)}
            for one in reference.candidates
        ],
        "sentences": list(sentences),
    }


def _change(case: CaseOutline, change: Change) -> dict[str, Any]:
    """A changed case through one lens: ids and the reason code of the side that fails."""
    return {
        "case": case.id,
        "metric": change.metric,
        "baseline": change.baseline,
        "candidate": change.candidate,
        "change": change.group.value,
        "reason": change.reason,
    }


def _attribution(explanation: Explanation) -> dict[str, Any]:
    """An explanation without the words of answers: what the page quotes of them stays there."""
    a = explanation.attribution
    return {
        "metric": a.metric,
        "baseline": a.baseline,
        "candidate": a.candidate,
        "n": a.n,
        "difference": a.difference,
        "format": a.format,
        "format_ci": None if a.format_ci is None else list(a.format_ci),
        "content": a.content,
        "content_ci": None if a.content_ci is None else list(a.content_ci),
        "causes": [
            {"cause": cause_code(part), "amount": part.amount, "worse": list(part.worse), "better": list(part.better)}
            for part in (a.content_part, *a.causes)
        ],
        "reread": a.reread,
        "improved_by_breaking": None if a.improved_by_breaking is None else _plain(a.improved_by_breaking),
        "slices": [_plain(one) for one in explanation.slices.slices],
        "groups": [
            {"reason": g.reason.value, "worse": list(g.worse), "calls": g.calls, "baseline_calls": g.baseline_calls}
            for g in explanation.groups
        ],
    }


def _plain(record: Any) -> dict[str, Any]:
    """A record as JSON has it: lists, not tuples."""
    return {key: _listed(value) for key, value in asdict(record).items()}


def _listed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _listed(entry) for key, entry in value.items()}
    return [_listed(entry) for entry in value] if isinstance(value, list | tuple) else value


def _variant(view: VariantView, started_at: str) -> dict[str, Any]:
    s = view.summary
    return {
        "name": s.name,
        "model": s.model,
        "endpoint": s.endpoint.value,
        "stream": s.stream,
        "batch": s.batch,
        "host": s.host,
        "resolved_models": dict(s.resolved_models),
        "planned": s.planned,
        "requests": s.requests,
        "source": view.source.value,
        "sources": dict(s.sources),
        "outcomes": dict(s.outcomes),
        "coverage": s.coverage,
        "tokens": {
            "input": s.usage.input_tokens,
            "cached": s.usage.cached_tokens,
            "output": s.usage.output_tokens,
            "reasoning": s.usage.reasoning_tokens,
        },
        "cached_share": cached_share(view),
        "usd": s.usd,
        "batch_usd": s.batch_usd,
        "judge_usd": s.judge_usd,
        "judge_batch_usd": s.judge_batch_usd,
        "reused": None if s.reused is None else _plain(s.reused) | {"age_days": age_days(s.reused.oldest, started_at)},
        "judge_reused": s.judge_reused,
        "latency_ms": {"p50": s.latency_p50, "p95": s.latency_p95},
        "first_token_ms": {"p50": s.first_token_p50, "p95": s.first_token_p95},
        "tokens_per_second": {"p50": s.tokens_per_second_p50},
    }


def _metric(m: MetricSummary) -> dict[str, Any]:
    return {
        "variant": m.variant,
        "metric": m.metric,
        "n": m.n,
        "mean": m.mean,
        "ci": None if m.ci is None else list(m.ci),
        "unextracted": m.unextracted,
        "grader_errors": m.grader_errors,
        "unmeasured": m.unmeasured,
        "endings": dict(m.endings),
    }


def _operational(o: Operational) -> dict[str, Any]:
    """Plain names first, as they were before the tests; `standing` is how the ratio stands to its limit."""
    return _plain(o) | {"standing": standing(o).value, "sentence": operational_sentence(o)}


def _gate(gate: Gate) -> dict[str, Any]:
    """What the verdicts rest on that the comparisons do not say."""
    return {
        "name": gate.name,
        "policy": gate.policy.value,
        "target": gate.target.value,
        "confidence": gate.confidence,
        "discordance": gate.discordance,
        "max_blind": gate.max_blind,
        "coverage": gate.coverage,
    }


def comparison_document(c: Comparison) -> dict[str, Any]:
    """A comparison as plain values."""
    return {
        "metric": c.metric,
        "baseline": c.baseline,
        "candidate": c.candidate,
        "severity": c.severity.value,
        "gating": c.gating,
        "n": c.n,
        "unmeasured": c.unmeasured,
        "unmeasured_calls": c.unmeasured_calls,
        "table": None if c.table is None else asdict(c.table),
        "baseline_mean": c.baseline_mean,
        "candidate_mean": c.candidate_mean,
        "difference": c.difference,
        "ci": None if c.ci is None else list(c.ci),
        "ci_newcombe": None if c.ci_newcombe is None else list(c.ci_newcombe),
        "p_value": c.p_value,
        "p_two_sided": c.p_two_sided,
        "p_mid": c.p_mid,
        "p_better": c.p_better,
        "p_adjusted": c.p_adjusted,
        "p_no_worse": c.p_no_worse,
        "method": c.method,
        "margin": c.margin,
        "confidence": c.confidence,
        "verdict": c.verdict.value,
        "detectable_difference": c.detectable_difference,
        "cases_to_resolve": c.cases_to_resolve,
        "repeats_to_resolve": c.repeats_to_resolve,
        "target": c.target.value,
        "variance": None if c.variance is None else asdict(c.variance),
        "newly_failing": list(c.newly_failing),
        "newly_passing": list(c.newly_passing),
        "units_fed": c.units_fed,
        "units_planned": c.units_planned,
        "stopped_early": c.stopped_early,
        "left_out": None if c.left_out is None else _plain(c.left_out) | {"verdict": c.left_out.verdict.value},
    }
