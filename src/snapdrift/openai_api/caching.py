"""The `prompt_cache_key` of a request: requests that begin alike are sent where that beginning is cached.

OpenAI caches prompts of at least 1,024 tokens by exact prefix and routes by the key (guides/prompt-caching,
2026-07-15): tools, the schema of the answer, then the messages. The key is made of the longest beginning that the
prompt's template makes the same for every case; where that is too short to be cached, of everything before the first
template expression of the last message, which cases may share in groups (questions about one document).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from snapdrift.model import Case, Variant, canonical_json
from snapdrift.openai_api.bodies import Content, content_of
from snapdrift.openai_api.images import GPT_4O
from snapdrift.openai_api.text_tokens import BYTES_PER_TOKEN, estimate_tokens, size_of

MIN_CACHED_TOKENS = 1024
MIN_PREFIX_BYTES = int(MIN_CACHED_TOKENS * BYTES_PER_TOKEN)
"""How long a prefix has to be. In bytes, so that a body never depends on whether the tokenizer is installed."""

_TEMPLATE_STARTS = re.compile(r"\{\{|\{%|\{#")
_DEFINITIONS = ("tools", "response_format")


@dataclass(frozen=True, slots=True)
class CachePrefix:
    """The beginning of a prompt that is worth caching: the key that names it, and what it holds.

    `body` are the parts of the request body that the prefix is made of, in the shape of a body.
    """

    key: str
    body: Mapping[str, Any]

    @property
    def tokens(self) -> int:
        """About how many tokens it has; how definitions are put to the model is not published."""
        content, definitions = _prefix_content(self.body), _definitions(self.body)
        texts = [*content.texts, *([canonical_json(definitions)] if definitions else [])]
        return sum(estimate_tokens(text).tokens for text in texts) + len(content.images) * GPT_4O.base


def prompt_cache_key(variant: Variant, body: Mapping[str, Any]) -> str | None:
    """The `prompt_cache_key` that Snapdrift adds to a request body, or None.

    None where the suite sets its own, where nothing long enough is shared, and for a declared host: whether it takes
    the key is not known.
    """
    if variant.host is not None or "prompt_cache_key" in variant.request:
        return None
    found = cache_prefix(variant, body)
    return None if found is None else found.key


def cache_prefix(variant: Variant, body: Mapping[str, Any]) -> CachePrefix | None:
    """The prefix of a request body that others may share, None where none is long enough to be cached."""
    if not variant.endpoint.over_http or _is_plainly_short(body) or _most_bytes(body) < MIN_PREFIX_BYTES:
        return None
    for shared in (_same_for_every_case(variant, body), _before_the_last_expression(variant, body)):
        if _prefix_bytes(shared) >= MIN_PREFIX_BYTES:
            digest = hashlib.sha256(canonical_json([body.get("model"), shared]).encode("utf-8", "surrogatepass"))
            return CachePrefix(f"snapdrift-{digest.hexdigest()[:32]}", shared)
    return None


def prefix_varies(variant: Variant, cases: Iterable[Case]) -> bool:
    """Whether the prefix of one case may differ from that of another: only then does the order of cases matter."""
    if not variant.endpoint.over_http:
        return False
    written = variant.prompt.get("input")
    before = [] if isinstance(written, str) else list(written or ())[:-1]
    if any(_TEMPLATE_STARTS.search(text) for text in _sources([variant.prompt.get("instructions"), *before])):
        return True
    # One expression may yield a list of messages; from text it makes one message.
    native = isinstance(written, str) and written.lstrip().startswith("{{")
    return native and any(isinstance(value, list) for case in cases for value in case.variables.values())


def _same_for_every_case(variant: Variant, body: Mapping[str, Any]) -> dict[str, Any]:
    """Definitions and messages up to the first template expression."""
    told: list[Any] = []
    for message, source in _messages_with_sources(variant, body):
        literal = _literal(source, _text_of(message))
        told.append(literal)
        if source is None or literal != _text_of(message):
            break
        told[-1] = message
    return {**_definitions(body), "messages": told}


def _before_the_last_expression(variant: Variant, body: Mapping[str, Any]) -> dict[str, Any]:
    """Definitions, every message but the last, and what the last one's template says before its first expression."""
    pairs = _messages_with_sources(variant, body)
    told: list[Any] = [message for message, _ in pairs[:-1]]
    told += [_literal(source, _text_of(message)) for message, source in pairs[-1:]]
    return {**_definitions(body), "messages": told}


def _messages_with_sources(variant: Variant, body: Mapping[str, Any]) -> list[tuple[Any, str | None]]:
    """The messages of the body in order, each with the template of its text; None where that is not one text.

    A scripted conversation begins with the first of its messages, so that both lists line up from the start.
    """
    written, instructions = variant.prompt.get("input"), variant.prompt.get("instructions")
    sources: list[Any] = [written] if isinstance(written, str) else [_content(entry) for entry in written or ()]
    messages = body["input"] if "input" in body else body.get("messages", ())
    messages = [{"role": "user", "content": messages}] if isinstance(messages, str) else list(messages)
    if isinstance(body.get("instructions"), str):
        messages.insert(0, {"role": "system", "content": body["instructions"]})
        sources.insert(0, instructions)
    elif instructions is not None:
        sources.insert(0, instructions)
    texts = [source if isinstance(source, str) else None for source in sources]
    return list(zip(messages, [*texts, *[None] * len(messages)], strict=False))


def _content(entry: Any) -> Any:
    return entry.get("content") if isinstance(entry, Mapping) else None


def _sources(entries: Iterable[Any]) -> Iterator[str]:
    """Every text of prompt entries that may be a template."""
    for entry in entries:
        if isinstance(entry, str):
            yield entry
        elif isinstance(entry, Mapping):
            yield from _sources(entry.values())
        elif isinstance(entry, list | tuple):
            yield from _sources(entry)


def _literal(source: str | None, text: str) -> str:
    """What a template says before its first expression, as far as the rendered text begins with it."""
    if source is None:
        return ""
    start = _TEMPLATE_STARTS.search(source)
    literal = source if start is None else source[: start.start()]
    return next((said for said in (literal, literal.rstrip()) if text.startswith(said)), "")


def _text_of(message: Any) -> str:
    content = message.get("content") if isinstance(message, Mapping) else message
    return content if isinstance(content, str) else ""


def _definitions(body: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: body[key] for key in _DEFINITIONS if body.get(key)}
    text = body.get("text")
    if isinstance(text, Mapping) and text.get("format"):
        found["text"] = {"format": text["format"]}
    return found


def _is_plainly_short(body: Mapping[str, Any]) -> bool:
    """Whether a body has texts alone, and so few that nothing needs to be read closer: most have."""
    messages = body["input"] if "input" in body else body.get("messages", ())
    told = [messages] if isinstance(messages, str) else [_content(message) for message in messages]
    told.append(body.get("instructions") or "")
    texts = [text for text in told if isinstance(text, str)]
    # A character has four bytes at most.
    return len(texts) == len(told) and 4 * sum(map(len, texts)) < MIN_PREFIX_BYTES and not _definitions(body)


def _most_bytes(body: Mapping[str, Any]) -> int:
    """What a prefix could come to at first sight, without serialising anything: nearly every prompt is too short."""
    prompt = {key: body[key] for key in ("instructions", "input", "messages") if key in body}
    return _content_bytes(content_of(prompt)) + (MIN_PREFIX_BYTES if _definitions(body) else 0)


def _prefix_bytes(prefix: Mapping[str, Any]) -> int:
    definitions = {key: value for key, value in prefix.items() if key != "messages"}
    told = size_of(canonical_json(definitions)) if definitions else 0
    return told + _content_bytes(_prefix_content(prefix))


def _prefix_content(prefix: Mapping[str, Any]) -> Content:
    """A message that is cut off is a text in the prefix."""
    messages = [m if isinstance(m, Mapping) else {"role": "", "content": m} for m in prefix["messages"]]
    return content_of({"messages": messages})


def _content_bytes(content: Content) -> int:
    return sum(map(size_of, content.texts)) + int(len(content.images) * GPT_4O.base * BYTES_PER_TOKEN)
