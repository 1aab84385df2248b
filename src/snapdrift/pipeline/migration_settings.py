"""What of a request another model does not take, and what it needs more of: each change with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from snapdrift.model import Endpoint, Variant

if TYPE_CHECKING:
    from snapdrift.openai_api.catalog import Catalog

REASONING_TOKENS = 4_000
"""By how much an output cap is raised for a model that reasons: its reasoning tokens count against the cap (OpenAI
documentation, guides/reasoning). It is a start: answers that are cut off are counted as `truncated`."""
_LOGPROBS = "message.output_text.logprobs"
_ROUNDS = 20


@dataclass(frozen=True, slots=True)
class Change:
    """Something that the new suite says otherwise: where, what it was, what it is (None: nothing), and why.

    `setting` is the request setting that it is about, empty for what is no setting.
    """

    place: str
    before: Any
    after: Any
    why: str
    setting: str = ""


def migrated_request(catalog: Catalog, baseline: Variant, to: str) -> tuple[Endpoint, tuple[Change, ...]]:
    """The endpoint that the model is asked on, and the settings that are other for it than for the baseline.

    What the catalogue knows nothing of stays as it is. A mistake that no null mends is left for `check` to tell.
    """
    request, endpoint = dict(baseline.request), _endpoint(catalog, baseline, to)
    changes: dict[str, Change] = {}
    if endpoint is not baseline.endpoint:
        why = f"{to} is not asked on {baseline.endpoint.value}"
        changes["endpoint"] = Change("endpoint", baseline.endpoint.value, endpoint.value, why)
    for _ in range(_ROUNDS):
        change = _next_change(catalog, request, endpoint, to, baseline.request)
        if change is None or change.setting in changes:
            break
        changes[change.setting] = change
        request = _with(request, change)
    cap = request.get("max_output_tokens")
    reasons = catalog.reasons(to, endpoint) and not catalog.reasons(baseline.model, baseline.endpoint)
    if reasons and isinstance(cap, int) and "max_output_tokens" not in changes:
        info = catalog.get(to)
        most = info.max_output if info is not None and info.max_output is not None else cap + REASONING_TOKENS
        raised = min(most, cap + REASONING_TOKENS)
        why = f"{to} reasons before it answers, and reasoning tokens count against the cap"
        changes["max_output_tokens"] = _setting("max_output_tokens", cap, raised, why)
    return endpoint, tuple(changes.values())


def _endpoint(catalog: Catalog, baseline: Variant, to: str) -> Endpoint:
    info = catalog.get(to)
    if info is None or not info.endpoints or baseline.endpoint in info.endpoints:
        return baseline.endpoint
    return Endpoint(info.endpoints[0])


def _next_change(
    catalog: Catalog, request: Mapping[str, Any], endpoint: Endpoint, to: str, before: Mapping[str, Any]
) -> Change | None:
    """The next setting that the model or endpoint does not take as it is."""
    for finding in catalog.check_request(to, endpoint, request):
        name = str(finding.location[0]) if finding.location else ""
        if name not in request:
            continue
        info = catalog.get(to)
        if name == "max_output_tokens" and info is not None and info.max_output is not None:
            return _setting(name, before[name], info.max_output, finding.found)
        return _setting(name, before.get(name), None, finding.found)
    included = request.get("include")
    if "top_logprobs" in before and "top_logprobs" not in request and isinstance(included, list | tuple):
        rest = [item for item in included if item != _LOGPROBS]
        if len(rest) < len(included):
            return _setting("include", list(included), rest or None, "without `top_logprobs` it brings nothing")
    return None


def _setting(name: str, before: Any, after: Any, why: str) -> Change:
    return Change(f"request.{name}", before, after, why, name)


def _with(request: Mapping[str, Any], change: Change) -> dict[str, Any]:
    rest = {name: value for name, value in request.items() if name != change.setting}
    return rest if change.after is None else {**rest, change.setting: change.after}
