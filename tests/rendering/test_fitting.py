"""Room for text is rather too much than too little, held against a real font that is wider than those of slides."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageFont

from mlops_dash.rendering.fitting import cut, fitted, height_of, lines_of, shares, width_of

FONT = ImageFont.truetype(str(Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), 100)
TEXT = st.text(
    st.characters(codec="ascii", exclude_categories=("C",)) | st.sampled_from("äöü名称队列→·—"), max_size=300
)


@pytest.mark.parametrize(
    "text",
    [
        "ROC AUC within the day 0.646 over the last 28 ripe days.",
        "Approve or reject v3, proposed by Scientist.",
        "95 % interval [−0.033, −0.004] · n 49,956 · limit < 0.000",
        "days as clusters; ripe days only",
    ],
)
def test_a_line_is_as_wide_as_a_wide_font_makes_it_or_a_little_more(text: str) -> None:
    real = FONT.getlength(text)
    assert 0.97 * real <= width_of(text, 100) <= 1.35 * real


@given(TEXT, st.integers(6, 30), st.integers(40, 900), st.integers(20, 400))
def test_what_is_cut_fits_and_is_the_beginning_of_the_text(text: str, size: int, across: int, high: int) -> None:
    if high < size * 1.2:
        return
    shown = cut(text, size, across, high)
    assert height_of(shown, size, across) <= high
    assert shown == text or text.startswith(shown.removesuffix("…"))


def test_the_largest_size_that_fits_is_taken_and_the_smallest_is_cut() -> None:
    assert fitted("short", 400, 40, (30, 20, 10)) == ("short", 30)
    assert fitted("word " * 30, 400, 40, (30, 20, 10))[1] == 10
    shown, size = fitted("word " * 300, 400, 40, (30, 20, 10))
    assert (size, shown[-1]) == (10, "…")


def test_a_word_wider_than_its_line_is_broken() -> None:
    assert lines_of("a" * 200, 10, 100) >= width_of("a" * 200, 10) / 100
    assert lines_of("队列" * 50, 10, 100) > 9


def test_columns_fill_no_more_than_the_table_and_long_text_gets_the_room() -> None:
    widths = shares([["No.", "Why"], ["1", "because " * 40]], 10, 500, pad=4)
    assert sum(widths) == pytest.approx(500)
    assert widths[1] > 10 * widths[0]
    many = shares([[f"column number {n}" for n in range(40)]], 10, 500, pad=4)
    assert sum(many) == pytest.approx(500)
    assert sum(shares([["a", "b"], ["1", "2"]], 10, 500, pad=4)) < 100, "a small table stays small"
