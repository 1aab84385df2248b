"""What of a run is not to be shown: the rules of a suite, which its reports and exports apply.

Plain and frozen, as the records of `model`. `docs/design/privacy.md` says what each rule means.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from snapdrift.model import Case, Variant, canonical_json

ANSWER, EXPECTED, PROMPT = "answer", "expected", "prompt"
PARTS = (ANSWER, EXPECTED, PROMPT)
"""What can be redacted beside the columns of a dataset."""
TOOL_RESULTS = "tool_results"
"""The column that a case keeps apart from its variables."""
ALWAYS_SHOWN = ("id", "tags", "cluster")
"""The columns by which cases are named, filtered and paired: no report is one without them."""
IDS, TEXT = "ids", "text"
"""What comments and JUnit hold of a case: ids and reason codes alone, or its texts too."""


@dataclass(frozen=True, slots=True)
class Privacy:
    """The rules. `redact` names parts and columns; with `keep`, every column that is not in it is redacted too.

    `comment` is `IDS` or `TEXT`. Without rules everything is shown, and comments hold ids.
    """

    redact: tuple[str, ...] = ()
    keep: tuple[str, ...] | None = None
    comment: str = IDS

    def hides_column(self, name: str) -> bool:
        """Whether a column of the dataset is redacted; `expected` is one of them."""
        return name in self.redact or (self.keep is not None and name not in self.keep)

    def hides_part(self, name: str) -> bool:
        """Whether one of `PARTS` is redacted."""
        return self.hides_column(name) if name == EXPECTED else name in self.redact

    def to_stored(self) -> dict[str, Any]:
        """Plain JSON."""
        keep = None if self.keep is None else list(self.keep)
        return {"redact": list(self.redact), "keep": keep, "comment": self.comment}

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any] | None) -> Privacy:
        """The inverse of `to_stored`; a suite that was stored before there were rules has none."""
        if stored is None:
            return cls()
        keep = stored["keep"]
        return cls(tuple(stored["redact"]), None if keep is None else tuple(keep), stored["comment"])


@dataclass(frozen=True, slots=True)
class Redaction:
    """What the rules come to in one run: `names` are the parts and columns that are not shown.

    `prompt` says that rendered prompts are not: they were named, or they hold what is redacted.
    """

    names: tuple[str, ...] = ()
    prompt: bool = False

    def __bool__(self) -> bool:
        return bool(self.names)


def columns_of(cases: Iterable[Case]) -> tuple[str, ...]:
    """The columns that rules can name, in the order in which cases have them: variables, and tool results."""
    found: dict[str, None] = {}
    for case in cases:
        found.update(dict.fromkeys(case.variables))
        if case.tool_results is not None:
            found[TOOL_RESULTS] = None
    return tuple(found)


def redaction_of(rules: Privacy, cases: Iterable[Case], variants: Iterable[Variant]) -> Redaction:
    """What is not shown of these cases, which are gone through once at most, and of the answers to them."""
    if not rules.redact and rules.keep is None:
        return Redaction()
    parts = [part for part in PARTS if rules.hides_part(part)]
    found: dict[str, None] = {}
    expects = False
    for case in cases:
        found.update(dict.fromkeys(columns_of([case])))
        expects = expects or case.expected is not None
    if EXPECTED in parts and not expects:
        parts.remove(EXPECTED)
    columns = [column for column in found if rules.hides_column(column)]
    # A prompt may quote what is expected (as an example of the form, say): then it goes with it.
    quotes = EXPECTED in parts and any(EXPECTED in canonical_json(dict(v.prompt)) for v in variants)
    names = tuple(dict.fromkeys([*parts, *columns]))
    return Redaction(names, prompt=bool(columns) or quotes or PROMPT in parts)
