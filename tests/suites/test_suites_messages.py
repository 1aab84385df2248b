from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.suites.conftest import png

from snapdrift.model import Case, GeneratedTurn, ImagePart, Message, TextPart
from snapdrift.suites.datasets import load_cases
from snapdrift.suites.media import Media
from snapdrift.suites.messages import message_findings
from snapdrift.suites.prompts import TemplateError, render
from snapdrift.suites.resolved import Suite
from snapdrift.suites.workspace import Workspace

Load = Callable[..., Suite]
Mistakes = Callable[..., list[str]]
TALK = [{"role": "user", "content": "Hi {{ x }}"}, {"role": "assistant"}, {"role": "user", "content": "Sure?"}]


def said(text: str, role: str = "user") -> Message:
    return Message(role, (TextPart(text),))


def test_a_cases_messages_are_the_conversation_and_no_templates() -> None:
    conversation = render({"instructions": "Be {{ id }}.", "input": "{{ messages }}"}, Case("c", {"messages": TALK}))

    assert conversation.instructions == "Be c."
    assert conversation.messages == (said("Hi {{ x }}"), GeneratedTurn(), said("Sure?"))


@pytest.mark.parametrize(
    ("expression", "count"),
    [
        ("{{ messages[:1] }}", 1),
        ("{{ talk.start + [{'role': 'user', 'content': 'Now?'}] }}", 2),
        ("{{ talk.start }}", 1),
    ],
)
def test_any_expression_that_yields_messages_is_a_conversation(expression: str, count: int) -> None:
    case = Case("c", {"messages": TALK, "talk": {"start": [{"role": "user", "content": "Hello"}]}})
    assert len(render({"input": expression}, case).messages) == count


@pytest.mark.parametrize("value", [[], ["a"], [{"x": 1}], {"role": "user", "content": "x"}])
def test_any_other_value_is_shown_as_json(value: Any) -> None:
    assert render({"input": "{{ v }}"}, Case("c", {"v": value})).messages == (said(json.dumps(value)),)


def test_parts_of_a_cases_messages_are_read_like_those_of_a_prompt(workspace: Workspace) -> None:
    (workspace.root / "a.png").write_bytes(png())
    content = [{"text": "What is it?"}, {"image": "a.png", "detail": "low"}, {"image": "file-1"}]
    case = Case("c", {"messages": [{"role": "user", "content": content}]})
    (message,) = render({"input": "{{ messages }}"}, case, Media(workspace)).messages

    assert isinstance(message, Message)
    assert [getattr(part, "size", None) for part in message.parts] == [None, (3, 2), None]
    assert message.parts[2] == ImagePart("file-1", file_id="file-1")


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([{"role": "usr", "content": "x"}], 'messages[0].role: "usr"'),
        ([{"role": "user", "content": [{"image": "none.png"}]}], "messages[0].content[0]: the file none.png"),
    ],
)
def test_a_mistake_in_messages_of_an_expression_names_its_place(messages: list[Any], expected: str) -> None:
    with pytest.raises(TemplateError) as caught:
        render({"input": "{{ v }}"}, Case("c", {"v": messages}))
    assert (caught.value.at, caught.value.message) == (("input",), expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("x", '()"x"'),
        ([], "()an empty list"),
        ([{"role": "user"}], "(0, 'content')missing"),
        ([{"role": "tool", "content": "x"}], "(0, 'role')\"tool\""),
        ([{"role": "user", "content": []}], "(0, 'content')an empty list"),
        ([{"role": "user", "content": "x", "name": "y"}], "(0, 'name')unknown key"),
        ([{"role": "user", "content": [{"image": "x", "if": "y"}]}], "(0, 'content', 0, 'if')`if` in a case's message"),
        ([{"role": "user", "content": [{"input_audio": {}}]}], "(0, 'content', 0, 'input_audio')audio and the Real"),
        ([{"role": "assistant"}, TALK[2]], "(0,)an assistant message without content before anything is asked"),
        ([TALK[0], {"role": "assistant"}], "(1,)an assistant message without content at the end"),
        ([*TALK[:2], *TALK[1:]], "(2,)an assistant message without content after another"),
    ],
)
def test_a_mistake_in_a_list_of_messages_is_found_at_its_place(value: Any, expected: str) -> None:
    (finding,) = message_findings(value)
    assert f"{finding.location}{finding.found}".startswith(expected)


def test_a_list_of_messages_without_mistakes_has_no_findings() -> None:
    assert message_findings(TALK) == ()


# ------------------------------------------------------------------------------------------------------------- datasets


def test_messages_and_tool_results_may_be_json_text_in_a_csv(tmp_path: Path) -> None:
    results = {"lookup": [{"nth": 1, "returns": 1}]}
    cell = {key: json.dumps(value).replace('"', '""') for key, value in (("m", TALK), ("t", results))}
    path = tmp_path / "d.csv"
    path.write_text(f'id,messages,tool_results\na,"{cell["m"]}","{cell["t"]}"\nb,,\n')
    first, second = load_cases(path, "d.csv")

    assert (first.variables["messages"], first.tool_results) == (TALK, results)
    assert (second.variables["messages"], second.tool_results) == (None, None)


def test_tool_results_are_no_variable_of_templates_and_part_of_the_case() -> None:
    case = Case("c", {}, tool_results={"f": [{"returns": 1}]})
    assert "tool_results" not in case.context()
    assert case.hash != Case("c", {}).hash


def test_tool_results_change_the_dataset_hash(load: Load, good: str) -> None:
    changed = good.replace("tags: [golden]}", "tags: [golden], tool_results: {f: [{nth: 1, returns: 1}]}}")
    again = good.replace("tags: [golden]}", "tags: [golden], tool_results: {f: [{nth: 1, returns: 2}]}}")
    assert len({load(text).dataset_hash for text in (good, changed, again)}) == 3


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("messages: x", "4:56: cases[1].messages: not JSON: Expecting value"),
        ("messages: [{role: usr, content: x}]", '4:56: cases[1].messages[0].role: "usr"; did you mean "user"?'),
        ("messages: [{role: user, content: x}, {role: assistant}]", "4:56: cases[1].messages[1]: an assistant message"),
        ("tool_results: [1]", "4:60: cases[1].tool_results: found a list; expected a mapping"),
        ("tool_results: {f: [{returned: 1}]}", "4:60: cases[1].tool_results.f[0]: it does not say"),
    ],
)
def test_a_mistake_in_a_cases_messages_or_tool_results_is_told_with_its_place(
    mistakes: Mistakes, good: str, column: str, expected: str
) -> None:
    found = mistakes(good.replace("expected: support}", f"expected: support, {column}}}"))
    assert found[0].startswith(f"evals/s.yaml:{expected}")


def test_a_missing_image_of_a_cases_message_is_told_where_the_prompt_asks_for_them(
    mistakes: Mistakes, good: str
) -> None:
    messages = "messages: [{role: user, content: [{image: photos/none.png}]}]"
    text = good.replace("{id: b, ", f"{{id: b, {messages}, ").replace("{id: a, ", f"{{id: a, {messages}, ")
    (found,) = mistakes(text.replace("{{ ticket }}", "{{ messages }}"))
    assert found.startswith(
        "evals/s.yaml:5:17: prompt.input: messages[0].content[0]: no file photos/none.png in case "
        '"a" (2 of 2 cases); expected a file'
    )


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        (
            "[{role: assistant}, {role: user, content: x}]",
            "prompt.input[0]: an assistant message without content before",
        ),
        (
            "[{role: user, content: x}, {role: assistant}]",
            "prompt.input[1]: an assistant message without content at the",
        ),
        ("[{role: user}]", "prompt.input[0].content: missing; expected text or parts; only a message of the assistant"),
    ],
)
def test_a_turn_of_a_prompt_that_cannot_be_generated_is_told(
    mistakes: Mistakes, good: str, messages: str, expected: str
) -> None:
    (found,) = mistakes(good.replace('"{{ ticket }}"', messages))
    assert found.partition(": ")[2].startswith(expected)
