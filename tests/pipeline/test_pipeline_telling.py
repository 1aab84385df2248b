"""What a run tells of itself while it goes on: the suite, what is asked now and how much of it, and what it cost."""

from __future__ import annotations

from snapdrift.execution.records import Phase, Progress
from snapdrift.pipeline.options import RunOptions
from snapdrift.pipeline.said import Said
from snapdrift.pipeline.telling import GradingTold, Telling
from snapdrift.unasked import Unasked


def test_what_answers_cost_goes_on_counting_while_judges_are_asked() -> None:
    told: list[Progress] = []
    telling = Telling("s", 1.0, told.append)
    telling.begin(Phase.ANSWERS, 10)
    for usd in (0.1, 0.2):
        telling(Progress(1, 0, 0, 1, usd))
    telling.begin(Phase.JUDGES, 4)
    telling(Progress(1, 0, 0, 1, 0.05))
    telling.begin(Phase.JUDGES, 1)  # a verdict that could not be read
    telling(Progress(1, 0, 0, 1, 0.01))
    assert [round(state.usd, 2) for state in told] == [0.1, 0.2, 0.25, 0.26]
    assert [(state.phase, state.total) for state in told[1:]] == [
        (Phase.ANSWERS, 10),
        (Phase.JUDGES, 4),
        (Phase.JUDGES, 1),
    ]
    assert {(state.suite, state.budget_usd) for state in told} == {("s", 1.0)}


def test_that_asking_has_ended_is_told_once_something_was_asked() -> None:
    told: list[Progress] = []
    telling = Telling("s", None, told.append)
    telling.grade()
    assert told == []
    telling.begin(Phase.ANSWERS, 3)
    telling(Progress(2, 0, 0, 1, 0.1, held_by="the limit"))
    telling.grade()
    assert (told[-1].phase, told[-1].in_flight, told[-1].held_by, told[-1].usd) == (Phase.GRADING, 0, "", 0.1)


def test_grading_is_told_of_where_it_takes_longer_than_a_few_seconds() -> None:
    told: list[Progress] = []
    moments = iter([0.0, 2.9, 3.0, 9.0])
    graded = GradingTold("s", 200, told.append, lambda: next(moments))
    for _ in range(4):
        graded.add(64)
    assert [(state.suite, state.phase, state.done, state.total) for state in told] == [
        ("s", Phase.GRADING, 192, 200),
        ("s", Phase.GRADING, 200, 200),
    ]


def test_suites_that_are_prepared_again_for_a_fallback_are_told_of_once() -> None:
    told: list[object] = []
    said, options = Said(), RunOptions(notice=told.append, settled=told.append)
    for prepared in (said.kept(options), said.once(options)):
        prepared.notice("a.yaml: affected")
        prepared.settled(Unasked("b.yaml: unchanged", "b", "default"))
    said.once(options).notice("c.yaml: new")
    assert told == ["a.yaml: affected", Unasked("b.yaml: unchanged", "b", "default"), "c.yaml: new"]
