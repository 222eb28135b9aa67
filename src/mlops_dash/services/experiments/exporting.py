"""How do runs leave the house? As plain data for the command line, and as a file of the page's table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.experiments.filter import Mistake, parse
from mlops_dash.domain.experiments.frame import Reducer, RunFrame, matching
from mlops_dash.domain.experiments.pictures import Picture
from mlops_dash.domain.experiments.room import Experiment, RunQuery
from mlops_dash.domain.experiments.tables import MIMES, Exported, TableFormat, file_name, shown
from mlops_dash.errors import InvalidInput, NotFound
from mlops_dash.rendering import tables
from mlops_dash.services.command import Context, read
from mlops_dash.services.experiments import room as rooms
from mlops_dash.services.experiments.looking import Looking, detail_of, together
from mlops_dash.services.experiments.reading import RunReader


class Exporting:
    """What is written out."""

    def __init__(self, context: Context, reader: RunReader, looking: Looking) -> None:
        self.context = context
        self._reader = reader
        self._looking = looking

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
        chosen = together(list(named))
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
        room = self._looking.room(actor, replace(query, picture=Picture.PARALLEL))
        if room.experiment is None:
            raise NotFound("There is no such experiment.", hint="Choose one that MLflow has.")
        table = shown(room)
        name = file_name(room.experiment.name, self.context.clock.wall(), kind)
        return Exported(name, MIMES[kind], tables.written(table, kind), len(table.rows))

    def _named(self, wanted: str) -> Experiment:
        experiments = self._reader.experiments()
        found = next((one for one in experiments if wanted in {one.name, one.id}), None)
        if found is None:
            known = ", ".join(one.name for one in experiments[:10])
            raise NotFound(f"MLflow has no experiment {wanted!r}.", hint=f"There are: {known}." if known else "")
        return found


def _plain(runs: RunFrame, at: int) -> dict[str, Any]:
    """One run for JSON: numbers as numbers; NaN and infinity by name, because JSON has no word for them."""
    one = detail_of(runs, at, "", (), "", None)
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
