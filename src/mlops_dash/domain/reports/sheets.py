"""A report's facts as tables for a spreadsheet: numbers with every digit, moments as moments, nothing rounded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mlops_dash.domain.reports.snapshot import Facts, Report, ReportKind

Cell = str | float | int | datetime | None


@dataclass(frozen=True)
class ReportSheet:
    """One table: its heads, and rows with a cell for each."""

    name: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def sheets_of(report: Report) -> tuple[ReportSheet, ...]:
    """The tables of a report, its own summary first."""
    line = report.line
    about: list[tuple[Cell, ...]] = [
        ("kind", str(line.kind)),
        ("model", line.model),
        ("from", line.week.start),
        ("until", line.week.end),
        ("zone", line.week.zone),
        ("facts sha256", line.sha256),
        ("made by", line.made_by),
        ("made at", line.made_at),
    ]
    return (
        ReportSheet("About", ("What", "Value"), (*about, *_VERDICTS[line.kind](report.facts))),
        *_SHEETS[line.kind](report.facts),
    )


def sheet(name: str, rows: Iterable[Mapping[str, Any]], heads: Mapping[str, str]) -> ReportSheet:
    """A table of the same keys of every row; what a row does not have is empty.

    Args:
        name: Of the sheet.
        rows: Of the facts.
        heads: Head of a column by its key; a key that ends in `*` holds a moment.
    """
    return ReportSheet(
        name,
        tuple(heads.values()),
        tuple(tuple(_cell(row, key) for key in heads) for row in rows),
    )


def _cell(row: Mapping[str, Any], key: str) -> Cell:
    value = row.get(key.removesuffix("*"))
    if value is None or value == "":
        return None
    if key.endswith("*"):
        return datetime.fromisoformat(value)
    return value if isinstance(value, str | float | int) else ", ".join(map(str, value))


MEASURES = {
    "about": "About", "gate": "Gate", "state": "State", "label": "Measure", "value": "Value", "low": "Low",
    "high": "High", "relation": "Relation", "limit": "Limit", "unit": "Unit", "n": "n", "n_clusters": "Clusters",
    "clusters": "Clusters are", "level": "Level", "method": "Method", "bound": "Bound", "reason": "Why",
    "evidence_id": "Evidence",
}  # fmt: skip


def measures(gates: Iterable[Mapping[str, Any]], about: str) -> list[dict[str, Any]]:
    """The measures of gates as rows; a gate that was overridden says so in its state."""
    return [
        {
            **one,
            "about": about,
            "gate": gate["name"],
            "state": gate["state"] if gate["state"] == "overridden" else one["state"],
            "reason": one["reason"] or gate["reason"],
        }
        for gate in gates
        for one in gate["measures"]
    ]


def _weekly_verdict(facts: Facts) -> Sequence[tuple[Cell, ...]]:
    verdict, rows, version = facts["verdict"], facts["rows"], facts["version"]
    return (
        ("health", verdict["health"]),
        ("headline", verdict["headline"] or None),
        ("why", verdict["why"] or None),
        ("live version", None if version is None else version["label"]),
        ("rows of the week", rows["n"]),
        ("of them with label", rows["labelled"]),
        ("ripe days", rows["ripe_days"]),
        ("inputs watched", facts["inputs"]["watched"]),
        ("columns moved", ", ".join(facts["inputs"]["moved"]) or None),
    )


def _weekly(facts: Facts) -> tuple[ReportSheet, ...]:
    told = facts["performance"]
    days = [] if told is None else [
        dict(zip(("day", "n", "labelled", "daily", "value", "low", "high"), one, strict=True)) for one in told["points"]
    ]  # fmt: skip
    metric = "Value" if told is None else told["label"]
    live = "" if facts["version"] is None else facts["version"]["label"]
    gates = measures(facts["gates"], live)
    for proposal in facts["proposals"]:
        gates += measures(proposal["gates"], proposal["version"])
    return (
        sheet(
            "Metrics",
            facts["metrics"],
            {"label": "Metric", "value": "Value", "low": "Low", "high": "High", "n": "n", "n_days": "Days",
             "method": "Method", "reason": "Why not", "until*": "Until", "source": "Source"},
        ),
        sheet(
            "Days",
            days,
            {"day*": "Day begins", "n": "Rows", "labelled": "With label", "daily": f"{metric}, the day alone",
             "value": f"{metric}, trailing mean", "low": "Low", "high": "High"},
        ),
        sheet(
            "Inputs",
            facts["inputs"]["columns"],
            {"name": "Column", "kind": "Kind", "verdict": "Verdict", "psi": "PSI", "low": "Low", "high": "High",
             "usual": "Usual PSI", "excess": "Excess", "missing_reference": "Missing in reference",
             "missing": "Missing", "unseen": "Unseen", "out_of_range": "Out of range", "n": "n", "reason": "Why not"},
        ),
        sheet(
            "Alerts",
            facts["alerts"],
            {"title": "Alert", "kind": "Kind", "severity": "Severity", "state": "State", "version": "Version",
             "cause": "Likely cause", "opened_at*": "Opened", "closed_at*": "Closed", "owner": "Owner",
             "last_answer": "Answer"},
        ),
        sheet(
            "Proposals",
            facts["proposals"],
            {"version": "Version", "state": "State", "proposer": "Proposed by", "since*": "Since",
             "against": "Against", "comment": "Why"},
        ),
        sheet("Gates", gates, MEASURES),
        sheet(
            "What happened",
            facts["happened"]["events"],
            {"at*": "When", "what": "What", "about": "About", "who": "Who", "why": "Why", "entry": "Ledger"},
        ),
    )  # fmt: skip


_VERDICTS: Mapping[ReportKind, Callable[[Facts], Sequence[tuple[Cell, ...]]]] = {ReportKind.WEEKLY: _weekly_verdict}
_SHEETS: Mapping[ReportKind, Callable[[Facts], tuple[ReportSheet, ...]]] = {ReportKind.WEEKLY: _weekly}
