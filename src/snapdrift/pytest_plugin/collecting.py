"""A suite as a file of tests: an item for each metric of each candidate, each must-pass case, and the decision."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from snapdrift.api.settings import options_of
from snapdrift.errors import NothingFailed, NothingToAsk, SnapdriftError
from snapdrift.pytest_plugin import MARKER, VerdictWarning, runs_of
from snapdrift.pytest_plugin.findings import About, Finding, Kind, finding_of
from snapdrift.pytest_plugin.settings import settings_of

if TYPE_CHECKING:
    from snapdrift.api import Run
    from snapdrift.pipeline.prepare import Prepared

_SUITE = re.compile(rb"""^["']?suite["']?[ \t]*:""", re.MULTILINE)
_HEAD = 1_000_000
"""Bytes of a file that are looked at to tell whether it is a suite."""


def is_suite(path: Path, config: pytest.Config, *, named: bool) -> bool:
    """Whether a YAML file is a suite: it says so, and it is `named` or in one of the folders that suites are in."""
    if not named and not any(_is_in(path, config.rootpath, name) for name in config.getini("snapdrift_folders")):
        return False
    try:
        with path.open("rb") as file:
            return _SUITE.search(file.read(_HEAD)) is not None
    except OSError:
        return False


def _is_in(path: Path, root: Path, folder: str) -> bool:
    """A plain name means every folder of that name, a path the folder at that place.

    Without a configuration file pytest's root may be such a folder itself, so its own name counts too.
    """
    if Path(folder).name == folder:
        within = path.parent.relative_to(root.parent) if path.is_relative_to(root) else path.parent
        return folder in within.parts
    return path.is_relative_to((root / folder).resolve())


class SuiteFile(pytest.File):
    """A suite. It is checked when it is collected and run when its first item is set up."""

    run: Run
    nothing_to_ask: str = ""

    def collect(self) -> Iterable[SuiteItem]:
        """Its items; raises `CollectError` with every mistake of the suite, and where its gate could never tell.

        They are the same whatever changed or failed: what need not be asked is skipped, not gone.
        """
        from snapdrift.pipeline.prepare import prepare, require_sufficient

        try:
            options = options_of(settings_of(self.config), "pytest")
            selection = replace(options.selection, failed=())
            # What there is to be told is told when the suite is run.
            prepared = prepare(self.path, replace(options, selection=selection, changed=None, notice=lambda _: None))
            require_sufficient(prepared)
            found = list(_items(prepared))
        except SnapdriftError as error:
            raise self.CollectError(readable(str(error))) from None
        for about, line in found:
            yield SuiteItem.from_parent(self, name=about.name, about=about, line=line, suite=prepared.suite.name)

    def setup(self) -> None:
        """Has the run made, or waits for who makes it; what keeps it from being made is an error of each item."""
        try:
            self.run = runs_of(self.config).run(self.path, settings_of(self.config))
        except (NothingToAsk, NothingFailed) as settled:
            self.nothing_to_ask = readable(str(settled))
        except SnapdriftError as error:
            pytest.fail(readable(str(error)), pytrace=False)


class SuiteItem(pytest.Item):
    """One thing that the gate asks."""

    parent: SuiteFile

    def __init__(self, *, about: About, line: int, suite: str, **more: Any) -> None:
        super().__init__(**more)
        self.about, self.line, self.suite = about, line, suite
        self.finding: Finding | None = None
        self.add_marker(MARKER)
        self.extra_keyword_matches.update({suite, *about.words})

    def setup(self) -> None:
        """Looks up what the run says of it: what was not measured is an error, what was not asked is skipped."""
        if self.parent.nothing_to_ask:
            told = self.parent.nothing_to_ask
            self.user_properties += [("snapdrift_suite", self.suite), ("snapdrift_not_asked", told)]
            pytest.skip(f"not asked: {told}")
        run = self.parent.run
        texts = not self.config.getoption("snapdrift_no_texts")
        self.finding = finding_of(self.about, run, texts=texts)
        self.user_properties += properties_of(run, self.config.invocation_params.dir)
        if self.finding.verdict:
            self.user_properties.append(("snapdrift_verdict", self.finding.verdict))
        if self.finding.kind is Kind.ERROR:
            pytest.fail(readable(self.finding.text), pytrace=False)
        if self.finding.kind is Kind.SKIP:
            pytest.skip(readable(self.finding.text))

    def runtest(self) -> None:
        """Fails where the gate is broken; passes with warnings where the gate only warns."""
        assert self.finding is not None  # noqa: S101  it was set up
        if self.finding.kind is Kind.FAIL:
            pytest.fail(readable(self.finding.text), pytrace=False)
        for text in self.finding.warnings:
            self.warn(VerdictWarning(readable(text)))

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the suite asks it (lines count from 0), and what it is."""
        return self.path, self.line, f"{self.suite}: {self.name}"


def properties_of(run: Run, cwd: Path) -> list[tuple[str, object]]:
    """What JUnit files and the summary say of a run."""
    report = "" if run.report is None else str(run.report)
    if run.report is not None and run.report.is_relative_to(cwd):
        report = str(run.report.relative_to(cwd))
    return [
        ("snapdrift_suite", run.suite),
        ("snapdrift_run", run.id),
        ("snapdrift_gate", run.gate),
        ("snapdrift_decision", run.decision),
        ("snapdrift_exit_code", run.exit_code),
        ("snapdrift_labels", ", ".join(run.labels)),
        ("snapdrift_headline", readable(run.headline)),
        ("snapdrift_report", report),
    ]


def readable(text: str) -> str:
    """A text of anybody's as it may be printed: without keys, and with what acts rather than shows spelled out."""
    from snapdrift.keys import redact
    from snapdrift.reports.escaping import visible

    return visible(redact(text))


@dataclass(frozen=True, slots=True)
class _Places:
    """Where in its file a suite asks what: lines from 0."""

    document: Any
    gate: str

    @classmethod
    def of(cls, prepared: Prepared) -> _Places:
        from snapdrift.suites.document import parse_document

        return cls(parse_document(prepared.suite.source, prepared.suite.path), prepared.gate.name)

    def line(self, *inside: str) -> int:
        """That of a key of the gate, of the gate that it extends, or of the gate."""
        places = [(*gate, *inside) for gate in self._gates()]
        found = next((place for place in places if place in self.document.keys), None)
        at = found or next(iter(self._gates()), ())
        return int(self.document.position(at, key=True).line) - 1

    def _gates(self) -> Iterator[tuple[str, ...]]:
        gates, name = self.document.value.get("gates") or {}, self.gate
        if name not in gates and "gate" in self.document.value:
            yield ("gate",)
        seen: set[str] = set()
        while isinstance(gates, dict) and name in gates and name not in seen:
            seen.add(name)
            yield ("gates", name)
            name = str((gates[name] or {}).get("extends"))


def _items(prepared: Prepared) -> Iterator[tuple[About, int]]:
    gate, places = prepared.gate, _Places.of(prepared)
    pairs = dict.fromkeys((pair.candidate, pair.baseline) for pair in gate.pairs)
    judged = dict.fromkeys([*(candidate for candidate, _ in pairs), *(one.candidate for one in gate.alone)])
    candidates = judged or dict.fromkeys(v.name for v in prepared.variants)
    for entry in gate.metrics:
        for candidate in candidates:
            yield About(entry.metric, candidate), places.line("metrics", entry.metric)
    for case in prepared.cases:
        if gate.must_pass.covers(case):
            yield About(case=case.id), places.line("must_pass")
    yield About(), places.line()
