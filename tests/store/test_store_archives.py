"""Archive files: the same bytes for the same content, whole or not at all, and no harm in anybody else's."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from snapdrift.errors import StoreError
from snapdrift.model import CallKey, Endpoint, Outcome, Reason, Response, Score, Source, Step, ToolCall, Usage, Variant
from snapdrift.store import archives
from snapdrift.store.archive_records import Archive, ArchivedAnswer, ArchivedCase, ArchivedGrader, ArchiveHeader
from snapdrift.store.archives import finished, read_archive, write_archive

VARIANT = Variant("august", "gpt-4o-2024-08-06", Endpoint.RESPONSES, {"temperature": 0}, {"input": "{{ q }}"})
HEADER = ArchiveHeader(
    suite="capitals",
    variant=VARIANT,
    prompt_hash="p",
    run="20261122-140305-8f3a",
    gate="default",
    started_at="2026-11-22T14:03:05+00:00",
    finished_at="2026-11-22T14:04:05+00:00",
    first_at="2026-11-22T14:03:06+00:00",
    last_at="2026-11-22T14:04:00+00:00",
    models={"gpt-4o-2024-08-06": 1},
    sources={"openai": 1},
    repeats=2,
    cases=1,
    planned=2,
    measured=1,
    graders=(ArchivedGrader("right", "exact/1:abc", ("right",)),),
    suite_hash="s",
    dataset_hash="d",
    why="before the shutdown",
)
STEP = Step(0, text="Let me see.", tool_calls=(ToolCall("c1", "look", "{}"),), usd=0.001, latency_ms=5.0)
ANSWER = Response(
    CallKey("c1", "august", 0),
    Outcome.OK,
    VARIANT.model,
    text="Half a pair: \ud83d, and <b>markup</b>",
    returned_model=VARIANT.model,
    usage=Usage(10, 0, 5),
    usd=0.002,
    latency_ms=812.5,
    source=Source.OPENAI,
    finished_at="2026-11-22T14:03:06+00:00",
    steps=(STEP,),
)
SCORE = Score("c1", "august", 0, "right", 1.0, True, Reason.PASSED, version="exact/1:abc")
MISSING = Response(CallKey("c1", "august", 1), Outcome.MISSING, VARIANT.model)


def archive(header: ArchiveHeader = HEADER) -> Archive:
    answers = (ArchivedAnswer(ANSWER, (SCORE,)), ArchivedAnswer(MISSING))
    return finished(header, (ArchivedCase("c1", "0" * 64, answers),))


def rewritten(path: Path, change: Any, into: Path) -> Path:
    """The archive with its JSON changed, and a checksum that is right all the same."""
    lines = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()[:-1]]
    change(lines)
    content = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    end = json.dumps({"sha256": hashlib.sha256(content).hexdigest()}).encode()
    into.write_bytes(gzip.compress(content + end + b"\n"))
    return into


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "a.jsonl.gz"
    write_archive(archive(), path)
    return path


def test_an_archive_is_read_as_it_was_written_and_written_the_same_again(written: Path, tmp_path: Path) -> None:
    read = read_archive(written)
    assert read == archive()
    write_archive(read, tmp_path / "b.jsonl.gz")
    assert (tmp_path / "b.jsonl.gz").read_bytes() == written.read_bytes()
    assert write_archive(read, written) == written.stat().st_size  # the very same is no other file


def test_another_archive_under_the_same_name_is_refused_and_the_first_one_stays(written: Path) -> None:
    before = written.read_bytes()
    with pytest.raises(StoreError, match="there is another file already"):
        write_archive(archive(replace(HEADER, why="another reason")), written)
    assert written.read_bytes() == before


@pytest.mark.parametrize("share", [0.2, 0.5, 0.97])
def test_an_archive_that_was_cut_or_changed_is_told_to_be_damaged(written: Path, tmp_path: Path, share: float) -> None:
    packed = written.read_bytes()
    (tmp_path / "cut.jsonl.gz").write_bytes(packed[: int(len(packed) * share)])
    with pytest.raises(StoreError, match="damaged"):
        read_archive(tmp_path / "cut.jsonl.gz")
    content = gzip.decompress(packed).replace(b"before the shutdown", b"before the shutdowm")
    (tmp_path / "changed.jsonl.gz").write_bytes(gzip.compress(content))
    with pytest.raises(StoreError, match="its checksum is not that of its content"):
        read_archive(tmp_path / "changed.jsonl.gz")


def test_a_bomb_ends_at_the_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_LINE", 10_000)
    (tmp_path / "bomb.jsonl.gz").write_bytes(gzip.compress(b"0" * 1_000_000))
    with pytest.raises(StoreError, match="unpacks to more than an archive may hold"):
        read_archive(tmp_path / "bomb.jsonl.gz")


def first(lines: list[Any]) -> Any:
    return lines[1]["answers"][0]


HOSTILE = {
    "a newer format": lambda x: x[0].update(format="snapdrift.archive/2"),
    "another kind of file": lambda x: x[0].update(format="something/1"),
    "a variant of archives": lambda x: x[0]["variant"].update(endpoint="archive"),
    "a name with control characters": lambda x: x[0]["variant"].update(name="a\x1b[2J"),
    "a model that adds a line to a log": lambda x: x[0]["variant"].update(model="gpt\n::error file=x,line=1::no"),
    "a run on two lines": lambda x: x[0].update(run="r\n::error::no"),
    "a grader on two lines": lambda x: x[0]["graders"][0].update(version="v\r::error::no"),
    "a model that answered on two lines": lambda x: x[0].update(models={"a\n::error::no": 1}),
    "a reason without end": lambda x: x[0].update(forced=["a" * 10_000]),
    "more models than anybody asks": lambda x: x[0].update(models={f"m{n}": 1 for n in range(2_000)}),
    "a time that is none": lambda x: x[0].update(first_at="yesterday\n::error::no"),
    "an id on two lines": lambda x: x[1].update(id="c1\n::error::no"),
    "too many repeats": lambda x: x[0].update(repeats=10**9),
    "more measured than planned": lambda x: x[0].update(measured=3),
    "a case twice": lambda x: (x.append(x[1]), x[0].update(cases=2)),
    "fewer cases than it says": lambda x: x[0].update(cases=7),
    "a case without a hash": lambda x: x[1].update(hash="../../etc"),
    "an answer twice": lambda x: x[1]["answers"].append(first(x)),
    "a repeat that is none": lambda x: first(x).update(repeat=-1),
    "an infinite price": lambda x: first(x).update(usd=float("inf")),
    "a negative time": lambda x: first(x).update(latency_ms=-1),
    "an unknown outcome": lambda x: first(x).update(outcome="great"),
    "text that is a list": lambda x: first(x).update(text=["a"]),
    "a score over 1": lambda x: first(x)["scores"][0].update(value=7),
    "a score of nobody": lambda x: first(x)["scores"][0].update(metric="other"),
    "an error with a value": lambda x: first(x)["scores"][0].update(reason="grader_error"),
    "a line that is no object": lambda x: x.append([1]),
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_what_no_archive_says_is_one_clear_error(written: Path, tmp_path: Path, change: Any) -> None:
    with pytest.raises(StoreError, match=r"^named\.gz"):
        read_archive(rewritten(written, change, tmp_path / "h.jsonl.gz"), "named.gz")


def test_keys_that_a_later_version_may_add_are_passed_over(written: Path, tmp_path: Path) -> None:
    def add(lines: list[Any]) -> None:
        for entry in (lines[0], lines[1], first(lines), first(lines)["scores"][0]):
            entry["added_later"] = {"x": 1}

    assert read_archive(rewritten(written, add, tmp_path / "later.jsonl.gz")).cases == archive().cases
