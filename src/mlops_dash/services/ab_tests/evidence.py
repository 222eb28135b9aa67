"""The reading of a stopped test as evidence: what proposals, approvals, ledger and reports carry."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from mlops_dash import __version__
from mlops_dash.domain.ab_tests.outcomes import metric_of
from mlops_dash.domain.ab_tests.readings import Measured, Reading
from mlops_dash.domain.ab_tests.rules import ABTest
from mlops_dash.domain.evidence import Evidence
from mlops_dash.domain.registry.records import Version
from mlops_dash.store import registry as registry_store
from mlops_dash.store.db import Session


def evidence_of(session: Session, test: ABTest, last: Reading, now: datetime) -> list[Evidence]:
    """The outcome, the guardrails, the paired reading: one evidence each, with the rows' digest."""
    challenger = registry_store.version(session, test.challenger_id)
    control = registry_store.version(session, test.control_id)
    one_sided = f"one-sided bounds at {1 - test.design.alpha:.0%}, "
    found = [_one(test, challenger, control, last, last.primary, "ab_test", last.method, now)]
    found += [
        _one(test, challenger, control, last, one, "ab_guardrail", one_sided + last.method, now)
        for one in last.guardrails
    ]
    found += [
        _one(test, challenger, control, last, one, "ab_other", f"corrected for {len(last.others)}, " + last.method, now)
        for one in last.others
    ]
    if last.paired is not None:
        method = "paired jackknife over days, one look"
        found.append(_one(test, challenger, control, last, last.paired, "ab_paired", method, now))
    return found


def _one(
    test: ABTest,
    challenger: Version,
    control: Version,
    last: Reading,
    measured: Measured,
    kind: str,
    method: str,
    now: datetime,
) -> Evidence:
    computable = measured.value is not None and measured.low is not None
    details: dict[str, Any] = {
        "candidate": measured.challenger,
        "champion": measured.control,
        "margin": measured.margin,
        "mismatch_log_e": last.mismatch_log_e,
        "design": test.design.digest,
    }
    return Evidence(
        kind=kind,
        subject=challenger.subject,
        comparator=control.subject,
        metric=measured.metric,
        direction=str(metric_of(measured.metric).direction),
        value=measured.value if computable else None,
        low=measured.low if computable else None,
        high=measured.high if computable else None,
        level=1.0 - test.design.alpha,
        n=last.paired_rows if kind == "ab_paired" else last.units,
        n_clusters=last.days,
        method=method,
        bound=f"units drawn at random ({test.design.unit_words}); ripe days of {test.design.zone}",
        window_start=test.started_at,
        window_end=min(now, test.window_end or now),
        digests={
            "candidate": challenger.id,
            "champion": control.id,
            "artifact": challenger.artifact_digest,
            "rows": last.digest,
            "test": test.id,
        },
        code_version=__version__,
        computed_at=now,
        state="ok" if computable else "not_computable",
        reason=measured.reason,
        details=details,
    )
