"""What the last ripe answers were worth: which class was taken for which, and whether scores came true."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlops_dash.domain.cadence import Cadence
from mlops_dash.domain.monitoring.readings import Reading
from mlops_dash.services.monitoring.measuring import LEVEL, by_day
from mlops_dash.store.db import Session
from mlops_dash.store.monitoring import profiles
from mlops_dash.store.monitoring.parts import unpack
from mlops_dash.store.monitoring.references import Reference
from mlops_dash.store.prediction_log import to_us

_DAY_US = 86_400_000_000


def latest_answers(session: Session, reference: Reference, own: Sequence[Reading], cadence: Cadence) -> dict[str, Any]:
    """What the task keeps of labelled rows, over the last ripe windows, as fields of a `MonitoringRoom`.

    Args:
        session: Of the database with the stored profiles.
        reference: Of the version in service.
        own: Readings of that version, oldest first.
        cadence: How often it is judged.
    """
    task, scale = reference.layout.task, reference.layout.scale
    ripe = [one for one in own if one.ripe and one.n_labelled][-cadence.long :]
    if not ripe or not reference.labelled or (task.confusion_of(()) is None and not task.has_reliability):
        return {}
    spans, names = [(to_us(one.start), to_us(one.end)) for one in ripe], {one.batch for one in ripe}
    until = max(end for _, end in spans)
    held = profiles.pieces(session, reference.id, cadence.pieces, start_us=spans[0][0], end_us=until)
    kept = [
        one
        for one in held
        if (one.batch in names if cadence.is_batch else any(first <= one.at_us < last for first, last in spans))
    ]
    parts = [unpack(reference.layout, one.packed) for one in kept]
    apart = cadence.is_batch and cadence.cluster(reference.n_days) != "day"
    clusters = [
        (one.batch if apart else str(one.at_us // _DAY_US), part) for one, part in zip(kept, parts, strict=True)
    ]
    days = [part.labelled for part in by_day(clusters)]  # hours of one day are no witnesses of their own
    past = [part.labelled for part in reference.windows]
    return {
        "confusion": task.confusion_of([part.labelled for part in parts]),
        "confusion_days": len(names) if cadence.is_batch else len(parts),
        "reliability": task.reliability_of(scale, days, level=LEVEL),
        "reliability_then": task.reliability_of(scale, past, level=LEVEL),
    }
