"""Prompt caching: what a request shares with an earlier one of the same model is reported as cached.

As the service documents it: prompts of 1,024 tokens and more, an exact common prefix (tools, schema, messages, images
with their detail), in steps of 128 tokens, forgotten after a while (OpenAI docs, guides/prompt-caching). A
`prompt_cache_key` keeps requests apart. Here the while is ten minutes after the last use.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b

from snapdrift.model import canonical_json
from snapdrift.openai_api.images import ImageRule
from snapdrift.openai_api.tokens import MESSAGE_TOKENS, estimate_tokens
from snapdrift.standin.attachments import Contents, attachment_tokens
from snapdrift.standin.draws import digest
from snapdrift.standin.questions import Question

LEAST_TOKENS = 1_024
STEP_TOKENS = 128
KEPT_SECONDS = 600.0
_BLOCK = 64
_MOST_BLOCKS = 500_000


@dataclass(frozen=True, slots=True)
class _Segment:
    """A piece of the prompt: a message or schema as text, or (with `tokens`) an image or file that is whole or not."""

    text: str
    tokens: int = 0


class PromptCache:
    """What was asked lately. `clock` gives seconds that only go up."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._used: OrderedDict[bytes, float] = OrderedDict()

    def cached_tokens(self, model: str, rule: ImageRule | None, question: Question, input_tokens: int) -> int:
        """How many of the input tokens an earlier request has left in the cache; this one is remembered in turn."""
        if input_tokens < LEAST_TOKENS:
            return 0
        segments = list(_segments(rule, question))
        hits = self._hits(model, str(question.body.get("prompt_cache_key") or ""), segments)
        shared = min(_tokens(segments, hits), input_tokens - 1)  # the last token is always computed
        return shared // STEP_TOKENS * STEP_TOKENS if shared >= LEAST_TOKENS else 0

    def _hits(self, model: str, key: str, segments: list[_Segment]) -> int:
        """How many blocks at the beginning were seen before; all are marked as used now."""
        now = self._clock()
        chained, hits, missed = digest("prompt", model, key), 0, False
        for segment in segments:
            for start in range(0, max(1, len(segment.text)), _BLOCK):
                block = segment.text[start : start + _BLOCK].encode("utf-8", "surrogatepass")
                chained = blake2b(chained + block, digest_size=16).digest()
                used = self._used.pop(chained, None)
                missed = missed or used is None or now - used > KEPT_SECONDS
                hits += not missed
                self._used[chained] = now
        while len(self._used) > _MOST_BLOCKS:
            self._used.popitem(last=False)
        return hits


def _segments(rule: ImageRule | None, question: Question) -> Iterator[_Segment]:
    """The prompt in the order in which it is put to the model: tools, schema, messages."""
    for tool in question.tools.offered:
        yield _Segment(canonical_json([tool.name, tool.words, tool.parameters, tool.strict]))
    if question.format.schema is not None:
        yield _Segment(canonical_json(question.format.schema))
    for turn in question.transcript.turns:
        for attachment in turn.attachments:
            contents = question.contents.get(attachment.identity, Contents())
            yield _Segment(attachment.identity, attachment_tokens(rule, attachment, contents))
        yield _Segment(f"{turn.role}\n{turn.line}")


def _tokens(segments: list[_Segment], blocks: int) -> int:
    """The tokens of the first `blocks` blocks."""
    tokens = 0
    for segment in segments:
        size = max(1, -(-len(segment.text) // _BLOCK))
        if segment.tokens:
            tokens += segment.tokens if blocks >= size else 0
        else:
            tokens += estimate_tokens(segment.text[: blocks * _BLOCK]).tokens + MESSAGE_TOKENS * (blocks >= size)
        blocks -= size
        if blocks <= 0:
            break
    return tokens
