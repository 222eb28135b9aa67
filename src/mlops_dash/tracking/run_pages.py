"""Runs of a remote server page by page, through MLflow's public client: what the run index is filled with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_dash.domain.run_index import RunPage, RunRecord
from mlops_dash.tracking.search import MlflowRuns, datasets_of

if TYPE_CHECKING:
    from mlflow.entities import Run


@dataclass
class RunPages(MlflowRuns):
    """Pages of the runs at `uri`."""

    def page(
        self, experiment: str, *, size: int, token: str = "", deleted: bool = False, ids: Sequence[str] = ()
    ) -> RunPage:
        """Runs of an experiment, newest first.

        Args:
            experiment: MLflow's id.
            size: How many at most.
            token: Where the page before ended.
            deleted: The deleted ones instead of those that are not.
            ids: Only these.

        Raises:
            InvalidInput: the server does not know the token any more.
            NotFound: the experiment is gone.
            Unavailable: MLflow does not answer.
        """
        quoted = ", ".join(f"'{one}'" for one in ids)
        with self._asking("read the runs") as client:
            from mlflow.entities import ViewType

            found = client.search_runs(
                [experiment],
                filter_string=f"attributes.run_id IN ({quoted})" if ids else "",
                run_view_type=ViewType.DELETED_ONLY if deleted else ViewType.ACTIVE_ONLY,
                max_results=size,
                order_by=["attributes.start_time DESC"],
                page_token=token or None,
            )
            return RunPage(tuple(record_of(one) for one in found), found.token or "")


def record_of(run: Run) -> RunRecord:
    """The client's run as our record."""
    info, data = run.info, run.data
    return RunRecord(
        run_id=info.run_id,
        experiment_id=str(info.experiment_id),
        name=info.run_name or "",
        status=str(info.status),
        user_id=info.user_id or "",
        artifact_uri=info.artifact_uri or "",
        start_time=info.start_time,
        end_time=info.end_time,
        metrics=dict(data.metrics),
        params=dict(data.params),
        tags=dict(data.tags),
        datasets=datasets_of(run),
    )
