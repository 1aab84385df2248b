"""What the fuzz targets share: how much is tried, how inputs are bent, and what reading one must never do.

A target's property is always the same: a value or an error of ours, nothing written, nothing started, nobody asked.
`nox -s fuzz -- --minutes 20` tries random inputs for as long; elsewhere the same few are tried every time.
"""

from __future__ import annotations

import copy
import json
import os
import resource
import signal
import sys
import time
import traceback
import tracemalloc
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("SNAPDRIFT_FUZZ_EXAMPLES", "0"))
"""How many inputs each target tries; 0: the few of an ordinary test run."""


def tries(few: int) -> settings:
    """The settings of a target that tries `few` inputs in an ordinary run."""
    return settings(
        max_examples=EXAMPLES or few,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.generate, *([] if EXAMPLES else [Phase.shrink])],
        suppress_health_check=list(HealthCheck),
    )


WORDS = (
    *("\x00", "\x1b[2J", "\ud800", "\u202e", "\ufeff", "\r\n", "\t", "😀", "é"),
    *("'", '"', "`", "\\", "\\u0000", "\\ud800"),
    *("{{ x }}", "{% for i in range(99999) %}", "{{ [1]*9 }}", "{{ ''.__class__ }}"),
    *("&a [*a, *a]", "<<: *a", "!!python/name:os", "[" * 200, '{"a":' * 200),
    *(
        "../../etc/passwd",
        "/etc/passwd",
        ".env",
        ".GIT/config",
        "~root",
        "file:///etc/passwd",
        "http://169.254.169.254/",
    ),
    *("1e999", "-1", "0", "9" * 400, "NaN", "Infinity", "true", "null", "[]", "{}", "=cmd|'x'!A1"),
    *("(a+)+$", "(?:", "\\1", "(?P<n>", "[[:alpha:]", "$.a[0]", "$..a", "a[9999999999999]", "```json\n{}\n```"),
)
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**63, 10**30, 0.5, -0.0, 1e308, "", " ", [], {}, [[]], {"": ""}, [None] * 3),
    *(*WORDS, "x" * 5_000, {"a": {"b": [1, {"c": None}]}}),
)


@st.composite
def bent_text(draw: st.DrawFn, seeds: Sequence[str]) -> str:
    """One of the texts with pieces cut out, doubled, moved in from another and put in from `WORDS`."""
    text = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, 6))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 200)))
        piece = draw(
            st.one_of(st.just(""), st.just(text[start:end] * 2), st.sampled_from(WORDS), st.sampled_from(seeds))
        )
        text = text[:start] + piece[:2_000] + text[end:]
    return text[:20_000]


@st.composite
def bent_value(draw: st.DrawFn, seeds: Sequence[Any]) -> Any:
    """One of the values of JSON with parts of it replaced, removed or swapped."""
    value = json.loads(json.dumps(draw(st.sampled_from(seeds))))
    for _ in range(draw(st.integers(1, 4))):
        places = list(_places(value))
        if not places:
            return copy.deepcopy(draw(st.sampled_from(VALUES)))
        holder, key = places[draw(st.integers(0, len(places) - 1))]
        match draw(st.sampled_from(("replace", "replace", "remove", "wrap", "copy"))):
            case "replace":
                holder[key] = copy.deepcopy(draw(st.sampled_from(VALUES)))
            case "remove":
                del holder[key]
            case "wrap":
                holder[key] = draw(st.sampled_from(([holder[key]], {"x": holder[key]})))
            case _:
                other, name = places[draw(st.integers(0, len(places) - 1))]
                holder[key] = copy.deepcopy(other[name])
    return value


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(items):
        yield value, key
        yield from _places(item)


# ------------------------------------------------------------------------------------------- what reading must never do


class _Watch:
    """The audit hook of this process; `on` while something is read that may be hostile. `may_write` are folders."""

    def __init__(self) -> None:
        self.on = False
        self.may_write: tuple[str, ...] = ()
        self.done: list[str] = []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event == "open":
            path, mode, flags = (*arguments, None, None)[:3]
            writes = any(letter in (mode or "") for letter in "wax+") or (flags or 0) & (os.O_WRONLY | os.O_RDWR)
            if writes and not self._allowed(path):
                self.done.append(f"opened {path} to write")
        elif event in ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.symlink", "os.link", "os.chmod"):
            if not self._allowed(arguments[0]):
                self.done.append(f"{event} {arguments[0]}")
        elif event.startswith(("subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.connect")):
            self.done.append(f"{event} {arguments[:2]}")
        elif event == "import" and arguments[0] in ("antigravity", "own"):
            self.done.append(f"imported {arguments[0]}")

    def _allowed(self, path: Any) -> bool:
        shown = str(path)
        inside = bool(self.may_write) and (shown.startswith(self.may_write) or isinstance(path, int))
        return inside or shown == os.devnull


_WATCH = _Watch()
sys.addaudithook(_WATCH)


@contextmanager
def harmless(*may_write: Path) -> Iterator[None]:
    """Fails where anything inside writes (but below these folders), starts a process or opens a connection."""
    # What is imported in here is not to be kept compiled: that would be written, to a file that has a number only.
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    _WATCH.on, _WATCH.may_write, _WATCH.done = True, tuple(map(str, may_write)), []
    try:
        yield
    finally:
        _WATCH.on, sys.dont_write_bytecode = False, before
    assert _WATCH.done == [], _WATCH.done


# ------------------------------------------------------------------------------------- what reading may take at most

MOST_SECONDS = 60
"""Of processor time, in which whatever is tried has an end: many times what its own clock lets it take."""
MOST_BYTES = 256 * 2**20
"""Of memory that Python takes for it."""
_MOST_ADDRESSES = 4 * 2**30


def bounded_work(work: Callable[[], None]) -> None:
    """Does the work in a fork; fails where it fails, takes more than `MOST_SECONDS` or more than `MOST_BYTES`.

    A fork, because what compares or sorts in C can be stopped by nothing but the end of its process.
    """
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # there are threads of pytest's; the fork needs none of them
        child = os.fork()
    if child == 0:
        os.close(reader)
        _work_in_bounds(work, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as told:
        words = told.read().decode(errors="replace")
    _, status = os.waitpid(child, 0)
    ended_by = f"ended by {signal.Signals(os.WTERMSIG(status)).name}" if os.WIFSIGNALED(status) else ""
    assert status == 0, words or ended_by


def _work_in_bounds(work: Callable[[], None], writer: int) -> None:
    """In the fork: writes what went wrong, and ends the process."""
    words = ""
    try:
        spent = int(time.process_time()) + MOST_SECONDS
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (spent, spent))
        if sys.platform == "linux":
            taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + _MOST_ADDRESSES
            resource.setrlimit(resource.RLIMIT_AS, (taken, taken))
        tracemalloc.start()
        work()
        peak = tracemalloc.get_traced_memory()[1]
        words = f"took {peak // 2**20} MB" if peak > MOST_BYTES else ""
    except BaseException:  # nothing of the fork may go on as the tests
        words = traceback.format_exc()
    finally:
        os.write(writer, words.encode(errors="replace")[-60_000:])
        os._exit(1 if words else 0)
