"""Arguments that may hold templates: `exact: "{{ expected.queue }}"`, or a list or mapping with templates in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from snapdrift.suites.registry import Location

if TYPE_CHECKING:
    from snapdrift.suites.prompts import Template


def is_template(text: str) -> bool:
    """Whether a text is a template; plain text is taken as it stands, whatever braces it has."""
    return "{{" in text or "{%" in text


def templates_in(value: Any, location: Location) -> Iterator[tuple[Location, Template]]:
    """The templates inside an argument, by where they stand. Raises `TemplateError` for one that does not parse."""
    if isinstance(value, str):
        if is_template(value):
            from snapdrift.suites.prompts import Template

            yield location, Template(value)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from templates_in(item, (*location, key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from templates_in(item, (*location, index))


def rendered(value: Any, location: Location, templates: Mapping[Location, Template], context: dict[str, Any]) -> Any:
    """The argument with its templates rendered for one case. Raises `TemplateError`."""
    if isinstance(value, str):
        template = templates.get(location)
        return value if template is None else template.render(context)
    if isinstance(value, Mapping):
        return {key: rendered(item, (*location, key), templates, context) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rendered(item, (*location, index), templates, context) for index, item in enumerate(value)]
    return value
