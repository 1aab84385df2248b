"""How fast a streamed answer was written."""

from __future__ import annotations

from snapdrift.model import Usage


def tokens_per_second(usage: Usage | None, latency_ms: float | None, first_token_ms: float | None) -> float | None:
    """How fast a streamed request wrote its answer once it had begun, None where that is not known."""
    if first_token_ms is None or latency_ms is None or usage is None:
        return None
    written, took = usage.output_tokens - usage.reasoning_tokens, latency_ms - first_token_ms
    return written / (took / 1000) if took > 0 and written > 0 else None
