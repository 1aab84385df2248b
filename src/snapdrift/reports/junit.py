"""JUnit XML for CI systems: red exactly where the gate is, with ids, metrics and reason codes only.

One test case for each metric and candidate, for each floor and limit, for each must-pass case, for each case that newly
fails, and one for the decision itself, so that a run that proved nothing (short coverage, not gated) is never a file
without any finding. What fails where the gate does not is skipped, and says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from snapdrift.conclusions import Comparison
from snapdrift.model import DecisionWord, MetricSpec, OnInconclusive, Policy, Severity, Verdict
from snapdrift.reports import figures
from snapdrift.reports.case_views import MustPassStatus, MustPassView
from snapdrift.reports.escaping import line, shortened, visible
from snapdrift.reports.junit_cases import Failing, newly_failing
from snapdrift.reports.scales import moved_counts
from snapdrift.reports.view import ComparisonView, View
from snapdrift.reports.words import badge
from snapdrift.unasked import Unasked
from snapdrift.verdicts.increases import increase_broken, increase_unknown, operational_sentence
from snapdrift.verdicts.words import p_text

if TYPE_CHECKING:
    from snapdrift.verdicts.limits import Floor

_NOT_WORSE = (Verdict.NO_WORSE, Verdict.IMPROVED, Verdict.WORSE_WITHIN_MARGIN)
_KINDS = {
    DecisionWord.REGRESSION: "failure",
    DecisionWord.INCONCLUSIVE: "failure",
    DecisionWord.INCOMPLETE: "error",
    DecisionWord.NOT_GATED: "skipped",
}
_RED = ("failure", "error")
_NAME = 500
_MESSAGE = 4_000


@dataclass(frozen=True, slots=True)
class _Test:
    """A test case: `kind` is None when it passed, else the element that says how it did not."""

    group: str
    name: str
    kind: str | None = None
    type: str = ""
    message: str = ""
    output: str = ""
    text: str = ""
    """What stands below the message where it is more than that."""


def render_junit(*views: View) -> str:
    """The XML document, with one `testsuite` for each run."""
    return "".join(junit_pieces(*views))


def junit_pieces(*views: View, unasked: Sequence[Unasked] = ()) -> Iterator[str]:
    """The same text in pieces, one for each test case; what of `unasked` is undecided is a suite with one, skipped."""
    counts = [Counter(test.kind for test in _tests(view)) for view in views]
    undecided = [one for one in unasked if one.undecided]
    total: Counter[str | None] = sum(counts, Counter(["skipped"] * len(undecided)))
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield _opened("testsuites", {"name": "snapdrift", **_counts(total)}, 0)
    for one in undecided:
        yield _opened("testsuite", {"name": line(f"{one.suite} ({one.gate})"), **_counts(Counter(["skipped"]))}, 1)
        yield _whole(_element(one.suite, _Test("gate", "decision", "skipped", DecisionWord.NOT_GATED.value, one.text)))
        yield "  </testsuite>\n"
    for view, of_view in zip(views, counts, strict=True):
        yield from _run(view, of_view)
    yield "</testsuites>\n"


def _tests(view: View) -> Iterator[_Test]:
    tests = chain(
        [_decision(view)],
        _comparisons(view),
        _limits(view),
        map(_must_pass, view.must_pass),
        map(_newly_failing, newly_failing(view, _broken(view))),
    )
    return tests if _is_red(view) else map(_not_red, tests)


def _is_red(view: View) -> bool:
    return _KINDS.get(view.decision.word) in _RED


def _not_red(test: _Test) -> _Test:
    """The same test of a run that the gate did not stop: what it found is told, and turns nothing red."""
    return replace(test, kind="skipped") if test.kind in _RED else test


def _counts(kinds: Counter[str | None]) -> dict[str, str]:
    return {
        "tests": str(kinds.total()),
        "failures": str(kinds["failure"]),
        "errors": str(kinds["error"]),
        "skipped": str(kinds["skipped"]),
    }


def _run(view: View, counts: Counter[str | None]) -> Iterator[str]:
    name = line(f"{view.run.suite} ({view.run.gate})")
    took = _seconds(view)
    time = {} if took is None else {"time": f"{took:.3f}"}
    attributes = {"name": name, **_counts(counts), **time, "timestamp": line(_started_at(view))}
    yield _opened("testsuite", attributes, 1)
    facts = {
        "run": view.run.run_id,
        "decision": view.decision.word.value,
        "exit_code": str(int(view.decision.exit_code)),
        "labels": ", ".join(label.word for label in view.labels),
    }
    if view.report_url:
        facts["report"] = view.report_url
    properties = ET.Element("properties")
    for key, value in facts.items():
        ET.SubElement(properties, "property", {"name": key, "value": line(value)})
    yield _whole(properties)
    for test in _tests(view):
        yield _whole(_element(view.run.suite, test))
    yield "  </testsuite>\n"


def _opened(name: str, attributes: Mapping[str, str], level: int) -> str:
    """The opening tag of an element that has others in it, on a line."""
    closed = ET.tostring(ET.Element(name, dict(attributes)), encoding="unicode")
    return f"{'  ' * level}{closed.removesuffix('/>').rstrip()}>\n"


def _whole(element: ET.Element) -> str:
    """An element of a run with what is in it, on lines."""
    ET.indent(element, level=2)
    return f"    {ET.tostring(element, encoding='unicode')}\n"


def _started_at(view: View) -> str:
    """When the attempt began: what a run that was taken up took before, and the days in between, are not its time."""
    return view.run.attempt_started_at or view.run.started_at


def _seconds(view: View) -> float | None:
    """From the start of the attempt to its end; None where they are not known. Test cases take no time of their own."""
    try:
        start, end = (datetime.fromisoformat(text or "") for text in (_started_at(view), view.run.finished_at))
        return max(0.0, (end - start).total_seconds())
    except (TypeError, ValueError):  # TypeError: one with a time zone, one without
        return None


def _element(suite_name: str, test: _Test) -> ET.Element:
    attributes = {"classname": line(f"{suite_name}.{test.group}"), "name": line(shortened(test.name, _NAME))}
    element = ET.Element("testcase", attributes)
    message, output = shortened(test.message, _MESSAGE), shortened(test.output, _MESSAGE)
    if test.kind is not None:
        result = ET.SubElement(element, test.kind, {"type": test.type, "message": line(message)})
        result.text = visible("\n".join(filter(None, (message, test.text))))
    if output:
        ET.SubElement(element, "system-out").text = visible(output)
    return element


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
        if breaks_gate(view, c):
            yield _Test(c.metric, name, "failure", c.verdict.value, sentence)
        else:
            yield _Test(c.metric, name, output=sentence)


def _broken(view: View) -> frozenset[tuple[str, str, str]]:
    compared = (row.comparison for row in view.comparisons)
    return frozenset((c.metric, c.baseline, c.candidate) for c in compared if breaks_gate(view, c))


def _newly_failing(one: Failing) -> _Test:
    kind = "failure" if one.breaks else "skipped"
    return _Test(one.metric, one.name, kind, one.reason, one.message, text=one.text)


def breaks_gate(view: View, comparison: Comparison) -> bool:
    """Whether a comparison turns the gate red."""
    gate, verdict = view.evaluation.gate, comparison.verdict
    if not comparison.gating:
        return False
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
    moved = f"; {moved_counts(c, row.metric)}"
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
