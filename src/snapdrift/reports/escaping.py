r"""Text that came from a model or a dataset, made harmless for text formats.

HTML needs none of this: Jinja escapes there, and the page's script only ever sets `textContent`. In Markdown, XML and
on a terminal, characters that act instead of being read (controls, bidirectional overrides, lone surrogates) are
spelled out as `\u202e`.
"""

from __future__ import annotations

import re
from urllib.parse import quote

_ACTING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f]"
)
_MARKDOWN = re.compile(r"([\\`*_\[\]<>#|~&@$])")
_LINE_START = re.compile(r"^([-+=:]|\d+(?=[.)]))")
_LINKED = re.compile(
    r"(?i)\b(?:(?:https?|ftp|www)(?=[:.])|GH(?=-\d)|[0-9a-f]{7,40}\b)|:(?=[a-z0-9+-][a-z0-9_+-]*:)|(?<=\\\#)(?=\d)"
)
_JOINER = "\u2060"
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def visible(text: str) -> str:
    """`text` with every character that acts rather than shows spelled out; tab and newline stay."""
    return _ACTING.sub(lambda match: _spell(ord(match.group())), text)


def _spell(code: int) -> str:
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def line(text: str) -> str:
    """`visible` on one line: runs of white space become one space."""
    return " ".join(visible(text).split())


def shortened(text: str, limit: int) -> str:
    """`text`, or its start and an ellipsis: never longer than `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def markdown(text: str) -> str:
    """Text that Markdown (GitHub's too: mentions, issue links, tables, HTML) shows as it is, on one line."""
    escaped = _MARKDOWN.sub(r"\\\1", line(text))
    escaped = _LINE_START.sub(lambda m: m.group() + "\u2060" if m.group().isdigit() else "\\" + m.group(), escaped)
    # GitHub mentions people and links issues, commits and addresses even after a backslash, and draws `:names:`; a
    # word joiner inside breaks the pattern.
    escaped = escaped.replace("\\@", "@" + _JOINER)
    return _LINKED.sub(lambda found: _disjoined(found.group()), escaped)


def _disjoined(text: str) -> str:
    """`text` with word joiners in it: after the first character, and so often that no part could name a commit."""
    return text[:1] + _JOINER + _JOINER.join(text[place : place + 6] for place in range(1, len(text), 6))


def markdown_code(text: str) -> str:
    """Text as inline code, for anywhere but a table: fenced by more backticks than it holds."""
    shown = line(text) or " "
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def markdown_link(words: str, url: str) -> str:
    """A link whose address cannot end it early: what Markdown or HTML would read is percent-encoded. Own words only."""
    address = quote(encodable(url), safe="!#$%'()*+,/:;=?@~-._[]&").replace("&", "&amp;")
    return f"[{words}](<{address}>)"


def encodable(text: str) -> str:
    """`text` with lone surrogates replaced, so that it can be written as UTF-8."""
    return _LONE_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)
