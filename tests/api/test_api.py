"""Suites and runs from Python: what is decided, the tables, event loops, and what a mistake looks like."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from tests.api.capitals import NOVEMBER, make_workspace

import snapdrift
from snapdrift.api.settings import log_notice
from snapdrift.errors import StoreError, SuiteError, UsageError


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_workspace(tmp_path_factory.mktemp("workspace"), wrong=20)


@pytest.fixture(scope="module")
def run(suite: Path) -> snapdrift.Run:
    return snapdrift.run(suite, standin=True)


def test_a_run_says_what_was_decided_and_that_its_answers_are_made_up(run):
    assert (run.suite, run.decision, run.exit_code, run.passed) == ("capitals", "regression", 1, False)
    assert run.labels == ("recorded",)
    assert "regression [recorded]" in repr(run)
    assert run.report is not None
    assert run.report.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert run.verdict["format"] == "snapdrift.verdict/1"


def test_every_planned_call_is_a_row_and_every_score_is_one(run):
    answers, scores = run.answers, run.scores
    assert len(answers) == 120
    assert set(answers["outcome"]) == {"ok"}
    by_variant = scores.groupby("variant")["passed"].sum()
    assert (by_variant["august"], by_variant["november"]) == (60, 40)
    assert run.judgements.empty
    assert "grader" in run.judgements.columns


def test_the_comparison_table_has_the_verdict_with_its_interval(run):
    (row,) = run.comparisons.to_dict("records")
    assert (row["metric"], row["candidate"], row["baseline"], row["verdict"]) == (
        "capital",
        "november",
        "august",
        "regressed",
    )
    assert row["ci_low"] < row["difference"] < row["ci_high"] < 0
    assert sorted(row["newly_failing"]) == sorted(f"c{number}" for number in range(20))


def test_the_other_tables_agree_with_the_run(run):
    levels = run.metrics.set_index("variant")["mean"]
    assert levels["november"] == pytest.approx(40 / 60)
    assert set(run.variants["model"]) == {"gpt-4o-2024-08-06", NOVEMBER}
    assert set(run.changes["change"]) == {"newly_failing"}
    groups = run.cases["group"].value_counts()
    assert (groups["newly_failing"], groups["unchanged"]) == (20, 40)
    assert list(run.cases["country"][:2]) == ["Land 0", "Land 1"]
    assert "cost" in set(run.operations["metric"])


def test_a_run_is_found_again_by_latest_by_its_id_and_by_its_file(run, suite):
    for name in ("latest", run.id[:-1], run.path):
        again = snapdrift.open_run(name, workspace=suite.parent)
        assert (again.id, again.headline, again.report) == (run.id, run.headline, run.report)
    assert snapdrift.compare(run).decision == "regression"


def test_what_a_notebook_shows_is_escaped_and_has_no_script(run, suite):
    told = snapdrift.load_suite(suite)._repr_html_() + run._repr_html_()
    assert "&lt;b&gt;by heart&lt;/b&gt;" in told
    assert "<b>" not in told
    assert "<script" not in told
    assert "[recorded]" in told


def test_a_suite_says_what_is_in_it_without_being_run(suite):
    loaded = snapdrift.load_suite(suite)
    assert (loaded.name, loaded.variants, loaded.gates) == ("capitals", ("august", "november"), ("default", "strict"))
    assert loaded.metrics == ("capital",)
    assert list(loaded.cases.columns) == ["id", "tags", "cluster", "expected", "country"]
    assert len(loaded.cases) == 60


def test_two_runs_are_compared_on_the_cases_that_both_asked_alike(run, tmp_path):
    other = make_workspace(tmp_path, wrong=0, cases=70)
    dataset = tmp_path / "datasets" / "capitals.jsonl"
    dataset.write_text(dataset.read_text().replace('"expected": "Town 3"', '"expected": "Town three"'))
    later = snapdrift.run(other, standin=True)
    compared = snapdrift.compare(run, later)
    verdicts = compared.comparisons.set_index("candidate")["verdict"]
    assert verdicts[f"november@{later.id}"] == "improved"
    assert verdicts[f"august@{later.id}"] == "no_worse"
    assert (compared.paired, len(compared.added), compared.removed, compared.changed) == (59, 10, (), ("c3",))
    assert "[recorded]" in repr(compared)
    assert "10 added" in compared._repr_html_()
    crossed = snapdrift.compare(run, later, pairs=[("august", "november")])
    assert list(crossed.comparisons["baseline"]) == [f"august@{run.id}"]
    with pytest.raises(UsageError, match=r"has no variant 'mini'; expected one of august, november"):
        snapdrift.compare(run, later, pairs=[("mini", "november")])


def test_it_runs_inside_an_event_loop_awaited_or_not(run, suite):
    async def both() -> tuple[snapdrift.Run, snapdrift.Run]:
        return snapdrift.run(suite, standin=True), await snapdrift.load_suite(suite).arun(standin=True, fresh=True)

    taken_up, fresh = asyncio.run(both())
    assert (taken_up.id, taken_up.view.run.attempt) == (run.id, 2)
    assert fresh.id != run.id
    assert fresh.decision == "regression"


def test_a_cancelled_run_keeps_its_answers_and_goes_on_when_it_is_called_again(tmp_path):
    suite = make_workspace(tmp_path, wrong=20, latency="20")
    seen: list[int] = []

    async def cancelled() -> None:
        begun = asyncio.Event()
        loop = asyncio.get_running_loop()

        def progress(state: object) -> None:
            seen.append(state.answered)  # type: ignore[attr-defined]
            if state.answered >= 5:  # type: ignore[attr-defined]
                loop.call_soon_threadsafe(begun.set)

        task = asyncio.create_task(snapdrift.arun(suite, standin=True, concurrency=1, progress=progress))
        await asyncio.wait_for(begun.wait(), 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert 5 <= max(seen) < 120
    with pytest.raises(StoreError, match=r"is not finished; go on with it"):
        snapdrift.open_run("latest", workspace=tmp_path)
    run = snapdrift.run(suite, standin=True)
    (only,) = (tmp_path / ".snapdrift" / "runs").glob("*.db")
    assert run.path == only
    assert run.answers["outcome"].eq("ok").all()
    assert run.view.run.attempt == 1


def test_a_mistake_in_a_suite_is_an_error_with_its_places(tmp_path):
    suite = make_workspace(tmp_path, wrong=0)
    suite.write_text(suite.read_text().replace("exact:", "exakt:").replace("[november]", "[novembre]"))
    with pytest.raises(SuiteError) as raised:
        snapdrift.load_suite(suite)
    assert [problem.line for problem in raised.value.problems] == [10, 14]


def test_what_makes_no_sense_is_refused_before_anything_is_sent(suite):
    with pytest.raises(TypeError, match=r"unknown setting 'models'; expected one of gate, standin"):
        snapdrift.run(suite, models=["gpt-4o"])  # type: ignore[call-arg]
    for settings, told in (
        ({"max_usd": float("inf")}, "max_usd: found inf"),
        ({"max_usd": 1e12}, "max_usd: found 1000000000000.0; expected dollars from 0 to 1,000,000,000"),
        ({"sample": 0}, "sample: found 0"),
        ({"deadline": 0}, "deadline: found 0"),
        ({"repeats": True}, "repeats: found True"),
    ):
        with pytest.raises(UsageError, match=told):
            snapdrift.run(suite, standin=True, **settings)
    with pytest.raises(UsageError, match="OPENAI_API_KEY is not set"):
        snapdrift.run(suite, env={})


def test_notices_are_logged_without_keys_of_the_environment(suite, caplog):
    with caplog.at_level(logging.WARNING, logger="snapdrift"):
        snapdrift.run(suite, standin=True, env={"OUR_API_KEY": "swordfish-4711-swordfish"})
        log_notice("refused: swordfish-4711-swordfish")
    assert "its answers stand" in caplog.text
    assert caplog.messages[-1] == "refused: [key]"


def test_the_stand_in_serves_ones_own_code_and_says_what_it_is():
    from openai import OpenAI

    with snapdrift.start_standin(behaviour="plausible", seed=3) as standin:
        assert (standin.label, str(standin)) == ("simulated", standin.base_url)
        with OpenAI(base_url=standin.base_url, api_key=standin.api_key) as client:
            answer = client.responses.create(model=NOVEMBER, input="Say something.")
        assert answer.output_text
        assert standin.environment["OPENAI_BASE_URL"] == standin.base_url


def test_importing_the_package_and_naming_its_api_loads_nothing_heavy():
    heavy = "{'pandas', 'numpy', 'scipy', 'openai', 'jinja2', 'pydantic', 'rich', 'pytest'}"
    code = f"import sys, snapdrift\nsnapdrift.run, snapdrift.Case\nprint(sorted({heavy} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout == "[]\n"
    assert {"run", "compare", "open_run", "load_suite"} <= set(dir(snapdrift))
