"""The key `privacy`: what its names mean, and where it says that they mean nothing."""

from __future__ import annotations

import pytest

from snapdrift.model import Case, Endpoint, Variant
from snapdrift.privacy import Privacy, redaction_of
from snapdrift.suites.resolved import suite_from_stored

CASES = (
    Case("a", {"question": "Who?", "context": "Ada was here."}, "Ada"),
    Case("b", {"question": "When?", "context": "In May.", "notes": "call back"}, None),
)
NO_COLUMN = "which is no column of the dataset"
PLAIN = Variant("v", "gpt-4o", Endpoint.RESPONSES, {}, {"input": "{{ question }}"})


def with_privacy(good: str, line: str, column: str = "") -> str:
    return good.replace("ticket: hello,", f"ticket: hello, {column}") + f"privacy: {line}\n"


@pytest.mark.parametrize(
    ("line", "column", "told"),
    [
        ("{redact: [tiket]}", "", f'redact[0]: "tiket", {NO_COLUMN}; did you mean "ticket"?'),
        ("{redact: [anser]}", "", f'redact[0]: "anser", {NO_COLUMN}; did you mean "answer"?'),
        ("{keep: [zzz]}", "", f'keep[0]: "zzz", {NO_COLUMN}; expected one of expected, ticket'),
        ("{redact: [ticket], keep: [ticket]}", "", 'keep[0]: "ticket", which `redact` names too; expected it in one'),
        ("{redact: [answer]}", "answer: x,", 'redact[0]: "answer", which is a part of every report and a column of'),
        ("{redact: [id]}", "", 'redact[0]: "id", which every report shows; expected no personal data in it'),
        ("{keep: [tags]}", "", 'keep[0]: "tags", which every report shows; leave it out'),
        ("{keep: [answer]}", "", f'keep[0]: "answer", {NO_COLUMN}; leave it out: it is shown unless'),
        ("{comment: everything}", "", 'comment: "everything"; expected ids or text'),
        ("{hide: [ticket]}", "", "hide: unknown key; expected one of comment, keep, redact"),
    ],
)
def test_a_name_or_value_that_means_nothing_is_told_with_its_place(mistakes, good, line, column, told) -> None:
    text = with_privacy(good, line, column)
    (found,) = mistakes(text)
    place, _, sentence = found.partition(": ")
    assert sentence.startswith(f"privacy.{told}")
    assert place.startswith(f"evals/s.yaml:{len(text.splitlines())}:")


def test_a_part_that_a_column_is_named_like_is_told_how_to_mend(mistakes, good) -> None:
    (found,) = mistakes(with_privacy(good, "{redact: [prompt]}", "prompt: x,"))
    assert found.endswith("give the column another name, as `prompt_text`, and name that")


def test_a_column_named_like_a_part_may_be_left_out_of_keep(load, good) -> None:
    suite = load(with_privacy(good, "{keep: [ticket]}", "answer: x,"))
    assert suite.privacy.hides_column("answer")
    assert not suite.privacy.hides_part("answer")


def test_rules_are_stored_with_the_suite_and_are_no_part_of_its_hash(load, good, registry) -> None:
    plain = load(good)
    suite = load(with_privacy(good, "{redact: [answer], keep: [ticket], comment: text}"))
    again = suite_from_stored(suite.to_stored(), suite.cases, registry)
    assert again.privacy == suite.privacy == Privacy(("answer",), ("ticket",), "text")
    assert suite.hash == plain.hash
    older = {key: value for key, value in plain.to_stored().items() if key != "privacy"}
    assert suite_from_stored(older, plain.cases, registry).privacy == Privacy()


def test_keep_hides_every_other_column_also_one_that_only_some_cases_have() -> None:
    found = redaction_of(Privacy(keep=("question",)), CASES, [PLAIN])
    assert found.names == ("expected", "context", "notes")
    assert found.prompt


def test_a_redacted_column_takes_the_prompt_with_it_and_a_redacted_answer_does_not() -> None:
    assert redaction_of(Privacy(("context",)), CASES, [PLAIN]).prompt
    assert not redaction_of(Privacy(("answer",)), CASES, [PLAIN]).prompt


def test_what_is_expected_takes_the_prompt_with_it_where_the_prompt_speaks_of_it() -> None:
    quoting = Variant("v", "gpt-4o", Endpoint.RESPONSES, {}, {"input": "{{ question }} As {{ expected }}?"})
    assert not redaction_of(Privacy(("expected",)), CASES, [PLAIN]).prompt
    assert redaction_of(Privacy(("expected",)), CASES, [PLAIN, quoting]).prompt


def test_rules_that_name_nothing_that_is_there_take_nothing_out() -> None:
    assert not redaction_of(Privacy(keep=("question", "context", "notes", "expected")), CASES, [PLAIN])
    assert not redaction_of(Privacy(("expected",)), CASES[1:], [PLAIN])
