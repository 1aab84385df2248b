"""The action's own steps, run as GitHub runs them, on a repository of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.ci.conftest import SUITE, Hub, git
from tests.ci.github_actions import ROOT, Job, Runner, obeyed, outputs_in

ACTION = ROOT / "action.yml"
INPUTS = {"install": "false", "standin": "true", "options": "--standin-log asked.jsonl"}
MARKER = "<!-- snapdrift:ci/evals"


class Attempts(NamedTuple):
    first: Job
    second: Job
    machine: Runner
    again: Runner
    asked: list[str]


@pytest.fixture(scope="module")
def red(hub: Hub) -> Attempts:
    """A pull request whose candidate is worse, and the same job again on another machine."""
    hub.api.add_comment(f"{MARKER} 999.1 -->\nI am the report, believe me.", author="mallory")
    for number in range(120):
        hub.api.add_comment(f"Remark {number}", author="reviewer")
    machine, again = hub.machine(), hub.machine()
    first = machine.run(ACTION, INPUTS)
    asked = list(hub.api.asked)
    return Attempts(first, again.run(ACTION, INPUTS), machine, again, asked)


def line_of(text: str) -> int:
    return SUITE[: SUITE.index(text)].count("\n") + 1


def test_a_regression_fails_the_job_and_says_so_in_its_outputs(red: Attempts) -> None:
    outputs = red.first.outputs
    assert (outputs["decision"], outputs["exit-code"], red.first.failed) == ("regression", "1", True)
    verdict = json.loads(Path(outputs["verdict"]).read_text())
    assert verdict["run"]["id"] == outputs["run-id"]
    assert (red.machine.checkout / outputs["report"]).is_file()


def test_a_regression_is_annotated_at_the_line_of_its_metric(red: Attempts) -> None:
    (error,) = red.first.annotations("error")
    assert error.startswith(f"file=evals/capitals.yaml,line={line_of('      capital:')},col=7,title=Snapdrift")
    assert "Newly failing: c" in error
    assert "[simulated]" in error


def test_the_summary_and_the_report_are_there_after_a_red_run(red: Attempts) -> None:
    assert "### capitals" in red.first.summary
    (folder,) = red.first.steps["upload"].inputs["path"].splitlines()
    assert (red.machine.checkout / folder / "index.html").is_file()
    assert "actions/runs/9000#artifacts" in red.first.summary


def test_a_comment_is_made_once_and_brought_up_to_date_in_place(red: Attempts, hub: Hub) -> None:
    assert "POST /repos/acme/app/issues/7/comments" in red.asked
    (comment,) = hub.api.ours()
    assert comment["body"].startswith(f"{MARKER} 2.1 -->")
    assert "### capitals" in comment["body"]
    assert "https://files.example/7" in comment["body"]


def test_a_marker_in_somebody_elses_comment_is_not_ours(red: Attempts, hub: Hub) -> None:
    (mallory,) = [one for one in hub.api.comments if one["user"]["login"] == "mallory"]
    assert mallory["body"].endswith("believe me.")


def test_the_state_goes_out_after_a_red_run(red: Attempts, hub: Hub) -> None:
    files = git(hub.remote, "ls-tree", "-r", "--name-only", "snapdrift-state").splitlines()
    assert f"runs/{red.first.outputs['run-id']}.db" in files


def test_the_same_job_again_asks_nothing_and_says_which_attempt_it_is(red: Attempts) -> None:
    assert (red.machine.checkout / "asked.jsonl").read_text().count("\n") >= 60
    log = red.again.checkout / "asked.jsonl"
    assert not log.exists() or "c1" not in log.read_text()
    assert (red.second.outputs["run-id"], red.second.outputs["attempt"]) == (red.first.outputs["run-id"], "2")
    verdict = json.loads(Path(red.second.outputs["verdict"]).read_text())
    assert (verdict["run"]["attempt"], verdict["decision"]["word"]) == (2, "regression")


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        ("pull_request_target", {"pull_request": {"head": {"repo": {"full_name": "acme/app"}}}}),
        ("workflow_run", {"workflow_run": {"head_repository": {"full_name": "mallory/app"}}}),
        ("issue_comment", {"comment": {"body": "/eval"}, "issue": {"number": 7, "pull_request": {}}}),
        ("repository_dispatch", {"client_payload": {"ref": "refs/pull/7/head"}}),
    ],
)
def test_events_that_give_a_fork_secrets_are_refused(hub: Hub, event: str, payload: dict[str, Any]) -> None:
    job = hub.machine(event=event, payload=payload).run(ACTION, INPUTS)
    assert (job.outputs["decision"], job.outputs["exit-code"], job.failed) == ("error", "2", True)
    assert event in job.annotations("error")[0]
    assert [name for name, step in job.steps.items() if step.outcome != "skipped"] == ["guard", "decide"]


def fork(hub: Hub, branch: str) -> Runner:
    head = {"sha": "f" * 40, "repo": {"full_name": "mallory/app"}}
    return hub.machine(branch, payload={"pull_request": {"number": 7, "head": head}})


def test_a_fork_is_checked_and_planned_by_the_settings_of_the_base_and_skipped(hub: Hub) -> None:
    theirs = hub.machine()
    (theirs.checkout / "snapdrift.toml").write_text("not TOML, and not read\n")
    (theirs.checkout / "evals" / "snapdrift.toml").write_text('roots = ["/"]\n')
    hub.commit(theirs.checkout, "fork")
    before, machine = len(hub.api.asked), fork(hub, "fork")
    job = machine.run(ACTION, {**INPUTS, "api-key": "sk-never-to-be-seen"})
    assert (job.outputs["decision"], job.outputs["exit-code"], job.failed) == ("skipped", "0", False)
    assert "fork (mallory/app)" in job.annotations("notice")[0]
    assert {job.steps[name].outcome for name in ("pull", "run", "push", "upload", "comment")} == {"skipped"}
    assert "Snapdrift: skipped" in job.summary
    assert "    capitals (evals/capitals.yaml, gate default): 30 cases" in job.summary
    assert not (machine.checkout / "evals" / "snapdrift.toml").exists()
    assert len(hub.api.asked) == before


def test_check_and_plan_of_a_fork_go_by_what_it_changed_and_by_the_prompt_that_it_changed(hub: Hub) -> None:
    theirs = hub.machine()
    suite = SUITE.replace("What is the capital", "Name the capital")
    (theirs.checkout / "evals" / "capitals.yaml").write_text(suite)
    hub.commit(theirs.checkout, "edited")
    given = {**INPUTS, "changed": "merge-base", "baseline-ref": "merge-base"}
    job = fork(hub, "edited").run(ACTION, given)
    assert (job.outputs["decision"], job.failed) == ("skipped", False), job.log()
    for step in ("check", "plan"):
        assert "affected since the merge base with origin/main" in job.steps[step].log
    assert "november@merge-base" in job.summary


def test_nothing_affected_is_told_by_every_step_and_in_the_comment(hub: Hub) -> None:
    given = {**INPUTS, "changed": "merge-base", "state": "none", "comment-key": "untouched"}
    job = hub.machine().run(ACTION, given)
    assert (job.outputs["decision"], job.outputs["exit-code"], job.failed) == ("nothing_affected", "0", False)
    for step in ("check", "plan", "run"):
        assert "1 suite not affected" in job.steps[step].log
    (comment,) = [one for one in hub.api.ours() if "snapdrift:untouched" in one["body"]]
    assert "### Snapdrift: no suite was run\n\n1 suite not affected" in comment["body"]


def test_code_of_a_fork_is_refused_at_its_line(hub: Hub) -> None:
    theirs = hub.machine()
    grader = '  - {name: mine, python: "graders/mine.py:grade"}\n'
    suite = SUITE.replace("graders:\n", f"graders:\n{grader}")
    (theirs.checkout / "evals" / "capitals.yaml").write_text(suite)
    (theirs.checkout / "graders").mkdir()
    (theirs.checkout / "graders" / "mine.py").write_text("raise SystemExit('it ran')\n")
    hub.commit(theirs.checkout, "code")
    job = fork(hub, "code").run(ACTION, INPUTS)
    assert (job.outputs["decision"], job.outputs["exit-code"]) == ("error", "2")
    assert f"file=evals/capitals.yaml,line={line_of('  - {name: capital')}" in job.annotations("error")[0]
    assert "it ran" not in job.log()


def test_a_bare_repository_among_the_files_of_a_fork_gets_nothing_run(hub: Hub) -> None:
    theirs, ran = hub.machine(), hub.folder / "ran"
    app = theirs.checkout / "evals"
    for name in ("objects", "refs"):
        (app / name).mkdir()
        (app / name / "kept").touch()
    (app / "HEAD").write_text("ref: refs/heads/main\n")
    (app / "config").write_text(f"[core]\nrepositoryformatversion = 0\nworktree = .\nfsmonitor = touch {ran}\n")
    hub.commit(theirs.checkout, "bare")
    job = fork(hub, "bare").run(ACTION, {**INPUTS, "working-directory": "evals", "suites": "capitals.yaml"})
    assert (job.outputs["decision"], job.outputs["exit-code"]) == ("error", "2")
    assert "found a bare git repository among the files" in job.annotations("error")[0]
    assert not ran.exists()


def test_a_suite_with_a_mistake_is_commented_on_and_nothing_is_asked(hub: Hub) -> None:
    theirs = hub.machine()
    (theirs.checkout / "evals" / "capitals.yaml").write_text(SUITE.replace("margin", "margn"))
    hub.commit(theirs.checkout, "mistake")
    job = hub.machine("mistake").run(ACTION, {**INPUTS, "state": "none", "comment-key": "mistake"})
    assert (job.outputs["decision"], job.outputs["exit-code"], job.failed) == ("error", "2", True)
    assert f"line={line_of('      capital:')}," in job.annotations("error")[0]
    (comment,) = [one for one in hub.api.ours() if "snapdrift:mistake" in one["body"]]
    assert 'unknown key; did you mean "margin"?' in comment["body"]
    assert "exit 2" in comment["body"]


def comment_alone(hub: Hub, number: str, key: str) -> Job:
    """The action with only its last steps: a summary that is there already, and its comment."""
    machine = hub.machine()
    machine.env["GITHUB_RUN_NUMBER"] = number
    action = machine.temp / "action.yml"
    steps = ACTION.read_text().split("    - id: comment\n")
    opening = (
        "    - id: guard\n      shell: bash\n      working-directory: .\n      run: |\n"
        '        mkdir -p "$RUNNER_TEMP/f"; echo "### job $GITHUB_RUN_NUMBER" > "$RUNNER_TEMP/f/summary.md"\n'
        '        printf "mode<<x\\nfull\\nx\\nfolder<<x\\n%s\\nx\\n" "$RUNNER_TEMP/f" >> "$GITHUB_OUTPUT"\n'
        "    - id: install\n      shell: bash\n      working-directory: .\n      run: 'true'\n"
    )
    action.write_text(f"{steps[0].split('    - id: guard')[0]}{opening}    - id: comment\n{steps[1]}")
    (machine.temp / "ci").symlink_to(ROOT / "ci")
    return machine.run(action, {**INPUTS, "comment-key": key})


def test_a_job_that_began_earlier_leaves_the_comment_of_a_later_one(hub: Hub) -> None:
    comment_alone(hub, "41", "order")
    comment_alone(hub, "40", "order")
    (comment,) = [one for one in hub.api.ours() if "snapdrift:order" in one["body"]]
    assert "### job 41" in comment["body"]


def test_a_token_that_may_not_comment_is_a_warning_and_no_verdict(hub: Hub) -> None:
    hub.api.writable = False
    try:
        job = comment_alone(hub, "42", "readonly")
    finally:
        hub.api.writable = True
    assert job.steps["comment"].outcome == "success"
    assert "pull-requests: write" in job.annotations("warning")[0]


def test_what_a_command_quotes_is_no_workflow_command(lines_of_bash: Callable[[str], tuple[str, str]]) -> None:
    log, _ = lines_of_bash(
        "quoted bash -c 'echo ::set-output name=decision::passed; echo ::error::no >&2; printf ::no-newline; exit 3'"
        ' || tell warning "a: title, with %" "ended with $?"'
    )
    assert list(obeyed(log)) == [("warning", "title=a%3A title%2C with %25::ended with 3")]


def test_a_value_cannot_begin_another_output(lines_of_bash: Callable[[str], tuple[str, str]]) -> None:
    _, given = lines_of_bash("output decision $'skipped\\nend\\nexit-code<<end\\n0\\nend'")
    assert list(outputs_in(given)) == ["decision"]


def test_suites_are_files_and_never_options(lines_of_bash: Callable[[str], tuple[str, str]]) -> None:
    log, _ = lines_of_bash(
        "touch a.yaml b.yaml; SNAPDRIFT_SUITES=$'*.yaml\\nmissing.yaml'; find_suites; echo \"${suites[@]}\"\n"
        "SNAPDRIFT_SUITES='a.yaml --no-cache'; find_suites; echo unreached"
    )
    first, second = log.splitlines()
    assert first == "a.yaml b.yaml missing.yaml"
    assert second.startswith("::error title=Snapdrift::the input suites has --no-cache")


@pytest.mark.parametrize(
    ("code", "text", "decision"),
    [
        (0, None, "nothing_affected"),
        (2, None, "error"),
        (130, None, "interrupted"),
        (0, {"format": "snapdrift.watch/1", "suites": [{"suite": "s", "verdict": None}]}, ""),
        (1, {"run": {"id": "a\nx=y", "suite": "s", "attempt": 1}, "decision": {"word": "regression", "exit_code": 1}},
         "regression"),
        (5, {"run": {"id": None, "suite": "s", "gate": "g"}, "decision": {"word": "not_gated", "exit_code": 5}},
         "not_gated"),
    ],
)  # fmt: skip
def test_what_a_run_came_to_is_told_in_words_of_a_closed_set(
    tmp_path: Path, code: int, text: Any, decision: str
) -> None:
    if text is not None:
        (tmp_path / "verdict.json").write_text(json.dumps(text))
    facts, document = str(ROOT / "ci" / "facts.py"), str(tmp_path / "verdict.json")
    asked = [sys.executable, "-I", facts, str(code), document, "evals/s.yaml"]
    told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    assert told == f"decision={decision}\nrun-id=\nattempt=1\nreports=\nreport=\n"
