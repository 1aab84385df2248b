"""An assertion as it is written, and what the translations of all types read of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from snapdrift.errors import DocumentError
from snapdrift.importers.groups import Slot
from snapdrift.importers.names import usable_name
from snapdrift.importers.notes import Place
from snapdrift.importers.promptfoo.nunjucks import UntranslatableError, is_template
from snapdrift.importers.promptfoo.reading import Reading
from snapdrift.suites.document import parse_document
from snapdrift.suites.templates import Template, TemplateError, message_text


@dataclass(frozen=True, slots=True)
class Asserted:
    """One assertion of a test; `kind` is its type without `not-`. `options` and `variables` are the test's."""

    place: Place
    kind: str
    written: Mapping[str, Any]
    options: Mapping[str, Any]
    variables: Mapping[str, Any]
    reading: Reading

    @property
    def value(self) -> Any:
        """Its value, that of a file where it names one. Raises `UntranslatableError`."""
        return self.reading.loaded(self.written.get("value"))

    def threshold(self, otherwise: float | None = None) -> float | None:
        """Its threshold as a number."""
        value = self.written.get("threshold")
        if value is None:
            return otherwise
        try:
            return float(value)
        except (TypeError, ValueError):
            raise UntranslatableError(f"its threshold {value!r} is no number") from None

    def share(self, otherwise: float) -> float:
        """A threshold that is a share from 0 to 1."""
        value = self.threshold(otherwise)
        if value is None or not 0 <= value <= 1:
            raise UntranslatableError(f"its threshold {value} is not from 0 to 1")
        return value

    def text(self) -> Slot:
        """Its value as text of the case, templates rendered. Raises `UntranslatableError` where there is none."""
        value = self.value
        if value is None or value == "":
            raise UntranslatableError("it has no value")
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        return self._slot(text)

    def texts(self) -> Slot:
        """Its value as several texts: a list, or text with commas."""
        value = self.value
        if isinstance(value, str) and is_template(value):
            value = self._rendered(self.reading.template(value))
        parts = _split(value) if isinstance(value, str) else value
        if not isinstance(parts, list) or not parts:
            raise UntranslatableError("it has no list of texts")
        written = [part if isinstance(part, str) else json.dumps(part, ensure_ascii=False) for part in parts]
        slots = [self._slot(text) for text in written]
        sources = None if all(slot.source is None for slot in slots) else [slot.source or slot.value for slot in slots]
        return Slot([slot.value for slot in slots], sources)

    def _slot(self, text: str) -> Slot:
        if not is_template(text):
            return Slot(text)
        source = self.reading.template(text)
        return Slot(self._rendered(source), source)

    def _rendered(self, source: str) -> str:
        """A template of ours with the test's variables; those that it lacks are empty, as promptfoo has them."""
        template = Template(source)
        own = {usable_name(name): value for name, value in self.variables.items()}
        try:
            return message_text(source, template.render({**dict.fromkeys(template.names, ""), **own}))
        except TemplateError as error:
            raise UntranslatableError(f"its template cannot be rendered: {error.message}") from None

    def schema(self) -> dict[str, Any] | None:
        """Its value as a JSON Schema, None where there is none."""
        value = self.value
        if isinstance(value, str) and value.strip():
            if is_template(value):
                raise UntranslatableError("its schema is a template")
            try:
                value = parse_document(value, "").value
            except DocumentError as error:
                raise UntranslatableError(f"its schema cannot be read: {error.problems[0].found}") from None
        if value in (None, "", True):
            return None
        if not isinstance(value, Mapping):
            raise UntranslatableError("its schema is no mapping")
        return dict(value)

    def note(self, why: str) -> None:
        """Tells what is not quite the same."""
        self.reading.notes.changed(self.place, f"the assertion {self.kind}", why)


def _split(text: str) -> list[str]:
    """The values of a text with commas; a value in quotes may have commas itself."""
    import csv

    rows = list(csv.reader([text.replace("\n", " ")], skipinitialspace=True))
    return [part.strip() for part in rows[0]] if rows else []
