"""The house's colours as a report needs them, light and dark; a test holds them to the theme of the pages.

A file cannot read the theme of the pages, so each colour is a CSS variable with its light value as a fall-back: mail
readers that drop variables show the light report on its own light ground.
"""

from __future__ import annotations

import re

LIGHT: dict[str, str] = {
    "page": "#FFFFFF",
    "surface": "#F5F6F8",
    "ink": "#101828",
    "muted": "#5B6474",
    "line": "#E4E7EC",
    "context": "#8590A2",
    "link": "#4338CA",
    "series": "#4F46E5",
    "band": "#E9E8FC",
    "good-text": "#067647",
    "good-tint": "#ECFDF3",
    "warn-text": "#B93815",
    "warn-tint": "#FFF4ED",
    "bad-text": "#B42318",
    "bad-tint": "#FEF3F2",
    "moved-mark": "#1570EF",
    "moved-text": "#175CD3",
    "moved-tint": "#EFF4FF",
    "neutral-text": "#475467",
    "neutral-tint": "#F2F4F7",
    "violet-text": "#5925DC",
    "violet-tint": "#F4F3FF",
}
DARK: dict[str, str] = {
    "page": "#0C0E13",
    "surface": "#161A22",
    "ink": "#E8EBF1",
    "muted": "#98A2B3",
    "line": "#262C37",
    "context": "#5B6679",
    "link": "#A5A8FF",
    "series": "#8B8AFB",
    "band": "#23244B",
    "good-text": "#6CE9A6",
    "good-tint": "#0F2A1E",
    "warn-text": "#FEB273",
    "warn-tint": "#331D12",
    "bad-text": "#FDA29B",
    "bad-tint": "#33171A",
    "moved-mark": "#53B1FD",
    "moved-text": "#84CAFF",
    "moved-tint": "#11233D",
    "neutral-text": "#B6BECB",
    "neutral-tint": "#1D222C",
    "violet-text": "#BDB4FE",
    "violet-tint": "#221D40",
}
_HEX = re.compile("|".join(re.escape(colour.lower()) for colour in LIGHT.values()))
_NAME = {colour.lower(): name for name, colour in LIGHT.items()}


def declarations(colours: dict[str, str]) -> str:
    """The CSS custom properties of one scheme."""
    return ";".join(f"--{name}:{colour}" for name, colour in colours.items())


def with_variables(drawing: str) -> str:
    """Replace every light colour of a drawing by its variable, so that the drawing follows the scheme.

    >>> with_variables("fill: #4f46e5")
    'fill: var(--series,#4f46e5)'
    """
    return _HEX.sub(lambda found: f"var(--{_NAME[found[0]]},{found[0]})", drawing)
