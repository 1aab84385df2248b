from __future__ import annotations

import base64
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.openai_api.images import (
    GPT_4O,
    GPT_4O_MINI,
    MOST_TILES,
    image_tokens,
    most_image_tokens,
    most_tiles,
    size_of_data_url,
    tiles,
)
from snapdrift.openai_api.text_tokens import TokenCount

sides = st.integers(1, 20_000)


@pytest.mark.parametrize(
    ("size", "tokens", "most"),
    [
        ((1024, 1024), 765, 765),  # the guide's examples
        ((2048, 4096), 1105, 1105),
        ((2000, 1000), 85 + 6 * 170, 85 + 6 * 170),  # 1,536 x 768: no pixel is lost to rounding
        ((512, 512), 85 + 170, 765),  # whether small images are enlarged is not published
        ((513, 512), 85 + 2 * 170, 765),
        ((1, 1), 85 + 170, 765),
        ((20_000, 10), 85 + 4 * 170, 85 + 8 * 170),
    ],
)
def test_an_image_in_high_detail_takes_a_tile_for_each_square(size: tuple[int, int], tokens: int, most: int) -> None:
    assert image_tokens(GPT_4O, size, "high") == TokenCount(tokens, exact=tokens == most)
    assert most_image_tokens(GPT_4O, size, "high") == most


def test_the_small_model_takes_more_tokens_for_the_same_image() -> None:
    assert image_tokens(GPT_4O_MINI, (1024, 1024), "high").tokens == 25_501


@pytest.mark.parametrize("size", [None, (4096, 4096)])
def test_low_detail_takes_the_base_whatever_the_size(size: tuple[int, int] | None) -> None:
    assert image_tokens(GPT_4O, size, "low") == TokenCount(85, exact=True)


def test_auto_counts_as_high_and_is_marked() -> None:
    assert image_tokens(GPT_4O, (1024, 1024), "auto") == TokenCount(765, exact=False)


@pytest.mark.parametrize("detail", ["high", "auto"])
def test_an_image_of_unknown_size_counts_as_the_largest(detail: str) -> None:
    assert image_tokens(GPT_4O, None, detail) == TokenCount(85 + 8 * 170, exact=False)


@given(sides, sides)
def test_no_image_takes_more_than_the_largest(width: int, height: int) -> None:
    assert 1 <= tiles(width, height) <= most_tiles(width, height) <= MOST_TILES


@given(sides, sides)
def test_which_way_an_image_is_turned_makes_no_difference(width: int, height: int) -> None:
    assert tiles(width, height) == tiles(height, width)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_the_size_is_read_from_a_data_url(kind: str) -> None:
    image = pytest.importorskip("PIL.Image", reason="Pillow (extra `vision`) is not installed")
    out = io.BytesIO()
    image.effect_noise((700, 301), 80).save(out, kind)
    url = f"data:image/{kind.lower()};base64," + base64.b64encode(out.getvalue()).decode()
    assert size_of_data_url(url) == (700, 301)


@pytest.mark.parametrize(
    "url",
    ["", "https://example.com/a.png", "data:image/png;base64,", "data:image/png;base64,!", "data:image/png,abc"],
)
def test_what_is_no_image_has_no_size(url: str) -> None:
    assert size_of_data_url(url) is None
