from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from snapdrift.errors import DatasetError
from snapdrift.model import Endpoint
from snapdrift.suites.outputs import RecordedOutput, read_outputs
from snapdrift.suites.resolved import Suite

Load = Callable[..., Suite]
Mistakes = Callable[..., list[str]]

HEAD = """\
suite: s
cases: [{id: a, q: x, expected: 1}, {id: b, q: x, expected: 1}]
graders: [{name: right, same: "{{ expected }}"}]
gate: {metrics: {right: {at_least: 0.5}}}
"""
APP = "def answer(case):\n    return case.id\n\n\nclass Other:\n    def method(self): ...\n"
FILES = {"app/answer.py": APP, "answers.jsonl": '{"id": "a", "output": "yes"}\n{"id": "b", "output": {"n": 1}}\n'}


def test_an_application_is_a_variant_without_a_prompt(load: Load) -> None:
    suite = load(f"{HEAD}variants: {{app: {{python: 'app/answer.py:answer'}}}}\n", FILES)
    app = suite.variants["app"]

    assert (app.endpoint, app.model, app.target) == (
        Endpoint.PYTHON,
        "python:app/answer.py:answer",
        "app/answer.py:answer",
    )
    assert app.prompt == {}


def test_a_changed_application_is_another_suite(load: Load) -> None:
    text = f"{HEAD}variants: {{app: {{python: 'app/answer.py:answer'}}}}\n"
    assert load(text, FILES).hash != load(text, {"app/answer.py": f"{APP}# changed\n"}).hash


@pytest.mark.parametrize(
    "source",
    [
        "async def answer(case): ...",
        "answer = print",
        "from other import answer",
        "from other import reply as answer",
        "from other import *",
        "try:\n    import x\nexcept ImportError:\n    def answer(case): ...",
    ],
)
def test_a_function_is_found_however_the_module_comes_by_it(load: Load, source: str) -> None:
    text = f"{HEAD}variants: {{app: {{python: 'app/answer.py:answer'}}}}\n"
    assert load(text, {"app/answer.py": source}).variants["app"].target == "app/answer.py:answer"


def test_recorded_outputs_are_a_variant_beside_models(load: Load) -> None:
    suite = load(
        f"{HEAD}prompt: {{input: x}}\nrequest: {{temperature: 0}}\nstream: true\n"
        "variants: {old: {outputs: answers.jsonl}, new: {model: m}}\n",
        FILES,
    )
    old = suite.variants["old"]

    assert (old.endpoint, old.model, old.target) == (Endpoint.OUTPUTS, "outputs:answers.jsonl", "answers.jsonl")
    assert (set(old.request), old.stream, old.batch) == ({"sha256"}, False, False)
    assert suite.variants["new"].stream
    assert suite.warnings == ()


def test_outputs_that_do_not_fit_the_dataset_are_warned_of(load: Load) -> None:
    text = f"{HEAD}repeats: 2\nvariants: {{old: {{outputs: answers.jsonl}}}}\n"
    outputs = '{"id": "a", "output": ""}\n{"id": "a", "output": "x", "repeat": 1}\n{"id": "z", "output": "x"}\n'

    assert load(text, {"answers.jsonl": outputs}).warnings == (
        'answers.jsonl has 1 id that is not in the dataset and not used: "z".',
        'answers.jsonl has no output for 2 of 4 calls, which will be missing: "b".',
    )


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        ("{python: 'app/answer.py'}", 'python: "app/answer.py"; expected PATH.py:FUNCTION, such as'),
        ("{python: 'app/answr.py:answer'}", 'python: no file app/answr.py; did you mean "app/answer.py"?'),
        ("{python: 'app/answer.py:anser'}", 'python: no anser in app/answer.py; did you mean "answer"?'),
        ("{python: 'app/answer.py:method'}", "python: no method in app/answer.py; expected one of Other, answer"),
        ("{python: 'app/broken.py:answer'}", "python: app/broken.py is not Python (line 1: "),
        ("{python: '../answer.py:answer'}", "python: ../answer.py leads out of the workspace; "),
        ("{outputs: answer.jsonl}", 'outputs: no file answer.jsonl; did you mean "answers.jsonl"?'),
        ("{outputs: app/answer.py}", "a file of unknown format; expected one of .jsonl"),
        ("{outputs: answers.jsonl, model: m}", "model: model beside outputs; leave it out: the column `model` of the"),
        (
            "{python: 'app/answer.py:answer', batch: true}",
            "batch: batch beside python; leave it out: no model is asked",
        ),
        ("{python: 'app/answer.py:answer', request: {top_p: 1}}", "request: request beside python; leave it out"),
        ("{python: 'app/answer.py:answer', outputs: answers.jsonl}", "outputs: both python and outputs; expected one"),
    ],
)
def test_a_mistake_in_an_application_is_told(mistakes: Mistakes, variant: str, expected: str) -> None:
    (found,) = mistakes(f"{HEAD}variants: {{v: {variant}}}\n", FILES | {"app/broken.py": "def answer(:"})
    assert found.partition(": ")[2].removeprefix("variants.v.").startswith(expected)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("fakes/cards.py:charge", None),
        ("fakes/cards.py:charg", 'no charg in fakes/cards.py (tool_results of case "a"); did you mean "charge"?'),
        ("fakes/card.py:charge", 'no file fakes/card.py (tool_results of case "a"); did you mean "fakes/cards.py"?'),
    ],
)
def test_a_python_fake_is_looked_up_and_part_of_the_identity(
    load: Load, mistakes: Mistakes, good: str, target: str, expected: str | None
) -> None:
    text = good.replace("{id: a,", f"{{id: a, tool_results: {{charge: {{python: '{target}'}}}},")
    files = {"fakes/cards.py": "def charge(amount): ..."}
    if expected is None:
        assert set(load(text, files).fakes) == {"fakes/cards.py"}
        assert load(text, files).hash != load(text, {"fakes/cards.py": "def charge(amount): return 1"}).hash
    else:
        assert mistakes(text, files) == [f"evals/s.yaml:3:3: cases: {expected}"]


# ----------------------------------------------------------------------------------------------------- recorded outputs


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("o.jsonl", '{"id": "a", "output": "x", "model": "m", "note": 1}\n{"id": "a", "output": [1], "repeat": 2}\n'),
        ("o.csv", 'id,output,model,repeat\na,x,m,\na,[1],,2\n'),
        ("o.yaml", "- {id: a, output: x, model: m}\n- {id: a, output: [1], repeat: 2}\n"),
    ],
)  # fmt: skip
def test_outputs_are_read_from_every_format(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    assert read_outputs(tmp_path / name) == {("a", 0): RecordedOutput("x", "m"), ("a", 2): RecordedOutput("[1]")}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", ["o.jsonl: no outputs; expected at least one row"]),
        ('{"output": "x"}', ["o.jsonl:1:1: id: no id; expected the id of a case, as text"]),
        ('{"id": 5, "output": "x"}', ["o.jsonl:1:1: id: 5; expected the id of a case, as text"]),
        ('{"id": "a"}', ["o.jsonl:1:1: output: no output; expected the answer"]),
        ('{"id": "a", "output": null}', ["o.jsonl:1:1: output: null; expected the answer"]),
        ('{"id": "a", "output": "", "model": 5}', ["o.jsonl:1:1: model: 5; expected the model's id, as text"]),
        ('{"id": "a", "output": "", "repeat": -1}', ["o.jsonl:1:1: repeat: -1; expected a whole number from 0 to 999"]),
        ('{"id": "a", "output": "", "repeat": true}', ["o.jsonl:1:1: repeat: true; "]),
        (
            '{"id": "a", "output": ""}\n{"id": "a", "output": "", "repeat": 0}',
            ['o.jsonl:2:1: id: the output of "a", repeat 0, a second time; expected each once; it is first at o.'],
        ),
    ],
)
def test_a_mistake_in_outputs_is_told_with_its_line(tmp_path: Path, content: str, expected: list[str]) -> None:
    (tmp_path / "o.jsonl").write_text(content)
    with pytest.raises(DatasetError) as caught:
        read_outputs(tmp_path / "o.jsonl", "o.jsonl")
    found = str(caught.value).splitlines()
    assert [line.startswith(start) for line, start in zip(found, expected, strict=True)] == [True] * len(expected)
