from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.errors import StoreError
from snapdrift.model import Endpoint, Gate, MetricGate, MustPass, OnInconclusive, Pair, Policy, Severity, Variant
from snapdrift.suites.resolved import Suite, suite_from_stored
from snapdrift.suites.sampling import Sample

Load = Callable[..., Suite]

names = st.text(min_size=1, max_size=6)
shares = st.floats(0.01, 0.99)
data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.dictionaries(names, inner),
    max_leaves=4,
)
variants = st.builds(
    Variant,
    names,
    names,
    st.sampled_from(Endpoint),
    st.dictionaries(names, data),
    st.dictionaries(names, data),
    names,
    stream=st.booleans(),
    batch=st.booleans(),
    target=st.none() | names,
    max_steps=st.integers(1, 9),
    reasons=st.booleans(),
)
gates = st.builds(
    Gate,
    name=names,
    pairs=st.lists(st.builds(Pair, names, names, st.sampled_from(Severity)), max_size=2).map(tuple),
    metrics=st.lists(
        st.builds(MetricGate, names, st.none() | shares, shares, shares, st.sampled_from(Severity), names), max_size=2
    ).map(tuple),
    policy=st.sampled_from(Policy),
    max_blind=shares,
    discordance=shares,
    must_pass=st.builds(MustPass, st.lists(names).map(tuple), st.lists(names).map(tuple)),
    coverage=shares,
    inconclusive=st.sampled_from(OnInconclusive),
    alias_moved=st.sampled_from(Severity),
    confidence=shares,
    budget_usd=st.none() | shares,
    repeats=st.none() | st.integers(1, 5),
)
samples = st.none() | st.builds(Sample, st.integers(1, 9), st.integers(0, 9), st.none() | names)
suites = st.builds(
    Suite,
    name=names,
    description=names,
    path=names,
    source=names,
    cases=st.just(()),
    dataset_hash=names,
    variants=st.lists(variants, max_size=2).map(lambda found: {v.name: v for v in found}),
    graders=st.just(()),
    gates=st.lists(gates, max_size=2).map(lambda found: {g.name: g for g in found}),
    repeats=st.integers(1, 5),
    sample=samples,
    gate_samples=st.dictionaries(names, samples, max_size=2),
    seed=st.integers(0, 9),
    budget_usd=st.none() | shares,
    warnings=st.lists(names, max_size=2).map(tuple),
    media=st.dictionaries(names, names, max_size=2),
    fakes=st.dictionaries(names, names, max_size=2),
    require_calibration=st.booleans(),
)


@given(suites)
def test_a_stored_suite_is_read_back_as_it_was(suite: Suite) -> None:
    stored = json.loads(json.dumps(suite.to_stored()))
    assert suite_from_stored(stored, (), None) == suite  # type: ignore[arg-type]


def test_a_loaded_suite_is_read_back_with_its_graders_and_without_a_workspace(
    load: Load, good: str, registry: Any
) -> None:
    text = good.replace("graders:\n", "graders:\n  - {name: nice, stars: rubric.yaml, when: {tag: golden}}\n")
    suite = load(f"extract: last_line\n{text}", {"rubric.yaml": "Be kind."})
    stored = json.loads(json.dumps(suite.to_stored()))
    found = suite_from_stored(stored, suite.cases, registry)
    assert (found, found.hash) == (suite, suite.hash)


def test_a_suite_that_was_stored_before_there_were_images_is_read(load: Load, good: str, registry: Any) -> None:
    suite = load(good)
    stored = suite.to_stored()
    for key in ("media", "fakes"):
        del stored[key]
    for variant in stored["variants"]:
        for key in ("stream", "batch", "target", "max_steps", "reasons"):
            del variant[key]
    assert suite_from_stored(stored, suite.cases, registry) == suite


def test_a_suite_of_another_format_is_refused(load: Load, good: str, registry: Any) -> None:
    stored = load(good).to_stored() | {"format": "snapdrift.suite/9"}
    with pytest.raises(StoreError, match=r"expected 'snapdrift\.suite/1'"):
        suite_from_stored(stored, (), registry)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("hello", "hullo"),
        ("{{ ticket }}", "{{ ticket }}!"),
        ("gpt-4o-2024-11-20", "gpt-4o"),
        ("{{ expected }}", "{{ expected }} "),
        ("margin: 0.03", "margin: 0.04"),
        ("suite: triage", "suite: triage\nrepeats: 2"),
        ("suite: triage", "suite: triage\nsample: {n: 1}"),
    ],
)
def test_the_hash_changes_with_what_can_change_a_verdict(load: Load, good: str, old: str, new: str) -> None:
    assert load(good).hash != load(good.replace(old, new)).hash


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("suite: triage", "# a comment\nsuite: triage\ndescription: something"),
        ("suite: triage", "suite: triage\nbudget: {usd: 3}"),
        ("gate:\n", "gate:\n  budget: {usd: 3}\n"),
    ],
)
def test_the_hash_stays_when_nothing_that_matters_changes(load: Load, good: str, old: str, new: str) -> None:
    assert load(good).hash == load(good.replace(old, new)).hash


def test_the_order_of_the_rows_does_not_change_the_dataset_hash(load: Load, good: str) -> None:
    first, second = good.splitlines()[2:4]
    assert load(good).dataset_hash == load(good.replace(f"{first}\n{second}", f"{second}\n{first}")).dataset_hash


def test_a_suites_metrics_are_those_of_its_graders(load: Load, good: str) -> None:
    assert [metric.name for metric in replace(load(good)).metrics] == ["queue"]
