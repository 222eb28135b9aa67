"""A report as a document: verdict first, then figures and sections. One shape for every kind and every file format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from typing import Any

from mlops_dash.domain import format as fmt
from mlops_dash.domain.reports import words
from mlops_dash.domain.reports.levels import Level
from mlops_dash.domain.words import (
    ABState,
    ABVerdict,
    CardState,
    GateState,
    Health,
    Look,
    OperationState,
    ProposalState,
    Word,
    glossary,
    look,
)

_COLOURS = {"green": "good", "blue": "moved", "orange": "warn", "red": "bad", "violet": "violet"}
_SIGNS = {"check_circle": "✓", "cancel": "✕", "error": "✕", "warning": "▲", "help": "?", "moving": "↗", "gavel": "◆",
          "how_to_reg": "✓", "notifications_active": "!", "rocket_launch": "✓"}  # fmt: skip

Cell = str | dict[str, str]  # words of ours, a badge, a `mono` text, or people's `own` words
Figure = tuple[Cell, str, Cell]  # name, value, what belongs to it


@dataclass(frozen=True)
class Document:
    """What a reader sees.

    Attributes:
        kind: Of report, as people say it.
        title: The model's title, or what the report is of.
        name: The model's name; "" = of no single model.
        tab: What tells it from others of its kind: model and period.
        about: Version, period, owner: one line under the title.
        badge: The verdict's word with its sign and colour.
        verdict: The answer in a sentence or two.
        next_step: What is asked of the reader; "" = nothing.
        figures: Name, value, what belongs to it; at most four.
        sections: Each a `title`, sentences `said`, maybe a chart (`drawn` as SVG, `picture` as PNG,
            `alt`, `note`) and a `table` (`table_of`). Where a
            sentence's number stands elsewhere, `see` names that section or figure, a name a sentence, the last for the
            rest.
        how: How the numbers were computed, in sentences.
        brief: The three numbers of the executive level, as `figures`, each with its interval where it has one.
        verdict_on: The section or figure that the verdict speaks of.
        next_on: The section that the next step speaks of.
        brief_on: The number of `brief` that the next step speaks of; "" = the first.
        level: For whom it is written.
    """

    kind: str
    title: str
    name: str
    tab: str
    about: str
    badge: dict[str, str]
    verdict: Cell
    next_step: Cell
    figures: Sequence[Figure]
    sections: Sequence[dict[str, Any]]
    how: Sequence[str]
    brief: Sequence[Figure] = ()
    verdict_on: str = ""
    next_on: str = ""
    brief_on: str = ""
    level: Level = Level.TECHNICAL

    @cached_property
    def marks(self) -> Mapping[str, Mapping[str, str]]:
        """By section: the number of its `chart` and of its `table`, as `Figure 1`, where it has them."""
        found, charts, tables = {}, 0, 0
        for section in self.sections:
            charts, tables = charts + ("drawn" in section), tables + ("table" in section)
            chart = {"chart": f"Figure {charts}"} if "drawn" in section else {}
            table = {"table": f"Table {tables}"} if "table" in section else {}
            found[section["title"]] = {**chart, **table}
        return found

    def link(self, name: str) -> tuple[str, str] | None:
        """The address within the file and the name of what a section or figure shows; None where it shows nothing."""
        mark = self.marks.get(name, {})
        shown = mark.get("chart") or mark.get("table")
        if shown:
            return f"#{anchor(shown)}", shown
        names = [plain(one) for one, _, _ in self.figures]
        return (f"#number-{names.index(name) + 1}", name) if name in names else None

    def linked(self, section: Mapping[str, Any]) -> list[tuple[Cell, tuple[str, str] | None]]:
        """The sentences of a section, each with the link to the chart, table or number that it speaks of."""
        said, see = section["said"], section.get("see") or (section["title"],)
        places = [here or see[-1] for _, here in zip_longest(said, see[: len(said)])]
        return [(one, self.link(place)) for one, place in zip(said, places, strict=True)]

    @property
    def terms(self) -> tuple[tuple[str, str], ...]:
        """The terms that a reader meets in our words, each with its meaning; people's own words mean what they mean."""
        told: list[Cell] = [self.verdict, self.next_step, *self.how]
        told += [text for name, _, of in self.figures for text in (name, of)]
        for section in self.sections:
            told += [*section["said"], section.get("note", "")]
            if "table" in section:
                told += [*section["table"]["heads"], *(cell for row in section["table"]["rows"] for cell in row)]
        return glossary(plain(one) for one in told if not is_own(one))


def anchor(mark: str) -> str:
    """The id within the file of what a mark names.

    >>> anchor("Figure 1")
    'figure-1'
    """
    return mark.lower().replace(" ", "-")


def badge(word: Word) -> dict[str, str]:
    """A status word as sign + word + colour."""
    shown: Look = look(word)
    return {"text": shown.label, "sign": _SIGNS.get(shown.icon, "•"), "colour": _COLOURS.get(shown.colour, "neutral")}


_CONCEPTS: Mapping[str, type[Word]] = {
    one.__name__: one for one in (Health, GateState, ProposalState, OperationState, ABState, ABVerdict, CardState)
}


def said_badge(verdict: Mapping[str, str]) -> dict[str, str]:
    """The badge of a verdict that says its word and of which enum it is."""
    return badge(_CONCEPTS[verdict["concept"]](verdict["word"]))


def table_of(
    caption: str, heads: list[str], rows: list[list[Cell]], *, numeric: tuple[int, ...] = ()
) -> dict[str, Any]:
    """A table of a section; `numeric` columns stand to the right."""
    return {"caption": caption, "heads": heads, "rows": rows, "numeric": numeric}


def plain(cell: Cell) -> str:
    """A cell's words alone."""
    if isinstance(cell, str):
        return cell
    return cell.get("text") or cell.get("mono") or cell.get("own", "")


def gate_reason(gate: Mapping[str, Any], measure: Mapping[str, Any]) -> Cell:
    """Why a measure of a gate stands as it does; why a gate was overridden is said in people's own words."""
    said = words.gate_reason(gate, measure)
    return own(said) if gate["state"] == GateState.OVERRIDDEN else said


def interval_said(interval: str, *more: str, level: float = 0.95) -> str:
    """What belongs to a number of the executive level; a number without an interval says so.

    >>> interval_said("[0.616, 0.676]", "n 5,644"), interval_said("—", "n 3")
    ('95 % interval [0.616, 0.676] · n 5,644', 'interval not known · n 3')
    """
    known = f"{level * 100:g} % interval {interval}" if interval != fmt.MISSING else "interval not known"
    return " · ".join([known, *(one for one in more if one)])


def measured(gates: Sequence[Mapping[str, Any]], about: str = "") -> list[Figure]:
    """Measures of gates as figures: those with an interval, required gates first."""
    found: list[Figure] = []
    for gate in sorted(gates, key=lambda one: not one["required"]):
        for one in gate["measures"]:
            if one["value"] is None or one["low"] is None or one["high"] is None:
                continue
            interval = fmt.interval(one["low"], one["high"], one["decimals"], signed=one["difference"])
            limit = words.measure_limit(one)
            more = (f"n {fmt.whole(one['n'])}" if one["n"] else "", "" if limit == fmt.MISSING else f"limit {limit}")
            value = words.measure_value({**one, "low": None, "high": None})
            name = f"{about}: {one['label']}" if about else one["label"]
            found.append((name, value, interval_said(interval, *more, level=one["level"] or 0.95)))
    return found


def own(text: str) -> Cell:
    """Words of somebody: a comment, a name, a card's text. The glossary does not explain them.

    >>> own("bias against older customers")
    {'own': 'bias against older customers'}
    """
    return {"own": text}


def is_own(cell: Cell) -> bool:
    """Whether these are somebody's own words."""
    return not isinstance(cell, str) and "own" in cell
