"""The page about Python: its examples run, one after the other, and its tests pass in a pytest of their own."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import cast

import pytest
from tests.pytest_plugin.conftest import run_pytest  # noqa: F401  a fixture

from snapdrift.api import RunSettings
from snapdrift.pytest_plugin.settings import add_options

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
REFERENCE = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("workspace")
    for name in ("evals", "datasets", "graders"):
        shutil.copytree(ROOT / name, root / name)
    for name in ("snapdrift.toml", ".gitignore"):
        shutil.copy(ROOT / name, root)
    who = ("-c", "user.name=tester", "-c", "user.email=tester@example.com")
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], [*who, "commit", "-q", "-m", "the suites"]):
        subprocess.run(["git", *command], cwd=root, check=True, timeout=60)
    return root


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch, workspace: Path) -> None:
    monkeypatch.chdir(workspace)


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.+?)^```$", PAGE, re.M | re.S)


def test_the_examples_run_in_their_order(inside, capsys):
    names: dict[str, object] = {}
    for block in blocks("python"):
        exec(compile(block, "docs/python.md", "exec"), names)  # noqa: S102
    told = capsys.readouterr().out
    assert "regression ('simulated',)" in told
    assert "found no gate 'weekly'; expected --gate with one of default, pr, nightly, release" in told
    assert "1 suite not affected by what changed since the merge base with main" in told
    assert re.search(r"valid +chat +-0\.\d+", told)
    assert "```json" in told, "a newly failing answer, fenced"


def test_the_tests_on_the_page_pass_in_a_plain_pytest(workspace, run_pytest):  # noqa: F811
    (block,) = blocks("python test")
    (workspace / "test_page.py").write_text(block, encoding="utf-8")
    ran = run_pytest("-q", "test_page.py", cwd=workspace)
    assert "2 passed" in ran.stdout, ran.stdout + ran.stderr


class Listing:
    """Takes down what a plugin declares, as pytest's parser and a group of its options."""

    def __init__(self) -> None:
        self.options: list[str] = []
        self.settings: list[str] = []

    def getgroup(self, *_told: str) -> Listing:
        return self

    def addoption(self, name: str, **_more: object) -> None:
        self.options.append(name)

    def addini(self, name: str, *_told: object, **_more: object) -> None:
        self.settings.append(name)


def test_the_page_has_every_setting_and_the_reference_every_option_of_pytest():
    listed = set(re.findall(r"`(\w+)`", PAGE.partition("| setting | is |")[2].partition("\n\n")[0]))
    assert set(RunSettings.__annotations__) <= listed
    parser = Listing()
    add_options(cast("pytest.Parser", parser))
    section = REFERENCE.partition("\n## pytest\n")[2].partition("\n## ")[0]
    assert "--snapdrift-max-usd" in parser.options
    assert [name for name in parser.options if f"`{name}" not in section] == []
    assert set(parser.settings) <= set(re.findall(r"`(\w+)`", section))
