"""What of a case would be refused is known before anything is sent; and what would be misread is warned about."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from snapdrift.model import (
    HTTP_ENDPOINTS,
    Conversation,
    Endpoint,
    FilePart,
    GeneratedTurn,
    ImagePart,
    Message,
    Part,
    TextPart,
    Variant,
)
from snapdrift.openai_api import conversations
from snapdrift.openai_api.catalog import Catalog, load_catalog

AUGUST = "gpt-4o-2024-08-06"
PHOTO = ImagePart("photos/shelf.png", url="data:image/png;base64,AAAA", detail="low", size=(64, 64))
JSON_MODE: dict[str, Any] = {"text": {"format": {"type": "json_object"}}}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog(today=date(2026, 11, 22))


def variant(endpoint: Endpoint = Endpoint.RESPONSES, model: str = AUGUST, **request: Any) -> Variant:
    return Variant("v", model, endpoint, request, {})


def said(*parts: Part | str, role: str = "user") -> Conversation:
    made = tuple(TextPart(part) if isinstance(part, str) else part for part in parts)
    return Conversation(None, (Message(role, made),))


def test_an_ordinary_case_with_an_image_and_a_document_is_taken(catalog: Catalog) -> None:
    asked = said("What is this?", PHOTO, FilePart("a.pdf", data="data:application/pdf;base64,AAAA"))
    for endpoint in HTTP_ENDPOINTS:
        assert catalog.check_conversation(variant(endpoint), asked) == ()


# ------------------------------------------------------------------------------------------------------- context window


@pytest.mark.parametrize("endpoint", HTTP_ENDPOINTS)
def test_a_prompt_and_cap_beyond_the_context_window_are_told_with_their_sizes(
    catalog: Catalog, endpoint: Endpoint
) -> None:
    prompt = said("word " * 120_000)
    assert catalog.check_conversation(variant(endpoint), prompt) == ()
    (finding,) = catalog.check_conversation(variant(endpoint, max_output_tokens=16_000), prompt)
    assert finding.location == ("input",)
    assert "16,000 for the answer" in finding.found
    assert "context window of 128,000" in finding.found
    assert finding.expected == "expected a shorter prompt or a smaller max_output_tokens"


def test_a_prompt_alone_beyond_the_context_window_is_told(catalog: Catalog) -> None:
    (finding,) = catalog.check_conversation(variant(), said("word " * 130_000))
    assert finding.expected == "expected a shorter prompt"


def test_the_later_turns_of_a_script_count_too(catalog: Catalog) -> None:
    half = said("word " * 70_000).messages
    script = Conversation(None, (*half, GeneratedTurn(), *half))
    assert catalog.check_conversation(variant(), Conversation(None, half)) == ()
    (finding,) = catalog.check_conversation(variant(), script)
    assert "context window" in finding.found


def test_a_prompt_that_the_api_is_asked_to_cut_may_be_too_long(catalog: Catalog) -> None:
    assert catalog.check_conversation(variant(truncation="auto"), said("word " * 130_000)) == ()


def test_an_estimate_refuses_only_what_is_clearly_beyond(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    from snapdrift.openai_api import text_tokens

    monkeypatch.setattr(text_tokens, "_tokenizer", lambda: None)
    assert catalog.check_conversation(variant(), said("word " * 100_000)) == ()
    (finding,) = catalog.check_conversation(variant(), said("word " * 140_000))
    assert "about" in finding.found


def test_ordinary_prompts_are_never_counted(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    def counted(*_: Any) -> Any:
        raise AssertionError("tokens were counted where a bound decides")

    monkeypatch.setattr(conversations, "estimate_input_tokens", counted)
    assert catalog.check_conversation(variant(max_output_tokens=16_000), said("word " * 20_000, PHOTO)) == ()


def test_the_size_of_a_document_is_not_guessed(catalog: Catalog) -> None:
    document = FilePart("a.pdf", data="data:application/pdf;base64," + "A" * 2_000_000)
    assert catalog.check_conversation(variant(max_output_tokens=16_000), said("Sum it up.", document)) == ()


def test_a_model_that_nobody_knows_has_no_known_window(catalog: Catalog) -> None:
    assert catalog.check_conversation(variant(model="my-model"), said("word " * 200_000)) == ()


# ------------------------------------------------------------------------------------------------------------ JSON mode


@pytest.mark.parametrize("endpoint", HTTP_ENDPOINTS)
def test_json_mode_without_the_word_json_is_told(catalog: Catalog, endpoint: Endpoint) -> None:
    (finding,) = catalog.check_conversation(variant(endpoint, **JSON_MODE), said("Sort this ticket."))
    assert finding.location == ("input",)
    assert "the word JSON" in finding.expected


def test_the_word_json_counts_in_any_case_and_in_the_instructions(catalog: Catalog) -> None:
    asked = said("Sort this ticket.")
    assert catalog.check_conversation(variant(**JSON_MODE), replace(asked, instructions="Answer in Json.")) == ()
    assert catalog.check_conversation(variant(**JSON_MODE), said("Sort this ticket into json.")) == ()


def test_the_word_json_in_a_later_turn_comes_too_late(catalog: Catalog) -> None:
    script = Conversation(None, (*said("Hello.").messages, GeneratedTurn(), *said("Now as JSON.").messages))
    assert len(catalog.check_conversation(variant(**JSON_MODE), script)) == 1


# ----------------------------------------------------------------------------------------------------- images and files


@pytest.mark.parametrize(
    ("endpoint", "conversation", "part"),
    [
        (Endpoint.CHAT, said(ImagePart("file-1", file_id="file-1")), "by file id"),
        (Endpoint.CHAT, said(FilePart("https://e.example/a.pdf", url="https://e.example/a.pdf")), "by URL"),
        (Endpoint.CHAT, said(PHOTO, role="system"), "in a message of the system"),
        (Endpoint.CHAT, said(PHOTO, role="assistant"), "in a message of the assistant"),
        (Endpoint.RESPONSES, said(PHOTO, role="assistant"), "in a message of the assistant"),
    ],
)
def test_a_part_that_an_endpoint_cannot_be_given_is_told_at_its_message(
    catalog: Catalog, endpoint: Endpoint, conversation: Conversation, part: str
) -> None:
    before = Message("user", (TextPart("Look:"),))
    script = Conversation(None, (before, GeneratedTurn(), *conversation.messages))
    (finding,) = catalog.check_conversation(variant(endpoint), script)
    assert finding.location == ("input", 2)
    assert part in finding.found


def test_a_model_that_sees_nothing_is_given_no_image_and_no_document() -> None:
    blind = load_catalog({"my-model": {"input": ["text"]}})
    asked = said(PHOTO, FilePart("a.pdf", file_id="file-1"))
    found = blind.check_conversation(variant(model="my-model"), asked)
    assert [finding.found for finding in found] == [
        "the image photos/shelf.png for my-model, which takes text only",
        "the file a.pdf for my-model, which takes text only",
    ]


def test_more_images_than_a_request_takes_are_told(catalog: Catalog) -> None:
    (finding,) = catalog.check_conversation(variant(), said(*[PHOTO] * 1_501))
    assert "1,501 images" in finding.found


def test_images_of_more_than_the_payload_are_told(catalog: Catalog) -> None:
    large = replace(PHOTO, url="data:image/png;base64," + "A" * 16 * 2**20)
    (finding,) = catalog.check_conversation(variant(), said(*[large] * 33))
    assert "528 MiB" in finding.found
    assert "at most 512 MiB" in finding.expected


# ------------------------------------------------------------------------------------------------------------- warnings


def test_a_small_cap_of_a_reasoning_model_is_warned_about(catalog: Catalog) -> None:
    (sentence,) = catalog.request_warnings(variant(model="gpt-6-luna", max_output_tokens=200))
    assert "max_output_tokens is 200" in sentence
    assert "regression" in sentence


@pytest.mark.parametrize(("model", "cap"), [("gpt-6-luna", 1_000), (AUGUST, 20), ("my-model", 20)])
def test_caps_that_leave_room_or_models_that_do_not_reason_are_not_warned_about(
    catalog: Catalog, model: str, cap: int
) -> None:
    assert catalog.request_warnings(variant(model=model, max_output_tokens=cap)) == ()


def test_an_mcp_server_that_may_ask_for_approval_is_warned_about(catalog: Catalog) -> None:
    server = {"type": "mcp", "server_label": "shop", "server_url": "https://mcp.example"}
    *_, sentence = catalog.request_warnings(variant(tools=[server]))
    assert "require_approval: never" in sentence
    approved = catalog.request_warnings(variant(tools=[{**server, "require_approval": "never"}]))
    assert "may ask for an approval" not in "".join(approved)


def test_what_the_host_s_own_tools_cost_is_said_to_be_in_no_budget(catalog: Catalog) -> None:
    (sentence,) = catalog.request_warnings(variant(tools=[{"type": "web_search"}]))
    assert "the host carries out web_search itself" in sentence
    assert "in no estimate and no budget" in sentence


def test_reasoning_models_are_known_as_such(catalog: Catalog) -> None:
    assert catalog.reasons("gpt-6-luna", Endpoint.RESPONSES)
    assert not catalog.reasons(AUGUST, Endpoint.RESPONSES)
    assert not catalog.reasons("my-model", Endpoint.CHAT)
