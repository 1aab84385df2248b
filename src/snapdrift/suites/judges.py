"""What can be wrong with a judge that its rubric alone does not show: its model is shut down, or sees no images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from snapdrift.model import Conversation, ImagePart, Message
from snapdrift.suites.document import Document
from snapdrift.suites.loading import Loading
from snapdrift.suites.registry import Location, ModelFacts, ParsedGrader

RETIRING_DAYS = 30
"""How long before its shutdown a model may no longer judge: what a judge said that is gone cannot be asked again."""
_AN_IMAGE = Conversation(None, (Message("user", (ImagePart("image", url="https://example.com/image.png"),)),))


@dataclass(frozen=True, slots=True)
class _Written:
    """The settings of a judge as they are written: in a grader's entry, or in a file (`document`) that it names."""

    settings: Mapping[str, Any]
    location: Location
    document: Document | None = None


def check_judges(
    grader: ParsedGrader, entry: Mapping[str, Any], location: Location, facts: ModelFacts, loading: Loading
) -> None:
    """Complains, where its settings are written, of a judge that cannot be relied on. `location` is the entry's."""
    if not grader.judges:
        return
    written = _written(entry.get(grader.family), (*location, grader.family), loading)
    for judge in grader.judges:
        retires = facts.retires_within(judge.model, RETIRING_DAYS)
        if retires is not None and judge.host is None and written.settings.get("allow_retiring") is not True:
            found = f"{judge.model} as a judge: {retires.rstrip('.')}"
            expected = "expected a model that stays, or `allow_retiring: true`"
            loading.complain((*written.location, "model"), found, expected, document=written.document)
        sees = written.settings.get("sees")
        if isinstance(sees, list) and "images" in sees:
            for finding in facts.check_conversation(judge, _AN_IMAGE):
                place = (*written.location, "sees")
                loading.complain(place, finding.found, finding.expected, document=written.document)


def _written(value: Any, location: Location, loading: Loading) -> _Written:
    if isinstance(value, str):
        document = loading.read(value, location)
        if document is not None and isinstance(document.value, Mapping):
            return _Written(document.value, (), document)
    return _Written(value if isinstance(value, Mapping) else {}, location)
