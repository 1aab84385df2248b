"""One suite with text, pictures, structured output and tools, over both endpoints and by batch: the same scores."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import REPOSITORY, Snapdrift

from snapdrift.model import Score, Source
from snapdrift.store import StoredRun, open_run

VARIANTS = ("responses", "chat", "batch")
SENTENCE = "Identical scores on responses, chat and responses batch for all 60 cases."


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, snapdrift: Snapdrift) -> Path:
    """A copy of this repository's workspace after a run of the bundled suite."""
    root = tmp_path_factory.mktemp("parity")
    for folder in ("evals", "datasets", "graders"):
        shutil.copytree(REPOSITORY / folder, root / folder)
    shutil.copy(REPOSITORY / "snapdrift.toml", root)
    done = snapdrift("run", "evals/parcel-desk.yaml", "--standin", "--out", "out", cwd=root)
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture(scope="module")
def verdict(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / "out" / "verdict.json").read_text())
    return found


@pytest.fixture(scope="module")
def stored(root: Path) -> Iterator[StoredRun]:
    (path,) = (root / ".snapdrift" / "runs").glob("*.db")
    with open_run(path) as run:
        yield run


def without_variant(score: Score) -> tuple[Any, ...]:
    return (score.case_id, score.repeat, score.metric, score.value, score.passed, score.reason, str(score.extracted))


def test_the_suite_has_text_pictures_structured_output_and_tools(stored: StoredRun) -> None:
    cases = stored.cases()
    kinds = Counter("photo" if case.variables.get("photo") else case.tags[0] for case in cases)
    assert kinds == {"tool": 20, "reply": 20, "photo": 20}
    bodies = [stored.request(key) for key in stored.calls() if key.case_id == "photo-01"]
    assert all("data:image/png;base64," in json.dumps(request.body) for request in bodies if request)
    assert all({"tools"} <= request.body.keys() for request in bodies if request)


def test_every_score_is_the_same_whichever_way_the_case_is_asked(stored: StoredRun) -> None:
    by_variant = {name: [without_variant(s) for s in stored.scores() if s.variant == name] for name in VARIANTS}
    responses, chat, batch = (Counter(by_variant[name]) for name in VARIANTS)
    assert responses
    assert responses == chat == batch


def test_the_scores_are_not_the_same_because_everything_passes(stored: StoredRun) -> None:
    passed = Counter((score.metric, score.passed) for score in stored.scores() if score.variant == "responses")
    assert passed["tools", False] > 0
    assert passed["order", False] > 0


def test_the_same_tools_are_called(stored: StoredRun) -> None:
    called = {
        name: sorted(
            (r.call.case_id, call.name, call.arguments)
            for r in stored.responses()
            if r.call.variant == name
            for call in r.tool_calls
        )
        for name in VARIANTS
    }
    assert called["responses"]
    assert called["responses"] == called["chat"] == called["batch"]


def test_the_parity_table_says_so(verdict: dict[str, Any], root: Path) -> None:
    assert [group["sentence"] for group in verdict["parity"]] == [SENTENCE]
    assert SENTENCE in (root / "out" / "index.html").read_text()


def test_answers_by_batch_cost_half_of_the_same_answers_asked_live(verdict: dict[str, Any]) -> None:
    usd = {variant["name"]: variant["usd"] for variant in verdict["variants"]}
    assert usd["batch"] == pytest.approx(usd["responses"] / 2)


def test_every_answer_says_that_it_is_simulated(stored: StoredRun) -> None:
    assert {response.source for response in stored.responses()} == {Source.SIMULATED}
