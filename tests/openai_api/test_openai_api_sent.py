"""A stored request read back as the conversation that it asked."""

from __future__ import annotations

from typing import Any

import pytest

from snapdrift.model import (
    CallKey,
    Conversation,
    Endpoint,
    FilePart,
    GeneratedTurn,
    ImagePart,
    Message,
    Request,
    TextPart,
    Variant,
)
from snapdrift.openai_api.requests import build_request
from snapdrift.openai_api.sent import conversation_of

PNG = "data:image/png;base64,AAAA"
PDF = "data:application/pdf;base64,AAAA"
ASKED = Conversation(
    "Be brief.",
    (
        Message("system", (TextPart("Be kind."),)),
        Message("user", (TextPart("What is this?"), ImagePart("image", url=PNG, detail="low"))),
        Message("assistant", (TextPart("A cat."),)),
        Message("user", (TextPart("And this?"), FilePart("paper.pdf", data=PDF))),
    ),
)


def sent(conversation: Conversation, endpoint: Endpoint) -> Request:
    variant = Variant("v", "gpt-4o-2024-08-06", endpoint, {}, {})
    return build_request(CallKey("c", "v", 0), variant, conversation, "run", "http://host")


def test_what_was_sent_to_responses_is_read_back_whole() -> None:
    assert conversation_of(sent(ASKED, Endpoint.RESPONSES)) == ASKED


def test_what_was_sent_to_chat_has_its_instructions_as_the_first_message() -> None:
    read = conversation_of(sent(ASKED, Endpoint.CHAT))

    assert read is not None
    assert [message.role for message in read.messages if isinstance(message, Message)][1:] == [
        "system",
        "user",
        "assistant",
        "user",
    ]
    assert read.messages[1:] == ASKED.messages


def test_of_a_script_the_first_request_is_read() -> None:
    first = Message("user", (TextPart("One?"),))
    script = Conversation(None, (first, GeneratedTurn(), Message("user", (TextPart("Two?"),))))

    assert conversation_of(sent(script, Endpoint.RESPONSES)) == Conversation(None, (first,))


@pytest.mark.parametrize(
    ("endpoint", "body", "text"),
    [
        (Endpoint.RESPONSES, {"input": "Hi?"}, "Hi?"),
        (Endpoint.PYTHON, {"case": {"messages": [{"role": "user", "content": "Hi?"}]}}, "Hi?"),
        (
            Endpoint.RESPONSES,
            {"input": [{"type": "function_call", "name": "f"}, {"role": "user", "content": "Hi?"}]},
            "Hi?",
        ),
        (Endpoint.PYTHON, {"case": {"id": "c"}}, None),
        (Endpoint.OUTPUTS, {"id": "c"}, None),
        (Endpoint.RESPONSES, {"prompt": {"id": "pmpt_1"}}, None),
        (Endpoint.CHAT, {"messages": 5}, None),
        (Endpoint.CHAT, {"messages": [5, {"role": 5}]}, None),
    ],
)
def test_other_forms_are_read_as_far_as_they_hold_messages(
    endpoint: Endpoint, body: dict[str, Any], text: str | None
) -> None:
    read = conversation_of(Request(CallKey("c", "v", 0), 0, endpoint, "http://host", body, "id"))

    assert read == (None if text is None else Conversation(None, (Message("user", (TextPart(text),)),)))
