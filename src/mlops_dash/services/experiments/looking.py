"""What is there to see? The page of an experiment, one run, a pasted address, and how much is still being read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.calendar import from_ms
from mlops_dash.domain.experiments import room as domain
from mlops_dash.domain.experiments.frame import PARENT, RunFrame, empty
from mlops_dash.domain.experiments.groups import grouped
from mlops_dash.domain.experiments.room import Address, Artifact, Experiment, ExperimentRoom, RunDetail, RunQuery
from mlops_dash.errors import InvalidInput, NotFound, Unavailable
from mlops_dash.services.command import Context, read, record
from mlops_dash.services.experiments import room as rooms
from mlops_dash.services.experiments.reading import RunReader, ids_of
from mlops_dash.store.db import reading
from mlops_dash.store.experiments import registered as store

_MOST_FOLDERS = 12


class Looking:
    """Reads of MLflow's experiments and runs."""

    def __init__(self, context: Context, reader: RunReader) -> None:
        self.context = context
        self._reader = reader

    @read(Permission.ROOM_READ)
    def room(self, actor: Actor, query: RunQuery, *, again: bool = False) -> ExperimentRoom:
        """Everything the page shows.

        Args:
            actor: Who asks.
            query: What they want to see.
            again: Read MLflow now, whatever is kept in memory.

        Raises:
            Unavailable: MLflow does not answer, and nothing is known from before.
        """
        experiments = self._reader.experiments()
        chosen = together([one for one in experiments if one.id in ids_of(query.experiment)])
        if chosen is None and not query.experiment:
            chosen = next((one for one in experiments if one.n_runs != 0), next(iter(experiments), None))
        if chosen is None:
            return _nothing(query, experiments)
        kept, source = self._reader.runs(chosen.id, again=again)
        return rooms.assemble(self._reader, query, experiments, chosen, kept, source)

    @record(Permission.SYSTEM)
    def read_runs(self, actor: Actor, seconds: float = 10.0) -> int:
        """Bring the run index up to date for at most about `seconds`; returns how many requests that took.

        Nothing to do where MLflow's database is read, or before somebody has looked at an experiment.

        Raises:
            Unavailable: MLflow does not answer; what is known stays.
        """
        indexer = self._reader.indexer
        return indexer.step(seconds) if indexer.index.path.is_file() and self._reader.database()[0] is None else 0

    @read(Permission.ROOM_READ)
    def still_reading(self, actor: Actor, experiment: str) -> int | None:
        """How many runs the index knows while it is filled for the first time; None when that is over."""
        states = [self._reader.indexer.index.state(one) for one in ids_of(experiment)]
        known = [one for one in states if one is not None]
        return None if all(one.complete for one in known) else sum(one.n_runs for one in known)

    @read(Permission.ROOM_READ)
    def unread_histories(self, actor: Actor, experiment: str, keys: Sequence[str]) -> int:
        """How many histories of these metrics the index has still to read; 0 also when it cannot."""
        unread = sum(len(ids) for ids in self._reader.waiting(experiment, keys).values())
        return 0 if unread and self._reader.trouble(experiment) else unread

    @read(Permission.ROOM_READ)
    def unread_curves(self, actor: Actor, run_ids: Sequence[str], metrics: Sequence[str]) -> int:
        """Of how many runs histories are still to be read, after reading some; 0 also when they cannot be."""
        found = self._reader.histories(run_ids, metrics)
        return 0 if found.why else len(found.unread)

    @read(Permission.ROOM_READ)
    def locate(self, actor: Actor, text: str) -> Address | None:
        """The experiment and run that a pasted MLflow address points at; None when the text is no address.

        Raises:
            NotFound: the run does not exist, or was deleted.
            Unavailable: MLflow does not answer.
        """
        found = domain.address(text)
        if found is None or found.experiment:
            return found
        return replace(found, experiment=self._reader.experiment_of(found.run))

    @read(Permission.ROOM_READ)
    def run(self, actor: Actor, run_id: str) -> RunDetail:
        """One run in full, with its files.

        Raises:
            NotFound: there is no such run, or it was deleted.
            Unavailable: MLflow does not answer.
        """
        experiment = self._reader.experiment_of(run_id)
        kept, _ = self._reader.runs(experiment)
        if run_id not in kept.frame.ids:
            kept, _ = self._reader.runs(experiment, again=True)
        at = kept.frame.places([run_id])
        if not at:
            raise NotFound(f"The run {run_id} is not among the runs that were read.", hint="Open it in MLflow.")
        artifacts, why = self._artifacts(run_id)
        named = next((one.name for one in self._reader.experiments() if one.id == experiment), experiment)
        version = self._versions().get(run_id)
        return detail_of(kept.frame, at[0], named, artifacts, why, version)

    @read(Permission.ROOM_READ)
    def versions(self, actor: Actor) -> dict[str, tuple[str, str]]:
        """Model and version of every run that became one."""
        return self._versions()

    def _versions(self) -> dict[str, tuple[str, str]]:
        with reading(self.context.databases.app) as session:
            return store.versions_by_run(session)

    def _artifacts(self, run_id: str) -> tuple[tuple[Artifact, ...], str]:
        try:
            found = list(self._reader.client.artifacts(run_id))
            for folder in [one for one in found if one.is_folder][:_MOST_FOLDERS]:
                found[found.index(folder) + 1 : found.index(folder) + 1] = self._reader.client.artifacts(
                    run_id, folder.path
                )
        except (Unavailable, NotFound, InvalidInput) as error:
            return (), error.sentence()
        return tuple(found), ""


def _nothing(query: RunQuery, experiments: Sequence[Experiment]) -> ExperimentRoom:
    none = empty()
    return ExperimentRoom(
        query=query, experiments=tuple(experiments), experiment=None, source=None, runs=none, matching=none, sort="",
        descending=False, n_pages=1, page=1, rows=none, columns=(), hidden=(), statuses={}, mistake=None,
        grouping=grouped(none), groups=None, tray=none, comparable=None, judged_elsewhere=frozenset(), n_judged_on=0,
        gone=query.tray, baseline="", base={}, pictured=none, curves=(), curve_metric="", differences=(),
    )  # fmt: skip


def together(chosen: Sequence[Experiment]) -> Experiment | None:
    """Several experiments as one; None for none."""
    if len(chosen) < 2:
        return next(iter(chosen), None)
    counts = [one.n_runs for one in chosen]
    return Experiment(
        ",".join(one.id for one in chosen),
        ", ".join(one.name for one in chosen),
        None if None in counts else sum(one for one in counts if one is not None),
        max((one.last_at for one in chosen if one.last_at is not None), default=None),
    )


def detail_of(
    runs: RunFrame, at: int, experiment: str, artifacts: tuple[Artifact, ...], why: str, version: tuple[str, str] | None
) -> RunDetail:
    """One run of a frame in full."""
    info = runs.info.iloc[at]
    tags = {str(name): str(value) for name, value in runs.tags.iloc[at].items() if value is not None}
    return RunDetail(
        id=info["run_id"],
        name=info["run_name"],
        experiment=experiment,
        status=info["status"],
        user=info["user_id"],
        started_at=from_ms(info["start_time"]),
        ended_at=from_ms(info["end_time"]),
        parent=tags.get(PARENT, ""),
        params={str(name): str(value) for name, value in runs.params.iloc[at].items() if value is not None},
        metrics={
            str(name): runs.metric(at, str(name))
            for number, name in enumerate(runs.metrics.columns)
            if runs.logged[at, number]
        },
        tags=tags,
        datasets=info["datasets"],
        artifacts=artifacts,
        artifacts_why=why,
        version=version,
    )
