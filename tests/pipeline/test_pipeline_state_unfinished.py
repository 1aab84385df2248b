"""Which file of a run that was cut off stays, in a place and here; kills are in `tests/faults/test_faults_state.py`."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from snapdrift import pipeline
from snapdrift.model import Endpoint
from snapdrift.pipeline.cut_off import go_on_from_cut_off
from snapdrift.pipeline.spending import may_have_cost_usd
from snapdrift.privacy import Privacy
from snapdrift.store import RunState, codec, open_run
from snapdrift.store.batches import Part, PartState
from snapdrift.store.lock import RunLock
from snapdrift.store.unfinished import held_by, lacking

CASES = 30
MODELS = {"august": "gpt-4o-2024-08-06", "alias": "gpt-4o"}
SUITE = """\
suite: capitals
dataset: datasets/capitals.jsonl
prompt: {input: "{{ country }}?"}
request: {temperature: 0, max_output_tokens: 64}
variants:
  august: {model: gpt-4o-2024-08-06}
  alias: {model: gpt-4o}
graders:
  - {name: capital, exact: "{{ expected }}"}
gate:
  baseline: {variant: august}
  candidates: [alias]
  metrics: {capital: {margin: 0.05}}
  max_blind: 0.4
  discordance: 0.02
"""
RUN = ("run", "evals/capitals.yaml", "--standin", "--recordings", "datasets/recordings.jsonl")
Made = Callable[[Path], Path]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Copies a workspace in which a suite was run to a place."""
    root = tmp_path_factory.mktemp("made") / "workspace"
    for folder in ("evals", "datasets"):
        (root / folder).mkdir(parents=True)
    (root / "snapdrift.toml").write_text("")
    rows = [{"id": f"c{n}", "country": f"Land {n}", "expected": f"Town {n}"} for n in range(CASES)]
    said = [{"model": m, "input": f"Land {n}?", "output": f"Town {n}"} for n in range(CASES) for m in MODELS.values()]
    for name, lines in (("capitals", rows), ("recordings", said)):
        (root / "datasets" / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (root / "evals" / "capitals.yaml").write_text(SUITE)
    target = pipeline.TargetOptions(standin=True, recordings=(root / "datasets" / "recordings.jsonl",))
    pipeline.run_suites([root / "evals" / "capitals.yaml"], pipeline.RunOptions(target=target))
    return lambda to: Path(shutil.copytree(root, to))


def run_of(root: Path) -> Path:
    (path,) = (root / ".snapdrift" / "runs").glob("*.db")
    return path


def cut(path: Path, answered: range, attempt: int = 1) -> Path:
    """Makes a run file what it was when only these of its calls were answered, and a process was killed."""
    with open_run(path) as stored:
        header = replace(stored.header, attempt=attempt)
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("DELETE FROM responses WHERE call NOT BETWEEN ? AND ?", (answered.start, answered.stop - 1))
        file.execute("DELETE FROM scores")
        file.execute("UPDATE meta SET value = 'running' WHERE key = 'state'")
        file.execute("UPDATE meta SET value = ? WHERE key = 'header'", (codec.dumps(header),))
        if attempt == 1:
            file.execute("DELETE FROM meta WHERE key IN ('evaluation', 'finished_at')")
    return path


def failed(path: Path, calls: int) -> Path:
    """Makes a finished run one whose first calls had no answer."""
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE responses SET outcome = 'api_error' WHERE call <= ?", (calls,))
    return path


def answered(path: Path) -> int:
    with open_run(path) as stored:
        return len(stored.answered_keys())


def two(made: Made, tmp_path: Path) -> tuple[Path, Path, str]:
    return made(tmp_path / "here"), made(tmp_path / "there"), str(tmp_path / "shelf")


def test_of_two_files_of_a_run_that_was_cut_off_that_which_holds_more_stays(made: Made, tmp_path: Path) -> None:
    here, there, shelf = two(made, tmp_path)
    name = f"unfinished/{cut(run_of(here), range(1, 21)).name}"
    cut(run_of(there), range(1, 31))
    assert name in pipeline.push_state(here, shelf).put
    assert pipeline.push_state(there, shelf).put == [name]
    assert pipeline.push_state(here, shelf).put == []
    assert pipeline.pull_state(here, shelf).put == [name]
    assert answered(run_of(here)) == 30
    assert pipeline.pull_state(here, shelf).put == []


def test_what_was_cut_off_here_stays_where_a_place_lacks_some_of_it(made: Made, tmp_path: Path) -> None:
    here, there, shelf = two(made, tmp_path)
    run = cut(run_of(here), range(1, 11)).stem
    cut(run_of(there), range(6, 50))
    pipeline.push_state(there, shelf)
    more = "the run was cut off here and has 5 answers or batches that this one lacks"
    said = f"{more}; `snapdrift resume {run}` goes on with it"
    assert pipeline.pull_state(here, shelf).skipped == [f"unfinished/{run}.db: {said}"]

    finished = made(tmp_path / "finished")
    failed(run_of(finished), 5)
    pipeline.push_state(finished, shelf)
    assert [text.partition(": ")[2] for text in pipeline.pull_state(here, shelf).skipped] == [said]
    assert answered(run_of(here)) == 10
    with open_run(run_of(here)) as stored:
        assert stored.state is RunState.RUNNING


def test_a_finished_run_replaces_one_that_was_cut_off_and_has_no_more_and_never_the_reverse(
    made: Made, tmp_path: Path
) -> None:
    here, there, shelf = two(made, tmp_path)
    name = cut(run_of(here), range(1, 11)).name
    pipeline.push_state(here, shelf)
    assert f"runs/{name}" in pipeline.push_state(there, shelf).put
    assert not list((tmp_path / "shelf" / "unfinished").iterdir())
    assert pipeline.push_state(here, shelf).put == []
    assert pipeline.pull_state(here, shelf).put == [f"runs/{name}"]
    assert answered(run_of(here)) == 2 * CASES


def test_what_was_cut_off_of_a_further_attempt_waits_beside_the_finished_run_until_that_is_taken_up(
    made: Made, tmp_path: Path, snapdrift
) -> None:
    here, there, shelf = two(made, tmp_path)
    name = failed(run_of(there), 8).name
    pipeline.push_state(there, shelf)
    cut(run_of(here), range(5, 100), attempt=2)
    assert f"unfinished/{name}" in pipeline.push_state(here, shelf).put
    assert f"unfinished/{name}" in pipeline.pull_state(there, shelf).put
    assert pipeline.pull_state(there, shelf).put == []
    assert answered(run_of(there)) == 2 * CASES - 8
    with open_run(run_of(there)) as stored:
        assert stored.state is RunState.FINISHED  # its history and its pages stay what they are

    told: list[str] = []
    waiting = there / ".snapdrift" / "unfinished" / name
    spoilt = made(tmp_path / "spoilt") / ".snapdrift" / "unfinished" / name
    spoilt.parent.mkdir()
    spoilt.write_bytes(waiting.read_bytes()[:9000])
    go_on_from_cut_off(spoilt.parents[1] / "runs" / name, told.append)
    assert [text.partition(": ")[0] for text in told] == ["what was cut off of a further attempt is not gone on with"]

    log = tmp_path / "asked.jsonl"
    done = snapdrift(*RUN, "--standin-log", str(log), cwd=there)
    assert done.returncode == 0, done.stderr
    assert "which was cut off with 56 of 60 calls answered" in done.stderr
    assert sum(asked(log).values()) == 4
    pipeline.push_state(there, shelf)
    for place in (there / ".snapdrift", tmp_path / "shelf"):
        assert not list((place / "unfinished").iterdir())


def with_a_batch(path: Path, state: PartState) -> None:
    part = Part(1, "5f2c", "https://api.openai.com/v1", "gpt-4o", Endpoint.RESPONSES, 0, state, batch_id="batch_1")
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("INSERT INTO batches VALUES (1, ?, ?)", (state.value, codec.dumps(part)))


def test_batches_that_the_provider_still_has_are_collected_elsewhere_and_are_not_given_up_for_less(
    made: Made, tmp_path: Path
) -> None:
    here, there, shelf = two(made, tmp_path)
    path = cut(run_of(here), range(0))
    with_a_batch(path, PartState.CREATED)
    pipeline.push_state(there, shelf)
    assert f"unfinished/{path.name}" in pipeline.push_state(here, shelf).put
    (said,) = (text for text in pipeline.pull_state(here, shelf).skipped if text.startswith("runs/"))
    assert "the run was cut off here and has 1 answer or batch that this one lacks" in said
    with_a_batch(run_of(there), PartState.ENDED)
    with open_run(run_of(here)) as cut_off, open_run(run_of(there)) as ended:
        assert len(held_by(cut_off)) == 1
        assert not lacking(held_by(cut_off), ended)


def asked(log: Path) -> Counter[str]:
    """How often the stand-in was asked for each variant."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return Counter(line["variant"] for line in lines if line["event"] == "received" and line.get("case"))


def test_answers_of_an_alias_that_were_cut_off_serve_their_own_run_and_no_other(
    made: Made, tmp_path: Path, snapdrift
) -> None:
    here, there, shelf = two(made, tmp_path)
    cut(run_of(here), range(1, 41))
    with open_run(run_of(here)) as stored:
        before = Counter(key.variant for key in stored.answered_keys())
    run_of(there).unlink()
    pipeline.push_state(here, shelf)
    pipeline.pull_state(there, shelf)
    suite = there / "evals" / "capitals.yaml"
    suite.write_text(suite.read_text().replace("margin: 0.05", "margin: 0.06"))  # another suite, so another run
    log = tmp_path / "asked.jsonl"
    done = snapdrift(*RUN, "--standin-log", str(log), cwd=there)
    assert done.returncode == 0, done.stderr
    assert before["alias"] > 0
    assert asked(log) == {"august": CASES - before["august"], "alias": CASES}


def test_runs_that_were_cut_off_count_among_the_newest_that_a_place_keeps(made: Made, tmp_path: Path) -> None:
    here, shelf = made(tmp_path / "here"), tmp_path / "shelf"
    older = run_of(here)
    pipeline.push_state(here, str(shelf))
    newer = older.with_name("20990101-000000-0000.db")
    shutil.copy(older, newer)
    with open_run(newer) as stored:
        header = replace(stored.header, run_id=newer.stem)
    with closing(sqlite3.connect(newer)) as file, file:
        file.execute("UPDATE meta SET value = ? WHERE key = 'header'", (codec.dumps(header),))
    cut(newer, range(1, 11))
    pushed = pipeline.push_state(here, str(shelf), keep=1)
    assert (pushed.put, pushed.removed) == ([f"unfinished/{newer.name}"], [f"runs/{older.name}"])
    assert pipeline.push_state(here, str(shelf), keep=1).put == []


def test_a_run_that_a_process_works_on_does_not_travel_nor_one_that_was_asked_nothing(
    made: Made, tmp_path: Path
) -> None:
    here, there, shelf = two(made, tmp_path)
    lock = RunLock.take(cut(run_of(here), range(1, 11)))
    try:
        (said,) = pipeline.push_state(here, shelf).skipped
    finally:
        lock.release()
    assert "is working on this run; wait for it or end it" in said
    cut(run_of(there), range(0))
    pushed = pipeline.push_state(there, shelf)
    assert ([name for name in pushed.put if name.endswith(".db")], pushed.skipped) == ([], [])

    with closing(sqlite3.connect(run_of(there))) as file, file:
        file.execute("INSERT OR REPLACE INTO meta VALUES ('in_flight_usd', '0.5')")  # it was killed as it began to ask
    assert pipeline.push_state(there, shelf).put == [f"unfinished/{run_of(there).name}"]
    with open_run(tmp_path / "shelf" / "unfinished" / run_of(there).name) as stored:
        assert may_have_cost_usd(stored) == 0.5  # what counts against the budget of who goes on with it


def test_a_run_with_privacy_rules_that_was_cut_off_stays_where_it_is_and_one_that_ended_says_what_it_is_not_for(
    made: Made, tmp_path: Path, snapdrift
) -> None:
    here, there, shelf = two(made, tmp_path)
    for root in (here, there):
        with open_run(run_of(root)) as stored:
            header = stored.header
        suite = {**header.suite_stored, "privacy": Privacy(redact=("country",)).to_stored()}
        hidden = codec.dumps(replace(header, suite_stored=suite))
        with closing(sqlite3.connect(run_of(root))) as file, file:
            file.execute("UPDATE meta SET value = ? WHERE key = 'header'", (hidden,))
    name = f"unfinished/{cut(run_of(here), range(1, 11)).name}"
    pushed = snapdrift("state", "push", "--to", shelf, cwd=here)
    assert f"left out: {name}: it was cut off, and without what its privacy rules take out (country) " in pushed.stderr
    assert not (tmp_path / "shelf" / "unfinished").exists()
    assert name in pipeline.push_state(here, str(tmp_path / "whole"), whole=True).put
    pushed = snapdrift("state", "push", "--to", shelf, cwd=there)
    assert (
        pushed.stderr
        == "1 run goes as an export, without what privacy rules take out, and cannot be taken up (--whole)\n"
    )


def damaged(path: Path) -> None:
    with closing(sqlite3.connect(path)) as file, file:
        file.execute('UPDATE responses SET record = \'{"usd": "much"}\' WHERE call = 7')


def with_a_trigger(path: Path) -> None:
    with closing(sqlite3.connect(path)) as file:
        file.execute("CREATE TRIGGER t AFTER INSERT ON responses BEGIN DELETE FROM responses; END")


def an_export(path: Path) -> None:
    with open_run(path) as stored:
        header = replace(stored.header, redacted=("country",))
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE meta SET value = ? WHERE key = 'header'", (codec.dumps(header),))


def finished(path: Path) -> None:
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE meta SET value = 'finished' WHERE key = 'state'")


def of_another_run(path: Path) -> None:
    path.rename(path.with_name("20990101-000000-0000.db"))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (damaged, ".requested_model: found None, expected"),
        (with_a_trigger, "damaged, its tables are not those of run format"),
        (an_export, "is an export, which cannot be gone on with"),
        (finished, "is of a finished run"),
        (of_another_run, "is of another run"),
    ],
)
def test_a_file_that_is_no_run_that_was_cut_off_is_named_and_left_out(
    made: Made, tmp_path: Path, spoil: Callable[[Path], None], said: str
) -> None:
    here, there, shelf = two(made, tmp_path)
    path = tmp_path / "shelf" / "unfinished" / cut(run_of(here), range(1, 11)).name
    pipeline.push_state(here, shelf)
    run_of(there).unlink()
    spoil(path)
    pulled = pipeline.pull_state(there, shelf)
    assert not list((there / ".snapdrift" / "runs").iterdir())
    (text,) = pulled.skipped
    assert said in text
