"""Faults by script: which request they hit, from where they are read, and those that only a stream or a status has."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openai
import pytest
from tests.standin.conversations import MODEL

from snapdrift.errors import ConfigError
from snapdrift.model import ClientRequestId, Endpoint
from snapdrift.standin.config import StandinConfig
from snapdrift.standin.fault_scripts import FaultRule, Faults, Incident, read_script
from snapdrift.standin.faults import Fault, FaultPlan


def incident(number: int = 1, case: str = "a", step: int = 0, variant: str = "v", repeat: int = 0) -> Incident:
    caller = ClientRequestId("s-1", case, variant, repeat, step)
    return Incident(number, str(caller), 0, caller, MODEL, Endpoint.RESPONSES)


def struck(rules: Sequence[dict[str, Any]], *incidents: Incident, plan: str = "") -> list[str | None]:
    faults = Faults(FaultPlan.parse(plan), read_script(list(rules), "here"), seed=0)
    found = [faults.strike(one) for one in incidents]
    return [one.fault.value if one else None for one in found]


def test_a_rule_hits_the_request_of_its_number() -> None:
    assert struck([{"request": 2, "fault": "500"}], incident(1), incident(2), incident(3)) == [None, "500", None]


def test_a_rule_hits_a_case_so_many_times() -> None:
    rules = [{"case": "b", "times": 2, "fault": "reset"}]
    cases = [incident(case=case) for case in "abbb"]
    assert struck(rules, *cases) == [None, "reset", "reset", None]


def test_a_rule_without_a_bound_hits_every_time() -> None:
    assert struck([{"case": "a", "times": None, "fault": "503"}], *[incident()] * 4) == ["503"] * 4


@pytest.mark.parametrize(
    "narrowed", [{"step": 1}, {"variant": "w"}, {"repeat": 2}, {"model": "gpt-4o"}, {"endpoint": "chat"}]
)
def test_everything_that_a_rule_names_has_to_fit(narrowed: dict[str, Any]) -> None:
    assert struck([{"case": "a", "fault": "500", **narrowed}], incident()) == [None]


def test_the_first_rule_that_fits_wins_and_rates_come_last() -> None:
    rules: list[dict[str, Any]] = [{"step": 1, "fault": "reset"}, {"case": "a", "fault": "500"}]
    assert struck(rules, incident(step=1), incident(), incident(), plan="first=429") == ["reset", "500", "429"]


def test_a_rule_brings_its_own_waiting_times() -> None:
    faults = Faults(FaultPlan.parse("retry_after=9"), [FaultRule(fault=Fault.STALL, seconds=3, retry_after=1)], 0)
    found = faults.strike(incident())
    assert found is not None
    assert (found.retry_after, found.stall_seconds) == (1, 3)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("faults.yaml", "- {case: a, fault: 500}\n- {request: 3, fault: reset}\n"),
        ("faults.yml", "faults:\n- {case: a, fault: 500}\n- {request: 3, fault: reset}\n"),
        ("faults.json", '[{"case": "a", "fault": "500"}, {"request": 3, "fault": "reset"}]'),
    ],
)
def test_rules_are_read_from_a_file_named_as_faults(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    config = StandinConfig.from_settings({"faults": name}, root=tmp_path)
    assert [rule.fault for rule in config.fault_rules] == [Fault.SERVER_ERROR, Fault.RESET]
    assert StandinConfig.from_json(config.to_json()) == config


def test_rules_can_stand_in_the_table_itself() -> None:
    config = StandinConfig.checked({"faults": [{"case": "a", "fault": "500"}]})
    assert config.fault_rules[0].case == "a"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("faults.yaml", "{case: a}", "found NoneType; expected a list of rules"),
        ("faults.yaml", "- {case: a, fault: burn}", "rule 1: fault: found 'burn'"),
        ("faults.yaml", "- {fault: 500, when: now}", "rule 1: when: found 'now'"),
        ("faults.yaml", "- {", "not YAML"),
        ("faults.json", "[", "not JSON"),
        ("missing.yaml", None, "cannot be read"),
    ],
)
def test_a_script_that_cannot_be_used_is_an_error_that_says_where(
    tmp_path: Path, name: str, text: str | None, message: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=message):
        StandinConfig.checked({"faults": str(tmp_path / name)})


@pytest.fixture(scope="module")
def served(start: Any, connect: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A client, and the log, of a server where the case of a request is the name of its fault."""
    log = tmp_path_factory.mktemp("log") / "log.jsonl"
    rules = [{"case": fault.value, "fault": fault.value, "seconds": 0.01, "retry_after": 2} for fault in Fault]
    return connect(start(faults=rules, log=log)), log


def ask(served: Any, fault: str, **settings: Any) -> Any:
    header = {"X-Client-Request-Id": f"s-1:{fault}:v/0/{settings.pop('step', 0)}"}
    return served[0].responses.create(model=MODEL, input="Hello", extra_headers=header, **settings)


@pytest.mark.parametrize(
    ("fault", "status", "waits"),
    [("403", 403, False), ("408", 408, True), ("409", 409, True), ("413", 413, False), ("422", 422, False)],
)
def test_a_status_of_its_own_reaches_the_sdk(served: Any, fault: str, status: int, waits: bool) -> None:
    with pytest.raises(openai.APIStatusError) as raised:
        ask(served, fault)
    assert raised.value.status_code == status
    assert ("retry-after" in raised.value.response.headers) is waits


def test_slow_down_is_a_503_that_says_so(served: Any) -> None:
    with pytest.raises(openai.InternalServerError, match="Slow Down") as raised:
        ask(served, "slow_down")
    assert raised.value.response.headers["retry-after"] == "2"


def test_a_slow_body_arrives_whole(served: Any) -> None:
    assert ask(served, "slow").output_text


def test_a_slow_stream_arrives_whole(start: Any, connect: Any) -> None:
    client = connect(start(faults=[{"fault": "slow", "seconds": 0.01}]))
    assert list(client.responses.create(model=MODEL, input="Hello", stream=True))[-1].type == "response.completed"


def test_a_stream_can_end_without_its_terminal_event(start: Any, connect: Any) -> None:
    client = connect(start(faults=[{"fault": "no_end", "times": None}]))
    types = [event.type for event in client.responses.create(model=MODEL, input="Hello", stream=True)]
    assert types[0] == "response.created"
    assert "response.completed" not in types
    messages: Any = [{"role": "user", "content": "Hello"}]
    chunks = list(client.chat.completions.create(model=MODEL, messages=messages, stream=True))
    assert all(chunk.choices[0].finish_reason is None for chunk in chunks)


def test_a_stream_can_carry_an_error_of_either_shape(start: Any, connect: Any) -> None:
    client = connect(start(faults=[{"request": 1, "fault": "error_event"}, {"fault": "error_event_nested"}]))
    flat = list(client.responses.create(model=MODEL, input="Hello", stream=True))
    assert (flat[-1].type, flat[-1].code) == ("error", "server_error")
    with pytest.raises(openai.APIError, match="The server had an error"):
        list(client.responses.create(model=MODEL, input="Hello", stream=True))


def test_a_stream_can_end_as_a_failed_response(start: Any, connect: Any) -> None:
    client = connect(start(faults="first=failed"))
    last = list(client.responses.create(model=MODEL, input="Hello", stream=True))[-1]
    assert last.type == "response.failed"
    assert last.response.error.code == "server_error"


@pytest.mark.parametrize("fault", ["no_end", "error_event_nested", "error_event"])
def test_what_needs_a_stream_is_a_500_where_there_is_none(served: Any, fault: str) -> None:
    with pytest.raises(openai.InternalServerError):
        ask(served, fault)


def test_the_log_says_what_a_test_counts(served: Any) -> None:
    client, log = served
    ask(served, "counted", step=1)
    client.models.retrieve("gpt-4o")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    answered = [line for line in lines if line.get("case") == "counted" and line["event"] == "finished"]
    expected = {"method": "POST", "path": "/v1/responses", "status": 200, "model": MODEL, "call": "counted/v/0"}
    assert len(answered) == 1
    assert answered[0].items() >= {**expected, "step": 1, "attempt": 1}.items()
    looked = [line for line in lines if line["event"] == "served"]
    assert (looked[-1]["method"], looked[-1]["path"], looked[-1]["status"]) == ("GET", "/v1/models/gpt-4o", 200)
