"""What a request weighs against the rate limits of an account: tokens and images, estimated cheaply.

A provider counts what is asked for when it admits a request: the prompt by its length and the longest answer that the
request allows (OpenAI documentation, guides/rate-limits). What was really used is known afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from snapdrift.openai_api.bodies import content_of
from snapdrift.openai_api.text_tokens import BYTES_PER_TOKEN

ASSUMED_OUTPUT = 512
"""Tokens of an answer that has no cap. Our assumption."""
LOW_IMAGE_TOKENS = 85
IMAGE_TOKENS = 765
"""Of an image of low detail, and of one of 1024 x 1024 in high detail, by the tile rule of gpt-4o (guides/vision)."""
_CAPS = ("max_output_tokens", "max_completion_tokens", "max_tokens")


@dataclass(frozen=True, slots=True)
class Load:
    """What a request is expected to take at most of the limits on tokens and images."""

    tokens: int
    images: int = 0


def load_of(body: Mapping[str, Any]) -> Load:
    """Estimates a body of either endpoint; no text is tokenized."""
    content = content_of(body)
    characters = sum(map(len, content.texts)) + sum(map(len, content.definitions))
    characters += sum(len(str(tool)) for tool in content.tools)
    images = sum(LOW_IMAGE_TOKENS if image.detail == "low" else IMAGE_TOKENS for image in content.images)
    cap = next((body[name] for name in _CAPS if isinstance(body.get(name), int)), ASSUMED_OUTPUT)
    return Load(math.ceil(characters / BYTES_PER_TOKEN) + images + cap, len(content.images))
