"""`compare RUN RUN`: the variants of one run judged against those of an earlier one, by the later run's gate.

Both are put into one run file that is thrown away afterwards, with the earlier run's answers and scores as baselines of
kept answers. So that file is concluded from and shown by what does so with every run, and neither run is written to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from snapdrift.baselines import BaselineFacts, BaselineKind, KeptAnswers
from snapdrift.errors import UsageError
from snapdrift.model import Call, CallKey, Endpoint, Gate, Pair, Response, Reused, Score, Target, Variant
from snapdrift.pipeline.archiving import prompt_hash
from snapdrift.pipeline.concluding import STOPPED, EarlierModels, evaluate_stored, load_stored_suite, stored_data
from snapdrift.pipeline.frozen_words import sentence_of
from snapdrift.pipeline.kept_scores import BASELINE
from snapdrift.pipeline.labelling import JUDGE_RECORDS
from snapdrift.pipeline.options import Compared, RunOptions
from snapdrift.pipeline.prepare import require_enough
from snapdrift.pipeline.reruns import REACHED
from snapdrift.pipeline.run_files import assumptions_of
from snapdrift.pipeline.sight import sight
from snapdrift.pipeline.strange_runs import taken_from
from snapdrift.pipeline.two_runs import ComparedRun, Sides, TwoRuns, opened_run, two_runs
from snapdrift.store import codec, open_run
from snapdrift.store.exports import Records, write_records

if TYPE_CHECKING:
    from snapdrift.suites.resolved import Suite

_META = ("state", "finished_at", "evaluation", REACHED, STOPPED, JUDGE_RECORDS)
"""What of the later run as a whole the file keeps, beside its header; what was concluded from it is replaced."""


def compare_with_run(earlier: str, later: str, sides: Sides, options: RunOptions, cwd: Path) -> Compared:
    """Judges the later run's variants against the earlier run's by the gate of the later; nothing is asked or written.

    Cases pair by id and content; those that do not are told to `options.notice` and in the view. Raises `UsageError`
    where there is nothing to compare (two suites, no case or variant in common, scores by different graders),
    `InsufficientError` where what is in common could never tell, `StoreError` for a run that is unfinished or damaged.
    """
    from snapdrift.reports import build_view

    with opened_run(earlier, options, cwd) as then, opened_run(later, options, cwd) as now:
        plan = two_runs(then, now, sides)
        suite, gate = _suite(plan)
        facts = _facts(plan)
        options.notice(sentence_of(facts))
        for text in plan.left_out:
            options.notice(text)
        with TemporaryDirectory(prefix="snapdrift-compare-") as folder:
            path = Path(folder) / f"{now.id}.db"
            with taken_from(now.path):
                write_records(_records(plan, suite, gate, facts), path)
            with taken_from(path), open_run(path) as stored:
                both, catalog = load_stored_suite(stored, now.workspace, code=options.code)
                evaluation = evaluate_stored(stored, both, _models_then(plan))
                return Compared(build_view(stored_data(stored, both, catalog, evaluation)), evaluation)


# -------------------------------------------------------------------------------------------- both runs as one run file


def _suite(plan: TwoRuns) -> tuple[Suite, Gate]:
    """The later run's suite and gate over the pairs. Raises `InsufficientError` where these could never tell."""
    now = plan.now
    gate = now.gate
    pairs = tuple(Pair(plan.named(old), new, plan.severity(new)) for old, new in plan.pairs)
    graders = tuple(one for one in now.suite.graders if one.name in {grader.name for grader in plan.graders})
    dropped = {metric.name for metric in now.suite.metrics} - {m.name for grader in graders for m in grader.metrics}
    entries = tuple(entry for entry in gate.metrics if entry.metric not in dropped)
    gate = replace(gate, pairs=pairs, metrics=entries, alone=(), ref=None, outside=None)
    suite = replace(
        now.suite, graders=graders, gates={gate.name: gate}, reference=None, variants=_variants(plan), early_stop=False
    )
    if not plan.partial:
        if gate.target is Target.THESE_CASES and plan.repeats < 2:
            raise UsageError(f"runs {plan.then.id} and {now.id} have not two answers to each case, for `these_cases`")
        cases = tuple(case for case in suite.cases if case.id in plan.paired)
        require_enough(suite, gate, sight(suite, gate, cases, plan.repeats))
    return suite, gate


def _variants(plan: TwoRuns) -> dict[str, Variant]:
    """Those that are compared: the earlier run's as kept answers, under names that tell them apart."""
    found: dict[str, Variant] = {}
    for old, new in plan.pairs:
        then = plan.then.variants[old]
        name = plan.named(old)
        found[name] = replace(then, name=name, endpoint=Endpoint.ARCHIVE, request={}, host=None, target=plan.then.id)
        found[new] = plan.now.variants[new]
    return found


def _records(plan: TwoRuns, suite: Suite, gate: Gate, facts: BaselineFacts) -> Records:
    stored = plan.now.stored
    meta = {name: text for name in _META if (text := stored.meta(name)) is not None}
    header = replace(
        stored.header,
        suite_stored=suite.to_stored(),
        variants=tuple(suite.variants.values()),
        planned_repeats=plan.repeats,
        partial=plan.partial,
        assumptions=assumptions_of(gate),
    )
    return Records(
        header=header,
        meta={**meta, BASELINE: codec.dumps(facts)},
        cases=suite.cases,
        calls=[Call(key, position) for position, key in enumerate(key for key, _ in _calls(plan))],
        requests=(),
        responses=_responses(plan),
        scores=_scores(plan),
    )


def _calls(plan: TwoRuns) -> Iterator[tuple[CallKey, CallKey]]:
    """What is compared, judges' calls included: each call as it is called here, and as it was in its run."""
    before, now = {old for old, _ in plan.pairs}, {new for _, new in plan.pairs}
    for key in plan.then.stored.calls():
        if key.variant in before and key.case_id in plan.paired and key.repeat < plan.repeats:
            yield replace(key, variant=plan.named(key.variant)), key
    for key in plan.now.stored.calls():
        if key.variant in now and key.repeat < plan.repeats:
            yield key, key


def _responses(plan: TwoRuns) -> Iterator[Response]:
    for key, of in _calls(plan):
        then = key != of
        response = (plan.then if then else plan.now).stored.response(of)
        if response is not None:
            yield _as_of_then(response, key, plan.then.id) if then else response


def _as_of_then(response: Response, key: CallKey, run: str) -> Response:
    """An answer of the earlier run beside those of the later, which paid nothing for it."""
    steps = tuple(replace(step, usd=0.0) for step in response.steps)
    here = replace(response, call=key, usd=0.0, steps=steps)
    if not response.outcome.measured:
        return here
    call, requests = str(response.call), 1 + len(steps)
    then = Reused(run, call, response.finished_at, response.usd, response.latency_ms, requests)
    return replace(here, reused=replace(response.reused or then, run=run, call=call))


def _scores(plan: TwoRuns) -> Iterator[Score]:
    metrics = {metric.name for grader in plan.graders for metric in grader.metrics}
    before, now = {old for old, _ in plan.pairs}, {new for _, new in plan.pairs}
    for score in plan.then.stored.scores():
        wanted = score.variant in before and score.case_id in plan.paired and score.repeat < plan.repeats
        if wanted and score.metric in metrics:
            yield replace(score, variant=plan.named(score.variant))
    for score in plan.now.stored.scores():
        if score.variant in now and score.metric in metrics and score.repeat < plan.repeats:
            yield score


# --------------------------------------------------------------------------------------------------- what is said of it


def _facts(plan: TwoRuns) -> BaselineFacts:
    """What reports say of the earlier run: that of kept answers, for such they are beside the later run's."""
    then, names = plan.then, list(dict.fromkeys(old for old, _ in plan.pairs))
    header, variants = then.stored.header, then.variants
    evaluation = then.stored.evaluation
    known = {one.name: one for one in (() if evaluation is None else evaluation.variants)}
    models, sources = dict[str, int](), dict[str, int]()
    for name in names:
        if name in known:
            _add(models, known[name].resolved_models)
            _add(sources, known[name].sources)
    times = [at for name in names for at in _times(then, name)]
    kept = KeptAnswers(
        where=then.id,
        digest="",
        run=then.id,
        suite=header.suite,
        variant=", ".join(names),
        asked=", ".join(dict.fromkeys(variants[name].model for name in names)),
        started_at=header.started_at,
        first_at=min(times, default=header.started_at),
        last_at=max(times, default=header.started_at),
        models=models,
        sources=sources,
        git_commit=header.git_commit,
        repeats=plan.repeats,
        paired=len(plan.paired),
        unpaired=plan.unpaired,
        other_prompt=any(_asks_otherwise(then, old, plan.now, new) for old, new in plan.pairs if old == new),
    )
    return BaselineFacts(BaselineKind.RUN, ", ".join(plan.named(name) for name in names), kept)


def _asks_otherwise(then: ComparedRun, old: str, now: ComparedRun, new: str) -> bool:
    one, other = then.variants[old], now.variants[new]
    return other.endpoint.over_http and prompt_hash(one) != prompt_hash(other)


def _add(counted: dict[str, int], more: Mapping[str, int]) -> None:
    for word, number in more.items():
        counted[word] = counted.get(word, 0) + number


def _sources(run: ComparedRun, variant: str) -> list[str]:
    asked = run.stored.asked_models()
    return list(dict.fromkeys(one.source.value for one in asked if one.variant == variant and not one.grader))


def _times(run: ComparedRun, variant: str) -> Iterator[str]:
    """When the first and the last answer of a variant came."""
    draw = run.stored.draws().get(variant)
    if draw is not None:
        yield from (draw.oldest, draw.newest)


def _models_then(plan: TwoRuns) -> EarlierModels:
    """Which models answered the variants that are compared with their namesakes: an alias may have moved since."""
    evaluation = plan.then.stored.evaluation
    ledger = () if evaluation is None else evaluation.ledger
    alike = {old for old, new in plan.pairs if old == new and _model_of(plan.then, old) == _model_of(plan.now, new)}
    return EarlierModels(
        variants={one.variant: tuple(one.returned) for one in ledger if one.variant in alike and not one.judge},
        judges={one.judge: tuple(one.returned) for one in ledger if one.judge},
    )


def _model_of(run: ComparedRun, name: str) -> tuple[str, Endpoint, str | None, list[str]]:
    variant = run.variants[name]
    return variant.model, variant.endpoint, variant.host, _sources(run, name)
