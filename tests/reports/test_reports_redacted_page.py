"""The page of a run from which something was taken out, in a real Chromium."""

from __future__ import annotations

import pytest
from tests.reports.held import held
from tests.reports.planted import planted, word

from snapdrift.privacy import Privacy
from snapdrift.reports.redaction import redacted

pytestmark = pytest.mark.browser


def test_a_redacted_page_lists_its_cases_says_what_is_missing_and_searches_what_is_kept(make_run, open_page) -> None:
    data = redacted(planted(make_run(cases=12).build()), Privacy(("answer", "context"), ("question",)))
    case_id = held(data).cases[0].id
    opened = open_page(data, f"#case={case_id}&left=august&right=november")
    assert "redacted: answer, expected, context, tool_results" in opened.page.inner_text("body")
    said = opened.page.locator(".answer").all_inner_texts()
    assert all("redacted: answer" in text for text in said)
    assert "The answers differ." in opened.text(".answers")
    assert opened.page.locator(".answers mark").count() == 0
    assert "redacted: expected" in opened.text(".expected")
    assert word("question") in opened.text(".asked")
    # Two answers that are the same are said to be so, though neither is shown.
    opened.page.goto(opened.page.url.split("#")[0] + f"#case={case_id}&left=august&right=alias")
    opened.wait("document.querySelector('.answers').innerText.includes('The two answers are the same.')")
    # The search looks through what is kept, and does not take a placeholder for a text.
    search = opened.page.locator("#q")
    assert "The search cannot look into what is redacted." in opened.text(".filters")
    search.fill("redacted: answer")
    opened.wait("document.getElementById('rows').innerText.includes('No case passes')")
    search.fill(word("question"))
    opened.wait("!document.getElementById('rows').innerText.includes('No case passes')")
    assert opened.complaints == []
    assert all(url.startswith("file:") for url in opened.requests)
