"""What a run says of an item: it passes, fails, cannot be told, or was not asked. Red exactly where the gate is.

The rules are those of `junit.xml`; an item takes all that is asked of one metric of one candidate together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from snapdrift.model import DecisionWord, Severity, Verdict
from snapdrift.pytest_plugin.messages import decision_text, metric_text, must_pass_text
from snapdrift.reports import figures
from snapdrift.reports.case_views import MustPassStatus
from snapdrift.reports.junit import breaks_gate, comparison_sentence
from snapdrift.verdicts.acceptance_words import acceptance_sentence
from snapdrift.verdicts.increases import increase_broken, increase_unknown, operational_sentence

if TYPE_CHECKING:
    from snapdrift.api import Run
    from snapdrift.reports.view import ComparisonView, View

_RED = (DecisionWord.REGRESSION, DecisionWord.INCONCLUSIVE, DecisionWord.INCOMPLETE)


@dataclass(frozen=True, slots=True)
class About:
    """What an item is about: a metric of a candidate, a must-pass case, or (neither) the decision."""

    metric: str = ""
    candidate: str = ""
    case: str = ""

    @property
    def name(self) -> str:
        """The item's name, as pytest names a parametrised test."""
        if self.metric:
            return f"{self.metric}[{self.candidate}]"
        return f"must_pass[{self.case}]" if self.case else "decision"

    @property
    def words(self) -> set[str]:
        """What `-k` finds it by besides its name."""
        return {word for word in (self.metric, self.candidate, self.case) if word}


class Kind(Enum):
    """How an item ends."""

    PASS = auto()
    FAIL = auto()
    ERROR = auto()
    SKIP = auto()


@dataclass(frozen=True, slots=True)
class Finding:
    """How an item ends and why. `warnings` are of one that passes, `verdict` is the word of a comparison."""

    kind: Kind
    text: str = ""
    warnings: tuple[str, ...] = ()
    verdict: str = ""


def finding_of(about: About, run: Run, *, texts: bool = True) -> Finding:
    """What the run says of an item; without `texts` its messages hold no prompt and no answer."""
    view = run.view
    if view.decision.word is DecisionWord.NOT_GATED:
        return _not_gated(view)
    if about.metric:
        return _metric(about, run, texts=texts)
    return _must_pass(about, run, texts=texts) if about.case else _decision(run)


def _not_gated(view: View) -> Finding:
    """A part that was asked for is skipped; a whole suite that gates nothing would be green for ever."""
    why = " ".join(dict.fromkeys((view.headline, *view.reasons)))
    return Finding(Kind.SKIP if view.run.partial else Kind.ERROR, f"not gated: {why}")


def _decision(run: Run) -> Finding:
    word = run.view.decision.word
    if word is DecisionWord.PASSED:
        return Finding(Kind.PASS, warnings=run.view.decision.warnings)
    return Finding(Kind.ERROR if word is DecisionWord.INCOMPLETE else Kind.FAIL, decision_text(run))


@dataclass(frozen=True, slots=True)
class _Told:
    """Something that is asked of a metric, in a sentence; with severity `warn` it turns nothing red."""

    kind: Kind
    sentence: str
    severe: bool = True


def _metric(about: About, run: Run, *, texts: bool) -> Finding:
    view = run.view
    told = [*_compared(about, view), *_floors(about, view), *_increases(about, view)]
    verdict = ", ".join(row.comparison.verdict.value for row in _comparisons(about, view))
    red = view.decision.word in _RED
    grave = [one for one in told if one.severe and red]
    for kind in (Kind.FAIL, Kind.ERROR):
        sentences = [one.sentence for one in grave if one.kind is kind]
        if sentences:
            return Finding(kind, metric_text(run, about.metric, about.candidate, sentences, texts=texts), (), verdict)
    if view.decision.word is DecisionWord.INCOMPLETE:
        return Finding(Kind.SKIP, f"nothing is concluded of an incomplete run: {view.headline}", (), verdict)
    if not told and _asked_nothing(about, view):
        return Finding(Kind.SKIP, f"not compared: {' '.join(view.reference_sentences)}")
    warnings = tuple(one.sentence for one in told if one.kind is not Kind.PASS)
    return Finding(Kind.PASS, "", warnings + tuple(_accepted(about, view)), verdict)


def _comparisons(about: About, view: View) -> list[ComparisonView]:
    names = (about.metric, about.candidate)
    return [row for row in view.comparisons if (row.comparison.metric, row.comparison.candidate) == names]


def _asked_nothing(about: About, view: View) -> bool:
    """Whether the git tree has no baseline for the candidate (or it asks what it asked there), and no floor is set."""
    candidates = () if view.reference is None else view.reference.candidates
    alone = any(one.candidate == about.candidate and one.baseline is None for one in candidates)
    entries = view.evaluation.gate.metrics
    return alone and not any(entry.metric == about.metric and entry.at_least is not None for entry in entries)


def _accepted(about: About, view: View) -> Iterator[str]:
    """What was left out of the comparison because its loss is accepted: a person should see that it was lost."""
    for row in _comparisons(about, view):
        if row.comparison.left_out is not None and row.comparison.left_out.losses:
            yield figures.typeset(acceptance_sentence(row.comparison, row.metric))


def _compared(about: About, view: View) -> Iterator[_Told]:
    for row in _comparisons(about, view):
        c = row.comparison
        if breaks_gate(view, c):
            yield _Told(Kind.FAIL, comparison_sentence(row))
        elif c.verdict is Verdict.REGRESSED:
            yield _Told(Kind.FAIL, comparison_sentence(row), severe=False)
        elif c.verdict is Verdict.INCONCLUSIVE and c.gating:
            # Under `fail` it breaks the gate; `extend` has spent its allowance and warns.
            yield _Told(Kind.FAIL, comparison_sentence(row), severe=False)


def _floors(about: About, view: View) -> Iterator[_Told]:
    from snapdrift.verdicts.limits import Floor

    specs = {metric.name: metric for metric in view.metrics}
    severity = view.judged.get(about.candidate)
    for entry in view.evaluation.gate.metrics:
        if entry.metric != about.metric or entry.at_least is None or entry.metric not in specs or severity is None:
            continue
        severe = severity is Severity.FAIL and entry.severity is Severity.FAIL
        level, spec = view.levels.get((about.metric, about.candidate)), specs[about.metric]
        floor = Floor(about.metric, about.candidate, entry.at_least, level.mean if level else None, severity)
        seen, asked = figures.level(spec, floor.mean), figures.level(spec, floor.at_least)
        sentence = f"{floor.variant} on {floor.metric}: {seen} observed, at least {asked} is asked."
        if floor.broken or floor.mean is None:
            yield _Told(Kind.FAIL if floor.broken else Kind.ERROR, sentence, severe)


def _increases(about: About, view: View) -> Iterator[_Told]:
    for o in view.evaluation.operational:
        if (o.metric, o.candidate) != (about.metric, about.candidate) or o.max_increase is None:
            continue
        broken, unknown = increase_broken(o), increase_unknown(o)
        if broken or unknown:
            sentence = figures.typeset(operational_sentence(o))
            yield _Told(Kind.FAIL if broken else Kind.ERROR, sentence, o.severity is Severity.FAIL)


def _must_pass(about: About, run: Run, *, texts: bool) -> Finding:
    rows = [row for row in run.view.must_pass if row.case_id == about.case]
    if not rows:
        return Finding(Kind.SKIP, f"{about.case} was not asked: the gate was resolved before it")
    grave = [row for row in rows if row.severity is Severity.FAIL and run.view.decision.word in _RED]
    for kind, status in ((Kind.FAIL, MustPassStatus.FAILED), (Kind.ERROR, MustPassStatus.UNMEASURED)):
        broken = [row for row in grave if row.status is status]
        if broken:
            return Finding(kind, must_pass_text(run, broken, texts=texts))
    others = [row for row in rows if row.status is not MustPassStatus.PASSED]
    return Finding(
        Kind.PASS,
        warnings=tuple(
            f"{row.case_id} on {row.variant}: {', '.join(row.failures) or row.status.value}" for row in others
        ),
    )
