"""Annotations: what a run found, or what is wrong with a suite, at file and line, in GitHub's workflow commands.

A line `::error file=F,line=N,col=N,title=T::MESSAGE` on the output of a step becomes a remark beside that line of a
pull request (GitHub Docs, "Workflow commands for GitHub Actions"). Of each level GitHub keeps the first ten of a step.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from snapdrift.conclusions import Comparison
from snapdrift.errors import Problem, SnapdriftError
from snapdrift.model import DecisionWord
from snapdrift.reports.escaping import shortened, visible
from snapdrift.reports.scales import without_mark
from snapdrift.reports.view import View
from snapdrift.suites.document import Position
from snapdrift.suites.gate_lines import GateLines
from snapdrift.verdicts.decision import floor_sentence
from snapdrift.verdicts.increases import operational_sentence
from snapdrift.verdicts.limits import Floor
from snapdrift.verdicts.words import comparison_sentence

KEPT = 10
"""Annotations of a level that GitHub keeps of one step."""
LENGTH = 4_000
"""Characters of one message."""
_IDS = 10


class Level(StrEnum):
    """How grave an annotation is."""

    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True)
class Annotation:
    """A remark; `file` is a path from the repository's root, empty where no file has the line. 0: not known."""

    level: Level
    message: str
    title: str = ""
    file: str = ""
    line: int = 0
    column: int = 0


def workflow_command(annotation: Annotation) -> str:
    """The annotation as one line. Nothing in it can end the command or begin another."""
    places = {"line": annotation.line, "col": annotation.column} if annotation.file else {}
    properties = {
        **({"file": _property(annotation.file)} if annotation.file else {}),
        **{name: str(number) for name, number in places.items() if number},
        **({"title": _property(annotation.title)} if annotation.title else {}),
    }
    told = ",".join(f"{name}={value}" for name, value in properties.items())
    message = shortened(visible(annotation.message), LENGTH)
    return f"::{annotation.level}{' ' if told else ''}{told}::{_data(message)}"


def kept(annotations: Iterable[Annotation]) -> Iterator[Annotation]:
    """As many of each level as are shown, in their order; the last of a level that has more says how many."""
    told = list(annotations)
    for level in Level:
        own = [one for one in told if one.level is level]
        yield from own if len(own) <= KEPT else own[: KEPT - 1]
        if len(own) > KEPT:
            yield Annotation(level, f"{len(own) - KEPT + 1} more of this kind, in the log of the step", "Snapdrift")


def annotations_of(view: View, lines: GateLines) -> tuple[Annotation, ...]:
    """What decided a run, and what it warns of, each at the line of the gate that asks for it."""
    level = Level.ERROR if view.decision.exit_code else None
    if view.decision.word is DecisionWord.NOT_GATED:
        level = Level.WARNING
    places, cases = _metrics_of(view), _cases_of(view)
    title = f"Snapdrift: {view.run.suite} {view.decision.word.value}"
    labels = "".join(f" [{label.word}]" for label in view.labels)

    def annotation(level: Level, text: str) -> Annotation:
        at = _place(text, places, lines)
        message = f"{text}{cases.get(text, '')}{labels}"
        return Annotation(level, message, title, lines.file, at.line, at.column)

    reasons = [annotation(level, text) for text in view.decision.reasons] if level else []
    return (*reasons, *(annotation(Level.WARNING, text) for text in view.decision.warnings))


def annotations_of_error(error: SnapdriftError) -> tuple[Annotation, ...]:
    """A user's mistakes, each at its place; a sentence without a place where the error names none."""
    problems: Sequence[Problem] = getattr(error, "problems", ())
    several: Sequence[SnapdriftError] = getattr(error, "errors", ())
    if several:
        return tuple(one for each in several for one in annotations_of_error(each))
    if problems:
        return tuple(map(_of_problem, problems))
    return tuple(map(_of_line, _sentences(str(error))))


def _of_problem(problem: Problem) -> Annotation:
    place = f"{problem.path}: " if problem.path else ""
    message = f"{place}{problem.found}; {problem.expected}" if problem.found else problem.expected
    return Annotation(Level.ERROR, message, "Snapdrift", problem.file, problem.line, problem.column)


_WHERE = re.compile(r"(?P<file>[^\s:][^:\n]*\.(?:ya?ml|toml|jsonl?|csv|py)):(?:(?P<line>\d+):)?(?:(?P<column>\d+):)? +")


def _of_line(text: str) -> Annotation:
    """A sentence that begins with its place, `FILE: ` or `FILE:LINE:COLUMN: `, or with none."""
    found = _WHERE.match(text)
    if found is None:
        return Annotation(Level.ERROR, text, "Snapdrift")
    line, column = int(found["line"] or 0), int(found["column"] or 0)
    return Annotation(Level.ERROR, text[found.end() :], "Snapdrift", found["file"], line, column)


def _sentences(message: str) -> list[str]:
    """The lines of a message, those that are indented with the line that they belong to."""
    sentences: list[str] = []
    for text in message.splitlines():
        if sentences and text[:1].isspace():
            sentences[-1] += f"\n{text}"
        elif text.strip():
            sentences.append(text)
    return sentences or [message]


def _metrics_of(view: View) -> dict[str, str]:
    """By sentence of the decision: the metric that it is about."""
    specs = {metric.name: metric for metric in view.metrics}
    told = {comparison_sentence(c, specs.get(c.metric)): c.metric for c in view.evaluation.comparisons}
    told |= {operational_sentence(one): one.metric for one in view.evaluation.operational}
    for entry in view.evaluation.gate.metrics:
        for variant, severity in view.judged.items() if entry.at_least is not None else ():
            level = view.levels.get((entry.metric, variant))
            floor = Floor(entry.metric, variant, entry.at_least or 0.0, level.mean if level else None, severity)
            told[floor_sentence(floor, specs.get(entry.metric))] = entry.metric
    return told


def _cases_of(view: View) -> dict[str, str]:
    """By sentence of the decision: the ids of the cases that newly fail, as far as there is room."""
    specs = {metric.name: metric for metric in view.metrics}
    failing = [c for c in view.evaluation.comparisons if c.newly_failing]
    scales = without_mark(view.metrics)
    return {comparison_sentence(c, specs.get(c.metric)): _listed(c, on_scale=c.metric in scales) for c in failing}


def _listed(comparison: Comparison, *, on_scale: bool) -> str:
    ids = comparison.newly_failing
    more = f" and {len(ids) - _IDS} more" if len(ids) > _IDS else ""
    return f" {'Worse' if on_scale else 'Newly failing'}: {', '.join(ids[:_IDS])}{more}."


def _place(text: str, metrics: dict[str, str], lines: GateLines) -> Position:
    if text in metrics:
        return lines.metric(metrics[text])
    return lines.must_pass if "must pass" in text or "must-pass" in text else lines.gate


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(visible(text)).replace(":", "%3A").replace(",", "%2C")
