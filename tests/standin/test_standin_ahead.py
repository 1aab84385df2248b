"""A server that is started before it is known what it will answer."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import openai
import pytest

from snapdrift.standin import ahead
from snapdrift.standin.config import StandinConfig
from snapdrift.standin.launch import StandinProcess


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_first_to_need_a_server_gets_the_one_that_was_started_ahead() -> None:
    with ahead.started_ahead(wanted=True):
        (waiting,) = ahead._AHEAD
        with StandinProcess(StandinConfig()) as first, StandinProcess(StandinConfig()) as second:
            assert first.pid == waiting.process.pid
            assert second.pid not in (None, first.pid)
            with openai.OpenAI(base_url=first.base_url, api_key="sk-test") as client:
                assert client.models.list().data


def test_a_server_that_nobody_took_is_ended_also_by_an_error() -> None:
    seen: list[ahead.Server] = []

    def fail() -> None:
        with ahead.started_ahead(wanted=True):
            seen.extend(ahead._AHEAD)
            raise RuntimeError("no suite")

    with pytest.raises(RuntimeError, match="no suite"):
        fail()
    assert [is_there(server.process.pid) for server in seen] == [False]
    assert ahead._AHEAD == []


def test_nothing_is_started_where_nothing_is_wanted() -> None:
    with ahead.started_ahead(wanted=False):
        assert ahead._AHEAD == []


def test_a_server_takes_no_module_of_the_folder_that_the_command_runs_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warm_standins: Callable[..., subprocess.Popen[str]]
) -> None:
    """The folder may be a fork's, and `--no-code` holds for the stand-in too."""
    for name in ("typing_extensions", "uvicorn", "snapdrift"):
        (tmp_path / f"{name}.py").write_text("from pathlib import Path\nPath(__file__).with_suffix('.ran').touch()\n")
    monkeypatch.chdir(tmp_path)
    with tempfile.TemporaryFile() as said:
        process = warm_standins(dict(os.environ), said)
        _, _ = process.communicate("no configuration", timeout=60)
        said.seek(0)
        assert process.returncode, said.read().decode()
    assert sorted(path.name for path in tmp_path.glob("*.ran")) == []
