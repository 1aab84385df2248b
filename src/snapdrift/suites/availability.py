"""Keys of the design that this version reads but does not act on: each is an error where it is used, never ignored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from snapdrift.suites.gate_entries import Baseline, GateEntry
from snapdrift.suites.registry import Location
from snapdrift.suites.suite import PartEntry, PromptEntry, SuiteFile, VariantEntry

if TYPE_CHECKING:
    from snapdrift.suites.document import Document
    from snapdrift.suites.loading import Loading

LATER_REQUEST_KEYS = frozenset(
    {
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "max_tool_calls",
        "top_logprobs",
        "include",
        "stream",
        "previous_response_id",
    }
)
"""Request settings that come later. The catalogue may refuse more, but none of these goes through."""
LATER_COLUMNS = ("tool_results", "messages")
"""Dataset columns with a meaning that comes later."""


def check_available(entry: SuiteFile, loading: Loading) -> None:
    """Complains about every key of the suite file that comes later."""
    for location in (*_suite_keys(entry), *_variant_keys(entry), *_gate_keys(entry), *_prompt_keys(entry)):
        refuse(location, loading)


def check_prompt(prompt: PromptEntry, loading: Loading, document: Document) -> None:
    """The same for a prompt in a file of its own."""
    for location in _parts((), prompt):
        refuse(location, loading, document)


INSTEAD = {
    "extend": "use fail or warn in this version",
    "max_age": "use `cache: never`; there is no cache across runs in this version",
    "ref": "use {variant: NAME} in this version",
    "run": "use {variant: NAME} in this version",
    "archive": "use {variant: NAME} in this version",
}
"""What serves until a thing that comes later is there."""


def refuse(location: Location, loading: Loading, document: Document | None = None) -> None:
    """Complains that what is written at a location comes later."""
    names = [str(part) for part in location if isinstance(part, str)]
    if names[-1] == "inconclusive":
        names.append("extend")
    found = f"{names[-1]} is not available yet"
    expected = INSTEAD.get(names[-1], "leave it out in this version")
    loading.complain(location, found, expected, key=True, document=document)


def _suite_keys(entry: SuiteFile) -> Iterator[Location]:
    flags = {"stream": entry.stream, "early_stop": entry.early_stop, "require_calibration": entry.require_calibration}
    yield from ((name,) for name, value in flags.items() if value)
    if entry.target == "these_cases":
        yield ("target",)
    if entry.max_steps is not None:
        yield ("max_steps",)
    if entry.privacy is not None:
        yield ("privacy",)
    if entry.budget is not None and entry.budget.per_day is not None:
        yield ("budget", "per_day")
    yield from _request_keys(("request",), entry.request)


def _variant_keys(entry: SuiteFile) -> Iterator[Location]:
    for name, variant in (entry.variants or {}).items():
        yield from _one_variant(("variants", name), variant)
    models = entry.matrix.model if entry.matrix is not None else None
    for name, model in models.items() if isinstance(models, dict) else ():
        if isinstance(model, VariantEntry):
            yield from _one_variant(("matrix", "model", name), model)


def _one_variant(place: Location, variant: VariantEntry) -> Iterator[Location]:
    later: dict[str, Any] = {
        "batch": variant.batch,
        "stream": variant.stream,
        "python": variant.python,
        "outputs": variant.outputs,
    }
    yield from ((*place, name) for name, value in later.items() if value)
    yield from _request_keys((*place, "request"), variant.request)
    if isinstance(variant.prompt, PromptEntry):
        yield from _parts((*place, "prompt"), variant.prompt)


def _request_keys(place: Location, request: dict[str, Any] | None) -> Iterator[Location]:
    yield from ((*place, name) for name in request or () if name in LATER_REQUEST_KEYS)


def _gate_keys(entry: SuiteFile) -> Iterator[Location]:
    for place, gate in gate_places(entry).values():
        yield from _one_gate(place, gate)


def gate_places(entry: SuiteFile) -> dict[str, tuple[Location, GateEntry]]:
    """The gates by name with where they stand; `gate:` alone is the gate named default."""
    gates: dict[str, tuple[Location, GateEntry]] = {}
    if entry.gate is not None:
        gates["default"] = (("gate",), entry.gate)
    for name, gate in (entry.gates or {}).items():
        gates[name] = (("gates", name), gate)
    return gates


def _one_gate(place: Location, gate: GateEntry) -> Iterator[Location]:
    if gate.inconclusive == "extend":
        yield (*place, "inconclusive")
    if gate.cache is not None and gate.cache != "never":
        yield (*place, "cache", "max_age")
    if gate.budget is not None and gate.budget.per_day is not None:
        yield (*place, "budget", "per_day")
    if gate.baseline is not None:
        yield from _baseline_forms((*place, "baseline"), gate.baseline)


def _baseline_forms(place: Location, baseline: Baseline) -> Iterator[Location]:
    for name in ("ref", "run", "archive", "fallback"):
        if getattr(baseline, name) is not None:
            yield (*place, name)


def _prompt_keys(entry: SuiteFile) -> Iterator[Location]:
    if isinstance(entry.prompt, PromptEntry):
        yield from _parts(("prompt",), entry.prompt)
    for name, prompt in (entry.prompts or {}).items():
        if isinstance(prompt, PromptEntry):
            yield from _parts(("prompts", name), prompt)


def _parts(place: Location, prompt: PromptEntry) -> Iterator[Location]:
    for number, message in enumerate(prompt.input if isinstance(prompt.input, list) else ()):
        for index, part in enumerate(message.content if isinstance(message.content, list) else ()):
            yield from _one_part((*place, "input", number, "content", index), part)


def _one_part(place: Location, part: PartEntry) -> Iterator[Location]:
    for name, value in (("image", part.image), ("file", part.file), ("if", part.if_), ("each", part.each)):
        if value is not None:
            yield (*place, name)
    if part.detail is not None and part.text is not None:
        yield (*place, "detail")
