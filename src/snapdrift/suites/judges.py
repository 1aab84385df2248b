"""What can be wrong with a judge that its rubric alone does not show: its model is shut down, or sees no images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from snapdrift.model import Conversation, ImagePart, Message
from snapdrift.suites.document import Document
from snapdrift.suites.loading import Loading
from snapdrift.suites.registry import Location, ModelFacts, ParsedGrader

RETIRING_DAYS = 30
"""How long before its shutdown a model may no longer judge: what a judge said that is gone cannot be asked again."""
_AN_IMAGE = Conversation(None, (Message("user", (ImagePart("image", url="https://example.com/image.png"),)),))


def check_judges(
    grader: ParsedGrader, entry: Mapping[str, Any], location: Location, facts: ModelFacts, loading: Loading
) -> None:
    """Complains, where its settings are written, of a judge that cannot be relied on. `location` is the entry's."""
    for place, judge in grader.judges_at.items():
        document, at = _written(entry, place, location, loading)
        retires = facts.retires_within(judge.variant.model, RETIRING_DAYS)
        if retires is not None and judge.variant.host is None and not judge.allow_retiring:
            found = f"{judge.variant.model} as a judge: {retires.rstrip('.')}"
            expected = "expected a model that stays, or `allow_retiring: true`"
            loading.complain((*at, "model"), found, expected, document=document)
        if judge.sees_images:
            for finding in facts.check_conversation(judge.variant, _AN_IMAGE):
                loading.complain((*at, "sees"), finding.found, finding.expected, document=document)


def _written(
    entry: Mapping[str, Any], place: Location, location: Location, loading: Loading
) -> tuple[Document | None, Location]:
    """Where a judge's settings are written: in the entry, or at the root of the file that it names."""
    value: Any = entry
    for step in place:
        value = value[step]
    if isinstance(value, str):
        document = loading.read(value, (*location, *place))
        if document is not None and isinstance(document.value, Mapping):
            return document, ()
    return None, (*location, *place)
