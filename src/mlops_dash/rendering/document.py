"""A report as a document: verdict first, then figures and sections. One shape for every kind and every file format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlops_dash.domain.reports import words
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
        sections: Each a `title`, sentences `said`, maybe a chart (`drawn`, `note`) and a `table` (`table_of`).
        how: How the numbers were computed, in sentences.
    """

    kind: str
    title: str
    name: str
    tab: str
    about: str
    badge: dict[str, str]
    verdict: Cell
    next_step: Cell
    figures: Sequence[tuple[str, str, Cell]]
    sections: Sequence[dict[str, Any]]
    how: Sequence[str]

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


def own(text: str) -> Cell:
    """Words of somebody: a comment, a name, a card's text. The glossary does not explain them.

    >>> own("bias against older customers")
    {'own': 'bias against older customers'}
    """
    return {"own": text}


def is_own(cell: Cell) -> bool:
    """Whether these are somebody's own words."""
    return not isinstance(cell, str) and "own" in cell
