from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.model import Endpoint
from snapdrift.suites.document import Document
from snapdrift.suites.layers import Layer, merge, without_nulls
from snapdrift.suites.resolved import Suite

Load = Callable[..., Suite]
Mistakes = Callable[..., list[str]]

HEAD = """\
suite: s
cases: [{id: a, q: x, expected: 1}]
graders: [{name: right, same: "{{ expected }}"}]
gate: {metrics: {right: {at_least: 0.5}}}
"""
SCHEMA = {"type": "object", "properties": {"x": {"const": None, "default": None}}}


def test_a_variant_overrides_prompt_and_request(load: Load) -> None:
    suite = load(
        HEAD
        + """\
prompt: {instructions: Be kind., input: "{{ q }}"}
request: {temperature: 0, max_output_tokens: 200, reasoning: {effort: low}, metadata: {a: x, b: y}}
variants:
  plain: {model: m1}
  luna:
    model: m2
    endpoint: chat
    host: proxy
    prompt: {instructions: Be terse.}
    request: {temperature: null, max_output_tokens: 2000, reasoning: {effort: null}, metadata: {b: z}}
"""
    )
    plain, luna = suite.variants["plain"], suite.variants["luna"]
    assert (plain.endpoint, plain.host, luna.endpoint, luna.host) == (Endpoint.RESPONSES, None, Endpoint.CHAT, "proxy")
    assert luna.prompt == {"instructions": "Be terse.", "input": "{{ q }}"}
    assert luna.request == {"max_output_tokens": 2000, "metadata": {"a": "x", "b": "z"}}


def test_null_instructions_are_not_sent(load: Load) -> None:
    text = (
        HEAD + "prompt: {instructions: x, input: '{{ q }}'}\nvariants: {v: {model: m, prompt: {instructions: null}}}\n"
    )
    assert load(text).variants["v"].prompt == {"input": "{{ q }}"}


def test_a_list_of_messages_replaces_the_input(load: Load) -> None:
    text = (
        HEAD + "prompt: {input: '{{ q }}'}\nvariants: {v: {model: m, prompt: {input: [{role: user, content: hi}]}}}\n"
    )
    assert load(text).variants["v"].prompt == {"input": [{"role": "user", "content": "hi"}]}


def test_a_prompt_file_replaces_the_suites_prompt(load: Load) -> None:
    text = HEAD + "prompt: {instructions: x, input: '{{ q }}'}\nvariants: {v: {model: m, prompt: p.yaml}}\n"
    assert load(text, {"p.yaml": "input: only this\n"}).variants["v"].prompt == {"input": "only this"}


@pytest.mark.parametrize("name", ["schema.json", "schema.yaml"])
def test_the_schema_of_a_format_is_read_from_its_file_with_its_nulls(load: Load, name: str) -> None:
    form = f"{{type: json_schema, name: x, schema: graders/{name}}}"
    text = HEAD + f"prompt: {{input: x}}\nrequest: {{text: {{format: {form}}}}}\nmodels: [m]\n"
    suite = load(text, {f"graders/{name}": json.dumps(SCHEMA)})
    assert suite.variants["m"].request["text"]["format"]["schema"] == SCHEMA


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{", "graders/s.json:1:2: not JSON: "),
        ("[]", "graders/s.json:1:1: an empty list; expected a JSON Schema, which is a mapping"),
        (None, "evals/s.yaml:6:66: request.text.format.schema: no file graders/s.json; "),
    ],
)
def test_a_schema_file_with_a_mistake_is_told_once(mistakes: Mistakes, content: str | None, expected: str) -> None:
    request = "request: {text: {format: {type: json_schema, name: x, schema: graders/s.json}}}"
    files = {} if content is None else {"graders/s.json": content}
    (found,) = mistakes(f"{HEAD}prompt: {{input: x}}\n{request}\nmodels: [m, n]\n", files)
    assert found.startswith(expected.replace(":66:", f":{request.index('graders') + 1}:"))


def test_a_list_of_models_makes_variants_of_their_names(load: Load) -> None:
    suite = load(f"{HEAD}prompt: {{input: x}}\nmodels: [gpt-4o-2024-08-06, gpt-4o]\n")
    assert [(v.name, v.model) for v in suite.variants.values()] == [
        ("gpt-4o-2024-08-06", "gpt-4o-2024-08-06"),
        ("gpt-4o", "gpt-4o"),
    ]


def test_a_matrix_asks_every_prompt_of_every_model(load: Load) -> None:
    suite = load(
        HEAD
        + """\
prompts: {a: {input: "{{ q }}"}, b: b.yaml}
matrix: {prompt: [a, b], model: {old: gpt-4o-2024-08-06, new: {model: gpt-6-luna, endpoint: chat}}}
""",
        {"b.yaml": "input: from a file\n"},
    )
    assert [(v.name, v.model, v.endpoint.value, v.prompt["input"]) for v in suite.variants.values()] == [
        ("a/old", "gpt-4o-2024-08-06", "responses", "{{ q }}"),
        ("a/new", "gpt-6-luna", "chat", "{{ q }}"),
        ("b/old", "gpt-4o-2024-08-06", "responses", "from a file"),
        ("b/new", "gpt-6-luna", "chat", "from a file"),
    ]


def test_a_matrix_of_models_alone_uses_the_suites_prompt(load: Load) -> None:
    assert list(load(f"{HEAD}prompt: {{input: x}}\nmatrix: {{model: [m, n]}}\n").variants) == ["m", "n"]


def test_a_named_prompt_is_laid_over_the_suites_prompt(load: Load) -> None:
    text = f"{HEAD}prompt: {{instructions: base, input: x}}\nprompts: {{a: {{input: y}}}}\n"
    suite = load(f"{text}variants: {{v: {{model: m, prompt: a}}}}\n")
    assert suite.variants["v"].prompt == {"instructions": "base", "input": "y"}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("models: [m, m]\n", '6:13: models[1]: the variant "m" again; expected different names'),
        (
            "models: [m]\nvariants: {m: {model: x}}\n",
            '6:10: models[0]: the variant "m" again; expected different names',
        ),
        ("matrix: {prompt: [a], model: [m]}\n", '6:19: matrix.prompt[0]: no prompt "a"; expected prompts: {...}'),
        ("matrix: {model: m}\n", '6:17: matrix.model: "m"; expected a list of models, or a mapping of names to models'),
        ("models: [m]\nrequest: {top_p: '1'}\n", '7:18: request.top_p: "1"; expected a number'),
    ],
)
def test_a_mistake_in_a_short_form_is_told_once(mistakes: Mistakes, lines: str, expected: str) -> None:
    (found,) = mistakes(f"{HEAD}prompt: {{input: x}}\n{lines}")
    assert found.startswith(f"evals/s.yaml:{expected}")


keys = st.sampled_from("abc")
mappings = st.recursive(
    st.dictionaries(keys, st.none() | st.integers(0, 3)), lambda inner: st.dictionaries(keys, inner | st.integers(0, 3))
)


def layer(value: dict[str, Any]) -> Layer:
    return Layer(value, Document("x", value), ())


@given(mappings, mappings)
def test_what_a_later_layer_says_holds_and_the_rest_stays(a: dict[str, Any], b: dict[str, Any]) -> None:
    made = merge([layer(a), layer(b)])
    said = {key: value for key, value in b.items() if not isinstance(value, dict)}
    untouched = {key: value for key, value in a.items() if key not in b}
    assert made == made | said | untouched


@given(mappings)
def test_merging_with_itself_changes_nothing(a: dict[str, Any]) -> None:
    assert merge([layer(a), layer(a)]) == a


@given(mappings)
def test_no_null_is_left_to_be_sent(a: dict[str, Any]) -> None:
    assert "null" not in json.dumps(without_nulls(a, frozenset()))
