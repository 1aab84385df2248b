"""What templates that are meant to do harm come to: every one of them ends soon, small, and with words."""

from __future__ import annotations

import tracemalloc

import pytest

from snapdrift.suites.templates import Template, TemplateError

MANY = "{% set a = range(100000)|list %}"


def failure(source: str, **context: object) -> str:
    with pytest.raises(TemplateError) as caught:
        Template(source).render(context)
    return str(caught.value)


@pytest.mark.parametrize(
    "source",
    [
        MANY + "{{ range(100000, 200000)|list|select('in', a)|list|length }}",
        MANY + "{{ a|map('string')|list|select('in', a)|list|length }}",
        MANY + "{{ a|reject('in', a)|list|length }}",
    ],
)
def test_tests_that_filters_make_look_at_the_clock(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snapdrift.suites.template_bounds.MAX_SECONDS", 0.3)
    assert "the template takes more than 0.3 seconds" in failure(source)


def test_code_is_made_of_a_template_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snapdrift.suites.template_bounds.MAX_SECONDS", 0.2)
    source = "".join(f"{{% if 1 %}}{{% set a{n} = 1 %}}{{% endif %}}" for n in range(1500))
    assert "the template takes more than 0.2 seconds" in failure(source)


@pytest.mark.parametrize(
    "expression",
    [
        "long|sort|length",
        "long|unique|list|length",
        "long|select('eq', 'z')|list|length",
        "long|groupby(0)|list|length",
        "long|list|length",
        "long|max",
        "long.split('a')|length",
        "long.rsplit('a', 4000000)|length",
        "spaced.split()|length",
        "spaced.split(maxsplit=4000000)|length",
        "lines.splitlines()|length",
        "spaced|title|length",
        "spaced|wordcount",
        "[spaced]|wordcount",
        "accents|urlencode|length",
        "spaced|striptags|length",
        "long.strip(chars)|length",
        "long.rstrip(chars)|length",
        "long|trim(chars)|length",
    ],
)
def test_a_long_text_is_not_taken_apart(expression: str) -> None:
    texts = {
        "long": "a" * 3_000_000,
        "spaced": "word " * 600_000,
        "lines": "\n" * 3_000_000,
        "accents": "é" * 3_000_000,
        "chars": "b" * 2_000 + "a",
    }
    tracemalloc.start()
    try:
        assert failure("{{ " + expression + " }}", **texts)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 * 2**20


def test_texts_are_split_and_trimmed_as_they_were() -> None:
    source = (
        "{{ [photo.split(',', 1)[0], words.split(), words.split(' ', 1), words.rsplit(None, 1), words.rsplit(sep='b'), "
        "words.split(maxsplit=-1), two.splitlines(), two.splitlines(true), '--x-'.strip('-'), '--x-'|trim('-'), "
        "' x '.lstrip(), ' x '.rstrip(none), ' x '|trim, 'ab cd'|title, 'ab cd'|wordcount, 'ba'|sort] }}"
    )
    context = {"photo": "data:image/png;base64," + "A" * 3_000_000, "words": " a b  c ", "two": "x\r\ny\x0bz"}
    assert Template(source).render(context) == [
        "data:image/png;base64",
        ["a", "b", "c"],
        ["", "a b  c "],
        [" a b", "c"],
        [" a ", "  c "],
        ["a", "b", "c"],
        ["x", "y", "z"],
        ["x\r\n", "y\x0b", "z"],
        "x",
        "x",
        "x ",
        " x",
        "x",
        "Ab Cd",
        2,
        ["a", "b"],
    ]


def test_a_text_of_as_many_lines_and_words_as_a_list_may_have_is_split() -> None:
    context = {"lines": "x\r\n" * 100_000, "words": "x " * 100_000}
    assert Template("{{ lines.splitlines()|length + words.split()|length }}").render(context) == 200_000


@pytest.mark.parametrize(
    "source",
    ["{{ " + "9" * 5_000 + " }}", "{{ 1 + 0x" + "f" * 5_000 + " }}", "{{ 1e99999 }}", "x {{ 1_" + "0" * 5_000 + " }}"],
)
def test_a_number_without_measure_is_refused_with_words(source: str) -> None:
    assert "a number in the template is too large" in failure(source)


def test_what_a_filter_cannot_be_given_is_said() -> None:
    assert "expected length >= 10, got 5" in failure("{{ long|truncate(5, end=long) }}", long="a" * 10)
