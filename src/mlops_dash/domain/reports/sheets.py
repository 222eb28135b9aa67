"""A report's facts as tables for a spreadsheet: numbers with every digit, moments as moments, nothing rounded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mlops_dash.domain.cadence import plural_of
from mlops_dash.domain.reports.counted import window_of
from mlops_dash.domain.reports.remarks import REMARK_LABELS, Remark
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
        ("model", line.of),
        ("about", line.about),
        ("from", line.week.start),
        ("until", line.week.end),
        ("zone", line.week.zone),
        ("facts sha256", line.sha256),
        ("made by", line.made_by),
        ("made at", line.made_at),
    ]
    return (
        ReportSheet("About", ("What", "Value"), (*about, *_VERDICTS[line.kind](report.facts))),
        *tables_of(report.facts),
    )


def remark_sheets(remarks: Sequence[Remark]) -> tuple[ReportSheet, ...]:
    """What people said of a report, oldest first, as its last table; none where nobody said anything."""
    rows = tuple((REMARK_LABELS[one.kind], one.name, one.at, one.text) for one in remarks)
    return (ReportSheet("Sign-offs and comments", ("What", "Who", "When", "In words"), rows),) if rows else ()


def tables_of(facts: Facts) -> tuple[ReportSheet, ...]:
    """The tables of a report's facts, without its summary."""
    return _SHEETS[ReportKind(facts["kind"])](facts)


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
        (f"ripe {plural_of(window_of(facts))}", rows["ripe_days"]),
        ("inputs watched", facts["inputs"]["watched"]),
        ("columns moved", ", ".join(facts["inputs"]["moved"]) or None),
    )


def _weekly(facts: Facts) -> tuple[ReportSheet, ...]:
    told = facts["performance"]
    days = [] if told is None else [
        dict(zip(("day", "n", "labelled", "daily", "value", "low", "high"), one, strict=True)) for one in told["points"]
    ]  # fmt: skip
    metric = "Value" if told is None else told["label"]
    window = window_of(facts)
    windows = plural_of(window).capitalize()
    live = "" if facts["version"] is None else facts["version"]["label"]
    gates = measures(facts["gates"], live)
    for proposal in facts["proposals"]:
        gates += measures(proposal["gates"], proposal["version"])
    return (
        sheet(
            "Metrics",
            facts["metrics"],
            {"label": "Metric", "value": "Value", "low": "Low", "high": "High", "n": "n", "n_days": windows,
             "method": "Method", "reason": "Why not", "until*": "Until", "source": "Source"},
        ),
        sheet(
            windows,
            days,
            {"day*": f"{window.capitalize()} begins", "n": "Rows", "labelled": "With label",
             "daily": f"{metric}, the {window} alone",
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


def _said_verdict(facts: Facts) -> Sequence[tuple[Cell, ...]]:
    verdict = facts["verdict"]
    return (("verdict", verdict["word"]), ("in a sentence", verdict["said"]), ("next", verdict["next"] or None),
            *facts["key"].items())  # fmt: skip


def _promotion(facts: Facts) -> tuple[ReportSheet, ...]:
    run = facts["lineage"]["run"] or {}
    named = {f"semantic {key}": value for key, value in facts.get("semantic", {}).items() if key != "said"}
    lineage = {**named, **facts["lineage"], **facts["digests"], **{f"run {key}": value for key, value in run.items()}}
    flat = [
        {"what": name.replace("_", " "), "value": value}
        for name, value in lineage.items()
        if name not in ("run", "run datasets")
    ]
    return (
        sheet("Gates", measures(facts["gates"], facts["subject"]), MEASURES),
        sheet(
            "Approvals",
            facts["approvals"],
            {"who": "Who", "kind": "Kind", "gate": "Gate", "at*": "When", "comment": "Why", "holds": "Counts",
             "reason": "Why not"},
        ),
        sheet(
            "Roll-out",
            [] if facts["rollout"] is None else [facts["rollout"]],
            {"kind": "Kind", "state": "State", "decided_by": "Decided by", "reason": "Why", "decided_at*": "Decided",
             "alias_moved_at*": "Mark moved", "delivered_at*": "Delivered", "confirmed_at*": "Confirmed",
             "error": "Error"},
        ),
        sheet("Lineage", flat, {"what": "What", "value": "Value"}),
        sheet(
            "Data sets", run.get("datasets", []), {"name": "Data set", "digest": "Digest"},
        ),
        sheet(
            "Evidence",
            facts["evidence"],
            {"id": "Evidence", "kind": "Kind", "subject": "Subject", "comparator": "Against", "metric": "Metric",
             "direction": "Direction", "value": "Value", "low": "Low", "high": "High", "level": "Level", "n": "n",
             "n_clusters": "Clusters", "method": "Method", "bound": "Bound", "state": "State", "reason": "Why not",
             "window_start*": "From", "window_end*": "Until", "computed_at*": "Computed", "code_version": "Code"},
        ),
        sheet(
            "Ledger",
            facts["ledger"],
            {"number": "No.", "at*": "When", "what": "What", "who": "Who", "sentence": "In a sentence", "why": "Why"},
        ),
    )  # fmt: skip


def _ab_result(facts: Facts) -> tuple[ReportSheet, ...]:
    read, test = facts["reading"], facts["test"]
    arms = [] if read is None else [{"arm": test[name], "as": name, **read[name]} for name in ("challenger", "control")]
    return (
        sheet(
            "Measures",
            facts["measures"],
            {"label": "Metric", "role": "Role", "state": "State", "challenger": "Challenger", "control": "Control",
             "value": "Difference", "low": "Low", "high": "High", "margin": "Margin", "reason": "Why not"},
        ),
        sheet(
            "Looks",
            [] if read is None else read["looks"],
            {"day": "Day", "n_challenger": "n challenger", "n_control": "n control", "value": "Difference",
             "low": "Low", "high": "High", "p": "p, smallest so far"},
        ),
        sheet(
            "Arms",
            arms,
            {"arm": "Version", "as": "Arm", "assigned": "Answered", "ripe": "Of ripe days",
             "outcomes": "With an outcome"},
        ),
        sheet(
            "Design",
            [{"what": key.replace("_", " "), "value": value} for key, value in {**test, **facts["design"]}.items()],
            {"what": "What", "value": "Value"},
        ),
    )  # fmt: skip


def _fleet(facts: Facts) -> tuple[ReportSheet, ...]:
    return (
        sheet(
            "Models",
            facts["models"],
            {"name": "Model", "title": "Title", "health": "Verdict", "version": "Live version", "metric": "Metric",
             "value": "Value", "low": "Low", "high": "High", "unit": "Unit", "n": "n", "n_days": "Windows",
             "method": "Method", "reference": "Reference", "moved": "Inputs moved", "n_inputs": "Inputs",
             "as_of*": "Judged to", "why": "Why", "stale": "Stale", "due": "Due"},
        ),
        sheet(
            "Due",
            facts["due"],
            {"model": "Model", "word": "What", "sentence": "In a sentence", "cause": "Likely cause",
             "action": "To do", "since*": "Since", "taken_by": "Taken by"},
        ),
    )  # fmt: skip


def _card(facts: Facts) -> tuple[ReportSheet, ...]:
    version = [] if facts["version"] is None else facts["version"].items()
    return (
        sheet("In words", facts["card"]["fields"], {"label": "What", "text": "In words", "hint": "Asked for"}),
        sheet(
            "Metrics",
            facts["metrics"],
            {"label": "Metric", "value": "Value", "low": "Low", "high": "High", "level": "Level", "unit": "Unit",
             "n": "n", "n_clusters": "Clusters", "clusters": "Clusters are", "method": "Method"},
        ),
        sheet("Facts", [{"what": name.replace("_", " "), "value": value} for name, value in version],
              {"what": "What", "value": "Value"}),
        sheet("Inputs", facts["inputs"] or [], {"name": "Name", "kind": "Type", "required": "Required"}),
    )  # fmt: skip


_VERDICTS: Mapping[ReportKind, Callable[[Facts], Sequence[tuple[Cell, ...]]]] = {
    ReportKind.WEEKLY: _weekly_verdict,
    ReportKind.PROMOTION: _said_verdict,
    ReportKind.AB_RESULT: _said_verdict,
    ReportKind.FLEET: _said_verdict,
    ReportKind.CARD: _said_verdict,
}
_SHEETS: Mapping[ReportKind, Callable[[Facts], tuple[ReportSheet, ...]]] = {
    ReportKind.WEEKLY: _weekly,
    ReportKind.PROMOTION: _promotion,
    ReportKind.AB_RESULT: _ab_result,
    ReportKind.FLEET: _fleet,
    ReportKind.CARD: _card,
}
