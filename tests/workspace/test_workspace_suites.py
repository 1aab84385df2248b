"""The bundled suites load, can reach a verdict, and agree with what `evals/demo.toml` says that they show."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from snapdrift.exit_codes import ExitCode
from snapdrift.graders.families import all_families
from snapdrift.graders.registry import Registry
from snapdrift.model import (
    OUTSIDE,
    CallKey,
    CallResult,
    DecisionWord,
    Endpoint,
    Outcome,
    Reason,
    Results,
    Score,
    Usage,
    Verdict,
)
from snapdrift.openai_api.catalog import load_catalog
from snapdrift.standin.config import StandinConfig
from snapdrift.suites.loader import load_suite
from snapdrift.suites.resolved import Suite
from snapdrift.suites.schema import suite_json_schema
from snapdrift.suites.workspace import Workspace, find_workspace
from snapdrift.verdicts import RunFacts, evaluate
from snapdrift.verdicts.sensitivity import sufficiency

ROOT = Path(__file__).parents[2]
NAMES = sorted(path.stem for path in (ROOT / "evals").glob("*.yaml"))
every_suite = pytest.mark.parametrize("name", NAMES)


@cache
def workspace() -> Workspace:
    return find_workspace(ROOT / "evals")


@cache
def suite(name: str) -> Suite:
    return load_suite(ROOT / "evals" / f"{name}.yaml", workspace(), Registry(), load_catalog())


@cache
def built_to_show() -> dict[str, dict[str, Any]]:
    suites: dict[str, dict[str, Any]] = tomllib.loads((ROOT / "evals" / "demo.toml").read_text(encoding="utf-8"))[
        "suites"
    ]
    return suites


@cache
def standin() -> StandinConfig:
    settings = tomllib.loads((ROOT / "snapdrift.toml").read_text(encoding="utf-8"))["standin"]
    return StandinConfig.from_settings(settings, root=ROOT)


def test_there_are_nine_suites() -> None:
    assert NAMES == [
        "handbook-answers", "invoice-fields", "meeting-fields", "parcel-desk", "returns-desk", "safety-replies",
        "sentiment", "ticket-triage", "word-problems",
    ]  # fmt: skip


@every_suite
def test_a_suite_loads_under_the_name_of_its_file(name: str) -> None:
    assert suite(name).name == name


@every_suite
def test_a_suite_begins_with_its_schema_for_editors(name: str) -> None:
    first = (ROOT / "evals" / f"{name}.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=suite.schema.json"


@every_suite
def test_a_suite_says_what_it_checks(name: str) -> None:
    assert len(suite(name).description) > 40


@every_suite
def test_a_suite_has_a_budget(name: str) -> None:
    assert suite(name).budget_usd


@every_suite
def test_every_variant_is_asked_at_temperature_zero_with_a_cap(name: str) -> None:
    requests = [variant.request for variant in suite(name).variants.values()]
    assert [r for r in requests if r.get("temperature") != 0 or not r.get("max_output_tokens")] == []


@every_suite
def test_every_gate_can_reach_its_verdict(name: str) -> None:
    loaded = suite(name)
    applicable = {
        metric.name: frozenset(case.id for case in loaded.cases if grader.applies(case))
        for grader in loaded.graders
        for metric in grader.metrics
    }
    found = [
        entry
        for gate_name, gate in loaded.gates.items()
        for entry in sufficiency(gate, loaded.metrics, loaded.cases_for(gate_name), applicable, loaded.repeats)
    ]
    assert found != []
    assert [entry.detail for entry in found if not entry.enough] == []


@every_suite
def test_every_gate_passes_where_every_answer_is_right(name: str) -> None:
    loaded = suite(name)
    for gate_name, gate in loaded.gates.items():
        if any(pair.baseline == OUTSIDE for pair in gate.pairs):
            continue  # a run has still to look its kept answers up
        cases, repeats = loaded.cases_for(gate_name), range(loaded.repeats_for(gate_name))
        keys = [
            CallKey(case.id, variant, repeat) for case in cases for variant in loaded.variants for repeat in repeats
        ]
        applicable = {
            metric.name: frozenset(case.id for case in cases if grader.applies(case))
            for grader in loaded.graders
            for metric in grader.metrics
        }
        scores = [
            Score(key.case_id, key.variant, key.repeat, metric.name, best, metric.higher_is_better, Reason.PASSED)
            for metric in loaded.metrics
            for best in [1.0 if metric.higher_is_better else 0.0]
            for key in keys
            if key.case_id in applicable[metric.name]
        ]
        models = {variant: loaded.variants[variant].model for variant in loaded.variants}
        results = Results(
            cases=tuple(cases),
            variants=tuple(loaded.variants.values()),
            repeats=len(repeats),
            metrics=loaded.metrics,
            calls={key: CallResult(Outcome.OK, models[key.variant], 100.0, Usage(10, 0, 5), 0.001) for key in keys},
            scores=tuple(scores),
            applicable=applicable,
        )
        decision = evaluate(results, gate, RunFacts()).decision
        assert (gate_name, decision.word, decision.reasons) == (gate_name, DecisionWord.PASSED, decision.reasons)


def test_the_quick_gate_of_ticket_triage_takes_every_language() -> None:
    languages = {case.variables["language"] for case in suite("ticket-triage").cases_for("pr")}
    assert languages == {"en", "de", "fr", "es"}


def test_the_older_client_of_ticket_triage_sends_no_schema() -> None:
    assert "text" not in suite("ticket-triage").variants["chat"].request


def test_the_prompts_of_invoice_fields_are_the_only_thing_that_differs() -> None:
    brief, explicit = suite("invoice-fields").variants["brief"], suite("invoice-fields").variants["explicit"]
    assert (brief.model, brief.endpoint, brief.request) == (explicit.model, explicit.endpoint, explicit.request)


def test_the_way_of_asking_is_the_only_thing_that_differs_in_parcel_desk() -> None:
    variants = suite("parcel-desk").variants
    first = variants["responses"]
    assert variants == {
        "responses": first,
        "chat": replace(first, name="chat", endpoint=Endpoint.CHAT),
        "batch": replace(first, name="batch", batch=True),
    }


def test_every_label_of_the_parcels_is_part_of_what_parcel_desk_is() -> None:
    labels = {path.relative_to(ROOT).as_posix() for path in (ROOT / "datasets" / "labels").iterdir()}
    assert set(suite("parcel-desk").media) == labels


# --------------------------------------------------------------------------------------------------------- demo.toml


def test_every_suite_has_an_entry_in_demo_toml() -> None:
    assert sorted(built_to_show()) == NAMES


@every_suite
def test_the_decision_in_demo_toml_has_its_exit_code(name: str) -> None:
    entry = built_to_show()[name]
    word = DecisionWord(entry["decision"])
    codes = {DecisionWord.PASSED: 0, DecisionWord.REGRESSION: 1, DecisionWord.INCONCLUSIVE: 4}
    assert ExitCode(entry["exit_code"]) == codes[word]


@every_suite
def test_the_verdicts_in_demo_toml_are_about_metrics_and_candidates_of_the_default_gate(name: str) -> None:
    gate = suite(name).gates["default"]
    known = {f"{metric.metric}:{pair.candidate}" for metric in gate.metrics for pair in gate.pairs}
    assert set(built_to_show()[name].get("verdicts", {})) <= known


@every_suite
def test_the_verdicts_in_demo_toml_are_words_of_a_comparison(name: str) -> None:
    assert set(built_to_show()[name].get("verdicts", {}).values()) <= set(Verdict)


@every_suite
def test_the_readme_of_the_suites_says_the_same(name: str) -> None:
    entry = built_to_show()[name]
    readme = (ROOT / "evals" / "README.md").read_text(encoding="utf-8")
    line = next(line for line in readme.splitlines() if line.startswith(f"| `{name}` |"))
    assert line.endswith(f"| {entry['decision']} | {entry['exit_code']} |")


def test_together_the_suites_show_every_kind_of_outcome() -> None:
    verdicts = {word for entry in built_to_show().values() for word in entry.get("verdicts", {}).values()}
    assert verdicts >= {"regressed", "improved", "no_worse", "inconclusive"}


def test_one_suite_shows_a_red_must_pass() -> None:
    assert [name for name, entry in built_to_show().items() if entry.get("must_pass") is False] == ["safety-replies"]


# ------------------------------------------------------------------------------------------------------ the stand-in


@every_suite
def test_the_stand_in_knows_the_answers_of_a_suite(name: str) -> None:
    dataset = re.search(r"^dataset: (\S+)", suite(name).source, re.MULTILINE)
    assert dataset is not None
    assert standin().profile_for(f"{name}-run").answers == (ROOT / dataset[1],)


@every_suite
def test_the_stand_in_names_only_variants_that_the_suite_has(name: str) -> None:
    assert set(standin().profile_for(f"{name}-run").variants) <= set(suite(name).variants)


@every_suite
def test_the_stand_in_has_a_behaviour_of_its_own_for_every_variant(name: str) -> None:
    profile = standin().profile_for(f"{name}-run")
    named = {variant: profile.named_behaviour(variant, ()) for variant in suite(name).variants}
    assert set(named.values()) <= set(standin().behaviours)


def test_the_schema_that_editors_complete_from_is_that_of_the_code():
    committed = json.loads((ROOT / "evals" / "suite.schema.json").read_text(encoding="utf-8"))
    assert committed == suite_json_schema(Registry(all_families()))
