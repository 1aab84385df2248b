"""`check --explain`: the exact request of a case to each variant, and what of it Snapdrift added. Nothing is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snapdrift.errors import UsageError
from snapdrift.model import Case, Variant
from snapdrift.pipeline.options import RunOptions
from snapdrift.pipeline.prepare import Prepared, prepare_all
from snapdrift.pipeline.references import reference_lines
from snapdrift.suites.registry import Location

if TYPE_CHECKING:
    from snapdrift.suites.media import Media


@dataclass(frozen=True, slots=True)
class Explained:
    """What a variant is asked about a case: the body of the first request, and what follows.

    `added` are the places in `body` that Snapdrift filled in. `turns` is how many answers the script takes, and
    `tools_answered` whether calls of tools get results from the case; what those later requests hold depends on the
    answers. A variant that asks no model has no body: `target` says what is called or read.
    """

    suite: str
    case: str
    variant: str
    endpoint: str
    body: Mapping[str, Any] | None
    added: tuple[Location, ...] = ()
    turns: int = 1
    tools_answered: bool = False
    target: str | None = None


def explain_case(paths: Sequence[Path], case_id: str, options: RunOptions) -> tuple[Explained, ...]:
    """What each variant is asked about a case, in each suite that has it. Raises `UsageError` when none does.

    Nothing where `options.changed` leaves no suite.
    """
    from snapdrift.suites.media import Media

    found = []
    prepared = prepare_all(paths, options)
    for one in prepared:
        for text in (*reference_lines(one.suite), *([one.idle] if one.idle else [])):
            options.notice(text)
        media = Media(one.workspace, one.suite.media)
        for case in one.suite.cases:
            if case.id == case_id:
                found += [_explained(one, variant, case, media) for variant in one.variants]
    if prepared and not found:
        raise UsageError(f"--explain: found no case {case_id!r} in the suites; expected one of their ids")
    return tuple(found)


def _explained(one: Prepared, variant: Variant, case: Case, media: Media) -> Explained:
    from snapdrift.openai_api.requests import build
    from snapdrift.suites.prompts import render

    asked = (one.suite.name, case.id, variant.name, variant.endpoint.value)
    if not variant.endpoint.over_http:
        return Explained(*asked, body=None, target=variant.target)
    conversation = render(variant.prompt, case, media)
    built = build(variant, conversation)
    return Explained(
        *asked,
        body=built.body,
        added=tuple(sorted(built.added, key=str)),
        turns=len(conversation.turns),
        tools_answered=case.tool_results is not None and "tools" in built.body,
    )
