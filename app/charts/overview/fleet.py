"""The words of the fleet table: rows in, formatted text for every cell out. Nothing here is HTML.

What is not known is None, and the table draws it as missing; colour follows the health word alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from mlops_dash.domain import format as fmt
from mlops_dash.domain.cadence import plural_of
from mlops_dash.domain.fleet.rows import FleetRow
from mlops_dash.domain.monitoring.judging import LONG_DAYS
from mlops_dash.domain.monitoring.readings import words_of
from mlops_dash.domain.words import Health, Progress, look

_STEPS = {
    Progress.REGISTERED: "a version",
    Progress.EVIDENCE: "evidence",
    Progress.PREDICTIONS: "predictions",
    Progress.LABELS: "labels",
    Progress.GATED: "passed gates",
}
_COLUMNS = (
    ("model", "Model", "model"),
    ("health", "Health", "badge"),
    ("live", "Live", "text"),
    ("metric", "Performance", "text"),
    ("reference", "Reference", "number"),
    ("trend", "Last 30 days", "trend"),
    ("moved", "Inputs moved", "text"),
    ("volume", "Last 24 h", "number"),
    ("label", "Last label", "number"),
    ("deployed", "Deployed", "number"),
)


def table(rows: Sequence[FleetRow], now: datetime, zone: str) -> dict[str, Any]:
    """The table's words. A column without a value for any of these models is left out."""
    shown = [_shown(one, now, zone) for one in rows]
    kept = [
        {"key": key, "label": label, "kind": kind}
        for key, label, kind in _COLUMNS
        if key == "model"
        or any(one["cells"].get(key) is not None for one in shown)
        or (key == "metric" and any(one["step"] for one in shown))  # next steps stand there
    ]
    return {"caption": f"{fmt.plural(len(rows), 'model')}, the worst first", "columns": kept, "rows": shown}


def _shown(row: FleetRow, now: datetime, zone: str) -> dict[str, Any]:
    step = row.next_step if row.estimate is None else None
    return {
        "id": row.model,
        "name": row.model,
        "title": "" if row.title == row.model else row.title,
        "step": "" if step is None else step.sentence,
        "stepHref": _href(row, step=True),
        "href": _href(row, step=False),
        "cells": {
            "health": _health(row),
            "live": {"text": f"v{row.version}"} if row.version else None,
            "metric": _metric(row),
            "reference": _reference(row),
            "trend": trend(row),
            "moved": _moved(row),
            "volume": _volume(row),
            "label": _moment(row.last_label_at, now, zone),
            "deployed": _moment(row.deployed_at, now, zone),
        },
    }


def leads_to(row: FleetRow, *, step: bool) -> str:
    """The page that a row opens: Monitoring, or where its next step is done."""
    return row.next_step.page if step and row.next_step is not None else "monitoring"


def _href(row: FleetRow, *, step: bool) -> str:
    return f"/{leads_to(row, step=step)}?model={quote(row.model, safe='')}"


def _health(row: FleetRow) -> dict[str, Any]:
    shown = look(row.health)
    sub = row.stale or ("labels overdue" if row.late else "")
    if not sub and not row.labelled:
        sub = "no labels: drift and volume only"
    if not sub and row.estimate is None:
        reached = [_STEPS[step] for step in row.reached]
        sub = f"has {words_of(reached)}" if reached and row.next_step is not None else row.why
    return {"icon": shown.icon, "label": shown.label, "colour": shown.colour, "sub": sub.rstrip(".")}


def _value(row: FleetRow) -> tuple[str, str]:
    """The metric and its interval: `0.646`, `[0.616, 0.676]`; the unit stands with the value."""
    estimate = row.estimate
    if estimate is None or estimate.value is None:
        return fmt.MISSING, ""
    unit = f" {row.unit}" if row.unit else ""
    interval = fmt.interval(estimate.low, estimate.high, row.decimals, signed=False)
    return f"{fmt.metric(estimate.value, row.decimals)}{unit}", "" if interval == fmt.MISSING else interval


def _metric(row: FleetRow) -> dict[str, Any] | None:
    estimate = row.estimate
    if estimate is None or estimate.value is None:
        return None
    value, interval = _value(row)
    days = fmt.plural(estimate.n_days, row.window, plural_of(row.window))
    return {
        "text": value,
        "beside": interval,
        "sub": row.metric_label,
        "note": _when(row, estimate.n_days),
        "faded": not row.current,
        "title": f"{fmt.whole(estimate.n)} rows on {days}; {estimate.method}",
    }


def _when(row: FleetRow, n_days: int) -> str:
    """Which days the value is about, where the heading does not say it."""
    if not row.current:
        return f"last known {fmt.day(last_day(row.known_at), row.zone)}"
    return (
        ""
        if n_days == LONG_DAYS
        else f"over {fmt.plural(n_days, f'ripe {row.window}', f'ripe {plural_of(row.window)}')}"
    )


def last_day(end: datetime | None) -> datetime | None:
    """A moment inside the last day of a window that ends at midnight."""
    return None if end is None else end - timedelta(microseconds=1)


def _reference(row: FleetRow) -> dict[str, Any] | None:
    if row.baseline is None:
        return None
    unit = f" {row.unit}" if row.unit else ""
    gap = row.gap
    better = gap is not None and (gap > 0) is row.higher_is_better
    said = "" if gap is None else f"{'better' if better else 'worse'} by {fmt.metric(abs(gap), row.decimals)}{unit}"
    return {"text": f"{fmt.metric(row.baseline, row.decimals)}{unit}", "sub": said and f"now {said}"}


def trend(row: FleetRow) -> dict[str, Any] | None:
    """The sparkline: the same mean as the value beside it, one point a window, with what it says in words."""
    known = [v for v in row.trend if v is not None]
    if not known:
        return None
    show = [fmt.metric(v, row.decimals) for v in (min(known), max(known), known[-1])]
    gaps = len(row.trend) - len(known)
    many = plural_of(row.window)
    alt = (
        f"{row.metric_label} of {row.model} over the last {fmt.plural(len(row.trend), row.window, many)}: "
        f"between {show[0]} and {show[1]}, last {show[2]}"
        + ("" if row.baseline is None else f", reference {fmt.metric(row.baseline, row.decimals)}")
        + (f"; {fmt.plural(gaps, row.window, plural_of(row.window))} without ripe labels." if gaps else ".")
    )
    colour = {Health.HARMED: "red", Health.AT_RISK: "orange"}.get(row.health, "gray")
    last = row.estimate
    low, high = (None, None) if last is None else (last.low, last.high)
    return {"points": list(row.trend), "baseline": row.baseline, "low": low, "high": high, "alt": alt, "colour": colour}


def _moved(row: FleetRow) -> dict[str, Any] | None:
    if row.n_inputs is None:
        return None
    return {"text": f"{len(row.moved)} of {row.n_inputs}", "sub": words_of(row.moved, most=2) if row.moved else ""}


def _volume(row: FleetRow) -> dict[str, Any] | None:
    if row.last_day is None:
        return None
    usual = "" if row.usual_day is None else f"usually {fmt.count(row.usual_day)}"
    return {"text": fmt.count(row.last_day), "sub": usual}


def _moment(at: datetime | None, now: datetime, zone: str) -> dict[str, Any] | None:
    return None if at is None else {"text": fmt.ago(now, at), "title": fmt.instant(at, zone)}
