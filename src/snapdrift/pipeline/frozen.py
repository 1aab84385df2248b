"""A gate's baseline that is kept answers, looked up: the additional variant, what pairs, and scores that count.

`docs/design/archives.md` has the rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from snapdrift.baselines import BaselineFacts, BaselineKind, KeptAnswers, Unpaired
from snapdrift.errors import InsufficientError, SnapdriftError, UsageError
from snapdrift.model import (
    OUTSIDE,
    Call,
    CallKey,
    Case,
    Endpoint,
    Gate,
    OnInconclusive,
    OutsideBaseline,
    Score,
    Target,
    Variant,
)
from snapdrift.pipeline.archiving import prompt_hash
from snapdrift.pipeline.frozen_scores import FrozenScores, frozen_scores
from snapdrift.pipeline.frozen_words import counts_of, sentence_of
from snapdrift.pipeline.kept_sources import archive_at, archive_of_run, is_run_file
from snapdrift.pipeline.options import RunOptions
from snapdrift.store import codec
from snapdrift.store.archive_records import Archive, ArchivedAnswer

if TYPE_CHECKING:
    from snapdrift.openai_api.catalog import Catalog
    from snapdrift.suites.resolved import Suite
    from snapdrift.suites.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Frozen:
    """Kept answers as the baseline of a run: the variant that they are, its answers by call, scores that count."""

    variant: Variant
    answers: Mapping[CallKey, ArchivedAnswer]
    scores: tuple[Score, ...] = ()

    @property
    def repeats(self) -> int:
        """The most answers that a case has."""
        return max((key.repeat for key in self.answers), default=0) + 1

    @property
    def cases(self) -> frozenset[str]:
        """The ids of the cases that pair."""
        return frozenset(key.case_id for key in self.answers)

    def calls(self) -> tuple[Call, ...]:
        """Its part of the plan, which comes first: the answers are there before anything is asked."""
        return tuple(Call(key, position) for position, key in enumerate(self.answers))


@dataclass(frozen=True, slots=True)
class Based:
    """A suite and its gate with the baseline looked up. `facts` is None where the baseline is a variant as any other.

    `frozen` is None where the baseline is asked; `asks` is then the variant whose host is to be asked whether its model
    is still there, None where nothing would stand in for it.
    """

    suite: Suite
    gate: Gate
    facts: BaselineFacts | None = None
    frozen: Frozen | None = None
    asks: Variant | None = None
    notes: tuple[str, ...] = ()


def look_up(
    suite: Suite, gate: Gate, cases: Sequence[Case], workspace: Workspace, catalog: Catalog, options: RunOptions
) -> Based:
    """The gate with its baseline: kept answers become a variant of the suite, which the pairs of the gate name.

    Raises `SnapdriftError` for what cannot be found, read or compared, with where the suite names it.
    """
    outside = gate.outside
    if outside is None:
        return Based(suite, gate)
    if options.selection.whole:  # one variant is asked, to be archived: perhaps as the very file that is named here
        return Based(suite, replace(gate, outside=None))
    try:
        return _looked_up(outside, suite, gate, cases, workspace, catalog, options)
    except InsufficientError:
        raise
    except SnapdriftError as error:
        raise UsageError(f"{outside.place}: {error}") from None


def _looked_up(
    outside: OutsideBaseline,
    suite: Suite,
    gate: Gate,
    cases: Sequence[Case],
    workspace: Workspace,
    catalog: Catalog,
    options: RunOptions,
) -> Based:
    archive, kind, where = _archive(outside, suite, gate, workspace, options)
    if outside.fallback is None:
        name = f"{archive.header.variant.name}@{'archive' if kind is BaselineKind.ARCHIVE else archive.header.run}"
        facts = BaselineFacts(kind, name)
        return _based(facts, archive, where, suite, gate, cases)
    of = next(iter(gate.pairs)).baseline if gate.pairs else ""
    if of not in suite.variants:
        return Based(suite, replace(gate, outside=None))
    gone = options.fallbacks.get(suite.path) or _shut_down(suite.variants[of], catalog, options)
    if gone is None:
        return _asked(of, archive, where, suite, gate, cases, options)
    facts = BaselineFacts(kind, f"{archive.header.variant.name}@archive", None, of, where, gone)
    return _based(facts, archive, where, suite, gate, cases)


def _asked(
    of: str, archive: Archive, where: str, suite: Suite, gate: Gate, cases: Sequence[Case], options: RunOptions
) -> Based:
    """The baseline is a variant whose model is there; that its fallback would do is tried all the same."""
    from snapdrift.pipeline.rehearsing import require_fallback_would_do

    facts = BaselineFacts(BaselineKind.VARIANT, of, None, of, where, f"the model of `{of}` can still be asked")
    notes = [sentence_of(facts)]
    try:
        rehearsed = replace(facts, kind=BaselineKind.ARCHIVE, name=f"{archive.header.variant.name}@archive")
        require_fallback_would_do(_based(rehearsed, archive, where, suite, gate, cases), cases, options)
    except SnapdriftError as error:
        told = " ".join(str(error).split())
        notes.append(f"baseline: {where} would not do as a fallback: {told}")
    return Based(suite, replace(gate, outside=None), facts, None, suite.variants[of], tuple(notes))


def _archive(
    outside: OutsideBaseline, suite: Suite, gate: Gate, workspace: Workspace, options: RunOptions
) -> tuple[Archive, BaselineKind, str]:
    if outside.run is not None:
        archive = archive_of_run(outside.run, outside.of, workspace, options)
        return archive, BaselineKind.RUN, outside.run if is_run_file(outside.run) else archive.header.run
    where = outside.archive or outside.fallback or ""
    whose = f"--gate {gate.name} {suite.path}" if outside.fallback is not None else "RUN"
    how = f"make it with `snapdrift archive {whose} -o {where}`"
    return archive_at(workspace, where, how), BaselineKind.ARCHIVE, where


def _shut_down(variant: Variant, catalog: Catalog, options: RunOptions) -> str | None:
    """Why nobody can be asked for the variant any more, by the catalogue; None where it does not say so.

    Its dates are OpenAI's own: of another host, and of a stand-in, only they themselves can tell.
    """
    target = options.target
    if target.standin or target.base_url or target.host or variant.host or not variant.endpoint.over_http:
        return None
    model = catalog.resolve_alias(variant.model)
    info = catalog.get(model)
    if info is None or info.shutdown is None or catalog.today < info.shutdown:
        return None
    return f"OpenAI shut {model} down on {info.shutdown}"


def _based(
    facts: BaselineFacts, archive: Archive, where: str, suite: Suite, gate: Gate, cases: Sequence[Case]
) -> Based:
    """The suite with the kept answers as a variant; the variant that they stand in for is no longer asked."""
    if facts.name in suite.variants:
        raise UsageError(f"the suite has a variant {facts.name!r}; expected another name: the baseline is called so")
    replaced = facts.of or archive.header.variant.name
    compared = {pair.candidate for pair in gate.pairs}
    variants = {name: v for name, v in suite.variants.items() if name != replaced or name in compared}
    then, header = archive.header.variant, archive.header
    variant = Variant(
        name=facts.name,
        model=then.model,
        endpoint=Endpoint.ARCHIVE,
        request={"sha256": archive.digest},
        prompt=then.prompt,
        target=where,
    )
    paired, unpaired = _paired(archive, suite, cases)
    if not paired:
        raise InsufficientError(
            f"{suite.path}: gate {gate.name} compares with {where}, and not one of {len(cases):,} cases pairs with it: "
            f"{counts_of(unpaired)}. Archive the baseline again with the cases of now"
        )
    pairs = tuple(replace(pair, baseline=facts.name) for pair in gate.pairs if pair.baseline in (OUTSIDE, facts.of))
    gate, notes = replace(gate, pairs=pairs, outside=None), list[str]()
    if facts.of:
        suite, gate, notes = _of_fixed_size(suite, gate)
    if gate.target is Target.THESE_CASES and header.repeats < 2:
        raise UsageError(f"{where} has one answer to each case; expected two or more, for `target: these_cases`")
    answers = {key: answer for key, answer in _answers(archive, facts.name) if key.case_id in paired}
    found: FrozenScores = frozen_scores(suite, gate, archive, answers, [c for c in cases if c.id in paired], where)
    kept = _kept(archive, where, unpaired, found)
    kept = replace(kept, paired=len(paired), other_prompt=_asks_otherwise(suite, archive))
    suite = replace(suite, variants={**variants, facts.name: variant}, gates={**suite.gates, gate.name: gate})
    facts = replace(facts, kept=kept)
    return Based(suite, gate, facts, Frozen(variant, answers, found.scores), notes=(sentence_of(facts), *notes))


def _of_fixed_size(suite: Suite, gate: Gate) -> tuple[Suite, Gate, list[str]]:
    """Without what looks at a run while it grows, which kept answers do not: no gate breaks on a shutdown."""
    extends = gate.inconclusive is OnInconclusive.EXTEND
    dropped = [*(["early stopping"] if suite.early_stop else []), *(["`inconclusive: extend`"] if extends else [])]
    if not dropped:
        return suite, gate, []
    gate = replace(gate, inconclusive=OnInconclusive.WARN) if extends else gate
    without = " and ".join(dropped)
    told = f"baseline: kept answers are all there at once, so all planned cases are asked, without {without}."
    return replace(suite, early_stop=False), gate, [told]


def _answers(archive: Archive, name: str) -> Iterator[tuple[CallKey, ArchivedAnswer]]:
    for case in archive.cases:
        for answer in case.answers:
            key = answer.response.call
            yield CallKey(key.case_id, name, key.repeat), answer


def _paired(archive: Archive, suite: Suite, cases: Sequence[Case]) -> tuple[frozenset[str], Unpaired]:
    """The cases with kept answers that ask the same now, and those left out."""
    then = {case.id: case.hash for case in archive.cases if case.answers}
    files = {path for path, digest in archive.header.media.items() if suite.media.get(path, digest) != digest}
    paired, added, changed = set[str](), [], []
    for case in cases:
        if case.id not in then:
            added.append(case.id)
        elif then[case.id] != case.hash or names_one_of(case, files):
            changed.append(case.id)
        else:
            paired.add(case.id)
    now = {case.id for case in suite.cases}
    removed = tuple(case_id for case_id in then if case_id not in now)
    return frozenset(paired), Unpaired(tuple(added), removed, tuple(changed))


def names_one_of(case: Case, files: set[str]) -> bool:
    """Whether a text of the case is the path of one of these files."""

    def within(value: Any) -> bool:
        if isinstance(value, Mapping):
            return any(map(within, value.values()))
        if isinstance(value, list | tuple):
            return any(map(within, value))
        return isinstance(value, str) and value in files

    return bool(files) and within(case.variables)


def _asks_otherwise(suite: Suite, archive: Archive) -> bool:
    """Whether the suite has a variant of that name whose prompt or settings are others now."""
    now = suite.variants.get(archive.header.variant.name)
    return now is not None and now.endpoint.over_http and prompt_hash(now) != archive.header.prompt_hash


def _kept(archive: Archive, where: str, unpaired: Unpaired, found: FrozenScores) -> KeptAnswers:
    header = archive.header
    return KeptAnswers(
        where=where,
        digest=archive.digest,
        run=header.run,
        suite=header.suite,
        variant=header.variant.name,
        asked=header.variant.model,
        started_at=header.started_at,
        first_at=header.first_at,
        last_at=header.last_at,
        models=header.models,
        sources=header.sources,
        git_commit=header.git_commit,
        by=header.by,
        why=header.why,
        forced=header.forced,
        answers=header.answers,
        repeats=header.repeats,
        unpaired=unpaired,
        reused=found.reused,
        regraded=found.regraded,
    )


def meta_of_baseline(facts: BaselineFacts | None, frozen: Frozen | None) -> dict[str, str]:
    """What a new run file keeps of its baseline, by name."""
    from snapdrift.pipeline.kept_scores import BASELINE, BASELINE_SCORES

    if facts is None:
        return {}
    scores = {BASELINE_SCORES: codec.dumps(frozen.scores)} if frozen is not None and frozen.scores else {}
    return {BASELINE: codec.dumps(facts), **scores}
