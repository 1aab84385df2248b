"""Tab offers what there is, by the protocol of each shell, and neither a broken nor a hostile suite does any harm."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from snapdrift.cli import app, completion
from snapdrift.cli.outlines import outline
from snapdrift.openai_api.catalog import load_catalog
from snapdrift.scaffold.kinds import KINDS
from snapdrift.standin.behaviours import BUILT_IN

SUITE = """\
suite: triage
dataset: datasets/rows.jsonl
models: [gpt-4o, gpt-4o-mini]
variants:
  august: {model: gpt-4o-2024-08-06, request: {temperature: 0}}
  november: {model: gpt-4o-2024-11-20}
gates:
  pr: {baseline: {variant: august}}
  nightly: {extends: pr}
"""
CONFIG = """\
state = "kept"
[hosts.proxy]
base_url = "https://proxy.example/v1"
[models.house-model]
reasoning = false
[standin.behaviours.odd]
wrong = 0.1
"""


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch) -> Path:
    for folder in ("evals", "datasets", "kept/runs"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "snapdrift.toml").write_text(CONFIG)
    (tmp_path / "evals" / "triage.yaml").write_text(SUITE)
    rows = [{"id": "t-1", "tags": ["golden", "long"]}, {"id": "t-2", "tags": "short, golden"}]
    (tmp_path / "datasets" / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    for run in ("20261101-000000-aaaa", "20261102-000000-bbbb"):
        (tmp_path / "kept" / "runs" / f"{run}.db").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def bash(line: str) -> list[str]:
    words = line.split(" ")
    env = {"_SNAPDRIFT_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    return CliRunner().invoke(app, [], prog_name="snapdrift", env=env).output.split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("snapdrift doc", ["doctor"]),
        ("snapdrift run ev", ["evals/triage.yaml"]),
        ("snapdrift run evals/triage.yaml --gate ", ["pr", "nightly"]),
        ("snapdrift plan --gate n", ["nightly"]),
        ("snapdrift run --variant ", ["august", "november", "gpt-4o", "gpt-4o-mini"]),
        ("snapdrift run evals/triage.yaml --case ", ["t-1", "t-2"]),
        ("snapdrift check evals/triage.yaml --explain t-2", ["t-2"]),
        ("snapdrift run --tag ", ["golden", "long", "short"]),
        ("snapdrift resume ", ["latest", "20261102-000000-bbbb", "20261101-000000-aaaa"]),
        ("snapdrift report latest 20261101", ["20261101-000000-aaaa"]),
        ("snapdrift history t", ["triage"]),
        ("snapdrift run --host ", ["proxy"]),
        ("snapdrift run --behaviour od", ["odd"]),
        ("snapdrift run --behaviour sl", ["sloppy"]),
        ("snapdrift models house", ["house-model"]),
        ("snapdrift init --template e", ["extract"]),
        ("snapdrift cache explain evals/triage.yaml --case t-1", ["t-1"]),
    ],
)
def test_bash_is_offered_what_there_is(line, offered, workspace):
    assert bash(line) == offered


def test_zsh_and_fish_are_offered_the_same(workspace):
    typed = {"_TYPER_COMPLETE_ARGS": "snapdrift run --gate "}
    zsh = CliRunner().invoke(app, [], prog_name="snapdrift", env={"_SNAPDRIFT_COMPLETE": "complete_zsh", **typed})
    assert '"pr"' in zsh.output
    assert '"nightly"' in zsh.output
    fish = {"_SNAPDRIFT_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args", **typed}
    assert CliRunner().invoke(app, [], prog_name="snapdrift", env=fish).output.split() == ["pr", "nightly"]


def test_the_words_that_are_named_here_are_those_of_the_program(workspace):
    assert set(completion.BEHAVIOURS) == set(BUILT_IN)
    assert [kind.name for kind in KINDS] == list(completion.TEMPLATES)
    assert set(bash("snapdrift models ")) == {info.name for info in load_catalog().models()} | {"house-model"}


@pytest.mark.parametrize(
    "text",
    ["gates: {pr: {}", "gates: [", "\0", "gates: 7", "- a\n- b", "", "a: &a [*a]\ngates: *a", "[" * 100_000,
     "gates: {pr: {}} # " + "y" * 2**20],
    ids=["cut off", "broken", "no text", "no mapping", "a list", "empty", "a loop", "deep", "large"],
)  # fmt: skip
def test_a_suite_that_is_broken_or_meant_to_break_is_offered_little_of_and_told_nothing(text, workspace):
    (workspace / "evals" / "triage.yaml").write_text(text)
    for option in ("--gate", "--variant", "--case", "--tag"):
        assert set(bash(f"snapdrift run evals/triage.yaml {option} ")) <= {"pr"}


def test_what_a_shell_might_run_is_never_offered(workspace):
    rows = [{"id": text} for text in ("$(touch x)", "`touch x`", '"; touch x', "a b", "a\nb", "\u202ea", "fine-1")]
    (workspace / "datasets" / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert bash("snapdrift run --case ") == ["fine-1"]


@pytest.mark.parametrize("dataset", ["../outside.jsonl", ".hidden/rows.jsonl", "/etc/passwd", "datasets"])
def test_a_dataset_outside_the_workspace_is_not_read(dataset, workspace):
    for place in (workspace.parent / "outside.jsonl", workspace / ".hidden" / "rows.jsonl"):
        place.parent.mkdir(exist_ok=True)
        place.write_text('{"id": "secret"}')
    (workspace / "evals" / "triage.yaml").write_text(SUITE.replace("datasets/rows.jsonl", dataset))
    assert bash("snapdrift run --case ") == []


def test_cases_are_offered_of_every_form_of_a_dataset(workspace):
    suite = workspace / "evals" / "triage.yaml"
    (workspace / "datasets" / "rows.csv").write_text("id,tags\nc-1,one\n")
    (workspace / "datasets" / "rows.jsonl.gz").write_bytes(gzip.compress(b'{"id": "g-1"}\n'))
    for name, offered in (("rows.csv", ["c-1"]), ("rows.jsonl.gz", ["g-1"])):
        suite.write_text(SUITE.replace("rows.jsonl", name))
        assert bash("snapdrift run --case ") == offered
    suite.write_text("suite: s\ncases:\n  - {id: i-1, q: x}\n  - {id: i-2, q: y}\n")
    assert bash("snapdrift run --case ") == ["i-1", "i-2"]


def test_an_outline_goes_as_deep_as_it_is_asked_to(workspace):
    assert outline(workspace / "evals" / "triage.yaml", 2)["variants"] == {"august": None, "november": None}
    assert outline(workspace / "evals" / "triage.yaml", 3)["variants"]["november"] == {"model": "gpt-4o-2024-11-20"}
