"""The few custom HTML components."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent


@cache
def source(name: str) -> str:
    """A component's script or style sheet as pages carry it: every first load holds it, so without what people need."""
    return lean((_HERE / name).read_text(encoding="utf-8"))


def lean(text: str) -> str:
    r"""Without indentation, empty lines and lines that are only a comment; other lines keep their ends.

    >>> lean("// why\nif (a) {\n  b();  // because\n}\n")
    'if (a) {\nb();  // because\n}'
    """
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))
