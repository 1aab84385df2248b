"""OpenAI's graders as entries of ours: what maps grades as the original would, and what does not says why."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.graders.base import Grader
from snapdrift.graders.openai_evals import map_grader
from snapdrift.model import Case, Response, ToolCall

Parse = Callable[..., Grader]
Answered = Callable[..., Response]

ANSWER = "{{ sample.output_text }}"
ITEM = {"label": "Paris", "labels": ["a", "b"], "n": 18, "deep": {"x": ["p", "q"]}}


def string_check(operation: str, reference: str = "{{ item.label }}", answer: str = ANSWER) -> dict[str, Any]:
    return {"type": "string_check", "name": "s", "operation": operation, "input": answer, "reference": reference}


def likeness(metric: str, **rest: Any) -> dict[str, Any]:
    return {
        "type": "text_similarity", "name": "t", "input": ANSWER, "reference": "{{ item.label }}",
        "evaluation_metric": metric, **rest,
    }  # fmt: skip


def label_model(**rest: Any) -> dict[str, Any]:
    messages = [
        {"role": "developer", "content": "Is it {{ item.label }}?"},
        {"role": "user", "type": "message", "content": {"type": "input_text", "text": ANSWER}},
    ]
    return {
        "type": "label_model", "name": "l", "model": "gpt-4o-2024-11-20", "input": messages,
        "labels": ["yes", "no", "unsure"], "passing_labels": ["yes"], **rest,
    }  # fmt: skip


def score_model(**rest: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": f"Score the tone. Answer: {ANSWER}"}]
    return {"type": "score_model", "name": "m", "model": "gpt-4o-2024-11-20", "input": messages, **rest}


def multi(formula: str, graders: Any, **rest: Any) -> dict[str, Any]:
    return {"type": "multi", "name": "both", "graders": graders, "calculate_output": formula, **rest}


@pytest.mark.parametrize(
    ("grader", "text", "passes"),
    [
        (string_check("eq"), "Paris", True),
        (string_check("eq"), "Paris ", False),
        (string_check("eq"), "paris", False),
        (string_check("ne"), "Rome", True),
        (string_check("ne"), "Paris", False),
        (string_check("like"), "It is Paris.", True),
        (string_check("like"), "It is paris.", False),
        (string_check("ilike"), "It is PARIS.", True),
        (string_check("ilike"), "It is Rome.", False),
        (string_check("eq", reference=ANSWER, answer="{{item.label}}"), "Paris", True),
        (string_check("eq", "The {{ item.label }} of {{item.n}} {% x"), "The Paris of 18 {% x", True),
        (string_check("eq", "50 {# off"), "50 {# off", True),
        (string_check("eq", "{% x"), "{% x", True),
        (string_check("eq", "{{ item.deep.x[1] }}"), "q", True),
        (string_check("eq", "{{ item['deep']['x'][0] }}"), "p", True),
        (string_check("eq", "{{ item.labels }}"), "a", False),
        (string_check("eq", answer="{{ sample.choices[0].message.content }}"), "Paris", True),
        (string_check("eq", answer="{{ sample.output_json.city }}"), '{"city": "Paris"}', True),
        (string_check("eq", answer="{{ sample.output_json.city }}"), '{"city": "Rome"}', False),
        (string_check("eq", "{{ item.n }}", "{{ sample.output_json.a[0].n }}"), '{"a": [{"n": 18}]}', True),
        (string_check("eq", "{{ item.labels }}", "{{ sample.output_json.l }}"), '{"l": ["a", "b"]}', True),
        (string_check("eq", "{{ item.labels }}", "{{ sample.output_json.l }}"), '{"l": "a"}', False),
        (string_check("eq", answer="{{ sample.output_json }}"), '"Paris"', True),
        (likeness("fuzzy_match", pass_threshold=0.8), "Pariss", True),
        (likeness("fuzzy_match", pass_threshold=0.9), "Pariss", False),
        (likeness("rouge_1", pass_threshold=0.5), "It is Paris", True),
        (likeness("rouge_2", pass_threshold=0.5), "It is Paris", False),
        (likeness("rouge_l", pass_threshold=0.5), "It is Paris", True),
        (likeness("gleu", pass_threshold=0.2), "It is Paris", False),
        (likeness("gleu", pass_threshold=0.1), "It is Paris", True),
        (likeness("bleu", pass_threshold=0.9), "Rome", False),
    ],
)
def test_a_mapped_entry_grades_as_the_original_would(
    grader: dict[str, Any], text: str, passes: bool, parse: Parse, answer: Answered
) -> None:
    case = Case("c1", ITEM)
    mapped = map_grader(grader)
    assert mapped.entry is not None, mapped.reasons

    (score,) = parse(mapped.entry, [case]).grade(case, answer(text))

    assert score.passed is passes


def test_columns_may_have_other_names_as_case_variables(parse: Parse, answer: Answered) -> None:
    mapped = map_grader(string_check("eq"), renamed={"label": "expected.city"})
    assert mapped.entry is not None

    (score,) = parse(mapped.entry).grade(Case("c1", expected={"city": "Oslo"}), answer("Oslo"))

    assert score.passed


@pytest.mark.parametrize(
    ("grader", "reason"),
    [
        (string_check("eq", answer="{{ item.label }}"), "neither `input` nor `reference` is the answer"),
        (string_check("eq", reference=ANSWER), "both `input` and `reference` are the answer"),
        (string_check("eq", answer=f"It is {ANSWER}"), "the answer stands inside other text"),
        (string_check("like", reference=ANSWER, answer="{{ item.label }}"), "asks whether `input` contains"),
        (string_check("matches"), "there is no operation 'matches'"),
        (string_check("eq", "{{ item.label | upper }}"), "is not a place in `item` or `sample`"),
        (string_check("eq", "{{ item.label"), "without `}}`"),
        (string_check("eq", "{{ item }}"), "not one column"),
        (string_check("eq", "{{ item['a b'] }}"), "rename it"),
        (string_check("eq", "{{ item.not }}"), "rename it"),
        (string_check("eq", "x", "{{ sample.output_tools[0].function.name }}"), "a `tool_calls` grader compares those"),
        (string_check("eq", "x", "{{ sample.model }}"), "neither the answer's text nor a part of its JSON"),
        ({"type": "string_check", "operation": "eq", "input": ANSWER}, "`reference` is missing"),
        ({"type": "string_check", "operation": "eq", "input": ANSWER, "reference": 5}, "`reference` is not text"),
        (likeness("cosine"), "embeddings"),
        (likeness("meteor"), "WordNet"),
        (likeness("levenshtein"), "there is no evaluation metric 'levenshtein'"),
        (likeness("bleu", pass_threshold=2), "from 0 to 1"),
        (likeness("bleu", pass_threshold="half"), "`pass_threshold` is not a number"),
        (label_model(passing_labels=[]), "every answer would do"),
        (label_model(labels=["yes"]), "at least two"),
        (label_model(labels="yes"), "`labels` is not a list of texts"),
        (label_model(model=None), "`model` is missing"),
        (label_model(input=[]), "not a list of messages"),
        (label_model(input=[{"role": "user", "content": "Judge."}]), "no message shows the judge the answer"),
        (label_model(input=[{"role": "user", "content": ANSWER}]), "no message says what to judge by"),
        (label_model(input=[{"content": [{"type": "input_image", "image_url": "x"}]}]), "something else than text"),
        (label_model(input=[{"content": "{{ sample.output_tools }}"}]), "about tool calls"),
        (score_model(range=[1, 1]), "`range`"),
        (score_model(range=[0, 10**400]), "`range`"),
        ({"type": "python", "source": "def grade(sample): return 1"}, "no function grade(sample, item)"),
        ({"type": "python", "source": "def grade(sample, item:"}, "no Python"),
        ({"type": "python", "source": "#" * 300_000}, "longer than"),
        ({"type": "python", "source": "def grade(s, i): return 1", "pass_threshold": 5}, "returns 0 to 1"),
        ({"type": "endpoint"}, "there is no grader of the type 'endpoint'"),
        ({}, "there is no grader of the type None"),
        ({"type": ["multi"]}, "there is no grader of the type"),
    ],
)  # fmt: skip
def test_a_grader_without_an_equivalent_says_why(grader: dict[str, Any], reason: str) -> None:
    mapped = map_grader(grader)

    assert not mapped.has_equivalent
    assert reason in mapped.reasons[0]
    assert not mapped.reasons[0].endswith(".")


def test_a_label_model_becomes_a_judge_of_labels() -> None:
    mapped = map_grader(label_model(sampling_params={"temperature": 0, "max_completions_tokens": 9, "seed": 1}))

    assert mapped.entry == {
        "name": "l",
        "judge": {
            "mode": "label",
            "criteria": ["Is it {{ label }}?"],
            "model": "gpt-4o-2024-11-20",
            "request": {"temperature": 0, "max_output_tokens": 9},
            "labels": ["yes", "no", "unsure"],
            "pass_on": ["yes"],
        },
    }
    assert mapped.notes[-1] == "settings of the judge that are not taken over: seed"


def test_an_alias_as_judge_is_allowed_and_told_of() -> None:
    mapped = map_grader(label_model(model="gpt-4o"))

    assert mapped.entry is not None
    assert mapped.entry["judge"]["allow_alias"] is True
    assert any("alias" in note for note in mapped.notes)


def test_a_score_model_of_whole_numbers_keeps_its_range() -> None:
    mapped = map_grader(score_model(range=[1, 5], pass_threshold=4))

    assert mapped.entry is not None
    assert mapped.entry["judge"] == {
        "mode": "score",
        "criteria": ["Score the tone. Answer: (the answer)"],
        "model": "gpt-4o-2024-11-20",
        "scale": {"from": 1, "to": 5},
        "pass_at": 4.0,
    }


@pytest.mark.parametrize(("ends", "threshold", "pass_at"), [(None, 0.7, 7.0), ([0, 100], 50, 5.0), ([-1, 1], 0, 5.0)])
def test_a_score_model_of_any_numbers_is_judged_in_steps_that_a_criterion_explains(
    ends: list[int] | None, threshold: float, pass_at: float
) -> None:
    mapped = map_grader(score_model(range=ends, pass_threshold=threshold))

    assert mapped.entry is not None
    assert mapped.entry["judge"]["scale"] == {"from": 0, "to": 10}
    assert mapped.entry["judge"]["pass_at"] == pytest.approx(pass_at)
    assert "as a whole number from 0 to 10" in mapped.entry["judge"]["criteria"][-1]


SOURCE = """\
import numpy as np
from math import isclose


def grade(sample, item):
    right = sample["output_json"]["n"] == item["n"] and isclose(1, 1)
    return 1.0 if right and sample["output_tools"][0]["function"]["name"] == item["label"] else 0.25
"""


def test_a_python_grader_becomes_a_file_with_a_function_over_case_and_response(answer: Answered) -> None:
    grader = {
        "type": "python",
        "name": "My Grader!",
        "source": SOURCE,
        "image_tag": "2025-05-08",
        "pass_threshold": 0.5,
    }

    mapped = map_grader(grader, renamed={"label": "expected.label"})

    assert mapped.entry == {
        "name": "My Grader!",
        "python": "graders/my_grader.py:graded_by_snapdrift",
        "at_least": 0.5,
    }
    assert any("numpy" in note and "2025-05-08" in note and "math" not in note for note in mapped.notes)
    (text,) = mapped.files.values()
    namespace: dict[str, Any] = {}
    exec(compile(text.replace("import numpy as np\n", ""), "my_grader.py", "exec"), namespace)  # noqa: S102
    case = Case("c1", {"n": 18}, {"label": "look_up"})
    right = answer('{"n": 18}', tool_calls=(ToolCall("call_1", "look_up", "{}"),))
    wrong = answer('{"n": 19}', tool_calls=(ToolCall("call_1", "look_up", "{}"),))
    assert [namespace["graded_by_snapdrift"](case, response) for response in (right, wrong)] == [1.0, 0.25]


PAIR = {"same": string_check("eq"), "near": likeness("rouge_1")}


def test_a_weighted_sum_becomes_weights() -> None:
    mapped = map_grader(multi("0.5 * same + 0.5 * near", PAIR, pass_threshold=0.6))

    assert mapped.entry == {
        "name": "both",
        "weighted": [
            {"weight": 0.5, "grader": {**(map_grader(PAIR["same"]).entry or {}), "name": "same"}},
            {"weight": 0.5, "grader": {**(map_grader(PAIR["near"]).entry or {}), "name": "near"}},
        ],
        "at_least": 0.6,
    }


@pytest.mark.parametrize(
    ("formula", "threshold", "weights", "turned", "at_least"),
    [
        ("(same + near) / 2", 0.5, [0.5, 0.5], [], 0.5),
        ("same + near", 1, [1, 1], [], 0.5),
        ("2 * (same - near)", 0, [2, 2], ["near"], 0.5),
        ("1 - near", 0.25, [1], ["near"], 0.25),
        ("0.75 * same + 0.25", 0.5, [0.75], [], 1 / 3),
        ("-(-same)", 0.5, [1], [], 0.5),
    ],
)
def test_the_same_answers_pass_as_by_the_formula(
    formula: str,
    threshold: float,
    weights: list[float],
    turned: list[str],
    at_least: float,
    parse: Parse,
    answer: Answered,
) -> None:
    mapped = map_grader(multi(formula, PAIR, pass_threshold=threshold))
    assert mapped.entry is not None
    parts = mapped.entry["weighted"]

    assert [part["weight"] for part in parts] == weights
    assert [part["grader"]["name"] for part in parts if part["grader"].get("not")] == turned
    assert mapped.entry["at_least"] == pytest.approx(at_least)
    for text in ("Paris", "It is Paris", "Rome"):
        case, response = Case("c1", ITEM), answer(text)
        values = {name: parse(map_grader(one).entry).grade(case, response)[0].value for name, one in PAIR.items()}
        here = sum(part["weight"] * (parse(part["grader"]).grade(case, response)[0].value or 0.0) for part in parts)
        original = eval(compile(ast.parse(formula, mode="eval"), "formula", "eval"), {}, values)  # noqa: S307
        assert (here / sum(weights) >= at_least - 1e-9) is (original >= threshold - 1e-9)


@pytest.mark.parametrize(("formula", "family"), [("min(a, b)", "all"), ("a * b", "all"), ("max(a, b)", "any")])
def test_the_least_the_product_and_the_most_of_what_passes_or_fails_is_all_or_any(formula: str, family: str) -> None:
    mapped = map_grader(multi(formula, {"a": string_check("eq"), "b": string_check("like")}))

    assert mapped.entry is not None
    assert [next(key for key in part if key in ("exact", "contains")) for part in mapped.entry[family]] == [
        "exact",
        "contains",
    ]


def test_a_judge_in_a_formula_counts_by_its_own_range() -> None:
    mapped = map_grader(multi("score / 10", {"score": score_model(range=[0, 10])}, pass_threshold=0.7))

    assert mapped.entry is not None
    assert (mapped.entry["weighted"][0]["weight"], mapped.entry["at_least"]) == (1.0, 0.7)
    assert not any("value is from 0 to 1" in note for note in mapped.notes)


@pytest.mark.parametrize("shape", [PAIR, [{**one, "name": name} for name, one in PAIR.items()]])
def test_its_graders_may_be_a_mapping_or_a_list(shape: Any) -> None:
    assert map_grader(multi("same", shape)).notes[0] == "near is left out: the formula does not name it"


def test_a_single_grader_is_taken_by_its_name() -> None:
    assert map_grader(multi("s", string_check("eq"))).has_equivalent


@pytest.mark.parametrize(
    ("formula", "graders", "reason"),
    [
        ("same * near", PAIR, "near, which is graded"),
        ("min(near, same)", PAIR, "near, which is graded"),
        ("exp(same)", PAIR, "`exp(same)` is no weighted sum"),
        ("same ** 2", PAIR, "`same ** 2` is no weighted sum"),
        ("same / near", PAIR, "`same / near` is no weighted sum"),
        ("same / 0", PAIR, "`same / 0` is no weighted sum"),
        ("same.score", PAIR, "`same.score` is no weighted sum"),
        ("True * same", PAIR, "`True` is no weighted sum"),
        ("1e400 * same", PAIR, "is no weighted sum"),
        ("9" * 500 + " * same", PAIR, "too large or too small"),
        ("same / 1" + "0" * 500, PAIR, "too large or too small"),
        ("same +", PAIR, "cannot be read"),
        ("(" * 900 + "same" + ")" * 900, PAIR, "cannot be read"),
        ("+".join(["same"] * 1_000), PAIR, "at most 2,000 are read"),
        ("__import__('os').system('true')", PAIR, "is no weighted sum"),
        ("other", PAIR, "names 'other', which is none of its graders"),
        ("0 * same", PAIR, "names none of its graders"),
        ("0.5", PAIR, "names none of its graders"),
        ("a", {"a": likeness("cosine")}, "a: `cosine` compares embeddings"),
        ("a", {"a": multi("b", {"b": string_check("eq")})}, "a: a `multi` inside a `multi`"),
        ("l + m", {"l": label_model(), "m": score_model(model="gpt-4o-mini-2024-07-18")}, "are of several models"),
        ("a", [], "`graders` is not a mapping"),
        ("a", "a", "`graders` is not a mapping"),
    ],
)  # fmt: skip
def test_a_formula_without_an_equivalent_says_which_part_has_none(formula: str, graders: Any, reason: str) -> None:
    mapped = map_grader(multi(formula, graders))

    assert not mapped.has_equivalent
    assert reason in mapped.reasons[0]


def test_a_threshold_that_the_formula_cannot_reach_is_told() -> None:
    assert "outside the values" in map_grader(multi("same + near", PAIR, pass_threshold=3)).reasons[0]


@pytest.mark.parametrize(
    ("written", "called"),
    [("a.b", "a_b"), ("cost", "cost_grader"), (" x\ny ", "x y"), (None, "string_check"), ("", "string_check")],
)
def test_a_name_becomes_one_that_a_suite_can_have(written: str | None, called: str, parse: Parse) -> None:
    mapped = map_grader({**string_check("eq", "x"), "name": written})
    assert mapped.entry is not None

    assert (mapped.name, parse(mapped.entry).name) == (called, called)
    assert bool(mapped.notes) is bool(written)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["multi", ANSWER, "{{ item.a }}", "a*a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "name", "text"]), inner),
    max_leaves=6,
)
KINDS = st.sampled_from(["string_check", "text_similarity", "label_model", "score_model", "python", "multi"])
KEYS = (
    "name input reference operation evaluation_metric pass_threshold model labels passing_labels range sampling_params "
    "source image_tag graders calculate_output"
)


@given(KINDS, st.dictionaries(st.sampled_from(KEYS.split()), JSON | st.text()))
def test_whatever_a_grader_holds_there_is_an_entry_or_a_reason(kind: str, rest: dict[str, Any]) -> None:
    mapped = map_grader({**rest, "type": kind})

    assert mapped.has_equivalent is not bool(mapped.reasons)
