"""Runs and histories of a remote server through MLflow's public API: what the run index is filled with.

Over plain HTTP they are asked for without MLflow's client: its import takes three seconds, and it makes an object of
every number. Servers that need more than a user or a token (client certificates, AWS) are asked through the client.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mlops_dash.domain.experiments.frame import Dataset
from mlops_dash.domain.experiments.index import Point, RunPage, RunRecord
from mlops_dash.errors import InvalidInput, MlopsDashError, NotFound, Unavailable
from mlops_dash.tracking.experiments.search import CONTEXT, MlflowRuns, datasets_of
from mlops_dash.tracking.filters import one_of

if TYPE_CHECKING:
    from mlflow.entities import Run

PATIENCE: Final = 60.0  # a page of 500 wide runs takes a loaded server several seconds
AT_ONCE: Final = 4  # histories asked for at the same time


@dataclass
class RunPages(MlflowRuns):
    """Pages of the runs at `uri`."""

    def page(
        self,
        experiment: str,
        *,
        size: int,
        token: str = "",
        deleted: bool = False,
        ids: Sequence[str] = (),
        seconds: float = PATIENCE,
    ) -> RunPage:
        """Runs of an experiment, newest first.

        Args:
            experiment: MLflow's id.
            size: How many at most.
            token: Where the page before ended.
            deleted: The deleted ones instead of those that are not.
            ids: Only these.
            seconds: How long to wait for the answer.

        Raises:
            InvalidInput: the server does not know the token any more.
            NotFound: the experiment is gone.
            Unavailable: MLflow does not answer.
        """
        among = one_of("attributes.run_id", ids) if ids else ""
        newest = ["attributes.start_time DESC"]
        if self._plain:
            self._look()  # a server that hangs is known after two seconds
            asked = {
                "experiment_ids": [experiment],
                "filter": among,
                "run_view_type": "DELETED_ONLY" if deleted else "ACTIVE_ONLY",
                "max_results": size,
                "order_by": newest,
                "page_token": token,
            }
            said = self._ask("POST", "runs/search", asked, "read the runs", seconds=seconds)
            return RunPage(tuple(_record(one) for one in said.get("runs", ())), said.get("next_page_token", ""))
        with self._asking("read the runs") as client:
            from mlflow.entities import ViewType

            found = client.search_runs(
                [experiment],
                filter_string=among,
                run_view_type=ViewType.DELETED_ONLY if deleted else ViewType.ACTIVE_ONLY,
                max_results=size,
                order_by=newest,
                page_token=token or None,
            )
            return RunPage(tuple(record_of(one) for one in found), found.token or "")

    def points(
        self, wanted: Sequence[tuple[str, str]], *, seconds: float = PATIENCE
    ) -> list[tuple[Point, ...] | MlopsDashError]:
        """The whole history of each pair of run id and metric, a few at a time; empty where the run is gone.

        A history that cannot be read is its error: the others stand.

        Raises:
            Unavailable: MLflow does not answer.
        """
        if not wanted:
            return []
        self._look()
        if not self._plain:
            self._client()  # MLflow is imported by one thread
        with ThreadPoolExecutor(min(AT_ONCE, len(wanted))) as several:
            return list(several.map(lambda one: self._points_or_why(one[0], one[1], seconds), wanted))

    def _points_or_why(self, run_id: str, key: str, seconds: float) -> tuple[Point, ...] | MlopsDashError:
        try:
            return self._points(run_id, key, seconds)
        except NotFound:
            return ()
        except (Unavailable, InvalidInput) as error:
            return error

    def _points(self, run_id: str, key: str, seconds: float) -> tuple[Point, ...]:
        what = f"read the history of {key}"
        if not self._plain:
            with self._asking(what) as client:
                return tuple((one.step, one.timestamp, one.value) for one in client.get_metric_history(run_id, key))
        found: list[Point] = []
        token = ""
        while True:
            asked = {"run_id": run_id, "metric_key": key, "page_token": token}
            said = self._ask("GET", "metrics/get-history", asked, what, seconds=seconds)
            found += [
                (int(one.get("step", 0)), int(one.get("timestamp", 0)), float(one.get("value", 0.0)))
                for one in said.get("metrics", ())
            ]
            token = said.get("next_page_token", "")
            if not token:
                return tuple(found)


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
        logged_at={one.key: (one.step, one.timestamp) for one in getattr(data, "_metric_objs", ())},
    )


def _record(run: Mapping[str, Any]) -> RunRecord:
    """A run of the REST answer as our record; NaN and infinity come by name."""
    info, data = run["info"], run.get("data", {})
    return RunRecord(
        run_id=str(info["run_id"]),
        experiment_id=str(info["experiment_id"]),
        name=str(info.get("run_name", "")),
        status=str(info["status"]),
        user_id=str(info.get("user_id", "")),
        artifact_uri=str(info.get("artifact_uri", "")),
        start_time=_ms(info, "start_time"),
        end_time=_ms(info, "end_time") or None,
        metrics={str(one["key"]): float(one.get("value", 0.0)) for one in data.get("metrics", ())},
        params={str(one["key"]): str(one.get("value", "")) for one in data.get("params", ())},
        tags={str(one["key"]): str(one.get("value", "")) for one in data.get("tags", ())},
        datasets=_datasets(run),
        logged_at={
            str(one["key"]): (int(one.get("step", 0)), int(one.get("timestamp", 0))) for one in data.get("metrics", ())
        },
    )


def _ms(info: Mapping[str, Any], name: str) -> int | None:
    return int(info[name]) if info.get(name) is not None else None


def _datasets(run: Mapping[str, Any]) -> tuple[Dataset, ...]:
    found = set()
    for one in run.get("inputs", {}).get("dataset_inputs", ()):
        tags = {tag["key"]: tag.get("value", "") for tag in one.get("tags", ())}
        data = one["dataset"]
        found.add(Dataset(str(data["name"]), str(data["digest"]), str(tags.get(CONTEXT, ""))))
    return tuple(sorted(found, key=lambda one: (one.name, one.digest)))
