"""The facts of an A/B result: what was asked, how it was fixed, what ripe days say, and what follows.

From what the A/B page shows: while a test is blind, no outcome is in them.
"""

from __future__ import annotations

import json
from typing import Any

from mlops_dash.domain.ab_tests.outcomes import metric_of
from mlops_dash.domain.ab_tests.readings import Measured, Reading
from mlops_dash.domain.ab_tests.room import ABRoom
from mlops_dash.domain.ab_tests.rules import READINGS, ABTest
from mlops_dash.domain.reports.facts import iso
from mlops_dash.domain.reports.snapshot import ReportKind
from mlops_dash.domain.words import ABState, ABVerdict, look
from mlops_dash.ids import canonical_json

FORMAT = 1


def ab_facts(room: ABRoom, test: ABTest) -> dict[str, Any]:
    """The facts, JSON-able, from the A/B page's read with this test selected."""
    design, read = test.design, room.reading
    measured = [] if read is None else [_measure(one, read) for one in (read.primary, *read.guardrails, *read.others)]
    verdict = _verdict(room, test)
    return {
        "kind": str(ReportKind.AB_RESULT),
        "format": FORMAT,
        "subject": test.name,
        "model": {"name": test.model, "title": ""},
        "zone": design.zone,
        "test": {
            "id": test.id, "question": test.question, "state": str(test.state), "challenger": test.challenger,
            "control": test.control, "designed_by": _name(room, test.designed_by), "designed_at": iso(test.designed_at),
            "started_by": _name(room, test.started_by), "started_at": iso(test.started_at),
            "ends_at": None if test.paused else iso(test.ends_at), "stopped_by": _name(room, test.stopped_by),
            "stopped_at": iso(test.stopped_at), "stop_reason": test.stop_reason,
        },
        "design": {
            "outcome": metric_of(design.outcome).label, "unit": design.unit_words, "share": design.share,
            "days": design.days, "planned_units": design.planned_units, "min_units": design.min_units,
            "alpha": design.alpha, "reading": READINGS[design.reading],
            "label_delay_hours": design.label_delay_hours, "ripe_coverage": design.ripe_coverage,
        },
        "verdict": verdict,
        "measures": measured,
        "reading": None if read is None else json.loads(canonical_json(read.as_json())),  # tuples become lists
        "evidence_ids": list(test.evidence_ids),
        "key": {
            "verdict": verdict["said"],
            "state": look(test.state).label,
            "ripe days": "0" if read is None else str(read.days),
            "units with an outcome": "0" if read is None else f"{read.units:,}",
        },
    }  # fmt: skip


def _name(room: ABRoom, actor_id: str) -> str:
    return room.names.get(actor_id, actor_id.removeprefix("user:"))


def _measure(one: Measured, read: Reading) -> dict[str, Any]:
    metric = metric_of(one.metric)
    return {
        "label": metric.label, "role": "primary" if one.margin is None else "guardrail", "decimals": metric.decimals,
        "challenger": one.challenger, "control": one.control, "value": one.value, "low": one.low, "high": one.high,
        "margin": one.margin, "state": "" if read.blind else str(one.state), "reason": one.reason,
        "lower_is_better": one.lower_is_better,
    }  # fmt: skip


def _verdict(room: ABRoom, test: ABTest) -> dict[str, str]:
    if room.verdict is None:
        ask = "Start it on the page A/B tests." if test.state is ABState.DESIGNED else ""
        return {"concept": "ABState", "word": str(test.state), "said": f"{test.name} has not begun.", "next": ask}
    word, running = room.verdict.word, test.state is ABState.RUNNING
    asks = {
        ABVerdict.SHIP: f"Propose {test.challenger} on the page A/B tests.",
        ABVerdict.STOP_HARM: "Stop it now on the page A/B tests." if running else "",
        ABVerdict.INVALID: "Find what drops or repeats units, then test again.",
        ABVerdict.KEEP: f"Stop it; {test.control} stays live." if running else "",
        ABVerdict.UNDECIDED: "Stop it; nothing is known." if running else "",
    }
    return {
        "concept": "ABVerdict", "word": str(word), "said": f"{test.name}: {room.verdict.reason}",
        "next": asks.get(word, ""),
    }  # fmt: skip
