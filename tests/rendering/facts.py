"""Facts of a week as `domain.reports_facts.weekly_facts` makes them, small and complete."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

FIRST = datetime(2013, 5, 2, 4, tzinfo=UTC)


def _points() -> list[list[Any]]:
    found: list[list[Any]] = []
    for day in range(30):
        at = (FIRST + timedelta(days=day)).isoformat()
        known = [0.64, 0.646, 0.616, 0.676] if day < 28 else [None, None, None, None]
        found.append([at, 143, 138, *known])
    return found


def _estimate(**changes: Any) -> dict[str, Any]:
    values = {"value": 0.646, "low": 0.616, "high": 0.676, "n": 5644, "n_days": 28, "reason": "",
              "method": "last 28 ripe days, jackknife over days"}  # fmt: skip
    return {**values, **changes}


def _gate(name: str, **measure: Any) -> dict[str, Any]:
    values = {"label": "ROC AUC, candidate alone", "metric": "auc", "state": "passed", "value": 0.68, "low": 0.659,
              "high": 0.699, "limit": 0.6, "relation": "≥", "difference": False, "level": 0.95, "n": 49956,
              "n_clusters": 59, "method": "jackknife over days", "bound": "out of fold by day", "reason": "",
              "evidence_id": "fabcd72faeb5e" * 4, "decimals": 3}  # fmt: skip
    return {"name": name, "state": "passed", "required": True, "reason": "", "measures": [{**values, **measure}]}


def _column(name: str, psi: float, verdict: str) -> dict[str, Any]:
    return {"name": name, "kind": "numeric", "verdict": verdict, "psi": psi, "excess": psi, "low": psi - 0.02,
            "high": psi + 0.02, "usual": 0.3, "ratio": psi / 0.3, "q": 0.0, "missing_reference": 0.0, "missing": 0.01,
            "unseen": 0.0, "out_of_range": 0.0, "n": 1000, "reason": ""}  # fmt: skip


FACTS: dict[str, Any] = {
    "kind": "weekly_review",
    "format": 1,
    "model": {"name": "flight-delay", "title": "Late arrivals", "owner": "scientist", "tier": 2},
    "week": {"start": "2013-05-25T04:00:00+00:00", "end": "2013-06-01T04:00:00+00:00", "zone": "America/New_York"},
    "judged_until": "2013-06-01T04:00:00+00:00",
    "verdict": {"health": "inputs_moved", "headline": "ROC AUC within the day 0.646 over the last 28 ripe days.",
                "why": "temp moved", "stale": "", "empty": "", "next": ""},
    "version": {"number": "1", "label": "v1", "artifact": "c90f", "data": "1318", "recipe": "first",
                "training_start": None, "training_end": None, "since": "2013-05-09T04:00:00+00:00"},
    "served": [{"label": "v1", "since": "2013-05-09T04:00:00+00:00", "until": None}],
    "rows": {"n": 1000, "labelled": 970, "days": 7, "ripe_days": 6},
    "label_rate": _estimate(value=0.231, low=0.18, high=0.282, n=25231),
    "reference": {"start": "2013-01-01T05:00:00+00:00", "end": "2013-03-01T05:00:00+00:00", "n_rows": 49956,
                  "n_days": 59, "n_weeks": 8, "method": "out-of-fold scores", "label_rate": 0.228},
    "performance": {
        "metric": "day_auc", "label": "ROC AUC within the day", "higher_is_better": True, "trailing_days": 28,
        "decimals": 3, "unit": "",
        "now": {**_estimate(), "until": "2013-05-31T04:00:00+00:00"},
        "week_before": {**_estimate(value=0.652, low=0.622, high=0.682), "until": "2013-05-24T04:00:00+00:00"},
        "reference": 0.659, "bound": 0.633, "bound_is_harm": True, "awaiting_from": "2013-05-30T04:00:00+00:00",
        "points": _points(),
        "bands": [{"version": "1", "start": FIRST.isoformat(), "end": None}],
        "ticks": [{"at": (FIRST + timedelta(days=n)).isoformat(), "kind": kind, "text": kind}
                  for n, kind in enumerate(("alert", "retrain", "promote", "rollback", "test"), start=3)],
    },
    "metrics": [{"metric": "day_auc", "label": "ROC AUC within the day", **_estimate(),
                 "until": "2013-05-31T04:00:00+00:00", "source": "reading 7a69bef79c88dc90, revision 2"},
                {"metric": "label_rate", "label": "Label rate", **_estimate(value=0.231, low=None, high=None),
                 "until": "2013-05-31T04:00:00+00:00", "source": "reading 7a69bef79c88dc90, revision 2"}],
    "inputs": {"start": "2013-05-25T04:00:00+00:00", "end": "2013-06-01T04:00:00+00:00", "watched": 3,
               "moved": ["temp"], "not_computable": 1,
               "columns": [_column("temp", 8.48, "watch"), _column("(score)", 0.1, "stable")], "odd": []},
    "alerts": [{"kind": "inputs", "severity": "notice", "state": "open", "version": "1", "title": "Inputs moved: temp",
                "cause": "temp moved", "opened_at": "2013-05-26T04:00:00+00:00", "closed_at": None, "owner": "",
                "last_answer": ""}],
    "proposals": [{"version": "v3", "state": "open", "proposer": "Scientist", "since": "2013-06-01T04:01:30+00:00",
                   "comment": "newer months", "against": "v1",
                   "gates": [_gate("primary metric", value=-0.019, low=-0.033, high=-0.004, difference=True,
                                   relation="<", limit=0.0)]}],
    "gates": [_gate("guardrail and floor"), _gate("signature", metric="signature", label="Signature", value=1.0,
                                                  low=None, high=None, n_clusters=None)],
    "happened": {"events": [{"at": "2013-05-27T04:00:00+00:00", "what": "Proposal opened", "about": "flight-delay v3",
                             "who": "scientist", "why": "newer months", "entry": 29}], "more": 0},
    "watch": {"alpha": 0.05, "restarts": 0, "watch_excess": 0.1, "drift_excess": 0.25, "policy": "2fa8"},
}  # fmt: skip
