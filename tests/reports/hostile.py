"""Texts that a model, a dataset or a suite could hold to harm who reads a report of them."""

from __future__ import annotations

MARKUP = (
    "<script>document.title='owned'</script>",
    "</script><script>document.title='owned'</script>",
    "</textarea></title></style></details><img src=x onerror=\"document.title='owned'\">",
    "<svg onload=\"document.title='owned'\"><script>document.title='owned'</script></svg>",
    "<svg><a xlink:href=\"javascript:document.title='owned'\"><text y=20>x</text></a></svg>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=document.title='owned'>",
    "<iframe srcdoc=\"<script>parent.document.title='owned'</script>\">",
    "<a href=\"javascript:document.title='owned'\">x</a> data:text/html,<script>document.title='owned'</script>",
    "<!-- <style>*{display:none}</style>",
    "]]><!-- --><![CDATA[ &lt;b&gt; &#x3c; &amp",
)
MARKDOWN = (
    "[click](javascript:document.title='owned') <javascript:alert(1)> [x]: https://evil.example",
    "`code` ``` | pipe | [link](javascript:alert(1)) ![i](http://evil.example/x) @someone #12 <img src=x>",
    "@org/team fixes #1 GH-1 org/repo#2 a5c3785ed8d6a35868bc169f07e40e889087fd2e www.evil.example me@evil.example",
    "# heading\n\n---\n\n1. list\n\n```\nfence\n```\n\n| a | b |\n| - | - |",
    "\\`\\*\\_ ~~struck~~ **bold** $math$ :tada: [ ] [x] </sub></details>",
)
CHARACTERS = (
    "line\u2028separator\u2029and \u202ereversed\u202c",
    "\u2066isolated\u2069 \ufeff\u200b\u200e\u061c zero width",
    "lone \ud800 surrogate \udfff",
    "\x1b[31mred\x1b[0m\x1b]8;;https://evil.example\x07link\x1b]8;;\x07\x00\x08\x7f\x9b",
    "tags \U000e0041\U000e007f and \ufffe \uffff",
    "a\nb\r\nc\rd\t<b>",
)
TEMPLATES = (
    "{{ 7 * 7 }} {% raw %} {% if x %} ${document.title='owned'} #{7*7} <%= 7 %> `",
    "%s %(x)s {0} {x!r} $HOME $(id) `id` ; rm -rf ~ && || > out",
    "[bold red]markup[/bold red] [link=https://evil.example]x[/link]",
)
FORMULAS = (
    '=HYPERLINK("https://evil.example","x")',
    "+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\t=1+1",
    "\r=1+1",
    "\uff1d1+1",
    '";=1+1;"',
)
HOSTILE = (*MARKUP, *MARKDOWN, *CHARACTERS, *TEMPLATES, *FORMULAS)
"""All of them, each once."""

NOBODYS_PROTOTYPE = ("__proto__", "constructor", "toString", "hasOwnProperty")
"""Names that objects of scripts have without anybody having given them."""


def long_text(megabytes: int = 5) -> str:
    """A text of so many megabytes that holds markup from its beginning to its end."""
    piece = "<b>word</b> "
    return piece * (megabytes * 1_000_000 // len(piece))
