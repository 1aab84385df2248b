"""Images and documents of a message: URLs and file ids as they are, files of the workspace as data URLs.

URLs are passed on and never fetched. A file is read through `Workspace.resolve`, so a suite reaches nothing outside the
workspace and nothing hidden; its content is part of the suite's identity (`Suite.media`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from snapdrift.errors import Problem, SnapdriftError, SuiteError
from snapdrift.model import FilePart, ImagePart
from snapdrift.suites.media_types import GIF, IMAGE_TYPES, PDF, is_animated_gif, media_type, pixel_size
from snapdrift.suites.wording import quoted
from snapdrift.suites.workspace import PathError, Workspace

MAX_IMAGE_URL = 20_971_520
"""Characters of an image's URL or data URL (OpenAPI document 2026-08-21, `InputImageContentParamAutoParam`)."""
MAX_FILE_DATA = 73_400_320
"""Characters of a document's data URL (the same, `InputFileContentParam`)."""
KEPT = 64 * 2**20
"""Characters of data URLs that are kept, so that variants and repeats do not read a file again."""

_FILE_ID = re.compile(r"file-[A-Za-z0-9_-]+")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_DATA_URL = re.compile(r"data:([a-z]+/[a-z0-9.+-]+);base64,", re.IGNORECASE)
_FORMS = "expected the path of a file in the workspace, an http or https URL, a data URL or a file id (file-...)"


class MediaError(SnapdriftError):
    """An image or document is not one that can be sent: what was found, and what was expected."""

    def __init__(self, found: str, expected: str) -> None:
        self.found = found
        self.expected = expected
        super().__init__(f"{found}; {expected}")


@dataclass(frozen=True, slots=True)
class _Kind:
    """What is read: which types are taken, how long a data URL may be, and the words for it."""

    noun: str
    types: tuple[str, ...]
    limit: int
    takes: str


_IMAGE = _Kind("image", IMAGE_TYPES, MAX_IMAGE_URL, "expected a PNG, JPEG, WEBP or GIF that is not animated")
_DOCUMENT = _Kind("file", (PDF,), MAX_FILE_DATA, "expected a PDF")


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A checked image or document as a data URL."""

    url: str
    sha256: str
    size: tuple[int, int] | None


class Media:
    """Makes the image and file parts of messages, reading local files.

    `hashes` (workspace path -> SHA-256, as in `Suite.media`) is what the files held when the suite was loaded: a file
    that holds something else, or is gone, is a `SuiteError`. `read` are the hashes of the files read so far.
    """

    def __init__(self, workspace: Workspace | None = None, hashes: Mapping[str, str] = MappingProxyType({})) -> None:
        self._workspace = workspace
        self._hashes = hashes
        self._kept: OrderedDict[tuple[str, str], _Loaded] = OrderedDict()
        self._characters = 0
        self.read: dict[str, str] = {}

    def image(self, value: str, detail: str = "auto") -> ImagePart:
        """An image part for a URL, data URL, file id or path. Raises `MediaError`, `PathError` or `SuiteError`."""
        if _is_web_url(value, MAX_IMAGE_URL):
            return ImagePart(value, url=value, detail=detail)
        if _FILE_ID.fullmatch(value):
            return ImagePart(value, file_id=value, detail=detail)
        loaded = self._loaded(value, _IMAGE)
        return ImagePart(_name(value, loaded, "image"), url=loaded.url, detail=detail, size=loaded.size)

    def file(self, value: str) -> FilePart:
        """A file part (PDF) for a URL, data URL, file id or path. Raises as `image` does."""
        if _is_web_url(value, MAX_FILE_DATA):
            return FilePart(value, url=value)
        if _FILE_ID.fullmatch(value):
            return FilePart(value, file_id=value)
        loaded = self._loaded(value, _DOCUMENT)
        return FilePart(_name(value, loaded, "document") + ("" if _is_path(value) else ".pdf"), data=loaded.url)

    def _loaded(self, value: str, kind: _Kind) -> _Loaded:
        key = (kind.noun, value)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        if _is_path(value):
            loaded = self._from_file(value, kind)
        elif value[:5].lower() == "data:":
            loaded = _from_data_url(value, kind)
        else:
            raise MediaError(f"{_short(value)} is not a URL that is passed on", _FORMS)
        self._keep(key, loaded)
        return loaded

    def _keep(self, key: tuple[str, str], loaded: _Loaded) -> None:
        self._kept[key] = loaded
        self._characters += len(loaded.url)
        while self._characters > KEPT and len(self._kept) > 1:
            self._characters -= len(self._kept.popitem(last=False)[1].url)

    def _from_file(self, text: str, kind: _Kind) -> _Loaded:
        if self._workspace is None:
            raise MediaError(f"the file {text}", "expected a URL or file id: there is no workspace to read files from")
        path = PurePosixPath(text).as_posix()
        declared = self._hashes.get(path)
        try:
            data = _content(self._workspace.resolve(text), text, kind)
        except PathError as error:
            if declared is not None:
                raise _changed(path, f"no longer there ({error.found})") from None
            raise
        found = hashlib.sha256(data).hexdigest()
        if declared not in (None, found):
            raise _changed(path, "no longer what it was when the suite was loaded")
        self.read[path] = found
        return _checked(data, text, kind, found)


def _changed(path: str, found: str) -> SuiteError:
    expected = "expected the file that the run began with; put it back, or run the suite anew (--fresh)"
    return SuiteError([Problem(path, 0, 0, "", found, expected)])


def _is_web_url(value: str, limit: int) -> bool:
    if not value[:8].lower().startswith(("http://", "https://")):
        return False
    if len(value) > limit or not value.isprintable() or " " in value:
        found = f"a URL of {len(value):,} characters" if len(value) > limit else f"the URL {_short(value)}"
        raise MediaError(found, f"expected up to {limit:,} printable characters without blanks")
    return True


def _is_path(value: str) -> bool:
    return _SCHEME.match(value) is None


def _name(value: str, loaded: _Loaded, noun: str) -> str:
    """A path as it is written; data has a name by its content, for it has no other."""
    return value if _is_path(value) else f"{noun}-{loaded.sha256[:12]}"


def _short(text: str) -> str:
    return quoted(text if len(text) <= 60 else f"{text[:57]}...")


def _content(path: Path, shown: str, kind: _Kind) -> bytes:
    """The bytes of a file, read no further than a data URL could hold them."""
    largest = kind.limit * 3 // 4
    try:
        with path.open("rb") as file:
            # An error is kept, with what its frames hold, for each case that names the file: so it is not read first.
            data = file.read(largest + 1) if os.fstat(file.fileno()).st_size <= largest else None
    except OSError as error:
        raise PathError(f"{shown} cannot be read ({error.strerror})", "expected a readable file") from None
    if data is None or len(data) > largest:
        del data
        raise _too_large(shown, kind)
    return data


def _too_large(shown: str, kind: _Kind) -> MediaError:
    expected = f"expected a smaller {kind.noun}: as a data URL up to {kind.limit:,} characters"
    return MediaError(f"{shown} is too large ({kind.limit * 3 // 4 // 2**20} MB or more)", expected)


def _from_data_url(value: str, kind: _Kind) -> _Loaded:
    shown = f"the data URL {_short(value[:40])}"
    head = _DATA_URL.match(value)
    if head is None:
        raise MediaError(f"{shown} is not in base64", f"expected data:{kind.types[0]};base64,...")
    if len(value) > kind.limit:
        raise _too_large(shown, kind)
    try:
        data = base64.b64decode(value[head.end() :], validate=True)
    except (binascii.Error, ValueError) as error:
        raise MediaError(f"{shown} is not in base64 ({error})", "expected its content in base64") from None
    loaded = _checked(data, shown, kind, hashlib.sha256(data).hexdigest())
    if media_type(data) != head[1].lower():
        raise MediaError(f"{shown} holds {media_type(data)}", f"expected it to say data:{media_type(data)};base64")
    return _Loaded(value, loaded.sha256, loaded.size)


def _checked(data: bytes, shown: str, kind: _Kind, sha256: str) -> _Loaded:
    found = media_type(data)
    if not data:
        raise MediaError(f"{shown} is empty", kind.takes)
    if found not in kind.types:
        raise MediaError(f"{shown} holds {found or 'no image and no PDF'}", kind.takes)
    if found == GIF and is_animated_gif(data):
        raise MediaError(f"{shown} is an animated GIF", kind.takes)
    try:
        size = pixel_size(data) if kind is _IMAGE else None
    except ValueError as error:
        raise MediaError(f"{shown} {error}", kind.takes) from None
    url = f"data:{found};base64,{base64.b64encode(data).decode('ascii')}"
    if len(url) > kind.limit:
        raise _too_large(shown, kind)
    return _Loaded(url, sha256, size)
