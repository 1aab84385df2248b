"""`load_suite`: a suite file, read, checked and resolved, or every mistake in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from snapdrift.errors import DatasetError, DocumentError, Problem, SuiteError, UsageError
from snapdrift.model import Case, Variant
from snapdrift.privacy import Privacy
from snapdrift.suites.applications import fake_hashes
from snapdrift.suites.datasets import dataset_hash, read_dataset
from snapdrift.suites.document import Document, parse_document
from snapdrift.suites.gate_keys import Known
from snapdrift.suites.gates import ResolvedGate, resolve_gates
from snapdrift.suites.judges import check_judges
from snapdrift.suites.loading import Loading
from snapdrift.suites.media import Media
from snapdrift.suites.outputs import coverage_warnings
from snapdrift.suites.preferences import check_preferences
from snapdrift.suites.privacy import resolve_privacy
from snapdrift.suites.prompts import TemplateError
from snapdrift.suites.registry import (
    COMPOSITIONS,
    GraderRegistry,
    InvalidEntryError,
    Location,
    ModelFacts,
    ParsedGrader,
)
from snapdrift.suites.repair import read_form
from snapdrift.suites.resolved import Suite
from snapdrift.suites.rows import CasesRead, read_cases, rows_of_document
from snapdrift.suites.samples import resolve_sample
from snapdrift.suites.sampling import Sample
from snapdrift.suites.stopping import Looked, check_stopping
from snapdrift.suites.suite import SuiteFile
from snapdrift.suites.targets import check_target
from snapdrift.suites.tool_names import unknown_tools, unused_results
from snapdrift.suites.trials import TriedCase, cases_of, prompt_compiles, tried_cases, try_grader, try_prompts
from snapdrift.suites.variants import ResolvedVariant, resolve_variants
from snapdrift.suites.wording import did_you_mean, quoted
from snapdrift.suites.workspace import PathError, Workspace, read_text


def load_suite(path: Path, workspace: Workspace, registry: GraderRegistry, catalog: ModelFacts | None) -> Suite:
    """The suite in a file of the workspace, with everything that it names resolved and tried.

    Raises `SuiteError` with every mistake, in the suite and in the files that it names; `UsageError` when `path` is
    outside the workspace.
    """
    found = path.resolve()
    if not found.is_relative_to(workspace.root):
        raise UsageError(f"{path} is not in the workspace {workspace.root}; a suite has to be inside it")
    shown = workspace.shown(found)
    try:
        source = read_text(found, shown)
    except PathError as error:
        raise SuiteError([Problem(shown, 0, 0, "", error.found, error.expected)]) from None
    try:
        document = parse_document(source, shown)
    except DocumentError as error:
        raise SuiteError(error.problems) from None
    if not isinstance(document.value, dict):
        raise SuiteError(
            [document.problem((), _whole(document.value), "expected a mapping, beginning with suite: NAME")]
        )
    return _Loader(document, source, workspace, registry, catalog).load()


def _whole(value: object) -> str:
    return "the file is empty" if value is None else quoted(value)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What a suite is made of, resolved as well as its mistakes let it be."""

    cases: Sequence[Case]
    sample: Sample | None
    variants: dict[str, ResolvedVariant]
    media: Media
    fakes: Mapping[str, str]
    graders: tuple[ParsedGrader, ...]
    gates: dict[str, ResolvedGate]
    privacy: Privacy

    @property
    def made(self) -> dict[str, Variant]:
        """The variants, without where they come from."""
        return {name: resolved.variant for name, resolved in self.variants.items()}


class _Loader:
    """The parts of one load, in order; each notes its mistakes and goes on as well as it can."""

    def __init__(
        self,
        document: Document,
        source: str,
        workspace: Workspace,
        registry: GraderRegistry,
        catalog: ModelFacts | None,
    ) -> None:
        self._loading = Loading(document, workspace)
        self._source = source
        self._registry = registry
        self._catalog = catalog

    def load(self) -> Suite:
        """The suite, or `SuiteError`."""
        loading = self._loading
        entry = read_form(loading)
        if entry is None:
            raise SuiteError(list(loading.problems))
        parts = self._resolved(entry)
        if loading.problems:
            raise SuiteError(list(loading.problems))
        cases, sample, gates = parts.cases, parts.sample, parts.gates
        return Suite(
            name=entry.suite,
            description=entry.description,
            path=loading.document.file,
            source=self._source,
            cases=cases,
            dataset_hash=dataset_hash(cases),
            variants=parts.made,
            graders=parts.graders,
            gates={name: resolved.gate for name, resolved in gates.items()},
            repeats=entry.repeats or 1,
            sample=sample,
            gate_samples={name: resolved.sample for name, resolved in gates.items()},
            seed=sample.seed if sample is not None else 0,
            budget_usd=entry.budget.usd if entry.budget is not None else None,
            budget_per_day=entry.budget.per_day if entry.budget is not None else None,
            warnings=self._warnings(parts.variants, cases, parts.graders, entry.repeats or 1),
            media=parts.media.read,
            fakes=parts.fakes,
            require_calibration=bool(entry.require_calibration),
            early_stop=bool(entry.early_stop),
            privacy=parts.privacy,
        )

    def _resolved(self, entry: SuiteFile) -> _Parts:
        """What the suite names, each part resolved and tried with those before it."""
        loading = self._loading
        read = self._cases(entry)
        tried = tried_cases(read.cases)
        cases = () if read.problems else read.cases  # names are not looked up in half a dataset
        sample = resolve_sample(entry.sample, ("sample",), cases, loading) if entry.sample is not None else None
        variants = resolve_variants(entry, loading, self._catalog)
        media = Media(loading.workspace)
        askable = [resolved for resolved in variants.values() if prompt_compiles(resolved, loading)]
        try_prompts(askable, tried, media, self._catalog, loading)
        at_cases = ("dataset",) if entry.dataset is not None else ("cases",)
        fakes = fake_hashes(cases, at_cases, loading)
        graders = self._graders(entry, tried, complete=not read.problems)
        self._check_judged(entry, graders)
        known = Known(_names(entry, variants), graders, self._unread(entry, graders), cases, sample)
        if entry.require_calibration:
            self._check_calibratable(graders)
        gates = resolve_gates(entry, known, loading)
        check_target(entry, gates, variants, loading)
        privacy = resolve_privacy(entry.privacy, cases, loading)
        check_preferences(entry, gates, graders, loading)
        parts = _Parts(cases, sample, variants, media, fakes, graders, gates, privacy)
        if not loading.problems and gates:
            check_stopping(entry, gates, Looked(next(iter(gates.values())).gate, parts.made, graders, cases), loading)
        return parts

    def _cases(self, entry: SuiteFile) -> CasesRead:
        loading = self._loading
        if entry.dataset is not None and entry.cases is not None:
            loading.complain(("cases",), "both dataset and cases", "expected one of them", key=True)
        read = CasesRead((), ())
        try:
            if entry.dataset is not None and entry.cases is None:
                read = read_dataset(loading.workspace.resolve(entry.dataset), entry.dataset)
                loading.dataset = entry.dataset
            elif entry.cases:
                read = read_cases(rows_of_document(loading.document, ("cases",)), loading.document.file)
            else:
                loading.complain(("cases",), "no cases", "expected dataset: FILE, or cases with at least one row")
        except PathError as error:
            loading.complain(("dataset",), error.found, error.expected)
        except DatasetError as error:
            loading.add(error.problems)
        loading.add(read.problems)
        return read

    def _graders(self, entry: SuiteFile, tried: Sequence[TriedCase], *, complete: bool) -> tuple[ParsedGrader, ...]:
        if not entry.graders:
            self._loading.complain(("graders",), "no graders", "expected at least one")
        made: dict[str, ParsedGrader] = {}
        for index in range(len(entry.graders or ())):
            location: Location = ("graders", index)
            grader = self._grader(entry, index, location, cases_of(tried))
            if grader is None:
                continue
            if grader.name in made:
                found = f"the grader {quoted(grader.name)} again"
                self._loading.complain((*location, "name"), found, "expected different names")
                continue
            made[grader.name] = grader
            if self._catalog is not None:
                check_judges(grader, (entry.graders or [])[index], location, self._catalog, self._loading)
            try_grader(grader, location, tried, self._loading)
            if complete and tried:
                self._check_applies(grader, location, tried)
        return tuple(made.values())

    def _grader(self, entry: SuiteFile, index: int, location: Location, cases: Sequence[Case]) -> ParsedGrader | None:
        written = (entry.graders or [])[index]
        loading = self._loading
        try:
            return self._registry.parse(
                written, default_extract=entry.extract, read=loading.workspace.read, cases=cases
            )
        except InvalidEntryError as error:
            for finding in error.findings:
                inherited = bool(finding.location) and finding.location[0] == "extract" and "extract" not in written
                place = finding.location if inherited else (*location, *finding.location)
                loading.complain(place, finding.found, finding.expected, key="unknown" in finding.found)
        except PathError as error:
            loading.complain(location, error.found, error.expected)
        except TemplateError as error:
            loading.complain(location, f"not a template: {error}", "expected a Jinja template")
        return None

    def _check_judged(self, entry: SuiteFile, graders: tuple[ParsedGrader, ...]) -> None:
        """`require_calibration` is of judges that score answers; a grader with a mistake of its own may be one."""
        judged = any(metric.judged and not metric.pairwise for grader in graders for metric in grader.metrics)
        if entry.require_calibration and graders and not judged and not self._unread(entry, graders):
            expected = "expected a grader of the family judge; leave it out without one"
            self._loading.complain(("require_calibration",), "no judge among the graders", expected, key=True)

    def _check_calibratable(self, graders: tuple[ParsedGrader, ...]) -> None:
        """A judge that gives several verdicts an answer has no calibration that could be required of it.

        The judge of a composition is refused where a gate has a margin for it, in words of its own.
        """
        for grader in graders:
            if grader.family in COMPOSITIONS or grader.calibratable:
                continue
            if any(metric.judged and not metric.pairwise for metric in grader.metrics):
                found = f"the judge {quoted(grader.name)}, which gives several verdicts on an answer"
                expected = "expected judges in mode score or label, which people's labels can calibrate"
                self._loading.complain(("require_calibration",), found, expected, key=True)

    def _check_applies(self, grader: ParsedGrader, location: Location, tried: Sequence[TriedCase]) -> None:
        known = {tag for case in tried for tag in case.case.tags}
        for tag in grader.tags:
            if tag not in known:
                expected = did_you_mean(tag, known, "expected a tag of the dataset")
                self._loading.complain((*location, "when"), f"no case has the tag {quoted(tag)}", expected)
                return
        if not any(grader.applies(case.case) for case in tried):
            self._loading.complain((*location, "when"), "applies to no case", "expected a case that it grades")

    def _unread(self, entry: SuiteFile, graders: tuple[ParsedGrader, ...]) -> frozenset[str]:
        """Names of graders with mistakes of their own: a gate may name their metrics."""
        written = {name for grader in entry.graders or () if isinstance(name := grader.get("name"), str)}
        return frozenset(written - {grader.name for grader in graders})

    def _warnings(
        self,
        variants: dict[str, ResolvedVariant],
        cases: Sequence[Case],
        graders: Sequence[ParsedGrader],
        repeats: int,
    ) -> tuple[str, ...]:
        found: list[str] = []
        for resolved in variants.values():
            if resolved.outputs is not None:
                ids = [case.id for case in cases]
                found.extend(coverage_warnings(resolved.outputs, ids, repeats, str(resolved.variant.target)))
            elif self._catalog is not None and resolved.variant.endpoint.over_http:
                found.extend(self._catalog.warnings(resolved.variant.model))
                found.extend(self._catalog.request_warnings(resolved.variant))
        made = [resolved.variant for resolved in variants.values()]
        found.extend(unused_results(cases, made))
        found.extend(unknown_tools(graders, cases, made))
        return tuple(dict.fromkeys(found))


def _names(entry: SuiteFile, variants: dict[str, ResolvedVariant]) -> tuple[str, ...]:
    """Every variant's name, also of those that have mistakes of their own: a gate may name them."""
    return tuple(dict.fromkeys([*variants, *(entry.variants or {})]))
