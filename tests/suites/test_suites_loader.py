from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snapdrift.errors import SuiteError, UsageError
from snapdrift.model import OUTSIDE, Case, Gate, MetricGate, Pair
from snapdrift.suites.document import parse_document
from snapdrift.suites.loader import load_suite
from snapdrift.suites.resolved import Suite, suite_from_stored
from snapdrift.suites.sampling import Sample
from snapdrift.suites.workspace import Workspace

Load = Callable[..., Suite]
Mistakes = Callable[..., list[str]]


def test_a_small_suite_loads_with_its_defaults(load: Load, good: str) -> None:
    suite = load(good)
    assert (suite.name, suite.path, suite.repeats, suite.budget_usd) == ("triage", "evals/s.yaml", 1, None)
    assert suite.cases[0] == Case("a", {"ticket": "hello"}, "billing", ("golden",))
    assert suite.gates == {
        "default": Gate("default", (Pair("august", "november"),), (MetricGate("queue", margin=0.03),))
    }


def test_a_dataset_file_gives_the_cases(load: Load, good: str) -> None:
    inline = good[good.index("cases:") : good.index("prompt:")]
    text = good.replace(inline, "dataset: datasets/t.jsonl\n")
    suite = load(text, {"datasets/t.jsonl": '{"id": "a", "ticket": "x", "expected": 1}\n'})
    assert suite.cases == (Case("a", {"ticket": "x"}, 1),)


LINES = {
    "suite: triage\n": [
        ("suite: tri age\n", '1:8: suite: "tri age"; expected letters, digits, `.`, `_` and `-`'),
        ("siute: triage\n", '1:1: siute: unknown key; did you mean "suite"?'),
        ("suite: triage\nrepeats: 0\n", "2:10: repeats: 0; expected at least 1"),
        ("suite: triage\nrepeats: two\n", '2:10: repeats: "two"; expected a whole number'),
        ("suite: triage\nrepeats: true\n", "2:10: repeats: true; expected a whole number"),
        ("suite: triage\nstream: yes\n", '2:9: stream: "yes"; expected true or false (yes, no, on and off are read as'),
        ("suite: triage\nsample: {n: 3}\n", "2:13: sample.n: a sample of 3 cases; expected at most 2"),
        ("suite: triage\nsample: {n: 1, stratify: lang}\n", "2:26: sample.stratify: no lang in 2 of 2 cases, first in"),
        ("suite: triage\nbudget: {usd: 0}\n", "2:15: budget.usd: 0; expected more than 0"),
        ("suite: triage\nbudget: {usd: 1e300}\n", "2:15: budget.usd: 10000000"),
        (
            "suite: triage\nbudget: {usd: 1, per_day: 1e12}\n",
            "2:27: budget.per_day: 1000000000000; expected at most 1,000,000,000",
        ),
        ("suite: triage\nextract: wrong\n", '2:10: extract: "wrong"; expected a step'),
        ("suite: triage\ndataset: x.jsonl\n", "3:1: cases: both dataset and cases; expected one of them"),
        ("suite: triage\nsuite: again\n", "2:1: suite: duplicate key; expected each key once; it is first at line 1"),
        (
            "suite: triage\nsample: {n: 1, repeats: 2}\n",
            "2:16: sample.repeats: unknown key here; expected `repeats` at",
        ),
        ("suite: triage\nhostt: 1\n", "2:1: hostt: unknown key; expected one of budget, cases, dataset,"),
    ],
    "  - {id: a, ticket: hello, expected: billing, tags: [golden]}\n": [
        ("  - {id: 7, ticket: x, expected: y}\n", "3:10: cases[0].id: 7; expected text that stays the same"),
        ("  - {id: b, ticket: x, expected: y}\n", '4:10: cases[1].id: the id "b" a second time; expected unique ids'),
        ("  - hello\n", '3:5: cases[0]: "hello"; expected a mapping'),
        ("  - {id: a, expected: y}\n", "5:17: prompt.input: 'ticket' is undefined in case \"a\" (1 of 2 cases); "),
        ("  - {id: a, ticket: null, expected: y}\n", "5:17: prompt.input: {{ ticket }} is null; a message needs text"),
        ("  - {id: a, ticket: x}\n  - {id: a, ticket: x}\n", '4:10: cases[1].id: the id "a" a second time; '),
    ],
    'prompt: {input: "{{ ticket }}"}\n': [
        ("", "1:1: prompt: no prompt; expected prompt: {input:"),
        ("prompt: {instructions: x}\n", "5:9: prompt: a prompt without input; expected"),
        (
            'prompt: {input: "{{ tickt }}"}\n',
            "5:17: prompt.input: 'tickt' is undefined in case \"a\" (2 of 2 cases); did",
        ),
        ('prompt: {input: "{{ ticket "}\n', "5:17: prompt.input: not a template: unexpected end of template"),
        ("prompt: {input: [{role: usr, content: x}]}\n", '5:25: prompt.input[0].role: "usr"; did you mean "user"?'),
        ("prompt: {input: [{role: user, content: 5}]}\n", "5:40: prompt.input[0].content: 5; expected text, or a list"),
        ("prompt: {input: 5}\n", "5:17: prompt.input: 5; expected text, or a list of messages"),
        ("prompt: 5\n", "5:9: prompt: 5; expected a mapping with instructions and input, or the path"),
        ("prompt: prompts/none.yaml\n", "5:9: prompt: no file prompts/none.yaml; expected a file"),
        ("prompt: ../../x.yaml\n", "5:9: prompt: ../../x.yaml leads out of the workspace; "),
    ],
    "  august: {model: gpt-4o-2024-08-06}\n": [
        ("  august: {modle: gpt-4o}\n", '7:12: variants.august.modle: unknown key; did you mean "model"?'),
        ("  august: {model: 4}\n", "7:19: variants.august.model: 4; expected text"),
        ("  august: {}\n", "7:11: variants.august.model: missing; expected a model"),
        ("  august:\n", "7:10: variants.august: null; expected a mapping"),
        ("  august: {model: m, endpoint: chats}\n", '7:32: variants.august.endpoint: "chats"; did you mean "chat"?'),
        ("  august: {model: m, host: prxy}\n", '7:28: variants.august.host: no host "prxy"; did you mean "proxy"?'),
        (
            "  august: {model: m, request: {temperature: 3}}\n",
            "7:45: variants.august.request.temperature: 3; expected at most 2",
        ),
        ("  august: {model: m, request: {temprature: 0}}\n", "7:32: variants.august.request.temprature: unknown key"),
        ("  august: {model: m, prompt: x.yaml}\n", "7:30: variants.august.prompt: no file x.yaml; expected a file"),
        ("  '': {model: m}\n", '7:3: variants.: ""; expected a name of up to 100 printable characters'),
    ],
    '  - {name: queue, same: "{{ expected }}"}\n': [
        ('  - {name: queue, sam: "x", same: "y"}\n', "10:19: graders[0].sam: unknown key; expected one of"),
        (
            '  - {name: queue, same: "{{ expcted }}"}\n',
            "10:25: graders[0].same: 'expcted' is undefined in case \"a\" (2",
        ),
        ('  - {name: queue, same: "{{ x"}\n', "10:25: graders[0].same: unexpected end of template"),
        ("  - {name: queue, stars: r.yaml}\n", "10:5: graders[0]: no file r.yaml; expected a file"),
        ("  - queue\n", '10:5: graders[0]: "queue"; expected a mapping'),
        (
            '  - {name: queue, same: "x"}\n  - {name: queue, same: "y"}\n',
            '11:12: graders[1].name: the grader "queue" again; expected different names',
        ),
        (
            '  - {name: queue, same: "x", when: {tag: gold}}\n',
            '10:36: graders[0].when: no case has the tag "gold"; did you mean "golden"?',
        ),
    ],
}


@pytest.mark.parametrize(
    ("line", "instead", "expected"), [(line, *change) for line, changes in LINES.items() for change in changes]
)
def test_one_mistake_is_one_line_with_its_place(
    mistakes: Mistakes, good: str, line: str, instead: str, expected: str
) -> None:
    (found,) = mistakes(good.replace(line, instead))
    assert found.startswith(f"evals/s.yaml:{expected}")


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("cases:", "prompt:", "1:1: cases: no cases; expected dataset: FILE"),
        ("graders:", "gate:", "1:1: graders: no graders; expected at least one"),
        ("gate:", "", "1:1: gates: no gates; expected gate: {...}"),
    ],
)
def test_a_suite_without_one_of_its_parts_is_an_error(
    mistakes: Mistakes, good: str, start: str, end: str, expected: str
) -> None:
    at = good.index(start)
    text = good[:at] + (good[good.index(end) :] if end else "")
    assert f"evals/s.yaml:{expected}" in mistakes(text)[0]


def test_a_suite_without_variants_is_an_error(mistakes: Mistakes, good: str) -> None:
    at, end = good.index("variants:"), good.index("graders:")
    found = mistakes(good[:at] + good[end:])
    assert found[0].startswith("evals/s.yaml:1:1: variants: no variants; expected variants, models or matrix")


def test_kept_answers_are_a_baseline_that_a_run_looks_up(load: Load, good: str) -> None:
    archived = load(good.replace("{variant: august}", "{archive: a.gz}")).gates["default"]
    assert {pair.baseline for pair in archived.pairs} == {OUTSIDE}
    assert archived.outside is not None
    assert (archived.outside.archive, archived.outside.place.partition(":")[0]) == ("a.gz", "evals/s.yaml")
    falling_back = load(good.replace("{variant: august}", "{variant: august, fallback: {archive: a.gz}}"))
    gate = falling_back.gates["default"]
    assert ({pair.baseline for pair in gate.pairs}, gate.outside and gate.outside.fallback) == ({"august"}, "a.gz")


@pytest.mark.parametrize(
    ("baseline", "expected"),
    [
        ("{archive: a.gz, fallback: {archive: b.gz}}", "expected `fallback` beside `variant` only"),
        ("{archive: a.gz, of: august}", "expected `of` beside `run` only"),
        ("{variant: august, archive: a.gz}", "expected exactly one of variant, ref, run, archive"),
        ("{variant: august, fallback: {run: r}}", "expected"),
    ],
)
def test_forms_of_a_baseline_that_mean_two_things_are_mistakes(
    mistakes: Mistakes, good: str, baseline: str, expected: str
) -> None:
    assert any(expected in found for found in mistakes(good.replace("{variant: august}", baseline)))


@pytest.mark.parametrize("line", ["early_stop: false", "require_calibration: false", "target: cases_like_these"])
def test_a_later_key_that_says_the_default_is_fine(load: Load, good: str, line: str) -> None:
    assert load(f"{good}{line}\n").name == "triage"


JUDGED = ("graders:\n", "graders:\n  - {name: kind, text: Is it kind?}\n")


def test_a_suite_may_require_that_its_judges_are_calibrated_which_makes_it_another_suite(load: Load, good: str) -> None:
    judged = good.replace(*JUDGED)
    plain, off, required = (
        load(f"{judged}{line}") for line in ("", "require_calibration: false\n", "require_calibration: true\n")
    )

    assert [suite.require_calibration for suite in (plain, off, required)] == [False, False, True]
    assert plain.hash == off.hash != required.hash
    assert suite_from_stored({**required.to_stored(), "graders": []}, required.cases, None).require_calibration  # type: ignore[arg-type]


def test_requiring_calibration_without_a_judge_is_an_error(mistakes: Mistakes, good: str) -> None:
    (found,) = mistakes(good.replace("suite: triage\n", "suite: triage\nrequire_calibration: true\n"))
    assert found.startswith("evals/s.yaml:2:1: require_calibration: no judge among the graders; expected a grader of")


def test_cache_never_is_accepted(load: Load, good: str) -> None:
    assert list(load(f"{good}  cache: never\n").gates) == ["default"]


def test_all_mistakes_of_a_file_are_told_at_once_in_its_order(mistakes: Mistakes) -> None:
    text = """\
suite: triage
repeats: often
cases:
  - {id: a, ticket: x, expected: 1}
  - {id: a, ticket: y, expected: 2}
prompt: {input: "{{ tickt }}"}
variants:
  august: {modle: gpt-4o-2024-08-06}
  november: {model: gpt-4o-2024-11-20}
graders:
  - {name: queue, same: "{{ expected.queu }}"}
gate:
  baseline: {variant: augst}
  policy: cach
  metrics:
    queue: {margin: 0}
    quue: {margin: 0.1}
require_calibration: true
"""
    places = [line.removeprefix("evals/s.yaml:").split(": ")[1] for line in mistakes(text)]
    assert places == [
        "repeats",
        "cases[1].id",
        "prompt.input",
        "variants.august.modle",
        "graders[0].same",
        "gate.baseline.variant",
        "gate.policy",
        "gate.metrics.queue.margin",
        "gate.metrics.quue",
        "require_calibration",
    ]


def test_what_only_follows_from_another_mistake_is_not_told(mistakes: Mistakes, good: str) -> None:
    found = mistakes(good.replace("{model: gpt-4o-2024-08-06}", "5"))
    assert found == ["evals/s.yaml:7:11: variants.august: 5; expected a mapping"]


def test_a_grader_with_a_mistake_can_be_named_by_a_gate(mistakes: Mistakes, good: str) -> None:
    assert len(mistakes(good.replace("{name: queue, same", "{name: queue, sme: 1, same"))) == 1


def test_what_a_case_lacks_is_told_with_its_line_in_the_dataset(mistakes: Mistakes, good: str) -> None:
    inline = good[good.index("cases:") : good.index("prompt:")]
    text = good.replace(inline, "dataset: t.jsonl\n").replace('"{{ expected }}"', '"{{ expected.queue }}"')
    rows = [
        '{"id": "a", "ticket": "x", "expected": {"queue": 1}}',
        "",
        '{"id": "b", "ticket": "x", "expected": {"queu": 1}}',
    ]
    (found,) = mistakes(text, {"t.jsonl": "\n".join(rows)})
    assert found.endswith(
        'graders[0].same: `expected.queue` is not there in case "b" of t.jsonl:3 (1 of 2 cases); '
        '`expected` has queu there; did you mean "queu"?'
    )


def test_mistakes_in_other_files_are_told_in_those_files(mistakes: Mistakes, good: str) -> None:
    text = good.replace('{input: "{{ ticket }}"}', "prompts/p.yaml")
    files = {"prompts/p.yaml": 'instructions: x\ninput:\n  - {role: user, content: "{{ tickt }}"}\n'}
    assert mistakes(text, files)[0].startswith("prompts/p.yaml:3:27: input[0].content: 'tickt' is undefined")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("input: [\n", "prompts/p.yaml:2:1: not YAML: "),
        ("inpt: x\n", 'prompts/p.yaml:1:1: inpt: unknown key; did you mean "input"?'),
        ("- x\n", "prompts/p.yaml:1:1: a list; expected a mapping"),
        (
            "input: [{role: user, content: [{image: x}]}]\n",
            "prompts/p.yaml:1:40: input[0].content[0].image: no file x in",
        ),
    ],
)
def test_a_prompt_file_with_a_mistake_is_told(mistakes: Mistakes, good: str, content: str, expected: str) -> None:
    text = good.replace('{input: "{{ ticket }}"}', "prompts/p.yaml")
    (found,) = mistakes(text, {"prompts/p.yaml": content})
    assert found.startswith(expected)


def test_a_missing_dataset_is_told_where_it_is_named(mistakes: Mistakes, good: str) -> None:
    inline = good[good.index("cases:") : good.index("prompt:")]
    found = mistakes(good.replace(inline, "dataset: datasets/t.jsonl\n"))
    assert found == ["evals/s.yaml:2:10: dataset: no file datasets/t.jsonl; expected a file in the workspace"]


def test_mistakes_in_the_dataset_are_told_with_its_lines(mistakes: Mistakes, good: str) -> None:
    inline = good[good.index("cases:") : good.index("prompt:")]
    text = good.replace(inline, "dataset: t.jsonl\n")
    (found,) = mistakes(text, {"t.jsonl": '{"id": "a", "ticket": "x", "expected": 1}\n{"id": "a"}\n'})
    assert found.startswith('t.jsonl:2:1: id: the id "a" a second time; expected unique ids; it is first at t.jsonl:1')


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "evals/s.yaml:1:1: the file is empty; expected a mapping, beginning with suite: NAME"),
        (b"- a\n", "evals/s.yaml:1:1: a list; expected a mapping"),
        (b"a: [\n", "evals/s.yaml:2:1: not YAML: "),
        (b"a: \xff\n", "evals/s.yaml: evals/s.yaml is not UTF-8 (line 1); "),
    ],
)
def test_a_file_that_is_no_suite_at_all_is_told(
    workspace: Workspace, registry: Any, content: bytes, expected: str
) -> None:
    path = workspace.root / "evals" / "s.yaml"
    path.write_bytes(content)
    with pytest.raises(SuiteError) as caught:
        load_suite(path, workspace, registry, None)
    assert str(caught.value).startswith(expected)


def test_a_suite_outside_the_workspace_is_refused(workspace: Workspace, registry: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not in the workspace"):
        load_suite(tmp_path / "s.yaml", workspace, registry, None)


def test_what_the_catalogue_knows_is_told_where_it_is_written(mistakes: Mistakes, good: str, facts: Any) -> None:
    text = good.replace("suite: triage\n", "suite: triage\nrequest: {temperature: 0}\n")
    found = mistakes(text.replace("gpt-4o-2024-11-20", "gpt-6-luna"), None, facts)
    place = "evals/s.yaml:2:24: request.temperature: a temperature for a reasoning model (variant november); "
    assert found == [f"{place}expected temperature: null"]


def test_what_a_user_should_know_of_a_model_is_a_warning(load: Load, good: str, facts: Any) -> None:
    suite = load(good.replace("gpt-4o-2024-11-20", "gpt-6-luna"), None, facts)
    assert suite.warnings == ("gpt-6-luna is soon shut down",)


def test_a_prompt_that_nothing_uses_is_an_error(mistakes: Mistakes, good: str) -> None:
    (found,) = mistakes(f"{good}prompts: {{spare: {{input: x}}}}\n")
    assert found.startswith("evals/s.yaml:15:11: prompts.spare: a prompt that nothing uses; ")


def test_two_thousand_cases_load_with_every_template_tried(load: Load, good: str) -> None:
    inline = good[good.index("cases:") : good.index("prompt:")]
    rows = "".join(f"  - {{id: c-{n}, ticket: text {n}, expected: {n}}}\n" for n in range(2000))
    suite = load(good.replace(inline, f"cases:\n{rows}sample: {{n: 500, seed: 3}}\n"))
    assert (len(suite.cases), len(suite.cases_for("default")), suite.seed) == (2000, 500, 3)
    assert suite.sample == Sample(500, 3)


JUNK: list[Any] = [None, True, -1, 0, 7, 1.5, "", "x", "{{ x", "../..", [], ["x"], [None], {}, {"x": 1}, {"n": -1}]


def _places(value: Any, location: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [location, *(place for key, item in inner for place in _places(item, (*location, key)))]


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_stands_anywhere_loads_or_is_told_as_mistakes(load: Load, data: st.DataObject) -> None:
    document: Any = parse_document(FULL, "s.yaml").value
    for _ in range(data.draw(st.integers(1, 3))):
        places = [place for place in _places(document) if place]
        *above, last = data.draw(st.sampled_from(places))
        holder = document
        for key in above:
            holder = holder[key]
        if isinstance(holder, dict) and data.draw(st.booleans()):
            holder[data.draw(st.sampled_from(["x", "sample", "prompt", "extends", "compare", "python"]))] = holder.pop(
                last
            )
        else:
            holder[last] = copy.deepcopy(data.draw(st.sampled_from(JUNK)))
    problems: tuple[Any, ...] = ()
    try:
        suite = load(yaml.safe_dump(document, sort_keys=False), FULL_FILES)
    except SuiteError as error:
        problems = error.problems
    else:
        assert suite.to_stored()["format"] == "snapdrift.suite/1"
    assert all(problem.file and problem.found and problem.expected for problem in problems)


FULL = """\
suite: full
description: all kinds of keys
dataset: d.jsonl
prompt: {instructions: Be kind., input: [{role: user, content: [{text: "{{ q }}"}]}]}
prompts: {a: {input: "{{ q }}"}, b: b.yaml}
request: {temperature: 0, text: {format: {type: json_schema, name: n, schema: s.json}}, metadata: {k: v}}
variants:
  one: {model: m1, endpoint: chat, host: proxy, prompt: {input: hi}, request: {temperature: null}}
  two: {model: m2, prompt: a}
models: [m3]
matrix: {prompt: [a, b], model: {old: m4, new: {model: m5}}}
repeats: 2
sample: {n: 2, seed: 1, stratify: q}
extract: last_line
graders:
  - {name: right, same: "{{ expected }}", when: {tag: t}}
  - {name: nice, stars: b.yaml}
gates:
  default:
    baseline: {variant: one}
    candidates: [two, m3, a/old]
    metrics: {right: {margin: 0.1, at_least: 0.5, severity: warn, on: passed}, nice: {margin: 0.2 of 5}}
    must_pass: {tag: t, cases: [a]}
    confidence: 0.9
    budget: {usd: 1}
  other: {extends: default, compare: [{from: one, to: two, severity: warn}], sample: all, cache: never}
budget: {usd: 5}
stream: false
"""
FULL_FILES = {
    "d.jsonl": '{"id": "a", "q": 1, "expected": 1, "tags": "t"}\n{"id": "b", "q": 2, "expected": 1, "tags": "t"}\n',
    "b.yaml": "input: from a file\n",
    "s.json": '{"type": "object"}',
}


def test_a_suite_with_every_kind_of_key_loads(load: Load) -> None:
    assert list(load(FULL, FULL_FILES).variants) == ["one", "two", "m3", "a/old", "a/new", "b/old", "b/new"]
