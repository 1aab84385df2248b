"""`evals/accepted.yaml`: losses that were reviewed and accepted for a while, read and held against a suite."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from snapdrift.acceptances import HASH_DIGITS, LONGEST_DAYS, Acceptance
from snapdrift.errors import AcceptancesError, DocumentError, Problem
from snapdrift.suites.document import Document, parse_document
from snapdrift.suites.registry import Location
from snapdrift.suites.resolved import Suite
from snapdrift.suites.shapes import Entry, Shape, mistakes_of
from snapdrift.suites.wording import did_you_mean, listed, quoted
from snapdrift.suites.workspace import SUITES_FOLDER, PathError, Workspace, read_text

ACCEPTED_FILE = f"{SUITES_FOLDER}/accepted.yaml"
MAX_ENTRIES = 10_000
_MAX_SUITES = 2_000
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_SUITE_LINE = re.compile(
    r"""^suite:[ \t]*(?:"([^"\n]+)"|'([^'\n]+)'|([^"'#\s][^#\n]*?))[ \t]*(?:#.*)?$""", re.MULTILINE
)

Text = Annotated[str, Field(min_length=1, max_length=200)]


class AcceptedEntry(Entry):
    """A loss that somebody has looked at: the case is left out of the metric's comparisons until a day."""

    suite: Text
    """The name of the suite."""
    case: Annotated[str, Field(min_length=1, max_length=1000)]
    """The id of the case; none that must pass."""
    metric: Text
    """The metric on which the case is lost."""
    why: Annotated[str, Field(min_length=1, max_length=2000)]
    """Why the new answer is fine."""
    by: Text
    """Who has looked at it."""
    until: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    """The last day on which it holds (UTC), 2027-02-20, at most a year ahead."""
    hash: Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")] | None = None
    """The beginning of the hash of what the case asks and expects: it holds only for the case that was reviewed."""


_ENTRIES = TypeAdapter(list[AcceptedEntry])


@dataclass(frozen=True, slots=True)
class AcceptedFile:
    """The file, and its entries in their order; what it says of a suite is `accept`ed with that suite."""

    document: Document
    entries: tuple[AcceptedEntry, ...]


def accepted_json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the file, from which editors complete and check while it is written."""
    schema = _ENTRIES.json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Snapdrift acceptances",
        "description": "Losses that somebody has looked at and found fine, each until a day.",
        **schema,
        "maxItems": MAX_ENTRIES,
    }


def is_accepted_file(path: Path, workspace: Workspace) -> bool:
    """Whether a path given among suites is the workspace's list of acceptances."""
    return path.resolve() == (workspace.root / ACCEPTED_FILE).resolve()


def read_accepted(
    workspace: Workspace, today: date, suites: Callable[[], Collection[str]] | None = None, own: str = ""
) -> AcceptedFile | None:
    """The workspace's acceptances, None where there is no such file.

    `suites` finds the names of those that there are, besides `own`; it is asked only where an entry names another.
    Raises one `AcceptancesError` with every mistake: keys, texts, days that are none or too far ahead, two entries for
    one thing, suites that there are not.
    """
    path = workspace.root / ACCEPTED_FILE
    if not path.exists():
        return None
    try:
        document = parse_document(read_text(workspace.resolve(ACCEPTED_FILE), ACCEPTED_FILE), ACCEPTED_FILE)
    except PathError as error:
        raise AcceptancesError([Problem(ACCEPTED_FILE, 0, 0, "", error.found, error.expected)]) from None
    except DocumentError as error:
        raise AcceptancesError(error.problems) from None
    value = [] if document.value is None else document.value
    if not isinstance(value, list) or len(value) > MAX_ENTRIES:
        found = quoted(value) if not isinstance(value, list) else f"{len(value):,} entries"
        expected = f"expected a list of at most {MAX_ENTRIES:,} entries {{suite, case, metric, why, by, until}}"
        raise AcceptancesError([document.problem((), found, expected)])
    entries, problems = _entries(value, document)
    problems += [*_day_problems(entries, document, today), *_repeated(entries, document)]
    if suites is not None:
        problems += _unknown_suites(entries, document, suites, own)
    if problems:
        raise AcceptancesError(sorted(problems))
    return AcceptedFile(document, tuple(entries.values()))


_Entries = Mapping[int, AcceptedEntry]


def _entries(value: Sequence[object], document: Document) -> tuple[_Entries, list[Problem]]:
    """The entries of the right form by their places, and what is wrong with the others."""
    shape = Shape()
    try:
        return dict(enumerate(_ENTRIES.validate_python(value, context=shape))), []
    except ValidationError as error:
        mistakes = mistakes_of(error, value, shape)
    wrong = {one.location[0] for one in mistakes if one.location}
    right = [index for index in range(len(value)) if index not in wrong]
    entries = _ENTRIES.validate_python([value[index] for index in right], context=Shape())
    return dict(zip(right, entries, strict=True)), [
        document.problem(one.location, one.found, _expected(one.location, one.expected), key=one.at_key)
        for one in mistakes
    ]


def _expected(location: Location, expected: str) -> str:
    if location and location[-1] == "until" and expected.startswith("expected otherwise"):
        return "expected a day such as 2027-02-20"
    if location and location[-1] == "hash" and expected.startswith("expected otherwise"):
        return "expected 8 to 64 hexadecimal digits in quotes, as the page exports them"
    return expected


def _day_problems(entries: _Entries, document: Document, today: date) -> Iterator[Problem]:
    latest = today + timedelta(days=LONGEST_DAYS)
    for index, entry in entries.items():
        day = _day(entry.until)
        if day is None:
            yield document.problem((index, "until"), quoted(entry.until), "expected a day such as 2027-02-20")
        elif day > latest:
            expected = f"expected a day of at most a year ahead, {latest} or before: whoever comes then looks again"
            yield document.problem((index, "until"), quoted(entry.until), expected)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None


def _repeated(entries: _Entries, document: Document) -> Iterator[Problem]:
    first: dict[tuple[str, str, str], int] = {}
    for index, entry in entries.items():
        about = (entry.suite, entry.case, entry.metric)
        if about in first:
            line = document.position((first[about],)).line
            expected = f"expected each case and metric once; it is first at line {line}"
            yield document.problem((index, "case"), f"{quoted(entry.case)} on {entry.metric} again", expected)
        first.setdefault(about, index)


def entries_about(suite: str, text: str) -> list[Any]:
    """What a text of such a file says of a suite, as it is written. Raises `DocumentError` where it is no YAML."""
    value = parse_document(text, ACCEPTED_FILE).value
    entries = value if isinstance(value, list) else [] if value is None else [value]
    return [entry for entry in entries if not isinstance(entry, dict) or entry.get("suite") in (suite, None)]


def _unknown_suites(
    entries: _Entries, document: Document, suites: Callable[[], Collection[str]], own: str
) -> Iterator[Problem]:
    """Entries about a suite that there is not."""
    others = {index: entry for index, entry in entries.items() if entry.suite != own}
    names = suites() if others else ()
    for index, entry in others.items():
        if entry.suite not in names:
            expected = f"expected one of {listed(sorted(names))}; take the entry out where it is gone"
            found = f"no suite {quoted(entry.suite)}"
            yield document.problem((index, "suite"), found, did_you_mean(entry.suite, names, expected))


def suite_files(workspace: Workspace) -> dict[str, Path]:
    """The suites of the workspace's `evals/` by name, as far as their first lines say one."""
    folder = workspace.root / SUITES_FOLDER
    found: dict[str, Path] = {}
    for path in sorted([*folder.rglob("*.yaml"), *folder.rglob("*.yml")])[:_MAX_SUITES]:
        name = None if is_accepted_file(path, workspace) else suite_name(path)
        if name is not None:
            found.setdefault(name, path)
    return found


def suite_name(path: Path) -> str | None:
    """What a suite file calls its suite; None where it cannot be told without reading all of it."""
    try:
        match = _SUITE_LINE.search(read_text(path, path.name)) if path.is_file() else None
    except PathError:
        return None
    return next(filter(None, match.groups()), None) if match else None


def accept(suite: Suite, file: AcceptedFile, today: date) -> Suite:
    """The suite with its acceptances.

    Raises `AcceptancesError` with every entry of the suite that is expired, names a case or metric that there is not,
    a case that must pass under one of its gates, or one that is another than was reviewed.
    """
    own = [(index, entry) for index, entry in enumerate(file.entries) if entry.suite == suite.name]
    if not own:
        return suite
    wanted = {entry.case for _, entry in own}
    metrics, cases = [metric.name for metric in suite.metrics], {c.id: c for c in suite.cases if c.id in wanted}
    problems: list[Problem] = []
    for index, entry in own:
        complain = _Complaints(file.document, index, problems)
        if entry.case not in cases:
            ids = [case.id for case in suite.cases][:MAX_ENTRIES]
            complain.about(
                "case", f"no case {quoted(entry.case)} in {suite.name}", did_you_mean(entry.case, ids, _GONE)
            )
        else:
            strict = [name for name, gate in suite.gates.items() if gate.must_pass.covers(cases[entry.case])]
            now = cases[entry.case].hash
            if entry.hash is not None and not now.startswith(entry.hash):
                complain.about("hash", f"{quoted(entry.hash)}, and the case is {quoted(now[:HASH_DIGITS])} now", _OTHER)
            if strict:
                found = f"{quoted(entry.case)}, which must pass under the gate {listed(strict)}"
                complain.about("case", found, "expected a case that need not: what must pass is not negotiated")
        if entry.metric not in metrics:
            expected = did_you_mean(entry.metric, metrics, f"expected one of {listed(metrics)}")
            complain.about("metric", f"no metric {quoted(entry.metric)} in {suite.name}", expected)
        if (_day(entry.until) or today) < today:
            complain.about("until", f"{entry.until}, which is over (today is {today}, UTC)", _EXPIRED)
    if problems:
        raise AcceptancesError(problems)
    return replace(suite, accepted=tuple(_acceptances(entry for _, entry in own)))


_GONE = "expected a case of its dataset; take the entry out where the case is gone"
_OTHER = "expected the case that was reviewed: it asks or expects something else now, so look at it again"
_EXPIRED = "expected a day that is to come: look at the case again and date it anew, or take the entry out"


@dataclass(frozen=True, slots=True)
class _Complaints:
    document: Document
    index: int
    problems: list[Problem]

    def about(self, key: str, found: str, expected: str) -> None:
        self.problems.append(self.document.problem((self.index, key), found, expected))


def _acceptances(entries: Iterable[AcceptedEntry]) -> Iterator[Acceptance]:
    for entry in entries:
        yield Acceptance(entry.case, entry.metric, entry.why, entry.by, entry.until)
