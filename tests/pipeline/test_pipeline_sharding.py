"""Shards and their merging: together they are the run that one process makes, and nothing else is taken for it."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.pipeline import conftest

from snapdrift import pipeline
from snapdrift.errors import StoreError, UsageError
from snapdrift.exit_codes import ExitCode
from snapdrift.openai_api import catalog
from snapdrift.pipeline import again, running
from snapdrift.pipeline.exporting import write_export
from snapdrift.pipeline.prepare import prepare
from snapdrift.pipeline.sharding import WHOLE_CASES
from snapdrift.store import RunState, RunWriter, open_run

ROOT = Path(__file__).parents[2]
NOVEMBER = "gpt-4o-2024-11-20"
SUITE = Path("evals/capitals.yaml")


def options(root: Path, name: str = "state", **more: Any) -> pipeline.RunOptions:
    recordings = root / "datasets" / "recordings.jsonl"
    target = pipeline.TargetOptions(standin=True, recordings=(recordings,) if recordings.is_file() else ())
    output = pipeline.Output(out_dir=root / "out" / name, state_dir=root / name)
    return pipeline.RunOptions(target=target, output=output, **more)


def run(root: Path, suite: Path = SUITE, **more: Any) -> pipeline.RunOutcome:
    (outcome,) = pipeline.run_suites([root / suite], options(root, **more))
    return outcome


def shards_of(root: Path, count: int = 2, suite: Path = SUITE, **more: Any) -> list[pipeline.RunOutcome]:
    return [
        run(root, suite, name=f"shard-{index}", shard=pipeline.Shard(index, count), **more)
        for index in range(1, count + 1)
    ]


def merge(root: Path, paths: list[Path], name: str = "merged") -> pipeline.RunOutcome:
    (outcome,) = pipeline.merge_runs(list(map(str, paths)), options(root, name), root)
    return outcome


def records(path: Path) -> dict[str, Any]:
    """What a run file holds, without what is of its own time: ids, times, ports."""
    with open_run(path) as stored:
        keys = stored.calls()
        own: dict[str, Any] = dict.fromkeys(("latency_ms", "finished_at", "request_id"))
        own |= {"attempts": (), "request_hash": ""}
        responses = {response.call: response for response in stored.responses()}
        steps = [(number, step.call, step.text, step.tool_calls) for number, step in stored.stored_steps()]
        found: dict[str, Any] = {
            "cases": stored.cases(),
            "calls": keys,
            "bodies": {key: dict(request.body) for key in keys if (request := stored.request(key)) is not None},
            "responses": {key: replace(one, raw="", steps=(), **own) for key, one in responses.items()},
            "steps": sorted(steps, key=lambda step: (step[1], step[0])),
            "followed": {key: [step.results for step in one.steps] for key, one in responses.items()},
            "scores": sorted(stored.scores(), key=lambda score: (score.case_id, score.variant, score.metric)),
            "batched": sorted(str(key) for key, _ in stored.batch_calls()),
            "spent": stored.spent_usd(lambda _: 0.0),
        }
    found["spent"] = round(found["spent"], 9)
    return found


def verdict(outcome: pipeline.RunOutcome) -> dict[str, Any]:
    document = json.loads(outcome.reports.verdict.read_text(encoding="utf-8"))
    return {name: document[name] for name in ("metrics", "comparisons", "decision", "gate")}


# ------------------------------------------------------------------------------------------------------ the whole of it


def test_merged_shards_are_the_run_that_one_process_makes(workspace):
    root = workspace(wrong={NOVEMBER: 12})
    whole = run(root)
    shards = shards_of(root, 3)
    merged = merge(root, [shard.run_path for shard in shards])

    assert verdict(merged) == verdict(whole)
    assert records(merged.run_path) == records(whole.run_path)
    assert (merged.exit_code, merged.shard) == (ExitCode.REGRESSION, None)
    with open_run(merged.run_path) as one, open_run(whole.run_path) as other:
        assert one.header.identity == other.header.identity
        assert (one.header.partial, one.state) == (False, RunState.FINISHED)


@pytest.mark.parametrize("suite", ["returns-desk", "parcel-desk"])
def test_steps_judges_images_and_batches_are_merged_too(suite, tmp_path):
    for folder in ("evals", "datasets", "graders"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / "snapdrift.toml", tmp_path)
    path = Path("evals") / f"{suite}.yaml"
    (one,) = pipeline.check_suites([tmp_path / path], pipeline.RunOptions())
    selection = pipeline.Selection(cases=tuple(case.id for case in one.cases[:8]))

    whole = run(tmp_path, path, selection=selection)
    merged = merge(tmp_path, [shard.run_path for shard in shards_of(tmp_path, 2, path, selection=selection)])

    made, expected = records(merged.run_path), records(whole.run_path)
    assert made["steps"] or made["batched"]
    assert {name: made[name] == expected[name] for name in made} == dict.fromkeys(made, True)
    assert merged.exit_code is ExitCode.NOT_GATED  # --case made the whole a partial run, and so it stays


def test_a_shard_that_brought_its_part_ends_with_0_and_says_that_nothing_was_gated(workspace, snapdrift):
    root = workspace(wrong={NOVEMBER: 60})
    done = snapdrift("run", SUITE, "--recordings", "datasets/recordings.jsonl", "--shard", "2/2", cwd=root)

    assert done.returncode == 0, done.stderr
    assert "not gated" in done.stdout
    assert "shard 2 of 2: 60 of 60 calls measured; not gated by itself: `snapdrift merge`" in done.stdout


def test_a_shard_that_ends_early_ends_with_3_and_so_does_the_whole(workspace):
    root = workspace()
    full, short = (
        run(root, name="a", shard=pipeline.Shard(1, 2)),
        run(root, name="b", shard=pipeline.Shard(2, 2), limits=pipeline.Limits(max_usd=0.0001)),
    )
    merged = merge(root, [short.run_path, full.run_path])

    assert (full.exit_code, short.exit_code) == (ExitCode.PASSED, ExitCode.INCOMPLETE)
    assert merged.exit_code is ExitCode.INCOMPLETE
    assert "Shard 2 of 2: --max-usd 0.0001 is used up" in " ".join(merged.evaluation.decision.reasons)


def test_a_shard_that_is_run_again_is_taken_up_and_the_whole_counts_the_attempt(workspace):
    root = workspace()
    first, second = shards_of(root)
    again = run(root, name="shard-2", shard=pipeline.Shard(2, 2))

    assert (again.run_id, again.attempt) == (second.run_id, 2)
    assert merge(root, [first.run_path, again.run_path]).attempt == 2


def test_shards_of_two_days_are_shards_of_one_run(workspace, monkeypatch):
    root = workspace(cases=40)
    load = catalog.load_catalog
    monkeypatch.setattr(catalog, "load_catalog", partial(load, today=date(2026, 11, 27)))
    first = run(root, name="shard-1", shard=pipeline.Shard(1, 2))
    monkeypatch.setattr(catalog, "load_catalog", partial(load, today=date(2026, 11, 28)))
    second = run(root, name="shard-2", shard=pipeline.Shard(2, 2))

    with open_run(first.run_path) as one, open_run(second.run_path) as other:
        said = one.suite["warnings"]
        assert said != other.suite["warnings"]  # `in 48 days`, `in 47 days`
    with open_run(merge(root, [second.run_path, first.run_path]).run_path) as whole:
        assert whole.suite["warnings"] == said


def test_a_shard_that_is_graded_again_as_it_was_is_still_a_shard_of_the_run(parts):
    root, (first, second) = parts
    with open_run(second) as stored:
        said = stored.suite["warnings"]
    pipeline.regrade_run(str(second), options(root, "again"), root)

    with open_run(second) as stored:
        assert stored.suite["warnings"] == said
    assert merge(root, [first, second]).shard is None


@pytest.mark.parametrize(
    ("name", "version", "alike"),
    [
        ("python", f"3.{sys.version_info.minor}.99", True),
        ("python", "3.99.0", False),
        ("scipy", "1.0", True),
        ("numpy", "1.0", True),
        ("bpe-openai", "0.0.1", False),
        ("rapidfuzz", "1.0", False),
        ("openai", "1.0", False),
        ("jinja2", "1.0", False),
    ],
)
def test_shards_may_differ_in_what_answers_and_scores_do_not_depend_on(name, version, alike, parts):
    root, (first, second) = parts
    with RunWriter.open(second) as writer, open_run(second) as stored:
        writer.replace_header(replace(stored.header, versions={**stored.header.versions, name: version}))
    if alike:
        merge(root, [first, second])
    else:
        with pytest.raises(StoreError, match=rf"the versions of programs is not that of .* \({name}\)"):
            merge(root, [first, second])


def test_shards_share_the_budget_of_the_suite(workspace, standin):
    root = workspace(more="budget: {usd: 0.01}\n")
    (prepared,) = pipeline.check_suites([root / SUITE], pipeline.RunOptions())
    part = pipeline.sharding.part_of(prepared, pipeline.Shard(1, 4))

    assert part.suite.budget_for("default") == pytest.approx(0.0025)
    assert (len(part.cases), part.suite.hash) == (15, prepared.suite.hash)


def test_a_shard_may_spend_as_much_of_the_budget_as_it_has_of_the_cases(workspace):
    root = workspace(more="budget: {usd: 0.01}\n")
    rows = [{"id": f"c{n}", "country": "x", "expected": "y"} | ({"cluster": "a"} if n < 36 else {}) for n in range(60)]
    conftest.write_rows(root / "datasets" / "capitals.jsonl", rows)
    prepared = prepare(root / SUITE, pipeline.RunOptions())
    parts = [pipeline.sharding.part_of(prepared, pipeline.Shard(number, 4)) for number in (1, 2, 3, 4)]

    budgets = sorted(part.suite.budget_for("default") or 0 for part in parts)
    assert budgets == pytest.approx([0.01 * 8 / 60] * 3 + [0.01 * 36 / 60])
    assert sum(map(Fraction, budgets)) <= Fraction(0.01)


def test_a_shard_that_is_gone_on_with_may_spend_what_it_could_when_it_was_begun(parts, monkeypatch):
    root, paths = parts
    told: list[Any] = []
    monkeypatch.setattr(running, "require_budget", lambda spenders, *_: told.extend(spenders))
    for path in paths:
        with RunWriter.open(path) as writer:
            writer.set_state(RunState.INTERRUPTED)
        pipeline.resume_run(str(path), options(root, path.parents[1].name), root)

    shares = [spender.suite.budget_for("default") for spender in told]
    with open_run(paths[0]) as one, open_run(paths[1]) as other:
        assert shares == pytest.approx([0.01 * len(one.cases()) / 17, 0.01 * len(other.cases()) / 17])


def test_grading_a_shard_again_may_spend_its_part_of_the_budget(parts, monkeypatch):
    root, (_, second) = parts
    told: list[Any] = []
    monkeypatch.setattr(again, "require_budget", lambda spenders, *_: told.extend(spenders))

    pipeline.regrade_run(str(second), options(root, "again"), root)

    with open_run(second) as stored:
        share = 0.01 * len(stored.cases()) / 17
        assert [spender.suite.budget_for("default") for spender in told] == pytest.approx([share])
        assert (stored.suite["budget_usd"], stored.suite["gates"]["default"]["budget_usd"]) == (0.01, None)


# --------------------------------------------------------------------------------------------------- what is no whole


@pytest.fixture(scope="module")
def two_shards(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    """A small workspace and the two shards of its run, made once."""
    root = tmp_path_factory.mktemp("shards") / "workspace"
    for folder in ("evals", "datasets"):
        (root / folder).mkdir(parents=True)
    (root / "snapdrift.toml").write_text("")
    (root / SUITE).write_text(conftest.SUITE.format(max_blind=0.9, more="budget: {usd: 0.01}\n"))
    rows = [{"id": f"c{n}", "country": f"Land {n}", "expected": f"Town {n}"} for n in range(17)]
    for row in rows[:5]:
        row["cluster"] = "large"
    conftest.write_rows(root / "datasets" / "capitals.jsonl", rows)
    return root, [shard.run_path for shard in shards_of(root)]


@pytest.fixture
def parts(two_shards: tuple[Path, list[Path]], tmp_path: Path) -> tuple[Path, list[Path]]:
    """Copies of both, to be changed."""
    root, paths = two_shards
    shutil.copytree(root, tmp_path / "copy")
    return tmp_path / "copy", [tmp_path / "copy" / path.relative_to(root) for path in paths]


def test_a_shard_that_is_missing_is_named_and_so_is_how_to_get_it(parts):
    root, (_, second) = parts
    with pytest.raises(UsageError, match=r"found 1 of 2 shards; missing: 1. Run them with `.* --shard 1/2`"):
        merge(root, [second])


def test_a_shard_that_is_there_twice_is_refused(parts, tmp_path):
    root, (first, second) = parts
    copy = shutil.copy(second, tmp_path / "copy.db")
    with pytest.raises(UsageError, match=r"shard 2 of 2 twice, .*\.db and .*copy\.db"):
        merge(root, [first, second, copy])


def test_a_run_of_its_own_is_no_shard(parts):
    root, (first, second) = parts
    with RunWriter.open(second) as writer, open_run(second) as stored:
        writer.replace_header(replace(stored.header, shard=None))
    with pytest.raises(StoreError, match="a run of its own, no shard"):
        merge(root, [first, second])


def test_a_shard_of_another_suite_is_not_mixed_in(parts):
    root, (first, _) = parts
    path = root / SUITE
    path.write_text(path.read_text().replace("margin: 0.05", "margin: 0.06"))
    other = run(root, name="shard-3", shard=pipeline.Shard(2, 2))
    with pytest.raises(StoreError, match="the run that they are shards of is not that of"):
        merge(root, [first, other.run_path])


def test_a_shard_that_was_interrupted_is_to_be_gone_on_with(parts):
    root, (first, second) = parts
    with RunWriter.open(second) as writer:
        writer.set_state(RunState.INTERRUPTED)
    with pytest.raises(StoreError, match=r"shard 2 of 2 is not finished; go on with it .*`snapdrift resume"):
        merge(root, [first, second])


def test_of_a_folder_that_no_commit_is_known_of_the_newest_run_is_taken(parts):
    root, _ = parts
    path = root / SUITE
    path.write_text(path.read_text().replace("margin: 0.05", "margin: 0.06"))
    newest = [run(root, shard=pipeline.Shard(number, 2)).run_id for number in (1, 2)]
    told: list[str] = []
    (merged,) = pipeline.merge_runs([str(root)], replace(options(root, "merged"), notice=told.append), root)

    with open_run(merged.run_path) as stored:
        assert (stored.meta("merged") or "").split() == newest
    own = "left out, no run files of this version of snapdrift"  # cache.db, the index of answers
    assert [text.partition(":")[0] for text in told] == [own, "left out, of an older run"]


def test_an_export_of_a_shard_is_said_to_be_one(parts, tmp_path):
    root, (first, second) = parts
    write_export(second, tmp_path / "export.db", ("answer",))
    with pytest.raises(StoreError, match=r"export\.db: an export from which .* was taken out; .* not .* merged"):
        merge(root, [first, tmp_path / "export.db"])


def test_what_shards_say_of_money_is_said_of_the_whole(parts):
    root, paths = parts
    for path, usd in zip(paths, (0.25, 0.5), strict=True):
        with RunWriter.open(path) as writer:
            writer.set_meta("unseen_usd", repr(usd))
            writer.set_meta("surprise_notes", json.dumps([f"billed {usd}"]))
    with open_run(merge(root, paths).run_path) as stored:
        assert (stored.meta("unseen_usd"), stored.meta("in_flight_usd")) == ("0.75", None)
        assert json.loads(stored.meta("surprise_notes") or "") == ["billed 0.25", "billed 0.5"]

    with RunWriter.open(paths[0]) as writer:
        writer.set_meta("unseen_usd", "-1.0")
    with pytest.raises(StoreError, match="dollars as unseen_usd"):
        merge(root, paths)


def test_a_template_of_reports_is_refused_where_no_code_may_run_and_nothing_is_merged(parts, snapdrift):
    root, paths = parts
    (root / "reports" / "templates").mkdir(parents=True)
    (root / "reports" / "templates" / "own.html").write_text("{{ view.run.run_id }}")

    done = snapdrift("merge", *paths, "--no-code", cwd=root)

    assert (done.returncode, "reports/templates/own.html: a template of reports" in done.stderr) == (2, True)
    assert not (root / ".snapdrift").exists()


@pytest.mark.parametrize("name", ["../elsewhere", "/etc", ".."])
def test_a_suite_name_that_leads_elsewhere_makes_no_run(name, parts):
    root, paths = parts
    for path in paths:
        with RunWriter.open(path) as writer, open_run(path) as stored:
            writer.replace_header(
                replace(stored.header, suite=name, suite_stored={**stored.header.suite_stored, "name": name})
            )
    with pytest.raises(StoreError, match=f"damaged, found the suite {name!r}"):
        merge(root, paths)


def tampered() -> Iterator[tuple[str, str, tuple[Any, ...]]]:
    yield "a case left out", "DELETE FROM cases WHERE id IN (SELECT id FROM cases LIMIT 1)", ()
    yield "a call left out", "DELETE FROM calls WHERE id NOT IN (SELECT call FROM responses LIMIT 3)", ()
    yield "a call added", "INSERT INTO calls VALUES (NULL, 999, 'c0', 'x', 0, '')", ()
    yield "a place twice", "UPDATE calls SET position = 0", ()
    yield "another whole", "UPDATE meta SET value = ? WHERE key = ?", ('["c0"]', WHOLE_CASES)
    yield "a response that is none", "UPDATE responses SET record = ?", ("[]",)
    yield "a score of another case", "UPDATE scores SET case_id = case_id || 'x'", ()


@pytest.mark.parametrize(("statement", "values"), [one[1:] for one in tampered()], ids=[one[0] for one in tampered()])
def test_a_file_that_was_tampered_with_makes_no_run(statement, values, parts):
    root, (first, second) = parts
    with closing(sqlite3.connect(second, isolation_level=None)) as connection:
        connection.execute(statement, values)
    before = second.read_bytes()

    with pytest.raises(StoreError, match=re.escape(str(root))):
        merge(root, [first, second])

    assert second.read_bytes() == before
    assert list((root / "merged").rglob("*.*")) == []


@pytest.mark.parametrize("more", ["    inconclusive: extend\nsample: {n: 30}\n", "early_stop: true\n"])
def test_what_is_looked_at_while_it_grows_is_not_cut_into_shards(more, workspace):
    root = workspace(more=more)
    with pytest.raises(UsageError, match="--shard: found a gate that is looked at while it is asked"):
        run(root, shard=pipeline.Shard(1, 2))


def test_more_shards_than_clusters_are_refused(workspace):
    root = workspace(cases=40)
    with pytest.raises(UsageError, match="--shard 1/41: 40 clusters of cases make no 41 shards"):
        run(root, shard=pipeline.Shard(1, 41))


@pytest.mark.parametrize("text", ["3/2", "0/2", "1", "1/0", "a/b", "-1/2"])
def test_a_shard_that_is_none_is_a_usage_error(text, workspace, snapdrift):
    done = snapdrift("run", SUITE, "--standin", "--shard", text, cwd=workspace())
    assert (done.returncode, done.stderr.count("expected I/N")) == (2, 1)
