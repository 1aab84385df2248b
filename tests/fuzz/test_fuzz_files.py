"""Files that a stranger may have written: suites, datasets, templates."""

from __future__ import annotations

import gzip
import json
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz.bending import bent_text, bent_value, bounded_work, harmless, tries

from snapdrift.errors import SnapdriftError
from snapdrift.graders.registry import Registry
from snapdrift.openai_api.catalog import load_catalog
from snapdrift.suites import template_bounds
from snapdrift.suites.config import parse_config
from snapdrift.suites.datasets import load_cases
from snapdrift.suites.document import parse_document, parse_json
from snapdrift.suites.loader import load_suite
from snapdrift.suites.templates import Expression, Template
from snapdrift.suites.workspace import Workspace

REPOSITORY = Path(__file__).parents[2]
SUITE = """\
suite: own
dataset: datasets/own.jsonl
prompt:
  instructions: Be brief.
  input:
    - role: user
      content: [{text: "{{ q }} {% for t in tags %}{{ t }}{% endfor %}"}, {image: "{{ photo }}", if: photo}]
request: {temperature: 0, text: {format: {type: json_schema, name: a, schema: graders/a.json}}}
variants:
  one: {model: gpt-4o-2024-08-06}
  two: {model: gpt-4o-2024-11-20, endpoint: chat, request: {temperature: null}, prompt: prompts/two.yaml}
  app: {python: "app/own.py:answer"}
  old: {outputs: datasets/outputs.jsonl}
repeats: 2
sample: {n: 2, seed: 7}
extract: {json: $, mode: fenced}
graders:
  - {name: valid, schema: graders/a.json}
  - {name: same, json_equal: "{{ expected }}", fields: {total: {number: 0.1}, due: date}}
  - {name: word, regex: "^(a|b)+$", extract: [{regex: "x(.*)y"}, last_line]}
  - {name: kind, judge: graders/kind.yaml, when: {tag: reply}}
  - {name: own, all: [{contains: a}, {python: "app/own.py:grade"}]}
gates:
  default: &default
    baseline: {variant: one}
    candidates: [two]
    metrics: {same: {margin: 0.1}, word: {margin: 0.05, at_least: 0.5}}
    max_blind: 0.9
    must_pass: {tag: reply}
  release: {extends: default, policy: prove, repeats: 3, budget: {usd: 5}}
budget: {usd: 1}
"""
ROWS: list[dict[str, Any]] = [
    {"id": "c1", "q": "How?", "expected": {"total": 1, "due": "2024-01-01"}, "tags": ["reply"], "photo": None},
    {"id": "c2", "q": "Why {{ q }}?", "expected": {"total": 2}, "tags": "reply,b", "cluster": "k", "photo": ""},
    {
        "id": "c3",
        "q": "é",
        "expected": {},
        "tags": [],
        "photo": None,
        "tool_results": {"f": {"python": "app/own.py:f"}},
    },
]
FILES = {
    "prompts/two.yaml": 'input: "{{ q }}"\n',
    "graders/a.json": '{"type": "object", "properties": {"total": {"type": "number", "pattern": "^a+$"}}}',
    "graders/kind.yaml": "model: gpt-4o-mini-2024-07-18\ncriteria: [It is kind.]\nsees: [answer]\n",
    "app/own.py": "raise SystemExit('the code of a workspace was run')\ndef answer(case): ...\n"
    "def grade(case, answer): ...\ndef f(arguments, case): ...\n",
    "datasets/own.jsonl": "".join(json.dumps(row) + "\n" for row in ROWS),
    "datasets/outputs.jsonl": "".join(
        json.dumps({"id": row["id"], "output": "a", "repeat": repeat}) + "\n" for row in ROWS for repeat in (0, 1)
    ),
}


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with everything that the seed suite names."""
    root = tmp_path_factory.mktemp("space")
    for name, text in {**FILES, "evals/own.yaml": SUITE}.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    load(root / "evals" / "own.yaml", Workspace(root, parse_config("", "snapdrift.toml")))  # the seed is valid
    return Workspace(root, parse_config("", "snapdrift.toml"))


def load(path: Path, space: Workspace) -> Any:
    return load_suite(path, space, Registry(), catalog())


@cache
def catalog() -> Any:
    return load_catalog()


def read(path: Path, space: Workspace, content: str | bytes) -> None:
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    with harmless(), suppress(SnapdriftError):
        load(path, space)


@tries(20)
@given(text=bent_text([SUITE]))
def test_a_suite_is_loaded_or_refused(space: Workspace, text: str) -> None:
    read(space.root / "evals" / "bent.yaml", space, text)


@tries(25)
@given(value=bent_value([yaml.safe_load(SUITE)]))
def test_a_suite_of_the_right_form_with_wrong_values_is_loaded_or_refused(space: Workspace, value: Any) -> None:
    read(space.root / "evals" / "bent.yaml", space, json.dumps(value))


@tries(12)
@given(name=st.sampled_from([name for name in FILES if not name.endswith(".py")]), data=st.data())
def test_a_file_that_a_suite_names_is_read_or_refused(space: Workspace, name: str, data: st.DataObject) -> None:
    path = space.root / name
    try:
        path.write_bytes(data.draw(bent_text([FILES[name]])).encode("utf-8", "surrogatepass"))
        with harmless(), suppress(SnapdriftError):
            load(space.root / "evals" / "own.yaml", space)
    finally:
        path.write_text(FILES[name])


CSV = 'id,q,expected.total,tags\r\nc1,"a ""b""\nc",1,"x,y"\r\nc2,é,2,\r\n'
YAML_ROWS = "cases:\n  - &a {id: c1, q: How, tags: [a]}\n  - {<<: *a, id: c2}\n"
SEEDS = {"own.jsonl": FILES["datasets/own.jsonl"], "own.csv": CSV, "own.yaml": YAML_ROWS}


@tries(25)
@given(name=st.sampled_from(sorted(SEEDS)), packed=st.booleans(), data=st.data())
def test_a_dataset_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, name: str, packed: bool, data: st.DataObject
) -> None:
    content = bytearray(data.draw(bent_text([SEEDS[name]])).encode("utf-8", "surrogatepass"))
    if packed and name.endswith(".jsonl"):
        name, content = f"{name}.gz", bytearray(gzip.compress(content, mtime=0))
        for _ in range(data.draw(st.integers(0, 3))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / f"bent-{name}"
    path.write_bytes(content)
    with harmless(), suppress(SnapdriftError):
        load_cases(path, name)


@tries(25)
@given(text=bent_text([SUITE, FILES["graders/a.json"], YAML_ROWS]))
def test_yaml_and_json_are_plain_values_or_refused(text: str) -> None:
    for parse in (parse_document, parse_json):
        with harmless(), suppress(SnapdriftError):
            json.dumps(parse(text, "bent").value)


@tries(20)
@given(
    text=bent_text(
        [(REPOSITORY / "snapdrift.toml").read_text(), 'api_key_cmd = ["pass"]\n[hosts.x]\nbase_url="http://x"\n']
    )
)
def test_a_configuration_is_read_or_refused(text: str) -> None:
    with harmless(), suppress(SnapdriftError):
        parse_config(text, "snapdrift.toml")


TEMPLATES = [
    "{{ q }} {% for t in tags %}{{ loop.index }}{{ t|upper }}{% else %}-{% endfor %}",
    "{% set a = q ~ q %}{% if a|length > 3 and tags[0] == 'b' %}{{ a[1:] }}{% elif x %}{{ x|tojson }}{% endif %}",
    "{{ {'a': tags, 'b': [1, 2.5, none]}|dictsort }}",
    "{{ tags|map('upper')|join(', ')|replace('a', 'b')|truncate(5) }} {{ range(3)|sum ** 2 // 3 % 2 }}",
    "{{ x.a['b']|default('c')|round(2)|string }}",
    "{% set a = [q] %}{% set a = [a, a] %}{% set a = [a, a] %}{% set a = [a, a] %}{{ a == [a] }}{{ {'k': a}|length }}",
    "{% set a = q + q %}{% set b = a[1:] + a[::-1] %}{{ b.split('b')|unique|list|length }}{{ a|int(0, 16) % 3 }}",
    "{% with a = 1 %}{{ a + 1 }}{% endwith %}{% raw %}{{ }}{% endraw %}{# c #}",
]


DOUBLED = "{% set a = (1, 1) %}" + "{% set a = (a, a) %}" * 40
HARMFUL = [
    *(DOUBLED + end for end in ("{{ a|length }}", "{{ a|string|length }}", "{{ [a] ~ 'x' }}", "{{ x[a] }}")),
    *(
        DOUBLED + end
        for end in ("{{ {a: 1}|length }}", "{{ [a, 1]|unique|list }}", "{% for b in a %}{{ b }}{% endfor %}")
    ),
    DOUBLED + DOUBLED.replace("a", "b").replace("sbt", "set") + "{{ 1 if a == b else 2 }}{{ [a].index(b) }}",
    "{% set a = [q] %}" + "{% set a = a + a %}" * 40 + "{{ a|join }}",
    "{% set a = long %}" + "{% set a = a + a[1:] %}" * 40 + "{{ a|upper|title }}",
    "{{ range(20000)|map('string')|map('first')|map('replace', '1', long)|list|length }}",
    # Made well within the short clock, and gone through in many seconds where nothing looks at it.
    "{% set a = range(50000)|list %}{{ range(100000, 150000)|list|select('in', a)|list|length }}",
    "{% for a in range(90000) %}{% if long|lower|replace('a', 'b') in long.split('b') %}{% endif %}{% endfor %}",
    "{{ long|sort|list }}{{ long|unique|list }}{{ long.split('a')|length }}{{ long|wordcount }}{{ long.strip(long) }}",
    "{{ 9**9**9 }}{{ '%1000000000d' % 1 }}{{ 'x'.center(10**9) }}{{ '{:999999999}'.format(q) }}",
    "{{ q|truncate(5, end=long) }}{{ 1e99999 }}{{ 1 + 0x" + "f" * 5_000 + " }}",
    "{{ long|indent(10**6) }}{{ long|wordwrap(1) }}{{ joiner(long)() }}{{ cycler(long).next() }}{{ lipsum(10**6) }}",
]
CASE: dict[str, Any] = {"q": "Why", "tags": ["a", "b"], "x": {"a": {"b": 1.25}}}
LONG = "a" * 3_000_000
"""What a case may hold as a data URL; kept out of what is bent, for that is copied often."""


@tries(40)
@given(source=bent_text(TEMPLATES + HARMFUL), value=bent_value([CASE]))
def test_a_template_is_rendered_or_refused_in_little_time_and_memory(source: str, value: Any) -> None:
    context = value if isinstance(value, dict) else {"q": value}
    _import_all()
    bounded_work(lambda: _rendered_or_refused(source, {"long": LONG, **context}))


@pytest.mark.parametrize("source", HARMFUL, ids=range(len(HARMFUL)))
def test_a_template_that_would_do_harm_has_an_end(source: str) -> None:
    _import_all()
    bounded_work(lambda: _rendered_or_refused(source, {"long": LONG, **CASE}))


def _import_all() -> None:
    """So that a fork imports nothing: what renders, what reads texts, and what has the words for mistakes."""
    for source in ("{{ q.absent }}", "{{ 'a'", "{{ 'a' }}"):
        with suppress(SnapdriftError):
            Template(source).render(CASE)


def _rendered_or_refused(source: str, context: dict[str, Any]) -> None:
    """In a fork, of which nothing is left, and with a short clock: tracing memory makes everything take longer."""
    template_bounds.MAX_SECONDS = 1.0
    for kind in (Template, Expression):
        with harmless():
            try:
                made = kind(source)
                json.dumps(made.render(context) if isinstance(made, Template) else made.value(context))
            except SnapdriftError as error:
                # Memory that could not be had is too much memory, though it is an error of ours then.
                assert "MemoryError" not in str(error)  # noqa: PT017
