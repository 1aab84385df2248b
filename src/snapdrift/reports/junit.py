"""JUnit XML for CI systems: red where the gate is red, with ids, metrics and reason codes only.

One test case for each metric and candidate, for each floor and limit, for each must-pass case, for each newly failing
case, and one for the decision itself, so that a run that proved nothing (short coverage, not gated) is never a green
file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from snapdrift.model import DecisionWord, MetricSpec, OnInconclusive, Policy, Severity, Verdict
from snapdrift.reports import figures
from snapdrift.reports.escaping import line, shortened, visible
from snapdrift.reports.excerpts import excerpts
from snapdrift.reports.view import CaseGroup, CaseView, Change, ComparisonView, MustPassStatus, MustPassView, View
from snapdrift.reports.words import badge
from snapdrift.verdicts.increases import increase_broken, increase_unknown, operational_sentence
from snapdrift.verdicts.words import p_text

if TYPE_CHECKING:
    from snapdrift.verdicts.limits import Floor

LISTED = 1_000
"""How many newly failing cases are test cases; the rest is counted."""
_EXCERPT = 300
_NOT_WORSE = (Verdict.NO_WORSE, Verdict.IMPROVED, Verdict.WORSE_WITHIN_MARGIN)
_KINDS = {
    DecisionWord.REGRESSION: "failure",
    DecisionWord.INCONCLUSIVE: "failure",
    DecisionWord.INCOMPLETE: "error",
    DecisionWord.NOT_GATED: "skipped",
}


@dataclass(frozen=True, slots=True)
class _Test:
    """A test case: `kind` is None when it passed, else the element that says how it did not."""

    group: str
    name: str
    kind: str | None = None
    type: str = ""
    message: str = ""
    output: str = ""


def render_junit(*views: View) -> str:
    """The XML document, with one `testsuite` for each run."""
    tests = [_tests(view) for view in views]
    root = ET.Element("testsuites", {"name": "snapdrift", **_counts(list(chain.from_iterable(tests)))})
    for view, of_view in zip(views, tests, strict=True):
        _append_run(root, view, of_view)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=False, short_empty_elements=True).join(
        ('<?xml version="1.0" encoding="UTF-8"?>\n', "\n")
    )


def _tests(view: View) -> list[_Test]:
    return [
        _decision(view),
        *_comparisons(view),
        *_limits(view),
        *map(_must_pass, view.must_pass),
        *_newly_failing(view),
    ]


def _counts(tests: Sequence[_Test]) -> dict[str, str]:
    return {
        "tests": str(len(tests)),
        "failures": str(sum(t.kind == "failure" for t in tests)),
        "errors": str(sum(t.kind == "error" for t in tests)),
        "skipped": str(sum(t.kind == "skipped" for t in tests)),
    }


def _append_run(root: ET.Element, view: View, tests: Sequence[_Test]) -> None:
    name = line(f"{view.run.suite} ({view.run.gate})")
    attributes = {"name": name, **_counts(tests), **_times(view)}
    suite = ET.SubElement(root, "testsuite", attributes)
    properties = ET.SubElement(suite, "properties")
    facts = {
        "run": view.run.run_id,
        "decision": view.decision.word.value,
        "exit_code": str(int(view.decision.exit_code)),
        "labels": ", ".join(label.word for label in view.labels),
    }
    if view.address:
        facts["report"] = view.address
    for key, value in facts.items():
        ET.SubElement(properties, "property", {"name": key, "value": line(value)})
    for test in tests:
        _append(suite, view.run.suite, test)


def _times(view: View) -> dict[str, str]:
    """When the run started and how long it took: no single test case took a time of its own, so none says one."""
    started, finished = view.run.started_at, view.run.finished_at
    try:
        took = None if finished is None else datetime.fromisoformat(finished) - datetime.fromisoformat(started)
    except ValueError:
        return {"timestamp": line(started)}
    return {"timestamp": line(started)} | ({} if took is None else {"time": f"{took.total_seconds():.3f}"})


def _append(suite: ET.Element, suite_name: str, test: _Test) -> None:
    attributes = {"classname": line(f"{suite_name}.{test.group}"), "name": line(test.name)}
    element = ET.SubElement(suite, "testcase", attributes)
    if test.kind is not None:
        result = ET.SubElement(element, test.kind, {"type": test.type, "message": line(test.message)})
        result.text = visible(test.message)
    if test.output:
        ET.SubElement(element, "system-out").text = visible(test.output)


def _decision(view: View) -> _Test:
    decision = view.decision
    sentences = " ".join(dict.fromkeys((view.headline, *view.reasons)))
    kind = _KINDS.get(decision.word)
    if kind is None:
        return _Test("gate", "decision", output=view.headline)
    return _Test("gate", "decision", kind, decision.word.value, f"{badge(decision)}: {sentences}")


def _comparisons(view: View) -> Iterator[_Test]:
    for row in view.comparisons:
        c = row.comparison
        sentence = comparison_sentence(row)
        name = f"{c.candidate} against {c.baseline}"
        if _fails(view, row):
            yield _Test(c.metric, name, "failure", c.verdict.value, sentence)
        else:
            yield _Test(c.metric, name, output=sentence)


def _newly_failing(view: View) -> Iterator[_Test]:
    """A test case for each newly failing case: a failure where its comparison breaks the gate, else told and passed.

    Cases that the gate tolerates must not turn a file red whose gate is green.
    """
    broken = {
        (row.comparison.metric, row.comparison.baseline, row.comparison.candidate)
        for row in view.comparisons
        if _fails(view, row)
    }
    failing = [(case, change.candidate) for case in view.cases for change in case.changes if _is_failing(change)]
    listed = list(dict.fromkeys((case.case.id, candidate) for case, candidate in failing))
    by_id = {case.case.id: case for case, _ in failing}
    for case_id, candidate in listed[:LISTED]:
        yield _failing_case(by_id[case_id], candidate, broken, with_text=view.comment == "text")
    if len(listed) > LISTED:
        yield _Test("cases", "more", output=f"{figures.count(len(listed) - LISTED)} more newly fail, in the report")


def _failing_case(
    view: CaseView, candidate: str, broken: Collection[tuple[str, str, str]], *, with_text: bool
) -> _Test:
    changes = [change for change in view.changes if change.candidate == candidate and _is_failing(change)]
    codes = ", ".join(dict.fromkeys(f"{change.metric} ({change.reason})" for change in changes))
    told = "".join(f"\n{what}: {shortened(text, _EXCERPT)}" for what, text in excerpts(view)) if with_text else ""
    name = f"{view.case.id} on {candidate}"
    if any((change.metric, change.baseline, change.candidate) in broken for change in changes):
        return _Test("cases", name, "failure", "newly_failing", f"newly fails: {codes}", told)
    return _Test("cases", name, output=f"newly fails, which the gate lets pass: {codes}{told}")


def _is_failing(change: Change) -> bool:
    return change.group is CaseGroup.NEWLY_FAILING


def _fails(view: View, row: ComparisonView) -> bool:
    return row.comparison.gating and _breaks_gate(view, row.comparison.verdict)


def _breaks_gate(view: View, verdict: Verdict) -> bool:
    gate = view.evaluation.gate
    if verdict is Verdict.REGRESSED:
        return True
    if gate.policy is Policy.PROVE:
        return verdict not in _NOT_WORSE
    return verdict is Verdict.INCONCLUSIVE and gate.inconclusive is OnInconclusive.FAIL


def comparison_sentence(row: ComparisonView) -> str:
    """One comparison as a sentence without any text of a case's: what was seen, how sure, and the verdict."""
    c = row.comparison
    seen = f"{figures.side(row.metric, c.baseline_mean)} to {figures.side(row.metric, c.candidate_mean)}"
    interval = figures.difference_interval(row.metric, c.ci)
    margin = f", margin {figures.magnitude(row.metric, c.margin)}" if c.margin is not None else ""
    moved = f"; {len(c.newly_failing)} newly fail, {len(c.newly_passing)} newly pass"
    change = f"{figures.difference(row.metric, c.difference)} {interval}".strip()
    sure = f"Holm-adjusted {p_text(c.p_adjusted)}" if c.gating else f"one-sided {p_text(c.p_value)}"
    return (
        f"{c.candidate} against {c.baseline} on {c.metric}: {row.word}. {seen}, {change}{margin}, "
        f"{sure}, {figures.count(c.n)} cases{moved}."
    )


def _limits(view: View) -> Iterator[_Test]:
    """Floors on observed means and limits on observed increases, of severity `fail`."""
    from snapdrift.verdicts.limits import Floor

    specs = {metric.name: metric for metric in view.metrics}
    for entry in view.evaluation.gate.metrics:
        if entry.at_least is None or entry.metric not in specs or entry.severity is not Severity.FAIL:
            continue
        for variant, severity in view.judged.items():
            if severity is Severity.FAIL:
                level = view.levels.get((entry.metric, variant))
                floor = Floor(entry.metric, variant, entry.at_least, level.mean if level else None, severity)
                yield _floor(floor, specs[entry.metric])
    for o in view.evaluation.operational:
        if o.severity is Severity.FAIL and o.max_increase is not None:
            name = f"{o.candidate} at most +{o.max_increase:.0%}"
            message = figures.typeset(operational_sentence(o))
            test = _limit(o.metric, name, "max_increase", message, increase_broken(o), increase_unknown(o))
            yield test if test.kind else replace(test, output=message)


def _floor(floor: Floor, spec: MetricSpec) -> _Test:
    name = f"{floor.variant} at least {figures.level(spec, floor.at_least)}"
    message = f"{floor.variant} on {floor.metric}: {figures.level(spec, floor.mean)} observed, asked for: {name}"
    return _limit(floor.metric, name, "at_least", message, floor.broken, floor.mean is None)


def _limit(group: str, name: str, what: str, message: str, broken: bool, unknown: bool) -> _Test:  # noqa: FBT001
    if not broken and not unknown:
        return _Test(group, name)
    return _Test(group, name, "failure" if broken else "error", what, message)


def _must_pass(view: MustPassView) -> _Test:
    name = f"{view.case_id} on {view.variant}"
    codes = ", ".join(view.failures) or "not measured"
    message = f"{view.case_id} must pass on {view.variant}: {codes}"
    if view.status is MustPassStatus.PASSED:
        return _Test("must_pass", name)
    if view.severity is Severity.WARN:
        return _Test("must_pass", name, output=message)
    kind = "failure" if view.status is MustPassStatus.FAILED else "error"
    return _Test("must_pass", name, kind, "must_pass", message)
