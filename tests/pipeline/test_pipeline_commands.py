"""Whole commands as a user types them: what they end with, and what they say."""

from __future__ import annotations

import gc
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from snapdrift.pipeline.carrying_out import what_is_loaded_left_alone

AUGUST, NOVEMBER = "gpt-4o-2024-08-06", "gpt-4o-2024-11-20"
RUN = ("run", "evals/capitals.yaml", "--recordings", "datasets/recordings.jsonl")
REPORT_FILES = {"index.html", "verdict.json", "junit.xml", "summary.md", "results.csv", "results.parquet"}


def edit(root: Path, old: str, new: str) -> None:
    path = root / "evals" / "capitals.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def verdict(root: Path) -> Any:
    return json.loads((root / "reports" / "capitals" / "latest" / "verdict.json").read_text())


def nothing_was_run(root: Path) -> bool:
    return not (root / ".snapdrift").exists() and not (root / "reports").exists()


# ------------------------------------------------------------ exit 0, 1, 4, 5


def test_a_run_without_a_regression_ends_with_0_and_its_reports(workspace, snapdrift):
    root = workspace()
    done = snapdrift(*RUN, cwd=root)
    assert done.returncode == 0, done.stderr
    reports = root / "reports" / "capitals" / "latest"
    assert {path.name for path in reports.iterdir()} == REPORT_FILES
    assert verdict(root)["decision"]["word"] == "passed"
    assert str(reports.resolve() / "index.html") in done.stdout


def test_a_regression_ends_with_1_and_names_variant_and_metric(workspace, snapdrift):
    root = workspace(wrong={NOVEMBER: 12})
    done = snapdrift(*RUN, cwd=root)
    assert done.returncode == 1, done.stderr
    assert "november" in done.stdout
    assert "capital" in done.stdout
    assert verdict(root)["comparisons"][0]["verdict"] == "regressed"


def test_inconclusive_under_fail_ends_with_4(workspace, snapdrift):
    root = workspace(wrong={NOVEMBER: 3}, more="    inconclusive: fail\n")
    assert snapdrift(*RUN, cwd=root).returncode == 4


def test_a_part_of_the_cases_ends_with_5_and_is_not_gated(workspace, snapdrift):
    root = workspace(wrong={NOVEMBER: 60})
    assert snapdrift(*RUN, "--case", "c1", cwd=root).returncode == 5
    assert verdict(root)["decision"]["word"] == "not_gated"


def test_a_red_must_pass_case_ends_with_1_though_the_averages_are_fine(workspace, snapdrift):
    root = workspace(wrong={NOVEMBER: 1}, tag="golden", more="    must_pass: {tag: golden}\n")
    done = snapdrift(*RUN, cwd=root)
    assert done.returncode == 1, done.stderr
    assert verdict(root)["comparisons"][0]["verdict"] != "regressed"
    assert "c0" in done.stdout


# ------------------------------------------------------------ exit 2


def test_without_a_key_stand_in_or_host_it_says_what_to_do_and_sends_nothing(workspace, snapdrift):
    root = workspace()
    done = snapdrift("run", "evals/capitals.yaml", cwd=root)
    assert done.returncode == 2
    for way in ("OPENAI_API_KEY", "--standin", "--host"):
        assert way in done.stderr
    assert nothing_was_run(root)


def test_a_live_run_without_a_budget_does_not_start(workspace, snapdrift):
    root = workspace()
    done = snapdrift("run", "evals/capitals.yaml", cwd=root, env={"OPENAI_API_KEY": "sk-planted-for-this-test"})
    assert done.returncode == 2
    assert "budget" in done.stderr
    assert "--max-usd" in done.stderr
    assert "planted" not in done.stderr
    assert nothing_was_run(root)


def test_a_typo_ends_with_2_at_its_line_and_column(workspace, snapdrift):
    root = workspace()
    edit(root, "model: gpt-4o-2024-11-20", "modle: gpt-4o-2024-11-20")
    done = snapdrift(*RUN, cwd=root)
    assert done.returncode == 2
    assert re.search(r"^evals/capitals\.yaml:7:14: variants\.november\.modle: .*model", done.stderr, re.MULTILINE)
    assert nothing_was_run(root)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("dataset: datasets/capitals.jsonl", "cases: []"),
        ('graders:\n  - {name: capital, exact: "{{ expected }}"}', "graders: []"),
        ("dataset: datasets/capitals.jsonl", "dataset: datasets/missing.jsonl"),
        ("{{ country }}", "{{ land }}"),
    ],
    ids=["no cases", "no graders", "no dataset", "unknown variable"],
)
def test_a_suite_that_tests_nothing_ends_with_2(workspace, snapdrift, old, new):
    root = workspace()
    edit(root, old, new)
    done = snapdrift(*RUN, cwd=root)
    assert done.returncode == 2
    assert re.search(r"^evals/capitals\.yaml:\d+:\d+: ", done.stderr, re.MULTILINE), done.stderr
    assert "Traceback" not in done.stderr
    assert nothing_was_run(root)


@pytest.mark.parametrize("options", [("--case", "c999"), ("--tag", "nobody"), ("--variant", "december")])
def test_a_filter_that_matches_nothing_ends_with_2(workspace, snapdrift, options):
    root = workspace()
    done = snapdrift(*RUN, *options, cwd=root)
    assert done.returncode == 2
    assert options[1] in done.stderr
    assert nothing_was_run(root)


def test_a_suite_too_small_for_its_gate_ends_with_2_before_anything_is_sent(workspace, snapdrift):
    root = workspace(cases=10, max_blind=0.1)
    done = snapdrift(*RUN, cwd=root)
    assert done.returncode == 2
    assert "10 cases" in done.stderr
    assert nothing_was_run(root)


def test_no_suite_file_ends_with_2(workspace, snapdrift):
    root = workspace()
    assert snapdrift("run", "evals/nothing.yaml", "--standin", cwd=root).returncode == 2
    assert snapdrift("run", "--standin", cwd=root).returncode == 2


def test_one_wrong_suite_of_several_keeps_all_from_running(workspace, snapdrift):
    root = workspace()
    (root / "evals" / "other.yaml").write_text("suite: other\n")
    done = snapdrift(*RUN, "evals/other.yaml", cwd=root)
    assert done.returncode == 2
    assert "evals/other.yaml" in done.stderr
    assert nothing_was_run(root)


def test_the_key_of_openai_goes_to_no_other_host(workspace, snapdrift, standin):
    root = workspace()
    url = standin("--recordings", root / "datasets" / "recordings.jsonl")
    done = snapdrift(
        "run", "evals/capitals.yaml", "--base-url", url, "--key-env", "OPENAI_API_KEY",
        cwd=root, env={"OPENAI_API_KEY": "sk-planted"},
    )  # fmt: skip
    assert done.returncode == 2
    assert "OpenAI's hosts only" in done.stderr


# ------------------------------------------------------------ exit 3


def test_every_call_failing_ends_with_3_and_a_report(workspace, snapdrift):
    root = workspace()
    done = snapdrift(*RUN, "--faults", "500=1", "--deadline", "30s", cwd=root)
    assert done.returncode == 3, done.stderr
    decided = verdict(root)
    assert decided["decision"]["word"] == "incomplete"
    for variant in decided["variants"]:
        assert sum(variant["outcomes"].values()) == variant["planned"] == 60
        assert variant["coverage"] == 0


def test_a_host_that_is_not_there_ends_with_3(workspace, snapdrift):
    root = workspace()
    done = snapdrift("run", "evals/capitals.yaml", "--base-url", "http://127.0.0.1:9/v1", cwd=root)
    assert done.returncode == 3
    assert "127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_budget_that_runs_out_ends_with_3_and_grades_what_was_paid_for(workspace, snapdrift):
    root = workspace()
    done = snapdrift(*RUN, "--max-usd", "0.004", "--concurrency", "2", cwd=root)
    assert done.returncode == 3, done.stderr
    decided = verdict(root)
    assert sum(variant["usd"] for variant in decided["variants"]) <= 0.004
    assert 0 < sum(variant["outcomes"].get("ok", 0) for variant in decided["variants"]) < 120
    assert "--max-usd 0.004 is used up" in " ".join(decided["decision"]["reasons"])


def test_faults_that_pass_leave_no_trace_in_the_result(workspace, snapdrift):
    root = workspace()
    done = snapdrift(*RUN, "--faults", "first=500+reset+429,retry_after=0.05", cwd=root)
    assert done.returncode == 0, done.stderr
    assert [variant["outcomes"] for variant in verdict(root)["variants"]] == [{"ok": 60}, {"ok": 60}]


# ------------------------------------------------------------ again, from the store


def test_the_same_run_again_takes_up_the_earlier_one_and_counts_the_attempt(workspace, snapdrift, tmp_path):
    root, log = workspace(), tmp_path / "log.jsonl"
    first = snapdrift(*RUN, "--standin-log", log, cwd=root)
    asked = log.read_text().count('"received"')
    second = snapdrift(*RUN, "--standin-log", log, cwd=root)
    assert (first.returncode, second.returncode) == (0, 0)
    assert log.read_text().count('"received"') == asked
    assert verdict(root)["run"]["attempt"] == 2
    assert "attempt 2" in second.stderr
    assert len(list((root / ".snapdrift" / "runs").glob("*.db"))) == 1


def test_fresh_starts_anew(workspace, snapdrift):
    root = workspace()
    snapdrift(*RUN, cwd=root)
    snapdrift(*RUN, "--fresh", cwd=root)
    assert len(list((root / ".snapdrift" / "runs").glob("*.db"))) == 2
    assert verdict(root)["run"]["attempt"] == 1


def test_grade_uses_the_graders_as_they_are_now_and_asks_nothing(workspace, snapdrift):
    root = workspace(wrong={NOVEMBER: 12})
    assert snapdrift(*RUN, cwd=root).returncode == 1
    (root / "datasets" / "recordings.jsonl").unlink()
    edit(root, '{name: capital, exact: "{{ expected }}"}', '{name: capital, regex: "^(Town|No) "}')
    done = snapdrift("grade", "latest", cwd=root)
    assert done.returncode == 0, done.stderr
    assert {m["mean"] for m in verdict(root)["metrics"]} == {1.0}


def test_grade_refuses_answers_to_another_question(workspace, snapdrift):
    root = workspace()
    snapdrift(*RUN, cwd=root)
    dataset = root / "datasets" / "capitals.jsonl"
    dataset.write_text(dataset.read_text().replace("Land 3", "Elsewhere"))
    done = snapdrift("grade", "latest", cwd=root)
    assert done.returncode == 2
    assert "c3" in done.stderr


def test_compare_and_report_repeat_what_was_concluded(workspace, snapdrift, tmp_path):
    root = workspace(wrong={NOVEMBER: 12})
    snapdrift(*RUN, cwd=root)
    first = verdict(root)
    compared = snapdrift("compare", "latest", "--json", cwd=root)
    assert compared.returncode == 1
    assert json.loads(compared.stdout)["comparisons"] == first["comparisons"]
    reported = snapdrift("report", "latest", "--out", tmp_path / "again", cwd=root)
    assert reported.returncode == 0, reported.stderr
    again = json.loads((tmp_path / "again" / "verdict.json").read_text())
    assert (again["comparisons"], again["decision"]) == (first["comparisons"], first["decision"])
    assert not (tmp_path / "again" / "cases").exists()
    assert snapdrift("report", "latest", "--out", tmp_path / "again", "--split", "0.01", cwd=root).returncode == 0
    assert (tmp_path / "again" / "cases" / "0001.html").exists()


def test_a_run_that_is_not_there_is_named_with_those_that_are(workspace, snapdrift):
    root = workspace()
    snapdrift(*RUN, cwd=root)
    done = snapdrift("compare", "19990101", cwd=root)
    assert done.returncode == 2
    assert next((root / ".snapdrift" / "runs").glob("*.db")).stem in done.stderr


# ------------------------------------------------------------ what is labelled


def test_recorded_answers_are_labelled_wherever_they_appear(workspace, snapdrift):
    root = workspace()
    done = snapdrift(*RUN, cwd=root)
    reports = root / "reports" / "capitals" / "latest"
    assert "recorded" in done.stdout
    for name in ("index.html", "summary.md", "verdict.json", "junit.xml"):
        assert "recorded" in (reports / name).read_text(), name


def test_simulated_answers_are_labelled_wherever_they_appear(workspace, snapdrift):
    root = workspace()
    done = snapdrift("run", "evals/capitals.yaml", "--standin", cwd=root)
    reports = root / "reports" / "capitals" / "latest"
    assert "simulated" in done.stdout
    for name in ("index.html", "summary.md", "verdict.json", "junit.xml"):
        assert "simulated" in (reports / name).read_text(), name


def test_quiet_prints_one_line_of_result_and_where_the_report_is(workspace, snapdrift):
    root = workspace()
    done = snapdrift(*RUN, "--quiet", cwd=root)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("capitals: passed [recorded]: ")
    assert len(lines) == 3


def test_json_prints_the_verdict_file_and_nothing_else(workspace, snapdrift):
    root = workspace()
    done = snapdrift(*RUN, "--json", cwd=root)
    assert json.loads(done.stdout) == verdict(root)


def test_reports_and_junit_go_where_they_are_told(workspace, snapdrift, tmp_path):
    root = workspace()
    junit, summary = tmp_path / "ci" / "junit.xml", tmp_path / "ci" / "summary.md"
    snapdrift(*RUN, "--out", tmp_path / "out", "--junit", junit, "--summary", summary, cwd=root)
    assert (tmp_path / "out" / "index.html").is_file()
    assert junit.is_file()
    assert summary.is_file()
    assert not (root / "reports").exists()


# ------------------------------------------------------------ plan and check


def test_check_says_what_the_gate_can_see(workspace, snapdrift):
    root = workspace()
    done = snapdrift("check", "evals/capitals.yaml", cwd=root)
    assert done.returncode == 0, done.stderr
    assert "60 cases" in done.stdout
    assert "80% power" in done.stdout


def test_explain_prints_the_exact_request_of_every_variant(workspace, snapdrift):
    root = workspace()
    done = snapdrift("check", "evals/capitals.yaml", "--explain", "c7", cwd=root)
    assert done.returncode == 0, done.stderr
    assert "What is the capital of Land 7?" in done.stdout
    assert '"store": false' in done.stdout
    assert "added by snapdrift: store" in done.stdout
    assert done.stdout.count('"model"') == 2


def test_plan_tells_calls_tokens_and_cost_and_sends_nothing(workspace, snapdrift):
    root = workspace()
    done = snapdrift("plan", "evals/capitals.yaml", cwd=root)
    assert done.returncode == 0, done.stderr
    assert "60 cases" in done.stdout
    assert "$" in done.stdout
    assert nothing_was_run(root)


def test_what_a_program_has_frozen_of_its_objects_stays_so():
    before = gc.get_freeze_count()  # this suite's: `pytest_collection_finish`
    with what_is_loaded_left_alone():
        assert gc.get_freeze_count() == before
    assert gc.get_freeze_count() == before > 10_000


def test_what_is_loaded_is_left_alone_while_it_lasts():
    program = (
        "import gc\nfrom snapdrift.pipeline.carrying_out import what_is_loaded_left_alone\n"
        "before = gc.get_freeze_count()\nwith what_is_loaded_left_alone():\n    print(gc.get_freeze_count() > 10_000)\n"
        "print(gc.get_freeze_count() <= before)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]
