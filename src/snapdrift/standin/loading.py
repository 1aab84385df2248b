"""What a server loads before it can answer: done while nobody waits, it does not slow the first answer down."""

from __future__ import annotations


def load_server() -> None:
    """Imports what serving takes, and reads the ranks of the tokenizer, which takes as long as all of that."""
    import uvicorn.lifespan.on
    import uvicorn.protocols.http.h11_impl  # noqa: F401

    import snapdrift.standin.app  # noqa: F401
    from snapdrift.openai_api.tokens import estimate_tokens

    estimate_tokens("")
