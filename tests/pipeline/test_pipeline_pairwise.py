"""Pairwise judging in whole runs: what is asked, what is concluded, and that nothing is asked twice."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest

from snapdrift import pipeline
from snapdrift.conclusions import Comparison
from snapdrift.errors import InsufficientError, Interrupted, SuiteError, UsageError
from snapdrift.execution.engine import Progress
from snapdrift.model import CallKey, Outcome, Purpose, Verdict
from snapdrift.pipeline.drawing import DrawRequest, draw_sheet
from snapdrift.pipeline.judgements import Judgements
from snapdrift.pipeline.prepare import prepare
from snapdrift.pipeline.sequences import order_of
from snapdrift.pipeline.suite_graders import graders_of
from snapdrift.reports.markdown import render_markdown
from snapdrift.reports.terminal import render_terminal
from snapdrift.standin.behaviours import Behaviour
from snapdrift.standin.config import Profile, StandinConfig
from snapdrift.standin.fault_scripts import FaultRule
from snapdrift.standin.faults import Fault
from snapdrift.standin.launch import StandinProcess
from snapdrift.store import RunState, RunWriter, list_runs, open_run

LANDS, CASES = 120, 48
OLD, NEW = "gpt-4o-2024-08-06", "gpt-4o-2024-11-20"
SUITE = """\
suite: lands
{top}dataset: datasets/lands.jsonl
prompt: {{input: "What is the capital of {{{{ country }}}}?"}}
request: {{temperature: 0, max_output_tokens: 64}}
variants:
  august: {{model: gpt-4o-2024-08-06}}
  november: {{model: gpt-4o-2024-11-20}}
{variants}graders:
  - {{name: better, pairwise: graders/better.yaml}}
gate:
  baseline: {{variant: august}}
  candidates: {candidates}
  metrics: {{better: {{margin: 0.2}}}}
  max_blind: 0.35
{more}"""
AGAIN = "  again: {model: gpt-4o-2024-08-06, request: {max_output_tokens: 63}}\n"
RUBRIC = "mode: pairwise\nallow_retiring: true\nmodel: gpt-4o-2024-11-20\ncriteria: {criteria}\n"


def answer_of(model: str, number: int) -> str:
    """Of four cases the newer model says the same in one, more in one, and less in two."""
    town = f"The capital of Land {number} is Town {number}."
    longer = {(OLD, 2), (OLD, 3), (NEW, 1)}
    return f"{town} It lies on a wide river between two hills." if (model, number % 4) in longer else town


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., tuple[str, Path]]]:
    """Starts a stand-in that knows the lands; gives its URL and its log of requests."""
    recordings = tmp_path_factory.mktemp("lands") / "lands.jsonl"
    rows = [
        {"model": model, "input": f"What is the capital of Land {i}?", "output": answer_of(model, i)}
        for i in range(LANDS)
        for model in (OLD, NEW)
    ]
    recordings.write_text("".join(json.dumps(row) + "\n" for row in rows))

    with ExitStack() as stack:

        @cache
        def start(first: float = 0.0, *rules: FaultRule) -> tuple[str, Path]:
            log = tmp_path_factory.mktemp("log") / "requests.jsonl"
            config = StandinConfig(
                profiles=(Profile(recordings=(recordings,), fallback="judge"),),
                behaviours={"judge": Behaviour(judge_first=first, judge_prefers=1.0)},
                latency="lognormal:5,20",
                fault_rules=rules,
                log=log,
            )
            return stack.enter_context(StandinProcess(config)).base_url, log

        yield start


def made(root: Path, *, top: str = "", more: str = "", candidates: str = "[november]", cases: int = CASES) -> Path:
    """Makes a workspace and its suite."""
    for folder in ("evals", "datasets", "graders"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "snapdrift.toml").write_text("")
    (root / "graders" / "better.yaml").write_text(RUBRIC.format(criteria="It names the capital."))
    rows = [{"id": f"c{i}", "country": f"Land {i}"} for i in range(cases)]
    (root / "datasets" / "lands.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    path = root / "evals" / "lands.yaml"
    variants = AGAIN if "again" in candidates else ""
    path.write_text(SUITE.format(top=top, more=more, candidates=candidates, variants=variants))
    return path


@pytest.fixture
def suite(tmp_path: Path) -> Callable[..., Path]:
    """Makes a suite in a workspace of the test's own."""
    return partial(made, tmp_path / "workspace")


@pytest.fixture(scope="module")
def lost(ask: Callable[..., tuple[str, Path]], tmp_path_factory: pytest.TempPathFactory) -> pipeline.RunOutcome:
    """A run that is only looked at: its candidate loses more than it wins."""
    return run(made(tmp_path_factory.mktemp("lost") / "workspace"), ask()[0])


def options(url: str, **more: Any) -> pipeline.RunOptions:
    made = pipeline.RunOptions(
        target=pipeline.TargetOptions(base_url=url), limits=pipeline.Limits(concurrency=6), fresh=True
    )
    return replace(made, **more)


def run(path: Path, url: str, **more: Any) -> pipeline.RunOutcome:
    (outcome,) = pipeline.run_suites([path], options(url, **more))
    return outcome


def received(log: Path, run_id: str) -> int:
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return sum(line["event"] == "received" and line["run"].endswith(run_id) for line in lines)


def concluded(comparison: Comparison) -> list[Any]:
    return [comparison.difference, comparison.p_value, comparison.verdict, comparison.newly_failing]


def test_a_gate_that_requires_it_is_red_where_the_candidate_mostly_loses(lost, ask) -> None:
    outcome, (_, log) = lost, ask()
    (comparison,), (orders,) = outcome.evaluation.comparisons, outcome.evaluation.gradings.orders
    assert (comparison.verdict, outcome.exit_code) == (Verdict.REGRESSED, 1)
    # Of four cases two are lost, one is won, and one has the same answer twice.
    assert (comparison.n, comparison.difference) == (CASES, -0.25)
    assert (orders.judged, orders.wins, orders.losses, orders.disagreements) == (36, 12, 24, 0)
    assert (orders.unasked_ties, orders.p_position) == (12, None)
    assert received(log, outcome.run_id) == 2 * CASES + 2 * 36
    with open_run(outcome.run_path) as stored:
        asked = Counter(key.grader for key in stored.calls() if key.purpose is Purpose.JUDGE)
        variants = {key.variant for key in stored.calls() if key.purpose is Purpose.JUDGE}
    assert asked == {"better.1.forward": 36, "better.1.backward": 36}
    assert variants == {"november"}


def test_the_report_says_how_pairs_were_judged_and_shows_the_difference_on_its_scale(lost) -> None:
    outcome = lost
    text = " ".join(render_terminal(outcome.view).split())
    page = outcome.reports.html.read_text()
    document = json.loads(outcome.reports.verdict.read_text())
    assert "better 0.00 → −0.25 −0.25 [" in text
    assert "of 48 cases it loses 24, wins 12 and ties 12." in text
    assert "24 cases newly fail, 12 newly pass; all of the 24 are lost to the baseline." in text
    assert "orders: `november` against `august` on better: of 36 pairs of answers that were judged in both" in text
    assert '<section class="orders" id="orders"' in page
    (orders,) = document["orders"]
    assert (orders["judged"], orders["wins"], orders["losses"], orders["ties"]) == (36, 12, 24, 0)
    assert orders["sentence"].startswith("`november` against `august` on better: ")
    (comparison,) = document["comparisons"]
    assert (comparison["baseline_mean"], comparison["candidate_mean"], comparison["difference"]) == (0.0, -0.25, -0.25)
    assert [label.word for label in outcome.view.labels] == ["recorded", "uncalibrated judge"]
    details = [score for case in outcome.view.cases for answer in case.answers for score in answer.scores]
    score = next(score for score in details if score.case_id == "c2")
    assert [line.partition(": ")[0] for line in score.evidence] == [
        "against august, baseline first",
        "against august, candidate first",
    ]
    assert "Simulated verdict" in score.evidence[0]


def test_a_case_that_a_candidate_wins_is_listed_as_won_and_not_as_what_it_was_before(lost) -> None:
    page, summary = lost.reports.html.read_text(), render_markdown(lost.view)
    assert "better on november (won)" in summary
    assert "better on november (lost)" in summary
    assert "better, november: won" in page
    assert "was lost" not in page + summary


def test_one_model_on_both_sides_gives_nothing_and_asks_nothing(suite, ask) -> None:
    url, log = ask()
    outcome = run(suite(candidates="[again]"), url)

    (comparison,), (orders,) = outcome.evaluation.comparisons, outcome.evaluation.gradings.orders
    assert (comparison.difference, comparison.verdict, outcome.exit_code) == (0.0, Verdict.NO_WORSE, 0)
    assert (orders.judged, orders.unasked_ties) == (0, CASES)
    assert received(log, outcome.run_id) == 3 * CASES


def test_a_judge_that_goes_by_the_place_makes_ties_and_is_told(suite, ask) -> None:
    outcome = run(suite(), ask(1.0)[0])

    (comparison,), (orders,) = outcome.evaluation.comparisons, outcome.evaluation.gradings.orders
    assert (comparison.difference, comparison.newly_failing) == (0.0, ())
    assert (orders.disagreements, orders.first_preferred) == (36, 1.0)
    assert any("favours the answer shown first" in warning for warning in outcome.evaluation.decision.warnings)


def test_every_candidate_is_compared_with_its_own_baselines_only(suite, ask) -> None:
    path = suite(candidates="[again]")
    pairs = "[{from: august, to: november}, {from: november, to: again}, {from: august, to: again, severity: warn}]"
    text = path.read_text().replace("  baseline: {variant: august}\n  candidates: [again]\n", f"  compare: {pairs}\n")
    path.write_text(text)

    outcome = run(path, ask()[0])

    found = {(one.baseline, one.candidate): one.difference for one in outcome.evaluation.comparisons}
    assert found == {("august", "november"): -0.25, ("november", "again"): 0.25, ("august", "again"): 0.0}
    with open_run(outcome.run_path) as stored:
        asked = {(key.variant, key.grader) for key in stored.calls() if key.purpose is Purpose.JUDGE}
    assert asked == {(v, f"better.1.{order}") for v in ("november", "again") for order in ("forward", "backward")}


def test_a_changed_rubric_is_asked_anew_and_the_answers_are_not(suite, ask) -> None:
    url, log = ask()
    path = suite()
    outcome = run(path, url)
    before = received(log, outcome.run_id)
    (path.parent.parent / "graders" / "better.yaml").write_text(RUBRIC.format(criteria="It is short."))

    again = pipeline.regrade_run(outcome.run_id, options(url), path.parent)
    same = pipeline.regrade_run(outcome.run_id, options(url), path.parent)

    assert received(log, outcome.run_id) == before + 72
    assert concluded(again.evaluation.comparisons[0]) == concluded(same.evaluation.comparisons[0])


def test_a_run_that_lost_verdicts_goes_on_with_those_alone(suite, ask) -> None:
    url, log = ask()
    path = suite()
    outcome = run(path, url)
    before, expected = received(log, outcome.run_id), concluded(outcome.evaluation.comparisons[0])
    with RunWriter.open(outcome.run_path) as writer:
        with open_run(outcome.run_path) as stored:
            lost = [key for key in stored.calls() if key.grader == "better.1.backward"][:5]
            kept = [(stored.response(key), stored.request(key)) for key in lost]
        writer.set_state(RunState.INTERRUPTED)
        for response, request in kept:
            assert response is not None
            assert request is not None
            writer.record_now(replace(response, outcome=Outcome.MISSING, text=""), request)

    resumed = pipeline.resume_run(outcome.run_id, options(url), path.parent)

    assert received(log, outcome.run_id) == before + 5
    assert concluded(resumed.evaluation.comparisons[0]) == expected


@pytest.mark.parametrize("part", ["answers", "verdicts"])
def test_a_provider_that_fails_leaves_its_pairs_unmeasured_and_says_so(part: str, suite, ask) -> None:
    rule = {
        "answers": FaultRule(fault=Fault.UNPROCESSABLE, variant="august", case="c3", times=None),
        "verdicts": FaultRule(
            fault=Fault.UNPROCESSABLE, variant="november?judge=better.1.forward", case="c3", times=None
        ),
    }[part]
    outcome = run(suite(candidates="[again, november]"), ask(0.0, rule)[0])

    found = {one.candidate: one for one in outcome.evaluation.comparisons}
    lost = (found["november"].n, found["november"].unmeasured_calls)
    assert lost == (CASES - 1, 1)
    assert found["again"].n == (CASES - 1 if part == "answers" else CASES)
    assert any(
        "better was scored on 97.9% of the planned calls of `november` against `august`" in reason
        for reason in outcome.evaluation.decision.reasons
    )


def test_an_estimate_counts_two_questions_a_pair_a_case_and_a_repeat(suite, ask) -> None:
    path = suite(candidates="[november, again]", top="repeats: 2\n")

    (plan,) = pipeline.plan_suites([path], options("http://127.0.0.1:9"))

    (judge,) = plan.judges
    assert judge.estimate.requests == 2 * 2 * 2 * CASES


# ------------------------------------------------------------------------------------------ looked at while it grows


def lost_cases(path: Path, number: int) -> list[str]:
    """Leaves only cases that the candidate loses."""
    ids = [i for i in range(LANDS) if i % 4 > 1][:number]
    rows = [{"id": f"c{i}", "country": f"Land {i}"} for i in ids]
    (path.parent.parent / "datasets" / "lands.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [row["id"] for row in rows]


def test_a_run_stops_early_on_preferences_whatever_comes_back_first(suite, ask) -> None:
    url, log = ask()
    path = suite(top="early_stop: true\n", more="  discordance: 0.05\n")
    cases = lost_cases(path, 60)

    one, many = (run(path, url, limits=pipeline.Limits(concurrency=number)) for number in (1, 8))

    for outcome in (one, many):
        went, (comparison,) = outcome.evaluation.sequential, outcome.evaluation.comparisons
        assert went is not None
        assert (went.fed, went.stopped, went.passed_over) == (25, True, 0)
        assert (comparison.n, comparison.difference, comparison.verdict) == (25, -1.0, Verdict.REGRESSED)
        assert received(log, outcome.run_id) < 4 * len(cases)
    assert concluded(one.evaluation.comparisons[0]) == concluded(many.evaluation.comparisons[0])
    assert received(log, one.run_id) <= 4 * 25 + 4


def test_an_answer_whose_rival_is_stored_while_it_is_taken_in_is_asked_about_once(lost, monkeypatch) -> None:
    (path,) = lost.run_path.parents[2].glob("evals/*.yaml")
    prepared = prepare(path, pipeline.RunOptions())
    case, graders = prepared.cases[2], tuple(graders_of(prepared.suite))  # of which the two say different things
    with open_run(lost.run_path) as stored:
        answer = stored.response(CallKey(case.id, "november", 0))
        assert answer is not None
        rival, reads = stored.response, iter([None])  # at first it is not there, from then on it is
        monkeypatch.setattr(stored, "response", lambda key: next(reads, rival(key)) if not key.grader else None)
        judgements = Judgements(stored, "test", {"november": ("august",)})
        assert judgements.to_ask(graders, case, answer, 0) == ([], [])
        asked, awaited = judgements.to_ask(graders, case, answer, 0)
        assert [call.key for call, _ in asked] == awaited
        assert len(awaited) == 2
        assert judgements.to_ask(graders, case, answer, 0) == ([], awaited)


def test_what_never_comes_back_holds_up_no_look(suite, ask) -> None:
    path = suite(top="early_stop: true\n", more="  discordance: 0.05\n  coverage: 0.9\n")
    cases = lost_cases(path, 40)
    asked = {"variant": "november?judge=better.1.backward", "case": cases[3]}
    rules = [
        FaultRule(fault=Fault.UNPROCESSABLE, times=None, **asked),
        FaultRule(fault=Fault.UNPROCESSABLE, times=None, variant="august", case=cases[5]),
    ]

    outcome = run(path, ask(0.0, *rules)[0], limits=pipeline.Limits(concurrency=1))

    went, (comparison,) = outcome.evaluation.sequential, outcome.evaluation.comparisons
    assert went is not None
    with open_run(outcome.run_path) as stored:
        fed = {case for unit in order_of(stored)[: went.fed] for case in unit}
    lost = len(fed & {cases[3], cases[5]})
    assert (went.stopped, went.passed_over, comparison.n) == (True, lost, went.fed - lost)
    assert comparison.difference == -1.0


def test_a_run_that_is_looked_at_goes_on_where_verdicts_are_missing(suite, ask) -> None:
    url, log = ask()
    path = suite(top="early_stop: true\n", more="  discordance: 0.05\n")
    lost_cases(path, 60)
    whole = run(path, url, limits=pipeline.Limits(concurrency=1))
    spent = received(log, whole.run_id)

    with pytest.raises(Interrupted):
        run(path, url, limits=pipeline.Limits(concurrency=1), progress=_ending_after(spent // 2))
    (begun,) = [one for one in list_runs(whole.run_path.parent) if one.run_id != whole.run_id]
    resumed = pipeline.resume_run(begun.run_id, options(url), path.parent)

    assert concluded(resumed.evaluation.comparisons[0]) == concluded(whole.evaluation.comparisons[0])
    assert resumed.evaluation.sequential == whole.evaluation.sequential


def _ending_after(calls: int) -> Callable[[Progress], None]:
    """Ends the run as Ctrl-C does, once so many calls have ended."""

    ended = False

    def told(progress: Progress) -> None:
        nonlocal ended
        if progress.done >= calls and not ended:  # the second signal would end more than the run
            ended = True
            os.kill(os.getpid(), signal.SIGTERM)

    return told


# ---------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (("margin: 0.2", "margin: 0.2, on: passed"), "a preference is compared by its value"),
        (("margin: 0.2", "at_least: -2"), "expected a preference from -1 to 1"),
        (("suite: lands\n", "suite: lands\nrequire_calibration: true\n"), "people label single answers"),
        (
            (
                "  baseline: {variant: august}\n  candidates: [november]\n  metrics: {better: {margin: 0.2}}\n",
                "  metrics: {better: {at_least: 0}}\n",
            ),
            "at_least of a pairwise metric in a gate that compares nothing",
        ),
    ],
)
def test_what_a_preference_cannot_have_is_an_error_before_anything_is_sent(change, found, suite) -> None:
    path = suite()
    path.write_text(path.read_text().replace(*change))

    with pytest.raises(SuiteError, match=found):
        pipeline.check_suites([path], options("http://127.0.0.1:9"))


def test_too_few_cases_for_the_blindness_asked_for_are_told_on_the_scale_of_the_metric(suite) -> None:
    path = suite(cases=10)

    with pytest.raises(InsufficientError, match=r"drops from 0\.\d\d in preference"):
        pipeline.check_suites([path], options("http://127.0.0.1:9"))


def test_a_preference_is_not_calibrated_by_labels_of_single_answers(lost, tmp_path: Path) -> None:
    request = DrawRequest(20, tmp_path / "sheet.jsonl", "better")

    with pytest.raises(UsageError, match="people label single answers"):
        draw_sheet(lost.run_id, request, options(""), lost.run_path.parents[2])
