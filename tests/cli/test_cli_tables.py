"""The texts of `check`, `plan`, `models` and `demo`, from values that the pipeline makes."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from snapdrift import pipeline
from snapdrift.cli import tables
from snapdrift.openai_api.catalog import load_catalog

SUITE = """\
suite: greetings
cases:
{cases}
prompt: {{input: "Greet {{{{ name }}}}."}}
request: {{temperature: 0, max_output_tokens: 32}}
variants: {{august: {{model: gpt-4o-2024-08-06}}, chat: {{model: {model}, endpoint: chat}}}}
graders: [{{name: polite, contains: "{{{{ name }}}}"}}]
gate: {{baseline: {{variant: august}}, metrics: {{polite: {{margin: 0.1}}}}, max_blind: 0.5}}
{more}"""


@pytest.fixture
def suite(tmp_path: Path):
    """Writes a suite of `cases` cases and gives its path."""

    def write(cases: int = 30, model: str = "gpt-4o-2024-11-20", more: str = "") -> Path:
        rows = "\n".join(f"  - {{id: c{number}, name: Ada {number}}}" for number in range(cases))
        path = tmp_path / "evals" / "greetings.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(SUITE.format(cases=rows, model=model, more=more))
        return path

    return write


def test_a_suite_that_is_right_is_said_to_be_with_what_its_gate_sees(suite):
    (prepared,) = pipeline.check_suites([suite()], pipeline.RunOptions())
    lines = tables.checked(prepared).splitlines()
    assert lines[0] == "evals/greetings.yaml: ok"
    assert lines[1] == "  30 cases, 2 variants, gate default, graders polite"
    assert "80% power" in lines[-1]


def test_a_plan_counts_calls_and_says_what_is_an_estimate_and_what_is_missing(suite):
    (plan,) = pipeline.plan_suites([suite()], pipeline.RunOptions())
    text = tables.planned(plan)
    assert text.startswith("greetings (evals/greetings.yaml, gate default): 30 cases\n")
    assert "budget none: a live run needs one" in text
    row = next(line for line in text.splitlines() if "august" in line and "gpt-4o-2024-08-06" in line)
    assert " 30 " in row
    assert "$" in row


def test_a_plan_shows_repeats_and_the_budget(suite):
    options = pipeline.RunOptions(selection=pipeline.Selection(repeats=3))
    (plan,) = pipeline.plan_suites([suite(more="budget: {usd: 5}\n")], options)
    text = tables.planned(plan)
    assert "30 cases x 3 repeats" in text
    assert "budget $5.00" in text
    assert {variant.calls for variant in plan.variants} == {90}


def test_a_plan_tells_a_gate_that_could_never_tell_instead_of_failing(suite):
    (plan,) = pipeline.plan_suites([suite(cases=3)], pipeline.RunOptions())
    assert "INSUFFICIENT: " in tables.planned(plan)


def test_an_unknown_price_is_called_unknown_and_never_zero(suite):
    (plan,) = pipeline.plan_suites([suite(model="my-own-model")], pipeline.RunOptions())
    assert plan.worst_usd is None
    assert "at most unknown for the answers" in tables.planned(plan)


def test_an_explained_case_shows_each_body_and_what_was_added(suite):
    shown = tables.explained(pipeline.explain_case([suite()], "c7", pipeline.RunOptions()))
    assert "# august: responses  (added by snapdrift: " in shown
    assert "# chat: chat" in shown
    assert shown.count("Greet Ada 7.") == 2


def test_the_catalogue_has_a_row_a_model_and_its_sources_below():
    catalog = load_catalog(today=date(2026, 11, 22))
    text = tables.catalogue(catalog)
    rows = [line.split()[0] for line in text.partition("Sources:")[0].splitlines() if line.startswith("  gpt-")]
    assert {"gpt-4o", "gpt-4o-2024-11-20"} <= set(rows)
    assert max(map(len, text.partition("Sources:")[0].splitlines())) <= tables.WIDTH + 2
    assert "OpenAI documentation" in text.partition("Sources:")[2]


def demo(**changes: Any) -> Any:
    decision = SimpleNamespace(word=SimpleNamespace(value="passed"))
    outcome = SimpleNamespace(
        suite="sentiment",
        exit_code=0,
        evaluation=SimpleNamespace(decision=decision),
        reports=SimpleNamespace(html=Path("reports/demo/sentiment/index.html")),
    )
    return SimpleNamespace(**{"outcome": outcome, "shows": "a shown no_worse", "surprises": (), **changes})


def test_the_demo_ends_with_the_paths_of_its_reports():
    text = tables.demonstrated([demo()])
    assert "as built" in text
    assert "passed, exit 0" in text
    assert text.splitlines()[-1].strip() == "reports/demo/sentiment/index.html"


def test_a_demo_that_surprises_says_in_what():
    text = tables.demonstrated([demo(surprises=("expected label:alias to be no_worse, found regressed",))])
    assert "NOT as built" in text
    assert "  sentiment: expected label:alias to be no_worse, found regressed" in text
