"""One request of a call, on whichever endpoint its variant asks: its body, what was added to it, and its answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from snapdrift.model import CallKey, ClientRequestId, Conversation, Endpoint, Message, Request, ToolResult, Variant
from snapdrift.openai_api import chat, responses
from snapdrift.openai_api.answers import ParsedAnswer
from snapdrift.openai_api.built_body import BuiltBody
from snapdrift.openai_api.caching import prompt_cache_key


def build(variant: Variant, conversation: Conversation) -> BuiltBody:
    """Return the body of a call's first request, and the places in it that Snapdrift filled in.

    Raises `InvalidEntryError` for a setting or a part of a message that the endpoint has no word for.
    """
    built = build_uncached(variant, conversation)
    key = prompt_cache_key(variant, built.body)
    if key is None:
        return built
    return BuiltBody({**built.body, "prompt_cache_key": key}, built.added | {("prompt_cache_key",)})


def build_uncached(variant: Variant, conversation: Conversation) -> BuiltBody:
    """Return what `build` does but for the `prompt_cache_key`, which takes longest to find and decides nothing else."""
    on_chat = variant.endpoint is Endpoint.CHAT
    return chat.build(variant, conversation) if on_chat else responses.build(variant, conversation)


def build_body(variant: Variant, conversation: Conversation) -> dict[str, Any]:
    """Return exactly what is sent first, what Snapdrift adds included (`store: false`, explicit `strict`).

    Raises `InvalidEntryError` as `build` does.
    """
    return build(variant, conversation).body


def follow_up_body(
    variant: Variant, body: Mapping[str, Any], raw: str, additions: Sequence[ToolResult | Message]
) -> dict[str, Any]:
    """Return the body of a call's next request: `body` (the one before) carried on with its answer and `additions`.

    `raw` is the answer as received, of a stream the object that its events add up to. Raises `AttemptFailed` when it
    is none that can be carried on.
    """
    if variant.endpoint is Endpoint.CHAT:
        return chat.follow_up(body, raw, additions)
    return responses.follow_up(variant, body, raw, additions)


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
