"""One request of a call, on whichever endpoint its variant asks: its body, what was added to it, and its answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from snapdrift.model import CallKey, ClientRequestId, Conversation, Endpoint, Request, Variant
from snapdrift.openai_api import chat, responses
from snapdrift.openai_api.answers import ParsedAnswer


def build_body(variant: Variant, conversation: Conversation) -> dict[str, Any]:
    """Return exactly what is sent, what Snapdrift adds included (`store: false`, explicit `strict`).

    Raises `InvalidEntryError` for a setting that the endpoint has no word for.
    """
    if variant.endpoint is Endpoint.CHAT:
        return chat.build_body(variant, conversation)
    return responses.build_body(variant, conversation)


def added_keys(variant: Variant) -> frozenset[str]:
    """Name what `build_body` adds to the settings as written, by its place in the body (`text.format.strict`)."""
    return chat.added_keys(variant) if variant.endpoint is Endpoint.CHAT else responses.added_keys(variant)


def build_request(
    call: CallKey, variant: Variant, conversation: Conversation, run_id: str, base_url: str, step: int = 0
) -> Request:
    """Return the request that asks `variant` about the conversation, under an id that names run, call and step.

    A judge's request names the grader beside the variant that is judged, so that no two requests share an id.
    """
    asked = f"{call.variant}?judge={call.grader}" if call.grader else call.variant
    return Request(
        call=call,
        step=step,
        endpoint=variant.endpoint,
        base_url=base_url,
        body=build_body(variant, conversation),
        client_request_id=str(ClientRequestId(run_id, call.case_id, asked, call.repeat, step)),
    )


def parse_response(endpoint: Endpoint, body: Mapping[str, Any]) -> ParsedAnswer:
    """Read the body of a 200. Raises `AttemptFailed`, and nothing else, when there is no answer in it."""
    return chat.parse_response(body) if endpoint is Endpoint.CHAT else responses.parse_response(body)
