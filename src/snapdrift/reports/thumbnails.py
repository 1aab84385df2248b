"""Small pictures of a run's local images, for the page: made here, so that nothing is loaded when it is opened."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import warnings
from dataclasses import dataclass

SIDE = 160
"""Pixels of a thumbnail's longer side."""

ROOM = 4_000_000
"""Characters that all thumbnails of a page may take together."""

_FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
_QUALITY = 78
_NO_PILLOW = "no thumbnail: it takes Pillow (`pip install 'snapdrift[vision]'`)"
_UNREADABLE = "no thumbnail: the image cannot be read"
_NO_ROOM = f"no thumbnail: the page has {ROOM / 1_000_000:.0f} MB of them already"


@dataclass(frozen=True, slots=True)
class Picture:
    """A local image: the SHA-256 of its bytes, what it measures, and its thumbnail or the reason that there is none."""

    digest: str
    size: str
    thumbnail: str | None = None
    note: str = ""


class Album:
    """The thumbnails of one page. An image that occurs often is made, and counted, once."""

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._pictures: dict[str, Picture] = {}

    def picture(self, data_url: str) -> Picture:
        """The picture of an image in a `data:` URL."""
        key = hashlib.sha256(data_url.encode("utf-8", "surrogatepass")).hexdigest()
        if key not in self._pictures:
            self._pictures[key] = self._made(data_url)
        return self._pictures[key]

    def _made(self, data_url: str) -> Picture:
        data = decoded(data_url)
        digest, size = hashlib.sha256(data).hexdigest(), kilobytes(len(data))
        if self._room <= 0:
            return Picture(digest, size, note=_NO_ROOM)
        try:
            made = _shrunk(data)
        except ImportError:
            return Picture(digest, size, note=_NO_PILLOW)
        if made is None:
            return Picture(digest, size, note=_UNREADABLE)
        (width, height), thumbnail = made
        size = f"{width} × {height}, {size}"
        if len(thumbnail) > self._room:
            self._room = 0
            return Picture(digest, size, note=_NO_ROOM)
        self._room -= len(thumbnail)
        return Picture(digest, size, thumbnail)


def decoded(data_url: str) -> bytes:
    """The bytes in a base64 `data:` URL; none where it holds no base64."""
    try:
        return base64.b64decode(data_url.partition(",")[2], validate=True)
    except (binascii.Error, ValueError):
        return b""


def kilobytes(size: int) -> str:
    """`12 kB`, `3.4 MB`; never nothing."""
    return f"{size / 1_000_000:.1f} MB" if size >= 1_000_000 else f"{max(round(size / 1000), 1):,} kB"


def _shrunk(data: bytes) -> tuple[tuple[int, int], str] | None:
    """Width and height of an image, and a JPEG of it on white; None for what is none. Raises `ImportError`."""
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # A bomb (few bytes, very many pixels) is only a warning up to twice the limit: here it is none to open.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                size = image.size
                image.draft("RGB", (2 * SIDE, 2 * SIDE))
                upright = ImageOps.exif_transpose(image).convert("RGBA")
            upright.thumbnail((SIDE, SIDE))
            paper = Image.new("RGB", upright.size, "white")
            paper.paste(upright, mask=upright)
            out = io.BytesIO()
            paper.save(out, "JPEG", quality=_QUALITY, optimize=True)
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None
    return size, "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode("ascii")
