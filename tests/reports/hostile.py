"""Texts that would do something if they were not shown as text: one table for every rendering, and for the page."""

from __future__ import annotations

HOSTILE = [
    "<script>document.title='owned'</script>",
    "</script><script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "<svg onload=\"document.title='owned'\"><script>document.title='owned'</script></svg>",
    "[click](javascript:document.title='owned')",
    "line\u2028separator\u2029and \u202ereversed\u202c",
    "lone \ud800 surrogate",
    "{{ 7 * 7 }} {% if x %} ${document.title='owned'} `",
    "]]> \x00\x07\x1b[31m",
    "<!-- <style>*{display:none}</style>",
    "![i](https://evil.example/x.png) [a]: https://evil.example <https://evil.example>",
    "https://evil.example/a?b=c www.evil.example ftp://evil.example mailto:a@evil.example",
    "@team @org/team #1 GH-12 org/repo#34 1f3c1f3c1f3c1f3c1f3c1f3c1f3c1f3c1f3c1f3c",
    "``` ~~~ | pipe | --- | `code` ``double``",
    "</details></sub><h1>big</h1><a href='javascript:alert(1)'>x</a>",
    "# heading > quote - list 1. item + plus = setext",
    "&lt;b&gt; &copy; &#x202e; $x^2$ $$y$$ :tada:",
    "<svg><a xlink:href='javascript:alert(1)'><text>x</text></a></svg>",
    "\u2066isolate\u2069 \u061c \u200b \ufeff \U000e0041",
    "\x1b]8;;https://evil.example\x07link\x1b]8;;\x07 \x9b31m \x08\x7f",
    "=cmd|' /C calc'!A0",
    "+1+1 -1 @SUM(A1) \t=1",
    "[bold red]markup[/bold red] [link=https://evil.example]x[/link]",
    "a\nb\r\nc\td\\",
    "<![CDATA[ x ]]> <?xml version='1.0'?> <!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]> &e; \ufffe",
]
"""Markup, addresses, template syntax, GitHub's own syntax, spreadsheet formulas, and characters that act."""

HUGE = "<b>5 MB</b> @team \u202e" * 260_000
"""More than five million characters of it."""
