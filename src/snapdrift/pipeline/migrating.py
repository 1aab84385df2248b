"""`migrate`: from a suite to the one that judges the model that is to replace one of its variants."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snapdrift.errors import SnapdriftError, StoreError, UsageError
from snapdrift.model import Endpoint, Gate, Variant
from snapdrift.pipeline.migration_gate import migrated_gate
from snapdrift.pipeline.migration_settings import Change, migrated_request
from snapdrift.pipeline.options import RunOptions
from snapdrift.pipeline.prepare import Prepared, check_suites, prepare
from snapdrift.pipeline.suite_graders import judges_of
from snapdrift.suites.migration_text import Line, blocks_of, dumped, entry_text, written_out
from snapdrift.suites.wording import nearest

if TYPE_CHECKING:
    from snapdrift.suites.document import Document
    from snapdrift.suites.resolved import Suite
    from snapdrift.suites.suite import SuiteFile, VariantEntry

_SOON_DAYS = 366
_DROPPED = ("suite", "description", "variants", "models", "matrix", "prompts", "gate", "gates", "sample", "early_stop")
"""Keys that are written anew, or that a decision taken once on all cases has no use for."""
_SCHEMA = re.compile(r"yaml-language-server: \$schema=(\S+)")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Migration:
    """The suite that was written: whom it compares, what is other than before and why, and what else to know.

    `unknown` says of a new model that is not in the catalogue so, and which name may be meant; empty of one that is.
    """

    path: Path
    baseline: str
    candidate: str
    changes: tuple[Change, ...]
    notes: tuple[str, ...]
    unknown: str = ""


def migrate_suite(
    path: Path, to: str, options: RunOptions, *, of: str | None = None, out: Path | None = None
) -> Migration:
    """Writes the suite that judges the model `to` as a replacement of the variant `of` (the baseline of the gate).

    The result is checked as `snapdrift check` does. Raises `UsageError` where nothing can be migrated, where the file
    is there already, and, the file being written, where it is not right as it is.
    """
    from snapdrift.suites.document import parse_document
    from snapdrift.suites.suite import SuiteFile

    prepared = prepare(path, options)
    # As it is written: on the day its model is gone, the gate that is run compares with the fallback.
    suite = prepared.loaded or prepared.suite
    document = parse_document(suite.source, suite.path)
    entry = SuiteFile.model_validate(document.value)
    baseline = _baseline(suite, suite.gates[prepared.gate.name], of)
    if baseline.model == to:
        raise UsageError(f"{suite.path}: --to {to}: found the model of `{baseline.name}`; expected another")
    target = out or path.with_name(f"{path.stem}-{_UNSAFE.sub('-', to)}.yaml")
    if target.exists():
        raise UsageError(f"{target} is there already; expected a new file: name one with -o FILE")
    made = _Made(document, entry, baseline, to, target, prepared)
    text, changes = made.text(suite.gates[prepared.gate.name])
    _write(target, text)
    try:
        check_suites([target], replace(options, gate=None))  # it has one gate, whatever that of the suite is called
    except SnapdriftError as error:
        raise UsageError(f"{error}\n{target} is written, and has to be mended there before it can be run") from None
    return Migration(target, baseline.name, made.candidate, changes, made.notes(), made.unknown())


def _baseline(suite: Suite, gate: Gate, of: str | None) -> Variant:
    names = [of] if of is not None else list(dict.fromkeys(pair.baseline for pair in gate.pairs))
    asked = [name for name, variant in suite.variants.items() if variant.endpoint.over_http]
    if len(names) == 1 and names[0] in asked:
        return suite.variants[names[0]]
    found = f"no variant {of}" if of is not None else f"{len(names)} baselines under the gate {gate.name}"
    if len(names) == 1 and names[0] in suite.variants:
        found = f"`{names[0]}`, which asks no model"
    elif len(names) == 1 and of is None:
        found = f"a baseline that is no variant of the suite (`{names[0]}`)"
    raise UsageError(
        f"{suite.path}: --from: found {found}; expected one of {', '.join(asked) or 'none: no model is asked'}"
    )


def _is_yaml(text: str) -> bool:
    from snapdrift.errors import DocumentError
    from snapdrift.suites.document import parse_document

    try:
        parse_document(text, "")
    except DocumentError:
        return False
    return True


def _write(target: Path, text: str) -> None:
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise StoreError(f"{target}: cannot be written ({error.strerror})") from None


class _Made:
    """The parts of the new suite."""

    def __init__(
        self,
        document: Document,
        entry: SuiteFile,
        baseline: Variant,
        to: str,
        target: Path,
        prepared: Prepared,
    ) -> None:
        self._workspace_root, self._gate_of = prepared.workspace.root, prepared.gate
        self._suite = prepared.loaded or prepared.suite
        self._catalog, self._document, self._entry = prepared.catalog, document, entry
        self._baseline, self._to, self._target = baseline, to, target
        self.candidate = to if to != baseline.name else f"{to}-new"

    def text(self, gate: Gate) -> tuple[str, tuple[Change, ...]]:
        """The file, and what is other in it than in the suite that it is made of."""
        endpoint, settings = migrated_request(self._catalog, self._baseline, self._to)
        gated = migrated_gate(self._suite, gate, (self._baseline.name, self.candidate), self._freezing())
        variants = "variants:\n" + self._old() + self._new(endpoint, settings)
        changes = (*settings, *gated.changes)
        blocks = blocks_of(self._document, self._suite.source)
        text = "" if blocks is None else self._assembled(blocks, variants, gated.text)
        if blocks is None or not _is_yaml(text):  # a block that is left out has an anchor that others name
            written = {key: dumped({key: value}) for key, value in self._document.value.items()}
            text = self._assembled(written, variants, gated.text)
        return text, changes

    def _assembled(self, blocks: Mapping[str, str], variants: str, gates: str) -> str:
        """The file of blocks that are kept and those that are new, in the order in which suites are read."""
        name = f"{self._suite.name}-{_UNSAFE.sub('-', self._to)}"[:100]
        about = (
            f"Judges {self._to} as the replacement of {self._baseline.name} ({self._baseline.model}), by the cases and "
            f"graders of {self._suite.name}."
        )
        kept = [text for key, text in blocks.items() if key and key not in (*_DROPPED, "graders", "budget")]
        parts = [
            self._schema_from_there(blocks.get("", "")),
            written_out([Line("suite", name), Line("description", about)], 0),
            "".join(kept),
            self._prompts(),
            variants,
            blocks.get("graders", ""),
            gates,
            blocks.get("budget", ""),
        ]
        return "\n".join(part for part in parts if part)

    def _schema_from_there(self, head: str) -> str:
        """The comment that names the schema, which editors look for from the file's own folder."""
        found = _SCHEMA.search(head)
        if found is None or "://" in found[1] or found[1].startswith("/"):
            return head
        before = self._workspace_root / Path(self._suite.path).parent / found[1]
        there = os.path.relpath(before, self._target.resolve().parent)
        return head[: found.start(1)] + Path(there).as_posix() + head[found.end(1) :]

    def _old(self) -> str:
        """The baseline as it is written, or written out where a short form made it."""
        name = self._baseline.name
        kept = entry_text(self._document, self._suite.source, ("variants", name))
        return kept or written_out([Line(name, _lines(self._own(), ()))], 2)

    def _own(self) -> dict[str, Any]:
        """What the baseline says for itself, as under `variants`."""
        found = _written(self._entry, self._baseline.name)
        return {key: value for key, value in found.items() if value is not None}

    def _new(self, endpoint: Endpoint, changes: Sequence[Change]) -> str:
        own = copy.deepcopy(self._own()) | {"model": self._to}
        own.pop("endpoint", None)
        if endpoint is not Endpoint.RESPONSES:
            own["endpoint"] = endpoint.value
        info = self._catalog.get(self._to)
        if own.get("batch") and info is not None and info.can("batch", endpoint) is False:
            own.pop("batch")
        if any(change.setting for change in changes):
            own["request"] = dict(own.get("request") or {})
        for change in changes:
            if change.setting:
                own["request"][change.setting] = change.after
        order = ("model", "endpoint", "host", "prompt", "request")
        own = {key: own[key] for key in (*order, *(key for key in own if key not in order)) if key in own}
        return written_out([Line(self.candidate, _lines(own, changes))], 2)

    def _prompts(self) -> str:
        """Those of `prompts` that the baseline is asked with: one that nothing uses would be a mistake."""
        prompts = self._document.value.get("prompts") or {}
        named = [self._own().get("prompt"), self._document.value.get("prompt")]
        used = {name: prompts[name] for name in named if isinstance(name, str) and name in prompts}
        return dumped({"prompts": used}) if used else ""

    def _freezing(self) -> str:
        going = self._catalog.retires_within(self._baseline.model, _SOON_DAYS)
        return "" if going is None else "when it is gone: fallback: {archive: FILE}, made by `snapdrift archive`"

    def unknown(self) -> str:
        """That the new model is not in the catalogue, which a slip in its name would be, too; empty where it is."""
        if self._catalog.get(self._to) is not None:
            return ""
        meant = nearest(self._to, [info.name for info in self._catalog.models()])
        return f"{self._to} is not in the catalogue" + (f" (did you mean {meant}?)" if meant else "")

    def notes(self) -> tuple[str, ...]:
        """What to know of both models and of judges."""
        catalog, host = self._catalog, self._baseline.host
        found = list(catalog.warnings(self._to))
        if catalog.get(self._to) is None:
            found.append(f"Which settings {self._to} takes is not known: none was set to null for it.")
        if host is not None:
            found.append(f"`{self.candidate}` is asked on the host {host}, as `{self._baseline.name}` is.")
        if not any(metric.margin is not None for metric in self._gate_of.metrics):
            found.append(
                "Nothing in the gate has a margin: give one to each metric on which the new model must not be worse."
            )
        found += self._of_the_old()
        for grader in judges_of(self._suite):
            going = [judge.model for judge in grader.judges if catalog.retires_within(judge.model, _SOON_DAYS)]
            found += [
                f"The judge {grader.name} asks {model}, which goes too: another judge makes other scores, so change it "
                "before either side is asked, and calibrate it."
                for model in going
            ]
        return tuple(dict.fromkeys(found))

    def _of_the_old(self) -> list[str]:
        """When the model goes, and how its answers outlive it."""
        model, name = self._baseline.model, self._baseline.name
        going = self._catalog.retires_within(model, _SOON_DAYS)
        if going is None:
            return []
        gone = self._catalog.retires_within(model, 0) is not None
        freeze = (
            f"Only a run that is stored can stand for {model} now: `snapdrift archive RUN --variant {name}`"
            if gone
            else f"Freeze {model} while it can be asked: `snapdrift archive --repeats 3 {self._suite.path}`"
        )
        return [
            going,
            f"{freeze}; then `baseline: {{variant: {name}, fallback: {{archive: FILE}}}}` compares with that.",
        ]


def _written(entry: SuiteFile, name: str) -> dict[str, Any]:
    """What a variant says for itself, whichever form made it."""
    if entry.variants is not None and name in entry.variants:
        return _plain(entry.variants[name])
    matrix = entry.matrix
    if matrix is not None:
        prompt, _, label = name.partition("/") if matrix.prompt is not None else ("", "", name)
        named: Mapping[str, Any] = matrix.model if isinstance(matrix.model, dict) else {m: m for m in matrix.model}
        if label in named:
            source = named[label]
            own = {"model": source} if isinstance(source, str) else _plain(source)
            return own | ({"prompt": prompt} if prompt else {})
    return {"model": name}


def _plain(variant: VariantEntry) -> dict[str, Any]:
    return variant.model_dump(exclude_unset=True, by_alias=True, mode="json")


def _lines(own: Mapping[str, Any], changes: Sequence[Change]) -> list[Line]:
    why = {change.setting: change.why for change in changes if change.setting}
    lines = []
    for key, value in own.items():
        if key == "request" and isinstance(value, Mapping):
            lines.append(Line(key, [Line(name, setting, why.get(name, "")) for name, setting in value.items()]))
        else:
            lines.append(Line(key, value))
    return lines
