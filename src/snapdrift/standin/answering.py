"""One request body answered as its endpoint answers it: what HTTP and a line of a batch have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from snapdrift.model import ClientRequestId, Endpoint, Source
from snapdrift.standin import chat_wire, responses_wire
from snapdrift.standin.api_errors import ApiError
from snapdrift.standin.questions import Question
from snapdrift.standin.replies import Finished
from snapdrift.standin.service import AnswerService


@dataclass(frozen=True, slots=True)
class BodyAnswer:
    """The status and the JSON body of an answer, and whether it is recorded or simulated."""

    status: int
    body: dict[str, Any]
    source: Source


def answer_body(
    service: AnswerService, endpoint: Endpoint, body: Mapping[str, Any], client_request_id: str | None = None
) -> BodyAnswer:
    """The answer to a body, with its status; what the API refuses is an answer with an error status.

    `client_request_id` says which call it is (`ClientRequestId`), so that the answer is the one that the same call
    gets over HTTP; one that is not of that form is as good as none.
    """
    caller = ClientRequestId.parse(client_request_id) if client_request_id else None
    try:
        question = service.read(endpoint, body)
        done = service.answer(question, caller)
    except ApiError as error:
        return BodyAnswer(error.status, error.body, Source.SIMULATED)
    whole = whole_body(question, done)
    keep(service, question, whole)
    return BodyAnswer(200, whole, done.reply.source)


def whole_body(question: Question, done: Finished) -> dict[str, Any]:
    """The answer as one JSON object, in the form of the endpoint that was asked."""
    if question.endpoint is Endpoint.RESPONSES:
        return responses_wire.response_body(question, done)
    return chat_wire.chat_body(question, done)


def keep(service: AnswerService, question: Question, body: Mapping[str, Any]) -> None:
    """Stores an answer where the request lets it."""
    if question.keeps:
        service.stored.keep(body, question.messages, question.own, body.get("output", ()))
