"""Recorded outputs, over HTTP and by themselves."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest

from snapdrift.errors import ConfigError
from snapdrift.model import ClientRequestId
from snapdrift.standin.recordings import Miss, Recordings, read_json_lines

Connect = Callable[..., openai.OpenAI]
AUGUST, MAY = "gpt-4o-2024-08-06", "gpt-4o-2024-05-13"
ROWS: list[dict[str, Any]] = [
    {"model": AUGUST, "input": "two?", "output": "2", "repeat": 0},
    {"model": AUGUST, "input": "two?", "output": "two", "repeat": 1},
    {"model": MAY, "input": "two?", "output": "May says 2"},
    {"model": "house-model-7", "input": "two?", "output": "II"},
]
WriteRows = Callable[[Path, list[dict[str, Any]]], Path]


def request_id(repeat: int, run: str = "suite-1", variant: str = "v") -> dict[str, str]:
    return {"X-Client-Request-Id": str(ClientRequestId(run, "case", variant, repeat, 0))}


@pytest.fixture
def base_url(start: Any, tmp_path: Path, rows_file: WriteRows) -> str:
    path = rows_file(tmp_path / "rows.jsonl.gz", ROWS)
    return str(start(profiles=[{"recordings": [path], "variants": {"made-up": "plausible"}}], today="2026-11-22"))


@pytest.fixture
def client(base_url: str, connect: Connect) -> openai.OpenAI:
    return connect(base_url)


def test_a_recorded_answer_is_served_word_for_word_and_labelled(client: openai.OpenAI) -> None:
    raw = client.responses.with_raw_response.create(model=AUGUST, input="two?", extra_headers=request_id(1))
    assert raw.parse().output_text == "two"
    assert raw.headers["x-snapdrift-standin"] == "recorded"


def test_chat_serves_recordings_by_the_last_user_message(client: openai.OpenAI) -> None:
    messages: Any = [
        {"role": "system", "content": "Count."},
        {"role": "user", "content": "one?"},
        {"role": "assistant", "content": "1"},
        {"role": "user", "content": [{"type": "text", "text": "two?"}]},
    ]
    answer = client.chat.completions.create(model=AUGUST, messages=messages, extra_headers=request_id(0))
    assert answer.choices[0].message.content == "2"


def test_an_alias_is_served_from_the_recordings_of_its_snapshot(client: openai.OpenAI) -> None:
    response = client.responses.create(model="gpt-4o", input="two?", extra_headers=request_id(0))
    assert (response.output_text, response.model) == ("2", AUGUST)


def test_recorded_models_are_served_though_shut_down_or_unknown(client: openai.OpenAI) -> None:
    assert client.responses.create(model=MAY, input="two?").output_text == "May says 2"
    assert client.responses.create(model="house-model-7", input="two?").output_text == "II"


def test_without_a_request_id_arrivals_get_the_repeats_in_order_and_start_again(client: openai.OpenAI) -> None:
    texts = [client.responses.create(model=AUGUST, input="two?").output_text for _ in range(3)]
    assert texts == ["2", "two", "2"]


def test_no_match_names_the_model_and_the_start_of_the_input(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match=f"{AUGUST}.*'three, which is a very") as error:
        client.responses.create(model=AUGUST, input="three, which is a very long question" * 9)
    assert error.value.code == "recording_not_found"
    assert len(str(error.value)) < 500


def test_a_repeat_that_is_not_recorded_is_an_error_that_says_which_are(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="repeat 2 was asked, recorded are 0, 1"):
        client.responses.create(model=AUGUST, input="two?", extra_headers=request_id(2))


def test_a_behaviour_named_for_the_variant_answers_where_no_recording_fits(client: openai.OpenAI) -> None:
    raw = client.responses.with_raw_response.create(
        model=AUGUST, input="three?", extra_headers=request_id(0, variant="made-up")
    )
    assert raw.headers["x-snapdrift-standin"] == "simulated"


def test_a_recorded_answer_can_be_streamed(client: openai.OpenAI) -> None:
    with client.responses.create(model=MAY, input="two?", stream=True) as stream:
        assert "".join(e.delta for e in stream if e.type == "response.output_text.delta") == "May says 2"


def test_white_space_around_the_input_does_not_matter(tmp_path: Path, rows_file: WriteRows) -> None:
    recordings = Recordings([rows_file(tmp_path / "r.jsonl", [{**ROWS[0], "input": "\n two? \n"}])])
    assert recordings.find([AUGUST], "two?", 0) == "2"


def test_rows_without_a_repeat_are_numbered_as_they_stand(tmp_path: Path, rows_file: WriteRows) -> None:
    rows = [{"model": AUGUST, "input": "x", "output": text} for text in ("a", "b")]
    recordings = Recordings([rows_file(tmp_path / "r.jsonl", rows)])
    assert [recordings.find([AUGUST], "x", repeat) for repeat in (0, 1)] == ["a", "b"]
    assert isinstance(recordings.find([AUGUST], "x", 2), Miss)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"model": AUGUST, "input": "x"}], r"r\.jsonl:1: expected text for each"),
        ([{**ROWS[0], "repeat": "first"}], r"r\.jsonl:1: found \"repeat\": 'first'"),
        ([ROWS[0], {**ROWS[0], "output": "3"}], r"r\.jsonl:2: a second, different output"),
    ],
)
def test_a_bad_row_is_an_error_with_file_and_line(
    tmp_path: Path, rows_file: WriteRows, rows: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Recordings([rows_file(tmp_path / "r.jsonl", rows)])


@pytest.mark.parametrize(("name", "content"), [("r.jsonl", b"{oops"), ("r.jsonl.gz", b"not gzip"), ("r.jsonl", b"[]")])
def test_a_file_that_is_not_jsonl_is_a_clear_error(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=name):
        Recordings([tmp_path / name])


def test_a_file_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.jsonl: cannot be read"):
        Recordings([tmp_path / "gone.jsonl"])


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (gzip.compress(b"\n" * (2**20 + 1), mtime=0), "found more than 1 MB; expected a smaller file of recordings"),
        (gzip.compress(b"{}\n", mtime=0)[:-9], "not gzip"),
        (gzip.compress(b"[" * 200_000, mtime=0), "not JSONL"),
    ],
)
def test_a_file_that_would_fill_the_memory_or_is_damaged_is_told(
    tmp_path: Path, content: bytes, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("snapdrift.standin.recordings.MAX_BYTES", 2**20)
    (tmp_path / "r.jsonl.gz").write_bytes(content)
    with pytest.raises(ConfigError, match=told):
        list(read_json_lines(tmp_path / "r.jsonl.gz"))
