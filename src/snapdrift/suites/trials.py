"""Every template of a suite is rendered for every case before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from snapdrift.model import Case
from snapdrift.suites.layers import Origin, origin_of
from snapdrift.suites.loading import Loading
from snapdrift.suites.prompts import Template, TemplateError, prompt_templates, render_text
from snapdrift.suites.registry import Location, ParsedGrader
from snapdrift.suites.variants import ResolvedVariant
from snapdrift.suites.wording import did_you_mean, listed, quoted

_UNDEFINED = re.compile(r"'([^']+)' is undefined")


@dataclass(frozen=True, slots=True)
class TriedCase:
    """A case with what templates see of it, made once for all of them."""

    case: Case
    context: Mapping[str, Any]


def tried_cases(cases: Sequence[Case]) -> tuple[TriedCase, ...]:
    """The cases with their contexts."""
    return tuple(TriedCase(case, case.context()) for case in cases)


def try_prompts(variants: Sequence[ResolvedVariant], cases: Sequence[TriedCase], loading: Loading) -> None:
    """Renders every prompt template that is written somewhere once for each case."""
    seen: set[tuple[str, Location, str]] = set()
    for resolved in variants:
        for location, source in prompt_templates(resolved.variant.prompt).items():
            otherwise = Origin(loading.document, resolved.origin.location)
            place = origin_of(resolved.prompt_layers, location, otherwise)
            identity = (place.document.file, place.location, source)
            if identity not in seen:
                seen.add(identity)
                _try(partial(render_text, source), cases, place, loading)


def try_grader(grader: ParsedGrader, location: Location, cases: Sequence[TriedCase], loading: Loading) -> None:
    """Renders a grader's templates for each case that it applies to."""
    applicable = [tried for tried in cases if grader.applies(tried.case)]
    for inside, template in grader.templates.items():
        place = Origin(loading.document, (*location, *inside))
        _try(template.render, applicable, place, loading)


def _try(
    render: Callable[[Mapping[str, Any]], Any], cases: Sequence[TriedCase], place: Origin, loading: Loading
) -> None:
    first: tuple[TemplateError, TriedCase] | None = None
    failures = 0
    for tried in cases:
        try:
            render(tried.context)
        except TemplateError as error:
            failures += 1
            first = first or (error, tried)
    if first is not None:
        failure, tried = first
        count = "" if len(cases) == 1 else f" ({failures} of {len(cases)} cases)"
        found = f"{failure} in case {quoted(tried.case.id)}{count}"
        other = None if place.document is loading.document else place.document
        loading.complain(place.location, found, _mend(failure, tried), document=other)


def _mend(error: TemplateError, tried: TriedCase) -> str:
    missing = _UNDEFINED.search(error.message)
    if missing is None:
        return "expected a template that renders for every case"
    return did_you_mean(missing[1], tried.context, f"expected one of {listed(sorted(tried.context), 20)}")


def compiles(source: str, place: Origin, loading: Loading) -> bool:
    """Whether a template is valid; complains when it is not."""
    try:
        Template(source)
    except TemplateError as error:
        other = None if place.document is loading.document else place.document
        found = f"not a template: {error}"
        loading.complain(place.location, found, "expected a Jinja template, such as {{ question }}", document=other)
        return False
    return True
