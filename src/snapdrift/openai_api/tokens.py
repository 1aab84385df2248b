"""The input tokens of a request body: counted as well as can be told, and a bound that they do not exceed.

| what | tokens | source |
| --- | --- | --- |
| text | o200k_base | exact with the extra `tokens` |
| a message | 3, its role, its text; a request 3 more | OpenAI cookbook, "How to count tokens" |
| an image | the tile rule of the model | OpenAI docs, guides/images-vision, 2026-07-15 |
| tools | 12, and by function and property as below | the same, section 7; nested properties likewise |
| a JSON Schema | its compact JSON | own estimate: how it is put to the model is not published |
| a file | not counted | what a document's pages come to is not published |

Everything but texts and images of known size is marked as not exact.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from snapdrift.openai_api.bodies import Content, SentImage, content_of, json_text
from snapdrift.openai_api.images import (
    GPT_4O,
    GPT_4O_MINI,
    ImageRule,
    image_tokens,
    most_image_tokens,
    size_of_data_url,
)
from snapdrift.openai_api.text_tokens import BYTES_PER_TOKEN, TokenCount, estimate_tokens, size_of

__all__ = [
    "BYTES_PER_TOKEN",
    "IMAGE_TOKENS_BOUND",
    "TokenCount",
    "estimate_input_tokens",
    "estimate_tokens",
    "size_of",
    "upper_bound_tokens",
]

MESSAGE_TOKENS = 3
REPLY_TOKENS = 3
"""What the chat format adds to a message, its role apart, and what starts the reply (table above)."""

FUNCTION_TOKENS = 7
PROPERTIES_TOKENS = 3
PROPERTY_TOKENS = 3
ENUM_TOKENS = -3
ENUM_ITEM_TOKENS = 3
TOOLS_END_TOKENS = 12
"""What the cookbook adds for tools of gpt-4o: by function, by its properties, by property, by enum and value, once."""

MESSAGE_TOKENS_BOUND = 16
SCHEMA_TOKENS_BOUND = 256
"""Room for the wording that goes round a JSON Schema or tool definition; how OpenAI renders these is not published."""
IMAGE_TOKENS_BOUND = GPT_4O_MINI.most
"""The most that an image takes in the family: 2,833 + 8 x 5,667 tokens (gpt-4o-mini)."""


def estimate_input_tokens(body: Mapping[str, Any], rule: ImageRule | None = None) -> TokenCount:
    """The input tokens of a request body of either endpoint; `rule` is that of its model's images.

    Exact for texts, and for images of known size with `rule` and a `detail` of low or high. Without a rule images are
    counted by that of gpt-4o. Files and what is not in the body (an earlier response) count nothing.
    """
    content = content_of(body)
    counts = [estimate_tokens(text) for text in (*content.texts, *content.definitions)]
    counts += [_image(image, rule or GPT_4O) for image in content.images]
    tokens = sum(count.tokens for count in counts) + MESSAGE_TOKENS * content.messages + REPLY_TOKENS
    certain = not (content.definitions or content.tools or content.files or content.calls or content.unseen)
    exact = certain and all(count.exact for count in counts) and (rule is not None or not content.images)
    return TokenCount(tokens + _tools_tokens(content), exact)


COUNTED_FAMILIES = ("gpt-4o", "chatgpt-4o")
"""How the names of models begin whose texts are counted: those of the encoding o200k_base (tiktoken, `model.py`)."""


def upper_bound_tokens(
    body: Mapping[str, Any],
    rule: ImageRule | None = None,
    context_window: int | None = None,
    *,
    counted: bool = False,
) -> int | None:
    """A number that the input tokens of a request body do not exceed; None where nothing bounds them.

    A token is at least one byte of text; with `counted` texts are counted where they can be (for models of
    `COUNTED_FAMILIES`, and four to five times nearer for prose, at more work), while what goes round them stays
    bounded. An image takes at most what the rule gives for its size. What a file or an
    earlier response comes to is bounded by the context window alone, as is everything: a longer prompt is refused.
    """
    content = content_of(body)
    size = _counted_size if counted else size_of
    known = None if content.files or content.unseen else _known_bound(content, rule, size)
    bounds = [bound for bound in (known, context_window) if bound is not None]
    return min(bounds) if bounds else None


def _known_bound(content: Content, rule: ImageRule | None, size: Callable[[str], int]) -> int:
    tools = [json_text(tool) for tool in content.tools]
    told = len(content.definitions) + len(tools)
    text = sum(map(size, content.texts)) + sum(size_of(text) for text in (*content.definitions, *tools))
    images = sum(_most_of_image(image, rule or GPT_4O_MINI) for image in content.images)
    return text + images + SCHEMA_TOKENS_BOUND * told + MESSAGE_TOKENS_BOUND * (content.messages + content.calls + 1)


def _counted_size(text: str) -> int:
    """The tokens of a text where they are counted exactly, else its bytes."""
    count = estimate_tokens(text)
    return count.tokens if count.exact else size_of(text)


def _image(image: SentImage, rule: ImageRule) -> TokenCount:
    return image_tokens(rule, _size_of(image), image.detail)


def _most_of_image(image: SentImage, rule: ImageRule) -> int:
    return most_image_tokens(rule, _size_of(image), image.detail)


def _size_of(image: SentImage) -> tuple[int, int] | None:
    """The size in pixels, looked up only where it matters."""
    return None if image.detail == "low" or image.data_url is None else size_of_data_url(image.data_url)


def _tools_tokens(content: Content) -> int:
    if not content.tools:
        return 0
    return TOOLS_END_TOKENS + sum(_function_tokens(json_text(tool)) for tool in content.tools)


@lru_cache(maxsize=256)
def _function_tokens(text: str) -> int:
    """Tokens of a function definition (as JSON, so that it can be remembered: tools are the same for every case)."""
    tool = json.loads(text)
    lines = [_line(tool.get("name"), tool.get("description"))]
    extra = FUNCTION_TOKENS
    for line, tokens in _properties(tool.get("parameters")):
        lines.append(line)
        extra += tokens
    return extra + sum(estimate_tokens(line).tokens for line in lines)


def _properties(schema: Any) -> Iterator[tuple[str, int]]:
    """The lines that a schema's properties are told in, with the tokens that each adds; nested ones likewise."""
    if not isinstance(schema, Mapping):
        return
    properties = schema.get("properties")
    for number, (name, said) in enumerate(properties.items() if isinstance(properties, Mapping) else ()):
        extra = PROPERTY_TOKENS + (0 if number else PROPERTIES_TOKENS)
        told = said if isinstance(said, Mapping) else {}
        values = told.get("enum")
        if isinstance(values, list) and values:
            yield "", ENUM_TOKENS
            yield from ((str(value), ENUM_ITEM_TOKENS) for value in values)
        yield _line(name, told.get("type"), told.get("description")), extra
        yield from _properties(told)
    definitions = schema.get("$defs")
    branches = schema.get("anyOf")
    inner = [schema.get("items"), *(branches if isinstance(branches, list) else ())]
    for part in (*inner, *(definitions.values() if isinstance(definitions, Mapping) else ())):
        yield from _properties(part)


def _line(*parts: Any) -> str:
    return ":".join("" if part is None else str(part).removesuffix(".") for part in parts)
