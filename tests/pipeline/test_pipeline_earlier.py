"""Which models answered last time: what an alias is compared with, looked up in the run files before this one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from snapdrift.model import (
    Call,
    CallKey,
    Case,
    Endpoint,
    Gate,
    MetricGate,
    MetricSpec,
    Outcome,
    Request,
    Response,
    Score,
    ScoreKind,
    Source,
    Variant,
)
from snapdrift.model import Reason as Why
from snapdrift.pipeline.concluding import EarlierModels, earlier_models
from snapdrift.store import RunWriter, open_run
from snapdrift.store.header import RunHeader
from snapdrift.verdicts import RunFacts, evaluate

AUGUST, NOVEMBER = "gpt-4o-2024-08-06", "gpt-4o-2024-11-20"
ALIAS = Variant("alias", "gpt-4o", Endpoint.RESPONSES, {}, {})
NOTHING = EarlierModels({}, {})


def write_run(
    folder: Path, run_id: str, returned: str, variants: Sequence[Variant] = (ALIAS,), source: Source = Source.OPENAI
) -> Path:
    """A whole run of one case, answered and judged (by `gpt-4o` too) by the model `returned`."""
    header = RunHeader(
        run_id=run_id, suite="capitals", gate="default", started_at=f"2026-11-22T14:0{run_id[-1]}:00+00:00", seed=0,
        attempt=1, identity="", suite_stored={}, suite_hash="", dataset_hash="", versions={}, git_commit=None,
        git_dirty=None, catalog={}, assumptions={}, planned_repeats=1, partial=False, command="",
        variants=tuple(variants),
    )  # fmt: skip
    keys = [CallKey("c0", variant.name, 0, grader) for variant in variants for grader in ("", "helpful")]
    path = folder / f"{run_id}.db"
    with RunWriter.create(path, header, [Case("c0")], [Call(key, n) for n, key in enumerate(keys)]) as writer:
        for key in keys:
            response = Response(key, Outcome.OK, "gpt-4o", text="x", returned_model=returned, source=source)
            writer.record_now(response, Request(key, 0, Endpoint.RESPONSES, "http://x", {}, ""))
        writer.add_scores([Score("c0", variant.name, 0, "right", 1.0, True, Why.PASSED) for variant in variants])
        metric = MetricSpec("right", "right", ScoreKind.PASS_FAIL)
        with open_run(path) as stored:
            results = stored.results([metric], {"right": frozenset({"c0"})})
        gate = Gate("default", metrics=(MetricGate("right", at_least=0.5),))
        writer.set_evaluation(evaluate(results, gate, RunFacts()))
        writer.finish("2026-11-22T15:00:00+00:00")
    return path


def earlier(path: Path) -> EarlierModels:
    with open_run(path) as stored:
        return earlier_models(stored, path.parent)


def test_the_first_run_has_nothing_before_it(tmp_path: Path) -> None:
    assert earlier(write_run(tmp_path, "run-1", AUGUST)) == NOTHING


def test_variants_and_judges_are_compared_with_the_last_run(tmp_path: Path) -> None:
    write_run(tmp_path, "run-1", AUGUST)
    write_run(tmp_path, "run-2", NOVEMBER)

    assert earlier(write_run(tmp_path, "run-3", AUGUST)) == EarlierModels(
        {"alias": (NOVEMBER,)}, {"helpful": (NOVEMBER,)}
    )


def test_what_a_stand_in_answered_is_not_compared_with_what_a_model_did(tmp_path: Path) -> None:
    write_run(tmp_path, "run-1", NOVEMBER, source=Source.SIMULATED)

    assert earlier(write_run(tmp_path, "run-2", AUGUST)) == NOTHING


def test_a_variant_that_was_asked_of_another_host_or_model_is_not_compared(tmp_path: Path) -> None:
    other_host = Variant("alias", "gpt-4o", Endpoint.RESPONSES, {}, {}, host="azure-east")
    write_run(tmp_path, "run-1", NOVEMBER, [other_host])

    assert earlier(write_run(tmp_path, "run-2", AUGUST)).variants == {}


def test_an_application_has_no_alias_to_be_compared(tmp_path: Path) -> None:
    application = Variant("alias", "python:app.py:answer", Endpoint.PYTHON, {}, {}, target="app.py:answer")
    write_run(tmp_path, "run-1", NOVEMBER, [application])

    assert earlier(write_run(tmp_path, "run-2", AUGUST, [application])).variants == {}
