"""Answers reused across runs, as a user meets them: an edited prompt, the report, the plan, and `snapdrift cache`."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from snapdrift.model import CallKey, Source
from snapdrift.store import RunWriter, codec, open_run
from snapdrift.store.cache_answers import REUSABLE, Pinned, Reusable

SUITE = """\
suite: capitals
dataset: datasets/capitals.jsonl
prompt: {input: "What is the capital of {{ country }}?"}
request: {temperature: 0, max_output_tokens: 64}
variants:
  august: {model: gpt-4o-2024-08-06}
  terse: {model: gpt-4o-2024-11-20, prompt: {instructions: Be terse.}}
  alias: {model: gpt-4o}
graders:
  - {name: capital, contains: "Town"}
  - {name: cheap, cost: 0.01}
gate:
  baseline: {variant: august}
  candidates: [terse, alias]
  metrics: {capital: {margin: 0.1}, cost: {max_increase: 3.0}}
  max_blind: 0.9
  discordance: 0.5
"""
CASES = 8
OPENAI = "https://api.openai.com/v1"
RUN = ("run", "evals/capitals.yaml", "--standin", "--standin-log", "log.jsonl")
Run = Callable[..., Any]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, snapdrift: Run) -> Path:
    """A workspace in which the suite was run once."""
    root = tmp_path_factory.mktemp("first")
    for folder in ("evals", "datasets"):
        (root / folder).mkdir()
    (root / "snapdrift.toml").write_text("")
    (root / "evals" / "capitals.yaml").write_text(SUITE)
    rows = [{"id": f"c{n}", "country": f"Land {n}", "expected": f"Town {n}"} for n in range(CASES)]
    (root / "datasets" / "capitals.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = snapdrift(*RUN, cwd=root)
    assert "reused" not in done.stdout + done.stderr
    (root / "log.jsonl").unlink()
    return root


@pytest.fixture
def root(first: Path, tmp_path: Path) -> Path:
    """The same workspace, a copy for each test."""
    return shutil.copytree(first, tmp_path / "w", symlinks=True)


def edit(root: Path, old: str, new: str) -> None:
    path = root / "evals" / "capitals.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def asked(root: Path) -> Counter[str]:
    """How many requests of each variant the stand-in of the last run got."""
    path = root / "log.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
    ids = {line["client_request_id"] for line in lines if line.get("client_request_id")}
    return Counter(name.partition("/")[0].rpartition(":")[2] for name in ids)


def verdict(root: Path) -> Any:
    return json.loads((root / "reports" / "capitals" / "latest" / "verdict.json").read_text())


@pytest.fixture(scope="module")
def edited(first: Path, tmp_path_factory: pytest.TempPathFactory, snapdrift: Run) -> tuple[Path, Any]:
    """Another copy, in which a candidate's prompt was edited and the suite run again; and what that printed."""
    root = shutil.copytree(first, tmp_path_factory.mktemp("edited") / "w", symlinks=True)
    edit(root, "Be terse.", "Be quite terse.")
    return root, snapdrift(*RUN, cwd=root)


def test_an_edited_prompt_asks_the_candidate_and_never_the_pinned_baseline_again(
    first: Path, edited: tuple[Path, Any]
) -> None:
    root, done = edited
    before = verdict(first)

    assert asked(root) == {"terse": CASES, "alias": CASES}  # an alias's answers never serve another run
    assert f"capitals: reused {CASES} answers of earlier runs" in done.stderr
    august, terse, alias = verdict(root)["variants"]
    assert (august["reused"]["calls"], august["reused"]["runs"]) == (CASES, [before["run"]["id"]])
    assert (august["usd"], august["requests"], august["latency_ms"]["p50"]) == (0.0, 0, None)
    assert august["reused"]["usd"] == pytest.approx(before["variants"][0]["usd"])
    assert (terse["reused"], alias["reused"], verdict(root)["reused"]) == (None, None, CASES)


def test_what_a_reused_answer_cost_is_compared_and_its_draw_is_known_again(
    first: Path, edited: tuple[Path, Any]
) -> None:
    before, now = verdict(first), verdict(edited[0])

    (cost, *_) = [one for one in now["operational"] if one["metric"] == "cost"]
    assert cost["baseline_value"] == pytest.approx(before["variants"][0]["usd"])
    then, again = ({draw["variant"]: draw for draw in told["draws"]}["august"] for told in (before, now))
    assert again["digest"] == then["digest"]
    assert again["newest"] == then["newest"]
    assert again["earlier_verdicts"] == 1


def test_every_rendering_says_how_many_are_reused_how_old_they_are_and_what_that_means(
    edited: tuple[Path, Any],
) -> None:
    root, done = edited
    latest = root / "reports" / "capitals" / "latest"

    for text in (done.stdout, (latest / "summary.md").read_text(), (latest / "index.html").read_text()):
        flat = " ".join(text.split())
        assert "reused answers" in flat
        assert f"{CASES} of {CASES} answers of" in flat
        assert "before this run" in flat
        assert "not asked beside the answers of this run" in flat
    assert f"{CASES} reused" in (latest / "index.html").read_text()


@pytest.mark.parametrize(
    ("more", "gate"), [(("--no-cache",), ""), ((), "cache: {max_age: 1s}")], ids=["--no-cache", "max_age"]
)
def test_who_opts_out_asks_everything(root: Path, snapdrift: Run, more: tuple[str, ...], gate: str) -> None:
    edit(root, "Be terse.", "Be quite terse.")
    edit(root, "gate:\n", f"gate:\n  {gate}\n" if gate else "gate:\n")
    snapdrift(*RUN, *more, cwd=root)

    assert asked(root) == {"august": CASES, "terse": CASES, "alias": CASES}
    assert verdict(root)["reused"] == 0


def test_a_stand_in_with_other_settings_is_asked_anew(root: Path, snapdrift: Run) -> None:
    edit(root, "Be terse.", "Be quite terse.")
    (root / "snapdrift.toml").write_text("[standin]\nseed = 5\n")
    snapdrift(*RUN, cwd=root)

    assert asked(root)["august"] == CASES


def test_a_damaged_cache_stops_no_run_and_says_so(root: Path, snapdrift: Run) -> None:
    edit(root, "Be terse.", "Be quite terse.")
    (root / ".snapdrift" / "cache.db").write_bytes(b"not a database " * 100)
    done = snapdrift(*RUN, cwd=root)

    assert done.returncode == 0, done.stderr
    assert "the cache across runs is not used: " in done.stderr
    assert "cache.db: damaged; delete it" in done.stderr
    assert asked(root)["august"] == CASES

    assert snapdrift("cache", "clear", cwd=root).returncode == 0
    assert "no answers of pinned snapshots yet" in snapdrift("cache", cwd=root).stdout


def test_the_run_file_is_whole_and_a_copy_serves_when_the_first_run_is_gone(
    first: Path, edited: tuple[Path, Any], tmp_path: Path, snapdrift: Run
) -> None:
    (before,) = (first / ".snapdrift" / "runs").glob("*.db")
    root = shutil.copytree(edited[0], tmp_path / "w", symlinks=True)
    (second,) = [path for path in (root / ".snapdrift" / "runs").glob("*.db") if path.name != before.name]
    with open_run(second) as run, open_run(before) as other:
        copies = [(run.response(key), other.response(key)) for key in run.calls() if key.variant == "august"]
        assert all(run.request(copy.call) is not None for copy, _ in copies if copy)
    assert [copy and copy.raw for copy, _ in copies] == [original and original.raw for _, original in copies]
    (root / ".snapdrift" / "runs" / before.name).unlink()
    (root / "log.jsonl").unlink()

    edit(root, "Be quite terse.", "Be very terse.")
    snapdrift(*RUN, cwd=root)

    assert "august" not in asked(root)
    assert verdict(root)["variants"][0]["reused"]["runs"] == [before.stem]


def test_the_plan_and_the_cache_say_what_would_be_reused_and_what_differs(root: Path, snapdrift: Run) -> None:
    explain = ("cache", "explain", "evals/capitals.yaml", "--case", "c3", "--standin")
    august, terse, alias = snapdrift(*explain, cwd=root).stdout.splitlines()
    assert "would be reused, from august/c3/0 of run " in august
    assert "would be reused, from terse/c3/0 of run " in terse
    assert "would be asked: gpt-4o is an alias" in alias

    edit(root, "capital of", "Capital of")
    told = snapdrift(*explain, "--variant", "august", cwd=root).stdout
    assert "the nearest request, august/c3/0 of run " in told
    assert "differs in 1 place\n  body.input[0].content\n" in told
    assert "now:  What is the Capital of Land 3?\n    then: What is the capital of Land 3?" in told
    edit(root, "max_output_tokens: 64", "max_output_tokens: 65")
    told = snapdrift(*explain, "--variant", "august", cwd=root).stdout
    assert "differs in 2 places" in told
    assert "  body.max_output_tokens\n    now:  65\n    then: 64" in told


def measured(root: Path, *cases: str) -> None:
    """Puts a run beside the simulated one in which OpenAI answered the baseline about these cases."""
    (simulated,) = (root / ".snapdrift" / "runs").glob("*.db")
    with open_run(simulated) as run:
        header = replace(run.header, run_id="20261120-000000-0000")
        plan, pinned = run.planned(), Reusable({"august": Pinned(OPENAI)})
        with RunWriter.create(simulated.with_name(f"{header.run_id}.db"), header, run.cases(), plan) as writer:
            writer.set_meta(REUSABLE, codec.dumps(pinned))
            for case in cases:
                key = CallKey(case, "august", 0)
                response, request = run.response(key), run.request(key)
                assert response is not None
                assert request is not None
                sent = replace(request, base_url=OPENAI)
                writer.record_now(replace(response, source=Source.OPENAI, request_hash=sent.hash), sent)


def test_the_plan_of_a_live_run_counts_what_a_live_run_answered_and_nothing_simulated(
    root: Path, snapdrift: Run
) -> None:
    plan = ("plan", "evals/capitals.yaml", "--json")
    (before,) = json.loads(snapdrift(*plan, cwd=root).stdout)["suites"]
    measured(root, "c0", "c1", "c2", "c3", "c4", "c5")
    (after,) = json.loads(snapdrift(*plan, cwd=root).stdout)["suites"]
    (anew,) = json.loads(snapdrift(*plan, "--no-cache", cwd=root).stdout)["suites"]

    assert [one["reused"] for one in before["variants"]] == [0, 0, 0]
    assert [one["reused"] for one in after["variants"]] == [6, 0, 0]
    assert [one["reused"] for one in anew["variants"]] == [0, 0, 0]
    then, now = (one["variants"][0]["estimate"]["usd"] for one in (before, after))
    assert now["live"] == pytest.approx(then["live"] * 2 / CASES)
    assert now["worst"] == then["worst"]
    assert f"{CASES} (6 reused)" in snapdrift("plan", "evals/capitals.yaml", cwd=root).stdout
    told = snapdrift("cache", "explain", "evals/capitals.yaml", "--case", "c5", cwd=root).stdout
    assert told.startswith("august, case c5, repeat 0: would be reused, from august/c5/0 of run 20261120-000000-0000")
    # The simulated answers of the other cases are none of OpenAI's.
    told = snapdrift("cache", "explain", "evals/capitals.yaml", "--case", "c7", cwd=root).stdout
    assert "where it is asked\n    now:  https://api.openai.com/v1\n    then: a stand-in" in told


def test_what_was_cleared_is_asked_and_explained(root: Path, snapdrift: Run) -> None:
    shown = snapdrift("cache", cwd=root).stdout
    assert [line.split()[:2] for line in shown.splitlines() if line.strip().startswith("gpt-4o")] == [
        ["gpt-4o-2024-08-06", str(CASES)],
        ["gpt-4o-2024-11-20", str(CASES)],
    ]
    assert snapdrift("cache", "clear", "--older-than", "7d", cwd=root).stdout == "forgot 0 answers\n"
    assert snapdrift("cache", "clear", "--older-than", "soon", cwd=root).returncode == 2
    cleared = snapdrift("cache", "clear", "--model", "gpt-4o-2024-08-06", cwd=root).stdout
    assert cleared == f"forgot {CASES} answers\n"

    told = snapdrift("cache", "explain", "evals/capitals.yaml", "--case", "c3", "--standin", cwd=root).stdout
    assert "august, case c3, repeat 0: would be asked: august/c3/0 of run " in told
    assert "has this very request, but it was cleared from the cache" in told
    edit(root, "Be terse.", "Be quite terse.")
    snapdrift(*RUN, cwd=root)
    assert asked(root)["august"] == CASES
