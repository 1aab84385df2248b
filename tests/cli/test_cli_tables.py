"""The texts of `check` and `demo`, from values that the pipeline makes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from snapdrift import pipeline
from snapdrift.cli import tables

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


def test_a_suite_that_no_host_could_be_asked_for_is_right_for_the_stand_in_only(suite):
    path = suite(model="gpt-4o-2024-8-06", more="budget: {usd: 1}\n")
    (prepared,) = pipeline.check_suites([path], pipeline.RunOptions())
    (plan,) = pipeline.plan_suites([path], pipeline.RunOptions())
    opening = "cannot be run against a host, with --standin it can: what gpt-4o-2024-8-06 costs at most is not known"
    assert tables.checked(prepared).startswith(f"evals/greetings.yaml: ok, but {opening}, so the budget of $1 cannot")
    assert plan.warnings[-1].startswith(opening)


def test_one_case_and_one_variant_are_said_as_one(suite):
    (prepared,) = pipeline.check_suites([suite()], pipeline.RunOptions())
    one = replace(prepared, cases=prepared.cases[:1], variants=prepared.variants[:1])
    assert tables.checked(one).splitlines()[1].startswith("  1 case, 1 variant, gate")


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
