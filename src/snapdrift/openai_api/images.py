"""What an image costs in tokens: the tile rule of GPT-4o models.

OpenAI documentation, guides/images-vision (2026-07-15): with `detail: low` an image takes `base` tokens. With `high` it
is fitted into 2,048 x 2,048 pixels, then scaled so that its shortest side is 768, and takes `base` and `tile` for each
square of 512 pixels that it needs. The guide does not say whether small images are enlarged: they are counted as they
are, marked as not exact, and bounded as if they were.
"""

from __future__ import annotations

import base64
import math
from fractions import Fraction
from functools import lru_cache

from pydantic import BaseModel, ConfigDict, Field

from snapdrift.openai_api.text_tokens import TokenCount
from snapdrift.suites.media_types import pixel_size

SQUARE = 2048
SHORTEST = 768
TILE = 512
MOST_TILES = 8
"""768 x 2,048 pixels, the most that is left after scaling."""

_HEAD = 65_536
"""Characters of a data URL (a multiple of 4) in which the size of nearly every image stands."""
_REMEMBERED = 256


class ImageRule(BaseModel):
    """Tokens of an image: `base`, and `tile` for each square that it needs in high detail."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: int = Field(ge=0)
    tile: int = Field(ge=0)

    @property
    def most(self) -> int:
        """The most tokens that an image takes."""
        return self.base + self.tile * MOST_TILES


GPT_4O = ImageRule(base=85, tile=170)
GPT_4O_MINI = ImageRule(base=2833, tile=5667)
"""The dearest rule of the family in tokens: what bounds an image of a model whose rule is not known."""


def image_tokens(rule: ImageRule, size: tuple[int, int] | None, detail: str) -> TokenCount:
    """The tokens of an image of `size` (width, height) in pixels.

    Without a size it is the most that an image takes, marked as not exact. So are `auto`, which is counted as high
    (how it chooses is not published), and an image that may or may not be enlarged.
    """
    if detail == "low":
        return TokenCount(rule.base, exact=True)
    if size is None:
        return TokenCount(rule.most, exact=False)
    least, most = tiles(*size), most_tiles(*size)
    return TokenCount(rule.base + rule.tile * least, exact=detail == "high" and least == most)


def most_image_tokens(rule: ImageRule, size: tuple[int, int] | None, detail: str) -> int:
    """What an image takes at most, whether small ones are enlarged or not."""
    if detail == "low" or size is None:
        return image_tokens(rule, size, detail).tokens
    return rule.base + rule.tile * most_tiles(*size)


def tiles(width: int, height: int) -> int:
    """How many squares of 512 pixels an image needs in high detail. Sizes are exact fractions: no pixel is rounded."""
    if width < 1 or height < 1:
        return 1
    shrunk = min(Fraction(1), Fraction(SQUARE, max(width, height)))
    scale = shrunk * min(Fraction(1), SHORTEST / (min(width, height) * shrunk))
    return math.ceil(width * scale / TILE) * math.ceil(height * scale / TILE)


def most_tiles(width: int, height: int) -> int:
    """The same if small images are enlarged until their shortest side is 768, the longer one staying within 2,048."""
    if width < 1 or height < 1:
        return MOST_TILES
    longest = min(Fraction(SQUARE), Fraction(SHORTEST * max(width, height), min(width, height)))
    return max(tiles(width, height), math.ceil(SHORTEST / TILE) * math.ceil(longest / TILE))


def size_of_data_url(url: str) -> tuple[int, int] | None:
    """Width and height of an image in a base64 data URL, or None where they cannot be read.

    Needs Pillow (the extra `vision`); reads the image's header only, never its pixels.
    """
    head, comma, _ = url[:256].partition(",")
    if not (comma and head.startswith("data:image/") and head.endswith(";base64")):
        return None
    start = len(head) + 1
    found = _size_in_head(url[start : start + _HEAD])
    return found if found is not None or len(url) <= start + _HEAD else _size(url[start:])


@lru_cache(maxsize=_REMEMBERED)
def _size_in_head(data: str) -> tuple[int, int] | None:
    return _size(data)


def _size(data: str) -> tuple[int, int] | None:
    try:
        return pixel_size(base64.b64decode(data, validate=True))
    except ValueError:  # no base64, or no image that is whole as far as its header goes
        return None
