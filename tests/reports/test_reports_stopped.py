"""A run that was stopped early, in every rendering: labelled, with what was not needed apart from what is missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.reports.held import changed, held

from snapdrift.conclusions import Sequential
from snapdrift.model import MustPass, Outcome
from snapdrift.reports import RunData, View, build_view, render_terminal, render_verdict
from snapdrift.reports.case_views import CaseGroup
from snapdrift.reports.html import render_html
from snapdrift.reports.markdown import render_markdown

SENTENCE = (
    "Stopped after 20 of 30 cases; answers after that were not needed; what ended the asking is likely overstated: "
    "a drop looks larger, and no change better, than it is."
)
STOPPED = Sequential(open_ended=False, fed=20, planned=30, sample=30, unit_size=1, stopped=True, resolved=True)


@pytest.fixture
def stopped(make_run: Callable[..., Any]) -> RunData:
    """The last ten of thirty cases were never asked; the last of them but one is a case that must pass."""
    data: RunData = make_run().build(must_pass=MustPass(tags=("golden",)))
    spared = frozenset(case.id for case in held(data).cases[20:])
    comparisons = tuple(
        replace(
            one,
            newly_failing=tuple(case for case in one.newly_failing if case not in spared),
            newly_passing=tuple(case for case in one.newly_passing if case not in spared),
        )
        for one in data.evaluation.comparisons
    )
    return changed(
        data,
        responses=tuple(r for r in held(data).responses if r.call.case_id not in spared),
        scores=tuple(s for s in held(data).scores if s.case_id not in spared),
        evaluation=replace(data.evaluation, comparisons=comparisons, sequential=STOPPED),
        spared=spared,
    )


def test_the_label_and_its_sentence_are_in_every_rendering(stopped: RunData) -> None:
    view: View = build_view(stopped)

    assert ("stopped early", SENTENCE) in [(label.word, label.meaning) for label in view.labels]
    for text in (render_terminal(view, width=200), render_markdown(view), render_html(view)):
        assert "stopped early" in text
        assert SENTENCE in text
    document = json.loads(render_verdict(view))
    assert {"word": "stopped early", "meaning": SENTENCE} in document["labels"]
    assert (document["sequential"]["fed"], document["sequential"]["planned"]) == (20, 30)


def test_what_was_not_needed_is_a_group_of_its_own(stopped: RunData) -> None:
    view = build_view(stopped)
    unneeded = [case for case in view.cases if case.group is CaseGroup.NOT_NEEDED]

    assert {case.case.id for case in unneeded} == stopped.spared
    assert {answer.outcome for case in unneeded for answer in case.answers} == {Outcome.NOT_NEEDED}
    assert sum(view.counts.values()) == 30


def test_an_answer_beyond_the_stop_is_no_change_that_was_counted(stopped: RunData, make_run) -> None:
    """What was in flight at the stop was answered, and no comparison rests on it."""
    whole: RunData = make_run().build()
    moved = {case for one in whole.evaluation.comparisons for case in one.newly_failing} & stopped.spared
    in_flight = changed(stopped, responses=held(whole).responses, scores=held(whole).scores)
    groups = {case.case.id: case.group for case in build_view(in_flight).cases}

    assert moved
    assert {groups[case] for case in moved} == {CaseGroup.NOT_NEEDED}


def test_a_case_that_must_pass_and_was_not_needed_is_not_listed_as_unmeasured(stopped: RunData) -> None:
    golden = {case.id for case in held(stopped).cases if "golden" in case.tags}
    listed = {check.case_id for check in build_view(stopped).must_pass}

    assert golden & stopped.spared
    assert listed == golden - stopped.spared


def test_the_assumptions_say_how_alpha_is_divided(stopped: RunData) -> None:
    hybrid = dict(build_view(stopped).assumptions)["looks"]
    topped_up = replace(stopped.evaluation, sequential=replace(STOPPED, open_ended=True))
    open_ended = dict(build_view(replace(stopped, evaluation=topped_up)).assumptions)["looks"]

    assert "looked at every 25 units in a drawn order; 1/5 of alpha to the looks, one fixed test at 4/5" in hybrid
    assert "all of alpha to the looks, intervals by betting" in open_ended


def test_a_run_of_a_fixed_number_of_cases_says_nothing_of_looks(make_run: Callable[..., Any]) -> None:
    view = build_view(make_run().build())
    assert "looks" not in dict(view.assumptions)
    assert "stopped early" not in [label.word for label in view.labels]
    assert json.loads(render_verdict(view))["sequential"] is None
