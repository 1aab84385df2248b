"""The gate of a suite that judges a replacement: proof, of as much as its cases can prove."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from snapdrift.model import Gate, MetricGate, Policy, Severity
from snapdrift.pipeline.migration_settings import Change
from snapdrift.pipeline.prepare import DEFAULT_GATE, applicable_cases
from snapdrift.suites.migration_text import Line, written_out
from snapdrift.verdicts import words

if TYPE_CHECKING:
    from snapdrift.suites.resolved import Suite


_OF_OTHER_GATES = {
    "max_blind": "it is of `catch`: proof says what is shown, not what would be seen",
    "inconclusive": "under `prove` what is not shown does not pass",
    "target": "a replacement answers cases to come, of which these are a sample",
}
"""What a gate that takes proof has no use for, with the reason."""
_REUSED = "a decision is taken on what was asked for it, and what was answered already need not be paid for again"


@dataclass(frozen=True, slots=True)
class MigratedGate:
    """The text of `gates`, and what is other in it and of what it judges."""

    text: str
    changes: tuple[Change, ...]


def migrated_gate(suite: Suite, gate: Gate, pair: tuple[str, str], beside: str) -> MigratedGate:
    """The gate that judges the second variant of `pair` as the replacement of the first.

    `beside` is a comment beside the baseline.
    """
    baseline, candidate = pair
    changes, metrics = list[Change](), list[Line]()
    if gate.policy is not Policy.PROVE:
        why = "a replacement has to be shown no worse: that no regression is seen is not enough"
        changes.append(Change("gates.default.policy", gate.policy.value, Policy.PROVE.value, why))
    for metric in gate.metrics:
        line, told = _metric(suite, metric, gate)
        metrics.append(line)
        changes += told
    fallback, told = _fallback(gate, baseline)
    changes += told
    lines = [Line("baseline", {"variant": baseline, **fallback}, "" if fallback else beside)]
    lines += [Line("candidates", [candidate]), Line("policy", Policy.PROVE.value), Line("metrics", metrics)]
    must = gate.must_pass
    if must.tags or must.cases:
        named = {"tags": list(must.tags), "cases": list(must.cases)}
        lines.append(Line("must_pass", {key: value for key, value in named.items() if value}))
    usual = Gate(gate.name)
    for key in ("coverage", "confidence", "discordance"):
        if getattr(gate, key) != getattr(usual, key):
            lines.append(Line(key, getattr(gate, key)))
    if gate.alias_moved is Severity.FAIL:
        lines.append(Line("alias_moved", gate.alias_moved.value))
    if gate.repeats is not None:
        lines.append(Line("repeats", gate.repeats))
    budget = {"usd": gate.budget_usd, "per_day": gate.budget_per_day}
    if any(budget.values()):
        lines.append(Line("budget", {key: usd for key, usd in budget.items() if usd is not None}))
    text = "gates:\n" + written_out([Line(DEFAULT_GATE, lines)], 2)
    return MigratedGate(text, (*changes, *_left_out(suite, gate, baseline)))


def _fallback(gate: Gate, baseline: str) -> tuple[dict[str, Any], list[Change]]:
    """The archive that stands in for the baseline once its model is gone, which it does for a replacement, too."""
    outside = gate.outside
    if outside is None:
        return {}, []
    if outside.fallback is not None and all(pair.baseline == baseline for pair in gate.pairs):
        return {"fallback": {"archive": outside.fallback}}, []
    place, before = "gates.default.baseline", outside.archive or outside.run
    if outside.fallback is not None:
        place, before = f"{place}.fallback", outside.fallback
    return {}, [Change(place, before, None, f"it holds other answers than those of `{baseline}`, which is named here")]


def _metric(suite: Suite, metric: MetricGate, gate: Gate) -> tuple[Line, list[Change]]:
    place, told, said = f"gates.default.metrics.{metric.metric}", list[Change](), dict[str, Any]()
    spec = {spec.name: spec for spec in suite.metrics}.get(metric.metric)
    comment = ""
    if metric.margin is not None and metric.severity is Severity.WARN:
        said["margin"] = metric.margin
    elif metric.margin is not None and spec is not None:
        reach = _proof(suite, metric, gate)
        said["margin"] = metric.margin if reach.margin is None else reach.margin
        comment = reach.comment
        if reach.margin is not None:
            told.append(Change(f"{place}.margin", metric.margin, reach.margin, reach.why))
    for key in ("at_least", "max_increase"):
        if getattr(metric, key) is not None:
            said[key] = getattr(metric, key)
    if spec is not None and spec.pairwise and "at_least" in said:
        said["at_least"] = 2 * said["at_least"] - 1
    if metric.on is not None:
        said["on"] = metric.on
    severity = metric.severity
    if metric.max_increase is not None and severity is Severity.FAIL:
        why = "another model has its own price, speed and length: read, not a reason to keep a model that goes"
        told.append(Change(f"{place}.severity", Severity.FAIL.value, Severity.WARN.value, why))
        severity = Severity.WARN
    if severity is Severity.WARN:
        said["severity"] = severity.value
    return Line(metric.metric, said, comment), told


def _left_out(suite: Suite, gate: Gate, baseline: str) -> Iterator[Change]:
    others = [name for name in suite.gates if name != gate.name]
    if others:
        yield Change("gates", ", ".join(others), None, "a migration is decided once, under one gate")
    gone = [name for name in suite.variants if name != baseline]
    if gone:
        yield Change("variants", ", ".join(gone), None, "two sides are compared")
    sample = suite.gate_samples.get(gate.name)
    if sample is not None:
        yield Change("sample", sample.n, None, "all cases are asked: proof takes them")
    usual = Gate(gate.name)
    for key, why in _OF_OTHER_GATES.items():
        if getattr(gate, key) != getattr(usual, key):
            yield Change(f"gates.default.{key}", _plain(getattr(gate, key)), None, why)
    if gate.fresh:
        yield Change("gates.default.cache", "never", None, _REUSED)
    if gate.max_age_s is not None:
        yield Change("gates.default.max_age", f"{gate.max_age_s:g} s", None, _REUSED)
    if suite.early_stop:
        yield Change("early_stop", "true", None, "what is decided once is decided on all cases")


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, StrEnum) else value


@dataclass(frozen=True, slots=True)
class _Reach:
    """What `prove` takes of a metric: in words, and the margin that its cases bear where its own is too small."""

    comment: str
    margin: float | None = None
    why: str = ""


def _proof(suite: Suite, metric: MetricGate, gate: Gate) -> _Reach:
    from snapdrift.verdicts import sufficiency

    def needed(margin: float) -> tuple[int, int | None, bool]:
        asked = replace(gate, policy=Policy.PROVE, metrics=(replace(metric, margin=margin, severity=Severity.FAIL),))
        asked = replace(asked, pairs=tuple(replace(pair, severity=Severity.FAIL) for pair in gate.pairs[:1]))
        repeats = suite.repeats_for(gate.name)
        applicable = applicable_cases(suite, suite.cases)
        (found,) = sufficiency(asked, suite.metrics, suite.cases, applicable, repeats)
        return found.cases, found.cases_for_prove, found.enough

    if not gate.pairs:
        return _Reach("")
    margin = metric.margin or 0.0
    cases, takes, enough = needed(margin)
    if enough:
        return _Reach(f"proof takes {words.cases(takes or 0)} without a difference, there are {cases}")
    for hundredths in range(int(margin * 100) + 1, 100):
        wider = hundredths / 100
        if needed(wider)[2]:
            short = f"proof at {margin:g} takes {words.cases(takes or 0)}, there are {cases}"
            why = f"{short}: add {(takes or 0) - cases} for it, or claim less"
            return _Reach(f"{margin:g} takes {words.cases(takes or 0)}, there are {cases}", wider, why)
    return _Reach(f"proof takes {words.cases(takes or 0)}, there are {cases}")
