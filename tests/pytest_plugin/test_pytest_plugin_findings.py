"""How each decision and verdict becomes the end of an item, and how workers share runs and money."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.api.capitals import make_workspace

import snapdrift
from snapdrift.errors import UsageError
from snapdrift.pytest_plugin.findings import About, Kind, finding_of
from snapdrift.pytest_plugin.sharing import SharedRuns

CAPITAL, COST, DECISION = About("capital", "november"), About("cost", "november"), About()


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_workspace(tmp_path_factory.mktemp("broken"), wrong=20)


@pytest.fixture(scope="module")
def doubtful(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_workspace(tmp_path_factory.mktemp("doubtful"), wrong=2)


def kinds(run: snapdrift.Run) -> list[Kind]:
    return [finding_of(about, run).kind for about in (CAPITAL, COST, About(case="c59"), DECISION)]


def test_a_regression_fails_its_metric_and_the_decision_and_nothing_else(broken):
    run = snapdrift.run(broken, standin=True)
    assert kinds(run) == [Kind.FAIL, Kind.PASS, Kind.PASS, Kind.FAIL]
    assert finding_of(About(case="c0"), run).kind is Kind.FAIL
    bare = finding_of(CAPITAL, run, texts=False).text
    assert "newly failing (20): c0, c1, " in bare
    assert "idea" not in bare
    assert "Town" not in bare


def test_an_incomplete_run_is_an_error_of_the_decision_and_passes_nothing(broken):
    run = snapdrift.run(broken, standin=True, max_usd=0.0001, fresh=True)
    assert run.decision == "incomplete"
    assert kinds(run) == [Kind.SKIP, Kind.ERROR, Kind.ERROR, Kind.ERROR], "the limit of the cost was not measured"


def test_a_part_that_was_asked_for_is_skipped_as_not_gated(broken):
    run = snapdrift.run(broken, standin=True, cases=["c1", "c59"])
    assert kinds(run) == [Kind.SKIP] * 4
    assert finding_of(DECISION, run).text.startswith("not gated: ")
    of_all = snapdrift.Run(replace(run.view, run=replace(run.view.run, partial=False)), run.path, None)
    assert finding_of(DECISION, of_all).kind is Kind.ERROR, "nothing that was not asked for is skipped in silence"


def test_an_inconclusive_metric_passes_with_a_warning_or_fails_as_the_gate_says(doubtful):
    lenient = snapdrift.run(doubtful, standin=True)
    found = finding_of(CAPITAL, lenient)
    assert (lenient.decision, found.kind, found.verdict) == ("regression", Kind.PASS, "inconclusive"), "c0 must pass"
    assert "inconclusive" in found.warnings[0]
    strict = snapdrift.run(doubtful, standin=True, gate="strict")
    assert finding_of(CAPITAL, strict).kind is Kind.FAIL


def test_workers_of_a_session_share_what_a_run_came_to_and_also_that_it_cannot_be_made(broken, tmp_path):
    asked: snapdrift.RunSettings = {"standin": True, "fresh": True, "state": tmp_path}
    first, second, other = SharedRuns("one"), SharedRuns("one"), SharedRuns("two")
    run = first.run(broken, asked)
    again = second.run(broken, asked)
    assert (again.id, again.report, again.headline) == (run.id, run.report, run.headline)
    assert other.run(broken, asked).id != run.id
    for runs in (first, second):
        with pytest.raises(UsageError, match="OPENAI_API_KEY is not set"):
            runs.run(broken, {"env": {}, "state": tmp_path})


def test_a_ceiling_is_for_all_suites_of_the_session_together(broken, doubtful, tmp_path):
    run = SharedRuns(None).run(broken, {"standin": True, "fresh": True, "state": str(tmp_path / "alone")})
    assert run.usd is not None
    # Enough for one suite, and for a few calls of the next, whatever a call allows itself.
    asked: snapdrift.RunSettings = {"standin": True, "fresh": True, "state": tmp_path / "both"}
    first, second = (SharedRuns("money", max_usd=run.usd * 1.3) for _ in range(2))
    assert first.run(broken, asked).decision == "regression"
    assert second.run(doubtful, {**asked, "max_usd": 50.0}).decision == "incomplete"


def test_a_call_has_its_own_ceiling_within_the_sessions_and_none_is_left_to_the_next(broken, tmp_path):
    own = SharedRuns(None)
    asked: snapdrift.RunSettings = {"standin": True, "fresh": True, "state": tmp_path, "max_usd": 1.0}
    run = own.run(broken, asked)
    assert run.usd
    bounded: snapdrift.RunSettings = {**asked, "max_usd": run.usd * 1.3}
    first, again = own.run(broken, bounded), own.run(broken, {**bounded, "deadline": 500.0})
    assert first.id != again.id
    assert {first.decision, again.decision} == {"regression"}, "what one call spent is not the other's"
    late = SharedRuns(None, deadline=0.0)
    assert late.run(broken, {**asked, "deadline": 500.0}).decision == "incomplete", "the session's time is up"


def test_a_worker_that_opens_the_run_of_another_imports_no_code_where_none_is_wanted(broken, tmp_path, monkeypatch):
    asked: snapdrift.RunSettings = {"standin": True, "state": tmp_path, "code": False}
    SharedRuns("one").run(broken, asked)
    told = []

    def opened(run: str, *, code: bool, **rest: Any) -> snapdrift.Run:
        told.append(code)
        return snapdrift.open_run(run, code=code, **rest)

    monkeypatch.setattr("snapdrift.pytest_plugin.sharing.open_run", opened)
    SharedRuns("one").run(broken, asked)
    assert told == [False]
