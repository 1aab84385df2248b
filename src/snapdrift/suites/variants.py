"""Variants: the suite's prompt and request with what each variant overrides, short forms written out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from snapdrift.model import DEFAULT_MAX_STEPS, Endpoint, Variant
from snapdrift.suites.applications import application_endpoint, function_hash, is_application, outputs_of
from snapdrift.suites.batching import ONE_REQUEST, variant_obstacle
from snapdrift.suites.layers import Layer, Origin, merge, origin_of, without_nulls
from snapdrift.suites.loading import Loading
from snapdrift.suites.outputs import Outputs
from snapdrift.suites.registry import Location, ModelFacts
from snapdrift.suites.requests import ResolvedRequest, about_key, request_findings, resolve_request
from snapdrift.suites.scope import scope_of_model
from snapdrift.suites.shapes import Shape, mistakes_of
from snapdrift.suites.suite import PromptEntry, SuiteFile, VariantEntry
from snapdrift.suites.wording import did_you_mean, listed, quoted

_PROMPT_KEYS = ("input", "instructions")


@dataclass(frozen=True, slots=True)
class ResolvedVariant:
    """A variant, and where its prompt and request were written.

    `outputs` are read for a variant that has them; `sound` says that no mistake was found in its request.
    """

    variant: Variant
    origin: Origin
    prompt_layers: tuple[Layer, ...]
    request: ResolvedRequest
    outputs: Outputs | None = None
    sound: bool = True

    def place_of(self, location: Location) -> Origin:
        """Where something of the prompt (`("input", 0)`, `("instructions",)`) or of the request is written."""
        if not location or location[0] in _PROMPT_KEYS:
            return origin_of(self.prompt_layers, location or ("input",), self.origin)
        return self.request.place_of(location, self.origin)


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
            made[draft.name] = resolved if facts is None else _informed(resolved, facts)
    if not seen:
        loading.complain(("variants",), "no variants", "expected variants, models or matrix")
    wrong = _check_requests(made, loading, facts)
    prompts.complain_about_unused()
    return {name: replace(found, sound=name not in wrong) for name, found in made.items()}


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
        # A suite whose own prompt is one of these has nothing else to lay them over.
        below = () if self._entry.prompt in (*named,) else self.base()
        return self.layers(named[name], ("prompts", name), below)

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
    prompt_layers = draft.prompts
    if variant.prompt is not None:
        prompt_layers = prompts.layers(variant.prompt, (*draft.location, "prompt"), draft.prompts)
    prompt = without_nulls(merge(prompt_layers), frozenset())
    if is_application(variant):
        return _application(draft, prompt, prompt_layers, loading)
    request_layers = tuple(
        Layer(request, loading.document, location)
        for request, location in ((entry.request, ("request",)), (variant.request, (*draft.location, "request")))
        if request is not None
    )
    origin = Origin(loading.document, draft.location)
    _check_model_and_host(draft, loading)
    request = resolve_request(request_layers, origin, loading)
    made = Variant(
        name=draft.name,
        model=variant.model or "",
        endpoint=Endpoint(variant.endpoint or "responses"),
        request=request.settings,
        prompt=prompt,
        host=variant.host,
        stream=bool(entry.stream if variant.stream is None else variant.stream),
        batch=bool(variant.batch),
        max_steps=entry.max_steps or DEFAULT_MAX_STEPS,
    )
    obstacle = variant_obstacle(made) if made.batch else None
    if obstacle is not None:
        loading.complain((*draft.location, "batch"), f"`batch: true` with {obstacle}", ONE_REQUEST)
    if "input" not in made.prompt:
        _complain_about_input(prompt_layers, draft, entry, loading)
        return None
    return ResolvedVariant(made, origin, prompt_layers, request) if made.model else None


def _informed(resolved: ResolvedVariant, facts: ModelFacts) -> ResolvedVariant:
    """The variant with what decides how it is asked: known when the suite is loaded, and part of what is stored."""
    variant = resolved.variant
    if not variant.endpoint.over_http or not facts.reasons(variant.model, variant.endpoint):
        return resolved
    return replace(resolved, variant=replace(variant, reasons=True))


def _check_model_and_host(draft: _Draft, loading: Loading) -> None:
    variant = draft.entry
    if variant.model is None:
        loading.complain((*draft.location, "model"), "missing", 'expected a model, such as "gpt-4o-2024-11-20"')
    elif variant.host is None and (outside := scope_of_model(variant.model)) is not None:
        loading.complain((*draft.location, "model"), *outside)
    if variant.host is not None and variant.host not in loading.workspace.config.hosts:
        known = loading.workspace.config.hosts
        otherwise = f"expected a host of snapdrift.toml{f' ({listed(known)})' if known else ', which declares none'}"
        place = (*draft.location, "host")
        loading.complain(place, f"no host {quoted(variant.host)}", did_you_mean(variant.host, known, otherwise))


def _application(
    draft: _Draft, prompt: Mapping[str, Any], layers: tuple[Layer, ...], loading: Loading
) -> ResolvedVariant | None:
    """A variant that asks no model. The content of its file is in `request`: a changed one is another variant."""
    kind = application_endpoint(draft.entry, draft.location, loading)
    place = (*draft.location, kind.value)
    outputs = None
    if kind is Endpoint.PYTHON:
        target = draft.entry.python or ""
        content = function_hash(target, place, loading)
    else:
        target = draft.entry.outputs or ""
        found = outputs_of(target, place, loading)
        outputs, content = found if found is not None else (None, None)
    if content is None:
        return None
    request = ResolvedRequest({"sha256": content}, ())
    made = Variant(
        name=draft.name,
        model=f"{kind.value}:{target}",
        endpoint=kind,
        request=request.settings,
        prompt=prompt if "input" in prompt else {},
        target=target,
    )
    return ResolvedVariant(made, Origin(loading.document, draft.location), layers, request, outputs)


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


def _check_requests(
    made: Mapping[str, ResolvedVariant], loading: Loading, facts: ModelFacts | None
) -> AbstractSet[str]:
    """Tells each mistake in a request once, with the variants that it is one for; returns the names of them all."""
    wrong = {name for name, found in made.items() if found.request.unread}
    told: dict[tuple[str, Location, str, str], tuple[Origin, list[str]]] = {}
    asked = {name: found for name, found in made.items() if found.variant.endpoint.over_http}
    for name, resolved in asked.items():
        if name in wrong:
            continue  # a file that it names could not be read, which is told
        for finding in request_findings(resolved.variant, facts):
            place = resolved.request.place_of(finding.location, resolved.origin)
            own = place.location[: len(resolved.origin.location)] == resolved.origin.location
            key = (place.document.file, place.location, finding.found, finding.expected)
            told.setdefault(key, (place, []))[1].extend([] if own else [name])
            wrong.add(name)
    for (_, location, found, expected), (place, names) in told.items():
        whose = "" if not names or len(names) == len(asked) else f" (variant {listed(names)})"
        other = None if place.document is loading.document else place.document
        loading.complain(location, f"{found}{whose}", expected, key=about_key(found), document=other)
    return wrong
