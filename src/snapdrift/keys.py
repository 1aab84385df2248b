"""Keys: which ones this process knows, and how they are taken out of every text that is kept or shown.

Known are the keys that requests are made with, and what the environment holds under names that speak of keys. That is
a fact about the process and not of one run, so it is kept here once and handed to nobody: a traceback, a log line and a
run file are kept clean by whoever writes them, whatever it was that failed.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, TextIO
from urllib.parse import quote

from snapdrift.errors import UsageError

IN_PLACE = "[key]"
"""What stands where a key was."""
SHORTEST = 12
"""Characters from which a key is taken out of answers. A shorter one may be a word that a model uses by itself."""
MAX_KEY = 16_384
"""Characters of a key; the longest in use (tokens of a cloud's directory) have some thousands."""

_LIKE_A_KEY = re.compile(r"\bsk-[A-Za-z0-9_*\-]+|(?<=Bearer )[^\s\"',}]+", re.IGNORECASE)
_NAMES = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL", re.IGNORECASE)
_ESCAPED = re.compile(r"\\u00([2-7][0-9a-fA-F])")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_known: tuple[str, ...] = ()
"""Every form in which a known key may stand in a text, the longest first."""


def know(key: str) -> None:
    """From now on `key` is taken out of texts. One that is shorter than `SHORTEST` is not."""
    global _known
    if len(key) >= SHORTEST and key not in _known:
        written = json.dumps(key)[1:-1]
        # What JSON and URLs do not spell otherwise is one form: each costs a search of every text.
        in_urls = (quote(key, safe=kept, errors="surrogatepass") for kept in ("/", ""))
        forms = {*_known, key, written, written.replace("/", "\\/"), *in_urls}
        _known = tuple(sorted(forms, key=lambda form: (-len(form), form)))


def know_those_of(env: Mapping[str, str]) -> None:
    """Knows what stands in an environment under a name that speaks of a key (`..._KEY`, `..._TOKEN`, `...SECRET...`).

    Values with white space in them are no keys, and values that begin with a slash are the paths of files with keys.
    """
    for name, value in env.items():
        if _NAMES.search(name) and not value.startswith("/") and not any(map(str.isspace, value)):
            know(value)


def without_keys(text: str) -> str:
    """`text` with `[key]` in the place of every known key; the same object where there is none."""
    for key in _known:
        if key in text:
            text = text.replace(key, IN_PLACE)
    return text


def body_without_keys(text: str) -> str:
    r"""The same for JSON that somebody else wrote, who may have written a key with escapes (`\u0073k-...`)."""
    text = without_keys(text)
    if not _known or "\\u00" not in text:
        return text
    plain = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    if without_keys(plain) == plain:
        return text
    try:
        return json.dumps(data_without_keys(json.loads(text)))
    except (ValueError, RecursionError):
        return without_keys(plain)


def data_without_keys(value: Any) -> Any:
    """The same for a value of JSON, its texts and the keys of its mappings."""
    if isinstance(value, str):
        return without_keys(value)
    if isinstance(value, dict):
        return {without_keys(name): data_without_keys(item) for name, item in value.items()}
    if isinstance(value, list):
        return [data_without_keys(item) for item in value]
    return value


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return `text` without anything that looks like a key (`sk-...`, `Bearer ...`), known keys and `secrets`.

    For messages: an answer may speak of things that look like keys.
    """
    for secret in secrets:
        if secret:
            text = text.replace(secret, IN_PLACE)
    return _LIKE_A_KEY.sub(IN_PLACE, without_keys(text))


def checked_key(text: str) -> str | None:
    """What keeps a text from being sent as a key, None where nothing does. The text is not repeated."""
    if not text:
        return "an empty key"
    if not text.isascii() or not text.isprintable() or " " in text:
        return "a key with spaces, line ends or other odd characters"
    return f"a key of more than {MAX_KEY:,} characters" if len(text) > MAX_KEY else None


def require_variable(name: str, option: str) -> None:
    """Raises `UsageError` for what cannot be the name of a variable: who types a key there must not see it again."""
    if not _VARIABLE.fullmatch(name):
        raise UsageError(f"{option}: expected the name of an environment variable, not a key")


def keep_out_of(stream: TextIO) -> None:
    """From now on `stream` writes no known key. Nothing changes for one that is not made of bytes (a test's)."""
    if not isinstance(stream, io.TextIOWrapper) or "write" in vars(stream):
        return
    write = stream.write
    stream.write = lambda text: write(without_keys(text))  # type: ignore[method-assign]
