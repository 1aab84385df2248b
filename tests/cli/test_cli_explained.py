"""What `check --explain` prints: the exact bodies, with what Snapdrift added marked where it stands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from snapdrift import pipeline
from snapdrift.cli.explained import MARK, explained, explained_json
from snapdrift.errors import UsageError
from snapdrift.pipeline.explaining import Explained

SUITE = """\
suite: greetings
cases:
  - {id: c1, name: Ada}
  - {id: c2, name: Bo}
  - {id: c3, name: Cy}
prompt:
  instructions: Greet.
  input:
    - {role: user, content: "I am {{ name }}."}
    - {role: assistant}
    - {role: user, content: "Once more."}
request:
  text: {format: {type: json_schema, name: greeting, schema: {type: object}}}
variants:
  august: {model: gpt-4o-2024-08-06}
  chat: {model: gpt-4o-2024-11-20, endpoint: chat, stream: true}
graders: [{name: polite, contains: Hello}]
gate: {baseline: {variant: august}, metrics: {polite: {margin: 0.1}}, max_blind: 0.9}
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    path = tmp_path / "evals" / "greetings.yaml"
    path.parent.mkdir()
    path.write_text(SUITE)
    return path


def one(body: Any, *added: Any, **more: Any) -> Explained:
    return Explained("greetings", "c1", "august", "responses", body, added, **more)


def test_each_variants_body_is_printed_with_marks_at_the_places_that_were_added(suite: Path) -> None:
    shown = explained(pipeline.explain_case([suite], "c1", pipeline.RunOptions()))
    august, chat = shown.split("# chat: chat")
    assert august.startswith("# august: responses  (added by snapdrift: store, text.format.strict)\n")
    assert f'      "strict": false{MARK}\n' in august
    assert f'  "store": false{MARK}\n' in august
    assert '"content": "I am Ada."' in august
    assert "# the first of 2 requests" in august
    assert f'  "stream_options": {{{MARK}\n' in chat
    assert f'      "strict": false{MARK}\n' in chat
    assert '"stream": true,\n' in chat


def test_without_the_marks_a_body_is_the_json_that_is_sent(suite: Path) -> None:
    (august, _) = pipeline.explain_case([suite], "c1", pipeline.RunOptions())
    printed = "\n".join(line for line in explained([august]).splitlines() if not line.startswith("#"))
    assert json.loads(printed.replace(MARK, "")) == august.body
    assert printed.replace(MARK, "").strip() == json.dumps(august.body, indent=2, ensure_ascii=False)


def test_empty_values_and_commas_are_printed_as_json_has_them() -> None:
    body = {"tools": [], "metadata": {}, "input": [{"a": None}, "x"], "n": 1.5}
    printed = explained([one(body, ("metadata",), ("input", 1))])
    assert f'  "metadata": {{}},{MARK}\n' in printed
    assert f'    "x"{MARK}\n' in printed
    assert json.loads(printed.split("\n", 1)[1].replace(MARK, "")) == body


def test_a_data_url_is_shortened_in_print_and_whole_as_json() -> None:
    url = "data:image/png;base64," + "A" * 5_000
    request = one({"image_url": url, "text": "x" * 5_000})
    printed = explained([request])
    assert "A" * 100 not in printed
    assert "(5,022 characters)" in printed
    assert "x" * 5_000 in printed
    assert json.loads(explained_json([request]))[0]["body"]["image_url"] == url


def test_the_json_names_what_was_added_by_paths() -> None:
    (shown,) = json.loads(explained_json([one({"tools": [{"strict": False}]}, ("tools", 0, "strict"), turns=3)]))
    assert shown["added"] == ["tools[0].strict"]
    assert (shown["variant"], shown["endpoint"], shown["turns"]) == ("august", "responses", 3)


def test_an_application_has_no_body_and_says_what_is_called() -> None:
    printed = explained([Explained("s", "c", "our-app", "python", None, target="app/answer.py:answer")])
    assert printed == "# our-app: python\n# no request to a model: app/answer.py:answer\n\n"


def test_tools_that_are_answered_are_told() -> None:
    assert "tool_results" in explained([one({"tools": []}, tools_answered=True)])


def test_a_case_that_no_suite_has_is_an_error(suite: Path) -> None:
    with pytest.raises(UsageError, match="found no case 'c9'"):
        pipeline.explain_case([suite], "c9", pipeline.RunOptions())
