"""The reference says what the program does: its examples load, its keys, options and words are those of the code."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from typer.testing import CliRunner

from snapdrift import pipeline
from snapdrift.cli import app
from snapdrift.errors import SuiteError
from snapdrift.graders.base import Grader
from snapdrift.graders.registry import Registry
from snapdrift.graders.rubric import Rubric
from snapdrift.model import Case, DecisionWord, Outcome, Verdict
from snapdrift.openai_api import settings
from snapdrift.openai_api.catalog import load_catalog
from snapdrift.openai_api.catalog_entries import Entry
from snapdrift.standin.batch_settings import BatchFate, BatchSettings
from snapdrift.standin.behaviours import BUILT_IN, Behaviour
from snapdrift.standin.config import StandinConfig
from snapdrift.standin.fault_scripts import FaultRule, read_script
from snapdrift.standin.faults import Fault
from snapdrift.standin.launch import StandinProcess
from snapdrift.standin.recordings import Recordings
from snapdrift.suites.accepted import AcceptedEntry
from snapdrift.suites.config import Config, HostConfig, StandinSettings, parse_config
from snapdrift.suites.datasets import load_cases
from snapdrift.suites.gate_entries import GateEntry, MetricEntry, SampleEntry
from snapdrift.suites.labels import LabelRow, read_labels
from snapdrift.suites.loader import load_suite
from snapdrift.suites.privacy import PrivacyEntry
from snapdrift.suites.resolved import Suite
from snapdrift.suites.suite import MessageEntry, PartEntry, PromptEntry, SuiteFile, VariantEntry
from snapdrift.suites.tool_results import check_tool_results
from snapdrift.suites.workspace import Workspace
from snapdrift.verdicts.calibration_words import STATUS_WORDS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
CLI: Any = typer.main.get_command(app)

TICKETS = """\
{"id": "t-1", "ticket": "I was charged twice.", "expected": {"queue": "billing"}, "tags": ["golden"]}
{"id": "t-2", "ticket": "Where is my parcel?", "expected": {"queue": "delivery"}}
"""
BASE: dict[str, Any] = {
    "suite": "s",
    "cases": [{"id": "a", "ticket": "Where?"}],
    "prompt": {"input": "{{ ticket }}"},
    "variants": {"one": {"model": "gpt-4o-2024-08-06"}, "two": {"model": "gpt-4o-2024-11-20"}},
    "graders": [{"name": "said", "contains": "here"}],
    "gate": {"baseline": {"variant": "one"}, "metrics": {"said": {"margin": 0.1}}},
}


def blocks(language: str, page: str = PAGE) -> list[str]:
    """The fenced blocks whose opening line is exactly this."""
    return re.findall(rf"^```{re.escape(language)}\n(.*?)^```$", page, re.S | re.M)


def section(heading: str) -> str:
    """The text under a heading, as far as the next one."""
    match = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", PAGE, re.S | re.M)
    assert match is not None, heading
    return match[1]


def table(heading: str, number: int = 0) -> list[list[str]]:
    """The rows of a table in a section, without its head."""
    tables = re.findall(r"(?:^\|.*\n)+", section(heading), re.M)
    return [[cell.strip() for cell in line.strip("|\n").split(" | ")] for line in tables[number].splitlines()[2:]]


def code(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def first_column(heading: str, number: int = 0) -> set[str]:
    return {name for row in table(heading, number) for name in code(row[0])}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """What the examples name: the files that the page shows, and others of their kind."""
    for folder in ("evals", "datasets", "graders", "photos", "papers", "fakes", "app"):
        (tmp_path / folder).mkdir()
    (tmp_path / "datasets" / "tickets.jsonl").write_text(TICKETS)
    shutil.copy(ROOT / "datasets" / "labels" / "photo-01.png", tmp_path / "photos" / "label.png")
    (tmp_path / "papers" / "terms.pdf").write_bytes(b"%PDF-1.4\n%%EOF\n")
    for name in ("fakes/orders.py", "app/answer.py", "graders/brief.py"):
        (program,) = blocks(f"python {name}")
        (tmp_path / name).write_text(program)
    (tmp_path / "answers.jsonl").write_text(blocks("jsonl outputs")[0])
    (tmp_path / "replies.jsonl").write_text(blocks("jsonl replies")[0])
    ticket = {
        "type": "object",
        "additionalProperties": False,
        "required": ["queue"],
        "properties": {"queue": {"type": "string"}},
    }
    (tmp_path / "graders" / "ticket.schema.json").write_text(json.dumps(ticket))
    return Workspace(tmp_path.resolve(), Config())


def load(text: str, workspace: Workspace) -> Suite:
    path = workspace.root / "evals" / "suite.yaml"
    path.write_text(text)
    return load_suite(path, workspace, Registry(), load_catalog())


# --------------------------------------------------------------------------------------------------------------- suites


SUITES = [*blocks("yaml suite"), *blocks("yaml", README)]


@pytest.mark.parametrize("text", SUITES, ids=[yaml.safe_load(text)["suite"] for text in SUITES])
def test_every_example_of_a_suite_loads(text: str, workspace: Workspace) -> None:
    assert load(text, workspace).cases


@pytest.fixture(scope="module")
def standin() -> Iterator[str]:
    """The URL of a stand-in that answers anything well-formed."""
    with StandinProcess(StandinConfig(behaviour="plausible")) as process:
        yield process.base_url


@pytest.mark.parametrize("text", blocks("yaml suite"), ids=[yaml.safe_load(t)["suite"] for t in blocks("yaml suite")])
def test_every_example_of_a_suite_of_the_page_can_be_run(text: str, workspace: Workspace, standin: str) -> None:
    """By the names of its cases: such a run is not gated, so that few cases are no mistake."""
    suite = load(text, workspace)
    options = pipeline.RunOptions(
        selection=pipeline.Selection(cases=tuple(case.id for case in suite.cases)),
        target=pipeline.TargetOptions(base_url=standin),
        output=pipeline.Output(out_dir=workspace.root / "out", state_dir=workspace.root / "state"),
    )

    (outcome,) = pipeline.run_suites([workspace.root / "evals" / "suite.yaml"], options)

    assert [set(variant.outcomes) for variant in outcome.evaluation.variants] == [{"ok"}] * len(suite.variants)


def test_every_yaml_example_of_the_page_is_a_suite_that_is_loaded() -> None:
    assert len(re.findall(r"^```yaml", PAGE, re.M)) == len(blocks("yaml suite")) > 0


@pytest.mark.parametrize(
    ("heading", "number", "model"),
    [
        ("Keys of a suite", 0, SuiteFile),
        ("Keys of a prompt", 0, PromptEntry),
        ("Messages", 0, MessageEntry),
        ("Messages", 1, PartEntry),
        ("Keys of a variant", 0, VariantEntry),
        ("Keys of a sample", 0, SampleEntry),
        ("Privacy", 0, PrivacyEntry),
        ("Gates", 0, GateEntry),
        ("Gates", 1, MetricEntry),
        ("The workspace", 0, Config),
        ("Hosts", 0, HostConfig),
        ("Labels", 0, LabelRow),
        ("Accepted losses", 0, AcceptedEntry),
        ("Keys of the stand-in", 0, StandinSettings),
    ],
)
def test_a_table_of_keys_has_every_key_that_works_and_no_other(heading, number, model) -> None:
    assert first_column(heading, number) == set(model.keys())


def test_the_table_of_a_rubric_has_every_key() -> None:
    assert first_column("Rubrics", 0) == set(Rubric.model_fields)


def test_the_settings_are_those_that_go_through() -> None:
    both, responses, chat = (set(code(row[0])) for row in table("Settings", 0))

    assert both == settings.COMMON
    assert responses == settings.RESPONSES_ONLY
    assert chat == settings.CHAT_ONLY
    assert first_column("Settings", 1) <= both | responses | chat


def test_the_facts_about_a_model_are_those_of_the_catalogue() -> None:
    assert first_column("Models", 0) == {field.alias or name for name, field in Entry.model_fields.items()}


def test_the_keys_of_a_tools_result_are_those_that_it_has() -> None:
    (unknown, *_) = check_tool_results({"lookup": [{"zzz": 1}]})

    assert first_column("Tools") == set(unknown.expected.removeprefix("expected one of ").split(", "))


@pytest.mark.parametrize("asked", code(" ".join(row[1] for row in table("Out of scope"))))
def test_what_is_out_of_scope_is_an_error_that_says_so(asked: str, workspace: Workspace) -> None:
    key, _, value = asked.partition(": ")
    suite = json.loads(json.dumps(BASE))
    if key == "endpoint":
        suite["variants"]["one"]["endpoint"] = value
    elif key.startswith("gpt-"):
        suite["variants"]["one"]["model"] = key
    else:
        suite["request"] = {key: "x"}

    with pytest.raises(SuiteError, match="out of scope"):
        load(yaml.safe_dump(suite), workspace)


def test_the_suite_that_they_are_tried_in_is_right_without_them(workspace) -> None:
    assert load(yaml.safe_dump(BASE), workspace).name == "s"


# ------------------------------------------------------------------------------------------ datasets, graders and words


def test_the_examples_of_datasets_are_two_ways_to_write_the_same_cases(tmp_path: Path) -> None:
    (jsonl,), (csv,) = blocks("jsonl dataset"), blocks("csv dataset")
    (tmp_path / "a.jsonl").write_text(jsonl)
    (tmp_path / "a.csv").write_text(csv)

    rows, cells = load_cases(tmp_path / "a.jsonl", "a"), load_cases(tmp_path / "a.csv", "a")

    assert [(c.id, c.variables, c.expected) for c in rows] == [(c.id, c.variables, c.expected) for c in cells]
    assert {case.id for case in rows if "golden" in case.tags} == {"t-1"}


def test_the_example_of_labels_is_read(tmp_path: Path) -> None:
    (rows,) = blocks("jsonl labels")
    path = tmp_path / "labels.jsonl"
    path.write_text(rows)

    (written,) = read_labels(path, "labels.jsonl")

    assert isinstance(written.entry, LabelRow)
    assert (written.entry.variant, written.entry.label, written.entry.purpose) == ("november", True, "review")


def test_the_gates_by_occasion_are_taken_beside_each_other(workspace: Workspace) -> None:
    (block,) = blocks("yml gates")
    cases = [{"id": f"c{number}", "ticket": "Where?"} for number in range(60)]
    names = {"august": {"model": "gpt-4o-2024-08-06"}, "november": {"model": "gpt-4o-2024-11-20"}}
    graders = [{"name": "queue", "contains": "here"}]
    asked = {key: value for key, value in BASE.items() if key != "gate"}

    suite = load(
        yaml.safe_dump({**asked, "cases": cases, "variants": names, "graders": graders, **yaml.safe_load(block)}),
        workspace,
    )

    said = {name: (suite.repeats_for(name), suite.budget_for(name)) for name in suite.gates}
    assert said == {"default": (1, None), "pr": (1, 0.25), "nightly": (2, 1.0), "release": (3, 5.0)}


def test_the_labels_of_judges_are_those_that_reports_bear() -> None:
    assert [row[0] for row in table("Judges and people")] == list(STATUS_WORDS.values())


def test_the_graders_of_the_readme_are_taken() -> None:
    (block,) = blocks("yaml graders", README)
    entries = yaml.safe_load(block)["graders"]
    files = {"graders/helpfulness.yaml": (ROOT / "graders" / "helpfulness.yaml").read_text(encoding="utf-8")}
    cases = [Case("a", {"message": "Where?"}, {"cites": ["d1"], "total": 3, "due": "2026-01-31", "lines": []})]

    made = [Registry().parse(one, default_extract=None, read=files.__getitem__, cases=cases) for one in entries]

    assert [grader.name for grader in made] == [entry["name"] for entry in entries]


def test_the_families_and_the_keys_of_every_grader_are_listed() -> None:
    assert first_column("Graders", 0) == set(Registry().families())
    assert first_column("Graders", 1) == {field.alias or name for name, field in Grader.model_fields.items()}


@pytest.mark.parametrize("step", [row[0] for row in table("Extract")])
def test_every_step_of_extract_is_one(step: str, workspace: Workspace) -> None:
    for written in code(step):
        value = yaml.safe_load(written.replace("PATH", "$").replace("PATTERN", "(a)"))
        suite = {**BASE, "graders": [{"name": "said", "contains": "here", "extract": value}]}
        load(yaml.safe_dump(suite), workspace)


def test_outcomes_verdicts_and_decisions_are_all_there() -> None:
    outcomes = {name: row[-1] for row in table("Outcomes") for name in code(row[0])}
    decisions = {name for row in table("Decisions and exit codes") for name in code(row[1])}

    assert {Outcome(name).measured for name, said in outcomes.items() if said == "yes"} == {True}
    assert {Outcome(name).measured for name, said in outcomes.items() if said == "no"} == {False}
    assert set(Outcome) == set(code(section("Outcomes"))) & set(Outcome)
    assert first_column("Verdicts") == set(Verdict)
    assert decisions == set(DecisionWord)


# --------------------------------------------------------------------------------------------------------- command line


def test_every_command_has_a_section() -> None:
    assert set(re.findall(r"^### snapdrift (\w+)", PAGE, re.M)) == set(CLI.commands)


@pytest.mark.parametrize("name", list(CLI.commands))
def test_the_options_of_a_command_are_those_that_it_takes(name: str) -> None:
    heading = re.search(rf"^### (snapdrift {name}\b.*)$", PAGE, re.M)
    assert heading is not None
    said = {option for text in code(section(heading[1])) for option in re.findall(r"(?<!\S)--?[a-z][a-z-]*", text)}

    command = CLI.commands[name]
    ways = getattr(command, "commands", {"": command}).values()
    taken = {option for way in ways for param in way.params for option in (*param.opts, *param.secondary_opts)}
    assert said == {option for option in taken if option[0] == "-"}


def command_lines() -> list[str]:
    found = []
    for page in (README, PAGE):
        for block in blocks("console", page):
            found += [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]
    return found


@pytest.mark.parametrize("line", command_lines())
def test_every_command_line_that_is_shown_is_understood(line: str) -> None:
    words = shlex.split(line.partition(" > ")[0], comments=True)
    while "=" in words[0]:
        del words[0]
    program, *arguments = words

    assert program == "snapdrift"
    if arguments[0] in CLI.commands:
        CLI.commands[arguments[0]].make_context(arguments[0], arguments[1:])
    else:
        assert arguments[0] in {option for parameter in CLI.params for option in parameter.opts}


def test_there_are_command_lines_in_both_pages() -> None:
    assert blocks("console", README)
    assert blocks("console", PAGE)


SHOWN = re.findall(r"^```text (.+)\n((?:.*\n)+?)^```$", PAGE, re.M)


@pytest.mark.parametrize(("line", "shown"), SHOWN, ids=[line.partition(" ")[0] for line, _ in SHOWN])
def test_what_a_command_is_shown_to_print_is_what_it_prints(line: str, shown: str, tmp_path: Path, monkeypatch) -> None:
    """In a workspace in which nothing was run, for what was asked before is what is expected of a plan."""
    for name in ("evals/sentiment.yaml", "datasets/reviews.jsonl", "snapdrift.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)

    printed = CliRunner().invoke(app, shlex.split(line)).stdout

    assert printed.startswith(shown)


def test_the_columns_of_plan_and_models_are_explained() -> None:
    plan, _ = SHOWN[0][1].splitlines()[1:3]
    models = CliRunner().invoke(app, ["models"]).stdout.splitlines()[1]

    assert first_column("snapdrift plan SUITE...") == set(re.split(r"\s{2,}", plan.strip())) - {"variant", "model"}
    assert first_column("snapdrift models [MODEL]...") == set(models.split()) - {"model"}


# ------------------------------------------------------------------------------------------- verdict.json, the stand-in


KEYED_BY_DATA = (
    "versions", "resolved_models", "sources", "outcomes", "would_miss", "endings", "returned", "ways", "means",
)  # fmt: skip


def shape(value: Any, name: str = "") -> Any:
    """The keys of a document; mappings whose keys are data are leaves."""
    if isinstance(value, dict) and name not in KEYED_BY_DATA:
        return {key: shape(entry, key) for key, entry in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [shape(entry) for entry in value]
    return None


def test_the_example_of_verdict_json_is_what_the_run_that_it_names_writes(tmp_path: Path) -> None:
    (block,) = blocks("json verdict")
    shown = json.loads(block)
    options = pipeline.RunOptions(
        target=pipeline.TargetOptions(standin=True),
        output=pipeline.Output(out_dir=tmp_path, state_dir=tmp_path / "state"),
    )
    (outcome,) = pipeline.run_suites([ROOT / "evals" / "sentiment.yaml"], options)
    written = json.loads(outcome.reports.verdict.read_text(encoding="utf-8"))

    assert shape(written) == shape(shown)
    for document in (written, shown):
        del document["comparisons"][0]["ci"]
    exact = ("table", "verdict", "method", "margin", "newly_failing", "newly_passing")
    assert [written["comparisons"][0][key] for key in exact] == [shown["comparisons"][0][key] for key in exact]
    assert written["decision"]["word"] == shown["decision"]["word"]
    assert [label["word"] for label in written["labels"]] == ["simulated"]


def test_the_examples_of_snapdrift_toml_are_right() -> None:
    (plain,), (hosts,), (standin,) = blocks("toml"), blocks("toml hosts"), blocks("toml standin")

    assert parse_config(plain, "snapdrift.toml").hosts.keys() == {"my-proxy"}
    assert parse_config(hosts, "snapdrift.toml").deployments == {"triage-prod": "gpt-4o-2024-08-06"}
    assert [parse_config(text, "snapdrift.toml").api_key_cmd for text in blocks("toml command")] == [
        ["op", "read", "op://Private/OpenAI/credential"]
    ]
    read = parse_config(standin, "snapdrift.toml").standin.model_dump()
    assert StandinConfig.from_settings(read, root=ROOT).behaviours.keys() == {"mine"}


def test_the_example_of_recordings_is_read(tmp_path: Path) -> None:
    (rows,) = blocks("jsonl recordings")
    path = tmp_path / "recordings.jsonl"
    path.write_text(rows)

    found = Recordings([path]).find(["gpt-4o-2024-08-06"], "Where is my parcel?", 1)

    assert found == '{"queue": "other"}'


@pytest.mark.parametrize(
    ("heading", "number", "known"),
    [
        ("Behaviours", 0, BUILT_IN),
        ("Behaviours", 1, Behaviour.model_fields),
        ("Faults", 0, FaultRule.model_fields),
        ("Faults", 1, [fault.value for fault in Fault]),
        ("Batches of the stand-in", 0, BatchSettings.model_fields),
        ("Batches of the stand-in", 1, BatchFate.model_fields),
    ],
)
def test_what_the_stand_in_can_do_is_listed(heading, number, known) -> None:
    assert first_column(heading, number) == set(known)


def test_the_example_of_rules_for_faults_is_read() -> None:
    (rules,) = blocks("yml faults")

    assert len(read_script(yaml.safe_load(rules), "faults.yaml")) == len(rules.splitlines())
