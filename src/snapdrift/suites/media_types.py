"""What kind of image or document some bytes are, told from the bytes themselves and never from a file's name."""

from __future__ import annotations

import io
import warnings

PNG, JPEG, WEBP, GIF, PDF = "image/png", "image/jpeg", "image/webp", "image/gif", "application/pdf"
IMAGE_TYPES = (PNG, JPEG, WEBP, GIF)
"""What the API takes as an image (OpenAI, guide to images and vision, 2026-07); a GIF must not be animated."""

_PDF_WITHIN = 1024
"""Readers of PDF accept its mark anywhere in so many bytes (ISO 32000, implementation note)."""


def media_type(data: bytes) -> str | None:
    """The media type of an image or PDF by its first bytes, None for anything else."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if data.startswith(b"\xff\xd8\xff"):
        return JPEG
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return WEBP
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return GIF
    if b"%PDF-" in data[:_PDF_WITHIN]:
        return PDF
    return None


def is_animated_gif(data: bytes) -> bool:
    """Whether a GIF has more than one picture. One that ends early is read as far as it goes."""
    try:
        return _pictures(data) > 1
    except IndexError:
        return False


def _pictures(data: bytes) -> int:
    """How many pictures a GIF's blocks hold (GIF89a specification, sections 17 to 27), counted up to two."""
    flags = data[10]
    at = 13 + (3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0)
    found = 0
    while found < 2 and data[at] != 0x3B:
        if data[at] == 0x2C:
            found += 1
            local = data[at + 9]
            at += 10 + (3 * 2 ** ((local & 7) + 1) if local & 0x80 else 0) + 1
        elif data[at] == 0x21:
            at += 2
        else:
            break
        while data[at]:
            at += data[at] + 1
        at += 1
    return found


def pixel_size(data: bytes) -> tuple[int, int] | None:
    """Width and height of an image in pixels; None without the extra `vision` (Pillow).

    Only the header is read. Raises `ValueError` when it is damaged.
    """
    try:
        from PIL import Image
    except ImportError:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # nothing is unpacked here
            with Image.open(io.BytesIO(data)) as image:
                return image.size
    except Image.DecompressionBombError:
        raise ValueError("has more pixels than can be handled") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError("is damaged: its size cannot be read") from error
