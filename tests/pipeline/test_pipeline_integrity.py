"""What a run may not do: mix, hide, overspend, or pass as something that it is not."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

AUGUST, NOVEMBER = "gpt-4o-2024-08-06", "gpt-4o-2024-11-20"
RUN = ("run", "evals/capitals.yaml", "--recordings", "datasets/recordings.jsonl")


def edit(root: Path, old: str, new: str) -> None:
    path = root / "evals" / "capitals.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def verdict(root: Path) -> Any:
    return json.loads((root / "reports" / "capitals" / "latest" / "verdict.json").read_text())


def runs(root: Path) -> list[Path]:
    return sorted((root / ".snapdrift" / "runs").glob("*.db"))


def set_meta(run: Path, key: str, value: str) -> None:
    with sqlite3.connect(run) as connection:
        connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))
    connection.close()


def add_judge(root: Path) -> None:
    (root / "graders").mkdir()
    asks = f'model: {AUGUST}\nallow_retiring: true\nquestion: "{{{{ country }}}}"\n'
    rubric = f"{asks}criteria: [The answer names a town.]\n"
    (root / "graders" / "kind.yaml").write_text(rubric)
    edit(root, "gates:", "  - {name: kind, judge: graders/kind.yaml}\ngates:")
    (root / "snapdrift.toml").write_text('[standin.suites."*"]\nbehaviour = "judge"\n')


# ------------------------------------------------------------ what is taken up, and what not


def test_a_part_of_the_cases_is_never_taken_up_as_the_whole(workspace, snapdrift):
    root = workspace(cases=60, tag="one")
    edit(root, "dataset: datasets/capitals.jsonl", "dataset: datasets/tagged.jsonl")
    rows = [json.loads(line) for line in (root / "datasets" / "capitals.jsonl").read_text().splitlines()]
    text = "".join(json.dumps({**row, "tags": ["all"]}) + "\n" for row in rows)
    (root / "datasets" / "tagged.jsonl").write_text(text)
    assert snapdrift(*RUN, "--tag", "all", cwd=root).returncode == 5
    assert snapdrift(*RUN, cwd=root).returncode == 0
    assert snapdrift(*RUN, "--tag", "all", cwd=root).returncode == 5
    assert len(runs(root)) == 2


def test_a_gate_without_a_cache_starts_anew(workspace, snapdrift):
    root = workspace(more="    cache: never\n")
    snapdrift(*RUN, cwd=root)
    snapdrift(*RUN, cwd=root)
    assert len(runs(root)) == 2


def test_other_recordings_under_the_same_name_are_asked_anew(workspace, snapdrift):
    root = workspace()
    assert snapdrift(*RUN, cwd=root).returncode == 0
    recordings = root / "datasets" / "recordings.jsonl"
    recordings.write_text(recordings.read_text().replace("Town", "Village"))
    assert snapdrift(*RUN, cwd=root).returncode != 2
    assert verdict(root)["metrics"][0]["mean"] == 0
    assert len(runs(root)) == 2


def test_a_regraded_run_is_not_taken_up_for_the_suite_that_it_was(workspace, snapdrift):
    root = workspace()
    dataset = root / "datasets" / "capitals.jsonl"
    before = dataset.read_text()
    snapdrift(*RUN, cwd=root)
    dataset.write_text(before.replace('"Town 5"', '"City 5"'))
    assert snapdrift("grade", "latest", cwd=root).returncode == 0
    dataset.write_text(before)
    snapdrift(*RUN, cwd=root)
    assert len(runs(root)) == 2
    assert {m["mean"] for m in verdict(root)["metrics"]} == {1.0}


# ------------------------------------------------------------ grade


def test_grade_refuses_a_candidate_that_was_never_asked(workspace, snapdrift):
    root = workspace()
    snapdrift(*RUN, cwd=root)
    edit(
        root,
        "  november: {model: gpt-4o-2024-11-20}",
        "  november: {model: gpt-4o-2024-11-20}\n  mini: {model: gpt-4o-mini}",
    )
    edit(root, "candidates: [november]", "candidates: [november, mini]")
    done = snapdrift("grade", "latest", cwd=root)
    assert done.returncode == 2
    assert "mini" in done.stderr


def test_grade_refuses_a_gate_that_could_never_tell(workspace, snapdrift):
    root = workspace()
    snapdrift(*RUN, cwd=root)
    edit(root, "max_blind: 0.3", "max_blind: 0.02")
    done = snapdrift("grade", "latest", cwd=root)
    assert done.returncode == 2
    assert "could never tell" in done.stderr
    assert snapdrift("compare", "latest", cwd=root).returncode == 0


# ------------------------------------------------------------ alias


def alias_workspace(workspace: Any, more: str = "    alias_moved: fail\n") -> Path:
    root: Path = workspace(more=more)
    edit(root, "november: {model: gpt-4o-2024-11-20}", "alias: {model: gpt-4o}")
    edit(root, "candidates: [november]", "candidates: [alias]")
    return root


def resolve_to(root: Path, snapshot: str) -> None:
    (root / "snapdrift.toml").write_text(f'[standin]\nalias = {{"gpt-4o" = "{snapshot}"}}\n')


def test_an_alias_that_moved_since_the_last_run_is_seen(workspace, snapdrift):
    root = alias_workspace(workspace)
    resolve_to(root, AUGUST)
    assert snapdrift(*RUN, cwd=root).returncode == 0
    resolve_to(root, NOVEMBER)
    done = snapdrift(*RUN, "--fresh", cwd=root)
    assert done.returncode == 1, done.stderr
    moved = verdict(root)["alias_moves"]
    assert [(m["variant"], m["before"], m["now"]) for m in moved] == [("alias", [AUGUST], [NOVEMBER])]


def test_a_run_without_the_alias_in_between_hides_no_move(workspace, snapdrift):
    root = alias_workspace(workspace)
    resolve_to(root, AUGUST)
    snapdrift(*RUN, cwd=root)
    suite = (root / "evals" / "capitals.yaml").read_text()
    edit(root, "alias: {model: gpt-4o}", "other: {model: gpt-4o-2024-11-20}")
    edit(root, "candidates: [alias]", "candidates: [other]")
    snapdrift(*RUN, cwd=root)
    (root / "evals" / "capitals.yaml").write_text(suite)
    resolve_to(root, NOVEMBER)
    assert snapdrift(*RUN, "--fresh", cwd=root).returncode == 1


def test_a_variant_that_now_asks_another_model_did_not_move(workspace, snapdrift):
    root = workspace(more="    alias_moved: fail\n")
    snapdrift(*RUN, cwd=root)
    edit(root, "november: {model: gpt-4o-2024-11-20}", "november: {model: gpt-4o-2024-08-06}")
    assert snapdrift(*RUN, cwd=root).returncode == 0
    assert verdict(root)["alias_moves"] == []


# ------------------------------------------------------------ money and judges


def test_answers_and_judges_together_keep_the_ceiling_of_the_command(workspace, snapdrift):
    root = workspace()
    add_judge(root)
    other = (root / "evals" / "capitals.yaml").read_text().replace("suite: capitals", "suite: towns")
    (root / "evals" / "towns.yaml").write_text(other)
    asked = ("run", "evals/capitals.yaml", "evals/towns.yaml", "--standin", "--behaviour", "judge")
    snapdrift(*asked, cwd=root)
    whole = sum(
        v["usd"] + v["judge_usd"]
        for suite in ("capitals", "towns")
        for v in json.loads((root / "reports" / suite / "latest" / "verdict.json").read_text())["variants"]
    )
    limit = whole * 0.75
    done = snapdrift(*asked, "--fresh", "--max-usd", f"{limit:.6f}", cwd=root)
    assert done.returncode == 3, done.stderr
    spent = sum(
        v["usd"] + v["judge_usd"]
        for suite in ("capitals", "towns")
        for v in json.loads((root / "reports" / suite / "latest" / "verdict.json").read_text())["variants"]
    )
    assert 0 < spent <= limit


def test_judges_are_asked_counted_apart_and_not_asked_again_by_grade(workspace, snapdrift, tmp_path):
    root, log = workspace(), tmp_path / "log.jsonl"
    add_judge(root)
    done = snapdrift("run", "evals/capitals.yaml", "--standin", "--behaviour", "judge", "--standin-log", log, cwd=root)
    assert done.returncode in (0, 1, 4), done.stderr
    first = verdict(root)
    # Both variants say the same to each case: it is judged once, and counted where it was asked.
    assert sum(v["judge_usd"] for v in first["variants"]) > 0
    kinds = [m for m in first["metrics"] if m["metric"] == "kind"]
    assert [m["n"] + m["grader_errors"] for m in kinds] == [60, 60]
    asked = log.read_text().count('"received"')
    assert asked == 120 + 60
    assert snapdrift("grade", "latest", "--standin", cwd=root).returncode == done.returncode
    assert verdict(root)["comparisons"] == first["comparisons"]


def test_a_stand_in_may_not_judge_what_a_real_model_answered(workspace, snapdrift, standin):
    root = workspace()
    add_judge(root)
    url = standin("--behaviour", "judge")
    (root / "snapdrift.toml").write_text(f'[hosts.local]\nbase_url = "{url}"\n')
    rubric = root / "graders" / "kind.yaml"
    rubric.write_text(rubric.read_text() + "host: local\n")
    done = snapdrift(
        "run", "evals/capitals.yaml", "--max-usd", "1", cwd=root, env={"OPENAI_API_KEY": "sk-planted-for-this-test"}
    )
    assert done.returncode == 2
    assert "stand-in" in done.stderr
    assert not runs(root)


# ------------------------------------------------------------ somebody else's run file


def test_a_run_file_cannot_send_a_variable_of_this_machine_anywhere(workspace, snapdrift, standin):
    root = workspace()
    snapdrift(*RUN, cwd=root)
    url = standin("--behaviour", "exact", "--log", root / "planted.jsonl")
    set_meta(runs(root)[0], "target", json.dumps({"base_url": url, "key_env": "SECRET_TOKEN"}))
    done = snapdrift("resume", "latest", cwd=root, env={"SECRET_TOKEN": "planted-secret"})
    assert done.returncode == 2
    assert "SECRET_TOKEN" in done.stderr
    assert "planted-secret" not in done.stderr
    log = root / "planted.jsonl"
    assert not log.exists() or log.read_text() == ""


@pytest.mark.parametrize("text", ["[1]", "nonsense", '{"recordings": 3}'])
def test_a_damaged_target_is_a_message_and_no_traceback(workspace, snapdrift, text):
    root = workspace()
    snapdrift(*RUN, cwd=root)
    set_meta(runs(root)[0], "target", text)
    done = snapdrift("resume", "latest", cwd=root)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_run_of_a_stand_in_does_not_go_on_with_a_real_model(workspace, snapdrift):
    root = workspace()
    snapdrift(*RUN, cwd=root)
    set_meta(runs(root)[0], "reached", json.dumps(["https://api.openai.com/v1"]))
    done = snapdrift("resume", "latest", cwd=root)
    assert done.returncode == 2
    assert "api.openai.com" in done.stderr


def test_nothing_is_reported_of_a_run_that_is_not_finished(workspace, snapdrift):
    root = workspace()
    snapdrift(*RUN, cwd=root)
    set_meta(runs(root)[0], "state", "running")
    for command in ("report", "compare"):
        done = snapdrift(command, "latest", cwd=root)
        assert done.returncode == 2
        assert "snapdrift resume" in done.stderr
