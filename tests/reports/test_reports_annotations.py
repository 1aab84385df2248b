"""Annotations: what decided stands at the line that asks for it, and nothing in it is a command of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapdrift.conclusions import Decision
from snapdrift.errors import ConfigError, InsufficientError, Problem, SeveralErrors, SuiteError, UsageError
from snapdrift.model import DecisionWord, MetricGate, MustPass
from snapdrift.reports import View, build_view
from snapdrift.reports.annotations import (
    KEPT,
    Annotation,
    Level,
    annotations_of,
    annotations_of_error,
    kept,
    workflow_command,
)
from snapdrift.suites.gate_lines import gate_lines

SUITE = """\
suite: ticket-triage
gates:
  base:
    metrics:
      valid: {margin: 0.03, at_least: 0.9}
      tone: {margin: 0.05, severity: warn}
  default:
    extends: base
    must_pass: {tag: golden}
    metrics:
      queue: {margin: 0.03}
"""
LINES = gate_lines(SUITE, "evals/ticket-triage.yaml", "default")
VALID, DEFAULT, MUST_PASS, QUEUE = 5, 7, 9, 11


@pytest.fixture(scope="module")
def view(make_run: Callable[..., Any]) -> View:
    """A run whose candidate breaks its answers: two regressions, a floor, must-pass cases, and warnings."""
    return build_view(make_run(cases=200).build(must_pass=MustPass(tags=("golden",)), max_blind=0.3))


def test_regressions_and_floors_stand_at_their_metrics_and_must_pass_at_its_own_line(view: View) -> None:
    errors = [one for one in annotations_of(view, LINES) if one.level is Level.ERROR]
    assert [one.message.split(" [simulated]")[0].split(" Newly failing")[0] for one in errors] == [
        *view.decision.reasons
    ]
    worse = {one.line: one.message for one in errors if "is worse than" in one.message}
    assert worse.keys() == {VALID, QUEUE}
    assert "Newly failing: delivery-002, " in worse[VALID]
    assert " more. [simulated]" in worse[VALID]
    assert {one.line for one in errors if "at least" in one.message} == {VALID}
    assert {one.line for one in errors if "must-pass" in one.message} == {MUST_PASS}


def test_warnings_of_a_decision_are_warnings_and_never_errors(view: View) -> None:
    warnings = [one for one in annotations_of(view, LINES) if one.level is Level.WARNING]
    assert len(warnings) == len(view.decision.warnings)
    assert all(one.file == "evals/ticket-triage.yaml" and one.line for one in warnings)


def test_what_a_run_passed_with_is_not_annotated(make_run: Callable[..., Any]) -> None:
    run = make_run(cases=200).build(max_blind=0.3)
    gate = replace(run.evaluation.gate, metrics=(MetricGate("tone", 0.05),), pairs=run.evaluation.gate.pairs[1:])
    passed = replace(run.evaluation, gate=gate, decision=Decision(DecisionWord.PASSED, ("Fine.",), ("But see.",)))
    told = annotations_of(build_view(replace(run, evaluation=passed)), LINES)
    assert [(one.level, one.message, one.line) for one in told] == [
        (Level.WARNING, "But see. [simulated] [uncalibrated judge]", DEFAULT),
    ]


def test_a_gate_that_is_not_in_the_file_any_more_is_shown_at_its_first_line() -> None:
    lines = gate_lines("suite: x\n", "evals/x.yaml", "nightly")
    assert (lines.gate.line, lines.metric("valid").line, lines.must_pass.line) == (1, 1, 1)
    assert gate_lines("gates: [", "evals/x.yaml", "nightly").metrics == {}


def test_a_part_of_a_grader_is_shown_where_the_whole_is_asked_about() -> None:
    lines = gate_lines("gate:\n  metrics:\n    fields: {margin: 0.1}\n", "f", "default")
    assert lines.metric("fields.total").line == 3


def test_a_circle_of_gates_ends() -> None:
    circle = "gates:\n  a: {extends: b}\n  b: {extends: a, metrics: {m: {margin: 0.1}}}\n"
    assert gate_lines(circle, "f", "a").metric("m").line == 3


def test_mistakes_of_several_suites_keep_their_places() -> None:
    one = SuiteError([Problem("evals/a.yaml", 3, 5, "gates.default", "unknown key", "expected another")])
    two = UsageError("evals/b.yaml: --tag: found no case tagged x; expected one of: y")
    three = ConfigError("snapdrift.toml:2:1: prices: found text; expected a table")
    told = annotations_of_error(SeveralErrors([one, two, three]))
    assert [(each.file, each.line, each.column) for each in told] == [
        ("evals/a.yaml", 3, 5),
        ("evals/b.yaml", 0, 0),
        ("snapdrift.toml", 2, 1),
    ]
    assert told[0].message == "gates.default: unknown key; expected another"


def test_an_error_without_a_place_is_one_sentence() -> None:
    (told,) = annotations_of_error(UsageError("no suites: expected at least one YAML file\n  such as evals/*.yaml"))
    assert (told.file, told.message.count("\n")) == ("", 1)


def test_a_gate_that_could_never_tell_is_shown_at_each_metric() -> None:
    error = InsufficientError("whole", [Problem("evals/a.yaml", 7, 5, "", "", "gate default could never tell: ...")])
    (told,) = annotations_of_error(error)
    assert (told.line, told.message) == (7, "gate default could never tell: ...")


def test_what_a_command_ends_with_is_spelled_out() -> None:
    annotation = Annotation(Level.ERROR, "100%\n::error::x", "a: b, c", "evals/a,b:c.yaml", 3, 7)
    assert workflow_command(annotation) == (
        "::error file=evals/a%2Cb%3Ac.yaml,line=3,col=7,title=a%3A b%2C c::100%25%0A::error::x"
    )
    assert workflow_command(Annotation(Level.NOTICE, "told")) == "::notice::told"


@settings(max_examples=50)
@given(st.text(), st.text(), st.text(min_size=1))
def test_no_text_makes_a_second_line_or_property(message: str, title: str, file: str) -> None:
    command = workflow_command(Annotation(Level.WARNING, message, title, file, 1, 1))
    assert len(command.splitlines()) == 1
    properties = command.removeprefix("::warning ").partition("::")[0]
    assert properties.count(",") == (3 if title else 2)


def test_more_than_github_keeps_are_counted_in_the_last() -> None:
    told = [Annotation(Level.ERROR, str(number)) for number in range(KEPT + 5)] + [Annotation(Level.WARNING, "w")]
    shown = list(kept(told))
    assert [one.level for one in shown].count(Level.ERROR) == KEPT
    assert shown[KEPT - 1].message == "6 more of this kind, in the log of the step"
    assert shown[KEPT].message == "w"
