"""What early stopping and topping up cannot be combined with, each told at the line that asks for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from snapdrift.model import OnInconclusive
from snapdrift.suites.resolved import Suite, suite_from_stored

Load = Callable[..., Suite]
Mistakes = Callable[..., list[str]]
STOP = "early_stop: true\n"
EXTEND = ("gate:\n", "gate:\n  inconclusive: extend\n")


def extending(text: str, sample: int = 1) -> str:
    return f"{text.replace(*EXTEND)}sample: {{n: {sample}}}\n"


def clustered(text: str, *clusters: str) -> str:
    rows = "".join(f"  - {{id: r{i}, ticket: x, expected: y, cluster: {name}}}\n" for i, name in enumerate(clusters))
    return text[: text.index("  - {id: a")] + rows + text[text.index("prompt:") :]


def test_early_stopping_is_off_by_default_and_part_of_the_hash_where_it_is_on(load: Load, good: str, registry) -> None:
    off, no, on = load(good), load(f"{good}early_stop: false\n"), load(f"{good}{STOP}")

    assert [suite.early_stop for suite in (off, no, on)] == [False, False, True]
    assert off.hash == no.hash != on.hash
    assert suite_from_stored(on.to_stored(), on.cases, registry).early_stop


def test_a_gate_that_extends_is_loaded_with_its_sample(load: Load, good: str) -> None:
    suite = load(extending(good))
    assert suite.gates["default"].inconclusive is OnInconclusive.EXTEND
    assert len(suite.cases_for("default")) == 1


NO_MARGIN = ("queue: {margin: 0.03}", "queue: {at_least: 0.5}")
WARNS = ("queue: {margin: 0.03}", "queue: {margin: 0.03, severity: warn}")
BATCHED = ("{model: gpt-4o-2024-11-20}", "{model: gpt-4o-2024-11-20, batch: true}")
NOTHING = "the gate default, which compares nothing with a margin; expected a metric with a margin between variants"


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (NO_MARGIN, NOTHING),
        (WARNS, NOTHING),
        (BATCHED, "`batch: true` of the variant november; expected its answers one by one: a batch comes back as a"),
    ],
    ids=["no margin", "severity warn", "a batch"],
)
def test_what_early_stopping_cannot_be_combined_with_is_told_at_its_line(
    mistakes: Mistakes, good: str, change: tuple[str, str], found: str
) -> None:
    (said,) = mistakes(f"{good.replace(*change)}{STOP}")
    assert said.startswith(f"evals/s.yaml:15:1: early_stop: early_stop with {found}")


@pytest.mark.parametrize(("change", "found"), [(WARNS, NOTHING), (BATCHED, "`batch: true` of the variant november;")])
def test_what_topping_up_cannot_be_combined_with_is_told_at_its_line(
    mistakes: Mistakes, good: str, change: tuple[str, str], found: str
) -> None:
    (said,) = mistakes(extending(good.replace(*change)))
    assert said.startswith(f"evals/s.yaml:12:17: gate.inconclusive: extend with {found}")


@pytest.mark.parametrize("sample", ["", "sample: {n: 2}\n"], ids=["no sample", "a sample of everything"])
def test_topping_up_needs_a_sample_that_leaves_something_to_draw(mistakes: Mistakes, good: str, sample: str) -> None:
    (said,) = mistakes(f"{good.replace(*EXTEND)}{sample}")
    expected = "extend in the gate default without a sample smaller than the dataset; expected `sample` to leave"
    assert said.startswith(f"evals/s.yaml:12:17: gate.inconclusive: {expected}")


def test_a_gate_that_inherits_extend_needs_a_sample_too(mistakes: Mistakes, good: str) -> None:
    gates = good.replace("gate:\n", "gates:\n  default:\n    sample: 1\n    inconclusive: extend\n")
    gates = gates.replace("  baseline", "    baseline").replace("  metrics:\n    queue", "    metrics:\n      queue")
    (said,) = mistakes(f"{gates}  release: {{extends: default, sample: all}}\n")
    assert said.startswith(
        "evals/s.yaml:14:19: gates.default.inconclusive: extend in the gate release without a sample"
    )


def test_clusters_of_unequal_size_are_refused_and_two_of_them_named(mistakes: Mistakes, good: str) -> None:
    (said,) = mistakes(f"{clustered(good, 'one', 'two', 'two')}{STOP}")
    assert 'clusters of unequal size: "one" has 1 case, "two" 2 cases; expected clusters of one size' in said


def test_clusters_of_one_size_can_be_stopped_early(load: Load, good: str) -> None:
    assert load(f"{clustered(good, 'one', 'one', 'two', 'two')}{STOP}").early_stop


def test_clusters_that_a_grader_applies_to_unequally_are_refused(mistakes: Mistakes, good: str) -> None:
    text = clustered(good, "one", "one", "two", "two").replace("same:", "when: {tag: hard}, same:")
    for case in ("r0", "r1", "r2"):
        text = text.replace(f"{case}, ticket", f"{case}, tags: [hard], ticket")
    (said,) = mistakes(f"{text}{STOP}")
    assert 'clusters of unequal size under queue: "two" has 1 case, "one" 2 cases' in said


def test_a_cluster_that_the_sample_cuts_is_refused(mistakes: Mistakes, good: str) -> None:
    (said,) = mistakes(extending(clustered(good, "one", "one", "one"), 2))
    assert 'extend with the cluster "one" cut by the sample; expected a sample of whole clusters' in said


def test_a_batch_of_a_variant_that_is_not_compared_does_not_keep_a_gate_from_being_stopped(
    load: Load, good: str
) -> None:
    text = good.replace("graders:\n", "  slow: {model: gpt-4o, batch: true}\ngraders:\n")
    text = text.replace("  metrics:", "  candidates: [november]\n  metrics:")
    assert load(f"{text}{STOP}").early_stop


def test_each_gate_of_a_suite_has_to_be_one_that_can_be_looked_at(mistakes: Mistakes, good: str) -> None:
    gates = good.replace("gate:\n", "gates:\n  default:\n").replace("  baseline", "    baseline")
    gates = gates.replace("  metrics:\n    queue: {margin: 0.03}\n", "    metrics:\n      queue: {margin: 0.03}\n")
    (said,) = mistakes(f"{gates}  floor:\n    metrics: {{queue: {{at_least: 0.5}}}}\n{STOP}")
    assert "early_stop with the gate floor, which compares nothing with a margin" in said
