"""Reads behind "Is it real?": verdicts of the tray's pairs, why, flipped rows, files side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.experiments import room as room_domain
from mlops_dash.domain.experiments.comparability import EVALUATION_TAG, Meaning
from mlops_dash.domain.experiments.comparison import PairVerdict, RealQuery, RealRoom, Side
from mlops_dash.domain.experiments.frame import Reducer, RunFrame
from mlops_dash.domain.experiments.groups import Grouping
from mlops_dash.domain.experiments.room import Column, RunQuery
from mlops_dash.domain.experiments.why import FilesRoom, Flip, FlipRoom, WhyRoom
from mlops_dash.errors import InvalidInput, NotFound
from mlops_dash.services.command import Context, read
from mlops_dash.services.experiments.artifacts import side_by_side
from mlops_dash.services.experiments.comparison import Rows, repeated, rows_of, shared_rows, sides, verdicts
from mlops_dash.services.experiments.reading import RunReader
from mlops_dash.services.experiments.room import reduced_runs
from mlops_dash.services.experiments.rows import RowReader
from mlops_dash.services.experiments.slices import flipped, why_better
from mlops_dash.store import registry as registry_store
from mlops_dash.store.db import reading
from mlops_dash.tracking.experiments.files import RunFiles


@dataclass(frozen=True, eq=False)
class _Asked:
    """What a query comes to: the runs, the sides and the metric."""

    runs: RunFrame
    grouping: Grouping
    sides: tuple[Side, ...]
    base: int
    column: Column | None
    metrics: tuple[str, ...]
    means: Meaning
    contest: tuple[str, str] | None


class Comparing:
    """Whether a difference between runs is real, and why."""

    def __init__(self, context: Context, reader: RunReader) -> None:
        self.context = context
        self._reader = reader

    @cached_property
    def _files(self) -> RunFiles:
        return RunFiles(self.context.settings.mlflow_uri)

    @cached_property
    def _rows(self) -> RowReader:
        return RowReader(self._files)

    @read(Permission.ROOM_READ)
    def real(self, actor: Actor, query: RunQuery, ask: RealQuery) -> RealRoom:
        """Every side of the compare tray against the base side, judged; nothing is tested before a margin was given.

        Raises:
            NotFound: the experiment does not exist.
            Unavailable: MLflow does not answer.
        """
        asked = self._asked(query, ask)
        blank = RealRoom(
            asked.sides, asked.base, "" if asked.column is None else asked.column.key, asked.metrics,
            None if asked.column is None else asked.column.direction, ask.margin, (), _data_tags(asked.runs),
            ask.data_tag, contest=asked.contest,
        )  # fmt: skip
        if asked.column is None or len(asked.sides) < 2 or ask.margin is None:
            return blank
        return replace(blank, pairs=self._judged(asked, ask.margin))

    @read(Permission.ROOM_READ)
    def why(self, actor: Actor, query: RunQuery, ask: RealQuery, anchor: str, column: str = "") -> WhyRoom:
        """The difference of one side against the base side, by slice of the evaluation rows.

        Args:
            actor: Who asks.
            query: The page's.
            ask: The card's.
            anchor: The side, by the id of the run that stands for it.
            column: Of the rows.

        Raises:
            NotFound: no such side.
        """
        asked, a, b = self._pair(query, ask, anchor)
        if asked.column is None:
            raise NotFound("These runs share no metric.")
        rows = rows_of(asked.runs.take(asked.runs.places([*a.ids, *b.ids])), asked.column, self._rows, asked.means)
        judged = self._judged(replace(asked, sides=(a, b), base=1), ask.margin or 0.0)[0]
        if judged.comparable.state == "no":
            rows = Rows(None, rows.metric, judged.comparable.sentence)
        return why_better(
            a, b, rows, metric=asked.column.key, direction=asked.column.direction, design=judged.design, column=column
        )

    @read(Permission.ROOM_READ)
    def flips(
        self,
        actor: Actor,
        query: RunQuery,
        ask: RealQuery,
        anchor: str,
        *,
        seed: str = "",
        which: Flip = Flip.ONLY_A,
        threshold: float = 0.5,
        column: str = "",
        value: str = "",
        page: int = 1,
    ) -> FlipRoom:
        """Rows that one model of a pair gets right and the other wrong, one page of them.

        Raises:
            NotFound: no such side.
            InvalidInput: the threshold is no probability.
        """
        if not 0 < threshold < 1:
            raise InvalidInput(f"The threshold is {threshold}; it must be between 0 and 1.")
        asked, a, b = self._pair(query, ask, anchor)
        rows = shared_rows(asked.runs.take(asked.runs.places([*a.ids, *b.ids])), self._rows)
        return flipped(
            a, b, rows, seed=seed, which=which, threshold=threshold, column=column, value=value, page=page
        )  # fmt: skip

    @read(Permission.ROOM_READ)
    def files(self, actor: Actor, query: RunQuery, path: str = "") -> FilesRoom:
        """The same file of the tray's runs, side by side.

        Raises:
            Unavailable: MLflow does not answer.
        """
        kept, _ = self._reader.runs(query.experiment)
        runs = kept.frame.take(kept.frame.places(list(query.tray)))
        names = {run_id: str(name) or run_id[:8] for run_id, name in zip(runs.ids, runs.info["run_name"], strict=True)}
        return side_by_side(self._files, names, path)

    @read(Permission.ROOM_READ)
    def compare(
        self,
        actor: Actor,
        a: Sequence[str],
        b: Sequence[str],
        *,
        margin: float,
        metric: str = "",
        direction: Direction | None = None,
        data_tag: str = "",
        repeats: bool = True,
    ) -> PairVerdict:
        """One pair for the command line, by the evaluator of the page.

        Args:
            actor: Who asks.
            a: Run ids of the first side; one id stands for its configuration when `repeats`.
            b: The same of the second.
            margin: Differences up to this are practically equal.
            metric: Its key; by default the page's.
            direction: Which way is better; by default by the metric's name.
            data_tag: The tag that names the evaluation data.
            repeats: Whether one id stands for all repeats of its configuration.

        Raises:
            NotFound: a run does not exist.
            InvalidInput: the runs are of different experiments, of one configuration, or lack the metric.
        """
        if not a or not b or set(a) & set(b):
            raise InvalidInput("A comparison needs two sides without a common run.")
        homes = {self._reader.experiment_of(one) for one in (*a, *b)}
        if len(homes) > 1:
            raise InvalidInput("The runs belong to different experiments.", hint="Compare runs of one experiment.")
        directions = {metric: direction} if metric and direction is not None else {}
        query = RunQuery(experiment=homes.pop(), tray=(*a, *b), directions=directions)
        ask = RealQuery(metric=metric, margin=margin, data_tag=data_tag, repeats=repeats)
        asked = self._asked(query, ask)
        if asked.column is None or (metric and asked.column.key != metric):
            raise InvalidInput(
                f"The runs share no metric {metric!r}." if metric else "The runs share no metric.",
                hint=f"They have: {', '.join(asked.metrics[:10])}." if asked.metrics else "",
            )
        both = tuple(_side(asked, ids, repeats=repeats) for ids in (a, b))
        if set(both[0].ids) & set(both[1].ids):
            raise InvalidInput("Both runs are repeats of one configuration.", hint="Add --alone to compare the runs.")
        return self._judged(replace(asked, sides=both, base=1), margin)[0]

    def _judged(self, asked: _Asked, margin: float) -> tuple[PairVerdict, ...]:
        if asked.column is None:
            return ()
        return verdicts(
            asked.runs, asked.sides, asked.base, asked.column, margin=margin, means=asked.means,
            key=asked.grouping.key, reader=self._rows,
        )  # fmt: skip

    def _pair(self, query: RunQuery, ask: RealQuery, anchor: str) -> tuple[_Asked, Side, Side]:
        asked = self._asked(query, ask)
        others = [one for at, one in enumerate(asked.sides) if at != asked.base]
        if not others:
            raise NotFound("The comparison has one side only.", hint="Tick a second run.")
        chosen = next((one for one in others if one.anchor == anchor), others[0])
        return asked, chosen, asked.sides[asked.base]

    def _asked(self, query: RunQuery, ask: RealQuery) -> _Asked:
        kept, _ = self._reader.runs(query.experiment)
        runs, grouping = kept.frame, kept.grouping(query.repeat_key)
        if query.repeat_key is None:
            runs, grouping = repeated(runs, grouping)
        named, contest = self._versions_of(kept.frame)
        tray = list(dict.fromkeys([*query.tray, *([query.baseline] if query.baseline else [])]))
        made = sides(runs, grouping, tray, repeats=ask.repeats, versions=named)
        base = next((at for at, one in enumerate(made) if query.baseline in one.ids), None)
        if base is None:
            base = next((at for at, one in enumerate(made) if "champion" in one.version), 0)
        metrics = _shared_metrics(kept.frame, made)
        wanted = [one for one in query.columns or kept.default_columns(query.repeat_key) if one.startswith("metrics.")]
        shown = [one for one in (name.partition(".")[2] for name in wanted) if one in metrics]
        chosen = ask.metric if ask.metric in metrics else next(iter([*shown, *metrics]), "")
        column = room_domain.column(f"metrics.{chosen}", query) if chosen else None
        if column is not None and column.reducer is not Reducer.LAST:
            self._reader.read_now([run_id for one in made for run_id in one.ids], [column.key])
            reduced, _ = reduced_runs(self._reader, kept, [column])
            runs = replace(runs, metrics=reduced.metrics, logged=reduced.logged)
        return _Asked(
            runs, grouping, made, base, column, tuple(dict.fromkeys([*shown, *metrics])), Meaning(ask.data_tag), contest
        )  # fmt: skip

    def _versions_of(self, runs: RunFrame) -> tuple[dict[str, str], tuple[str, str] | None]:
        """What runs that became versions are called, and the runs of the newest challenger and its champion."""
        known = set(runs.ids)
        named: dict[str, str] = {}
        contest = None
        with reading(self.context.databases.app) as session:
            for one in registry_store.servings(session):
                versions = [v for v in registry_store.versions(session, one.model) if v.run_id in known]
                champion = next((v for v in versions if v.id == one.version_id), None)
                named |= {v.run_id: f"v{v.version}{' (champion)' if v is champion else ''}" for v in versions}
                others = [v for v in versions if v is not champion]
                if champion is not None and others:
                    newest = max(others, key=lambda v: v.created_at)
                    contest = contest or (newest.run_id, champion.run_id)
        return named, contest


def _side(asked: _Asked, ids: Sequence[str], *, repeats: bool) -> Side:
    """One side of the command line: the configuration of a single id, else exactly these runs."""
    if len(ids) == 1 and repeats:
        return next(one for one in asked.sides if ids[0] in one.ids or one.anchor == ids[0])
    alone = sides(asked.runs, asked.grouping, ids, repeats=False, versions={})
    label = " + ".join(one.label for one in alone) if len(alone) < 3 else f"{len(alone)} runs"
    return Side(ids[0], label, tuple(one.ids[0] for one in alone), tuple(one.keys[0] for one in alone))


def _shared_metrics(runs: RunFrame, made: Sequence[Side]) -> list[str]:
    """Metrics that at least one run of every side logged."""
    places = [runs.places(list(one.ids)) for one in made]
    return [
        str(name)
        for at, name in enumerate(runs.metrics.columns)
        if places and all(runs.logged[p, at].any() for p in places)
    ]  # fmt: skip


def _data_tags(runs: RunFrame) -> tuple[str, ...]:
    """Tags that could name the evaluation data: not MLflow's own, shared by some runs, and not our digest."""
    n = len(runs)
    return tuple(
        str(name) for name in runs.tags.columns
        if not str(name).startswith("mlflow.") and str(name) != EVALUATION_TAG and runs.tags[name].nunique() < max(n, 2)
    )  # fmt: skip
