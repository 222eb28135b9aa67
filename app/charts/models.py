"""Models as a frame for a table: pure, models in, frame out."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from mlops_dash.domain import format as fmt
from mlops_dash.domain.registry.records import EXTERNAL, Model
from mlops_dash.domain.tasks import task_named


def models(known: Sequence[Model], zone: str) -> pd.DataFrame:
    """One row a model: what is said of it, and since when it is archived."""
    return pd.DataFrame(
        {
            "Name": [one.name for one in known],
            "Title": [one.title for one in known],
            "Predicts": [task_named(one.task).title for one in known],
            "Owner": [one.owner or fmt.MISSING for one in known],
            "Tier": [one.tier for one in known],
            "Served": ["elsewhere" if one.source == EXTERNAL else "by our gateway" for one in known],
            "Live in MLflow": [fmt.MISSING if one.elsewhere else one.live for one in known],
            "Never stored": [", ".join(one.do_not_log) or fmt.MISSING for one in known],
            "Archived": [fmt.instant(one.archived_at, zone) for one in known],
        }
    )
