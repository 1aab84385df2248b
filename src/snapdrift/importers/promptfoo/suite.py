"""`import promptfoo`: a configuration as a suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from snapdrift.importers.gates import BUDGET_USD, GateMetric, gate_entry, pairs_of
from snapdrift.importers.groups import Check, Group, Groups, columns_of, entry_of
from snapdrift.importers.made import Made, MadeSuite
from snapdrift.importers.names import Unique, file_name, label, usable_name
from snapdrift.importers.notes import Notes, Place, others
from snapdrift.importers.promptfoo.assertions import checks_of
from snapdrift.importers.promptfoo.prompts import MadePrompt, read_prompts, with_affixes
from snapdrift.importers.promptfoo.providers import MadeProvider, read_providers, renamed_apart
from snapdrift.importers.promptfoo.reading import CODE_SUFFIXES, Reading
from snapdrift.importers.promptfoo.tests import MadeTest, read_tests, texts_around
from snapdrift.importers.sources import Source, SourceError
from snapdrift.suites.wording import listed

PASSES = "passes"
"""The grader that says what promptfoo does: every assertion of the case holds."""
_READ = (
    "prompts", "providers", "targets", "tests", "defaultTest", "scenarios", "assertionTemplates", "description",
    "evaluateOptions", "commandLineOptions", "$schema",
)  # fmt: skip
_SETTINGS = ("maxConcurrency", "delay", "cache", "showProgressBar", "repeat", "timeoutMs", "maxEvalTimeMs")


def import_promptfoo(file: Path, workspace_root: Path | None, judge: str, name: str | None = None) -> Made:
    """The suite that a configuration makes. Raises `SourceError` where there is nothing that could be taken over."""
    if file.suffix.lower() in CODE_SUFFIXES:
        raise SourceError(f"{file}: is code, which is not run; save the configuration that it makes as YAML or JSON")
    source, notes = Source.of(file, workspace_root), Notes()
    reading = Reading(source, notes, judge)
    config = Place(source.document(file.resolve()))
    if not isinstance(config.value, Mapping):
        raise SourceError(f"{file}: no configuration of promptfoo; expected a mapping with prompts and providers")
    if "results" in config.value and "prompts" not in config.value:
        raise SourceError(f"{file}: these are results, no configuration; `snapdrift import outputs` takes them")
    for key in others(config.value, _READ):
        notes.left_out(config.at(key), f"`{key}`", "has no counterpart in a suite")
    prompts = read_prompts(config.at("prompts"), reading)
    providers_at = config.at("providers") if config.at("providers").value is not None else config.at("targets")
    providers = renamed_apart(read_providers(providers_at, reading))
    if not prompts or not providers:
        what = "prompt" if not prompts else "provider of OpenAI's"
        told = "".join(f"\n  {note}" for note in notes.said)
        raise SourceError(f"{file}: no {what} that can be taken over{told}")
    tests = read_tests(config, reading)
    if texts_around(tests, reading):
        prompts = with_affixes(prompts)
        reading.names |= {"prompt_prefix", "prompt_suffix"}
    suite = name or file_name(str(config.value.get("description") or ""), file_name(file.resolve().parent.name))
    return Made(source.shown(file.resolve()), (_suite(suite, config, prompts, providers, tests, reading),), notes)


def _suite(
    name: str,
    config: Place,
    prompts: Sequence[MadePrompt],
    providers: Sequence[MadeProvider],
    tests: Sequence[MadeTest],
    reading: Reading,
) -> MadeSuite:
    graded = _graded(tests, config, reading)
    asked = _variants(prompts, providers, reading)
    rows = _rows(tests, graded, reading)
    entry: dict[str, Any] = {"suite": name}
    if config.value.get("description"):
        entry["description"] = str(config.value["description"])
    entry["dataset"] = f"datasets/{name}.jsonl"
    entry |= asked.entry
    repeats = _repeats(config, reading)
    if repeats > 1:
        entry["repeats"] = repeats
    entry["graders"] = graded.entries
    entry["gate"] = gate_entry(pairs_of(asked.by_prompt), graded.metrics, reading.notes)
    entry["budget"] = {"usd": BUDGET_USD}
    reading.notes.changed("", "the budget", f"{BUDGET_USD:g} dollars for a run, for a live run takes one")
    return MadeSuite(name, entry, rows, dict(reading.files))


def _repeats(config: Place, reading: Reading) -> int:
    repeats = 1
    for options in ("evaluateOptions", "commandLineOptions"):
        place = config.at(options)
        for key, value in place.value.items() if isinstance(place.value, Mapping) else ():
            if key == "repeat" and isinstance(value, int):
                repeats = max(1, min(value, 1000))
            elif key not in _SETTINGS:
                reading.notes.left_out(place.at(key), f"`{key}`", "has no counterpart in a suite")
    return repeats


# ------------------------------------------------------------------------------------------------------------- variants


@dataclass(frozen=True, slots=True)
class _Asked:
    """The part of a suite that says what is asked, and by prompt which variants ask it as (provider, variant)."""

    entry: Mapping[str, Any]
    by_prompt: Mapping[str, Sequence[tuple[str, str]]]


def _variants(prompts: Sequence[MadePrompt], providers: Sequence[MadeProvider], reading: Reading) -> _Asked:
    prompts = _named(prompts)
    shared = _shared_request(providers)
    variants: dict[str, Any] = {}
    by_prompt: dict[str, list[tuple[str, str]]] = {prompt.name: [] for prompt in prompts}
    names = Unique(between="-")
    for provider in providers:
        taken = [prompt for prompt in prompts if _asks(provider, prompt)]
        if not taken:
            reading.notes.left_out("", f"the provider {provider.name}", "is for prompts that were not taken over")
        for prompt in taken:
            variant = names.of(provider.name if len(prompts) == 1 else f"{prompt.name}/{provider.name}")
            variants[variant] = _variant(provider, prompt, shared, many=len(prompts) > 1)
            by_prompt[prompt.name].append((provider.name, variant))
    entry: dict[str, Any] = {}
    if len(prompts) == 1:
        entry["prompt"] = dict(prompts[0].prompt)
    else:
        used = [prompt for prompt in prompts if by_prompt[prompt.name]]
        entry["prompts"] = {prompt.name: dict(prompt.prompt) for prompt in used}
    if shared:
        entry["request"] = shared
    if not variants:
        raise SourceError("no provider is asked any of the prompts that were taken over")
    return _Asked({**entry, "variants": variants}, by_prompt)


def _named(prompts: Sequence[MadePrompt]) -> list[MadePrompt]:
    names = Unique(between="-")
    return [
        replace(prompt, name=names.of(label(prompt.name.replace("/", "-"), "") or f"prompt-{number}"))
        for number, prompt in enumerate(prompts, start=1)
    ]


def _asks(provider: MadeProvider, prompt: MadePrompt) -> bool:
    if provider.prompts is None:
        return True
    return any(
        wanted in prompt.ids or (wanted.endswith("*") and any(one.startswith(wanted[:-1]) for one in prompt.ids))
        for wanted in provider.prompts
    )


def _shared_request(providers: Sequence[MadeProvider]) -> dict[str, Any]:
    """The settings that every provider has alike."""
    first = providers[0].request
    return {
        key: value
        for key, value in first.items()
        if all(key in other.request and other.request[key] == value for other in providers)
    }


def _variant(provider: MadeProvider, prompt: MadePrompt, shared: Mapping[str, Any], *, many: bool) -> dict[str, Any]:
    made: dict[str, Any] = {"model": provider.model}
    if provider.endpoint == "chat":
        made["endpoint"] = "chat"
    if provider.instructions is not None and "instructions" not in prompt.prompt:
        own = {"instructions": provider.instructions}
        made["prompt"] = {**prompt.prompt, **own} if many else own
    elif many:
        made["prompt"] = prompt.name
    own_settings = {key: value for key, value in provider.request.items() if key not in shared}
    return {**made, "request": own_settings} if own_settings else made


# ----------------------------------------------------------------------------------------------------- graders and rows


@dataclass(frozen=True, slots=True)
class _Graded:
    """The graders, the metrics that gate, the groups that they come from and the column of their values.

    `whole` is by case the grader of the case as a whole that its tag picks; empty where one is for all of them.
    """

    entries: list[dict[str, Any]]
    metrics: list[GateMetric]
    groups: Sequence[Group]
    root: str
    whole: Mapping[int, str]


def _graded(tests: Sequence[MadeTest], config: Place, reading: Reading) -> _Graded:
    named = {case: _of_threshold(test.threshold) for case, test in enumerate(tests) if test.threshold is not None}
    groups = Groups({PASSES, *named.values()})
    thresholds: dict[int, str] = {}
    for case, test in enumerate(tests):
        checks = list(checks_of(test, config.at("assertionTemplates"), reading))
        for check in checks:
            groups.add(case, check)
        if case in named:
            _note_threshold(test, named[case], checks, config, reading)
            thresholds |= {case: named[case]} if any(_is_free(check) for check in checks) else {}
    made = list(groups)
    if not made:
        why = "no assertion was taken over: the graders ask for an answer that is no refusal, and no more"
        reading.notes.changed(config.at("tests"), "the graders", why)
        for check in (Check("answered", {"count": "characters", "at_least": 1}), Check("agreed", {"refusal": False})):
            for case in range(len(tests)):
                groups.add(case, check)
        made = list(groups)
    root = _root(tests, reading)
    entries = {group.name: entry_of(group, root, len(tests)) for group in made}
    free = [group for group in made if _is_free(group.check)]
    whole = _whole(free, entries, thresholds)
    metrics = [GateMetric(name, cases) for name, (_, cases) in whole.items()]
    counted = free if not whole else []
    decisive = [group for group in made if group in counted or group.check.judged or group.check.coded]
    metrics += [GateMetric(group.name, len(group.cases)) for group in decisive if group.check.weight > 0]
    apart = [group.name for group in made if group.check.judged or group.check.coded]
    if whole and apart:
        others_are = f"{listed(whole)} {'is' if len(whole) == 1 else 'are'} of the others"
        why = f"they ask a model or run code, and are metrics of their own; {others_are}"
        reading.notes.changed(config.at("tests"), f"the assertions {', '.join(apart)}", why)
    covered = {case for group in free for case in group.cases} if thresholds else set()
    of_case = {case: thresholds.get(case, PASSES) for case in covered}
    return _Graded([*(entry for entry, _ in whole.values()), *entries.values()], metrics, made, root, of_case)


def _is_free(check: Check) -> bool:
    """Whether it counts in the result of its case, and asks no model and runs no code."""
    return not check.judged and not check.coded and check.weight > 0


def _of_threshold(threshold: float) -> str:
    """What the grader of the cases with this threshold is called."""
    return f"threshold_{threshold:g}".replace(".", "_")


def _note_threshold(test: MadeTest, name: str, checks: Sequence[Check], config: Place, reading: Reading) -> None:
    """Tells where a threshold is not of the mean of all the assertions that the test has."""
    counted = sum(1 for check in checks if _is_free(check))
    ignored = sum(1 for check in checks if check.weight == 0)
    if counted + ignored == len(test.asserts):
        return
    if counted:
        why = f"`{name}` is the mean of {counted} of its {len(test.asserts)} assertions; those that ask a model or run"
        why += " code count by themselves, and what was left out does not count"
    else:
        why = "no grader has it: its assertions ask a model or run code, and each counts by itself, or were left out"
    places = (test.place.at("threshold"), config.at("defaultTest", "threshold"))
    place = next((place for place in places if place.value is not None), test.place)
    reading.notes.changed(place, f"the threshold {test.threshold:g}", why)


def _root(tests: Sequence[MadeTest], reading: Reading) -> str:
    """The column of the values of assertions: `expected`, unless that is a variable of the tests."""
    variables = {name for test in tests for name in test.variables} | reading.names
    if "expected" not in variables:
        return "expected"
    return Unique(variables).of("asserts")


def _whole(
    free: Sequence[Group], entries: Mapping[str, Any], thresholds: Mapping[int, str]
) -> dict[str, tuple[dict[str, Any], int]]:
    """Graders of the case as a whole, each with how many cases it is for: all assertions, or their weighted mean."""
    made: dict[str, tuple[dict[str, Any], int]] = {}
    covered = {case for group in free for case in group.cases}
    plain = [case for case in covered if case not in thresholds]
    if plain and (len(free) > 1 or thresholds):
        only = {"when": {"tag": PASSES}} if thresholds else {}
        made[PASSES] = ({"name": PASSES, "all": [entries[group.name] for group in free], **only}, len(plain))
    for name in sorted(set(thresholds.values())):
        of_it = [case for case in covered if thresholds.get(case) == name]
        parts = [
            {"weight": group.check.weight, "grader": entries[group.name]}
            for group in free
            if any(case in group.cases for case in of_it)
        ]
        if parts:
            at_least = float(name.removeprefix("threshold_").replace("_", "."))
            entry = {"name": name, "weighted": parts, "at_least": min(1.0, at_least), "when": {"tag": name}}
            made[name] = (entry, len(of_it))
    return made


def _rows(tests: Sequence[MadeTest], graded: _Graded, reading: Reading) -> list[dict[str, Any]]:
    rows = []
    width = max(3, len(str(len(tests))))
    for case, test in enumerate(tests):
        columns = {usable_name(name): value for name, value in test.variables.items()}
        own: dict[str, Any] = {}
        for group in graded.groups:
            own |= columns_of(group, case)
        row: dict[str, Any] = {"id": f"test-{case + 1:0{width}d}", **columns}
        if test.description:
            row.setdefault("description", test.description)
        if "prompt_prefix" in reading.names:
            row |= {f"prompt_{end}": str(test.options.get(end) or "") for end in ("prefix", "suffix")}
        lacking = [name for name in sorted(reading.names) if name not in row and name != "expected"]
        row |= dict.fromkeys(lacking, "")
        if "expected" in reading.names:
            row.setdefault("expected", "")
        row |= {graded.root: own} if own else {}
        tags = _tags(case, test, graded, len(tests))
        rows.append({**row, "tags": tags} if tags else row)
    return rows


def _tags(case: int, test: MadeTest, graded: _Graded, cases: int) -> list[str]:
    """The graders that are for this case and not for all, what its threshold asks, and its metadata."""
    tags = [group.name for group in graded.groups if case in group.cases and len(group.cases) < cases]
    if case in graded.whole:
        tags.append(graded.whole[case])
    for key, value in test.metadata.items():
        if isinstance(value, str | int | float | bool):
            tags.append(label(f"{key}={value}".replace(",", ";")))
    return tags
