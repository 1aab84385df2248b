"""`migrate`: the suite that judges a replacement keeps what it can, lists what it changes, and is right as it is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from snapdrift import pipeline
from snapdrift.cli import tables
from snapdrift.errors import UsageError
from snapdrift.model import Endpoint, Policy, Variant
from snapdrift.openai_api.catalog import load_catalog
from snapdrift.pipeline.migration_settings import migrated_request
from snapdrift.pipeline.options import RunOptions, Selection, TargetOptions
from snapdrift.pipeline.prepare import prepare
from snapdrift.suites.document import parse_document
from snapdrift.suites.migration_text import flow

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the bundled suites."""
    made = tmp_path_factory.mktemp("migrating") / "workspace"
    made.mkdir()
    for folder in ("evals", "datasets", "graders", "prompts"):
        if (ROOT / folder).is_dir():
            shutil.copytree(ROOT / folder, made / folder)
    shutil.copy(ROOT / "snapdrift.toml", made)
    return made


def migrated(root: Path, name: str, to: str = "gpt-6-luna", **more):
    target = root / "evals" / f"{name}-{to}.yaml"
    target.unlink(missing_ok=True)
    return pipeline.migrate_suite(root / "evals" / f"{name}.yaml", to, RunOptions(), out=target, **more)


def changes(made) -> dict[str, tuple[object, object]]:
    return {change.place: (change.before, change.after) for change in made.changes}


def test_settings_that_the_new_model_does_not_take_are_null_and_its_cap_is_raised(root):
    made = migrated(root, "ticket-triage")
    assert changes(made) == {
        "request.temperature": (0, None),
        "request.max_output_tokens": (100, 4100),
        "gates.default.policy": ("catch", "prove"),
        "gates": ("pr, nightly, release", None),
        "variants": ("november, chat", None),
    }
    suite = prepare(made.path, RunOptions()).suite
    before, after = suite.variants["august"].request, suite.variants["gpt-6-luna"].request
    assert (before["temperature"], before["max_output_tokens"]) == (0, 100)
    assert after == {key: value for key, value in before.items() if key != "temperature"} | {"max_output_tokens": 4100}


def test_what_is_kept_keeps_its_form_and_its_comments(root):
    made, source = migrated(root, "ticket-triage"), (ROOT / "evals" / "ticket-triage.yaml").read_text()
    text = made.path.read_text()
    assert text.startswith("# yaml-language-server: $schema=suite.schema.json\n")
    assert (
        "  # What a program that calls json.loads on the answer would see; the others look past a code fence.\n" in text
    )
    assert source[source.index("prompt:") : source.index("variants:")] in text
    assert "  august:   {model: gpt-4o-2024-08-06}\n" in text
    assert "      temperature: null  # gpt-6-luna is a reasoning model and does not take `temperature`\n" in text


def test_its_gate_takes_proof_of_all_cases_and_says_how_many_that_takes(root):
    made = migrated(root, "returns-desk")
    one = prepare(made.path, RunOptions())
    assert (one.gate.policy, len(one.cases)) == (Policy.PROVE, 48)
    assert all(entry.enough for entry in one.sufficiency)
    told = {change.place: (change.before, change.after, change.why) for change in made.changes}
    before, after, why = told["gates.default.metrics.calls.margin"]
    assert (before, after) == (0.05, 0.06)
    assert why == "proof at 0.05 takes 52 cases, there are 48: add 4 for it, or claim less"
    assert "calls: {margin: 0.06}  # 0.05 takes 52 cases, there are 48" in made.path.read_text()


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "evals").glob("*-*.yaml")))
def test_every_bundled_suite_has_one_that_is_right_and_keeps_its_cases_graders_and_baseline(root, name):
    before, made = prepare(root / "evals" / f"{name}.yaml", RunOptions()), migrated(root, name)
    after = prepare(made.path, RunOptions())
    (pair,) = after.gate.pairs
    assert (pair.baseline, pair.candidate) == (made.baseline, "gpt-6-luna")
    assert after.suite.variants[made.baseline] == before.suite.variants[made.baseline]
    assert after.suite.dataset_hash == before.suite.dataset_hash
    assert [grader.version for grader in after.suite.graders] == [grader.version for grader in before.suite.graders]
    assert after.gate.must_pass == before.gate.must_pass


def test_the_fallback_of_the_baseline_is_carried_over_and_what_proof_has_no_use_for_is_listed(root):
    made = migrated(root, "word-problems")
    fallback = "fallback: {archive: evals/archives/word-problems-august.jsonl.gz}"
    assert f"baseline: {{variant: august, {fallback}}}\n" in made.path.read_text()
    assert changes(made)["gates.default.inconclusive"] == ("fail", None)


def test_it_runs_on_the_stand_in(root):
    made = migrated(root, "sentiment")
    cases = tuple(case.id for case in prepare(made.path, RunOptions()).cases[:2])
    options = RunOptions(target=TargetOptions(standin=True), selection=Selection(cases=cases))
    (outcome,) = pipeline.run_suites([made.path], options)
    assert [set(variant.outcomes) for variant in outcome.evaluation.variants] == [{"ok"}, {"ok"}]


def test_the_repositorys_own_migration_is_what_the_command_writes(root):
    own = ROOT / "evals" / "migrations" / "ticket-triage-gpt-6-luna.yaml"
    target = root / "evals" / "migrations" / "again.yaml"
    pipeline.migrate_suite(root / "evals" / "ticket-triage.yaml", "gpt-6-luna", RunOptions(), out=target)
    assert target.read_text() == own.read_text()


def test_short_forms_are_written_out_and_only_the_prompt_that_is_used_is_kept(root):
    source = """\
suite: forms
cases: [{id: a, word: one}, {id: b, word: two}]
prompts: {long: {input: "Say {{ word }}, please"}, short: {input: "{{ word }}"}}
matrix: {prompt: [long, short], model: {old: gpt-4o-2024-08-06, new: gpt-4o-2024-11-20}}
graders: [{name: polite, contains: please}]
gate: {compare: [{from: short/old, to: short/new}], metrics: {polite: {margin: 0.9}, cost: {max_increase: 0.2}}}
"""
    (root / "evals" / "forms.yaml").write_text(source)
    made = migrated(root, "forms", "gpt-4o-mini-2024-07-18")
    suite = prepare(made.path, RunOptions()).suite
    assert list(suite.variants) == ["short/old", "gpt-4o-mini-2024-07-18"]
    assert {variant.prompt["input"] for variant in suite.variants.values()} == {"{{ word }}"}
    assert changes(made)["gates.default.metrics.cost.severity"] == ("fail", "warn")
    assert "request" not in changes(made)


@pytest.mark.parametrize("form", ["block", "flow"])
def test_anchors_named_prompts_and_flow_style_are_read_the_same_afterwards(root, form):
    source = """\
suite: anchors
cases: [{id: a, w: one}, {id: b, w: two}]
prompt: long
prompts: {long: {input: "{{ w }}"}}
models: [gpt-4o-2024-11-20]
request: &settings {temperature: 0}
variants: {"the old": {model: gpt-4o-2024-08-06, request: *settings}}
graders: [{name: p, contains: x}]
gate: {metrics: {p: {at_least: 0.1}}}
"""
    if form == "flow":
        source = "{" + ", ".join(source.rstrip().splitlines()) + "}\n"
    (root / "evals" / "anchors.yaml").write_text(source)
    before = prepare(root / "evals" / "anchors.yaml", RunOptions()).suite
    made = migrated(root, "anchors", of="the old")
    after = prepare(made.path, RunOptions()).suite
    assert after.variants["the old"] == before.variants["the old"]
    assert after.variants["gpt-6-luna"].prompt == before.variants["the old"].prompt
    assert "temperature" not in after.variants["gpt-6-luna"].request
    assert any(note.startswith("Nothing in the gate has a margin") for note in made.notes)


def test_the_old_model_that_goes_is_told_with_how_to_freeze_it_and_the_new_one_with_what_is_not_known(root):
    notes = "\n".join(migrated(root, "ticket-triage").notes)
    assert "The price of gpt-6-luna is not known." in notes
    assert "OpenAI shuts gpt-4o-2024-08-06 down on 2027-01-14" in notes
    assert "`snapdrift archive --repeats 3 evals/ticket-triage.yaml`" in notes
    assert "`baseline: {variant: august, fallback: {archive: FILE}}`" in notes
    made = migrated(root, "ticket-triage", "gpt-7-nova")
    assert ": written; gpt-7-nova is not in the catalogue (did you mean " in tables.migrated(made).partition("\n")[0]
    unknown = "\n".join(made.notes)
    assert "gpt-7-nova is not in the catalogue" in unknown
    assert "Which settings gpt-7-nova takes is not known: none was set to null for it." in unknown


@pytest.mark.parametrize(
    ("to", "of", "said"),
    [
        ("gpt-4o-2024-08-06", None, "found the model of `august`; expected another"),
        ("gpt-6-luna", "may", "--from: found no variant may; expected one of august, november, chat"),
    ],
)
def test_what_cannot_be_migrated_is_refused_and_nothing_is_written(root, to, of, said):
    target = root / "evals" / "refused.yaml"
    with pytest.raises(UsageError, match=said):
        pipeline.migrate_suite(root / "evals" / "ticket-triage.yaml", to, RunOptions(), of=of, out=target)
    assert not target.exists()


def test_a_file_that_is_there_is_never_overwritten(root):
    made = migrated(root, "ticket-triage")
    with pytest.raises(UsageError, match="is there already; expected a new file"):
        pipeline.migrate_suite(root / "evals" / "ticket-triage.yaml", "gpt-6-luna", RunOptions(), out=made.path)


def test_logprobs_stop_and_a_cap_that_is_too_large_are_changed_where_the_model_says_so():
    catalog = load_catalog({"small": {"endpoints": ["responses"], "max_output": 1000, "reasoning": True}})
    request = {"stop": "x", "top_logprobs": 2, "include": ["message.output_text.logprobs"], "max_output_tokens": 5000}
    endpoint, found = migrated_request(catalog, Variant("old", "gpt-4o", Endpoint.CHAT, request, {}), "small")
    assert endpoint is Endpoint.RESPONSES
    assert {change.place: change.after for change in found} == {
        "endpoint": "responses",
        "request.stop": None,
        "request.top_logprobs": None,
        "request.include": None,
        "request.max_output_tokens": 1000,
    }


@pytest.mark.parametrize(
    "value", ["yes", "007", "12:30", "a: b", "# x", "", "null", "1e3", 0.05, None, True, ["a", {"b": 1}]]
)
def test_values_that_are_written_out_are_read_back_as_they_were(value):
    assert parse_document(f"key: {flow(value)}\n", "f.yaml").value == {"key": value}
