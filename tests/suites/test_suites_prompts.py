from __future__ import annotations

import tracemalloc
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.model import Case, Conversation, Message, TextPart
from snapdrift.suites.prompts import Template, TemplateError, prompt_templates, render, render_text


def rendered(source: str, **context: Any) -> Any:
    return Template(source).render(context)


def failure(source: str, **context: Any) -> str:
    with pytest.raises(TemplateError) as caught:
        rendered(source, **context)
    return str(caught.value)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("{{ x }}", {"n": [1, None, 2.5, True]}),
        ("  {{ x.n }}\n", [1, None, 2.5, True]),
        ("{{ x.n[2] }}", 2.5),
        ("{{ x.n|length }}", 4),
        ("{{ none }}", None),
        ("{{ x.n|map('string') }}", ["1", "None", "2.5", "True"]),
    ],
)
def test_a_single_expression_yields_its_native_value(source: str, value: Any) -> None:
    assert rendered(source, x={"n": [1, None, 2.5, True]}) == value


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("a {{ x }}", 'a {"n": [1, null, true]}'),
        ("{{ x.n }}{{ 2 }}", "[1, null, true]2"),
        ("{% for n in [5, 6] %}{{ loop.index }}:{{ n }}{{ ', ' if not loop.last }}{% endfor %}", "1:5, 2:6"),
        ("{{ 'é'|tojson }}!", '"é"!'),
        ("<b>{{ '<&>' }}</b>", "<b><&></b>"),
        ("kept\n", "kept\n"),
        ("{{ [1, 2]|join(', ') }}.", "1, 2."),
        ("{{ 'a-b'|replace('-', '+') }}.", "a+b."),
    ],
)
def test_any_other_source_yields_text_with_values_as_json(source: str, text: str) -> None:
    assert rendered(source, x={"n": [1, None, True]}) == text


def test_a_key_of_the_data_goes_before_a_method_of_that_name() -> None:
    assert rendered("{{ order.items }}", order={"items": [1]}) == [1]


def test_a_variable_may_be_called_result() -> None:
    assert rendered("{{ result }}", result=7) == 7


def test_the_names_of_a_template_are_those_that_it_does_not_set() -> None:
    source = "{% for x in xs %}{{ x }}{{ y }}{% endfor %}{% set z = 1 %}{{ z }}{{ range(2) }}"
    assert Template(source).names == {"xs", "y"}


def test_templates_of_the_same_source_are_equal() -> None:
    assert {Template("{{ x }}"), Template("{{ x }}")} == {Template("{{ x }}")}


def test_an_undefined_name_is_told_with_its_line() -> None:
    assert failure("one\n{{ tickt }}", ticket="x") == "'tickt' is undefined (line 2 of the template)"


def test_a_missing_key_is_told() -> None:
    assert failure("{{ expected.queu }}", expected={"queue": 1}) == "`expected.queu` is not there"


@pytest.mark.parametrize(
    ("source", "found", "expected"),
    [
        ("{{ row.sub.x }}", "`row.sub.x`", "`row.sub` has y, z there"),
        ("is {{ row['sub']['key'] }}", "`row['sub']['key']`", "`row['sub']` has y, z there"),
        ("{{ row.y }} {{ row.sub.y }} {{ row.sub.why }}", "`row.y`", "`row` has sub, many, none there"),
        ("{{ row['subs'] }}", "`row['subs']`", '`row` has sub, many, none there; did you mean "sub"?'),
        ("{{ row.many[2] }}", "`row.many[2]`", "`row.many` is a list there"),
        ("{{ row.none.x }}", "`row.none.x`", "`row.none` is null there"),
        ("{% for one in row.many %}{{ one.key }}{% endfor %}", '"key"', None),
    ],
)
def test_what_a_case_lacks_is_told_by_its_path_with_what_is_there(
    source: str, found: str, expected: str | None
) -> None:
    row = {"sub": {"y": 1, "z": 2}, "many": [{"a": 1}], "none": None}
    with pytest.raises(TemplateError) as caught:
        Template(source).render({"row": row})
    assert (caught.value.message, caught.value.expected) == (f"{found} is not there", expected)


def test_an_undefined_name_inside_a_list_is_told() -> None:
    assert failure("{{ [1, missing] }}") == "'missing' is undefined"


def test_a_syntax_error_is_told_with_its_line() -> None:
    with pytest.raises(TemplateError) as caught:
        Template("fine\n{{ x")
    assert caught.value.line == 2


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__ }}",
        "{{ ''['__class__'] }}",
        "{{ x|attr('__class__') }}",
        "{{ (1).to_bytes(1000000000, 'big') }}",
        "{{ range.__init__.__globals__ }}",
        "{{ self._TemplateReference__context }}",
        "{{ '{0.__class__}'.format(1) }}",
        "{{ x.append(1) }}",
        "{{ lipsum() }}",
        "{{ cycler('a') }}",
        "{{ [1]|random }}",
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{% extends 'x' %}",
        "{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(1) }}",
        "{% block a %}{% endblock %}",
        "{% for n in x recursive %}{{ loop(x) }}{% endfor %}",
        "{{ x.append }}",
        "{{ range }}",
    ],
)
def test_a_template_reaches_nothing_but_its_case(source: str) -> None:
    assert failure(source, x=[1])


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'x' * 10**9 }}",
        "{{ [1] * 10**9 }}",
        "{{ 10 ** 10 ** 9 }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ 'x'|center(1000000000) }}",
        "{{ 'x'.ljust(1000000000) }}",
        "{{ 1.5|round(1000000000) }}",
        "{{ [1]|tojson(1000000000) }}",
        "{{ range(1000000000) }}",
        "{{ range(100000)|join('x' ~ long) }}",
        "{{ long|replace('a', long) }}",
        "{% set a = long + long %}{% set a = a + a %}{% set a = a + a %}{% set a = a + a %}{{ a + a }}",
        "{% set a = long ~ long %}{{ a }}",
        "{% for a in range(1000) %}{% for b in range(1000) %}{% endfor %}{% endfor %}",
        "{% for a in range(50) %}{{ long }}{% endfor %}",
        "{% filter upper %}{% for a in range(100) %}{{ long }}{% endfor %}{% endfilter %}",
        "{{ " + "~".join(["long"] * 30) + " }}",
        "{{ [" + ",".join(["long"] * 900) + "] }}",
        "{{ [" + ",".join(["long"] * 900) + "]|string|length }}",
        "{{ [" + ",".join(["long"] * 900) + "]|upper|length }}",
        "{{ range(900)|map(attribute='x', default=long)|list|tojson|length }}",
        "{{ [[1], [2]]|sum(start=[]) }}",
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "x" * 200_001,
    ],
)
def test_what_a_template_can_grow_to_is_bounded(source: str) -> None:
    assert failure(source, long="a" * 100_000)


def test_loops_are_bounded_in_time_where_each_of_their_steps_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snapdrift.suites.template_bounds.MAX_SECONDS", 0.002)
    source = "{% for a in range(100000) %}{% if long|upper == '' %}{% endif %}{% endfor %}"
    assert "the template takes more than 0.002 seconds" in failure(source, long="a" * 1_000_000)


DOUBLED = "{% set a = [1] %}" + "{% set a = [a, a] %}" * 40
PAIRED = "{% set a = (1, 1) %}" + "{% set a = (a, a) %}" * 40
ENDLESS = [
    DOUBLED + "{{ a|length }}",
    DOUBLED + "{{ a|string|length }}",
    DOUBLED + "{{ [a] ~ 'x' }}",
    DOUBLED + "{{ a|replace('1', '2') }}",
    DOUBLED + "{% set b = [1] %}" + "{% set b = [b, b] %}" * 40 + "{{ 1 if a == b else 2 }}",
    DOUBLED + "{{ 1 if 1 in [a] else 2 }}",
    DOUBLED + "{{ 1 if a is eq(a + [1]) else 2 }}",
    DOUBLED + "{{ [[1], a].count(a + [1]) }}",
    DOUBLED + "{{ a[0].index(3) }}",
    DOUBLED + "{{ [1, 2]|select('in', a)|list }}",
    DOUBLED + "{% for b in a %}{{ b }}{% endfor %}",
    PAIRED + "{{ m[a] }}",
    PAIRED + "{{ {a: 1}|length }}",
    PAIRED + "{{ [a, 1]|unique|list|length }}",
    "{{ range(20000)|map('string')|map('first')|map('replace', '1', long)|list|length }}",
    "".join("{% set s" + str(n) + " = long[1:] %}" for n in range(1500)),
    "".join("{% set s" + str(n) + " = long + 'x' %}" for n in range(1500)),
    "".join("{% set s" + str(n) + " = long.upper() %}" for n in range(1500)),
    "{{ (('f' * 1)|int(0, 16)) }}",
    "{{ (long|int(0, 16)) % 7 }}",
]


@pytest.mark.parametrize("source", ENDLESS)
def test_what_doubles_and_what_is_looked_into_has_an_end(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snapdrift.suites.template_bounds.MAX_SECONDS", 0.5)
    tracemalloc.start()
    try:
        assert failure(source, long="a" * 200_000, m={"k": 1})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 256 * 2**20


def test_what_is_looked_into_is_as_it_was() -> None:
    source = (
        "{{ rows[0]['n'] == 1 and 2 in [1, 2] and rows is defined and x is not defined and rows[1:]|length == 1 and "
        "'abc'[::-1] == 'cba' and 'abc'[1] == 'b' and {'k': [1, 2]}['k'][-1] == 2 and (rows|first).n is odd }}"
    )
    assert Template(source).render({"rows": [{"n": 1}, {"n": 2}]}) is True


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("{{ 1 ~ true ~ none ~ 'a' }}", "1TrueNonea"),
        ("{{ [1, 2.5]|sum }}", 3.5),
        ("{{ x|sum(attribute='n') }}", 3),
        ("{{ x|map(attribute='n')|sum(start=1) }}", 4),
        ("{{ [1, [2]]|string }}", "[1, [2]]"),
    ],
)
def test_what_is_bounded_says_what_it_said_before(source: str, value: Any) -> None:
    assert Template(source).render({"x": [{"n": 1}, {"n": 2}]}) == value


def test_an_arithmetic_error_is_a_template_error() -> None:
    assert failure("{{ 1 / zero }}", zero=0) == "ZeroDivisionError: division by zero"


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_no_source_raises_anything_but_template_error(source: str) -> None:
    value: Any = None
    with suppress(TemplateError):
        value = Template("{{ " + source + " }}").render({"x": 1})
    assert value is None or isinstance(value, str | int | float | list | dict)


CASE = Case("c-1", {"ticket": "Hi {{ not_a_template }}", "n": 3, "nothing": None}, tags=("a", "b"))


def test_text_input_becomes_one_user_message() -> None:
    conversation = render({"instructions": "Be {{ id }}.", "input": "{{ ticket }}"}, CASE)
    assert conversation == Conversation("Be c-1.", (Message("user", (TextPart("Hi {{ not_a_template }}"),)),))


def test_messages_keep_their_roles_and_parts() -> None:
    written = [
        {"role": "user", "content": [{"text": "{{ n }}"}, {"text": "{{ tags }}"}]},
        {"role": "assistant", "content": "ok"},
    ]
    conversation = render({"input": written}, CASE)
    assert conversation.messages == (
        Message("user", (TextPart("3"), TextPart('["a", "b"]'))),
        Message("assistant", (TextPart("ok"),)),
    )


def test_null_is_no_text_for_a_message() -> None:
    with pytest.raises(TemplateError, match="is null; a message needs text"):
        render_text("{{ nothing }}", CASE.context())


def test_a_prompts_templates_are_found_where_they_stand() -> None:
    prompt = {
        "instructions": "i",
        "input": [{"role": "user", "content": [{"text": "t"}]}, {"role": "user", "content": "c"}],
    }
    assert prompt_templates(prompt) == {
        ("instructions",): "i",
        ("input", 0, "content", 0, "text"): "t",
        ("input", 1, "content"): "c",
    }
