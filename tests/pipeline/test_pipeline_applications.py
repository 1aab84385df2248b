"""Variants that ask no model, end to end: the user's own application, and answers recorded elsewhere."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from snapdrift.model import (
    CallKey,
    Case,
    Conversation,
    Endpoint,
    FilePart,
    ImagePart,
    Message,
    Source,
    TextPart,
    ToolCall,
    Usage,
    Variant,
)
from snapdrift.openai_api.errors import AttemptFailed
from snapdrift.pipeline.applications import Applications, answer_of, application_request
from snapdrift.pipeline.functions import UserFunctions
from snapdrift.store import StoredRun, open_run
from snapdrift.suites.config import Config
from snapdrift.suites.tool_results import PythonFunction
from snapdrift.suites.workspace import Workspace

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
TARGET = PythonFunction("app/answer.py", "answer")

SUITE = """\
suite: capitals
dataset: datasets/capitals.jsonl
{prompt}variants:
  files: {{outputs: datasets/answers.jsonl}}
{variants}graders:
  - {{name: capital, exact: "{{{{ expected }}}}"}}
gate:
  baseline: {{variant: files}}
  candidates: [{candidate}]
  metrics: {{capital: {{margin: 0.05}}}}
  max_blind: 0.9
  discordance: 0.02
  coverage: {coverage}
"""

Space = Callable[..., Path]


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Space]:
    """A workspace with `cases` cases, a file of right answers to them, and an application."""
    modules, path = set(sys.modules), list(sys.path)

    def make(
        app: str = "", *, cases: int = 20, answers: int = 20, prompt: str = "", more: str = "", coverage: float = 0.98
    ) -> Path:
        for folder in ("evals", "datasets", "app"):
            (tmp_path / folder).mkdir()
        (tmp_path / "snapdrift.toml").write_text("")
        (tmp_path / "app" / "answer.py").write_text(app or "def answer(case):\n    return 'Town ' + case['id'][1:]\n")
        rows = [{"id": f"c{n}", "country": f"Land {n}", "expected": f"Town {n}"} for n in range(cases)]
        outputs = [{"id": f"c{n}", "output": f"Town {n}", "model": "gpt-4o-2024-08-06"} for n in range(answers)]
        for name, written in (("capitals", rows), ("answers", outputs)):
            (tmp_path / "datasets" / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in written))
        variants = more or "  app: {python: app/answer.py:answer}\n"
        candidate = variants.strip().partition(":")[0]
        text = SUITE.format(prompt=prompt, variants=variants, candidate=candidate, coverage=coverage)
        (tmp_path / "evals" / "capitals.yaml").write_text(text)
        return tmp_path

    yield make
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith("snapdrift_user_"):
            del sys.modules[name]


def stored(root: Path) -> StoredRun:
    return open_run(max((root / ".snapdrift" / "runs").glob("*.db")))


# ----------------------------------------------------------------------------------------------------------- whole runs


def test_a_suite_of_an_application_and_a_file_needs_no_key_no_budget_and_no_host(space: Space, snapdrift: Any) -> None:
    done = snapdrift("run", "evals/capitals.yaml", "--json", cwd=space())
    assert done.returncode == 0, done.stderr
    verdict = json.loads(done.stdout)
    assert [variant["source"] for variant in verdict["variants"]] == ["outputs", "python"]
    assert [variant["outcomes"] for variant in verdict["variants"]] == [{"ok": 20}, {"ok": 20}]


def test_the_application_sees_the_case_and_the_prompt_and_never_the_expected_answer(
    space: Space, snapdrift: Any
) -> None:
    app = "import json\ndef answer(case):\n    return json.dumps(case, sort_keys=True)\n"
    prompt = 'prompt: {instructions: Be brief., input: "Capital of {{ country }}?"}\n'
    root = space(app, prompt=prompt)
    snapdrift("run", "evals/capitals.yaml", "--quiet", cwd=root)
    with stored(root) as run:
        response = run.response(CallKey("c3", "app", 0))
    assert response is not None
    assert json.loads(response.text) == {
        "id": "c3",
        "variables": {"country": "Land 3"},
        "tags": [],
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Capital of Land 3?"}],
    }


def test_an_application_that_raises_for_a_case_leaves_that_call_unmeasured(space: Space, snapdrift: Any) -> None:
    app = (
        "def answer(case):\n    if case['id'] == 'c7':\n        raise LookupError('no such town')\n"
        "    return 'Town ' + case['id'][1:]\n"
    )
    root = space(app, coverage=0.9)
    done = snapdrift("run", "evals/capitals.yaml", "--json", cwd=root)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["variants"][1]["outcomes"] == {"ok": 19, "api_error": 1}
    assert "Traceback" not in done.stderr
    with stored(root) as run:
        failure = run.response(CallKey("c7", "app", 0)).failure  # type: ignore[union-attr]
    assert failure is not None
    assert failure.message == "app/answer.py:answer raised LookupError: no such town (app/answer.py:3)"


def test_an_application_that_cannot_be_imported_ends_the_command_before_a_run_is_made(
    space: Space, snapdrift: Any
) -> None:
    root = space("import no_such_module_here\ndef answer(case): ...\n")
    done = snapdrift("run", "evals/capitals.yaml", cwd=root)
    assert done.returncode == 2
    assert "app/answer.py:answer: importing it raised ModuleNotFoundError" in done.stderr
    assert not (root / ".snapdrift").exists()


def test_cases_without_a_recorded_output_are_missing(space: Space, snapdrift: Any) -> None:
    done = snapdrift("run", "evals/capitals.yaml", "--json", cwd=space(answers=18))
    assert done.returncode == 3
    assert json.loads(done.stdout)["variants"][0]["outcomes"] == {"ok": 18, "missing": 2}


def test_an_application_is_run_anew_where_an_earlier_run_came_to_its_end(space: Space, snapdrift: Any) -> None:
    root = space()
    for _ in range(2):
        done = snapdrift("run", "evals/capitals.yaml", cwd=root)
        assert "takes up run" not in done.stderr
    assert len(list((root / ".snapdrift" / "runs").glob("*.db"))) == 2


def test_a_run_does_not_go_on_with_an_application_that_changed(space: Space, snapdrift: Any) -> None:
    root = space()
    assert snapdrift("run", "evals/capitals.yaml", "--quiet", cwd=root).returncode == 0
    (root / "app" / "answer.py").write_text("def answer(case):\n    return 'else'\n")
    done = snapdrift("resume", "latest", cwd=root)
    assert done.returncode == 2
    assert "app/answer.py is no longer what it was when the suite was loaded" in done.stderr


def test_an_application_and_a_model_on_the_stand_in_stand_side_by_side(
    space: Space, snapdrift: Any, standin: Callable[..., str]
) -> None:
    prompt = 'prompt: {input: "Capital of {{ country }}?"}\nrequest: {max_output_tokens: 32}\n'
    more = "  app: {python: app/answer.py:answer}\n  model: {model: gpt-4o-2024-08-06}\n"
    root = space(prompt=prompt, more=more)
    done = snapdrift("run", "evals/capitals.yaml", "--base-url", standin(), "--json", cwd=root)
    sources = {variant["name"]: variant["source"] for variant in json.loads(done.stdout)["variants"]}
    assert sources == {"files": "outputs", "app": "python", "model": "simulated"}


def test_a_run_does_not_go_on_with_an_image_that_changed(space: Space, snapdrift: Any) -> None:
    prompt = "prompt: {input: [{role: user, content: [{text: Where is this?}, {image: datasets/town.png}]}]}\n"
    root = space(prompt=prompt)
    image = root / "datasets" / "town.png"
    image.write_bytes(PNG)
    assert snapdrift("run", "evals/capitals.yaml", "--quiet", cwd=root).returncode == 0
    with stored(root) as run:
        asked = run.request(CallKey("c1", "app", 0))
    assert asked is not None
    assert asked.body["case"]["messages"][0]["content"][1]["url"].startswith("data:image/png;base64,")
    image.write_bytes(PNG + b"\0")
    done = snapdrift("resume", "latest", cwd=root)
    assert done.returncode == 2
    assert "datasets/town.png is no longer what it was when the suite was loaded" in done.stderr


# --------------------------------------------------------------------------------------------------- what it may return


def test_text_is_an_answer_and_so_is_a_mapping_that_says_what_it_took() -> None:
    assert answer_of(TARGET, "it", 5.0).text == "it"
    answer = answer_of(
        TARGET,
        {
            "text": "it",
            "model": "gpt-4o",
            "usage": {"input_tokens": 7, "output_tokens": 2, "cached_tokens": 1},
            "usd": 0.5,
            "tool_calls": [
                {"name": "lookup", "arguments": {"a": 1}},
                {"name": "pay", "arguments": "{}", "call_id": "x"},
            ],
        },
        5.0,
    )
    assert (answer.source, answer.returned_model, answer.usd, answer.latency_ms) == (Source.PYTHON, "gpt-4o", 0.5, 5.0)
    assert answer.usage == Usage(7, 1, 2)
    assert answer.tool_calls == (ToolCall("call_0", "lookup", '{"a": 1}'), ToolCall("x", "pay", "{}"))


@pytest.mark.parametrize(
    ("returned", "told"),
    [
        (None, "returned None; expected text, or {text: ...}"),
        ({"texts": "it"}, "expected text, or {text: ...}"),
        ({"text": "it", "price": 1}, "returned the unknown key 'price'; expected only text, model, usage, usd"),
        ({"text": "it", "model": 5}, "returned the model 5; expected its id, as text"),
        ({"text": "it", "usd": -1}, "returned usd -1; expected what the answer cost in dollars"),
        ({"text": "it", "usd": True}, "returned usd True"),
        ({"text": "it", "usd": 1e12}, "expected what the answer cost in dollars, at most 1,000,000,000"),
        ({"text": "it", "usage": {"prompt": 5}}, "expected a mapping with input_tokens"),
        ({"text": "it", "usage": {"input_tokens": "5"}}, "returned input_tokens '5'; expected a number of tokens"),
        ({"text": "it", "tool_calls": {}}, "expected a list of {name: TEXT"),
        ({"text": "it", "tool_calls": [{"name": "a"}]}, "returned the tool call {'name': 'a'}; expected a list of"),
        (
            {"text": "it", "tool_calls": [{"name": "a", "arguments": {(1, 2): 3}}]},
            "a value that can be written as JSON",
        ),
    ],
)
def test_anything_else_is_a_failure_of_the_application_that_says_what_it_may_return(returned: Any, told: str) -> None:
    with pytest.raises(AttemptFailed) as error:
        answer_of(TARGET, returned, 1.0)
    assert told in error.value.failure.message
    assert error.value.failure.message.startswith("app/answer.py:answer returned ")


def test_half_a_surrogate_pair_is_no_text_and_is_replaced() -> None:
    assert answer_of(TARGET, "a\ud800b", 1.0).text == "a\ufffdb"


def test_a_fake_that_returns_what_json_has_no_form_for_is_a_failure_of_the_fake(space: Space) -> None:
    root = space()
    (root / "app" / "fakes.py").write_text("def lookup(arguments, case):\n    return {(1, 2): 'x'}\n")
    target = PythonFunction("app/fakes.py", "lookup")
    applications = Applications(UserFunctions(Workspace(root, Config()), {target: None}))

    async def fake() -> str:
        with applications.running(1):
            return await applications.fake(target, {}, Case("c1"))

    with pytest.raises(AttemptFailed, match=r"lookup returned .*expected text, or a value that can be written as JSON"):
        asyncio.run(fake())


def test_parts_that_are_no_text_are_handed_on_with_their_kind() -> None:
    parts = (
        TextPart("what is it?"),
        ImagePart("a.png", url="data:image/png;base64,AA", detail="low"),
        FilePart("b.pdf", url="https://x/b.pdf"),
    )
    variant = Variant("app", "python:app/answer.py:answer", Endpoint.PYTHON, {}, {}, target="app/answer.py:answer")
    asked = Conversation(None, (Message("user", parts),))
    request = application_request(CallKey("c1", "app", 0), variant, Case("c1"), asked, "run")
    assert request.body["case"]["messages"] == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "what is it?"},
                {"type": "image", "name": "a.png", "url": "data:image/png;base64,AA", "file_id": None, "detail": "low"},
                {"type": "file", "name": "b.pdf", "url": "https://x/b.pdf", "file_id": None},
            ],
        }
    ]
