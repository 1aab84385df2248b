"""What reading a configuration carries along: its files, what is to be told, and the variables that templates read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from snapdrift.importers.names import RENAMED
from snapdrift.importers.notes import Notes, Place
from snapdrift.importers.promptfoo.nunjucks import UntranslatableError, translated
from snapdrift.importers.sources import DATA_SUFFIXES, FILE_PREFIX, Source, SourceError

CODE_SUFFIXES = (".js", ".cjs", ".mjs", ".ts", ".cts", ".mts", ".py", ".rb", ".go", ".sh")
MEDIA_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".pdf")


@dataclass(slots=True)
class Reading:
    """One configuration that is read. `judge` is the model that judges where the configuration names none of OpenAI's.

    `names` are the variables that prompts and assertions read, in our names.
    """

    source: Source
    notes: Notes
    judge: str
    names: set[str] = field(default_factory=set)
    tools: list[Any] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)

    def template(self, text: str) -> str:
        """A template in our terms, whose variables are noted. Raises `UntranslatableError`."""
        made = translated(text, RENAMED)
        self.names |= made.names
        return made.text

    def loaded(self, value: Any) -> Any:
        """A value, or where it is `file://...` what that file holds. Raises `UntranslatableError`."""
        if not isinstance(value, str) or not value.startswith(FILE_PREFIX):
            return value
        name = value.removeprefix(FILE_PREFIX)
        if "{{" in name:
            raise UntranslatableError(f"{value} names a file by a template")
        bare = name.partition(":")[0]
        if bare.lower().endswith(CODE_SUFFIXES):
            raise UntranslatableError(f"{value} is code, which is not run")
        try:
            path = self.source.path(name)
            if path.suffix.lower() in DATA_SUFFIXES:
                return self.source.document(path).value
            return self.source.text(path)
        except SourceError as error:
            raise UntranslatableError(str(error)) from None

    def opened(self, place: Place) -> Place:
        """The place itself, or where its value is `file://...` of a YAML or JSON file, that document.

        Raises `UntranslatableError`.
        """
        value = place.value
        if not isinstance(value, str) or not value.startswith(FILE_PREFIX):
            return place
        name = value.removeprefix(FILE_PREFIX)
        if not name.lower().endswith(DATA_SUFFIXES):
            raise UntranslatableError(f"{value} is code or of no format that is read")
        try:
            return Place(self.source.document(self.source.path(name)))
        except SourceError as error:
            raise UntranslatableError(str(error)) from None
