"""The reference says what the program does: its examples load, its keys, options and words are those of the code."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from snapdrift import pipeline
from snapdrift.cli import app
from snapdrift.errors import SuiteError
from snapdrift.graders.base import Grader
from snapdrift.graders.registry import Registry
from snapdrift.model import DecisionWord, Outcome, Verdict
from snapdrift.openai_api import settings
from snapdrift.openai_api.catalog import load_catalog
from snapdrift.standin.behaviours import BUILT_IN
from snapdrift.standin.config import StandinConfig
from snapdrift.standin.faults import Fault
from snapdrift.standin.recordings import Recordings
from snapdrift.suites.availability import LATER_REQUEST_KEYS
from snapdrift.suites.config import Config, parse_config
from snapdrift.suites.datasets import load_cases
from snapdrift.suites.gate_entries import GateEntry, MetricEntry, SampleEntry
from snapdrift.suites.loader import load_suite
from snapdrift.suites.resolved import Suite
from snapdrift.suites.suite import PromptEntry, SuiteFile, VariantEntry
from snapdrift.suites.workspace import Workspace

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


def later(place: str) -> dict[str, list[Any]]:
    """By key: the values at a place of a suite that are told as not available yet."""
    (cell,) = (row[1] for row in table("Accepted, but not available yet") if row[0] == place)
    found: dict[str, list[Any]] = {}
    for text in code(cell):
        for key, value in yaml.safe_load(text).items():
            found.setdefault(key, []).append(value)
    return found


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    for folder in ("evals", "datasets", "graders"):
        (tmp_path / folder).mkdir()
    (tmp_path / "datasets" / "tickets.jsonl").write_text(TICKETS)
    ticket = {"type": "object", "additionalProperties": False, "required": ["queue"], "properties": {"queue": {}}}
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


def test_every_yaml_example_of_the_page_is_a_suite_that_is_loaded() -> None:
    assert len(re.findall(r"^```yaml", PAGE, re.M)) == len(blocks("yaml suite")) > 0


@pytest.mark.parametrize(
    ("heading", "number", "model", "place"),
    [
        ("Keys of a suite", 0, SuiteFile, "suite"),
        ("Keys of a prompt", 0, PromptEntry, ""),
        ("Keys of a variant", 0, VariantEntry, "variant"),
        ("Keys of a sample", 0, SampleEntry, ""),
        ("Gates", 0, GateEntry, ""),
        ("Gates", 1, MetricEntry, ""),
        ("The workspace", 0, Config, ""),
    ],
)
def test_a_table_of_keys_has_every_key_that_works_and_no_other(heading, number, model, place) -> None:
    coming = set(later(place)) - {"target", "budget"} if place else set()

    assert first_column(heading, number) == set(model.keys()) - coming


def test_the_settings_are_those_that_go_through() -> None:
    both, responses, chat = (set(code(row[0])) for row in table("Keys of a variant", 1))

    assert both == settings.COMMON - LATER_REQUEST_KEYS
    assert responses == settings.RESPONSES_ONLY - LATER_REQUEST_KEYS
    assert chat == settings.CHAT_ONLY
    assert set(later("request")) == LATER_REQUEST_KEYS


def unavailable() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each key that is not available yet, in a suite that is right but for it."""
    for place in ("suite", "variant", "request", "part", "gate", "case"):
        for key, values in later(place).items():
            for value in values:
                suite = json.loads(json.dumps(BASE))
                if place == "part":
                    part = {key: value} if key in ("image", "file") else {"text": "x", key: value}
                    suite["prompt"]["input"] = [{"role": "user", "content": [part]}]
                else:
                    holder = {
                        "suite": suite,
                        "variant": suite["variants"]["one"],
                        "request": suite.setdefault("request", {}),
                        "gate": suite["gate"],
                        "case": suite["cases"][0],
                    }[place]
                    holder[key] = value
                yield f"{place}.{key}", suite


LATER = list(unavailable())


@pytest.mark.parametrize("suite", [suite for _, suite in LATER], ids=[name for name, _ in LATER])
def test_what_is_listed_as_not_available_yet_is_an_error_that_says_so(suite, workspace) -> None:
    with pytest.raises(SuiteError, match="not available yet"):
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

    assert said == {option for parameter in CLI.commands[name].params for option in parameter.opts if option[0] == "-"}


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


# ------------------------------------------------------------------------------------------- verdict.json, the stand-in


def shape(value: Any, name: str = "") -> Any:
    """The keys of a document; mappings whose keys are data are leaves."""
    if isinstance(value, dict) and name not in ("versions", "resolved_models", "sources", "outcomes", "would_miss"):
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
    (plain,), (standin,) = blocks("toml"), blocks("toml standin")

    assert parse_config(plain, "snapdrift.toml").hosts.keys() == {"my-proxy"}
    read = parse_config(standin, "snapdrift.toml").standin.model_dump()
    assert StandinConfig.from_settings(read, root=ROOT).behaviours.keys() == {"mine"}


def test_the_example_of_recordings_is_read(tmp_path: Path) -> None:
    (rows,) = blocks("jsonl recordings")
    path = tmp_path / "recordings.jsonl"
    path.write_text(rows)

    found = Recordings([path]).find(["gpt-4o-2024-08-06"], "Where is my parcel?", 1)

    assert found == '{"queue": "other"}'


def test_the_behaviours_and_faults_of_the_stand_in_are_listed() -> None:
    faults = section("The stand-in").partition("Faults: ")[2]

    assert first_column("The stand-in") == set(BUILT_IN)
    assert set(code(faults)) == set(Fault)
