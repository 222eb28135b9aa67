"""The tokens agree with Streamlit's theme, can be read on their grounds, and drift never wears the colours of harm."""

from __future__ import annotations

import re

import plotly.graph_objects as go
import plotly.io as pio
import pytest

from app.ui import theme


def contrast(one: str, other: str) -> float:
    """WCAG contrast of two #rrggbb colours."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        r, g, b = (v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.fixture(params=theme.MODES)
def tokens(request: pytest.FixtureRequest) -> theme.Tokens:
    return theme.tokens(request.param)


def test_text_can_be_read(tokens: theme.Tokens) -> None:
    for name in ("ink", "muted", "selected"):
        for ground in (tokens.page, tokens.surface, tokens.card):
            assert contrast(getattr(tokens, name), ground) >= 4.5, name
    for name in ("good", "warn", "bad", "moved", "neutral", "violet"):
        assert contrast(getattr(tokens, f"{name}_text"), getattr(tokens, f"{name}_tint")) >= 4.5, name
    assert contrast("#FFFFFF", tokens.primary) >= 4.5


def test_marks_can_be_seen(tokens: theme.Tokens) -> None:
    for colour in (tokens.context, tokens.good, tokens.warn, tokens.bad, tokens.moved, *tokens.series):
        assert contrast(colour, tokens.page) >= 3


def test_modes_have_the_same_number_of_series_dashes_and_markers(tokens: theme.Tokens) -> None:
    assert len(tokens.series) == len(theme.DASHES) == len(theme.MARKERS) == 7
    assert len(tokens.sequential) == len(tokens.diverging) == 10


def test_the_style_sheet_names_only_tokens_and_no_generated_class(tokens: theme.Tokens) -> None:
    sheet = theme.css(tokens)
    assert "$" not in sheet
    assert "emotion-cache" not in sheet
    assert tokens.muted in sheet
    assert not re.search(r"\*\s*\{[^}]*transition-duration", sheet)  # breaks the data grid's colour probe


def test_both_templates_are_registered_and_differ() -> None:
    theme.install_templates()
    light, dark = (pio.templates[theme.template_name(mode)] for mode in theme.MODES)
    assert light.layout.font.color != dark.layout.font.color
    figure = go.Figure(go.Scatter(x=[1], y=[1])).update_layout(template=theme.template_name("dark"))
    assert figure.layout.template.layout.font.color == theme.tokens("dark").ink


@pytest.mark.parametrize(
    ("name", "token"),
    [
        ("green", "good"),
        ("orange", "warn"),
        ("red", "bad"),
        ("blue", "moved"),
        ("gray", "neutral"),
        ("violet", "violet"),
    ],
)
def test_a_words_colour_is_a_token(tokens: theme.Tokens, name: str, token: str) -> None:
    assert tokens.colour(name) == getattr(tokens, token)
