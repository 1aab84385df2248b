"""The main job on real recorded GPT-4o outputs: 1,319 cases, three snapshots, over HTTP, from suite to exit code."""

from __future__ import annotations

import json
import shutil

import pytest

from snapdrift.store.reader import open_run

pytestmark = [pytest.mark.shared, pytest.mark.xdist_group("gsm")]

SUITE = r"""
suite: gsm
description: Arithmetic word problems (GSM8K), real recorded outputs.
dataset: datasets/cases.jsonl.gz
prompt: {input: "{{ prompt }}"}
request: {temperature: 0, max_output_tokens: 4096}
variants:
  august: {model: gpt-4o-2024-08-06}
  may: {model: gpt-4o-2024-05-13}
  mini: {model: gpt-4o-mini-2024-07-18}
graders:
  - name: answer
    number: "{{ expected }}"
    extract:
      - {json: answer, mode: first_object}
      - {regex: '"answer"\s*:\s*"?([^"}\n]*)', group: 1}
  - {name: strict, schema: {type: object}, extract: {json: $, mode: strict}}
  - {name: fenced, schema: {type: object}, extract: {json: $, mode: fenced}}
gates:
  default:
    baseline: {variant: august}
    candidates: [may, mini]
    metrics:
      answer: {margin: 0.01}
"""


@pytest.fixture(scope="module")
def gsm(shared, snapdrift, tmp_path_factory):
    """One run of the suite, shared by the tests of this module: (process, verdict, report folder, workspace)."""
    root = tmp_path_factory.mktemp("gsm")
    (root / "evals").mkdir()
    (root / "datasets").mkdir()
    (root / "snapdrift.toml").write_text("")
    (root / "evals" / "gsm.yaml").write_text(SUITE)
    shutil.copy(shared / "real" / "gsm" / "cases.jsonl.gz", root / "datasets")
    shutil.copy(shared / "real" / "gsm" / "recordings.jsonl.gz", root / "datasets")
    command = ["run", "evals/gsm.yaml", "--standin", "--recordings", "datasets/recordings.jsonl.gz"]
    done = snapdrift(*command, cwd=root)
    assert done.returncode in (0, 1), done.stderr
    reports = root / "reports" / "gsm" / "latest"
    return done, json.loads((reports / "verdict.json").read_text()), reports, root


def comparison(verdict, candidate):
    return next(c for c in verdict["comparisons"] if (c["metric"], c["candidate"]) == ("answer", candidate))


def test_the_recorded_snapshots_have_exactly_the_published_numbers_of_right_answers(gsm):
    _, verdict, *_ = gsm
    means = {m["variant"]: m["mean"] for m in verdict["metrics"] if m["metric"] == "answer"}
    assert {name: round(mean * 1319) for name, mean in means.items()} == {"august": 1269, "may": 1258, "mini": 1243}


def test_mini_is_shown_to_be_worse_than_august(gsm):
    _, verdict, *_ = gsm
    mini = comparison(verdict, "mini")
    assert mini["table"] == {"both_pass": 1229, "only_baseline": 40, "only_candidate": 14, "both_fail": 36}
    assert mini["p_two_sided"] == pytest.approx(0.000535, abs=5e-7)
    assert (mini["verdict"], mini["method"], mini["n"]) == ("regressed", "mcnemar_exact", 1319)


def test_may_is_shown_to_be_worse_in_the_second_step_of_holm(gsm):
    _, verdict, *_ = gsm
    may = comparison(verdict, "may")
    assert may["table"] == {"both_pass": 1247, "only_baseline": 22, "only_candidate": 11, "both_fail": 39}
    assert may["p_two_sided"] == pytest.approx(0.0801, abs=5e-5)
    assert may["p_value"] == pytest.approx(0.0401, abs=5e-5)
    assert may["p_adjusted"] == pytest.approx(may["p_value"])
    assert may["verdict"] == "regressed"


def test_the_run_ends_with_the_exit_code_of_a_regression(gsm):
    done, verdict, *_ = gsm
    assert (done.returncode, verdict["decision"]["exit_code"], verdict["decision"]["word"]) == (1, 1, "regression")


def test_invalid_json_is_counted_apart_from_wrong_answers(gsm):
    _, verdict, *_ = gsm
    unextracted = {(m["metric"], m["variant"]): m["unextracted"] for m in verdict["metrics"]}
    assert unextracted["strict", "may"] == unextracted["strict", "august"] == unextracted["strict", "mini"] == 1319
    assert (unextracted["fenced", "may"], unextracted["fenced", "august"]) == (48, 0)


def test_every_planned_call_was_answered_once_and_is_labelled_recorded(gsm):
    done, verdict, reports, _ = gsm
    for variant in verdict["variants"]:
        assert (variant["planned"], variant["outcomes"], variant["source"]) == (1319, {"ok": 1319}, "recorded")
    assert "recorded" in done.stdout
    assert "recorded" in (reports / "summary.md").read_text()


def test_everything_needed_to_conclude_again_is_in_the_run_file(gsm, snapdrift, tmp_path):
    _, verdict, _, root = gsm
    run = next((root / ".snapdrift" / "runs").glob("*.db"))
    copy = tmp_path / "artefact.db"
    shutil.copy(run, copy)
    done = snapdrift("compare", copy, "--json", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["comparisons"] == verdict["comparisons"]


def test_the_report_is_under_six_megabytes(gsm):
    *_, reports, _ = gsm
    assert (reports / "index.html").stat().st_size < 6_000_000


def test_stored_answers_name_the_model_that_answered(gsm):
    *_, root = gsm
    stored = open_run(next((root / ".snapdrift" / "runs").glob("*.db")))
    assert {r.returned_model for r in stored.responses()} == {
        "gpt-4o-2024-08-06",
        "gpt-4o-2024-05-13",
        "gpt-4o-mini-2024-07-18",
    }


def test_an_archive_of_the_recorded_answers_is_the_baseline_of_a_run_that_does_not_ask_its_model(gsm, snapdrift):
    _, before, _, root = gsm
    done = snapdrift("archive", "latest", "-o", "archives/august.jsonl.gz", cwd=root)
    assert done.returncode == 0, done.stderr
    assert (root / "archives" / "august.jsonl.gz").stat().st_size < 1_000_000
    text = SUITE.replace("baseline: {variant: august}", "baseline: {archive: archives/august.jsonl.gz}")
    gone = ("  august: {model: gpt-4o-2024-08-06}\n", "  may: {model: gpt-4o-2024-05-13}\n")
    for model in gone:
        text = text.replace(model, "")
    text = text.replace("suite: gsm", "suite: gsm-archived").replace("[may, mini]", "[mini]")
    (root / "evals" / "archived.yaml").write_text(text)
    asked = ("run", "evals/archived.yaml", "--standin", "--recordings", "datasets/recordings.jsonl.gz", "--json")
    verdict = json.loads(snapdrift(*asked, cwd=root).stdout)
    now, then = comparison(verdict, "mini"), comparison(before, "mini")
    assert (now["baseline"], now["n"]) == ("august@archive", 1319)
    assert (now["table"], now["difference"]) == (then["table"], then["difference"])
    assert {variant["name"]: variant["source"] for variant in verdict["variants"]} == {
        "mini": "recorded", "august@archive": "recorded",
    }  # fmt: skip


@pytest.mark.browser
def test_the_report_opens_from_disk_without_a_request_or_a_complaint(gsm, chromium):
    *_, reports, _ = gsm
    page = chromium.new_page()
    complaints: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto((reports.resolve() / "index.html").as_uri())
    page.wait_for_selector("html[data-ready]", timeout=30_000)
    page.keyboard.press("j")
    page.wait_for_selector(".case-head h3", timeout=30_000)
    assert complaints == []
    assert requests == [(reports.resolve() / "index.html").as_uri()]
    page.close()
