"""`init` starts a workspace that runs as it is, replaces nothing, and chooses models by what the catalogue says."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from typer.testing import CliRunner

from snapdrift import pipeline
from snapdrift.cli import app
from snapdrift.errors import UsageError
from snapdrift.openai_api.catalog import load_catalog
from snapdrift.pipeline.options import RunOptions, TargetOptions
from snapdrift.pipeline.prepare import prepare
from snapdrift.pipeline.unanswered import unanswered_warning
from snapdrift.scaffold.choices import Answers, Models, chosen_judge, chosen_models
from snapdrift.scaffold.filling import workflow_text
from snapdrift.scaffold.kinds import KINDS
from snapdrift.suites.workspace import find_workspace

NOW = date(2026, 11, 27)
AFTERWARDS = date(2027, 6, 1)
PAIR = Models("gpt-4o-2024-08-06", "gpt-4o-2024-11-20")
PINNED = {"gpt-7-2026-10-01": {"price": {"input": 1, "output": 2}}}


@pytest.fixture(scope="module")
def started(tmp_path_factory, snapdrift) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """An empty folder after `snapdrift init --yes`, and what it printed."""
    folder = tmp_path_factory.mktemp("new")
    return folder, snapdrift("init", "--yes", cwd=folder)


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_from_an_empty_folder_two_commands_lead_to_a_report_that_passes(started, snapdrift):
    folder, done = started
    assert done.returncode == 0, done.stderr
    ran = snapdrift("run", *sorted(folder.glob("evals/*.yaml")), "--standin", cwd=folder)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for kind in KINDS:
        if (folder / kind.path).exists():
            (verdict,) = folder.glob(f"reports/{kind.suite}/2*/verdict.json")
            said = json.loads(verdict.read_text())
            assert said["decision"]["word"] == "passed"
            assert {variant["source"] for variant in said["variants"]} == {"simulated"}
            assert any(metric["mean"] < 1 for metric in said["metrics"]), (
                "a report in which nothing ever fails shows little"
            )
    assert (folder / "reports" / "index.html").is_file()


def test_the_starter_bears_as_many_accepted_losses_as_its_margins_do(tmp_path):
    done = pipeline.start_workspace(tmp_path, Answers(kinds=tuple(kind.name for kind in KINDS), github=False))
    losses = {"ticket-triage": ("queue", 5), "invoice-fields": ("fields.total", 5), "customer-replies": ("helpful", 3)}
    entries = []
    for suite in map(tmp_path.joinpath, done.suites):
        metric, most = losses[suite.stem]
        rows = map(json.loads, (tmp_path / yaml.safe_load(suite.read_text())["dataset"]).read_text().splitlines())
        cases = [row["id"] for row in rows if metric != "helpful" or "ordinary" in row["tags"]]
        entries += [
            {"suite": suite.stem, "case": case, "metric": metric, "why": "fine", "by": "ada", "until": "2027-01-31"}
            for case in cases[:most]
        ]
    (tmp_path / "evals" / "accepted.yaml").write_text(json.dumps(entries))
    checked = pipeline.check_suites([tmp_path / path for path in done.suites], RunOptions())
    assert [len(one.suite.accepted) for one in checked] == [losses[one.suite.name][1] for one in checked]
    assert "(5 accepted cases are left out, evals/accepted.yaml)" in str([one.sufficiency for one in checked])


def test_a_model_that_is_to_replace_one_answers_on_the_stand_in_and_one_that_cannot_is_told(tmp_path):
    done = pipeline.start_workspace(tmp_path, Answers(kinds=tuple(kind.name for kind in KINDS), github=False))
    target, workspace = TargetOptions(standin=True), find_workspace(tmp_path)
    for path in done.suites:
        suite = prepare(tmp_path / path, RunOptions()).suite
        new = replace(suite.variants["current"], name="gpt-6-luna", model="gpt-6-luna")
        assert unanswered_warning(suite, [*suite.variants.values(), new], workspace, target) is None
        other = replace(suite, name="imported")
        told = unanswered_warning(other, [new], workspace, target) or ""
        assert told.startswith("the stand-in has no answers for `gpt-6-luna` of imported: it answers anything")
        assert told.endswith("name a behaviour under [standin.suites.imported]")
        assert unanswered_warning(other, [new], workspace, TargetOptions()) is None


def test_what_is_written_has_a_budget_a_judge_that_stays_and_a_schema_for_editors(started):
    folder, _ = started
    schema = jsonschema_rs.validator_for(json.loads((folder / "evals" / "suite.schema.json").read_text()))
    suites = sorted(folder.glob("evals/*.yaml"))
    assert len(suites) == 2
    for path in suites:
        text = path.read_text()
        assert text.startswith("# yaml-language-server: $schema=suite.schema.json\n")
        schema.validate(yaml.safe_load(text))
        assert yaml.safe_load(text)["budget"]["usd"] > 0
    rubric = yaml.safe_load((folder / "graders" / "helpfulness.yaml").read_text())
    assert load_catalog().retires_within(rubric["model"], 180) is None


def test_a_second_time_nothing_changes(started, snapdrift):
    folder, _ = started
    before = files_of(folder)
    again = snapdrift("init", "--yes", cwd=folder)
    assert again.returncode == 0
    assert "wrote" not in again.stdout
    assert files_of(folder) == before


@pytest.mark.parametrize(
    "models",
    [
        ("gpt-4o",),
        ("gpt-4o-mini-2024-07-18",),
        ("gpt-6-luna",),
        ("gpt-4o", "ft:gpt-4o-2024-08-06:acme::x1"),
        ("in-house",),
    ],
    ids=str,
)
def test_every_kind_of_task_loads_with_any_models(models, tmp_path):
    done = pipeline.start_workspace(tmp_path, Answers(models, kinds=tuple(kind.name for kind in KINDS)))
    assert done.mistakes == ""
    assert len(done.suites) == len(KINDS)


def test_files_of_the_user_are_kept_and_what_they_lack_is_told(tmp_path, snapdrift):
    (tmp_path / "snapdrift.toml").write_text("concurrency = 3\n")
    (tmp_path / ".gitignore").write_bytes(b"dist/\r\nreports")
    (tmp_path / ".git").mkdir()
    (tmp_path / "app").mkdir()
    done = snapdrift(
        "init", "--yes", "--template", "chat", "--price", "gpt-6-luna=1/4", "app", "--no-github", cwd=tmp_path
    )
    assert done.returncode == 0
    assert (tmp_path / "app" / "snapdrift.toml").read_text().count('[prices."gpt-6-luna"]\n') == 0
    assert '[prices."gpt-6-luna"]' in (tmp_path / "app" / "snapdrift.toml").read_text()
    done = snapdrift("init", "--yes", "--template", "chat", "--price", "gpt-6-luna=1/4", cwd=tmp_path)
    assert (tmp_path / "snapdrift.toml").read_text() == "concurrency = 3\n"
    assert (tmp_path / ".gitignore").read_bytes().startswith(b"dist/\r\nreports\r\n\r\n# snapdrift")
    assert (tmp_path / ".gitignore").read_bytes().endswith(b".snapdrift/\r\n")
    assert "[standin.suites.customer-replies]" in done.stdout
    assert "next:\n  first add the lines above to snapdrift.toml\n" in done.stdout
    assert '[prices."gpt-6-luna"]' in done.stdout


def test_what_pyproject_says_is_not_taken_over_by_a_new_file(tmp_path, snapdrift):
    (tmp_path / "pyproject.toml").write_text("[tool.snapdrift]\nconcurrency = 3\n")
    done = snapdrift("init", "--yes", "--no-github", cwd=tmp_path)
    assert done.returncode == 0
    assert not (tmp_path / "snapdrift.toml").exists()
    lines = done.stdout.partition("add to it:\n")[2].partition("\nnext:")[0]
    (tmp_path / "pyproject.toml").write_text("[tool.snapdrift]\nconcurrency = 3\n\n" + lines)
    assert "add to it" not in snapdrift("init", "--yes", "--no-github", cwd=tmp_path).stdout


def test_a_file_that_does_not_fit_is_told_with_its_place_and_replaced_only_by_name(tmp_path, snapdrift):
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "tickets.jsonl").write_text('{"id": "a", "text": "Hello"}\n')
    wrong = snapdrift("init", "--yes", "--template", "classify", cwd=tmp_path)
    assert wrong.returncode == 2
    assert "--force FILE" in wrong.stderr
    mended = snapdrift("init", "--yes", "--template", "classify", "--force", "datasets/tickets.jsonl", cwd=tmp_path)
    assert mended.returncode == 0, mended.stderr
    assert "replaced       datasets/tickets.jsonl" in mended.stdout


def test_nothing_is_written_through_a_link_that_leads_elsewhere(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "evals").symlink_to(elsewhere)
    with pytest.raises(UsageError, match="leads out of the folder"):
        pipeline.start_workspace(tmp_path / "here", Answers())
    assert files_of(tmp_path) == {}


def test_the_workflow_is_at_the_root_of_the_repository_and_its_commands_are_those_of_the_program(tmp_path, snapdrift):
    (tmp_path / ".git").mkdir()
    folder = tmp_path / "llm" / "checks"
    done = pipeline.start_workspace(folder, Answers(kinds=("classify",)))
    assert "../../.github/workflows/snapdrift.yml" in [one.path for one in done.written]
    text = (tmp_path / ".github" / "workflows" / "snapdrift.yml").read_text()
    assert text == workflow_text("llm/checks")
    jobs: Any = yaml.safe_load(text)["jobs"]
    assert {job["defaults"]["run"]["working-directory"] for job in jobs.values()} == {"llm/checks"}
    assert "OPENAI_API_KEY" not in str(jobs["check"])
    used = [step["uses"] for job in jobs.values() for step in job["steps"] if "uses" in step]
    assert used
    assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", action) for action in used), "a tag can be moved"
    kept = [step for step in jobs["run"]["steps"] if "state push" in str(step) or "upload-artifact" in str(step)]
    assert [step["if"] for step in kept] == ["always()"] * 2, "a job that is cancelled has been paid for too"
    assert "dependabot[bot]" in jobs["run"]["if"]
    commands = [
        step["run"].split() for job in jobs.values() for step in job["steps"] if "snapdrift" in step.get("run", "")
    ]
    told = {command[1] for command in commands if command[0] == "snapdrift"}
    assert told == {"check", "plan", "run", "state"}
    for command in commands:
        if command[1] in ("check", "plan"):
            arguments = [str(folder / done.suites[0]) if "*" in word else word for word in command[1:]]
            assert snapdrift(*arguments, cwd=folder).returncode == 0
        elif command[0] == "snapdrift":
            options = [word for word in command if word.startswith("--")]
            helped = snapdrift(*command[1 : 3 if command[1] == "state" else 2], "--help", cwd=folder).stdout
            assert all(option in helped for option in options)


def test_the_judge_is_one_that_stays_and_a_priced_pinned_one_before_others():
    assert chosen_judge(None, load_catalog(today=NOW), PAIR).model == "gpt-6-luna"
    assert chosen_judge(None, load_catalog(PINNED, NOW), PAIR).model == "gpt-7-2026-10-01"
    soon = {name: {**facts, "shutdown": "2027-02-01"} for name, facts in {**PINNED, "gpt-6-luna": {}}.items()}
    last = chosen_judge(None, load_catalog(soon, NOW), PAIR)
    assert (last.stays, last.model in soon) == (False, True)


@pytest.mark.parametrize(
    ("names", "today", "expected"),
    [
        ((), NOW, ("gpt-4o-2024-08-06", "gpt-4o-2024-11-20")),
        (("gpt-4o-2024-11-20",), NOW, ("gpt-4o-2024-11-20", "gpt-4o-2024-08-06")),
        (("gpt-4o",), NOW, ("gpt-4o-2024-08-06", "gpt-4o")),
        (("gpt-4o-2024-11-20",), AFTERWARDS, ("gpt-4o-2024-11-20", "gpt-4o-2024-11-20")),
        ((), AFTERWARDS, ("gpt-6-luna", "gpt-6-luna")),
    ],
)
def test_models_that_nobody_names_are_ones_that_still_answer(names, today, expected):
    models = chosen_models(names, load_catalog(today=today))
    assert (models.current, models.candidate) == expected


def test_the_questions_are_few_have_defaults_and_are_asked_again_after_a_slip(tmp_path):
    replies = "gpt-4o\n\nextarct\nextract\nmaybe\nn\n"
    done = CliRunner().invoke(app, ["init", str(tmp_path)], input=replies)
    assert done.exit_code == 0, done.output
    assert 'did you mean "extract"?' in done.output
    suite = yaml.safe_load((tmp_path / "evals" / "invoice-fields.yaml").read_text())
    assert suite["variants"] == {"current": {"model": "gpt-4o-2024-08-06"}, "candidate": {"model": "gpt-4o"}}
    assert not (tmp_path / ".github").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--model", "a b"], "expected a model's id"),
        (["--model", "a", "--model", "b", "--model", "c"], "found 3 models"),
        (["--template", "chta"], 'did you mean "chat"?'),
        (["--price", "gpt-6-luna"], "expected NAME=INPUT/OUTPUT"),
        (["--price", "gpt-6-luna=cheap"], "expected USD per million tokens"),
        (["--force", "README.md"], "expected a file that init writes"),
    ],
)
def test_a_mistake_is_told_before_anything_is_written(arguments, told, tmp_path, snapdrift):
    done = snapdrift("init", "--yes", *arguments, cwd=tmp_path)
    assert (done.returncode, files_of(tmp_path)) == (2, {})
    assert told in done.stderr


def test_without_a_terminal_and_without_yes_it_says_what_to_do(tmp_path):
    done = CliRunner().invoke(app, ["init", str(tmp_path)], input="")
    assert done.exit_code != 0
    assert isinstance(done.exception, UsageError)
    assert "--yes" in str(done.exception)


def test_git_ignores_the_pages_and_not_the_users_own_templates_of_them(tmp_path):
    pipeline.start_workspace(tmp_path, Answers(kinds=("chat",)))
    for path in ("reports/index.html", "reports/customer-replies/1/index.html", "reports/templates/index.html.j2"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("x")
    subprocess.run(["git", "init", "--quiet", "."], cwd=tmp_path, check=True)
    shown = subprocess.run(
        ["git", "status", "--porcelain", "-uall", "reports"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert shown.stdout == "?? reports/templates/index.html.j2\n"


def test_a_judge_without_a_price_says_where_it_goes(tmp_path, snapdrift):
    done = snapdrift("init", "--yes", "--template", "chat", "--judge", "gpt-6-luna", cwd=tmp_path)
    assert "stands as a comment to fill in" in done.stdout
    assert '# [prices."gpt-6-luna"]' in (tmp_path / "snapdrift.toml").read_text()
    assert '[prices."gpt-6-luna"] in snapdrift.toml' in (tmp_path / "graders" / "helpfulness.yaml").read_text()
