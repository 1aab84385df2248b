"""What a model or an endpoint cannot be given of a case: known of each conversation before anything is sent.

Everything here is cheap on the way that nearly every case takes: a bound on the tokens (a token is at least one byte)
is compared first, and tokens are counted only where it exceeds the context window.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from snapdrift.model import Conversation, FilePart, GeneratedTurn, ImagePart, Message, TextPart, Variant
from snapdrift.openai_api.contents import content_mistakes
from snapdrift.openai_api.facts import ModelInfo
from snapdrift.openai_api.requests import build_uncached
from snapdrift.openai_api.setting_values import is_whole, mapping
from snapdrift.openai_api.tokens import estimate_input_tokens, upper_bound_tokens
from snapdrift.openai_api.tool_settings import BUILT_IN
from snapdrift.suites.registry import Finding, Location

MAX_IMAGES = 1_500
MAX_IMAGE_PAYLOAD = 512 * 2**20
"""Images of one request, and characters of their data URLs together (OpenAI docs, guides/images-vision, 2026-07-15)."""
SMALL_REASONING_CAP = 1_000
"""Output tokens below which a reasoning model may have nothing left for its answer."""
_SURE = 0.75
"""What part of an estimate is taken for sure: at 3.5 bytes a token it is over a quarter too high for plain prose."""

_TOKENS_A_CHARACTER = 4
"""UTF-8 has at most four bytes a character, and a token at least one byte."""
_MESSAGE_ROOM, _SETTINGS_ROOM = 64, 4
"""Characters that stand for what goes round a message, and how much longer settings may read to the model than here."""

_INPUT: Location = ("input",)


def conversation_mistakes(info: ModelInfo | None, variant: Variant, conversation: Conversation) -> tuple[Finding, ...]:
    """Why a request of this conversation would be refused; locations are relative to the prompt: `("input", 0)`.

    The whole script counts: its last request sends all of it. What models write in between is not known yet.
    """
    found = [*content_mistakes(variant.endpoint, conversation)]
    if info is not None:
        found.extend(_modality_mistakes(info, variant.model, conversation))
    found.extend(_image_mistakes(conversation))
    found.extend(_json_mode_mistakes(variant, conversation))
    if not found and info is not None and info.context_window is not None:
        found.extend(_window_mistakes(info, info.context_window, variant, conversation))
    return tuple(found)


def request_warnings(info: ModelInfo | None, variant: Variant) -> tuple[str, ...]:
    """Sentences about settings that are taken, and whose results are easily misread."""
    found = []
    cap = variant.request.get("max_output_tokens")
    if info is not None and info.reasoning is True and is_whole(cap) and cap < SMALL_REASONING_CAP:
        found.append(
            f"{variant.name}: max_output_tokens is {cap:,}, and {variant.model} reasons before it answers: reasoning "
            f"counts as output. Answers that are cut off or empty would read as a regression; allow "
            f"{SMALL_REASONING_CAP:,} or more for this variant."
        )
    kinds = [mapping(tool).get("type") for tool in variant.request.get("tools", ())]
    hosted = [kind for kind in BUILT_IN if kind in kinds]
    if hosted:
        found.append(
            f"{variant.name}: the host carries out {', '.join(hosted)} itself. What it charges for that beside tokens, "
            f"and the input of the model's turns in between, is in no estimate and no budget."
        )
    for tool in variant.request.get("tools", ()):
        one = mapping(tool)
        if one.get("type") == "mcp" and one.get("require_approval") != "never":
            label = one.get("server_label", "?")
            found.append(
                f"{variant.name}: the MCP server {label} may ask for an approval, which nobody gives here: the answer "
                f"then ends without text. Set `require_approval: never`."
            )
    return tuple(found)


def _said(conversation: Conversation) -> Iterator[tuple[int, Message]]:
    for number, message in enumerate(conversation.messages):
        if not isinstance(message, GeneratedTurn):
            yield number, message


def _modality_mistakes(info: ModelInfo, model: str, conversation: Conversation) -> Iterator[Finding]:
    """A model that sees images reads documents too, as text and pages; the catalogue may also say `file`."""
    takes = info.input_modalities
    if not takes:
        return
    for number, message in _said(conversation):
        for part in message.parts:
            needed = "image" if isinstance(part, ImagePart) else "file"
            if isinstance(part, TextPart) or "image" in takes or needed in takes:
                continue
            found = f"the {needed} {part.name[:60]} for {model}, which takes {' and '.join(takes)} only"
            yield Finding((*_INPUT, number), found, f"expected a model that takes {needed}s, or leave it out")


def _image_mistakes(conversation: Conversation) -> Iterator[Finding]:
    images = [part for _, message in _said(conversation) for part in message.parts if isinstance(part, ImagePart)]
    if len(images) > MAX_IMAGES:
        yield Finding(_INPUT, f"{len(images):,} images in one request", f"expected at most {MAX_IMAGES:,}")
    payload = sum(len(image.url) for image in images if image.url is not None and image.url.startswith("data:"))
    if payload > MAX_IMAGE_PAYLOAD:
        found = f"images of {payload / 2**20:,.0f} MiB in one request (as data URLs)"
        yield Finding(_INPUT, found, f"expected at most {MAX_IMAGE_PAYLOAD // 2**20} MiB; pass URLs or file ids")


def _json_mode_mistakes(variant: Variant, conversation: Conversation) -> Iterator[Finding]:
    """JSON mode is refused where nothing before the model says "JSON" (OpenAI docs, guides/structured-outputs).

    Instructions count as well: whether Responses looks at them is not published.
    """
    if mapping(mapping(variant.request.get("text")).get("format")).get("type") != "json_object":
        return
    texts = [conversation.instructions or "", *(message.text for message in conversation.turns[0])]
    if not any("json" in text.lower() for text in texts):
        found = "`text.format: {type: json_object}`, and nothing in the prompt says JSON"
        yield Finding(_INPUT, found, "expected the word JSON in instructions or input: the API refuses it otherwise")


def _window_mistakes(info: ModelInfo, window: int, variant: Variant, conversation: Conversation) -> Iterator[Finding]:
    """The prompt with what the model may write, beyond the context window; with `truncation: auto` the API cuts it."""
    if variant.request.get("truncation") == "auto":
        return
    cap = variant.request.get("max_output_tokens")
    cap = cap if is_whole(cap) else 0
    if _surely_fits(variant, conversation, window - cap):
        return
    body = build_uncached(variant, _one_request(conversation)).body
    bound = upper_bound_tokens(body, info.image)
    if bound is not None and bound + cap <= window:
        return
    count = estimate_input_tokens(body, info.image)
    fewest = count.tokens if count.exact else int(count.tokens * _SURE)
    if fewest + cap <= window:
        return
    about = "" if count.exact else "about "
    asked = f" and {cap:,} for the answer (max_output_tokens)" if cap else ""
    found = f"a prompt of {about}{count.tokens:,} tokens{asked}; {variant.model} has a context window of {window:,}"
    yield Finding(_INPUT, found, "expected a shorter prompt" + (" or a smaller max_output_tokens" if cap else ""))


def _surely_fits(variant: Variant, conversation: Conversation, room: int) -> bool:
    """Whether a prompt of text alone fits without a look at its body: no character is more than four tokens."""
    characters = len(conversation.instructions or "")
    for _, message in _said(conversation):
        if not all(isinstance(part, TextPart) for part in message.parts):
            return False
        characters += len(message.text) + _MESSAGE_ROOM
    if characters * _TOKENS_A_CHARACTER > room:
        return False
    written = len(json.dumps(variant.request, default=str))
    return (characters + written * _SETTINGS_ROOM) * _TOKENS_A_CHARACTER <= room


def _one_request(conversation: Conversation) -> Conversation:
    """The whole script as one request, without documents: what their pages come to is not known."""
    messages = tuple(
        replace(message, parts=tuple(part for part in message.parts if not isinstance(part, FilePart)))
        for _, message in _said(conversation)
    )
    return Conversation(conversation.instructions, messages)
