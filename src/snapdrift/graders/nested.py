"""A grader inside an argument of another one: what a family thinks of a part of an answer."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationInfo

from snapdrift.errors import SnapdriftError
from snapdrift.graders.base import Grader
from snapdrift.graders.marks import CannotGradeError, Mark, NotExtractedError
from snapdrift.graders.workspace_files import ParseContext
from snapdrift.model import Case

_OF_THE_WHOLE = ("name", "when", "accepts", "extract")
"""What an entry inside another says nothing about: it is given its value, and where it applies."""


def nested_grader(entry: Any, info: ValidationInfo, also: Sequence[str] = ()) -> Grader:
    """The grader of an entry for a part of an answer; a name alone expects what the case does (`{{ expected }}`).

    `also` are the words that could stand in its place, for the message that one is misspelt.

    Raises `ValueError` with what was expected instead, pydantic's error (a `ValueError` too) for wrong arguments.
    """
    families = _families(info)
    if isinstance(entry, str):
        entry = {entry: "{{ expected }}"}
    if not isinstance(entry, Mapping):
        raise ValueError("the name of a family, or its entry as a mapping")  # noqa: TRY004  pydantic catches ValueError
    named = [key for key in entry if key in families]
    if len(named) != 1:
        raise ValueError(_one_family(entry, named, [*also, *(name for name in families if name not in also)], info))
    superfluous = [key for key in _OF_THE_WHOLE if key in entry]
    if superfluous:
        raise ValueError(f"an entry without {', '.join(superfluous)}: here it is about a part of the answer")
    family = families[named[0]]
    values = {**entry, "name": family.family}
    grader = family.model_validate(values, context=info.context, by_name=False, by_alias=True)
    try:
        list(grader.templates)
    except SnapdriftError as error:
        raise ValueError(str(error)) from None
    return grader


def judges_parts(family: type[Grader]) -> bool:
    """Whether a family can say what it thinks of a value alone, without the response or anything from outside."""
    as_usual = all(getattr(family, step) is getattr(Grader, step) for step in ("needs", "read", "grade", "marks_of"))
    finds_as_usual = family.value_in is Grader.value_in or family.judges_values
    return as_usual and finds_as_usual and family.reads_text and family.higher_is_better and not family.judged


def entry_of(grader: Grader) -> dict[str, Any]:
    """The entry that `nested_grader` makes the grader of again, defaults applied and files inlined."""
    resolved = {key: value for key, value in grader.resolved().items() if key not in _OF_THE_WHOLE}
    if not grader.negate:
        del resolved["not"]
    return resolved


def expects_of_case(grader: Grader) -> bool:
    """Whether what passes depends on what the case expects: an argument has a template that reads `expected`."""
    return any("expected" in template.names for template in grader.templates.values())


def mark_of(grader: Grader, case: Case, value: Any, wanted: Any) -> Mark:
    """What the grader thinks of the value; in its templates `expected` is `wanted`, what is expected of the part."""
    try:
        mark = grader.marks(replace(case, expected=wanted), value)[grader.name]
    except NotExtractedError as error:
        return Mark.not_extracted(f"could not extract: {error}", error.reason)
    except (CannotGradeError, SnapdriftError) as error:
        return Mark.error(str(error))
    return mark.inverted() if grader.negate else mark


def problem_of(grader: Grader, case: Case, wanted: Any) -> str | None:
    """What keeps the grader from ever grading a part of which the case expects `wanted`, or None."""
    part = replace(case, expected=wanted)
    try:
        for attribute in grader.templated:
            grader.rendered(attribute, part)
        return grader.check_case(part)
    except (CannotGradeError, SnapdriftError) as error:
        return str(error)


def _families(info: ValidationInfo) -> Mapping[str, type[Grader]]:
    return {name: family for name, family in _every_family(info).items() if judges_parts(family)}


def _every_family(info: ValidationInfo) -> Mapping[str, type[Grader]]:
    context = info.context
    if isinstance(context, ParseContext) and context.families:
        return context.families
    from snapdrift.graders.families import BUILT_IN  # it names the families, and this one is used by some of them

    return BUILT_IN


def _one_family(entry: Mapping[Any, Any], named: Sequence[str], known: Sequence[str], info: ValidationInfo) -> str:
    if named:
        return f"exactly one family in an entry, not {', '.join(named)}"
    of_whole = next((key for key in entry if key in _every_family(info)), None)
    if of_whole is not None:
        return f"a family that judges a value alone; {of_whole} needs the whole answer, so give it an entry of its own"
    close = [match for key in entry for match in difflib.get_close_matches(str(key), known, n=1)]
    return f"did you mean {close[0]!r}?" if close else f"one of {', '.join(known)}"
