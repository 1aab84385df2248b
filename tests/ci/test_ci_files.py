"""The actions, workflows and recipes as files: what they may do and fetch, and what code is in them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.ci.conftest import Hub, git
from tests.ci.github_actions import ROOT

ACTIONS = [ROOT / "action.yml", ROOT / "ci" / "watch" / "action.yml"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PAGE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")


def loaded(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def steps(path: Path) -> list[dict[str, Any]]:
    found = loaded(path)
    if "runs" in found:
        return list(found["runs"]["steps"])
    return [step for job in found["jobs"].values() for step in job.get("steps", [])]


@pytest.mark.parametrize("path", [*ACTIONS, *WORKFLOWS], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_scripts_get_what_they_need_by_the_environment_and_actions_are_pinned(path: Path) -> None:
    written = steps(path)
    assert written
    assert [step["run"] for step in written if "${{" in step.get("run", "")] == []
    fetched = [step["uses"] for step in written if not step.get("uses", "./").startswith("./")]
    assert [use for use in fetched if not re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", use)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_give_no_permission_that_a_job_does_not_name(path: Path) -> None:
    found = loaded(path)
    assert found["permissions"] == {}
    (events,) = (value for key, value in found.items() if str(key) in ("on", "True"))  # YAML 1.1 reads `on` as true
    nobody_waits = events.keys() <= {"schedule", "workflow_dispatch"}
    for job in found["jobs"].values():
        assert job["permissions"]
        assert job["timeout-minutes"] <= (120 if nobody_waits else 60)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_our_own_workflows_give_our_actions_inputs_that_they_have(path: Path) -> None:
    for step in steps(path):
        if step.get("uses", "").startswith("./"):
            action = loaded(ROOT / step["uses"] / "action.yml")
            assert step["with"].keys() <= action["inputs"].keys()
            assert all((ROOT / suite).is_file() for suite in step["with"]["suites"].split())


@pytest.mark.parametrize("path", ACTIONS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_input_and_output_is_told_in_the_manual(path: Path) -> None:
    found = loaded(path)
    told = set(re.findall(r"`([a-z-]+)`", PAGE))
    assert found["inputs"].keys() - told == set()
    assert found["outputs"].keys() - told == set()


def test_every_step_runs_a_script_that_bash_can_read() -> None:
    named = {name for path in ACTIONS for step in steps(path) for name in re.findall(r"/([a-z]+\.sh)", str(step))}
    scripts = {script.name for script in (ROOT / "ci").glob("*.sh")}
    assert named == scripts - {"lib.sh"}
    for name in scripts:
        subprocess.run(["bash", "-n", ROOT / "ci" / name], check=True)
        if name != "lib.sh":
            assert 'source "$(dirname "$0")/lib.sh"' in (ROOT / "ci" / name).read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.S | re.M)


def test_the_workflows_of_the_manual_give_inputs_that_there_are() -> None:
    uses = [
        step
        for text in blocks("yaml workflow")
        for job in yaml.safe_load(text)["jobs"].values()
        for step in job["steps"]
    ]
    actions = [step for step in uses if step["uses"].startswith("OWNER/snapdrift")]
    assert len(actions) == 2
    for step in actions:
        folder = step["uses"].removeprefix("OWNER/snapdrift").partition("@")[0].strip("/")
        assert step["with"].keys() <= loaded(ROOT / folder / "action.yml")["inputs"].keys()
    assert {step["uses"] for step in uses} >= {
        step["uses"] for path in WORKFLOWS for step in steps(path) if "checkout" in str(step)
    }


def test_the_shell_recipe_ends_with_the_decision_and_leaves_its_files(hub: Hub) -> None:
    (recipe,) = blocks("sh ci")
    machine = hub.machine()
    asked = recipe.replace("--max-usd 5", "--standin").replace("git-branch", "git-branch:recipe")
    done = subprocess.run(
        ["bash", "-ec", asked], cwd=machine.checkout, env=machine.env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert {"junit.xml", "summary.md", "verdict.json"} <= {path.name for path in machine.checkout.iterdir()}
    assert "runs/" in git(hub.remote, "ls-tree", "-r", "--name-only", "recipe")
