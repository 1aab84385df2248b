"""A request body of either endpoint, checked as the API checks it and read into one shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from snapdrift.model import Endpoint
from snapdrift.standin.api_errors import invalid
from snapdrift.standin.attachments import Contents, FindFile, Kind, check_attachments
from snapdrift.standin.formats import AnswerFormat, FormatKind, read_format, refuse_json_object
from snapdrift.standin.messages import (
    PROMPT_KEYS,
    check_chat_calls,
    check_response_calls,
    parts_with_places,
    read_messages,
)
from snapdrift.standin.parameters import ModelTraits, check_parameters, check_traits
from snapdrift.standin.stored import StoredAnswers
from snapdrift.standin.tools import ToolChoice, read_tools
from snapdrift.standin.transcripts import Transcript, read_transcript

_LOGPROBS = "message.output_text.logprobs"
_ENCRYPTED = "reasoning.encrypted_content"


@dataclass(frozen=True, slots=True)
class Question:
    """What a request asks, whichever endpoint it came to.

    `messages` is the whole conversation in the endpoint's form, what a previous response carries on included, of which
    the last `own` are those of this request. `contents` is what is known of the attachments, by identity.
    """

    endpoint: Endpoint
    body: Mapping[str, Any]
    model: str
    transcript: Transcript
    messages: Sequence[Mapping[str, Any]]
    own: int
    format: AnswerFormat
    tools: ToolChoice
    output_cap: int | None
    contents: Mapping[str, Contents] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """All of the prompt's text, in order."""
        return self.transcript.text

    @property
    def last_user_text(self) -> str:
        """What the user said last."""
        return self.transcript.last_user_text

    @property
    def stream(self) -> bool:
        """Whether the answer is to be streamed."""
        return bool(self.body.get("stream"))

    @property
    def keeps(self) -> bool:
        """Whether the answer is to be stored: unless told otherwise on Responses, only when told so on Chat."""
        return bool(self.body.get("store", self.endpoint is Endpoint.RESPONSES))

    @property
    def top_logprobs(self) -> int | None:
        """How many alternatives to each token are asked for; None when no logprobs are."""
        on_chat = self.endpoint is Endpoint.CHAT
        asked = bool(self.body.get("logprobs")) if on_chat else _LOGPROBS in (self.body.get("include") or ())
        return int(self.body.get("top_logprobs") or 0) if asked else None

    @property
    def wants_encrypted_reasoning(self) -> bool:
        """Whether reasoning is to come in a form that can be sent back."""
        return _ENCRYPTED in (self.body.get("include") or ())

    @property
    def effort(self) -> str | None:
        """The reasoning effort asked for."""
        if self.endpoint is Endpoint.CHAT:
            return self.body.get("reasoning_effort")
        return (self.body.get("reasoning") or {}).get("effort")

    def stream_option(self, name: str, *, default: bool) -> bool:
        """A flag under `stream_options`."""
        value = (self.body.get("stream_options") or {}).get(name)
        return default if value is None else bool(value)


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What reading a body needs besides it: facts about models, stored responses, uploaded files."""

    traits: Callable[[str], ModelTraits] = lambda _: ModelTraits()
    stored: StoredAnswers = field(default_factory=StoredAnswers)
    find_file: FindFile = lambda _: None


def read_question(endpoint: Endpoint, body: Mapping[str, Any], knowledge: Knowledge | None = None) -> Question:
    """Checks and reads a request body. Raises `ApiError` with the API's own words where it is refused."""
    knowledge = knowledge or Knowledge()
    check_parameters(endpoint, body)
    model = body.get("model")
    if not model:
        raise invalid("you must provide a model parameter")
    _refuse_what_is_not_served(body)
    traits = knowledge.traits(model)
    check_traits(endpoint, body, traits)
    own = read_messages(endpoint, body.get(PROMPT_KEYS[endpoint]))
    messages = [*knowledge.stored.conversation(body.get("previous_response_id")), *own]
    if endpoint is Endpoint.CHAT:
        check_chat_calls(messages)
    else:
        check_response_calls(messages, knowledge.stored.item_ids)
        messages = [knowledge.stored.item(item) for item in messages]
    contents = check_attachments(parts_with_places(endpoint, messages), knowledge.find_file)
    transcript = read_transcript(endpoint, body.get("instructions"), messages)
    if not traits.images and any(attachment.kind is Kind.IMAGE for attachment in transcript.attachments):
        raise invalid("Invalid content type. Images are only supported by certain models.", param=PROMPT_KEYS[endpoint])
    answer_format = read_format(endpoint, body, knows_schemas=traits.json_schema)
    if answer_format.kind is FormatKind.JSON_OBJECT and "json" not in transcript.text.lower():
        raise refuse_json_object(endpoint, PROMPT_KEYS[endpoint])
    cap_name = "max_output_tokens" if endpoint is Endpoint.RESPONSES else "max_completion_tokens"
    return Question(
        endpoint=endpoint,
        body=body,
        model=model,
        transcript=transcript,
        messages=messages,
        own=len(own),
        format=answer_format,
        tools=read_tools(endpoint, body),
        output_cap=body.get(cap_name) or body.get("max_tokens"),
        contents=contents,
    )


def _refuse_what_is_not_served(body: Mapping[str, Any]) -> None:
    for name, allowed in (("n", 1), ("background", False), ("conversation", None), ("prompt", None)):
        if body.get(name) not in (None, allowed):
            message = f"Unsupported value: '{name}' is not served by the stand-in."
            raise invalid(message, param=name, code="unsupported_value")
