"""The job for forks in SECURITY.md does what the text around it says."""

from __future__ import annotations

import subprocess
from pathlib import Path

import yaml
from tests.repositories import GitWorkspace

PAGE = Path(__file__).parents[2] / "SECURITY.md"


def steps() -> list[str]:
    """The commands of the job."""
    _, _, rest = PAGE.read_text(encoding="utf-8").partition("```yaml\n")
    job = yaml.safe_load(rest.partition("```")[0])
    return [step["run"] for step in job["jobs"]["evals"]["steps"] if "run" in step]


def test_the_settings_of_a_fork_give_way_to_those_of_the_base_wherever_they_are(tmp_path: Path) -> None:
    git = GitWorkspace(tmp_path / "theirs", cases=3)
    git.git("checkout", "-q", "main")
    git.write("pyproject.toml", "[tool.snapdrift]\nconcurrency = 3\n")
    git.commit("settings")
    git.git("checkout", "-q", "-b", "fork")
    settings = git.root / "snapdrift.toml"
    before = settings.read_text()
    settings.write_text('roots = ["/"]\n')
    (git.root / "pyproject.toml").unlink()
    git.write("evals/snapdrift.toml", 'roots = ["/"]\n')
    (git.root / "datasets" / "pyproject.toml").symlink_to("../snapdrift.toml")
    git.commit("a fork")
    checkout = tmp_path / "checkout"
    git.git("clone", "-q", "--branch", "fork", str(git.top), str(checkout), cwd=tmp_path)
    (restore,) = [step for step in steps() if step.startswith("git ")]
    subprocess.run(
        ["bash", "-c", restore], cwd=checkout, env={"PATH": "/usr/bin:/bin", "GITHUB_BASE_REF": "main"}, check=True
    )
    assert (checkout / "app" / "snapdrift.toml").read_text() == before
    assert sorted(str(path.relative_to(checkout / "app")) for path in checkout.rglob("*.toml")) == [
        "pyproject.toml",
        "snapdrift.toml",
    ]


def test_every_command_of_that_job_that_reads_suites_refuses_code() -> None:
    ours = [step for step in steps() if step.startswith("snapdrift ")]
    assert ours
    assert all("--no-code" in step for step in ours)
