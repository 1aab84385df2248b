"""What the Batch API cannot do: a batch's lines are single requests that know nothing of one another."""

from __future__ import annotations

from snapdrift.model import Case, Conversation, Variant
from snapdrift.suites.requests import CHAIN


def variant_obstacle(variant: Variant) -> str | None:
    """What in a variant's settings keeps it from being sent in a batch; None when nothing does."""
    if not variant.endpoint.over_http:
        return f"a variant of the endpoint {variant.endpoint.value}"
    if variant.stream:
        return "`stream: true`"
    return f"`{CHAIN}`" if variant.request.get(CHAIN) else None


def case_obstacle(case: Case, conversation: Conversation) -> str | None:
    """What in a case takes more than one request; None when nothing does."""
    if case.tool_results is not None:
        return "`tool_results`"
    return "answers that the conversation goes on from" if len(conversation.turns) > 1 else None


ONE_REQUEST = "leave one of the two out: in a batch each call is one request, answered whole"
"""How to mend either."""
