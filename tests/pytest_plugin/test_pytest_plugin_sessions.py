"""Whole sessions of pytest: items and names, one run for all workers, messages, and that nothing happens unasked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from tests.api.capitals import make_workspace
from tests.pytest_plugin.conftest import Pytest

ITEMS = [
    "evals/capitals.yaml::capital[november]",
    "evals/capitals.yaml::cost[november]",
    "evals/capitals.yaml::must_pass[c0]",
    "evals/capitals.yaml::must_pass[c59]",
    "evals/capitals.yaml::decision",
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("workspace")
    make_workspace(root, wrong=20)
    (root / "tests").mkdir()
    (root / "pytest.ini").write_text(
        "[pytest]\ntestpaths = tests\nfilterwarnings = error\naddopts = --strict-markers\n"
    )
    return root


@pytest.fixture(scope="module")
def shared_session(root: Path, run_pytest: Pytest) -> subprocess.CompletedProcess[str]:
    """Two workers, more items than one: both need the run."""
    return run_pytest("--snapdrift", "--standin", "-n", "2", "-ra", "--junitxml", "junit.xml", cwd=root)


def test_two_workers_share_one_run_and_each_item_ends_as_the_gate_says(shared_session, root):
    assert shared_session.returncode == 1, shared_session.stdout + shared_session.stderr
    (run_file,) = (root / ".snapdrift" / "runs").glob("*.db")
    cases = {case.get("name"): case for case in ET.parse(root / "junit.xml").iter("testcase")}  # noqa: S314
    assert {name for name, case in cases.items() if case.find("failure") is not None} == {
        "capital[november]",
        "must_pass[c0]",
        "decision",
    }
    assert len(cases) == len(ITEMS)
    assert not [case for case in cases.values() if case.find("error") is not None]
    said = {each.get("name"): each.get("value") for each in cases["cost[november]"].iter("property")}
    assert said["snapdrift_run"] == run_file.stem
    assert (said["snapdrift_decision"], said["snapdrift_exit_code"], said["snapdrift_labels"]) == (
        "regression",
        "1",
        "recorded",
    )


def test_a_failure_shows_the_verdict_and_the_worst_cases_with_both_answers(shared_session):
    told = shared_session.stdout
    assert "november against august on capital: regressed. 100% to 66.7%" in told
    assert "worst cases (3 of 20 newly failing):\n  c0 (wrong)\n" in told
    assert "    august:              Town 0\n" in told
    assert "    november:            No\\u001b[31m idea\n" in told, "what acts on a terminal is spelled out"
    assert "c0 must pass on november: capital: wrong [recorded]" in told


def test_the_session_ends_with_the_decision_and_the_report_of_each_run(shared_session, root):
    told = shared_session.stdout.partition("= snapdrift =")[2]
    assert "\ncapitals: regression (exit code 1) [recorded]: `november` is worse than `august` on capital" in told
    (report,) = (root / "reports" / "capitals").glob("2*/index.html")
    assert f"report {report.relative_to(root)}\n" in told


def test_without_being_asked_it_collects_nothing_and_imports_nothing(root, run_pytest):
    ran = run_pytest("evals/", "--standin", cwd=root)
    assert "collected 0 items" in ran.stdout
    code = (
        "import sys, pytest, snapdrift.pytest_plugin, snapdrift.pytest_plugin.settings\n"
        "print(sorted(name for name in sys.modules if name.startswith('snapdrift')))\n"
        "print(sorted({'pandas', 'numpy', 'openai', 'pydantic', 'yaml', 'asyncio'} & set(sys.modules)))"
    )
    alone = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert alone.stdout.splitlines() == [
        "['snapdrift', 'snapdrift.pytest_plugin', 'snapdrift.pytest_plugin.settings']",
        "[]",
    ]


def test_collecting_asks_nothing_selects_by_word_and_tells_a_wrong_suite_by_its_lines(tmp_path, run_pytest):
    make_workspace(tmp_path, wrong=20)
    (tmp_path / "evals" / "notes.yaml").write_text("not: a suite\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    listed = run_pytest("--snapdrift", "evals", "--collect-only", "-q", cwd=tmp_path)
    assert listed.stdout.splitlines()[: len(ITEMS)] == ITEMS
    some = run_pytest("--snapdrift", "evals", "--collect-only", "-q", "-k", "november and cost", cwd=tmp_path)
    assert some.stdout.splitlines()[0] == ITEMS[1]
    assert "1/5 tests collected" in some.stdout
    wrong = make_workspace(tmp_path, wrong=0, name="wrong")
    wrong.write_text(wrong.read_text().replace("exact:", "exakt:"))
    told = run_pytest("--snapdrift", "evals", "--collect-only", cwd=tmp_path)
    assert told.returncode == pytest.ExitCode.INTERRUPTED
    assert "evals/wrong.yaml:10:" in told.stdout
    assert "Traceback" not in told.stdout
    assert not (tmp_path / ".snapdrift").exists(), "nothing was run"


def test_fixtures_run_suites_on_the_stand_in_only_until_models_may_be_asked(tmp_path, run_pytest):
    make_workspace(tmp_path, wrong=0)
    (tmp_path / "test_app.py").write_text(
        "from openai import OpenAI\n"
        "def test_ours(snapdrift_run):\n"
        "    run = snapdrift_run('evals/capitals.yaml', standin=True)\n"
        "    assert run.passed and run.labels == ('recorded',)\n"
        "    assert snapdrift_run('evals/capitals.yaml', standin=True) is run\n"
        "def test_again(snapdrift_run):\n"
        "    snapdrift_run('evals/capitals.yaml', standin=True, failed='latest')\n"
        "def test_real(snapdrift_run):\n"
        "    snapdrift_run('evals/capitals.yaml')\n"
        "def test_app(standin):\n"
        "    with OpenAI(base_url=standin.base_url, api_key=standin.api_key) as client:\n"
        "        assert client.responses.create(model='gpt-4o', input='Hello').output_text\n"
        "    assert standin.label == 'simulated'\n"
    )
    ran = run_pytest("-rs", cwd=tmp_path)
    assert "2 passed, 2 skipped" in ran.stdout, ran.stdout
    assert "not asked: evals/capitals.yaml: --failed: found no case to ask again" in ran.stdout
    assert "asks real models; run pytest with --snapdrift, or on the stand-in with --standin" in ran.stdout


def test_a_session_on_the_standin_asks_no_host_that_a_test_names(tmp_path, run_pytest):
    make_workspace(tmp_path, wrong=0)
    (tmp_path / "test_app.py").write_text(
        "import pytest\n"
        "@pytest.mark.parametrize('where', [{'host': 'prod'}, {'base_url': 'http://127.0.0.1:9/v1'},\n"
        "                                   {'standin': False}])\n"
        "def test_real(snapdrift_run, where):\n"
        "    snapdrift_run('evals/capitals.yaml', **where)\n"
    )
    ran = run_pytest("--snapdrift", "--standin", "-rs", "test_app.py", cwd=tmp_path)
    assert "3 skipped" in ran.stdout, ran.stdout
    assert "asks a host of its own, and this session is on the stand-in" in ran.stdout
    assert not (tmp_path / ".snapdrift").exists(), "nobody was asked"


def test_a_run_that_cannot_be_made_is_an_error_of_each_item_and_no_failure(tmp_path, run_pytest):
    make_workspace(tmp_path, wrong=0)
    ran = run_pytest("--snapdrift", "evals", "-q", cwd=tmp_path)
    assert "5 errors" in ran.stdout
    assert "failed" not in ran.stdout
    assert "no API key: OPENAI_API_KEY is not set" in ran.stdout
