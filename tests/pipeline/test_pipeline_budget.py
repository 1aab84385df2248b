"""Money and time that run out: never over by more than what was billed beyond the worst case, and always told."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.judged import judged_workspace

from snapdrift.openai_api.catalog import load_catalog
from snapdrift.pipeline.allowance import worst_cost
from snapdrift.store import open_run
from snapdrift.store.ledger import NANO, Ledger
from snapdrift.suites.workspace import find_workspace

Command = Callable[..., subprocess.CompletedProcess[str]]
WORST = worst_cost(load_catalog())


def verdict(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / "reports" / "capitals" / "latest" / "verdict.json").read_text())
    return found


def run_files(root: Path) -> list[Path]:
    return sorted((root / ".snapdrift" / "runs").glob("*.db"))


def excesses(root: Path) -> list[float]:
    """By how much each answer was billed beyond its worst case, the largest first."""
    with open_run(run_files(root)[0]) as stored:
        found = [
            (response.usd or 0.0) - (WORST(request) or 0.0)
            for response in stored.responses()
            if (request := stored.request(response.call)) is not None
        ]
    return sorted(found, reverse=True)


def test_a_provider_that_bills_more_than_asked_for_is_found_out_and_overruns_by_what_was_in_flight(
    workspace, standin, snapdrift: Command
) -> None:
    root = workspace(more="budget: {usd: 0.5}\n")
    url = standin("--recordings", root / "datasets" / "recordings.jsonl", "--overbill", "500", "--latency", "50")
    done = snapdrift("run", "evals/capitals.yaml", "--base-url", url, "--concurrency", "4", cwd=root)

    assert done.returncode == 3, done.stderr
    decided, excess = verdict(root), excesses(root)
    spent = sum(variant["usd"] for variant in decided["variants"])
    assert 0.5 < spent <= 0.5 + sum(excess[:4])
    assert min(excess) > 0
    (told,) = (text for text in decided["decision"]["reasons"] if "exceeded by" in text)
    assert told.startswith(f"The budget of $0.5 was exceeded by ${spent - 0.5:.4f}: {len(excess)} requests were billed")
    assert f"by ${sum(excess):.4f} in all: c" in told
    page = (root / "reports" / "capitals" / "latest" / "index.html").read_text()
    assert "was exceeded by" in done.stdout
    assert "was exceeded by" in page


def test_two_runs_at_once_never_spend_more_than_the_day_has(
    workspace, standin, snapdrift: Command, snapdrift_command: Path
) -> None:
    root = workspace(cases=40, max_blind=0.9, more="budget: {usd: 5, per_day: 0.004}\n")
    url = standin("--recordings", root / "datasets" / "recordings.jsonl", "--latency", "20")
    command = [str(snapdrift_command), "run", "evals/capitals.yaml", "--base-url", url, "--fresh", "--quiet"]
    started = [subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=400)[0] for process in started]

    assert [process.returncode for process in started] == [3, 3], outputs
    spent = []
    for path in run_files(root):
        with open_run(path) as stored:
            spent.append(stored.spent_usd(WORST))
    assert 0.0025 < sum(spent) <= 0.004
    with Ledger(find_workspace(root).state_dir) as ledger:
        standing = ledger.standing("capitals")
    assert abs(standing.spent - sum(spent) * NANO) < 1000
    assert standing.held == standing.unsettled == 0
    reasons = " ".join(verdict(root)["decision"]["reasons"])
    assert "The budget of $0.004 a day (" in reasons

    (plan,) = json.loads(snapdrift("plan", "evals/capitals.yaml", "--json", cwd=root).stdout)["suites"]
    assert plan["day"]["limit_usd"] == 0.004
    assert plan["day"]["left_usd"] == round(0.004 - standing.spent / NANO, 9)
    assert plan["over_budget"]
    assert "left of today's budget: $0.00" in snapdrift("plan", "evals/capitals.yaml", cwd=root).stdout


def test_a_run_that_used_its_budget_up_goes_on_once_it_is_raised_in_the_suite_and_says_so(
    workspace, standin, snapdrift: Command
) -> None:
    root = workspace(cases=40, max_blind=0.9, more="budget: {usd: 0.02}\n")
    url = standin("--recordings", root / "datasets" / "recordings.jsonl", "--overbill", "50")
    done = snapdrift("run", "evals/capitals.yaml", "--base-url", url, "--concurrency", "2", cwd=root)
    (run,) = run_files(root)
    assert done.returncode == 3, done.stderr
    assert "The budget of $0.02 is used up" in " ".join(verdict(root)["decision"]["reasons"])
    go_on = f"raise budget.usd in evals/capitals.yaml, and nothing else there; then snapdrift resume {run.stem}"
    assert f"go on: {go_on}\n" in done.stdout
    for more in ((), ("--max-usd", "5")):
        still = snapdrift("resume", run.stem, *more, "--base-url", url, cwd=root)
        assert still.returncode == 3, still.stderr
        assert f"go on: {go_on}\n" in still.stdout

    suite = root / "evals" / "capitals.yaml"
    raised = suite.read_text().replace("usd: 0.02", "usd: 5")
    suite.write_text(raised + "description: and more\n")
    other = snapdrift("resume", run.stem, "--base-url", url, cwd=root)
    assert other.returncode == 3
    assert "evals/capitals.yaml changed in more than its budget since run" in other.stderr
    suite.write_text(raised + "# with a comment\n")
    resumed = snapdrift("resume", run.stem, "--base-url", url, cwd=root)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert run_files(root) == [run]


def test_a_budget_that_its_gate_has_is_raised_there(workspace, standin, snapdrift: Command) -> None:
    root = workspace(cases=40, max_blind=0.9)
    suite = root / "evals" / "capitals.yaml"
    text = suite.read_text()
    suite.write_text(text.replace("    candidates:", "    budget: {usd: 0.02}\n    candidates:"))
    url = standin("--recordings", root / "datasets" / "recordings.jsonl", "--overbill", "50")
    done = snapdrift("run", "evals/capitals.yaml", "--base-url", url, "--concurrency", "2", cwd=root)
    assert "go on: raise budget.usd of gate default in evals/capitals.yaml, and nothing else there; then" in done.stdout
    suite.write_text(suite.read_text().replace("usd: 0.02", "usd: 5"))
    assert snapdrift("resume", "latest", "--base-url", url, cwd=root).returncode == 0


def test_a_day_that_is_used_up_names_tomorrow_and_the_key(workspace, standin, snapdrift: Command) -> None:
    root = workspace(cases=40, max_blind=0.9, more="budget: {usd: 5, per_day: 0.02}\n")
    url = standin("--recordings", root / "datasets" / "recordings.jsonl", "--overbill", "50")
    done = snapdrift("run", "evals/capitals.yaml", "--base-url", url, "--concurrency", "2", cwd=root)
    (run,) = run_files(root)
    assert "go on: tomorrow (UTC), or once budget.per_day in evals/capitals.yaml is raised: snapdrift resume " in (
        done.stdout
    )
    suite = root / "evals" / "capitals.yaml"
    suite.write_text(suite.read_text().replace("per_day: 0.02", "per_day: 5"))
    assert snapdrift("resume", run.stem, "--base-url", url, cwd=root).returncode == 0


def test_what_earlier_suites_of_a_command_took_of_its_limit_is_named_with_it(
    workspace, standin, snapdrift: Command
) -> None:
    root = workspace(cases=40, max_blind=0.9)
    first = root / "evals" / "capitals.yaml"
    second = root / "evals" / "second.yaml"
    second.write_text(first.read_text().replace("suite: capitals", "suite: second"))
    url = standin("--recordings", root / "datasets" / "recordings.jsonl", "--overbill", "5")
    command = ("run", first, second, "--base-url", url, "--max-usd", "0.03", "--concurrency", "2", "--no-cache")
    done = snapdrift(*command, cwd=root)
    assert done.returncode == 3, done.stderr
    spent = re.search(r"--max-usd 0\.03 is used up: \$(\S+) is spent \(\$(\S+) of it before this run\)", done.stdout)
    assert spent, done.stdout
    assert 0.025 < float(spent[2]) < float(spent[1]) <= 0.03
    assert "budget of $" not in done.stdout
    (run,) = (path for path in run_files(root) if f"snapdrift resume {path.stem} --max-usd X" in done.stdout)
    resumed = snapdrift("resume", run.stem, "--max-usd", "0.03", "--base-url", url, cwd=root)
    assert resumed.returncode == 0, resumed.stdout


def test_a_deadline_gives_up_what_is_in_flight_and_still_reports(workspace, standin, snapdrift: Command) -> None:
    root = workspace(cases=20, max_blind=0.9, more="budget: {usd: 5}\n")
    url = standin("--recordings", root / "datasets" / "recordings.jsonl", "--latency", "60000")
    done = snapdrift(
        *("run", "evals/capitals.yaml", "--base-url", url, "--deadline", "3s", "--concurrency", "5"), cwd=root
    )
    assert done.returncode == 3, done.stderr
    reasons = verdict(root)["decision"]["reasons"]
    assert reasons[0] == (
        "The deadline came before every call was asked (5 requests in flight given up and counted at the worst case)."
    )
    with open_run(run_files(root)[0]) as stored:
        given_up = [response for response in stored.responses() if response.attempts]
        worst = sum(WORST(request) or 0.0 for one in given_up if (request := stored.request(one.call)) is not None)
        assert len(given_up) == 5
        assert abs(stored.spent_usd(WORST) - worst) < 1e-9


def judged_by(root: Path) -> tuple[int, int]:
    """How many answers and how many replies of judges there are."""
    with open_run(run_files(root)[0]) as stored:
        asked = [bool(response.call.grader) for response in stored.responses() if response.outcome.measured]
    return asked.count(False), asked.count(True)


def test_answers_leave_the_judges_their_part_of_a_budget_that_runs_out(tmp_path: Path, snapdrift: Command) -> None:
    root = judged_workspace(tmp_path / "workspace")
    done = snapdrift("run", "evals/capitals.yaml", "--standin", "--max-usd", "0.02", "--concurrency", "4", cwd=root)

    assert done.returncode == 3, done.stderr
    answers, judged = judged_by(root)
    decided = verdict(root)
    assert 0 < judged <= answers < 124
    assert sum(variant["usd"] + variant["judge_usd"] for variant in decided["variants"]) <= 0.02
    assert "kept for judges" in decided["decision"]["reasons"][0]
    unasked = f"{answers - judged} questions of judges were not asked about answers that were paid for"
    assert judged == answers or any(text.startswith(unasked) for text in decided["decision"]["reasons"])


def test_judges_that_a_provider_without_quota_keeps_from_being_asked_are_counted(
    tmp_path: Path, snapdrift: Command
) -> None:
    root = judged_workspace(tmp_path / "workspace")
    with (root / "snapdrift.toml").open("a") as file:
        file.write("\n[standin.limits]\nquota_requests = 9\n")
    done = snapdrift("run", "evals/capitals.yaml", "--standin", "--max-usd", "1", "--concurrency", "2", cwd=root)

    assert done.returncode == 3, done.stderr
    answers, judged = judged_by(root)
    assert (answers, judged) == (9, 0)
    unasked = "9 questions of judges were not asked about answers that were paid for: the provider answered no more."
    assert unasked in verdict(root)["decision"]["reasons"]
