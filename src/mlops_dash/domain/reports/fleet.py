"""The facts of a fleet summary: every model's verdict, its number, and what is due. From what the Overview shows."""

from __future__ import annotations

from typing import Any

from mlops_dash.domain import format as fmt
from mlops_dash.domain.fleet.attention import Attention
from mlops_dash.domain.fleet.room import FleetRoom
from mlops_dash.domain.fleet.rows import WORST_FIRST, FleetRow
from mlops_dash.domain.reports.facts import iso
from mlops_dash.domain.reports.snapshot import ReportKind
from mlops_dash.domain.words import Health, look

FORMAT = 1


def fleet_facts(room: FleetRoom) -> dict[str, Any]:
    """The facts, JSON-able."""
    due = [_due(one) for one in room.attention]
    health = {str(word): n for word, n in room.health.items() if n}
    verdict = _verdict(room, len(due))
    coverage = None if room.coverage is None or not room.coverage.n else room.coverage
    return {
        "kind": str(ReportKind.FLEET),
        "format": FORMAT,
        "subject": "all models",
        "zone": "UTC",
        "verdict": verdict,
        "health": health,
        "decisions_open": room.decisions_open,
        "alerts_open": room.alerts_open,
        "proposals_open": room.proposals_open,
        "coverage": None if coverage is None else {"n": coverage.n, "labelled": coverage.n_labelled},
        "as_of": iso(room.as_of),
        "models": [_model(row, room) for row in room.rows],
        "due": due,
        "key": {
            "models": str(len(room.rows)),
            **{look(word).label: str(room.health[word]) for word in WORST_FIRST},
            "waiting": str(room.decisions_open),
        },
    }


def _model(row: FleetRow, room: FleetRoom) -> dict[str, Any]:
    one = row.estimate
    own = [due for due in room.attention if due.model == row.model]
    step = row.to_verdict
    return {
        "name": row.model, "title": row.title, "version": row.version, "health": str(row.health), "why": row.why,
        "headline": row.headline, "stale": row.stale, "zone": row.zone, "window": row.window,
        "as_of": iso(row.as_of), "metric": row.metric_label, "decimals": row.decimals, "unit": row.unit,
        "value": None if one is None else one.value, "low": None if one is None else one.low,
        "high": None if one is None else one.high, "n": None if one is None else one.n,
        "n_days": None if one is None else one.n_days, "method": "" if one is None else one.method,
        "reason": "" if one is None else one.reason, "current": row.current, "reference": row.baseline,
        "moved": list(row.moved), "n_inputs": row.n_inputs,
        "due": own[0].sentence if own else "" if step is None else step.sentence,
    }  # fmt: skip


def _due(one: Attention) -> dict[str, Any]:
    return {"model": one.model, "word": one.label or look(one.word).label, "sentence": one.sentence,
            "cause": one.cause, "action": one.action, "since": iso(one.since), "taken_by": one.taken_by}  # fmt: skip


def _verdict(room: FleetRoom, due: int) -> dict[str, str]:
    counts = room.health
    worst = next((word for word in WORST_FIRST if counts[word]), Health.NOT_KNOWN)
    if not room.rows:
        return {"concept": "Health", "word": str(worst), "said": "No model is watched yet.", "next": ""}
    parts = [f"{look(word).label} {counts[word]}" for word in WORST_FIRST if counts[word]]
    said = f"{fmt.plural(len(room.rows), 'model')}: {', '.join(parts)}."
    first = room.attention[0] if room.attention else None
    ask = ""
    if first is not None:
        more = f", and {fmt.plural(due - 1, 'more thing')} below" if due > 1 else ""
        about = f" ({first.model})" if first.model else ""
        step = first.cause.removeprefix("Next: ").rstrip(".")
        if step == first.cause.rstrip("."):  # what is to be done is the button's word, unless the cause says it
            step = f"{first.action[:1].lower()}{first.action[1:]}"
        ask = f"Next: {step}{about}{more}."
    return {"concept": "Health", "word": str(worst), "said": said, "next": ask}
