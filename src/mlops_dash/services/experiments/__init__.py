"""Experiments: which runs there are, how they compare, what their repeats say together.

reading   runs from MLflow's database or the run index, kept while nothing changes
index     the run index: filled through MLflow's API where its database cannot be read
room      everything the page shows, from one read
repeats   whether two configurations differ beyond the seed
real      whether a difference is real, why, and files side by side (comparison, rows, slices, artifacts)
views     saved views and notes
registering   from a run to a version
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from mlops_dash.domain import experiments as domain
from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.experiments import Address, Artifact, Experiment, ExperimentRoom, RunDetail, RunQuery
from mlops_dash.domain.run_filter import Mistake, parse
from mlops_dash.domain.run_groups import grouped
from mlops_dash.domain.run_pictures import Picture
from mlops_dash.domain.run_tables import MIMES, Exported, TableFormat, file_name, shown
from mlops_dash.domain.runs import PARENT, Reducer, RunFrame, empty, matching
from mlops_dash.errors import InvalidInput, NotFound, Unavailable
from mlops_dash.rendering import tables
from mlops_dash.services.command import Context, read, record
from mlops_dash.services.experiments import room as rooms
from mlops_dash.services.experiments.reading import RunReader, ids_of
from mlops_dash.services.experiments.real import RealReads
from mlops_dash.services.experiments.registering import Registering
from mlops_dash.services.experiments.views import SavedViews
from mlops_dash.store import experiments as store
from mlops_dash.store.db import reading

_MOST_FOLDERS = 12


class ExperimentService(SavedViews, Registering, RealReads):
    """Reads of MLflow's experiments and runs, and what people keep of them."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._reader = RunReader(context)

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
        chosen = _together([one for one in experiments if one.id in ids_of(query.experiment)])
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
        return _detail(kept.frame, at[0], named, artifacts, why, version)

    @read(Permission.ROOM_READ)
    def named_ids(self, actor: Actor, experiments: Sequence[str]) -> str:
        """The ids of experiments that are named by name or id, as a query has them.

        Raises:
            NotFound: there is none of that name.
            Unavailable: MLflow does not answer.
        """
        return ",".join(dict.fromkeys(self._named(one).id for one in experiments))

    @read(Permission.ROOM_READ)
    def export(
        self, actor: Actor, experiment: str | Sequence[str], *, group_by: str = "", text: str = ""
    ) -> dict[str, Any]:
        """Runs and their groups as plain data, for the command line: last values, newest first.

        Args:
            actor: Who asks.
            experiment: Its name or id, or several.
            group_by: A parameter; "" for groups of repeats.
            text: A filter in MLflow's search syntax.

        Raises:
            NotFound: there is no such experiment.
            InvalidInput: the filter does not parse, or no run has the parameter.
            Unavailable: MLflow does not answer.
        """
        clauses = parse(text)
        if isinstance(clauses, Mistake):
            raise InvalidInput(f"The filter does not parse. {clauses.sentence()}", hint="Example: metrics.auc > 0.8")
        named = dict.fromkeys(self._named(one) for one in ([experiment] if isinstance(experiment, str) else experiment))
        chosen = _together(list(named))
        if chosen is None:
            raise InvalidInput("No experiment was named.", hint="Name one or more.")
        kept, source = self._reader.whole(chosen.id)
        runs = kept.frame.take(matching(kept.frame, clauses).nonzero()[0])
        if group_by and group_by not in runs.params.columns:
            raise InvalidInput(f"No run has the parameter {group_by!r}.", hint="Name one of: "
                               + ", ".join(str(one) for one in runs.params.columns[:20]))  # fmt: skip
        return {
            "experiment": chosen.name,
            "experiment_id": chosen.id,
            "n_runs": len(runs),
            "read": source.kind,
            "as_of": source.as_of.isoformat(),
            "runs": [_plain(runs, at) for at in range(len(runs))],
            "groups": rooms.plain_groups(runs, group_by),
        }

    @read(Permission.ROOM_READ)
    def written(self, actor: Actor, query: RunQuery, kind: TableFormat, *, whole: bool = False) -> Exported:
        """The table of a query as a file: all matching rows with the chosen columns, in the order of the page.

        Args:
            actor: Who asks.
            query: As the page has it.
            kind: CSV, XLSX, Markdown or LaTeX.
            whole: Read all runs first where the run index is still being filled.

        Raises:
            NotFound: there is no such experiment.
            Unavailable: MLflow does not answer, and nothing is known from before.
        """
        if whole:
            self._reader.whole(
                query.experiment, [key for key, one in query.reducers.items() if one is not Reducer.LAST]
            )
        room = self.room(actor, replace(query, picture=Picture.PARALLEL))
        if room.experiment is None:
            raise NotFound("There is no such experiment.", hint="Choose one that MLflow has.")
        table = shown(room)
        name = file_name(room.experiment.name, self.context.clock.wall(), kind)
        return Exported(name, MIMES[kind], tables.written(table, kind), len(table.rows))

    @read(Permission.ROOM_READ)
    def versions(self, actor: Actor) -> dict[str, tuple[str, str]]:
        """Model and version of every run that became one."""
        return self._versions()

    def _versions(self) -> dict[str, tuple[str, str]]:
        with reading(self.context.databases.app) as session:
            return store.versions_by_run(session)

    def _named(self, wanted: str) -> Experiment:
        experiments = self._reader.experiments()
        found = next((one for one in experiments if wanted in {one.name, one.id}), None)
        if found is None:
            known = ", ".join(one.name for one in experiments[:10])
            raise NotFound(f"MLflow has no experiment {wanted!r}.", hint=f"There are: {known}." if known else "")
        return found

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


def _together(chosen: Sequence[Experiment]) -> Experiment | None:
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


def _detail(
    runs: RunFrame, at: int, experiment: str, artifacts: tuple[Artifact, ...], why: str, version: tuple[str, str] | None
) -> RunDetail:
    info = runs.info.iloc[at]
    tags = {str(name): str(value) for name, value in runs.tags.iloc[at].items() if value is not None}
    return RunDetail(
        id=info["run_id"],
        name=info["run_name"],
        experiment=experiment,
        status=info["status"],
        user=info["user_id"],
        started_at=_moment(info["start_time"]),
        ended_at=_moment(info["end_time"]),
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


def _plain(runs: RunFrame, at: int) -> dict[str, Any]:
    """One run for JSON: numbers as numbers; NaN and infinity by name, because JSON has no word for them."""
    one = _detail(runs, at, "", (), "", None)
    several = {"experiment": str(runs.info["experiment"].iloc[at])} if "experiment" in runs.info.columns else {}
    return {
        **several,
        "run_id": one.id,
        "name": one.name,
        "status": one.status,
        "started_at": None if one.started_at is None else one.started_at.isoformat(),
        "ended_at": None if one.ended_at is None else one.ended_at.isoformat(),
        "params": dict(one.params),
        "metrics": {name: rooms.plain_number(value) for name, value in one.metrics.items()},
        "tags": dict(one.tags),
        "datasets": [{"name": data.name, "digest": data.digest} for data in one.datasets],
    }


def _moment(ms: float) -> datetime | None:
    return None if math.isnan(ms) else datetime.fromtimestamp(ms / 1000, tz=UTC)
