"""One document for three readers: who decides, who works with the model, and who checks. No number is made here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from mlops_dash.domain import format as fmt
from mlops_dash.domain.reports.levels import Level
from mlops_dash.domain.reports.sheets import Cell as Kept
from mlops_dash.domain.reports.sheets import ReportSheet, tables_of
from mlops_dash.domain.reports.snapshot import Facts, sha256_of
from mlops_dash.rendering.document import Cell, Document, own, plain, table_of

NOTHING_ASKED = "Nothing waits for your decision."
_DIGEST = re.compile(r"[0-9a-f]{32,128}")
_LEDGER = "Ledger"


def at_level(document: Document, facts: Facts, level: Level) -> Document:
    """The document as a reader of this level gets it.

    Args:
        document: The technical one, made from the facts.
        facts: Of the report.
        level: Whose.
    """
    if level is Level.EXECUTIVE:
        return _executive(document)
    return _audit(document, facts) if level is Level.AUDIT else document


def ask(document: Document) -> Cell:
    """What is to be decided, without the word "Next"."""
    said = plain(document.next_step).removeprefix("Next: ")
    text = f"{said[:1].upper()}{said[1:]}" if said else NOTHING_ASKED
    return text if isinstance(document.next_step, str) else own(text)


def _executive(document: Document) -> Document:
    """One page: the three numbers, what is asked, and the first chart with its first sentence."""
    drawn = [
        {**{name: said for name, said in one.items() if name not in ("table", "see")}, "said": one["said"][:1]}
        for one in document.sections
        if "drawn" in one
    ][:1]
    figures = document.brief or document.figures[:3]
    first = plain(figures[0][0]) if figures else ""
    chart = drawn[0]["title"] if drawn else ""
    on = chart if chart == document.verdict_on else first
    asked = document.brief_on or first
    return replace(
        document, figures=figures, sections=drawn, how=(), level=Level.EXECUTIVE, verdict_on=on, next_on=asked
    )


# --- audit ------------------------------------------------------------------------------------------------------------


def _audit(document: Document, facts: Facts) -> Document:
    """Everything: the technical pages, then the kept numbers, the digests, and the ledger's rows."""
    known = {one["title"] for one in document.sections}
    sheets = [one for one in tables_of(facts) if one.rows and not (one.name == _LEDGER and _LEDGER in known)]
    kept = [_sheet(one) for one in sheets]
    ledger = [] if _LEDGER in known else [_ledger(facts)]
    sections = [*document.sections, *ledger, _digests(facts), *kept]
    return replace(document, sections=sections, level=Level.AUDIT)


def _sheet(sheet: ReportSheet) -> dict[str, Any]:
    """A table as the workbook has it, without columns that are empty in every row."""
    kept = [n for n in range(len(sheet.heads)) if any(row[n] is not None for row in sheet.rows)]
    rows = [[_cell(row[n]) for n in kept] for row in sheet.rows]
    numeric = [
        place
        for place, n in enumerate(kept)
        if all(row[n] is None or isinstance(row[n], int | float) for row in sheet.rows)
    ]
    caption = f"{fmt.plural(len(rows), 'row')}; six digits, of which the workbook has all; times are UTC"
    table = table_of(caption, [sheet.heads[n] for n in kept], rows, numeric=tuple(numeric))
    return {"title": f"As kept: {sheet.name}", "said": [], "wide": True, "kept": True, "table": table}


def _cell(value: Kept) -> Cell:
    if value is None:
        return own(fmt.MISSING)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return own(f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}")
    if isinstance(value, int | float):
        return own(f"{value:,}" if isinstance(value, int) else f"{value:.6g}")
    return {"mono": value[:16]} if _DIGEST.fullmatch(value) else own(value)  # whole among the digests


def _digests(facts: Facts) -> dict[str, Any]:
    """Every digest that the facts name, with where it stands in them."""
    rows: list[list[Cell]] = [["the facts themselves", {"mono": sha256_of(facts)}]]
    rows += [[own(path), {"mono": digest}] for path, digest in _found(facts, "")]
    said = ["Each names the bytes it was computed from; the same bytes give the same digest."]
    return {"title": "Digests", "said": said, "table": table_of("As they stand in the facts", ["What", "Digest"], rows)}


def _found(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        if _DIGEST.fullmatch(value):
            yield path, value
    elif isinstance(value, Mapping):
        for name, one in value.items():
            yield from _found(one, f"{path} {name}".strip().replace("_", " "))
    elif isinstance(value, Sequence):
        for number, one in enumerate(value, 1):
            yield from _found(one, f"{path} {number}")


def _ledger(facts: Facts) -> dict[str, Any]:
    section: dict[str, Any] = {"title": _LEDGER}
    rows: list[list[Cell]] = [
        [str(one["number"]), {"mono": one["at"]}, own(one["sentence"]), own(one["why"] or fmt.MISSING),
         {"mono": one["mac"]}]
        for one in facts.get("ledger", ())
    ]  # fmt: skip
    if not rows:
        none = "The facts hold no row of the ledger: none was about it, or they were frozen before rows were kept."
        return {**section, "said": [none]}
    more = facts.get("ledger_more", 0)
    said = ["Each entry is sealed with the one before it: mlops-dash audit verify checks the chain."]
    if more:
        said.append(f"{fmt.plural(more, 'earlier entry', 'earlier entries')} not shown; the ledger has them.")
    heads = ["No.", "When", "Who did what", "Why", "Seal"]
    return {**section, "said": said, "wide": True, "table": table_of("In order", heads, rows, numeric=(0,))}
