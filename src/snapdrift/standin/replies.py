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
    """An answer: text, a refusal (`refusal` is not None) or tool calls. `source` is `RECORDED` or `SIMULATED`."""

    text: str = ""
    refusal: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    incomplete: Incomplete | None = None
    source: Source = Source.SIMULATED


@dataclass(frozen=True, slots=True)
class Spent:
    """The tokens that an answer is reported to have used."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0

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
