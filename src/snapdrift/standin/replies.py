"""What the stand-in says to a question, before it takes the form of one endpoint or the other."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from snapdrift.model import Source, ToolCall


class Incomplete(StrEnum):
    """Why an answer ends early, in the Responses API's words."""

    OUTPUT_CAP = "max_output_tokens"
    FILTER = "content_filter"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: text, a refusal (`refusal` is not None) or tool calls, with or without text before them.

    `reasoning_tokens` is what a reasoning model thought before (None: it is no such model). `source` is `RECORDED` or
    `SIMULATED`.
    """

    text: str = ""
    refusal: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    incomplete: Incomplete | None = None
    source: Source = Source.SIMULATED
    reasoning_tokens: int | None = None

    @property
    def says(self) -> bool:
        """Whether there is a message, apart from tool calls and reasoning."""
        out_of_tokens = self.incomplete is not None and self.reasoning_tokens is not None and not self.text
        return self.refusal is not None or bool(self.text) or not (self.tool_calls or out_of_tokens)


@dataclass(frozen=True, slots=True)
class Spent:
    """The tokens that an answer is reported to have used. Cached is a part of input, reasoning a part of output."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    reasoning_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Input and output."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class Finished:
    """A reply with what the wire adds to it: ids, the snapshot that answered, when (Unix time), and the tokens."""

    reply: Reply
    id: str
    item_id: str
    model: str
    created: int
    spent: Spent
    fingerprint: str
