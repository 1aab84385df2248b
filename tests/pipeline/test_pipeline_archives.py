"""Kept answers as the baseline of a run: archived, paired, graded, labelled, and refused where they would mislead."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from snapdrift.store import open_run
from snapdrift.store.archives import read_archive

REPOSITORY = Path(__file__).parents[2]

AUGUST, NOVEMBER = "gpt-4o-2024-08-06", "gpt-4o-2024-11-20"
SUITE = """\
suite: capitals
dataset: datasets/capitals.jsonl
prompt: {input: "What is the capital of {{ country }}?"}
request: {temperature: 0, max_output_tokens: 64}
variants:
  august: {model: gpt-4o-2024-08-06}
  november: {model: gpt-4o-2024-11-20}
graders:
  - {name: capital, exact: "{{ expected }}"}
  - {name: aside, contains: Town}
gates:
  default:
    baseline: {variant: august}
    candidates: [november]
    metrics: {capital: {margin: 0.05}}
    max_blind: 0.4
    discordance: 0.02
  kept: {extends: default, baseline: {archive: archives/august.jsonl.gz}}
  retired: {extends: default, baseline: {variant: august, fallback: {archive: archives/august.jsonl.gz}}}
"""
CASES, WRONG = 60, 12
RECORDED = ("--standin", "--recordings", "datasets/recordings.jsonl")
ARCHIVE = Path("archives") / "august.jsonl.gz"


def rows(path: Path, entries: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))


def cases() -> list[dict[str, Any]]:
    return [{"id": f"c{n}", "country": f"Land {n}", "expected": f"Town {n}"} for n in range(CASES)]


def recordings() -> list[dict[str, Any]]:
    """What both snapshots said; the newer one gets the first lands wrong."""
    found = []
    for number in range(CASES + 2):
        for model in (AUGUST, NOVEMBER):
            right = model == AUGUST or number >= WRONG
            asked = f"What is the capital of Land {number}?"
            found.append({"model": model, "input": asked, "output": f"Town {number}" if right else "No idea"})
    return found


@pytest.fixture(scope="module")
def archived(snapdrift, tmp_path_factory) -> Path:
    """A workspace whose recorded run is archived; tests take copies of it."""
    root: Path = tmp_path_factory.mktemp("archived")
    for folder in ("evals", "datasets", "archives"):
        (root / folder).mkdir()
    (root / "snapdrift.toml").write_text("")
    (root / "evals" / "capitals.yaml").write_text(SUITE)
    rows(root / "datasets" / "capitals.jsonl", cases())
    rows(root / "datasets" / "recordings.jsonl", recordings())
    done = snapdrift("run", "evals/capitals.yaml", "--gate", "default", *RECORDED, "-q", cwd=root)
    assert done.returncode == 1, done.stderr
    words = ("--why", "before <b>the</b> shutdown", "--by", "the triage team")
    done = snapdrift("archive", "latest", "-o", ARCHIVE, *words, cwd=root)
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture
def workspace(archived: Path, tmp_path: Path) -> Path:
    """A copy of the workspace, with its runs."""
    return Path(shutil.copytree(archived, tmp_path / "workspace", symlinks=True))


def change(root: Path, old: str, new: str) -> None:
    path = root / "evals" / "capitals.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def commit(root: Path) -> None:
    for command in (
        ("init", "-q"),
        ("add", "evals", "datasets", "archives"),
        ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"),
    ):
        subprocess.run(["git", *command], cwd=root, check=True)


def verdict_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def comparison(verdict: dict[str, Any], metric: str = "capital") -> dict[str, Any]:
    found: dict[str, Any] = next(c for c in verdict["comparisons"] if c["metric"] == metric)
    return found


# ------------------------------------------------------------------------------------------------ the day it is gone


@pytest.fixture(scope="module")
def after_the_shutdown(archived: Path, standin_of_module, snapdrift, tmp_path_factory):
    """A run on the day after, whose host no longer has the baseline's model: process, verdict, requests, folder."""
    root = Path(shutil.copytree(archived, tmp_path_factory.mktemp("after") / "workspace", symlinks=True))
    left = [entry for entry in recordings() if entry["model"] == NOVEMBER]
    rows(root / "datasets" / "left.jsonl", left)
    log = root / "requests.jsonl"
    url = standin_of_module("--recordings", root / "datasets" / "left.jsonl", "--today", "2027-02-01", "--log", log)
    asked = ("run", "evals/capitals.yaml", "--gate", "retired", "--base-url", url, "--no-cache", "--json")
    done = snapdrift(*asked, cwd=root)
    requests = [json.loads(line) for line in log.read_text().splitlines()]
    return done, verdict_of(done), requests, (root / "reports" / "capitals" / "latest").resolve()


def test_the_archive_stands_in_for_a_model_that_no_longer_answers(after_the_shutdown):
    done, verdict, requests, _ = after_the_shutdown
    assert done.returncode == 1, done.stderr
    assert {request["model"] for request in requests if request.get("model")} == {NOVEMBER}
    told = verdict["baseline"]
    assert (told["kind"], told["name"], told["of"]) == ("archive", "august@archive", "august")
    assert "says that the model gpt-4o-2024-08-06 does not exist" in told["because"]
    found = comparison(verdict)
    assert (found["baseline"], found["n"], len(found["newly_failing"])) == ("august@archive", CASES, WRONG)


@pytest.mark.parametrize("name", ["index.html", "summary.md"])
def test_the_report_says_what_it_is_compared_with_from_when_and_by_whom(after_the_shutdown, archived, name):
    *_, folder = after_the_shutdown
    header = read_archive(archived / ARCHIVE).header
    text = (folder / name).read_text()
    for said in ("archived baseline", str(ARCHIVE), header.last_at[:10], "the triage team", "not asked beside"):
        assert said in text
    assert "<b>the</b>" not in text
    assert "Http:" not in text, "an address is no word to begin with a capital"


def test_a_baseline_whose_model_is_there_is_asked_and_the_report_says_that_the_fallback_stood_ready(
    workspace, snapdrift
):
    done = snapdrift("run", "evals/capitals.yaml", "--gate", "retired", *RECORDED, "--json", cwd=workspace)
    verdict = verdict_of(done)
    assert (verdict["baseline"]["kind"], comparison(verdict)["baseline"]) == ("variant", "august")
    assert (
        "the fallback archives/august.jsonl.gz was not needed"
        in (workspace / "reports" / "capitals" / "latest" / "index.html").read_text()
    )


def test_the_day_of_the_shutdown_in_the_catalogue_is_enough_for_the_fallback(workspace, snapdrift):
    facts = '[models."gpt-4o-2024-08-06"]\nshutdown = 2026-01-14\n'
    (workspace / "snapdrift.toml").write_text(facts)
    done = snapdrift("check", "evals/capitals.yaml", "--gate", "retired", cwd=workspace)
    assert done.returncode == 0, done.stderr
    assert "OpenAI shut gpt-4o-2024-08-06 down on 2026-01-14, so archives/august.jsonl.gz stands in" in (
        done.stdout + done.stderr
    )


GONE = '[models."gpt-4o-2024-08-06"]\nshutdown = 2026-01-14\n'


def test_a_gate_that_looks_while_it_grows_asks_all_cases_once_its_fallback_stands_in(workspace, snapdrift):
    change(workspace, "  kept: {extends: default, baseline: {archive: archives/august.jsonl.gz}}\n", "")
    change(workspace, "suite: capitals\n", "suite: capitals\nearly_stop: true\n")
    check = ("check", "evals/capitals.yaml", "--gate", "retired")
    today = snapdrift(*check, cwd=workspace)
    assert (today.returncode, "would not do as a fallback" in today.stdout) == (0, False)
    (workspace / "snapdrift.toml").write_text(GONE)
    later = snapdrift(*check, cwd=workspace)
    assert (later.returncode, "all planned cases are asked, without early stopping" in later.stdout) == (0, True)


def test_a_fallback_that_pairs_with_too_few_cases_is_told_while_the_model_is_there(workspace, snapdrift):
    entries = [{**entry, "expected": "x"} if n >= 6 else entry for n, entry in enumerate(cases())]
    rows(workspace / "datasets" / "capitals.jsonl", entries)
    done = snapdrift("check", "evals/capitals.yaml", "--gate", "retired", cwd=workspace)
    assert done.returncode == 0
    told = r"archives/august\.jsonl\.gz would not do as a fallback: evals/capitals\.yaml:\d+:\d+: gate retired could"
    assert re.search(told, done.stdout)


def test_a_migration_on_the_day_after_keeps_the_fallback(workspace, snapdrift):
    (workspace / "snapdrift.toml").write_text(GONE)
    made = (
        "migrate",
        "evals/capitals.yaml",
        "--gate",
        "retired",
        "--to",
        "gpt-4o-mini-2024-07-18",
        "-o",
        "evals/m.yaml",
    )
    done = snapdrift(*made, cwd=workspace)
    assert done.returncode == 0, done.stderr
    text = (workspace / "evals" / "m.yaml").read_text()
    assert "baseline: {variant: august, fallback: {archive: archives/august.jsonl.gz}}" in text
    assert "gates.default.max_blind" in done.stdout


# ------------------------------------------------------------------------------------------------------------ pairing


def test_added_removed_and_changed_cases_are_listed_and_left_out(workspace, snapdrift):
    entries = cases()[1:]  # c0 is gone
    entries[0]["expected"] = "Other"  # c1 expects something else
    entries[1]["country"] = "land 2"  # c2 asks something else
    entries += [{"id": "new-1", "country": "Land 60", "expected": "Town 60"}]
    rows(workspace / "datasets" / "capitals.jsonl", entries)
    recorded = [*recordings(), {"model": NOVEMBER, "input": "What is the capital of land 2?", "output": "x"}]
    rows(workspace / "datasets" / "recordings.jsonl", recorded)
    done = snapdrift("run", "evals/capitals.yaml", "--gate", "kept", *RECORDED, "--json", cwd=workspace)
    verdict = verdict_of(done)
    kept = verdict["baseline"]["kept"]
    assert (kept["added"], kept["removed"], kept["changed"]) == (["new-1"], ["c0"], ["c1", "c2"])
    assert (kept["paired"], comparison(verdict)["n"]) == (57, 57)
    planned = {variant["name"]: (variant["planned"], variant["coverage"]) for variant in verdict["variants"]}
    assert planned == {"november": (60, 1.0), "august@archive": (57, 1.0)}
    folder = workspace / "reports" / "capitals" / "latest"
    for name in ("index.html", "summary.md"):
        text = (folder / name).read_text()
        assert "2 cases are not compared, changed since" in text
        assert "new-1" in text


def test_a_dataset_whose_cases_all_changed_could_never_tell(workspace, snapdrift):
    rows(workspace / "datasets" / "capitals.jsonl", [{**entry, "expected": "x"} for entry in cases()])
    done = snapdrift("run", "evals/capitals.yaml", "--gate", "kept", *RECORDED, cwd=workspace)
    assert done.returncode == 2
    assert "not one of 60 cases pairs with it: 60 changed (c0, c1, c2, c3, c4 and 55 more)" in done.stderr


def test_the_gate_counts_only_the_cases_that_pair(workspace, snapdrift):
    entries = [{**entry, "expected": "x"} if n >= 6 else entry for n, entry in enumerate(cases())]
    rows(workspace / "datasets" / "capitals.jsonl", entries)
    done = snapdrift("check", "evals/capitals.yaml", "--gate", "kept", cwd=workspace)
    assert done.returncode == 2
    assert "gate kept could never tell" in done.stderr
    assert "6 cases" in done.stderr


def test_graded_again_a_gate_counts_only_the_cases_that_pair_too(workspace, snapdrift):
    entries = [{**entry, "expected": "x"} if n >= CASES // 2 else entry for n, entry in enumerate(cases())]
    rows(workspace / "datasets" / "capitals.jsonl", entries)
    assert snapdrift("run", "evals/capitals.yaml", "--gate", "kept", *RECORDED, "-q", cwd=workspace).returncode == 1
    change(workspace, "max_blind: 0.4", "max_blind: 0.15")  # which 60 cases see, and 30 do not
    done = snapdrift("grade", "latest", cwd=workspace)
    assert done.returncode == 2
    assert "gate kept could never tell" in done.stderr
    assert "30 cases" in done.stderr


# -------------------------------------------------------------------------------------------------- what is archived


def test_the_same_run_gives_the_same_bytes_in_a_file_that_can_be_committed(archived, snapdrift, tmp_path):
    words = ("--why", "before <b>the</b> shutdown", "--by", "the triage team")
    done = snapdrift("archive", "latest", "-o", tmp_path / "again.jsonl.gz", *words, cwd=archived)
    assert done.returncode == 0, done.stderr
    packed = (tmp_path / "again.jsonl.gz").read_bytes()
    assert packed == (archived / ARCHIVE).read_bytes()
    assert len(packed) < 200 * CASES
    shown = json.loads(snapdrift("archive", "show", tmp_path / "again.jsonl.gz", "--json", cwd=tmp_path).stdout)
    assert (shown["measured"], shown["sources"], shown["by"]) == (CASES, {"recorded": CASES}, "the triage team")
    assert {level["metric"]: level["mean"] for level in shown["metrics"]} == {"capital": 1.0, "aside": 1.0}


REFUSED = {
    "partial": (("--case", "c1", "--case", "c2", *RECORDED), "it is partial"),
    "simulated": (("--standin",), "its answers are simulated"),
    "incomplete": ((*RECORDED, "--fresh", "--max-usd", "0.004"), "it is incomplete"),
}


@pytest.mark.parametrize(("options", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_run_that_would_mislead_is_refused_and_marked_where_it_is_forced(workspace, snapdrift, options, reason):
    snapdrift("run", "evals/capitals.yaml", "--gate", "default", *options, "-q", cwd=workspace)
    out = workspace / "archives" / "other.jsonl.gz"
    done = snapdrift("archive", "latest", "--variant", "august", "-o", out, cwd=workspace)
    assert done.returncode == 2
    assert reason in done.stderr
    assert "--force" in done.stderr
    assert not out.exists()
    done = snapdrift("archive", "latest", "--variant", "august", "--out", out, "--force", cwd=workspace)
    assert done.returncode == 0, done.stderr
    assert any(reason in forced for forced in read_archive(out).header.forced)


def test_a_tree_with_uncommitted_changes_is_refused(workspace, snapdrift):
    commit(workspace)
    change(workspace, "discordance: 0.02", "discordance: 0.03")
    snapdrift("run", "evals/capitals.yaml", "--gate", "default", *RECORDED, "-q", cwd=workspace)
    done = snapdrift("archive", "latest", "-o", "archives/dirty.jsonl.gz", cwd=workspace)
    assert (done.returncode, "uncommitted changes" in done.stderr) == (2, True)


# ------------------------------------------------------------------------------------------------------------ privacy


@pytest.fixture
def without_texts(workspace: Path, snapdrift) -> Path:
    """The workspace with an archive that privacy took the texts out of."""
    change(workspace, "variants:\n", "privacy: {redact: [answer]}\nvariants:\n")
    run = snapdrift("run", "evals/capitals.yaml", "--gate", "default", *RECORDED, "-q", cwd=workspace)
    assert run.returncode == 1, run.stderr
    (workspace / ARCHIVE).unlink()
    salted = ("--salt-env", "ARCHIVE_SALT")
    env = {"ARCHIVE_SALT": "a secret of the team"}
    done = snapdrift("archive", "latest", "-o", ARCHIVE, *salted, cwd=workspace, env=env)
    assert done.returncode == 0, done.stderr
    return workspace


def test_answers_that_privacy_hides_are_not_in_the_archive_and_their_scores_count(without_texts, snapdrift):
    archive = read_archive(without_texts / ARCHIVE)
    assert all(not answer.response.text for case in archive.cases for answer in case.answers)
    tags = {answer.hmac for case in archive.cases for answer in case.answers}
    assert len(tags) == CASES  # every land has another capital
    done = snapdrift("run", "evals/capitals.yaml", "--gate", "kept", *RECORDED, "--json", cwd=without_texts)
    verdict = verdict_of(done)
    assert done.returncode == 1, done.stderr
    assert (comparison(verdict)["n"], comparison(verdict)["baseline_mean"]) == (CASES, 1.0)
    again = snapdrift("compare", "latest", "--json", cwd=without_texts)
    assert json.loads(again.stdout)["comparisons"] == verdict["comparisons"]


def test_without_texts_a_changed_grader_that_the_gate_asks_for_is_an_error_with_a_way_out(without_texts, snapdrift):
    change(without_texts, 'exact: "{{ expected }}"}', 'exact: "{{ expected }}", normalise: [casefold]}')
    done = snapdrift("run", "evals/capitals.yaml", "--gate", "kept", *RECORDED, cwd=without_texts)
    assert done.returncode == 2
    assert "evals/capitals.yaml:19:48: gates.kept.baseline.archive:" in done.stderr
    assert "put the grader back" in done.stderr


def test_without_texts_a_changed_grader_that_no_gate_asks_for_is_a_grader_error(without_texts, snapdrift):
    change(without_texts, "contains: Town}", "contains: own}")
    done = snapdrift("run", "evals/capitals.yaml", "--gate", "kept", *RECORDED, "--json", cwd=without_texts)
    errors = {m["variant"]: m["grader_errors"] for m in verdict_of(done)["metrics"] if m["metric"] == "aside"}
    assert errors == {"august@archive": CASES, "november": 0}


# --------------------------------------------------------------------------------------------------- other baselines


def test_a_named_run_is_a_baseline_and_a_moving_name_is_not(workspace, snapdrift):
    run = next((workspace / ".snapdrift" / "runs").glob("*.db")).stem
    by_file = f"{{run: .snapdrift/runs/{run}.db}}"
    change(workspace, "{archive: archives/august.jsonl.gz}}\n  retired", f"{by_file}}}\n  retired")
    done = snapdrift("run", "evals/capitals.yaml", "--gate", "kept", *RECORDED, "--json", cwd=workspace)
    assert comparison(verdict_of(done))["baseline"] == f"august@{run}"
    change(workspace, by_file, f"{{run: {run}}}")
    assert snapdrift("check", "evals/capitals.yaml", "--gate", "kept", cwd=workspace).returncode == 0
    change(workspace, f"{{run: {run}}}", "{run: latest}")
    done = snapdrift("check", "evals/capitals.yaml", "--gate", "kept", cwd=workspace)
    assert (done.returncode, "lets a slow decline pass" in done.stderr) == (2, True)


def test_a_simulated_run_is_a_baseline_for_the_stand_in_alone(workspace, snapdrift, monkeypatch):
    snapdrift("run", "evals/capitals.yaml", "--gate", "default", "--standin", "-q", cwd=workspace)
    run = max((workspace / ".snapdrift" / "runs").glob("*.db")).stem
    change(workspace, "{archive: archives/august.jsonl.gz}}\n  retired", f"{{run: {run}}}}}\n  retired")
    asked = ("evals/capitals.yaml", "--gate", "kept")
    done = snapdrift("check", *asked, cwd=workspace)
    assert (done.returncode, "No baseline but for the stand-in: its answers are simulated" in done.stdout) == (0, True)
    verdict = verdict_of(snapdrift("run", *asked, "--standin", "--json", cwd=workspace))
    assert [label["word"] for label in verdict["labels"]][:2] == ["simulated", "baseline of an earlier run"]
    assert "by force" not in json.dumps(verdict)
    live = ("--base-url", "http://127.0.0.1:9/v1", "--max-usd", "1")
    with monkeypatch.context() as patch:
        patch.setattr("snapdrift.pipeline.targets._measures", lambda _: True)  # as if a model were behind it
        done = snapdrift("run", *asked, *live, cwd=workspace, env={"OPENAI_API_KEY": "none"})
    assert (done.returncode, "whose answers are simulated, and november" in done.stderr) == (2, True)
    done = snapdrift("run", *asked, "--standin", "--json", cwd=workspace)
    assert comparison(verdict_of(done))["baseline"] == f"august@{run}"


def test_a_missing_or_damaged_archive_is_told_where_the_suite_names_it(workspace, snapdrift):
    (workspace / ARCHIVE).write_bytes(b"no archive")
    for gate in ("kept", "retired"):  # a fallback is read before it is needed
        done = snapdrift("check", "evals/capitals.yaml", "--gate", gate, cwd=workspace)
        assert done.returncode == 2
        assert f"gates.{gate}.baseline" in done.stderr
        assert "archives/august.jsonl.gz: no archive, or damaged" in done.stderr
    (workspace / ARCHIVE).unlink()
    assert (
        "archives/august.jsonl.gz" in snapdrift("plan", "evals/capitals.yaml", "--gate", "kept", cwd=workspace).stderr
    )


def test_a_run_is_resumed_and_graded_again_with_the_answers_in_its_file(workspace, snapdrift):
    asked = ("run", "evals/capitals.yaml", "--gate", "kept", *RECORDED, "-q")
    assert snapdrift(*asked, cwd=workspace).returncode == 1
    (workspace / ARCHIVE).rename(workspace / "archives" / "elsewhere.jsonl.gz")
    assert snapdrift("resume", "latest", "-q", cwd=workspace).returncode == 1
    (workspace / "archives" / "elsewhere.jsonl.gz").rename(workspace / ARCHIVE)
    change(workspace, "contains: Town}", "contains: own}")
    done = snapdrift("grade", "latest", "--json", cwd=workspace)
    verdict = verdict_of(done)
    assert (done.returncode, comparison(verdict)["baseline"], comparison(verdict)["n"]) == (1, "august@archive", CASES)


def test_a_run_against_a_git_tree_is_graded_again_although_its_gate_has_a_fallback(workspace, snapdrift):
    commit(workspace)
    change(workspace, "max_output_tokens: 64", "max_output_tokens: 65")
    asked = ("run", "evals/capitals.yaml", "--gate", "retired", "--baseline-ref", "HEAD", *RECORDED, "-q")
    assert snapdrift(*asked, cwd=workspace).returncode == 0
    done = snapdrift("grade", "latest", "--json", cwd=workspace)
    assert (done.returncode, comparison(verdict_of(done))["baseline"]) == (0, "november@HEAD")


def test_merged_shards_know_of_the_fallback_and_are_graded_again(workspace, snapdrift):
    for number in (1, 2):
        asked = ("run", "evals/capitals.yaml", "--gate", "retired", "--shard", f"{number}/2", *RECORDED, "-q")
        assert snapdrift(*asked, cwd=workspace).returncode == 0
    shards = sorted((workspace / ".snapdrift" / "runs").glob("*.db"))[-2:]
    done = snapdrift("merge", *(shard.stem for shard in shards), "--json", cwd=workspace)
    assert (done.returncode, verdict_of(done)["baseline"]["fallback"]) == (1, str(ARCHIVE))
    assert snapdrift("grade", "latest", "-q", cwd=workspace).returncode == 1


def test_a_fallback_that_came_after_the_run_leaves_it_gradable(workspace, snapdrift):
    fallback = "{variant: august, fallback: {archive: archives/august.jsonl.gz}}"
    change(workspace, "    baseline: {variant: august}\n", f"    baseline: {fallback}\n")
    done = snapdrift("grade", "latest", "--json", cwd=workspace)
    assert (done.returncode, comparison(verdict_of(done))["baseline"]) == (1, "august")


def test_kept_answers_are_not_looked_at_while_they_grow(workspace, snapdrift):
    change(workspace, "suite: capitals\n", "suite: capitals\nearly_stop: true\n")
    done = snapdrift("check", "evals/capitals.yaml", "--gate", "kept", cwd=workspace)
    assert (done.returncode, "a baseline of kept answers" in done.stderr) == (2, True)


# --------------------------------------------------------------------------------------- a suite that is asked for it


def test_a_suite_is_asked_several_times_and_archived_in_one_step(workspace, snapdrift):
    (workspace / ARCHIVE).unlink()
    told = [{**entry, "repeat": repeat} for entry in recordings() for repeat in range(3)]
    rows(workspace / "datasets" / "recordings.jsonl", told)
    missing = snapdrift("check", "evals/capitals.yaml", "--gate", "retired", cwd=workspace)
    assert missing.returncode == 2
    assert f"make it with `snapdrift archive --gate retired evals/capitals.yaml -o {ARCHIVE}`" in missing.stderr
    asked = ("archive", "evals/capitals.yaml", "--gate", "retired", "--repeats", 3, "-o", ARCHIVE)
    done = snapdrift(*asked, *RECORDED, "-q", cwd=workspace)
    assert done.returncode == 0, done.stderr
    header = read_archive(workspace / ARCHIVE).header
    assert (header.repeats, header.planned, header.measured, header.forced) == (3, 3 * CASES, 3 * CASES, ())
    with open_run(max((workspace / ".snapdrift" / "runs").glob("*.db"))) as stored:
        assert {key.variant for key in stored.calls()} == {"august"}
    done = snapdrift("run", "evals/capitals.yaml", "--gate", "kept", *RECORDED, "--json", cwd=workspace)
    verdict = verdict_of(done)
    planned = {variant["name"]: variant["planned"] for variant in verdict["variants"]}
    assert planned == {"november": CASES, "august@archive": 3 * CASES}
    assert (comparison(verdict)["n"], comparison(verdict)["baseline_mean"]) == (CASES, 1.0)


def test_answers_that_a_budget_cut_off_are_not_archived_and_the_command_says_how_to_go_on(workspace, snapdrift):
    asked = ("archive", "evals/capitals.yaml", "--gate", "default", "-o", "archives/cut.jsonl.gz", "--no-cache")
    done = snapdrift(*asked, *RECORDED, "--max-usd", "0.002", "-q", cwd=workspace)
    assert done.returncode == 3, done.stderr
    assert "The same command goes on with it" in done.stderr
    assert not (workspace / "archives" / "cut.jsonl.gz").exists()
    done = snapdrift(*asked, *RECORDED, "-q", cwd=workspace)
    assert done.returncode == 0, done.stderr
    assert read_archive(workspace / "archives" / "cut.jsonl.gz").header.measured == CASES


# --------------------------------------------------------------------------------------------- this repository's own


def test_the_bundled_suite_goes_on_with_its_archive_when_its_baseline_is_retired(snapdrift, tmp_path):
    for folder in ("evals", "datasets", "graders"):
        shutil.copytree(REPOSITORY / folder, tmp_path / folder)
    shutil.copy(REPOSITORY / "snapdrift.toml", tmp_path)
    done = snapdrift("run", "evals/word-problems.yaml", "--gate", "retired", "--standin", "--json", cwd=tmp_path)
    verdict = verdict_of(done)
    assert done.returncode == 4, done.stderr
    assert comparison(verdict, "result")["baseline"] == "august@archive"
    assert [label["word"] for label in verdict["labels"]][:2] == ["simulated", "archived baseline, by force"]
    assert {variant["name"] for variant in verdict["variants"]} == {"mini", "august@archive"}
