from __future__ import annotations

from collections.abc import Callable

import pytest

from snapdrift.errors import SuiteError
from snapdrift.graders.registry import Registry
from snapdrift.model import Gate, MetricGate, MustPass, OnInconclusive, Pair, Policy, Severity
from snapdrift.suites.loader import load_suite
from snapdrift.suites.resolved import Suite
from snapdrift.suites.sampling import Sample
from snapdrift.suites.workspace import Workspace

Load = Callable[..., Suite]
Mistakes = Callable[..., list[str]]

HEAD = """\
suite: s
cases:
  - {id: a, q: x, expected: 1, tags: golden}
  - {id: b, q: y, expected: 2, tags: [golden, slow]}
  - {id: c, q: z, expected: 3}
prompt: {input: "{{ q }}"}
models: [one, two, three]
graders:
  - {name: right, same: "{{ expected }}"}
  - {name: nice, stars: rubric.yaml}
sample: {n: 2, seed: 5}
"""
FILES = {"rubric.yaml": "x"}


def gates_of(load: Load, text: str) -> dict[str, Gate]:
    return dict(load(HEAD + text, FILES).gates)


def test_every_other_variant_is_a_candidate_by_default(load: Load) -> None:
    gate = gates_of(load, "gate: {baseline: {variant: two}, metrics: {right: {margin: 0.1}}}\n")["default"]
    assert gate.pairs == (Pair("two", "one"), Pair("two", "three"))


def test_compare_lists_the_pairs_with_their_severity(load: Load) -> None:
    text = "gate: {compare: [{from: one, to: two}, {from: two, to: three, severity: warn}], must_pass: {tag: golden}}\n"
    assert gates_of(load, text)["default"].pairs == (Pair("one", "two"), Pair("two", "three", Severity.WARN))


def test_every_key_of_a_gate_is_taken_up(load: Load) -> None:
    text = """\
gates:
  all:
    baseline: {variant: one}
    candidates: [three]
    policy: prove
    metrics:
      right: {margin: 0.03, at_least: 0.9, severity: warn, on: value}
      nice: {margin: 0.2 of 5, at_least: 4 of 5}
      cost: {max_increase: 0.2}
    max_blind: 0.25
    discordance: 0.2
    must_pass: {tags: [golden], case: c}
    coverage: 0.9
    inconclusive: warn
    alias_moved: fail
    confidence: 0.9
    sample: {n: 3, seed: 1}
    repeats: 2
    budget: {usd: 3}
"""
    assert gates_of(load, text) == {
        "all": Gate(
            name="all",
            pairs=(Pair("one", "three"),),
            metrics=(
                MetricGate("right", margin=0.03, at_least=0.9, severity=Severity.WARN, on="value"),
                MetricGate("nice", margin=0.05, at_least=0.75),
                MetricGate("cost", max_increase=0.2),
            ),
            policy=Policy.PROVE,
            max_blind=0.25,
            discordance=0.2,
            must_pass=MustPass(("golden",), ("c",)),
            coverage=0.9,
            inconclusive=OnInconclusive.WARN,
            alias_moved=Severity.FAIL,
            confidence=0.9,
            budget_usd=3.0,
            repeats=2,
        )
    }


def test_prove_fails_on_inconclusive_unless_told_otherwise(load: Load) -> None:
    text = "gate: {baseline: {variant: one}, policy: prove, metrics: {right: {margin: 0.1}}}\n"
    assert gates_of(load, text)["default"].inconclusive is OnInconclusive.FAIL


EXTENDED = """\
gates:
  base:
    baseline: {variant: one}
    candidates: [two]
    metrics: {right: {margin: 0.1, severity: warn}, nice: {margin: 0.2}}
    must_pass: {tag: golden}
  middle: {extends: base, coverage: 0.5}
  top:
    extends: middle
    candidates: [three]
    metrics: {right: {margin: 0.2}}
    must_pass: {case: c}
    sample: all
  other: {extends: base, compare: [{from: two, to: three}]}
"""


def test_an_extending_gate_replaces_keys_and_merges_metrics(load: Load) -> None:
    top = gates_of(load, EXTENDED)["top"]
    assert (top.coverage, top.pairs, top.must_pass) == (0.5, (Pair("one", "three"),), MustPass(cases=("c",)))
    assert top.metrics == (MetricGate("right", margin=0.2, severity=Severity.WARN), MetricGate("nice", margin=0.2))


def test_compare_takes_the_place_of_an_inherited_baseline(load: Load) -> None:
    assert gates_of(load, EXTENDED)["other"].pairs == (Pair("two", "three"),)


def test_each_gate_has_its_sample_repeats_and_budget(load: Load) -> None:
    extra = "  few: {extends: base, sample: 1, repeats: 4, budget: {usd: 2}}\nrepeats: 3\nbudget: {usd: 7}\n"
    suite = load(HEAD + EXTENDED + extra, FILES)
    assert suite.gate_samples == {
        "base": Sample(2, 5),
        "middle": Sample(2, 5),
        "top": None,
        "other": Sample(2, 5),
        "few": Sample(1, 5),
    }
    assert [len(suite.cases_for(name)) for name in ("base", "top", "few")] == [2, 3, 1]
    assert [(suite.repeats_for(name), suite.budget_for(name)) for name in ("base", "few")] == [(3, 7.0), (4, 2.0)]


def test_the_sample_of_a_suite_may_be_a_number_as_that_of_a_gate(load: Load) -> None:
    suite = load(HEAD.replace("{n: 2, seed: 5}", "2") + EXTENDED, FILES)
    assert (suite.sample, suite.gate_samples["base"], len(suite.cases_for("base"))) == (Sample(2), Sample(2), 2)


def test_a_gate_may_hold_floors_alone(load: Load) -> None:
    gate = gates_of(load, "gate: {metrics: {right: {at_least: 0.9}}}\n")["default"]
    assert (gate.pairs, gate.metrics) == ((), (MetricGate("right", at_least=0.9),))


BASE = "baseline: {variant: one}, metrics: {right: {margin: 0.1}}"


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        (
            "{baseline: {variant: ^on}, must_pass: {tag: golden}}",
            'gate.baseline.variant: no variant "on"; did you mean "one"?',
        ),
        ("{baseline: ^{}}", "gate.baseline: an empty mapping; expected exactly one of variant, ref, run, archive"),
        ("{baseline: ^one}", 'gate.baseline: "one"; expected a mapping'),
        (f"{{{BASE}, candidates: [^tow]}}", 'gate.candidates[0]: no variant "tow"; did you mean "two"?'),
        (f"{{{BASE}, candidates: [^one]}}", 'gate.candidates[0]: the baseline "one" as a candidate; '),
        (f"{{{BASE}, candidates: [two, ^two]}}", 'gate.candidates[1]: "two" again; expected each candidate once'),
        (f"{{{BASE}, candidates: ^[]}}", "gate.candidates: no candidates; expected at least one"),
        ("{candidates: ^[two], must_pass: {tag: golden}}", "gate.candidates: candidates without a baseline; "),
        ("{compare: [{from: one, to: ^one}], must_pass: {tag: golden}}", 'gate.compare[0].to: "one" against itself; '),
        (f"{{{BASE}, compare: ^[{{from: one, to: two}}]}}", "gate.compare: compare beside baseline or candidates; "),
        ("{compare: [^{from: one}]}", "gate.compare[0].to: missing; expected this key"),
        (
            "{compare: [{from: one, ^too: two}], must_pass: {tag: golden}}",
            'gate.compare[0].too: unknown key; did you mean "to"?',
        ),
        ("^{}", "gate: a gate that asks nothing; expected a baseline, metrics with at_least, or must_pass"),
        (f"{{{BASE}, policy: ^cath}}", 'gate.policy: "cath"; did you mean "catch"?'),
        (f"{{{BASE}, max_blind: ^10}}", "gate.max_blind: 10; expected less than 1"),
        (f"{{{BASE}, confidence: ^95}}", "gate.confidence: 95; expected less than 1"),
        (f"{{{BASE}, coverage: ^1.5}}", "gate.coverage: 1.5; expected at most 1"),
        (f"{{{BASE}, sample: ^9}}", "gate.sample: a sample of 9 cases; expected at most 3, the whole dataset"),
        (f"{{{BASE}, sample: ^some}}", 'gate.sample: "some"; expected all'),
        (f"{{{BASE}, sample: ^true}}", "gate.sample: true; expected all, a number of cases, or {n, seed, stratify}"),
        (f"{{{BASE}, sample: {{n: 2, stratify: ^lang}}}}", "gate.sample.stratify: no lang in 3 of 3 cases"),
        (f"{{{BASE}, extends: ^defalt}}", 'gate.extends: no gate "defalt"; did you mean "default"?'),
        (f"{{{BASE}, extends: ^default}}", "gate.extends: a circle: default extends default; "),
        (f"{{{BASE}, must_pass: {{tag: ^gold}}}}", 'gate.must_pass.tag: no case has the tag "gold"; did you mean'),
        (f"{{{BASE}, must_pass: {{cases: [a, ^z]}}}}", 'gate.must_pass.cases[1]: no case has the id "z"; '),
        (f"{{{BASE}, must_pass: ^{{}}}}", "gate.must_pass: an empty mapping; expected tag, tags, case or cases"),
    ],
)
def test_a_mistake_in_a_gate_is_told_with_its_column(mistakes: Mistakes, gate: str, expected: str) -> None:
    (found,) = mistakes(f"{HEAD}gate: {gate.replace('^', '')}\n", FILES)
    assert found.startswith(f"evals/s.yaml:12:{f'gate: {gate}'.index('^') + 1}: {expected}")


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("right: {margin: ^0}", "right.margin: 0; expected a margin above 0 and at most 1"),
        ("right: {margin: ^3}", "right.margin: 3; expected a margin above 0 and at most 1; 3 points are 0.03"),
        ("right: {margin: ^-0.1}", "right.margin: -0.1; expected a margin above 0"),
        ("right: {margin: ^small}", 'right.margin: "small"; expected a share such as 0.03, or "0.2 of 5"'),
        ("right: {margin: ^1 of 5}", 'right.margin: "1 of 5"; expected "... of 1": "right" is measured'),
        ("right: {margin: ^true}", "right.margin: true; expected a share such as 0.03"),
        ("right: {at_least: ^90}", "right.at_least: 90; expected a share from 0 to 1"),
        ("right: {max_increase: ^1}", "right.max_increase: max_increase for"),
        ("right: ^{}", "right: nothing asked of the metric; expected margin or at_least"),
        ("^rigt: {margin: 0.1}", 'rigt: no metric "rigt"; did you mean "right"?'),
        ("cost: {margin: ^0.1, max_increase: 1}", "cost.margin: margin for cost; expected max_increase"),
        ("cost: ^{}", "cost: nothing asked of the metric; expected max_increase"),
        ("right: {margin: 0.1, on: ^pass}", 'right.on: "pass"; did you mean "passed"?'),
    ],
)
def test_a_mistake_in_a_metric_is_told_with_its_column(mistakes: Mistakes, metric: str, expected: str) -> None:
    line = f"gate: {{baseline: {{variant: one}}, metrics: {{{metric}}}}}"
    (found,) = mistakes(f"{HEAD}{line.replace('^', '')}\n", FILES)
    assert found.startswith(f"evals/s.yaml:12:{line.index('^') + 1}: gate.metrics.{expected}")


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        (
            "{metrics: {right: {at_least: 0.5, margin: 0.1}}}",
            "gate.metrics.right.margin: margin in a gate that compares",
        ),
        (
            "{metrics: {right: {at_least: 0.5}, cost: {max_increase: 1}}}",
            "gate.metrics.cost.max_increase: max_increase in",
        ),
    ],
)
def test_a_difference_needs_a_comparison(mistakes: Mistakes, gate: str, expected: str) -> None:
    (found,) = mistakes(f"{HEAD}gate: {gate}\n", FILES)
    assert expected in found


@pytest.mark.parametrize(
    "gate",
    ["^{baseline: {variant: one}}", "^{compare: [{from: one, to: two}]}", "^{baseline: {variant: one}, metrics: {}}"],
)
def test_a_gate_that_compares_but_asks_nothing_of_any_metric_is_an_error(mistakes: Mistakes, gate: str) -> None:
    (found,) = mistakes(f"{HEAD}gate: {gate.replace('^', '')}\n", FILES)
    assert found == (
        "evals/s.yaml:12:7: gate: a gate that compares variants but asks nothing of any metric; "
        "expected metrics: with a margin, a floor or a limit, or must_pass"
    )


@pytest.mark.parametrize(
    "asked",
    [
        "metrics: {right: {margin: 0.1}}",
        "metrics: {right: {at_least: 0.1}}",
        "metrics: {cost: {max_increase: 0.1}}",
        "metrics: {right: {margin: 0.1, severity: warn}}",
        "must_pass: {tag: golden}",
    ],
)
def test_a_gate_that_compares_may_ask_in_any_of_these_ways(load: Load, asked: str) -> None:
    assert gates_of(load, f"gate: {{baseline: {{variant: one}}, {asked}}}\n")["default"].pairs


def test_what_a_gate_asks_may_stand_in_the_gate_that_it_extends(load: Load) -> None:
    text = "gates:\n  a: {metrics: {right: {at_least: 0.5}}}\n  b: {extends: a, baseline: {variant: one}}\n"
    assert gates_of(load, text)["b"].pairs


def test_a_circle_of_gates_is_told_where_it_closes(mistakes: Mistakes) -> None:
    text = "gates:\n  a: {extends: b, must_pass: {tag: golden}}\n  b: {extends: a}\n"
    assert mistakes(HEAD + text, FILES) == [
        "evals/s.yaml:13:16: gates.a.extends: a circle: b extends a extends b; expected a chain that ends",
        "evals/s.yaml:14:16: gates.b.extends: a circle: a extends b extends a; expected a chain that ends",
    ]


def test_a_mistake_in_an_inherited_key_is_told_once_where_it_is_written(mistakes: Mistakes) -> None:
    text = "gates:\n  a: {baseline: {variant: none}, must_pass: {tag: golden}}\n  b: {extends: a}\n"
    (found,) = mistakes(HEAD + text, FILES)
    assert found.startswith('evals/s.yaml:13:27: gates.a.baseline.variant: no variant "none"; ')


def test_gate_and_gates_together_are_an_error(mistakes: Mistakes) -> None:
    text = f"gate: {{{BASE}}}\ngates: {{other: {{{BASE}}}}}\n"
    assert mistakes(HEAD + text, FILES) == ["evals/s.yaml:12:1: gate: both gate and gates; expected one of them"]


def test_a_must_pass_case_that_nothing_could_fail_is_an_error(mistakes: Mistakes) -> None:
    head = HEAD.replace('same: "{{ expected }}"}', 'same: "{{ expected }}", when: {tag: slow}}')
    (found,) = mistakes(f"{head}gate: {{must_pass: {{tag: golden}}}}\n", FILES)
    assert "gate.must_pass: cases that no pass/fail grader applies to: a; " in found


FIELDS = """\
suite: s
cases: [{id: a, q: x, expected: {total: 1, due: null}}]
prompt: {input: "{{ q }}"}
models: [one, two]
graders: [{name: fields, json_equal: "{{ expected }}"}]
gate: {baseline: {variant: one}, metrics: {fields: {margin: 0.02}, fields.due: {at_least: 0.9}, fields.invented: ^}}
"""


def load_asking(asked: str, workspace: Workspace) -> Suite:
    path = workspace.root / "evals" / "s.yaml"
    path.write_text(FIELDS.replace("^", asked))
    return load_suite(path, workspace, Registry(), None)


@pytest.mark.parametrize("asked", ["{margin: 0.02}", "{margin: 0.02, on: value}"])
def test_the_value_of_a_metric_of_which_less_is_better_can_be_gated(asked: str, workspace: Workspace) -> None:
    gate = load_asking(asked, workspace).gates["default"]
    assert [(entry.metric, entry.margin) for entry in gate.metrics] == [
        ("fields", 0.02), ("fields.due", None), ("fields.invented", 0.02),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("{at_least: 0.1}", 'at_least for "fields.invented"; expected margin: less of it is better'),
        ("{margin: 0.1, on: passed}", 'on: passed for "fields.invented"; expected on: value, as less of it is better'),
    ],
)
def test_a_floor_or_passes_of_a_metric_of_which_less_is_better_are_refused(
    asked: str, told: str, workspace: Workspace
) -> None:
    with pytest.raises(SuiteError) as caught:
        load_asking(asked, workspace)
    assert told in str(caught.value)


@pytest.mark.parametrize(("text", "seconds"), [("90m", 5400.0), ("36h", 129600.0), ("7d", 604800.0), ("2w", 1209600.0)])
def test_a_gate_says_how_old_a_reused_answer_may_be(load: Load, text: str, seconds: float) -> None:
    plain = "gate: {baseline: {variant: two}, metrics: {right: {margin: 0.1}}}\n"
    aged = plain.replace("{baseline", f"{{cache: {{max_age: {text}}}, baseline")
    suite = load(HEAD + aged, FILES)

    assert (suite.gates["default"].max_age_s, suite.gates["default"].fresh) == (seconds, False)
    assert suite.hash != load(HEAD + plain, FILES).hash


@pytest.mark.parametrize("text", ["7", "soon", "0d", "-3d", "9999999w"])
def test_an_age_that_is_none_is_told_where_it_is_written(mistakes: Mistakes, good: str, text: str) -> None:
    (found,) = mistakes(good.replace("gate:\n", f"gate:\n  cache: {{max_age: '{text}'}}\n"))

    assert "gate.cache.max_age" in found
    assert "expected an age such as 36h, 7d or 2w" in found
