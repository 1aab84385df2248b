"""What a command was asked for survives in the run file, without anything secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.errors import StoreError
from snapdrift.pipeline.options import Selection, TargetOptions

names = st.none() | st.text(min_size=1, max_size=12)
paths = st.from_regex(r"[a-z]{1,8}(/[a-z]{1,8}){0,2}\.jsonl", fullmatch=True).map(lambda text: Path("/data") / text)
targets = st.builds(
    TargetOptions,
    standin=st.booleans(),
    recordings=st.lists(paths, max_size=3).map(tuple),
    behaviour=names,
    faults=names,
    standin_log=st.none() | paths,
    host=names,
    base_url=names,
    key_env=names,
)


@given(targets)
def test_a_target_comes_back_as_it_was_stored(options):
    assert TargetOptions.from_json(options.to_json()) == options


def test_a_target_of_relative_paths_is_stored_so_that_it_holds_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stored = TargetOptions(recordings=(Path("a.jsonl"),), standin_log=Path("log.jsonl")).to_json()
    monkeypatch.chdir("/")
    back = TargetOptions.from_json(stored)
    assert back.recordings == (tmp_path / "a.jsonl",)
    assert back.standin_log == tmp_path / "log.jsonl"


def test_a_target_stored_by_another_version_is_read_as_far_as_it_is_known():
    later = json.dumps({"standin": True, "region": "eu"})
    assert TargetOptions.from_json(later) == TargetOptions(standin=True)
    assert TargetOptions.from_json("{}") == TargetOptions()


@pytest.mark.parametrize("text", ["nothing", "[]", '{"recordings": 3}', '{"standin_log": 3}'])
def test_a_target_that_was_not_written_by_us_is_an_error_that_says_what_to_do(text):
    with pytest.raises(StoreError, match="name it again"):
        TargetOptions.from_json(text)


def test_only_cases_and_tags_pick_cases_by_hand():
    assert Selection(cases=("c1",)).picks_cases
    assert Selection(tags=("golden",)).picks_cases
    assert not Selection(sample=10, repeats=2, variants=("august",)).picks_cases
