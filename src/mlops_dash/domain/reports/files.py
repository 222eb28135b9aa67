"""The formats a report is given out in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath

from mlops_dash.errors import InvalidInput


class ReportFormat(StrEnum):
    """How a report is written."""

    HTML = "html"
    PDF = "pdf"
    MARKDOWN = "markdown"
    JSON = "json"
    XLSX = "xlsx"
    PPTX = "pptx"


ENDINGS: Mapping[ReportFormat, str] = {
    ReportFormat.HTML: "html",
    ReportFormat.PDF: "pdf",
    ReportFormat.MARKDOWN: "md",
    ReportFormat.JSON: "json",
    ReportFormat.XLSX: "xlsx",
    ReportFormat.PPTX: "pptx",
}
MIMES: Mapping[ReportFormat, str] = {
    ReportFormat.HTML: "text/html",
    ReportFormat.PDF: "application/pdf",
    ReportFormat.MARKDOWN: "text/markdown",
    ReportFormat.JSON: "application/json",
    ReportFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ReportFormat.PPTX: "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}


@dataclass(frozen=True)
class ReportFile:
    """A written report."""

    name: str
    mime: str
    content: bytes


def format_of(name: str, wanted: str | None = None) -> ReportFormat:
    """The format of a file by its ending, unless one is named.

    Raises:
        InvalidInput: the ending is of none, or of another than the one named.

    >>> format_of("week.PDF"), format_of("week.md"), format_of("week", "json")
    (<ReportFormat.PDF: 'pdf'>, <ReportFormat.MARKDOWN: 'markdown'>, <ReportFormat.JSON: 'json'>)
    """
    ending = PurePath(name).suffix.lower().removeprefix(".")
    by_ending = next((kind for kind, one in ENDINGS.items() if one == ending), None)
    every = ", ".join(f".{one}" for one in ENDINGS.values())
    if wanted is None:
        if by_ending is None:
            raise InvalidInput(f"{PurePath(name).name} does not end in {every}.", hint="Or name a --format.")
        return by_ending
    chosen = ReportFormat(wanted)
    if by_ending not in (None, chosen):
        raise InvalidInput(
            f"{PurePath(name).name} is named as .{ending}, but the format is {chosen}.",
            hint=f"End it in .{ENDINGS[chosen]}, or leave out --format.",
        )
    return chosen
