"""Calls of several requests: what follows an answer, how steps add up, and that none is asked twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from snapdrift.execution.budget import Budget
from snapdrift.execution.engine import Engine
from snapdrift.execution.records import EngineReport, EngineSettings, StopReason
from snapdrift.execution.steps import Begun, Onward, Script
from snapdrift.execution.turns import Here
from snapdrift.model import (
    Answer,
    CallKey,
    Case,
    Conversation,
    Endpoint,
    Failure,
    FailureKind,
    FilePart,
    GeneratedTurn,
    ImagePart,
    Message,
    Outcome,
    Request,
    Response,
    Step,
    TextPart,
    ToolCall,
    Usage,
    Variant,
)
from snapdrift.openai_api.errors import AttemptFailed
from snapdrift.openai_api.requests import build_request, parse_response
from snapdrift.suites.tool_results import PythonFunction

KEY = CallKey("c1", "v", 0)
ORDERS = {"lookup": [{"args": {"order": "1"}, "returns": "shipped"}, {"nth": 2, "error": "timeout"}]}
CUT = Failure(FailureKind.CONNECTION, "cut", retryable=True, may_have_run=True)
BAD = Failure(FailureKind.BAD_REQUEST, "too long", retryable=False, status=400)


def user(text: str) -> Message:
    return Message("user", (TextPart(text),))


def variant(endpoint: Endpoint = Endpoint.RESPONSES, **changes: Any) -> Variant:
    return Variant("v", "gpt-4o", endpoint, changes.pop("request", {}), {"input": "{{ q }}"}, **changes)


def says(text: str = "", *calls: tuple[str, dict[str, Any]], endpoint: Endpoint = Endpoint.RESPONSES) -> Answer:
    """An answer as the API writes it: text, or function calls."""
    body = _chat_body(text, calls) if endpoint is Endpoint.CHAT else _responses_body(text, calls)
    parsed = parse_response(endpoint, body)
    usage = Usage(10, 4, 3, 1)
    tool_calls = parsed.tool_calls
    return Answer(parsed.outcome, parsed.text, json.dumps(body), usage=usage, latency_ms=100.0, tool_calls=tool_calls)


def _responses_body(text: str, calls: Iterable[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    output: list[dict[str, Any]] = []
    if text:
        part = {"type": "output_text", "text": text, "annotations": []}
        output.append({"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [part]})
    for number, (name, arguments) in enumerate(calls):
        made = {"type": "function_call", "id": f"fc_{number}", "call_id": f"call_{number}", "name": name}
        output.append({**made, "arguments": json.dumps(arguments), "status": "completed"})
    return {"id": "resp_1", "object": "response", "status": "completed", "model": "gpt-4o", "output": output}


def _chat_body(text: str, calls: Iterable[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": text or None}
    made = [
        {"id": f"call_{n}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for n, (name, arguments) in enumerate(calls)
    ]
    if made:
        message["tool_calls"] = made
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if made else "stop"}
    return {"id": "chatcmpl-1", "object": "chat.completion", "model": "gpt-4o", "choices": [choice]}


async def no_fake(_target: PythonFunction, _arguments: Any) -> Any:
    raise AssertionError("there is no fake")


@dataclass
class Desk:
    """A provider that answers in turn, a store that keeps what is handed to it, and a `Stepping` over one script."""

    answers: list[Answer | Failure]
    tool_results: dict[str, Any] | None = None
    turns: tuple[Message | GeneratedTurn, ...] = (user("where is it?"),)
    variant: Variant = field(default_factory=variant)
    fake: Callable[..., Any] = no_fake
    stored: Begun | None = None
    asked: list[Request] = field(default_factory=list)
    steps: list[tuple[int, Response, tuple[Step, ...]]] = field(default_factory=list)
    recorded: list[Response] = field(default_factory=list)

    @property
    def script(self) -> Script:
        case = Case("c1", {"q": "?"}, tool_results=self.tool_results)
        return Script(self.variant, case, Conversation(None, self.turns), self.fake)

    def applies(self, _call: CallKey) -> bool:
        return self.script.applies

    def begun(self, _request: Request) -> Begun | None:
        return self.stored

    async def record_step(self, request: Request, response: Response, steps: tuple[Step, ...]) -> None:
        self.steps.append((request.step, response, steps))

    async def follow(self, request: Request, response: Response, steps: tuple[Step, ...]) -> Onward | Response:
        assert self.stored is not None or self.steps[-1][0] == request.step, "an answer is stored before it is followed"
        return await self.script.follow(request, response, steps)

    async def ask(self, request: Request) -> Answer:
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Failure):
            raise AttemptFailed(answer, 1.0)
        return answer

    async def record(self, response: Response, _request: Request) -> None:
        self.recorded.append(response)

    def run(self, budget: Budget | None = None, worst: float = 0.02, **settings: Any) -> EngineReport:
        quick = {"backoff_base": 0.0, "sweep_delay": 0.0, "concurrency": 1, **settings}
        engine = Engine(
            Here(self.ask),
            self.record,
            lambda _model, _answer: 0.01,
            lambda _request: worst,
            EngineSettings(**quick),
            budget or Budget(None),
            stepping=self,
        )
        conversation = Conversation(None, self.turns)
        request = build_request(KEY, self.variant, conversation, "run", "https://api.openai.com/v1")
        return asyncio.run(engine.run([request]))

    @property
    def response(self) -> Response:
        return self.recorded[-1]


# ---------------------------------------------------------------------------------------------------------------- tools


def test_a_tool_call_gets_its_result_and_the_model_goes_on() -> None:
    desk = Desk([says("", ("lookup", {"order": "1"})), says("It has shipped.")], ORDERS)
    report = desk.run()
    assert (report.answered, report.failed) == (1, 0)
    assert (desk.response.outcome, desk.response.text) == (Outcome.OK, "It has shipped.")
    assert [result.output for result in desk.response.steps[0].results] == ["shipped"]
    assert desk.asked[1].body["input"][-1] == {
        "type": "function_call_output",
        "call_id": "call_0",
        "output": "shipped",
    }


def test_the_same_holds_over_chat() -> None:
    chat = Endpoint.CHAT
    answers = [says("", ("lookup", {"order": "1"}), endpoint=chat), says("It has shipped.", endpoint=chat)]
    desk = Desk([*answers], ORDERS, variant=variant(chat))
    desk.run()
    assert desk.response.text == "It has shipped."
    assert desk.asked[1].body["messages"][-1] == {"role": "tool", "tool_call_id": "call_0", "content": "shipped"}


def test_parallel_calls_get_all_their_results_in_order_and_are_counted_one_by_one() -> None:
    calls = [("lookup", {"order": "1"}), ("lookup", {"order": "9"})]
    desk = Desk([says("", *calls), says("done")], ORDERS)
    desk.run()
    results = desk.response.steps[0].results
    assert [(result.call_id, result.output) for result in results] == [
        ("call_0", "shipped"),
        ("call_1", '{"error": "timeout"}'),
    ]


def test_calls_of_a_tool_are_counted_over_all_steps_of_the_call() -> None:
    answers = [says("", ("lookup", {"order": "1"})), says("", ("lookup", {"order": "7"})), says("done")]
    desk = Desk([*answers], ORDERS)
    desk.run()
    assert [step.results[0].matched for step in desk.response.steps] == ["entry 1", "entry 2"]


def test_usage_dollars_latency_and_tool_calls_are_those_of_all_requests() -> None:
    desk = Desk([says("", ("lookup", {"order": "1"})), says("done")], ORDERS)
    report = desk.run()
    response = desk.response
    assert response.usage == Usage(20, 8, 6, 2)
    assert response.usd == pytest.approx(0.02)
    assert response.latency_ms == 200.0
    assert [call.name for call in response.tool_calls] == ["lookup"]
    assert report.usd == pytest.approx(0.02)
    assert report.charged_usd == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("lookup", {"order": "9"}, "matches none of its tool_results; nearest is entry 1"),
        ("cancel", {}, "the case's tool_results have lookup"),
    ],
)
def test_a_call_without_a_result_ends_as_tool_unmatched_with_a_sentence(
    name: str, arguments: dict[str, Any], told: str
) -> None:
    desk = Desk([says("", (name, arguments))], ORDERS)
    desk.run()
    assert desk.response.outcome is Outcome.TOOL_UNMATCHED
    assert told in desk.response.detail
    assert desk.response.usd == pytest.approx(0.01)


def test_a_model_that_goes_on_calling_ends_at_the_step_limit() -> None:
    forever = {"lookup": [{"otherwise": {"returns": 1}}]}
    desk = Desk([says("", ("lookup", {})) for _ in range(3)], forever, variant=variant(max_steps=3))
    desk.run()
    assert (desk.response.outcome, len(desk.asked)) == (Outcome.STEP_LIMIT, 3)
    assert "max_steps: 3" in desk.response.detail


def test_without_tool_results_the_calls_are_the_answer() -> None:
    desk = Desk([says("", ("lookup", {"order": "1"}))], None)
    desk.run()
    assert (desk.response.outcome, len(desk.asked), desk.steps) == (Outcome.OK, 1, [])
    assert desk.response.tool_calls == (ToolCall("call_0", "lookup", '{"order": "1"}'),)


def test_a_python_fake_is_called_with_the_arguments() -> None:
    async def fake(target: PythonFunction, arguments: Any) -> Any:
        return {"was": str(target), **arguments}

    desk = Desk([says("", ("pay", {"sum": 3})), says("paid")], {"pay": {"python": "fakes/pay.py:pay"}}, fake=fake)
    desk.run()
    assert json.loads(desk.response.steps[0].results[0].output) == {"was": "fakes/pay.py:pay", "sum": 3}


def test_a_fake_that_raises_is_no_answer_of_the_model_and_what_was_paid_is_kept() -> None:
    async def fake(_target: PythonFunction, _arguments: Any) -> Any:
        raise AttemptFailed(Failure(FailureKind.APPLICATION, "pay.py:3: boom", retryable=False))

    desk = Desk([says("", ("pay", {}))], {"pay": {"python": "fakes/pay.py:pay"}}, fake=fake)
    report = desk.run()
    response = desk.response
    assert (response.outcome, report.failed) == (Outcome.API_ERROR, 1)
    assert response.failure is not None
    assert response.failure.message == "pay.py:3: boom"
    assert len(response.steps) == 1
    assert response.usd == pytest.approx(0.01)
    assert report.usd == pytest.approx(0.01)


# ------------------------------------------------------------------------------------------------------- scripted turns


def test_scripted_turns_are_said_after_each_answer() -> None:
    turns = (user("hello"), GeneratedTurn(), user("and now?"), GeneratedTurn(), user("thanks"))
    desk = Desk([says("hi"), says("this"), says("bye")], turns=turns)
    desk.run()
    assert [step.said for step in desk.response.steps] == [("and now?",), ("thanks",)]
    assert [step.text for step in desk.response.steps] == ["hi", "this"]
    assert desk.response.text == "bye"
    assert len({request.client_request_id for request in desk.asked}) == 3


def test_what_was_said_is_kept_with_who_said_it_and_with_its_pictures() -> None:
    looks = Message("assistant", (TextPart("Let me look."),))
    shows = Message(
        "user", (TextPart("This one."), ImagePart("photos/a.png", "data:image/png;base64,AA=="), FilePart("b.pdf"))
    )
    desk = Desk([says("hi"), says("bye")], turns=(user("hello"), GeneratedTurn(), looks, shows))
    desk.run()
    (step,) = desk.response.steps
    assert step.said == ("Let me look.", "This one.\n[image: photos/a.png]\n[file: b.pdf]")
    assert step.said_by == ("assistant", "user")


def test_tools_and_scripted_turns_combine_and_the_limit_counts_anew_in_each_turn() -> None:
    turns = (user("hello"), GeneratedTurn(), user("and now?"))
    tools = {"lookup": [{"otherwise": {"returns": 1}}]}
    call: tuple[str, dict[str, Any]] = ("lookup", {})
    answers = [says("", call), says("one"), says("", call), says("two")]
    desk = Desk([*answers], tools, turns=turns, variant=variant(max_steps=2))
    desk.run()
    assert (desk.response.outcome, desk.response.text) == (Outcome.OK, "two")
    assert [(bool(step.results), bool(step.said)) for step in desk.response.steps] == [
        (True, False),
        (False, True),
        (True, False),
    ]


def test_a_refusal_in_the_middle_ends_the_conversation() -> None:
    refused = replace(says("no"), outcome=Outcome.REFUSED, refusal="no")
    desk = Desk([refused], turns=(user("hello"), GeneratedTurn(), user("and now?")))
    desk.run()
    assert (desk.response.outcome, len(desk.asked)) == (Outcome.REFUSED, 1)


def test_a_tool_call_between_turns_needs_a_result_to_go_on() -> None:
    desk = Desk([says("", ("lookup", {}))], turns=(user("hello"), GeneratedTurn(), user("and now?")))
    desk.run()
    assert desk.response.outcome is Outcome.TOOL_UNMATCHED
    assert "before the last turn" in desk.response.detail


# --------------------------------------------------------------------------------------------- failing, stopping, again


def test_a_step_is_tried_again_by_itself() -> None:
    desk = Desk([says("", ("lookup", {"order": "1"})), CUT, says("done")], ORDERS)
    report = desk.run()
    assert (desk.response.outcome, report.retried) == (Outcome.OK, 1)
    assert [request.step for request in desk.asked] == [0, 1, 1]
    assert len(desk.response.attempts) == 3


def test_a_step_that_fails_for_good_ends_the_call_with_its_earlier_steps() -> None:
    desk = Desk([says("", ("lookup", {"order": "1"})), BAD], ORDERS)
    desk.run()
    assert desk.response.outcome is Outcome.API_ERROR
    assert [step.number for step in desk.response.steps] == [0]
    assert desk.response.usd == pytest.approx(0.01)


def test_the_sweep_asks_the_step_that_failed_and_no_other() -> None:
    desk = Desk([says("", ("lookup", {"order": "1"})), CUT, says("done")], ORDERS)
    report = desk.run(max_attempts=1)
    assert [response.outcome for response in desk.recorded] == [Outcome.API_ERROR, Outcome.OK]
    assert [request.step for request in desk.asked] == [0, 1, 1]
    assert (report.answered, report.failed) == (1, 0)


def test_a_budget_that_ends_between_steps_leaves_the_call_missing_with_its_steps_stored() -> None:
    desk = Desk([says("", ("lookup", {"order": "1"}))], ORDERS)
    report = desk.run(Budget(0.025))
    assert (report.stopped, report.answered, report.failed) == (StopReason.BUDGET, 0, 0)
    assert [number for number, _, _ in desk.steps] == [0]
    assert desk.recorded == []


def test_a_call_goes_on_after_its_stored_steps() -> None:
    first = Desk([says("", ("lookup", {"order": "1"}))], ORDERS)
    first.run(Budget(0.025))
    _, answer, steps = first.steps[0]
    again = Desk([says("done")], ORDERS, stored=Begun(first.asked[0], answer, steps))
    again.run()
    assert [request.step for request in again.asked] == [1]
    assert again.response.usd == pytest.approx(0.02)
    assert (again.response.text, len(again.response.attempts)) == ("done", 2)


def test_a_call_whose_last_answer_is_stored_ends_without_asking() -> None:
    first = Desk([says("", ("lookup", {"order": "1"})), says("done")], ORDERS)
    first.run()
    _, answer, steps = first.steps[1]
    again = Desk([], ORDERS, stored=Begun(first.asked[1], answer, steps))
    report = again.run()
    assert (again.response, report.usd) == (first.response, 0.0)


@pytest.mark.parametrize("endpoint", [Endpoint.RESPONSES, Endpoint.CHAT])
def test_an_answer_that_cannot_be_carried_on_is_an_error_and_is_not_asked_again(endpoint: Endpoint) -> None:
    broken = replace(says("", ("lookup", {"order": "1"}), endpoint=endpoint), raw="no JSON")
    desk = Desk([broken], ORDERS, variant=variant(endpoint))
    desk.run()
    assert (desk.response.outcome, len(desk.asked)) == (Outcome.API_ERROR, 1)
