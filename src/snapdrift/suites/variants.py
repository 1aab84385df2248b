"""Variants: the suite's prompt and request with what each variant overrides, short forms written out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from snapdrift.model import Endpoint, Variant
from snapdrift.suites.availability import LATER_REQUEST_KEYS, check_prompt
from snapdrift.suites.layers import Layer, Origin, merge, origin_of, without_nulls
from snapdrift.suites.loading import Loading
from snapdrift.suites.registry import Location, ModelFacts
from snapdrift.suites.shapes import Shape, mistakes_of
from snapdrift.suites.suite import PromptEntry, RequestSettings, SuiteFile, VariantEntry
from snapdrift.suites.wording import did_you_mean, listed, quoted

SCHEMA_AT: Location = ("text", "format", "schema")


@dataclass(frozen=True, slots=True)
class ResolvedVariant:
    """A variant, and where its prompt and request were written."""

    variant: Variant
    origin: Origin
    prompt_layers: tuple[Layer, ...]
    request_layers: tuple[Layer, ...]


@dataclass(frozen=True, slots=True)
class _Draft:
    """A variant as named in the file; `prompts` are the prompts that its own is laid over, first to last."""

    name: str
    entry: VariantEntry
    location: Location
    prompts: tuple[Layer, ...]


def resolve_variants(entry: SuiteFile, loading: Loading, facts: ModelFacts | None) -> dict[str, ResolvedVariant]:
    """Every variant of the suite by name, in the order of the file: variants, then models, then the matrix."""
    prompts = _Prompts(entry, loading)
    made: dict[str, ResolvedVariant] = {}
    seen: set[str] = set()
    for draft in _drafts(entry, prompts):
        if draft.name in seen:
            loading.complain(draft.location, f"the variant {quoted(draft.name)} again", "expected different names")
            continue
        seen.add(draft.name)
        resolved = _resolve(draft, entry, loading, prompts)
        if resolved is not None:
            made[draft.name] = resolved
    if not seen:
        loading.complain(("variants",), "no variants", "expected variants, models or matrix")
    _check_requests(made, loading, facts)
    prompts.complain_about_unused()
    return made


class _Prompts:
    """The suite's prompts as layers: `prompt`, and those that variants name from `prompts`."""

    def __init__(self, entry: SuiteFile, loading: Loading) -> None:
        self._entry = entry
        self._loading = loading
        self._used: set[str] = set()

    def base(self) -> tuple[Layer, ...]:
        """The suite's own prompt; nothing where there is none."""
        return () if self._entry.prompt is None else self.layers(self._entry.prompt, ("prompt",), ())

    def named(self, name: str, location: Location) -> tuple[Layer, ...]:
        """A prompt of `prompts`."""
        named = self._entry.prompts or {}
        if name not in named:
            known = did_you_mean(
                name, named, f"expected one of {listed(named)}" if named else "expected prompts: {...}"
            )
            self._loading.complain(location, f"no prompt {quoted(name)}", known)
            return ()
        self._used.add(name)
        return self.layers(named[name], ("prompts", name), self.base())

    def layers(self, source: str | PromptEntry, location: Location, below: tuple[Layer, ...]) -> tuple[Layer, ...]:
        """A prompt over others. Text names one of `prompts`, or a file; either replaces what is below."""
        if isinstance(source, PromptEntry):
            value = source.model_dump(exclude_unset=True, by_alias=True)
            return (*below, Layer(value, self._loading.document, location))
        if source in (self._entry.prompts or {}) and location[0] != "prompts":
            return self.named(source, location)
        return self._from_file(source, location)

    def _from_file(self, path: str, location: Location) -> tuple[Layer, ...]:
        document = self._loading.read(path, location)
        if document is None:
            return ()
        shape = Shape()
        try:
            prompt = PromptEntry.model_validate(document.value, context=shape)
        except ValidationError as error:
            for mistake in mistakes_of(error, document.value, shape):
                self._loading.complain(
                    mistake.location, mistake.found, mistake.expected, key=mistake.at_key, document=document
                )
            return ()
        check_prompt(prompt, self._loading, document)
        return (Layer(prompt.model_dump(exclude_unset=True, by_alias=True), document, ()),)

    def complain_about_unused(self) -> None:
        """A prompt that no variant uses is a mistake: it would never be asked."""
        for name in self._entry.prompts or {}:
            if name not in self._used:
                expected = "expected a variant or the matrix to use it"
                self._loading.complain(("prompts", name), "a prompt that nothing uses", expected, key=True)


def _drafts(entry: SuiteFile, prompts: _Prompts) -> Iterator[_Draft]:
    for name, variant in (entry.variants or {}).items():
        yield _Draft(name, variant, ("variants", name), prompts.base())
    for index, model in enumerate(entry.models or ()):
        yield _Draft(model, VariantEntry(model=model), ("models", index), prompts.base())
    if entry.matrix is None:
        return
    models = entry.matrix.model
    prefixes: list[tuple[str, tuple[Layer, ...]]] = [("", prompts.base())]
    if entry.matrix.prompt is not None:
        prefixes = [
            (f"{name}/", prompts.named(name, ("matrix", "prompt", index)))
            for index, name in enumerate(entry.matrix.prompt)
        ]
    for prefix, layers in prefixes:
        if isinstance(models, dict):
            for name, source in models.items():
                variant = VariantEntry(model=source) if isinstance(source, str) else source
                yield _Draft(f"{prefix}{name}", variant, ("matrix", "model", name), layers)
        else:
            for index, name in enumerate(models):
                yield _Draft(f"{prefix}{name}", VariantEntry(model=name), ("matrix", "model", index), layers)


def _resolve(draft: _Draft, entry: SuiteFile, loading: Loading, prompts: _Prompts) -> ResolvedVariant | None:
    variant = draft.entry
    if variant.python is not None or variant.outputs is not None:
        return None  # told as not available yet
    prompt_layers = draft.prompts
    if variant.prompt is not None:
        prompt_layers = prompts.layers(variant.prompt, (*draft.location, "prompt"), draft.prompts)
    request_layers = tuple(
        Layer(request, loading.document, location)
        for request, location in ((entry.request, ("request",)), (variant.request, (*draft.location, "request")))
        if request is not None
    )
    origin = Origin(loading.document, draft.location)
    if variant.model is None:
        loading.complain((*draft.location, "model"), "missing", 'expected a model, such as "gpt-4o-2024-11-20"')
    if variant.host is not None and variant.host not in loading.workspace.config.hosts:
        known = loading.workspace.config.hosts
        otherwise = f"expected a host of snapdrift.toml{f' ({listed(known)})' if known else ', which declares none'}"
        place = (*draft.location, "host")
        loading.complain(place, f"no host {quoted(variant.host)}", did_you_mean(variant.host, known, otherwise))
    made = Variant(
        name=draft.name,
        model=variant.model or "",
        endpoint=Endpoint(variant.endpoint or "responses"),
        request=_request(request_layers, origin, loading),
        prompt=without_nulls(merge(prompt_layers), frozenset()),
        host=variant.host,
    )
    if "input" not in made.prompt:
        _complain_about_input(prompt_layers, draft, entry, loading)
        return None
    return ResolvedVariant(made, origin, prompt_layers, request_layers) if made.model else None


def _complain_about_input(layers: tuple[Layer, ...], draft: _Draft, entry: SuiteFile, loading: Loading) -> None:
    expected = 'expected prompt: {input: "{{ ... }}"}'
    if layers:
        loading.complain(layers[-1].location, "a prompt without input", expected, document=_other(layers[-1], loading))
    elif entry.prompt is None and draft.entry.prompt is None and entry.matrix is None:
        loading.complain(("prompt",) if not entry.prompts else draft.location, "no prompt", expected)
    elif entry.matrix is not None and entry.matrix.prompt is None and entry.prompt is None:
        loading.complain(("matrix",), "no prompt", "expected `prompt`, or the matrix to name some of `prompts`")


def _other(layer: Layer, loading: Loading) -> Any:
    """The layer's document when it is not the suite file itself."""
    return None if layer.document is loading.document else layer.document


def _request(layers: tuple[Layer, ...], origin: Origin, loading: Loading) -> dict[str, Any]:
    """What is sent: merged, nulls out, the schema's file read."""
    request = without_nulls(merge(layers), frozenset({SCHEMA_AT}))
    text = request.get("text")
    written = text.get("format") if isinstance(text, dict) else None
    schema = written.get("schema") if isinstance(written, dict) else None
    if not isinstance(schema, str):
        return request
    place = origin_of(layers, SCHEMA_AT, origin)
    document = loading.read(schema, place.location)
    if document is None:
        return request
    if not isinstance(document.value, dict):
        loading.complain((), quoted(document.value), "expected a JSON Schema, which is a mapping", document=document)
        return request
    return {**request, "text": {**text, "format": {**written, "schema": document.value}}}  # type: ignore[dict-item]


def _check_requests(made: Mapping[str, ResolvedVariant], loading: Loading, facts: ModelFacts | None) -> None:
    """Tells each mistake in a request once, with the variants that it is one for."""
    told: dict[tuple[Location, str, str], list[str]] = {}
    for name, resolved in made.items():
        variant = resolved.variant
        request = {key: value for key, value in variant.request.items() if key not in LATER_REQUEST_KEYS}
        if isinstance(_at(request, SCHEMA_AT), str):
            continue  # the schema's file could not be read, which is told
        findings = (
            _form_findings(request) if facts is None else _facts_findings(facts, replace(variant, request=request))
        )
        for location, found, expected in findings:
            place = origin_of(resolved.request_layers, location, resolved.origin)
            own = place.location[: len(resolved.origin.location)] == resolved.origin.location
            told.setdefault((place.location, found, expected), []).extend([] if own else [name])
    for (location, found, expected), names in told.items():
        whose = "" if not names or len(names) == len(made) else f" (variant {listed(names)})"
        loading.complain(location, f"{found}{whose}", expected, key="unknown" in found)


def _at(value: Any, location: Location) -> Any:
    for part in location:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _facts_findings(facts: ModelFacts, variant: Variant) -> Iterator[tuple[Location, str, str]]:
    for finding in facts.check_request(variant.model, variant.endpoint, variant.request):
        yield finding.location, finding.found, finding.expected


def _form_findings(request: Mapping[str, Any]) -> Iterator[tuple[Location, str, str]]:
    """Without facts about models at least the settings' names and types are checked."""
    shape = Shape()
    written = dict(request)
    try:
        RequestSettings.model_validate(written, context=shape)
    except ValidationError as error:
        for mistake in mistakes_of(error, written, shape):
            yield mistake.location, mistake.found, mistake.expected
