"""Parts of OpenAI's API that Snapdrift does not measure: a suite that asks for one is told so, and what to use instead.

Dates: OpenAI's deprecations page (entries of 2026-06-03 and 2026-10-14).
"""

from __future__ import annotations

from typing import Any

_ASSISTANTS = (
    "the Assistants API is out of scope: OpenAI removed it on 2026-08-26",
    "expected a prompt on the Responses API: a list of messages for a thread, `request: {tools: ...}` for its tools",
)
_REALTIME = (
    "audio and the Realtime API are out of scope: Snapdrift grades text",
    "expected a model that answers in text, asked with the transcript; or {outputs: FILE} with answers made elsewhere",
)
_TUNING = (
    "fine-tuning jobs are out of scope: Snapdrift measures models and makes none",
    "expected the id of a model that is already tuned (model: ft:...)",
)
_HOSTED_EVALS = (
    "OpenAI's hosted Evals are out of scope: their API ends on 2026-11-30",
    "expected dataset, prompt and graders in this file (`snapdrift import openai-evals` makes them of an export)",
)

_ENDPOINTS = {
    "assistants": _ASSISTANTS,
    "assistant": _ASSISTANTS,
    "threads": _ASSISTANTS,
    "runs": _ASSISTANTS,
    "realtime": _REALTIME,
    "audio": _REALTIME,
    "speech": _REALTIME,
    "transcriptions": _REALTIME,
    "fine_tuning": _TUNING,
    "fine-tuning": _TUNING,
    "evals": _HOSTED_EVALS,
}
_KEYS = {
    "assistant": _ASSISTANTS,
    "assistant_id": _ASSISTANTS,
    "thread": _ASSISTANTS,
    "thread_id": _ASSISTANTS,
    "tool_resources": _ASSISTANTS,
    "additional_messages": _ASSISTANTS,
    "additional_instructions": _ASSISTANTS,
    "audio": _REALTIME,
    "input_audio": _REALTIME,
    "modalities": _REALTIME,
    "voice": _REALTIME,
    "turn_detection": _REALTIME,
    "input_audio_transcription": _REALTIME,
    "training_file": _TUNING,
    "validation_file": _TUNING,
    "hyperparameters": _TUNING,
    "n_epochs": _TUNING,
    "data_source_config": _HOSTED_EVALS,
    "testing_criteria": _HOSTED_EVALS,
}
_AUDIO_WORDS = frozenset({"realtime", "audio", "transcribe", "tts", "whisper"})


def scope_of_key(key: Any) -> tuple[str, str] | None:
    """What to say of a key that belongs to such a part (found, expected); None for every other key."""
    return _KEYS.get(key) if isinstance(key, str) else None


def scope_of_model(model: str) -> tuple[str, str] | None:
    """The same of a model's id: one that hears or speaks (`gpt-4o-realtime-preview`, `gpt-4o-mini-tts`)."""
    words = model.lower().replace(":", "-").split("-")
    return None if _AUDIO_WORDS.isdisjoint(words) else (f"{model} hears or speaks; {_REALTIME[0]}", _REALTIME[1])


def check_endpoint(endpoint: Any) -> Any:
    """The endpoint as it is; raises `ValueError` with the words for one that is out of scope."""
    found = _ENDPOINTS.get(endpoint) if isinstance(endpoint, str) else None
    if found is not None:
        raise ValueError("; ".join(found))
    return endpoint
