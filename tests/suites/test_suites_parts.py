from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from tests.suites.conftest import PDF, png

from snapdrift.model import Case, Conversation, FilePart, GeneratedTurn, ImagePart, Message, TextPart
from snapdrift.suites.media import Media
from snapdrift.suites.prompts import TemplateError, prompt_templates, render
from snapdrift.suites.resolved import Suite
from snapdrift.suites.workspace import Workspace

Load = Callable[..., Suite]
Mistakes = Callable[..., list[str]]
URL = "https://x.example/a.png"


def parts_of(*content: dict[str, Any], **variables: Any) -> list[Any]:
    prompt = {"input": [{"role": "user", "content": list(content)}]}
    (message,) = render(prompt, Case("c", variables)).messages
    assert isinstance(message, Message)
    return list(message.parts)


def failure(*content: dict[str, Any], **variables: Any) -> TemplateError:
    with pytest.raises(TemplateError) as caught:
        parts_of(*content, **variables)
    return caught.value


def test_parts_become_text_images_and_files_in_their_order() -> None:
    made = parts_of(
        {"text": "{{ q }}"}, {"image": "{{ photo }}", "detail": "high"}, {"file": "{{ doc }}"}, q=1, photo=URL, doc=URL
    )
    assert made == [TextPart("1"), ImagePart(URL, url=URL, detail="high"), FilePart(URL, url=URL)]


@pytest.mark.parametrize("condition", ["photo", "{{ photo }}", "photo and q", "not hidden", "photo.url is not defined"])
def test_a_part_whose_condition_holds_is_kept(condition: str) -> None:
    assert len(parts_of({"image": "{{ photo }}", "if": condition}, q=1, photo=URL)) == 1


@pytest.mark.parametrize("photo", [None, "", [], {}, 0, False])
def test_a_part_is_left_out_where_its_condition_is_empty(photo: Any) -> None:
    assert parts_of({"text": "x"}, {"image": "{{ photo }}", "if": "photo"}, photo=photo) == [TextPart("x")]


@pytest.mark.parametrize("condition", ["photo", "photo.front", "photo.front.url", "photo == 'x'"])
def test_a_part_is_left_out_where_a_case_lacks_what_the_condition_names(condition: str) -> None:
    assert parts_of({"text": "x"}, {"image": "{{ photo }}", "if": condition}) == [TextPart("x")]


def test_each_repeats_a_part_with_it_for_every_item_that_the_condition_takes() -> None:
    photos = [{"url": "https://x.example/1", "ok": True}, {"url": "https://x.example/2", "ok": False}]
    part = {"image": "{{ it.url }}", "each": "photos"}
    texts = {"text": "{{ it }}", "each": "[1, 2]"}

    assert [p.name for p in parts_of(part, photos=photos)] == ["https://x.example/1", "https://x.example/2"]
    assert [p.name for p in parts_of({**part, "if": "it.ok"}, photos=photos)] == ["https://x.example/1"]
    assert parts_of(texts) == [TextPart("1"), TextPart("2")]
    assert parts_of(texts, part, photos=None) == parts_of(texts, part) == [TextPart("1"), TextPart("2")]


@pytest.mark.parametrize(
    ("part", "at", "found", "expected"),
    [
        (
            {"image": "{{ none }}"},
            "image",
            "{{ none }} is null",
            "expected a value, or `if: none` to leave the part out",
        ),
        ({"image": "{{ empty }}"}, "image", "{{ empty }} is empty", "or `if: empty` to leave the part out"),
        ({"file": "{{ it }}", "each": "[none]"}, "file", "{{ it }} is null", "or `if: it` to leave"),
        ({"image": "{{ many }}"}, "image", "{{ many }} is a list", "`each:` repeats a part for the items of a list"),
        ({"image": "x", "each": "empty ~ 'x'"}, "each", "empty ~ 'x' is \"x\"", "expected a list, or nothing"),
        ({"image": "x", "if": "1 / 0"}, "if", "ZeroDivisionError: division by zero", "None"),
        ({"image": "a.png"}, "image", "the file a.png", "expected a URL or file id: there is no workspace"),
    ],
)
def test_a_part_that_cannot_be_made_says_where_and_how_to_mend_it(
    part: dict[str, Any], at: str, found: str, expected: str
) -> None:
    error = failure({"text": "x"}, part, empty="", many=[URL])
    assert (error.at, error.message) == (("input", 0, "content", 1, at), found)
    assert expected in str(error.expected)


def test_a_message_of_which_every_part_is_left_out_is_a_mistake() -> None:
    error = failure({"image": "{{ photo }}", "if": "photo"})
    assert (error.at, error.message) == (("input", 0, "content"), "a message of which every part is left out")


def test_an_image_in_a_case_may_be_longer_than_a_text() -> None:
    value = f"https://x.example/{'a' * 3_000_000}"
    assert parts_of({"image": "{{ photo }}"}, photo=value) == [ImagePart(value, url=value)]
    assert "longer than 2,000,000 characters" in failure({"text": "{{ photo }}"}, photo=value).message


def test_an_assistant_message_without_content_is_a_turn_that_the_model_writes() -> None:
    written = [
        {"role": "user", "content": "{{ q }}"},
        {"role": "assistant"},
        {"role": "user", "content": "Sure?"},
        {"role": "assistant", "content": None},
        {"role": "user", "content": "Really?"},
    ]
    conversation = render({"input": written}, Case("c", {"q": "Why?"}))
    assert conversation.messages[1] == conversation.messages[3] == GeneratedTurn()
    assert [[message.text for message in turn] for turn in conversation.turns] == [["Why?"], ["Sure?"], ["Really?"]]


def test_the_templates_of_parts_are_found_where_they_stand() -> None:
    content = [{"image": "i", "if": "a", "each": "b", "detail": "low"}, {"file": "f"}, {"text": "t", "if": "c"}]
    prompt = {"input": [{"role": "user", "content": content}, {"role": "assistant"}, {"role": "user", "content": "u"}]}
    place = ("input", 0, "content")
    assert prompt_templates(prompt) == {
        (*place, 0, "image"): "i",
        (*place, 0, "if"): "a",
        (*place, 0, "each"): "b",
        (*place, 1, "file"): "f",
        (*place, 2, "text"): "t",
        (*place, 2, "if"): "c",
        ("input", 2, "content"): "u",
    }


# ----------------------------------------------------------------------------------------------------------- in a suite

HEAD = """\
suite: s
cases:
  - {id: a, q: what, photo: photos/a.png, expected: 1}
  - {id: b, q: who, expected: 1}
graders: [{name: right, same: "{{ expected }}"}]
gate: {metrics: {right: {at_least: 0.5}}}
models: [m, n]
"""
FILES = {"photos/a.png": png(), "p.pdf": PDF}


def with_parts(*parts: str) -> str:
    return f"{HEAD}prompt:\n  input:\n    - role: user\n      content:\n" + "".join(f"        - {p}\n" for p in parts)


def test_the_local_images_of_a_suite_are_part_of_its_identity(load: Load, workspace: Workspace) -> None:
    text = with_parts('{text: "{{ q }}"}', '{image: "{{ photo }}", if: photo}', "{file: p.pdf}")
    suite = load(text, FILES)
    assert set(suite.media) == {"photos/a.png", "p.pdf"}
    assert suite.hash != load(text, {"photos/a.png": png(5, 5)}).hash

    with_image = render(suite.variants["m"].prompt, suite.cases[0], Media(workspace))
    assert [type(part) for part in with_image.turns[0][0].parts] == [TextPart, ImagePart, FilePart]


@pytest.mark.parametrize("prompt", [with_parts('{image: "{{ photo }}"}')[len(HEAD) :], 'prompt: {input: "{{ q }}"}\n'])
def test_images_that_cannot_be_sent_are_not_kept_with_the_mistakes(mistakes: Mistakes, prompt: str) -> None:
    messages = "[{role: user, content: [{image: photo.png}]}]"
    rows = "".join(f"  - {{id: c{n}, photo: photo.png, q: {messages}, expected: 1}}\n" for n in range(60))
    text = HEAD[: HEAD.index("  - {id: a")] + rows + HEAD[HEAD.index("graders:") :] + prompt
    no_image = b"no image" * 2**16

    gc.disable()  # what is kept in a circle would go away at some time or other
    tracemalloc.start()
    try:
        (told,) = mistakes(text, {"photo.png": no_image})
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
    assert "photo.png holds no image and no PDF" in told
    assert kept < 5 * len(no_image)


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (
            '{image: "{{ photo }}"}',
            "12:19: prompt.input[0].content[0].image: 'photo' is undefined in case \"b\" (1 of 2 cases); ",
        ),
        (
            '{image: "{{ photo }}", if: foto}',
            '12:38: prompt.input[0].content[0].if: no case has "foto"; did you mean "photo"?',
        ),
        (
            "{text: x, if: photo and}",
            "12:25: prompt.input[0].content[0].if: not an expression: unexpected 'end of print statement' (line",
        ),
        (
            "{text: x, each: a b}",
            "12:27: prompt.input[0].content[0].each: not an expression: ",
        ),
        (
            '{text: x, if: "{{ q }} {{ q }}"}',
            "12:25: prompt.input[0].content[0].if: not an expression: {{ q }} {{ q }} is not one expression",
        ),
        (
            '{image: "{{ photo }}", if: photo}',
            '12:9: prompt.input[0].content: a message of which every part is left out in case "b" (1 of 2 cases)',
        ),
        (
            "{image: photos/b.png}",
            '12:19: prompt.input[0].content[0].image: no file photos/b.png in case "a" (2 of 2 cases); did you mean',
        ),
        (
            "{image: p.pdf}",
            '12:19: prompt.input[0].content[0].image: p.pdf holds application/pdf in case "a" (2 of 2 cases); ',
        ),
        (
            "{image: x, text: y}",
            "12:11: prompt.input[0].content[0]: a mapping; expected exactly one of text, image, file",
        ),
        (
            "{if: photo}",
            "12:11: prompt.input[0].content[0]: a mapping; expected text, image or file",
        ),
        (
            "{text: y, detail: low}",
            "12:11: prompt.input[0].content[0]: a mapping; expected `detail` beside an image only",
        ),
        (
            "{image: x, detail: lo}",
            '12:30: prompt.input[0].content[0].detail: "lo"; did you mean "low"?',
        ),
        (
            "{audio: x}",
            "12:12: prompt.input[0].content[0].audio: audio and the Realtime API are out of scope: ",
        ),
    ],
)
def test_a_mistake_in_a_part_is_told_once_at_its_place(mistakes: Mistakes, part: str, expected: str) -> None:
    found = mistakes(with_parts(part), FILES)
    assert [line.startswith(f"evals/s.yaml:{expected}") for line in found] == [True]


def test_a_conversation_is_the_same_however_it_is_rendered(load: Load, workspace: Workspace) -> None:
    suite = load(with_parts('{text: "{{ q }}"}'), FILES)
    made = {render(variant.prompt, suite.cases[0], Media(workspace)) for variant in suite.variants.values()}
    assert made == {Conversation(None, (Message("user", (TextPart("what"),)),))}
