"""What an explanation stands on: the version in service with its reference and rules, and rows of the log to ask it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from mlops_dash.domain.policies import MonitoringPolicy, PolicyKind
from mlops_dash.errors import NotFound
from mlops_dash.services.command import Context
from mlops_dash.services.monitoring.sifting import sift
from mlops_dash.services.monitoring.spread import spread_rows
from mlops_dash.store import policies, prediction_log, registry
from mlops_dash.store.db import Session, reading
from mlops_dash.store.monitoring import readings as store
from mlops_dash.store.monitoring import references
from mlops_dash.store.monitoring.readings import Version
from mlops_dash.store.monitoring.references import Reference

_MOST_HOURS = 300


@dataclass(frozen=True)
class Ground:
    """The version in service, what it is compared with, by which rules, and whether others serve it."""

    version: Version
    reference: Reference
    policy: MonitoringPolicy
    elsewhere: bool


def ground_of(session: Session, model: str, now: datetime) -> Ground | None:
    """The ground of a model; None where nothing is served, or it has no reference."""
    version = store.champion(session, model)
    reference = None if version is None else references.reference(session, version.id)
    if version is None or reference is None:
        return None
    policy = policies.active(session, model, PolicyKind.MONITORING, now).monitoring
    return Ground(version, reference, policy, registry.model(session, model).elsewhere)


def needed(ground: Ground | None, model: str) -> Ground:
    """The ground.

    Raises:
        NotFound: there is none.
    """
    if ground is None:
        raise NotFound(f"Nothing of {model} is watched yet.", hint="It needs a served version with a reference.")
    return ground


def logged(context: Context, ground: Ground, start: datetime, end: datetime, *, most: int) -> pd.DataFrame:
    """Rows of a span that can be counted, about twice `most` at the most, spread over its hours."""
    model, layout = ground.version.model, ground.reference.layout
    with reading(context.databases.log) as session:
        counted = dict(prediction_log.logged_by_hour(session, model, start, end))

        def read_pieces(begins: Sequence[datetime], width: timedelta) -> pd.DataFrame:
            pages = [
                prediction_log.read_logged(
                    session, model, max(at, start), min(at + width, end), limit=2 * most, labels=True
                )
                for at in begins
                if at < end and at + width > start
            ]
            kept = [page for page in pages if len(page)]
            return _one_frame(kept) if kept else pd.DataFrame({"label": np.empty(0)})

        rows = (
            spread_rows(counted, 2 * most, read_pieces, most_hours=_MOST_HOURS)
            if counted
            else read_pieces([], timedelta(hours=1))
        )
    if not len(rows):
        return rows
    return sift(layout, rows.assign(score=0.0), batch=ground.reference.batch_column)[0]


def _one_frame(pages: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The pages below each other; a column that is empty on one of them does not change the type of the others."""
    names = list(dict.fromkeys(name for page in pages for name in page.columns))
    told = [page.dropna(axis=1, how="all") for page in pages]
    return pd.concat(told, ignore_index=True).reindex(columns=names)
