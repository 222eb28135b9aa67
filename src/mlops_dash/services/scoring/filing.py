"""How do the rows of a file come into the log? Some thousand a transaction; the same file twice changes nothing.

What cannot be taken is said row by row. Unless the caller skips such rows, one of them keeps the whole file out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from mlops_dash.domain import scoring as rules
from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.registry.records import EXTERNAL
from mlops_dash.domain.scoring import OutsideLabel
from mlops_dash.domain.sifting import Unfit
from mlops_dash.domain.tasks.task import ModelTask
from mlops_dash.errors import InvalidRow, NotFound
from mlops_dash.services.command import Context, read, record
from mlops_dash.services.scoring import intake, refused
from mlops_dash.services.scoring.columnwise import Columnwise, Intake, Sifted
from mlops_dash.services.scoring.files import Columns, FileRows, labels_of_file, rows_of_file
from mlops_dash.services.scoring.following import Following
from mlops_dash.services.scoring.pending import Pending, Stored
from mlops_dash.store import prediction_log, registry, serving
from mlops_dash.store.db import reading

MOST_NEW_VERSIONS = 20  # of one request
CHUNK = 5_000  # rows in one transaction: others that write wait for less than a tenth of a second
ENOUGH = 10  # rows that cannot be taken: after so many, a file that is refused is not read further
Progress = Callable[[int, int], None]  # rows so far, rows in all


@dataclass(frozen=True)
class Filed:
    """What became of a file."""

    rows: int  # that it has
    predictions: int  # of this version that are new, also on rows that another version answered before
    labels: int  # that are new, or revised
    waiting: int  # labels whose prediction is not known yet
    unfit: tuple[Unfit, ...]
    refused: bool  # nothing was stored, because of `unfit`


@dataclass
class _Tally:
    predictions: int = 0
    labels: int = 0
    waiting: int = 0
    unfit: list[Unfit] = field(default_factory=list)


class Filing:
    """Files of predictions and of labels."""

    def __init__(
        self, context: Context, following: Following, store: Callable[[Actor, Sequence[Pending]], tuple[Stored, ...]]
    ) -> None:
        self.context = context
        self._following = following
        self._store = store

    @read(Permission.LOG_WRITE)
    def read_rows(self, actor: Actor, model: str, version: str, table: pd.DataFrame, columns: Columns) -> FileRows:
        """Read a table of predictions as this version's rows; stores nothing.

        Raises:
            NotFound: no such model.
            InvalidInput: a column is not there, or the table cannot be such rows.
        """
        state = self._following.state(model)
        kinds = {
            name: kind for one in self._following.schemas(model, [version]) for name, kind in one.kinds.items()
        }  # fmt: skip
        return rows_of_file(
            table, columns, task=state.predicts, positive=state.positive_label, kinds=kinds
        )  # fmt: skip

    @read(Permission.LOG_WRITE)
    def new_versions(self, actor: Actor, model: str, rows: Any) -> tuple[str, ...]:
        """Which versions that rows name are to be recorded first: those of a model that others serve, 20 at most.

        Raises:
            NotFound: no such model.
        """
        named = {str(one.get("version")) for one in rows if isinstance(one, dict)} if isinstance(rows, list) else set()
        with reading(self.context.databases.app) as session:
            known = set(serving.version_ids(session, model))
            unknown = sorted(one for one in named if not {one, one.removeprefix("v")} & known)
            watched = registry.model(session, model) if unknown else None
        if watched is None or watched.source != EXTERNAL or watched.archived_at is not None:
            return ()
        return tuple([one for one in unknown if re.fullmatch(r"[\w.+-]{1,40}", one)][:MOST_NEW_VERSIONS])

    @record(Permission.LOG_WRITE)
    def file_rows(
        self, actor: Actor, model: str, version: str, rows: FileRows, *, skip: bool, progress: Progress | None = None
    ) -> Filed:
        """Store the predictions of a file with their labels; rows that are known already stay as they are.

        Args:
            actor: Who asks.
            model: The model's name.
            version: Which version answered.
            rows: From `read_rows`.
            skip: Store the other rows where some cannot be taken; else nothing is stored then.
            progress: Called after each part.

        Raises:
            NotFound: no such model or version.
            StoreUnavailable: the log does not take a part; the parts before are stored, and the file can be sent again.
        """
        into = self._intake(model, version)
        columns, tally = Columnwise(into, rows), _Tally(unfit=list(rows.unfit))
        if not skip and self._refused(columns, tally):
            return Filed(rows.rows, 0, 0, 0, tuple(tally.unfit), refused=True)
        total = len(rows.roles)
        for first in range(0, total, CHUNK):
            end = min(first + CHUNK, total)
            sifted = self._sifted(columns, first, end)
            tally.unfit += sifted.unfit if skip else ()
            (stored,) = self._store(actor, [sifted.pending])
            tally.predictions += stored.scores
            tally.labels += stored.labels.new + stored.labels.revised
            if progress is not None:
                progress(end, total)
        left_out = tuple(sorted(tally.unfit, key=lambda one: one.row))
        aside = refused.of_file(
            model, rows, left_out, version_id=into.version_id, do_not_log=into.do_not_log, noted=into.now
        )
        self._store(actor, [Pending(model, set_aside=aside)])
        return Filed(rows.rows, tally.predictions, tally.labels, 0, left_out, refused=False)

    @record(Permission.LOG_WRITE)
    def file_labels(
        self,
        actor: Actor,
        model: str,
        table: pd.DataFrame,
        *,
        key: str,
        label: str,
        time: str,
        zone: str = "UTC",
        skip: bool,
        progress: Progress | None = None,
    ) -> Filed:
        """Store labels that came apart from their predictions; ids that are not known yet wait.

        Args:
            actor: Who asks.
            model: The model's name.
            table: As `services.tables` reads it.
            key: The column of prediction ids.
            label: The column of what turned out true.
            time: The column of when it was known.
            zone: Of times without one.
            skip: Store the other labels where some cannot be taken; else nothing is stored then.
            progress: Called after each part.

        Raises:
            NotFound: no such model.
            InvalidInput: a column is not there, or the labels are more than two classes.
            StoreUnavailable: the log does not take a part; the parts before are stored, and the file can be sent again.
        """
        state = self._following.state(model)
        task = state.predicts
        rows, unread = labels_of_file(
            table, key=key, label=label, time=time, task=task, positive=state.positive_label, zone=zone
        )
        parts = [_labels(rows.iloc[first : first + CHUNK], task) for first in range(0, len(rows), CHUNK)]
        unfit = sorted((*unread, *(one for _, bad in parts for one in bad)), key=lambda one: one.row)
        if unfit and not skip:
            return Filed(len(table), 0, 0, 0, tuple(unfit), refused=True)
        tally = _Tally()
        for number, (labels, _) in enumerate(parts, start=1):
            (stored,) = self._store(actor, [_pending(model, labels)])
            tally.labels += stored.labels.new + stored.labels.revised
            tally.waiting += stored.labels.pending
            if progress is not None:
                progress(min(number * CHUNK, len(rows)), len(rows))
        aside = refused.of_file(model, None, unfit, noted=self.context.clock.now())
        self._store(actor, [Pending(model, set_aside=aside)])
        return Filed(len(table), 0, tally.labels, tally.waiting, tuple(unfit), refused=False)

    def _intake(self, model: str, version: str) -> Intake:
        state = self._following.state(model)
        with reading(self.context.databases.app) as session:
            versions = serving.version_ids(session, model)
        if version not in versions:
            known = ", ".join(f"v{one}" for one in versions) or "none yet"
            raise NotFound(f"{model} has no version {version}.", hint=f"Known: {known}.")
        return Intake(
            model, version, versions[version], state.predicts, state.do_not_log,
            self._following.schemas(model, [version]), self._following.earlier_names(model), self.context.clock.now(),
        )  # fmt: skip

    def _refused(self, columns: Columnwise, tally: _Tally) -> bool:
        """Whether any row cannot be taken; looks no further after a few."""
        total = len(columns.rows.roles)
        for first in range(0, total, CHUNK):
            end = min(first + CHUNK, total)
            tally.unfit += self._why_not(columns, first, end)
            if len(tally.unfit) >= ENOUGH:
                break
        tally.unfit.sort(key=lambda one: one.row)
        return bool(tally.unfit)

    def _why_not(self, columns: Columnwise, first: int, end: int) -> tuple[Unfit, ...]:
        """What is wrong with some rows; their features are written only where an id is known."""
        if self._any_known(columns, first, end):
            return self._sifted(columns, first, end).unfit
        return columns.why_not(first, end)

    def _any_known(self, columns: Columnwise, first: int, end: int) -> bool:
        names = columns.names(first, end)
        if not names:
            return False
        with reading(self.context.databases.log) as session:
            return prediction_log.any_known(session, columns.into.model, names)

    def _sifted(self, columns: Columnwise, first: int, end: int) -> Sifted:
        """Some rows, beside those that the log holds already."""
        sifted = columns.part(first, end)
        if not self._any_known(columns, first, end):
            return sifted
        with reading(self.context.databases.log) as session:
            known = prediction_log.differing(session, sifted.pending.predictions, times=True)
            reasons = {one.prediction_id: f"is known with another {one.what}" for one in known}
        return sifted.without(reasons)


def _labels(rows: pd.DataFrame, task: ModelTask) -> tuple[list[OutsideLabel], list[Unfit]]:
    labels, unfit = [], []
    for number, name, value, at in zip(rows["number"], rows["id"], rows["label"], rows["label_at"], strict=True):
        try:
            rules.require_texts([name], column="key")
            rules.require_label(0, task.word_of(float(value)), task=task)
        except InvalidRow as error:
            unfit.append(_as_unfit(error, int(number)))
            continue
        labels.append(OutsideLabel(name, float(value), at.to_pydatetime()))
    return labels, unfit


def _pending(model: str, labels: Sequence[OutsideLabel]) -> Pending:
    """Labels that are taken as received when they were observed: a file tells what was known when."""
    return intake.labels(model, labels, [one.observed_at for one in labels])


def _as_unfit(error: InvalidRow, number: int) -> Unfit:
    return Unfit(number, error.column, error.reason, error.value)
