"""Renders the view as one HTML page that opens from disk and asks nothing of anybody.

The templates are Jinja's, escaped automatically and sandboxed, because a workspace may override them. The page's policy
allows exactly the style and script that the template names, by their hashes: the `inline_…` filters collect them while
the page is rendered, and the policy is put in afterwards at a place that only this render knows.
"""

from __future__ import annotations

import base64
import hashlib
import math
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from snapdrift.errors import ConfigError
from snapdrift.model import Reason
from snapdrift.reports import figures, words
from snapdrift.reports.case_pages import INDEX, MEGABYTE, case_pages_of
from snapdrift.reports.case_views import CaseGroup
from snapdrift.reports.distributions import SHARES
from snapdrift.reports.embed import Embedded, Payload, embedded
from snapdrift.reports.escaping import encodable, visible
from snapdrift.reports.explanations import WORSE
from snapdrift.reports.forest import lay_out
from snapdrift.reports.kept_baseline import baseline_rows
from snapdrift.reports.operations import NOTE as OPERATIONAL_NOTE
from snapdrift.reports.operations import strips_of
from snapdrift.reports.pieces import Piece, Spool
from snapdrift.reports.scales import group_words
from snapdrift.reports.top import FIRST_NOTES, FIRST_REASONS, sections, top_of
from snapdrift.reports.view import View
from snapdrift.verdicts import causes
from snapdrift.verdicts.words import VERDICT_WORDS

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATE = "index.html.j2"
CASES_TEMPLATE = "cases_page.html.j2"
STYLES = ("base.css", "sections.css", "charts.css", "list.css", "case.css", "review.css", "media.css")
"""The parts of the page's style, in the order in which they are joined into one: the media queries come last."""

SCRIPTS = (
    *("data.js", "diff.js", "json_read.js", "json_diff.js", "state.js", "search.js", "sorting.js", "pages.js"),
    *("list.js", "rows.js"),
    *("sides.js", "compare.js", "json_view.js", "answers.js", "call_diff.js", "repeats.js", "judging.js", "facts.js"),
    *("detail.js", "digest.js", "review_store.js", "review.js", "review_files.js", "labelling.js"),
    *("filters.js", "sections.js", "page.js"),
)
"""The parts of the page's script, in the order in which they are joined into one."""

CHANGED_ROWS = 500
"""How many changed cases the printed (and script-less) page lists by id."""

LISTED_IDS = 20
"""How many differing cases a row of the parity and noise tables names; the rest is counted."""

LISTED_FEW = 8
"""How many slices, groups of failures, and ids of such a group an explanation shows."""


@dataclass(slots=True)
class _Inline:
    """Collects the inline styles and scripts of one render."""

    placeholder: str = field(default_factory=lambda: f"policy-{secrets.token_hex(16)}")
    styles: list[str] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)

    def style(self, text: str) -> Any:
        """`text` as a style element that the policy allows."""
        return self._element("style", text, self.styles)

    def script(self, text: str) -> Any:
        """`text` as a script element that the policy allows."""
        return self._element("script", text, self.scripts)

    @staticmethod
    def _element(name: str, text: str, hashes: list[str]) -> Any:
        from markupsafe import Markup

        content = str(text)
        if f"</{name}" in content.lower() or "<!--" in content:
            raise ConfigError(f"report template: an inline {name} contains `</{name}` or `<!--`; it must not")
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode("ascii")
        hashes.append(f"'sha256-{digest}'")
        return Markup(f"<{name}>{content}</{name}>")  # noqa: S704  our own source, checked above

    def policy(self, *, images: bool) -> str:
        """The Content-Security-Policy of the page: nothing but what was collected; no string becomes markup.

        With `images`, pictures that the page itself carries are allowed, and none from anywhere else. The one policy of
        trusted types makes the address of the worker that tries regular expressions, which is bound by all of this too.
        """
        styles, scripts = (" ".join(sources) or "'none'" for sources in (self.styles, self.scripts))
        return (
            f"default-src 'none'; script-src {scripts}; style-src {styles}; {'img-src data:; ' if images else ''}"
            "worker-src blob:; base-uri 'none'; form-action 'none'; "
            "require-trusted-types-for 'script'; trusted-types snapdrift-search"
        )


@dataclass(frozen=True, slots=True)
class Page:
    """A rendered page and the name of its file, in the folder of the report."""

    name: str
    content: Piece


def render_html(view: View, templates_dir: Path | None = None) -> str:
    """The page, with all cases in it, as one text.

    Templates in `templates_dir` come before the bundled ones, which they can extend by the name
    `snapdrift/index.html.j2`, block by block. Raises `ConfigError` for a template that cannot be rendered.
    """
    with Spool() as spool:
        (page,) = render_pages(view, embedded(view, spool), templates_dir)
        return page.content.text


def render_pages(
    view: View, cases: Embedded, templates_dir: Path | None = None, split_mb: float | None = None
) -> Iterator[Page]:
    """`index.html`, and where it would be larger than `split_mb` megabytes, the pages that its cases are on, before it.

    One page after the other, of which none holds the details of its cases. Raises `ConfigError` as `render_html` does,
    before the first page is given.
    """
    renderer = _Renderer(_context(view), templates_dir)
    payload = cases.payload(cases.chunks)
    limit = math.inf if split_mb is None else split_mb * MEGABYTE
    if payload.size <= limit:
        whole = renderer.report(TEMPLATE, payload)
        if whole.size <= limit:
            yield Page(INDEX, whole)
            return
    case_pages = case_pages_of(cases, limit)
    overview = renderer.report(TEMPLATE, case_pages.overview)
    for name, payload in case_pages.pages():
        yield Page(name, renderer.report(CASES_TEMPLATE, payload))
    yield Page(INDEX, overview)


def render_page(template: str, context: Mapping[str, Any], templates_dir: Path | None = None) -> str:
    """A template as a page with its policy, as `render_html` has one; raises `ConfigError` as it does."""
    return _Renderer(context, templates_dir).page(template)


class _Slots:
    """Stands for a payload while a template is rendered: each of its pieces is put in afterwards."""

    def __init__(self, payload: Payload) -> None:
        self._mark = f"slot-{secrets.token_hex(16)}"
        self._pieces: list[Piece] = []
        self.index = self._slot(payload.index)
        self.thumbnails = self._slot(payload.thumbnails)
        self.numbers = self._slot(payload.numbers)
        self.sheets = self._slot(payload.sheets)
        self.chunks = tuple(map(self._slot, payload.chunks))

    def _slot(self, piece: Piece) -> str:
        self._pieces.append(piece)
        return f"{self._mark}-{len(self._pieces) - 1};"

    def filled(self, page: str) -> Piece:
        """The page with the pieces in their slots."""
        text, *rest = page.split(f"{self._mark}-")
        parts = list(Piece.of(text).parts)
        for after in rest:
            number, _, text = after.partition(";")
            parts += [*self._pieces[int(number)].parts, text.encode("utf-8")]
        return Piece(tuple(parts))


class _Renderer:
    """Renders pages of one context by one set of templates."""

    def __init__(self, context: Mapping[str, Any], templates_dir: Path | None) -> None:
        self._inline = _Inline()
        self._environment = _environment(templates_dir, self._inline)
        self._context = context

    def report(self, template: str, payload: Payload) -> Piece:
        """A page with what it embeds."""
        slots = _Slots(payload)
        return slots.filled(self.page(template, images=payload.has_images, payload=slots))

    def page(self, template: str, *, images: bool = False, **more: Any) -> str:
        """The rendered template with its policy."""
        from jinja2 import TemplateError

        inline = self._inline
        inline.styles.clear()
        inline.scripts.clear()
        try:
            page = self._environment.get_template(template).render(self._context, policy=inline.placeholder, **more)
        except TemplateError as error:
            where = f"{getattr(error, 'filename', None) or getattr(error, 'name', None) or template}"
            line = getattr(error, "lineno", None)
            place = f"{where}:{line}" if line else where
            raise ConfigError(f"{place}: report template cannot be rendered: {error}") from error
        return encodable(page).replace(inline.placeholder, inline.policy(images=images), 1)


def _environment(templates_dir: Path | None, inline: _Inline) -> Environment:
    from jinja2 import ChoiceLoader, FileSystemLoader, PackageLoader, PrefixLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    from markupsafe import Markup

    from snapdrift.reports.compiled import CompiledTemplates

    bundled = PackageLoader("snapdrift.reports", "templates")
    own = [FileSystemLoader(templates_dir)] if templates_dir is not None and templates_dir.is_dir() else []
    environment = ImmutableSandboxedEnvironment(
        loader=ChoiceLoader([*own, PrefixLoader({"snapdrift": bundled}), bundled]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        bytecode_cache=CompiledTemplates(),
    )

    def source(name: str) -> Any:
        assert environment.loader is not None  # noqa: S101  set above
        return Markup(environment.loader.get_source(environment, name)[0])  # noqa: S704  a template's own source

    environment.filters |= {"inline_style": inline.style, "inline_script": inline.script, "named": named, **_filters()}
    environment.filters["breakable"] = breakable
    environment.filters["urlencode"] = lambda text: quote(encodable(str(text)), safe="")
    environment.globals |= {"source": source}
    return environment


def named(sentence: str) -> Any:
    """A sentence as markup: each name in backticks becomes an element, everything is escaped.

    An option (`--no-cache`) is kept on one line: half of it at a line's end reads as another one.
    """
    from markupsafe import Markup, escape

    parts = str(sentence).split("`")
    if len(parts) % 2 == 0:
        return _unbroken(escape(sentence))
    return Markup("").join(
        _unbroken(Markup('<b class="name">{}</b>').format(part) if place % 2 else escape(part))
        for place, part in enumerate(parts)
    )


def breakable(name: str) -> Any:
    """A name as markup that may go on in a new line after each `.` and `_`, so that no word of it is cut."""
    from markupsafe import Markup, escape

    return Markup(_SEAM.sub(r"\g<0><wbr>", str(escape(name))))  # noqa: S704  it is escaped already


_SEAM = re.compile(r"[._](?=\w)")
_OPTION = re.compile(r"(?<![\w-])--[a-z]{1,12}(?:-[a-z]{1,12}){0,2}\b")


def _unbroken(markup: Any) -> Any:
    """Escaped markup in which every option of a command is one piece; the pattern fits nothing that is markup."""
    from markupsafe import Markup

    return Markup(_OPTION.sub(r'<span class="option">\g<0></span>', str(markup)))  # noqa: S704  it is escaped already


def _filters() -> dict[str, Callable[..., Any]]:
    names = (
        "count percent usd seconds p_value signed ratio_change level level_interval difference difference_interval "
        "magnitude rate side"
    )
    own = {"cost": words.cost_text, "cached_share": words.cached_share, "visible": visible}
    return {name: getattr(figures, name) for name in names.split()} | own


def _endings(view: View) -> tuple[str, ...]:
    """Every way in which calls ended under some metric of the run, in the order in which they are told."""
    found = {ending for level in view.levels.values() for ending in level.endings}
    return tuple(ending for ending in words.ENDING_WORDS if ending in found)


def _context(view: View) -> dict[str, Any]:
    # Long as this is all that the templates see besides their filters.
    rows = [(row, mark) for row, mark in zip(view.comparisons, lay_out(view.comparisons).marks, strict=True)]
    baselines = tuple(dict.fromkeys(row.comparison.baseline for row in view.comparisons))
    changed = view.changed
    endings = _endings(view)
    return {
        "view": view,
        "top": top_of(view),
        "first_reasons": FIRST_REASONS,
        "first_notes": FIRST_NOTES,
        "sections": sections(view, endings=any(ending != Reason.PASSED.value for ending in endings)),
        "interval_name": words.interval_name(view),
        "disagreement": words.disagreement_sentence([row.comparison for row in view.comparisons]),
        "strips": strips_of(view),
        "percentiles": SHARES,
        "run": view.run,
        "baseline_rows": baseline_rows(view.baseline),
        "badge": words.badge(view.decision),
        "decision_kind": view.decision.word.value,
        "forest": lay_out(view.comparisons),
        "rows": rows,
        "baselines": baselines,
        "operational_note": OPERATIONAL_NOTE,
        "shapes": {verdict.value: shape for verdict, shape in words.VERDICT_SHAPES.items()},
        "groups": [(group, group_words(view.metrics)[group], words.GROUP_SHAPES[group]) for group in CaseGroup],
        "group_words": group_words(view.metrics),
        "endings": endings,
        "ending_words": words.ENDING_WORDS,
        "streamed": any(v.summary.first_token_p50 is not None for v in view.variants),
        "batch_sentence": words.batch_sentence(view),
        "cause_words": causes.CAUSE_WORDS,
        "kind_of": causes.kind_of,
        "format_word": causes.format_word,
        "verdict_words": VERDICT_WORDS,
        "cause_code": causes.cause_code,
        "worse": WORSE,
        "reasons": frozenset(reason.value for reason in Reason),
        "listed": LISTED_IDS,
        "listed_few": LISTED_FEW,
        "changed": changed[:CHANGED_ROWS],
        "changed_hidden": max(len(changed) - CHANGED_ROWS, 0),
        "styles": STYLES,
        "scripts": SCRIPTS,
    }
