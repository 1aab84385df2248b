"""The text of `plan`, from plans that the pipeline makes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from snapdrift import pipeline
from snapdrift.cli import planned, tables

SUITE = """\
suite: greetings
cases:
{cases}
prompt: {{input: "Greet {{{{ name }}}}."}}
request: {{temperature: 0, max_output_tokens: 32}}
variants: {{august: {{model: gpt-4o-2024-08-06}}, chat: {{model: {model}, endpoint: chat{chat}}}}}
graders: [{{name: polite, contains: "{{{{ name }}}}"}}]
gate: {{baseline: {{variant: august}}, metrics: {{polite: {{margin: 0.1}}}}, max_blind: 0.5}}
{more}"""


@pytest.fixture
def suite(tmp_path: Path):
    """Writes a suite of `cases` cases and gives its path."""

    def write(cases: int = 30, model: str = "gpt-4o-2024-11-20", more: str = "", chat: str = "") -> Path:
        rows = "\n".join(f"  - {{id: c{number}, name: Ada {number}}}" for number in range(cases))
        path = tmp_path / "evals" / "greetings.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(SUITE.format(cases=rows, model=model, more=more, chat=chat))
        return path

    return write


def row_of(text: str, variant: str) -> str:
    return next(line for line in text.splitlines() if line.strip().startswith(variant))


def test_a_plan_counts_calls_and_says_what_is_assumed_and_what_is_missing(suite):
    (plan,) = pipeline.plan_suites([suite()], pipeline.RunOptions())
    text = planned.planned(plan)
    assert text.startswith("greetings (evals/greetings.yaml, gate default): 30 cases\n")
    assert "budget none: a live run needs one" in text
    assert "answers half as long as their cap (512 tokens without one), 3 s a request" in text
    row = row_of(text, "august")
    assert " 30 " in row
    assert row.count("$") == 4
    assert row_of(text, "chat").split()[1:3] == ["gpt-4o-2024-11-20", "chat"]


def test_no_row_of_a_plan_is_wider_than_the_page(suite):
    (plan,) = pipeline.plan_suites([suite()], pipeline.RunOptions())
    lines = planned.planned(plan).splitlines()
    assert max(len(line) for line in lines if line.startswith(("  august", "  chat", "  variant"))) <= tables.WIDTH + 2


def test_a_plan_shows_repeats_and_the_budget(suite):
    options = pipeline.RunOptions(selection=pipeline.Selection(repeats=3))
    (plan,) = pipeline.plan_suites([suite(more="budget: {usd: 5}\n")], options)
    text = planned.planned(plan)
    assert "30 cases x 3 repeats" in text
    assert "budget $5.00" in text
    assert {variant.calls for variant in plan.variants} == {90}
    assert "OVER BUDGET" not in text


def test_a_plan_over_its_budget_says_that_run_will_not_start(suite):
    (plan,) = pipeline.plan_suites([suite(more="budget: {usd: 0.001}\n")], pipeline.RunOptions())
    assert "OVER BUDGET: it is expected to cost more than its budget" in planned.planned(plan)


def test_a_plan_whose_most_is_over_its_budget_says_that_run_may_stop(suite):
    (plan,) = pipeline.plan_suites([suite(more="budget: {usd: 5}\n")], pipeline.RunOptions())
    expected, most = plan.expected_usd() or 0.0, plan.worst_usd or 0.0
    for budget, told in ((most, False), ((expected + most) / 2, True)):
        text = planned.planned(replace(plan, budget_usd=budget))
        assert ("may stop before its end: the most that it can cost is over its budget" in text) is told
        assert "OVER BUDGET" not in text


def test_a_plan_tells_a_gate_that_could_never_tell_instead_of_failing(suite):
    (plan,) = pipeline.plan_suites([suite(cases=3)], pipeline.RunOptions())
    assert "INSUFFICIENT: " in planned.planned(plan)


def test_an_unknown_price_is_called_unknown_and_never_zero(suite):
    (plan,) = pipeline.plan_suites([suite(model="my-own-model")], pipeline.RunOptions())
    assert plan.worst_usd is None
    text = planned.planned(plan)
    assert "expected unknown, at most unknown for the answers" in text
    assert row_of(text, "chat").count("unknown") == 4


def test_the_limits_of_a_usage_tier_are_named_and_bound_the_time(suite):
    options = pipeline.RunOptions(limits=pipeline.Limits(concurrency=1_000))
    (slow,) = pipeline.plan_suites([suite(cases=400)], options, tier=1)
    (fast,) = pipeline.plan_suites([suite(cases=400)], options, tier=5)
    assert slow.seconds > fast.seconds
    assert "the limits of usage tier 1" in planned.planned(slow)


def test_a_batch_is_named_and_takes_up_to_a_day(suite):
    (plan,) = pipeline.plan_suites([suite(chat=", batch: true")], pipeline.RunOptions())
    row = row_of(planned.planned(plan), "chat")
    assert "chat batch" in row
    assert row.endswith("24 h")


def test_models_that_are_shut_down_soon_are_warned_about_with_the_date(suite):
    (plan,) = pipeline.plan_suites([suite()], pipeline.RunOptions())
    assert "warning: OpenAI shuts gpt-4o-2024-08-06 down on 2027-01-14" in planned.planned(plan)


def test_the_same_is_there_as_json(suite):
    plans = pipeline.plan_suites([suite(more="budget: {usd: 5}\n")], pipeline.RunOptions(), tier=2)
    document = json.loads(planned.planned_json(plans))
    assert document["format"] == "snapdrift.plan/1"
    (one,) = document["suites"]
    assert (one["suite"], one["tier"], one["budget_usd"], one["over_budget"]) == ("greetings", 2, 5.0, False)
    (august, _) = one["variants"]
    assert august["estimate"]["requests"] == 30
    assert august["estimate"]["tokens"]["output_cap"] == 32
    assert august["estimate"]["usd"]["batch"] == pytest.approx(august["usd"] / 2)
    assert one["expected_usd"] == pytest.approx(sum(variant["usd"] for variant in one["variants"]))


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (42, "42 s"), (600, "10 min"), (7_200, "2.0 h"), (90_000, "25.0 h")]
)
def test_a_time_is_said_as_a_person_would(seconds, text):
    assert planned.duration(seconds) == text
