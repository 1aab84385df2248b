"""Every template of a suite is rendered for every case, and every conversation checked, before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, overload

from snapdrift.model import Case, Conversation, canonical_json
from snapdrift.suites.batching import ONE_REQUEST, case_obstacle
from snapdrift.suites.layers import Origin
from snapdrift.suites.loading import Loading
from snapdrift.suites.media import Media
from snapdrift.suites.messages import turn_findings
from snapdrift.suites.prompts import Expression, PartForm, PromptForm, Rendering, Template, TemplateError, read_prompt
from snapdrift.suites.registry import Finding, Location, ModelFacts, ParsedGrader
from snapdrift.suites.variants import ResolvedVariant
from snapdrift.suites.wording import did_you_mean, listed, quoted

_UNDEFINED = re.compile(r"'([^']+)' is undefined")
_FEW = 5_000
"""Of so many cases at most the contexts are made once for all that is tried."""
_NUMBERS = re.compile(r"\d[\d,._]*")


@dataclass(frozen=True, slots=True)
class TriedCase:
    """A case with what templates see of it, made once for all of them."""

    case: Case
    context: Mapping[str, Any]


class TriedCases(Sequence[TriedCase]):
    """The cases with their contexts, made when they are looked at: of a large dataset they take much memory."""

    def __init__(self, cases: Sequence[Case]) -> None:
        self.cases = cases

    def __len__(self) -> int:
        return len(self.cases)

    @overload
    def __getitem__(self, place: int) -> TriedCase: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[TriedCase]: ...

    def __getitem__(self, place: int | slice) -> TriedCase | Sequence[TriedCase]:
        return TriedCases(self.cases[place]) if isinstance(place, slice) else _tried(self.cases[place])

    def __iter__(self) -> Iterator[TriedCase]:
        return map(_tried, self.cases)


def _tried(case: Case) -> TriedCase:
    return TriedCase(case, case.context())


def cases_of(tried: Sequence[TriedCase]) -> Sequence[Case]:
    """The cases alone."""
    return tried.cases if isinstance(tried, TriedCases) else [one.case for one in tried]


def tried_cases(cases: Sequence[Case]) -> Sequence[TriedCase]:
    """The cases with their contexts."""
    few = len(cases) <= _FEW
    return tuple(map(_tried, cases)) if few else TriedCases(cases)


@dataclass(slots=True)
class _Told:
    """A mistake that several cases may have: the first of them, and how many, by variant where it is one's own."""

    place: Origin
    found: str
    expected: str
    case: str
    cases: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Prompt:
    """A prompt that one or more variants ask; they share every rendering."""

    form: PromptForm
    variants: tuple[ResolvedVariant, ...]

    def place_of(self, location: Location) -> Origin:
        """Where something of it is written."""
        return self.variants[0].place_of(location)


def try_prompts(
    variants: Sequence[ResolvedVariant],
    cases: Sequence[TriedCase],
    media: Media,
    facts: ModelFacts | None,
    loading: Loading,
) -> None:
    """Renders every prompt for every case, each part once however many variants share it, and checks what comes out.

    Each mistake is told once, at the place of the template or setting, with the first case and how many have it.
    """
    prompts = _prompts(variants)
    if cases:
        known = {name for tried in cases for name in tried.context} | {"it"}
        prompts = tuple(prompt for prompt in prompts if _names_are_known(prompt, known, loading))
    trial = _Trial(prompts, media, facts)
    for tried in cases:
        trial.run(tried)
    for told in trial.told.values():
        at = loading.row_of(told.case)
        found = f"{told.found} in case {quoted(told.case)}{at}{_count(told, len(cases), len(variants))}"
        _complain(told.place, found, told.expected, loading)


def _count(told: _Told, cases: int, variants: int) -> str:
    names = [name for name in told.cases if name]
    said = [f"{max(told.cases.values())} of {cases} cases"] if cases > 1 else []
    said += [f"variant {listed(names)}"] if 0 < len(names) < variants else []
    return f" ({', '.join(said)})" if said else ""


def _prompts(variants: Sequence[ResolvedVariant]) -> tuple[_Prompt, ...]:
    """The variants by what they ask and where that is written."""
    groups: dict[tuple[str, str], list[ResolvedVariant]] = {}
    for resolved in variants:
        if resolved.variant.prompt:
            places = [(layer.document.file, layer.location) for layer in resolved.prompt_layers]
            groups.setdefault((canonical_json(resolved.variant.prompt), str(places)), []).append(resolved)
    return tuple(_Prompt(read_prompt(group[0].variant.prompt), tuple(group)) for group in groups.values())


def _names_are_known(prompt: _Prompt, known: AbstractSet[str], loading: Loading) -> bool:
    """`if` and `each` take what a case lacks as not there, so a name that no case has must be a slip."""
    fine = True
    for part in prompt.form.parts:
        for key, source in part.expressions:
            for name in sorted(Expression(source).names - known):
                fine = False
                expected = did_you_mean(name, known, f"expected one of {listed(sorted(known), 20)}")
                _complain(prompt.place_of(part.place_of(key)), f"no case has {quoted(name)}", expected, loading)
    return fine


class _Trial:
    """The trying of prompts on one case after another; `told` are the mistakes found so far."""

    def __init__(self, prompts: tuple[_Prompt, ...], media: Media, facts: ModelFacts | None) -> None:
        self._prompts = prompts
        self._media = media
        self._facts = facts
        self._parts = tuple(self._distinct_parts())
        self.told: dict[tuple[str, Location, str], _Told] = {}

    def _distinct_parts(self) -> Iterator[tuple[PartForm, _Prompt]]:
        """Each part of a prompt with the first prompt that has it at its place in a file."""
        seen: set[tuple[str, Location, PartForm]] = set()
        for prompt in self._prompts:
            for part in prompt.form.parts:
                place = prompt.place_of(part.at)
                key = (place.document.file, place.location, part)
                if key not in seen:
                    seen.add(key)
                    yield part, prompt

    def run(self, tried: TriedCase) -> None:
        """Renders and checks everything for one case."""
        rendering = Rendering(tried.context, self._media)
        noted: list[TemplateError] = []
        for part, prompt in self._parts:
            try:
                rendering.made(part)
            except TemplateError as error:
                noted.append(error.with_traceback(None))  # whose frames hold `noted`, and so each other
                self._note_template(error, prompt, tried)
        for prompt in self._prompts:
            try:
                conversation = rendering.conversation(prompt.form)
            except TemplateError as error:
                if error.with_traceback(None) not in noted:
                    self._note_template(error, prompt, tried)
                continue
            for resolved in prompt.variants:
                self._check(resolved, conversation, tried)

    def _check(self, resolved: ResolvedVariant, conversation: Conversation, tried: TriedCase) -> None:
        variant = resolved.variant
        if variant.batch and (obstacle := case_obstacle(tried.case, conversation)) is not None:
            place = Origin(resolved.origin.document, (*resolved.origin.location, "batch"))
            self._note(place, Finding((), f"`batch: true` with {obstacle}", ONE_REQUEST), "", tried)
        if self._facts is not None and resolved.sound and variant.endpoint.over_http:
            for finding in self._facts.check_conversation(variant, conversation):
                place = resolved.place_of(finding.location)
                own = place.location[: len(resolved.origin.location)] == resolved.origin.location
                self._note(place, finding, "" if own else variant.name, tried)

    def _note_template(self, error: TemplateError, prompt: _Prompt, tried: TriedCase) -> None:
        finding = Finding(error.at, str(error), _mend(error, tried.context))
        self._note(prompt.place_of(error.at), finding, "", tried, kind="template")

    def _note(self, place: Origin, finding: Finding, variant: str, tried: TriedCase, kind: str | None = None) -> None:
        """Notes a mistake; several at one place are one when their mending differs in nothing but numbers."""
        key = (place.document.file, place.location, kind or _NUMBERS.sub("#", finding.expected))
        told = self.told.get(key)
        if told is None:
            told = self.told[key] = _Told(place, finding.found, finding.expected, tried.case.id)
        told.cases[variant] = told.cases.get(variant, 0) + 1


def try_grader(grader: ParsedGrader, location: Location, cases: Sequence[TriedCase], loading: Loading) -> None:
    """Renders a grader's templates for each case that it applies to."""
    for inside, template in grader.templates.items():
        place = Origin(loading.document, (*location, *inside))
        _try_template(template, (tried for tried in cases if grader.applies(tried.case)), place, loading)


def _try_template(template: Template, cases: Iterable[TriedCase], place: Origin, loading: Loading) -> None:
    first: tuple[TemplateError, TriedCase] | None = None
    tries = failures = 0
    for tried in cases:
        tries += 1
        try:
            template.render(tried.context)
        except TemplateError as error:
            failures += 1
            first = first or (error, tried)
    if first is not None:
        failure, tried = first
        count = "" if tries == 1 else f" ({failures} of {tries} cases)"
        found = f"{failure} in case {quoted(tried.case.id)}{loading.row_of(tried.case.id)}{count}"
        _complain(place, found, _mend(failure, tried.context), loading)


def _complain(place: Origin, found: str, expected: str, loading: Loading) -> None:
    other = None if place.document is loading.document else place.document
    loading.complain(place.location, found, expected, document=other)


def _mend(error: TemplateError, context: Mapping[str, Any]) -> str:
    if error.expected is not None:
        return error.expected
    missing = _UNDEFINED.search(error.message)
    if missing is None:
        return "expected a template that renders for every case"
    return did_you_mean(missing[1], context, f"expected one of {listed(sorted(context), 20)}")


def prompt_compiles(resolved: ResolvedVariant, loading: Loading) -> bool:
    """Whether a variant's templates are valid and its messages follow one another; no prompt at all is fine."""
    prompt = resolved.variant.prompt
    if not prompt:
        return True
    parts = [compiles(part, resolved, loading) for part in read_prompt(prompt).parts]
    written = prompt["input"]
    turns = [] if isinstance(written, str) else list(turn_findings(written))
    for finding in turns:
        place = resolved.place_of(("input", *finding.location))
        other = None if place.document is loading.document else place.document
        loading.complain(place.location, finding.found, finding.expected, document=other)
    return all(parts) and not turns


def compiles(form: PartForm, resolved: ResolvedVariant, loading: Loading) -> bool:
    """Whether a part's template and expressions are valid; complains about those that are not."""
    fine = _compiles(Template, form.source, form.at, resolved, loading)
    for key, source in form.expressions:
        fine &= _compiles(Expression, source, form.place_of(key), resolved, loading)
    return fine


def _compiles(
    kind: type[Template | Expression], source: str, at: Location, resolved: ResolvedVariant, loading: Loading
) -> bool:
    try:
        kind(source)
    except TemplateError as error:
        what, such = ("a template", "template, such as {{ question }}")
        if kind is Expression:
            what, such = ("an expression", "expression, such as photo")
        _complain(resolved.place_of(at), f"not {what}: {error}", f"expected a Jinja {such}", loading)
        return False
    return True
