"""Baselines out of git and of kept answers, accepted losses and what failed, from Python and in sessions of pytest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.api.capitals import make_workspace
from tests.conftest import clean_environment
from tests.pytest_plugin.conftest import Pytest, run_pytest  # noqa: F401  a fixture
from tests.repositories import VAGUE, GitWorkspace

import snapdrift
from snapdrift import pipeline
from snapdrift.errors import NothingToAsk, UsageError
from snapdrift.pytest_plugin.findings import About, Kind, finding_of

CAPITAL = About("capital", "november")
KEPT = "  kept: {extends: default, baseline: {archive: archives/august.jsonl.gz}}\n"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> GitWorkspace:
    """A branch on which nothing is edited yet."""
    return GitWorkspace(tmp_path_factory.mktemp("repository"))


@pytest.fixture(scope="module")
def capitals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_workspace(tmp_path_factory.mktemp("workspace"), wrong=20)


@pytest.fixture(scope="module")
def run(capitals: Path) -> snapdrift.Run:
    return snapdrift.run(capitals, standin=True)


def test_what_need_not_be_asked_is_a_result_of_its_own_that_says_why(repository):
    env = clean_environment()
    with pytest.raises(NothingToAsk, match=r"^1 suite not affected by what changed since .*: evals/capitals\.yaml$"):
        snapdrift.run(repository.suite, standin=True, changed="main", env=env)
    with pytest.raises(NothingToAsk, match=r"unchanged: prompts, requests and tools are what they were at main \("):
        snapdrift.run(repository.suite, standin=True, env=env)
    assert not (repository.root / ".snapdrift").exists(), "nothing was asked"


def test_a_session_skips_what_need_not_be_asked_and_says_why_at_its_end(repository, run_pytest):  # noqa: F811
    (repository.root / "pytest.ini").write_text("[pytest]\n")
    (repository.root / "test_ours.py").write_text(
        "def test_ours(snapdrift_run):\n    snapdrift_run('evals/capitals.yaml', standin=True, changed='main')\n"
    )
    asked = ("--snapdrift", "--standin", "--snapdrift-max-usd", "1", "-rs", "evals", "test_ours.py", "-n", "2")
    ran = run_pytest(*asked, cwd=repository.root)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "3 skipped" in ran.stdout
    assert "passed" not in ran.stdout
    ending = ran.stdout.partition("= snapdrift =")[2]
    assert "\ncapitals: not asked: evals/capitals.yaml: unchanged: prompts, requests and tools are" in ending
    assert "not asked: 1 suite not affected" in ran.stdout, "of the test of ours"


def test_an_edited_prompt_is_judged_against_the_one_that_it_replaces(tmp_path):
    repository = GitWorkspace(tmp_path)
    repository.edit_suite("{ref: main}", "{ref: gone}")
    repository.prompt(VAGUE)
    run = snapdrift.run(
        repository.suite, standin=True, baseline_ref="main", changed="merge-base", env=clean_environment()
    )
    (row,) = run.comparisons.to_dict("records")
    assert (row["baseline"], row["candidate"], row["verdict"]) == ("november@main", "november", "regressed")
    assert set(run.answers["variant"]) == {"november", "november@main"}
    (sentence,) = run.compared_with
    assert sentence.startswith("Compared with the prompt at main (")
    assert sentence in run._repr_html_().replace("&#39;", "'")
    told = finding_of(CAPITAL, run).text
    assert "november against november@main on capital: regressed" in told
    assert f"\nbaseline: {sentence}\n" in told
    assert "    november@main:       Town 0\n" in told


def test_a_new_variant_has_no_baseline_yet_and_is_no_green_item(tmp_path):
    repository = GitWorkspace(tmp_path)
    repository.prompt(VAGUE)
    repository.edit_suite("graders:", "  later: {model: gpt-4o-2024-08-06}\ngraders:")
    run = snapdrift.run(repository.suite, standin=True, env=clean_environment())
    assert [finding_of(About("capital", name), run).kind for name in ("november", "later")] == [Kind.FAIL, Kind.SKIP]
    assert "No baseline yet for `later`" in finding_of(About("capital", "later"), run).text


def test_kept_answers_are_rows_of_the_tables_and_messages_say_from_when_they_are(run, capitals):
    root = capitals.parents[1]
    request = pipeline.ArchiveRequest(pipeline.ArchiveWords(by="ada"), out=root / "archives" / "august.jsonl.gz")
    pipeline.archive_run(str(run.path), request, pipeline.RunOptions(), root)
    capitals.write_text(capitals.read_text() + KEPT)
    told = snapdrift.load_suite(capitals)._repr_html_()
    assert "november against the archive archives/august.jsonl.gz" in told
    later = snapdrift.run(capitals, gate="kept", standin=True)
    (row,) = later.comparisons.to_dict("records")
    assert (row["baseline"], row["verdict"]) == ("august@archive", "regressed")
    assert later.answers["variant"].value_counts().to_dict() == {"november": 60, "august@archive": 60}
    assert later.variants.set_index("name")["endpoint"]["august@archive"] == "archive"
    (sentence,) = later.compared_with
    assert "`august@archive` is the archive `archives/august.jsonl.gz`: gpt-4o-2024-08-06" in sentence
    told = finding_of(CAPITAL, later).text
    assert "november against august@archive on capital: regressed" in told
    assert f"\nbaseline: {sentence}\n" in told
    assert "    august@archive:      Town 0\n" in told


def test_only_what_failed_is_asked_again_and_is_not_gated(run, capitals):
    again = snapdrift.run(capitals, standin=True, failed="latest", gate="default")
    assert (again.decision, len(again.cases)) == ("not_gated", 20)
    assert finding_of(CAPITAL, again).kind is Kind.SKIP
    with pytest.raises(UsageError, match=r"--failed: found "):
        snapdrift.run(capitals, standin=True, failed=[run.id, again.id])


def test_accepted_losses_are_no_suite_and_are_told_where_they_spared_a_metric(tmp_path, run_pytest):  # noqa: F811
    suite = make_workspace(tmp_path, wrong=5, cases=120)
    until = (datetime.now(UTC) + timedelta(days=30)).date()
    entry = "- {{suite: capitals, case: c{}, metric: capital, why: worded otherwise, by: ada, until: {}}}\n"
    accepted = tmp_path / "evals" / "accepted.yaml"
    accepted.write_text("".join(entry.format(number, until) for number in range(1, 5)))
    run = snapdrift.run(suite, standin=True)
    (row,) = run.comparisons.to_dict("records")
    assert (row["accepted"], row["n"]) == (["c1", "c2", "c3", "c4"], 116)
    assert list(run.acceptances["state"]) == ["lost"] * 4
    assert set(run.acceptances["by"]) == {"ada"}
    found = finding_of(CAPITAL, run)
    assert found.kind is Kind.PASS
    assert "Accepted: 4 cases that `november` loses against `august` on capital are left out" in found.warnings[-1]
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    listed = run_pytest("--snapdrift", "--collect-only", "-q", "evals", str(accepted), cwd=tmp_path).stdout
    assert "evals/capitals.yaml::capital[november]" in listed
    assert "accepted" not in listed
    with pytest.raises(UsageError, match="no suites: expected at least one YAML file"):
        snapdrift.run(accepted, standin=True)
