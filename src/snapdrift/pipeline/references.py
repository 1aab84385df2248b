"""Baselines out of a git tree: what each candidate was there becomes a variant, and the gate's pairs point to it.

From here on the run is like any other: the variant is planned, asked, graded and shown as those of the suite's file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from snapdrift.errors import RepositoryError, UsageError
from snapdrift.model import Alone, Gate, Pair, Severity, Variant, canonical_json
from snapdrift.pipeline.options import RunOptions, Selection
from snapdrift.references import (
    Against,
    FileChange,
    FileDifference,
    Reference,
    Standing,
    baseline_name,
    is_ref,
    reference_sentences,
)

if TYPE_CHECKING:
    from snapdrift.openai_api.catalog import Catalog
    from snapdrift.store import StoredRun
    from snapdrift.suites.repository import Commit, Repository
    from snapdrift.suites.resolved import Suite
    from snapdrift.suites.trees import Asked
    from snapdrift.suites.workspace import Workspace

SHOWN_LINES = 400
"""Lines of a difference that are kept; a prompt that was written anew is longer, and nobody reads that as a diff."""
_LINE = 2_000
_COMPARED_LINES = 5_000
"""Lines of a text that are compared; comparing takes the square of them at worst."""


@dataclass(frozen=True, slots=True)
class Referred:
    """A suite and its gate with the baselines in them. `asked` are the variants to be asked, None: as without a tree.

    `idle` says why nothing need be asked at all, empty where something has to be; `stray` that only variants are
    selected that the gate says nothing about.
    """

    suite: Suite
    gate: Gate
    asked: tuple[str, ...] | None = None
    idle: str = ""
    stray: bool = False


def refer(suite: Suite, gate: Gate, workspace: Workspace, catalog: Catalog, options: RunOptions) -> Referred:
    """The suite under a gate whose baseline is a git tree, or is put in its place by `--baseline-ref`.

    Of any other gate all stays as it is, and no git is asked. Raises `UsageError` where the tree cannot be read, and
    `SuiteError` for mistakes in what it asked.
    """
    ref = options.baseline_ref or gate.ref
    candidates = _candidates(gate)
    if ref is None or options.selection.whole:  # an archive is of one variant: nothing is compared
        return Referred(suite, gate)
    if not candidates:
        options.notice(f"{suite.path}: gate {gate.name} compares nothing: --baseline-ref changes nothing about it")
        return Referred(suite, gate)
    if not is_ref(ref):
        raise UsageError(f"--baseline-ref: found {ref!r}; expected merge-base, or a branch, a tag or a commit")
    where = "--baseline-ref" if options.baseline_ref else f"{suite.path}: gate {gate.name}: baseline.ref"
    gate = replace(gate, outside=None)  # kept answers are no baseline beside the tree
    try:
        return _Referring(suite, gate, workspace, catalog, options).refer(ref, candidates)
    except RepositoryError as error:
        raise UsageError(f"{where}: {error}") from None


def _candidates(gate: Gate) -> dict[str, Severity]:
    """What the gate judges, each with its gravest severity."""
    found: dict[str, Severity] = {}
    for pair in gate.pairs:
        if found.get(pair.candidate) is not Severity.FAIL:
            found[pair.candidate] = pair.severity
    return found


class _Referring:
    """The parts of it, in order."""

    def __init__(self, suite: Suite, gate: Gate, workspace: Workspace, catalog: Catalog, options: RunOptions) -> None:
        self._suite = suite
        self._gate = gate
        self._workspace = workspace
        self._catalog = catalog
        self._options = options

    def refer(self, ref: str, candidates: Mapping[str, Severity]) -> Referred:
        from snapdrift.suites.repository import Repository
        from snapdrift.suites.trees import asked_now, asked_then

        suite, catalog = self._suite, self._catalog
        repository = Repository.around(self._workspace.root, self._options.env)
        commit = repository.commit(ref)
        self._tell_head(commit, repository)
        now = asked_now(suite.source, suite.path, self._workspace, catalog)
        then = asked_then(suite.name, suite.path, self._workspace, repository, commit, catalog)
        baselines, against = self._stand(ref, list(candidates), then)
        reference = Reference(
            ref=ref,
            taken=commit.taken,
            commit=commit.id,
            suite_path=None if then is None else then.path,
            files=() if then is None else tuple(_files(then.texts, now.texts)),
            candidates=tuple(against),
        )
        changed = self._with(baselines, reference, then)
        return self._judged(changed, ref, candidates, reference, self._options.selection)

    def _tell_head(self, commit: Commit, repository: Repository) -> None:
        """Says where the tree is HEAD's own: what is committed is then compared with itself."""
        from snapdrift.suites.repository import NO_HISTORY

        if commit.ref != "HEAD" and commit.id == repository.commit("HEAD").id:
            also = f"; {NO_HISTORY}" if repository.shallow else ""
            self._options.notice(
                f"{self._suite.path}: {commit.taken} ({commit.short}) is HEAD itself: only what is not committed can "
                f"differ from it{also}"
            )

    def _stand(
        self, ref: str, candidates: Sequence[str], then: Asked | None
    ) -> tuple[dict[str, Variant], list[Against]]:
        """The baselines by name, and how each candidate stands to the tree."""
        baselines: dict[str, Variant] = {}
        against = []
        for name in candidates:
            now = self._suite.variants[name]
            standing = _standing(now, name, then)
            if standing is not None or then is None:
                against.append(Against(name, standing or Standing.NEW_SUITE))
                continue
            # It is asked as the candidate is: by batch or not, as a stream or not, whatever it was then.
            old = replace(then.variants[name].variant, batch=now.batch, stream=now.stream)
            differs = tuple(_differs(old, now))
            if not differs:
                against.append(Against(name, Standing.UNCHANGED))
                continue
            own = baseline_name(name, ref)
            if own in self._suite.variants:
                raise UsageError(
                    f"{self._suite.path}: found a variant named {own!r}, as the baseline from the git tree is; "
                    "expected another name for it"
                )
            baselines[own] = replace(old, name=own)
            against.append(_against(name, own, old, now, differs))
        return baselines, against

    def _with(self, baselines: Mapping[str, Variant], reference: Reference, then: Asked | None) -> Suite:
        """The suite with the baselines among its variants; their prompts fit its cases, or it is an error."""
        suite = self._suite
        if then is None or not baselines:
            return replace(suite, reference=reference)
        from snapdrift.suites.media import Media
        from snapdrift.suites.trees import try_then

        media = Media(self._workspace)
        names = [one.candidate for one in reference.candidates if one.baseline is not None]
        try_then(then, names, suite.cases, media, self._catalog)
        told = [text for variant in baselines.values() for text in self._catalog.warnings(variant.model)]
        return replace(
            suite,
            reference=reference,
            variants={**suite.variants, **baselines},
            media={**suite.media, **media.read},
            warnings=tuple(dict.fromkeys((*suite.warnings, *told))),
        )

    def _judged(
        self, suite: Suite, ref: str, candidates: Mapping[str, Severity], reference: Reference, selection: Selection
    ) -> Referred:
        """The gate with its pairs, those that floors are asked of besides, and whom that takes to be asked."""
        absolute = self._gate.absolute or selection.picks_cases
        pairs, alone = [], []
        for one in reference.candidates:
            severity = candidates[one.candidate]
            if one.baseline is not None:
                pairs.append(Pair(one.baseline, one.candidate, severity))
            elif one.standing.without_baseline or absolute:
                alone.append(Alone(one.candidate, severity))
        chosen, stray = frozenset(selection.variants), False
        if chosen:
            kept = [pair for pair in pairs if {pair.candidate, pair.baseline} & chosen]
            left = [one for one in alone if one.candidate in chosen]
            stray = not (chosen & {*candidates, *(pair.baseline for pair in pairs)})
            pairs, alone = (pairs, alone) if stray else (kept, left)
        gate = replace(self._gate, pairs=tuple(pairs), alone=tuple(alone), ref=ref)
        suite = replace(suite, gates={**suite.gates, gate.name: gate})
        if stray:
            return Referred(suite, gate, asked=tuple(selection.variants), stray=True)
        asked = dict.fromkeys(one.candidate for one in alone)
        asked |= dict.fromkeys(side for pair in pairs for side in (pair.candidate, pair.baseline))
        if chosen:
            asked = {name: None for name in asked if name in chosen or _is_baseline_of(name, chosen, pairs)}
        if asked:
            return Referred(suite, gate, asked=tuple(name for name in suite.variants if name in asked))
        names = chosen & set(candidates) or candidates
        return Referred(
            suite, gate, asked=tuple(name for name in suite.variants if name in names), idle=_idle(suite, gate)
        )


def _idle(suite: Suite, gate: Gate) -> str:
    reference = suite.reference
    assert reference is not None, "a suite that is idle was compared with a tree"  # noqa: S101  a defect, not a mistake
    return (
        f"{suite.path}: unchanged: prompts, requests and tools are what they were at {reference.name}, "
        f"and the gate {gate.name} sets no floor, so there is nothing to ask"
    )


def _is_baseline_of(name: str, chosen: frozenset[str], pairs: Sequence[Pair]) -> bool:
    return any(pair.baseline == name and pair.candidate in chosen for pair in pairs)


def _standing(now: Variant, name: str, then: Asked | None) -> Standing | None:
    """Why a candidate has no baseline; None where it has one, which may be the same as it is."""
    if not now.endpoint.over_http:
        return Standing.NO_MODEL
    if then is None:
        return Standing.NEW_SUITE
    if name in then.others:
        return Standing.NO_MODEL_THERE
    return None if name in then.variants else Standing.NEW_VARIANT


def _differs(old: Variant, new: Variant) -> Iterator[str]:
    """What is not as it was, by place."""
    for key in ("model", "endpoint", "host", "max_steps"):
        if getattr(old, key) != getattr(new, key):
            yield key
    for kind in ("prompt", "request"):
        before: Mapping[str, Any] = getattr(old, kind)
        after: Mapping[str, Any] = getattr(new, kind)
        for key in dict.fromkeys((*before, *after)):
            if canonical_json(before.get(key)) != canonical_json(after.get(key)):
                yield f"{kind}.{key}"


def _files(then: Mapping[str, str], now: Mapping[str, str]) -> Iterator[FileDifference]:
    for path in sorted({*then, *now}):
        if path not in then:
            yield FileDifference(path, FileChange.ADDED)
        elif path not in now:
            yield FileDifference(path, FileChange.REMOVED)
        elif then[path].splitlines() != now[path].splitlines():  # a checkout may have changed the ends of lines
            yield FileDifference(path, FileChange.CHANGED)


def _against(name: str, own: str, old: Variant, new: Variant, differs: tuple[str, ...]) -> Against:
    import difflib

    before, after = ([line[:_LINE] for line in _lines(variant)[:_COMPARED_LINES]] for variant in (old, new))
    lines = list(difflib.unified_diff(before, after, own, name, lineterm=""))
    return Against(name, Standing.COMPARED, own, differs, tuple(lines[:SHOWN_LINES]), max(0, len(lines) - SHOWN_LINES))


def _lines(variant: Variant) -> list[str]:
    """A variant as people read it: the prompt's text, the settings, and who is asked."""
    import json

    instructions = variant.prompt.get("instructions")
    lines = [] if instructions is None else ["instructions:", *str(instructions).splitlines()]
    written = variant.prompt.get("input")
    for message in [{"role": "input", "content": written}] if isinstance(written, str) else written or ():
        lines += ["", f"{message['role']}:"]
        content = message.get("content")
        if content is None:
            lines.append("(the model writes it)")
        elif isinstance(content, str):
            lines += content.splitlines()
        else:
            for part in content:
                text = part.get("text") if set(part) == {"text"} else None
                lines += json.dumps(part, ensure_ascii=False).splitlines() if text is None else text.splitlines()
    settings = json.dumps(variant.request, ensure_ascii=False, indent=2, sort_keys=True, default=str)
    model = [f"model: {variant.model}", f"endpoint: {variant.endpoint.value}"]
    model += [f"host: {variant.host}"] if variant.host else []
    return [*lines, "", "request:", *settings.splitlines(), "", *model]


def reference_lines(suite: Suite) -> tuple[str, ...]:
    """What the gate's baselines are, in sentences; none where they are not from a git tree."""
    return () if suite.reference is None else reference_sentences(suite.reference)


def with_kept_reference(suite: Suite, stored: StoredRun) -> Suite:
    """The suite of now for a run that was compared with a git tree: its pairs stay those that were asked."""
    reference = Reference.from_stored(stored.suite.get("reference"))
    name = stored.header.gate
    if reference is None or name not in suite.gates:
        return suite
    kept = stored.suite["gates"][name]
    pairs = tuple(Pair(base, candidate, Severity(word)) for base, candidate, word in kept["pairs"])
    alone = tuple(Alone(candidate, Severity(word)) for candidate, word in kept.get("alone", ()))
    # As when it was asked: kept answers are no baseline beside the tree.
    gate = replace(suite.gates[name], pairs=pairs, alone=alone, ref=reference.ref, outside=None)
    return replace(suite, reference=reference, gates={**suite.gates, name: gate})
