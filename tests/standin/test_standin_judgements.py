"""Judges at the stand-in: recorded judgements replayed by criterion, and simulated verdicts of every form."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest

from snapdrift.errors import ConfigError
from snapdrift.model import ClientRequestId
from snapdrift.standin.behaviours import Behaviour
from snapdrift.standin.judging import verdict_for
from snapdrift.standin.recordings import Recordings

Connect = Callable[..., openai.OpenAI]
WriteRows = Callable[[Path, list[dict[str, Any]]], Path]
MODEL = "gpt-4o-2024-11-20"
ANSWER = 'No, "never" <stop>.\n</answer>'
ROW = {
    "model": MODEL,
    "input": "Pull it?",
    "output": ANSWER,
    "judge": {
        "expected_behavior": [{"behavior": "It says no.", "met": True, "comment": "It does."}],
        "common_mistakes": [{"mistake": "It says yes.", "made": False, "comment": "It does not."}],
        "overall_score": 9,
        "verdict": "pass",
        "reason": "Short and right.",
    },
}
AGAIN = {**ROW, "repeat": 1, "judge": {"checks": [{"criterion": "It says no.", "ok": False, "reason": "Hm."}]}}


def one(labels: list[str]) -> dict[str, Any]:
    properties = {"reason": {"type": "string"}, "verdict": {"type": "string", "enum": labels}}
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def several(number: int, labels: tuple[str, ...] = ("yes", "no")) -> dict[str, Any]:
    properties = {f"c{index}": one(list(labels)) for index in range(1, number + 1)}
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def body(schema: dict[str, Any], criteria: tuple[str, ...] = (), answer: str = ANSWER) -> dict[str, Any]:
    listed = "\n".join(f"c{number}: {json.dumps(text)}" for number, text in enumerate(criteria, 1))
    quoted = json.dumps(answer).replace("<", "\\u003c").replace(">", "\\u003e")
    return {
        "model": MODEL,
        "instructions": f"Judge.\n\nCriteria:\n{listed}\n\nBe fair.",
        "input": f"<answer>\n{quoted}\n</answer>\n",
        "text": {"format": {"type": "json_schema", "name": "verdicts", "strict": True, "schema": schema}},
    }


@pytest.fixture
def ask(start: Any, connect: Connect, tmp_path: Path, rows_file: WriteRows) -> Callable[..., tuple[Any, str]]:
    """Asks a stand-in with the recordings; gives what it says and its label."""
    path = rows_file(tmp_path / "rows.jsonl", [ROW, AGAIN])
    client = connect(start(profiles=[{"recordings": [path], "variants": {"made-up": "judge"}}], today="2026-11-22"))

    def asked(asked_body: dict[str, Any], variant: str = "v?judge=kind") -> tuple[Any, str]:
        headers = {"X-Client-Request-Id": str(ClientRequestId("suite-1", "case", variant, 0, 0))}
        raw = client.responses.with_raw_response.create(**asked_body, extra_headers=headers)
        return json.loads(raw.parse().output_text), raw.headers["x-snapdrift-standin"]

    return asked


def test_a_recorded_judgement_is_replayed_by_the_text_of_its_criteria(ask: Callable[..., tuple[Any, str]]) -> None:
    said, label = ask(body(several(2), ("It says yes.", "It says no.")))

    assert label == "recorded"
    assert said == {
        "c1": {"reason": "It does not.", "verdict": "no"},
        "c2": {"reason": "It does.", "verdict": "yes"},
    }


def test_each_vote_gets_the_next_judgement_of_the_same_output(ask: Callable[..., tuple[Any, str]]) -> None:
    votes = [ask(body(several(1), ("It says no.",)), f"v?judge=kind.{vote}")[0] for vote in (1, 2, 3)]

    assert [vote["c1"]["verdict"] for vote in votes] == ["yes", "no", "yes"]


def test_one_recorded_verdict_answers_a_judge_that_gives_one(ask: Callable[..., tuple[Any, str]]) -> None:
    said, label = ask(body(one(["fail", "pass"])))

    assert (said, label) == ({"reason": "Short and right.", "verdict": "pass"}, "recorded")


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (body(several(1), ("It is kind.",)), "does not have the criterion 'It is kind.'"),
        (body(several(1), ("It says no.",), "Another answer."), "no judgement of this answer is recorded"),
        (body(one(["bad", "good"])), "has no such verdict"),
        (body(several(1, ("consistent", "omits")), ("It says no.",)), "does not have the criterion"),
    ],
)
def test_what_was_not_judged_is_a_404_as_a_missing_recording_is(
    asked: dict[str, Any], why: str, ask: Callable[..., tuple[Any, str]]
) -> None:
    with pytest.raises(openai.NotFoundError, match=re.escape(why)) as caught:
        ask(asked)

    assert caught.value.code == "recording_not_found"


def test_a_behaviour_that_is_named_judges_what_was_not_recorded_and_is_labelled(
    start: Any, connect: Connect, tmp_path: Path, rows_file: WriteRows
) -> None:
    path = rows_file(tmp_path / "rows.jsonl", [ROW])
    client = connect(start(profiles=[{"recordings": [path], "fallback": "judge"}]))

    raw = client.responses.with_raw_response.create(**body(several(1), ("It is kind.",)))

    assert raw.headers["x-snapdrift-standin"] == "simulated"
    assert json.loads(raw.parse().output_text)["c1"]["reason"].startswith("Simulated verdict")


def test_a_judgement_that_is_no_object_is_told_with_its_line(tmp_path: Path, rows_file: WriteRows) -> None:
    path = rows_file(tmp_path / "rows.jsonl", [{**ROW, "judge": "fine"}])

    with pytest.raises(ConfigError, match=r'rows.jsonl:1: found "judge": str'):
        Recordings([path])


# ------------------------------------------------------------------------------------------------- simulated verdicts


def verdict(schema: dict[str, Any], number: int, fails: float, vote: str = "", flips: float = 0.0) -> Any:
    behaviour = Behaviour(answers=False, judge_fails=fails, judge_flips=flips)
    text = f'<answer>\n"An answer that is long enough, number {number}."\n</answer>'
    found = verdict_for(schema, text, behaviour, None, (0, "case"), vote)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        (one(["fail", "pass"]), {"pass"}, {"fail"}),
        (one(["1", "2", "3", "4", "5"]), {"4", "5"}, {"1", "2"}),
        (several(2)["properties"]["c1"], {"yes"}, {"no"}),
        (one(["consistent", "omits", "contradicts"]), {"consistent"}, {"omits", "contradicts"}),
    ],
)
def test_a_simulated_judge_says_what_is_good_unless_it_fails(
    schema: dict[str, Any], good: set[str], bad: set[str]
) -> None:
    assert {verdict(schema, number, 0.0)["verdict"] for number in range(40)} == good
    assert {verdict(schema, number, 1.0)["verdict"] for number in range(40)} == bad


def test_each_criterion_of_a_list_is_failed_by_itself() -> None:
    found = [verdict(several(3), number, 0.5) for number in range(60)]
    rows = {tuple(item["verdict"] for item in verdicts.values()) for verdicts in found}

    assert len(rows) == 8


def test_votes_differ_with_the_rate_that_they_are_turned_round_by_and_one_vote_is_never() -> None:
    turned = [
        verdict(one(["fail", "pass"]), number, 0.0, vote, 0.25)["verdict"] == "fail"
        for number in range(200)
        for vote in ("1", "2", "3")
    ]

    assert sum(turned) / len(turned) == pytest.approx(0.25, abs=0.06)
    assert {verdict(one(["fail", "pass"]), number, 0.0, flips=0.25)["verdict"] for number in range(200)} == {"pass"}
