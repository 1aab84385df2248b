"""`merge FOLDER`: the shards of this commit, whatever else lies there; and shards that had nothing to ask."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Snapdrift
from tests.repositories import SUITE, GitWorkspace

from snapdrift.store import RunState, RunWriter, open_run

CAPITALS = "evals/capitals.yaml"
NOTE = "*.unasked"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, snapdrift: Snapdrift) -> GitWorkspace:
    """A repository with two commits, of each of which `runs/` has both shards and a merged run."""
    suite = SUITE.replace("baseline: {ref: main}", "baseline: {variant: august}").replace("blind: 0.3", "blind: 0.99")
    suite = suite.replace("variants:\n", "variants:\n  august: {model: gpt-4o-2024-08-06}\n")
    git = GitWorkspace(tmp_path_factory.mktemp("made") / "repository", cases=12, suite=suite)
    for text in ("first", "second"):
        git.write("notes.md", text)
        git.commit(text)
        for number in (1, 2):
            done = snapdrift("run", CAPITALS, "--standin", "--shard", f"{number}/2", "--quiet", cwd=git.root)
            assert done.returncode == 0, done.stderr
        if text == "first":
            done = snapdrift("merge", ".snapdrift/runs", cwd=git.root)
            assert done.returncode == 0, done.stderr
    return git


@pytest.fixture
def root(made: GitWorkspace, tmp_path: Path) -> Path:
    """A copy, to be changed."""
    copy = tmp_path / "copy"
    shutil.copytree(made.top, copy, symlinks=True)
    return copy / made.root.relative_to(made.top)


def shards(root: Path, folder: str = ".snapdrift/runs") -> dict[int, Path]:
    """The shards of the second commit."""
    found: dict[int, tuple[str, Path]] = {}
    for path in (root / folder).glob("*.db"):
        with open_run(path) as stored:
            if stored.header.shard is not None:
                entry = (stored.header.run_id, path)
                found[stored.header.shard.index] = max(entry, found.get(stored.header.shard.index, entry))
    return {index: path for index, (_, path) in found.items()}


def merged_of(root: Path, done: Any) -> set[str]:
    """The ids of the shards that the run was made of."""
    run = json.loads(done.stdout)["run"]["id"]
    with open_run(root / ".snapdrift" / "runs" / f"{run}.db") as stored:
        return set((stored.meta("merged") or "").split())


def test_of_a_kept_folder_the_shards_of_this_commit_are_merged_and_the_rest_is_told(root, snapdrift):
    done = snapdrift("merge", ".snapdrift/runs", "--json", cwd=root)

    assert done.returncode == 0, done.stderr
    assert merged_of(root, done) == {path.stem for path in shards(root).values()}
    assert done.stderr.count("left out, of another commit: .snapdrift/runs/") == 1
    assert done.stderr.count("left out, runs of their own, no shards: .snapdrift/runs/") == 1


def test_files_that_are_named_are_still_all_to_be_of_one_run(root, snapdrift):
    done = snapdrift("merge", *sorted((root / ".snapdrift" / "runs").glob("*.db")), cwd=root)

    assert (done.returncode, "a run of its own, no shard" in done.stderr) == (2, True)


def test_artifacts_in_folders_of_their_own_may_hold_older_copies_of_each_others_shards(root, snapdrift):
    runs, own = root / ".snapdrift" / "runs", shards(root)
    for number in (1, 2):
        shutil.copytree(runs, root / "shards" / f"shard-{number}")
    with RunWriter.open(root / "shards" / "shard-2" / own[1].name) as writer:  # as it was pulled while 1 was at work
        writer.set_state(RunState.INTERRUPTED)

    done = snapdrift("merge", "shards", "--json", cwd=root)

    assert done.returncode == 0, done.stderr
    assert merged_of(root, done) == {path.stem for path in own.values()}
    assert "left out, of a shard that is there anew: shards/shard-" in done.stderr


def test_the_shards_of_an_older_commit_never_stand_in_for_one_that_is_missing(root, snapdrift):
    shards(root)[2].unlink()
    done = snapdrift("merge", ".snapdrift/runs", cwd=root)
    assert (done.returncode, "found 1 of 2 shards; missing: 2" in done.stderr) == (2, True)

    shards(root)[1].unlink()
    done = snapdrift("merge", ".snapdrift/runs", cwd=root)
    assert done.returncode == 2
    assert "expected some of" in done.stderr
    assert "the commit of this workspace" in done.stderr


def test_of_several_runs_of_a_suite_at_this_commit_the_newest_is_taken_whole(root, snapdrift):
    for number in (1, 2):
        arguments = ("--standin", "--shard", f"{number}/2", "--repeats", "2", "--quiet")
        assert snapdrift("run", CAPITALS, *arguments, cwd=root).returncode == 0
    newest = {path.stem for path in shards(root).values()}

    done = snapdrift("merge", ".snapdrift/runs", "--json", cwd=root)

    assert merged_of(root, done) == newest
    assert "left out, of an older run: " in done.stderr


@pytest.mark.parametrize("folder", ["empty", "shards/*.db"])
def test_where_there_is_nothing_the_likely_causes_are_named(folder, root, snapdrift):
    (root / "empty").mkdir()
    done = snapdrift("merge", folder, cwd=root)

    assert done.returncode == 2
    assert ("include-hidden-files" in done.stderr) == (folder == "empty")
    assert ("leaves the pattern" in done.stderr) == (folder != "empty")


def test_a_damaged_file_in_a_folder_is_not_passed_over_and_one_of_another_format_is(root, snapdrift):
    runs = root / ".snapdrift" / "runs"
    copy = Path(shutil.copy(shards(root)[1], runs / "20200101-000000-0000.db"))
    cut_off = copy.read_bytes()[:30_000]
    with copy.open("r+b") as file:
        file.seek(60)
        file.write((1).to_bytes(4, "big"))  # the format: https://www.sqlite.org/fileformat.html, `user version`
    done = snapdrift("merge", ".snapdrift/runs", cwd=root)
    assert done.returncode == 0, done.stderr
    assert f"left out, no run files of this version of snapdrift: .snapdrift/runs/{copy.name}" in done.stderr

    for damage in (b"no database" * 100, b"", cut_off):
        copy.write_bytes(damage)
        done = snapdrift("merge", ".snapdrift/runs", cwd=root)
        assert (done.returncode, copy.name in done.stderr) == (2, True)


# -------------------------------------------------------------------------------------------- nothing had to be asked


def unaffected(root: Path, snapdrift: Snapdrift, *numbers: int) -> None:
    for number in numbers:
        command = ("run", CAPITALS, "--standin", "--shard", f"{number}/2", "--changed", "HEAD")
        done = snapdrift(*command, cwd=root)
        assert (done.returncode, done.stdout[:7]) == (0, "1 suite"), done.stderr


def test_where_no_shard_had_anything_to_ask_merging_says_so_and_ends_with_0(root, snapdrift, tmp_path):
    unaffected(root, snapdrift, 1, 2)
    notes = sorted((root / ".snapdrift" / "runs").glob(NOTE))
    for note in notes:  # as on a runner that keeps nothing
        (tmp_path / "shards").mkdir(exist_ok=True)
        shutil.copy(note, tmp_path / "shards")
    done = snapdrift("merge", tmp_path / "shards", "--summary", tmp_path / "summary.md", cwd=root)

    assert (len(notes), done.returncode) == (2, 0), done.stderr
    assert done.stdout.startswith("1 suite not affected by what changed since the merge base with HEAD")
    assert "no suite was run" in (tmp_path / "summary.md").read_text()


def test_a_suite_that_was_left_out_is_told_beside_the_one_that_is_merged(root, snapdrift):
    text = (root / CAPITALS).read_text()
    (root / "evals" / "towns.yaml").write_text(text.replace("suite: capitals", "suite: towns"))
    for number in (1, 2):
        suites = (CAPITALS, "evals/towns.yaml")
        done = snapdrift("run", *suites, "--standin", "--shard", f"{number}/2", "--changed", "HEAD", cwd=root)
        assert done.returncode == 0, done.stderr
    done = snapdrift("merge", ".snapdrift/runs", "--verdict", "verdict.json", cwd=root)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 suite not affected by what changed")
    assert json.loads((root / "verdict.json").read_text())["run"]["suite"] == "towns"


def test_beside_runs_of_before_the_last_word_of_every_shard_counts(root, snapdrift):
    unaffected(root, snapdrift, 1, 2)
    done = snapdrift("merge", ".snapdrift/runs", cwd=root)
    assert (done.returncode, done.stdout[:20]) == (0, "1 suite not affected"), done.stderr

    for number in (1, 2):
        snapdrift("run", CAPITALS, "--standin", "--shard", f"{number}/2", "--quiet", cwd=root)
    for note in (root / ".snapdrift" / "runs").glob(NOTE):
        note.write_text(json.dumps(json.loads(note.read_text()) | {"made_at": "2020-01-01T00:00:00+00:00"}))
    done = snapdrift("merge", ".snapdrift/runs", cwd=root)
    assert (done.returncode, "report: " in done.stdout) == (0, True), done.stderr


def test_a_shard_that_had_nothing_to_ask_beside_one_that_was_run_is_a_contradiction(root, snapdrift):
    unaffected(root, snapdrift, 1)
    done = snapdrift("merge", ".snapdrift/runs", cwd=root)

    assert done.returncode == 2
    assert "capitals: shard 1 of 2 had nothing to ask (" in done.stderr
    assert "shard 2 was run (" in done.stderr


def test_a_note_that_cannot_be_written_is_an_error_of_the_shard(root, snapdrift):
    shutil.rmtree(root / ".snapdrift" / "runs")
    (root / ".snapdrift" / "runs").write_text("")
    done = snapdrift("run", CAPITALS, "--standin", "--shard", "1/2", "--changed", "HEAD", cwd=root)

    assert (done.returncode, "that shard 1 of 2 has nothing to ask cannot be noted" in done.stderr) == (2, True)


def test_a_run_that_is_no_shard_leaves_no_note(root, snapdrift):
    assert snapdrift("run", CAPITALS, "--standin", "--changed", "HEAD", cwd=root).returncode == 0
    assert list((root / ".snapdrift" / "runs").glob(NOTE)) == []


def test_all_shards_must_say_that_they_had_nothing_to_ask(root, snapdrift):
    for path in (root / ".snapdrift" / "runs").glob("*.db"):
        path.unlink()
    unaffected(root, snapdrift, 2)
    done = snapdrift("merge", ".snapdrift/runs", cwd=root)

    assert (done.returncode, "1 of 2 shards had nothing to ask; missing: 1" in done.stderr) == (2, True)


def test_notes_of_another_commit_say_nothing(root, snapdrift):
    unaffected(root, snapdrift, 1, 2)
    for path in shards(root).values():
        with RunWriter.open(path) as writer, open_run(path) as stored:
            writer.replace_header(replace(stored.header, git_commit="f" * 40))
    for note in (root / ".snapdrift" / "runs").glob(NOTE):
        note.write_text(json.dumps(json.loads(note.read_text()) | {"commit": "e" * 40}))
    done = snapdrift("merge", ".snapdrift/runs", cwd=root)

    assert (done.returncode, "expected some of" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    "change", [{"exit_code": 1}, {"suite": "../x"}, {"index": 3}, {"text": "a\x1b[2J"}, {"count": "2"}]
)
def test_a_note_that_was_tampered_with_is_damaged(change, root, snapdrift):
    unaffected(root, snapdrift, 1, 2)
    (first, _) = (root / ".snapdrift" / "runs").glob(NOTE)
    first.write_text(json.dumps(json.loads(first.read_text()) | change))
    done = snapdrift("merge", ".snapdrift/runs", cwd=root)

    assert (done.returncode, first.name in done.stderr, "Traceback" in done.stderr) == (2, True, False)
