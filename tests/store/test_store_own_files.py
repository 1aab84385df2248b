"""Files of a state folder that are written under a known name are never links, whoever named the folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from snapdrift.errors import StoreError
from snapdrift.model import DecisionWord
from snapdrift.store.cache import AnswerIndex
from snapdrift.store.ledger import Ledger
from snapdrift.store.lock import RunLock
from snapdrift.store.state_places import Folder
from snapdrift.store.verdict_log import LoggedVerdict, append_verdict
from snapdrift.store.watch_state import WatchFile, WatchState

VERDICT = LoggedVerdict("r1", 1, "s", "default", "2026-11-27T00:00:00Z", DecisionWord.PASSED, "i", "q")


def look_in(folder: Path) -> None:
    with Folder(folder).look(to_add=True):
        pass


WRITERS: list[tuple[str, Callable[[Path], object]]] = [
    ("verdicts.jsonl", lambda state: append_verdict(state / "runs", VERDICT)),
    ("r1.lock", lambda state: RunLock.take(state / "r1.db")),
    ("cache.db", lambda state: AnswerIndex.open(state / "cache.db")),
    ("ledger.db", Ledger),
    ("s.draft", lambda state: WatchFile(state / "s.json", "s", "default").write(WatchState("s", "default"))),
    (".lock", look_in),
]


@pytest.mark.parametrize(("name", "write"), WRITERS, ids=[name for name, _ in WRITERS])
def test_a_link_under_the_name_of_a_file_is_refused(tmp_path: Path, name: str, write: Callable[[Path], object]) -> None:
    for outside in ("bashrc", "not-there"):
        state = tmp_path / f"state-{outside}"
        state.mkdir()
        (tmp_path / "bashrc").write_text("mine\n")
        (state / name).symlink_to(tmp_path / outside)
        with pytest.raises(StoreError, match=rf"{name}: found a link; expected a file of its own: remove the link$"):
            write(state)
        assert (tmp_path / "bashrc").read_text() == "mine\n"
        assert not (tmp_path / "not-there").exists()
