"""Which rows of a file can be kept, and as what? Looked at column by column; only a row in doubt is looked at alone.

A row that no column raises a doubt about passes every rule of `domain.scoring.sift_predictions`, which reads the
others, so that both doors refuse the same rows with the same words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from itertools import repeat
from typing import Any

import numpy as np
import pandas as pd

from mlops_dash.domain import scoring as rules
from mlops_dash.domain.class_probabilities import kept_rows
from mlops_dash.domain.row_texts import cell_texts, column_texts, rows_of_texts
from mlops_dash.domain.schema import EARLIEST, LARGEST, LATEST, NUMERIC, VersionSchema
from mlops_dash.domain.scoring import OutsideRow, ScoreRole
from mlops_dash.domain.sent import LONGEST_ID
from mlops_dash.domain.sifting import Unfit
from mlops_dash.domain.tasks.task import ModelTask
from mlops_dash.errors import InvalidRow
from mlops_dash.services.scoring import intake
from mlops_dash.services.scoring.files import FileRows, plain_cells
from mlops_dash.services.scoring.pending import Pending
from mlops_dash.stats.arrays import Bools, Floats
from mlops_dash.store.prediction_log import Label, Prediction, Score


@dataclass(frozen=True)
class Intake:
    """What rows are checked against."""

    model: str
    version: str
    version_id: str
    task: ModelTask
    do_not_log: tuple[str, ...]
    schemas: tuple[VersionSchema, ...]  # what is known of the version's columns
    earlier: bool  # whether rows without ids are named as before such ids began with their time
    now: datetime


@dataclass(frozen=True)
class Sifted:
    """Some rows of a file: those that can be kept, ready to be stored, and why the others cannot."""

    pending: Pending
    numbers: tuple[int, ...]  # the place in the file of each row of `pending`
    unfit: tuple[Unfit, ...]

    def without(self, reasons: dict[str, str]) -> Sifted:
        """The same without the rows of these ids, each with its reason."""
        if not reasons:
            return self
        ids = self.pending.prediction_ids
        out = [
            Unfit(number, "id", reasons[name], name)
            for name, number in zip(ids, self.numbers, strict=True)
            if name in reasons
        ]
        kept = [number for name, number in zip(ids, self.numbers, strict=True) if name not in reasons]
        labels = tuple(one for one in self.pending.labels if one.prediction_id not in reasons)
        pending = replace(self.pending.without(reasons), labels=labels)
        return Sifted(pending, tuple(kept), (*self.unfit, *out))


@dataclass
class Columnwise:
    """The rows of one file, as they come into the log."""

    into: Intake
    rows: FileRows
    _seen: Counter[tuple[int, str]] = field(default_factory=Counter)  # of the part before

    def why_not(self, first: int, end: int) -> tuple[Unfit, ...]:
        """What is wrong with the rows from `first` up to `end`, by time, as far as the file alone can tell."""
        return tuple(self._refused(first, end)[0].values())

    def names(self, first: int, end: int) -> list[tuple[str, int]]:
        """(id, microseconds since 1970 UTC) of the rows that come with an id: only such a row can be known as another.

        The id of any other is made of all that it is.
        """
        if not self._named:
            return []
        return list(zip(self._ids[first:end], self._at_us[first:end].tolist(), strict=True))

    def part(self, first: int, end: int) -> Sifted:
        """The rows from `first` up to `end`, by time; the parts of a file are asked for in order."""
        unfit, sifted = self._refused(first, end)
        chosen = np.array([place for place in range(first, end) if place not in unfit], dtype=np.int64)
        texts = self._texts(chosen, sifted)
        at_us = self._at_us[chosen].tolist()
        names = self._names(chosen, at_us, texts)
        pending = self._pending(chosen, names, at_us, texts)
        return Sifted(pending, tuple(self._numbers[chosen].tolist()), tuple(unfit.values()))

    # --- which cannot be kept ---

    def _refused(self, first: int, end: int) -> tuple[dict[int, Unfit], dict[int, OutsideRow]]:
        """Why rows cannot be kept, by place; and those in doubt that can be."""
        unfit = {}
        for place in (first + np.flatnonzero(self._again[first:end])).tolist():
            unfit[place] = Unfit(self._number(place), "id", "occurs twice in the file", self._ids[place])
        doubted = (first + np.flatnonzero(self._doubtful[first:end])).tolist()
        kept: dict[int, OutsideRow] = {}
        if doubted:
            fit, broken = rules.sift_predictions(
                self.rows.at(doubted).objects(self.into.version, self.into.task),
                now=self.into.now,
                task=self.into.task,
                do_not_log=self.into.do_not_log,
                schemas=lambda _versions: self.into.schemas,
            )
            kept = {doubted[place]: row for place, row in fit}
            unfit |= {doubted[one.row]: _as_unfit(one, self._number(doubted[one.row])) for one in broken}
        for place in (first + np.flatnonzero(self._no_label[first:end])).tolist():
            value = float(self._labels[place])
            reason = self.into.task.why_no_label(value)
            unfit.setdefault(place, Unfit(self._number(place), "label", reason, f"{value:g}"))
        return unfit, kept

    @cached_property
    def _again(self) -> Bools:
        """Rows whose id an earlier row has."""
        ids = self.rows.roles["id"]
        return (ids.duplicated() & (ids != "")).to_numpy(dtype=np.bool_)

    @cached_property
    def _no_label(self) -> Bools:
        return _failing(self._labels, self.into.task.why_no_label)

    @cached_property
    def _doubtful(self) -> Bools:
        """Rows that may break a rule."""
        features, task = self.rows.features, self.into.task
        rules.require_feature_names({str(name): None for name in features.columns})
        names = set(map(str, features.columns))
        doubt: Bools = np.zeros(len(features), dtype=np.bool_)
        for schema in self.into.schemas:
            if schema.kinds and not names & set(schema.kinds):
                doubt[:] = True
        numeric = {name for schema in self.into.schemas for name, kind in schema.kinds.items() if kind == NUMERIC}
        for at, name in enumerate(features.columns):
            doubt |= _doubtful_cells(features.iloc[:, at], self._cells[at], numeric=str(name) in numeric)
        instants = self.rows.roles["at"]
        doubt |= ((instants < EARLIEST) | (instants >= LATEST)).to_numpy(dtype=np.bool_)
        doubt |= _failing(
            self._scores, lambda score: rules.why_no_score(score, task=task) or task.why_not_sent(task.word_of(score))
        )
        doubt |= np.isnan(self._scores)
        if self._named:
            doubt |= np.array([_no_name(one) for one in self._ids], dtype=np.bool_)
        return doubt

    # --- what is stored ---

    def _texts(self, places: np.ndarray[Any, np.dtype[np.int64]], sifted: dict[int, OutsideRow]) -> list[str]:
        """The features of rows as canonical JSON."""
        plain = np.array([place not in sifted for place in places.tolist()], dtype=np.bool_)
        undoubted = places[plain]
        columns = {}
        for at, name in enumerate(self.rows.features.columns):
            if str(name) not in self.into.do_not_log:
                cells = self._cells[at]
                columns[str(name)] = (
                    column_texts(self.rows.features.iloc[undoubted, at])
                    if cells is None
                    else cell_texts([cells[place] for place in undoubted.tolist()])
                )
        texts = rows_of_texts(columns, len(undoubted))
        if not sifted:
            return texts
        rest = iter(texts)
        return [next(rest) if fine else sifted[place].features
                for fine, place in zip(plain.tolist(), places.tolist(), strict=True)]  # fmt: skip

    def _names(
        self, places: np.ndarray[Any, np.dtype[np.int64]], at_us: Sequence[int], texts: Sequence[str]
    ) -> tuple[str, ...]:
        if self._named:
            return tuple([self._ids[place] for place in places.tolist()])
        into = self.into
        names = rules.stable_ids(into.model, at_us, texts, seen=self._seen, earlier=into.earlier)
        last = at_us[-1] if at_us else 0
        for key in [one for one in self._seen if one[0] < last]:
            del self._seen[key]  # rows come by time: equal ones have the same
        return names

    def _pending(
        self,
        places: np.ndarray[Any, np.dtype[np.int64]],
        names: Sequence[str],
        at_us: Sequence[int],
        texts: Sequence[str],
    ) -> Pending:
        into, model = self.into, repeat(self.into.model)
        batch = intake.batch_of(names)
        scores = self._scores[places].tolist()
        p = self.rows.probabilities
        told = kept_rows(p.to_numpy(dtype=np.float64)[places] if len(p.columns) else None, len(places))
        labels, label_us = self._labels[places], self._label_us[places].tolist()
        labelled = np.flatnonzero(~np.isnan(labels)).tolist()
        values = labels.tolist()
        return Pending(
            into.model,
            batch if names else "",
            predictions=tuple(
                map(Prediction._make, zip(model, names, at_us, repeat(batch), range(len(names)), repeat(""), texts))
            ),
            scores=tuple(
                map(Score._make, zip(model, names, repeat(into.version_id), repeat(ScoreRole.CHAMPION),
                                     repeat(into.version), at_us, scores, at_us, told))
            ),
            # A file tells what was known when: labels are taken as received when they were observed.
            labels=tuple(
                [Label(into.model, names[row], values[row], label_us[row], label_us[row]) for row in labelled]
            ),
            timed=True,
        )  # fmt: skip

    # --- columns ---

    @cached_property
    def _cells(self) -> list[list[Any] | None]:
        """The cells of each column as JSON holds them; None of a column of numbers or truth values."""
        columns = [self.rows.features.iloc[:, at] for at in range(self.rows.features.shape[1])]
        return [None if _of_numbers(column) else plain_cells(column) for column in columns]

    @cached_property
    def _ids(self) -> list[str]:
        return self.rows.roles["id"].tolist()

    @cached_property
    def _named(self) -> bool:
        return any(self._ids)

    @cached_property
    def _numbers(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        return self.rows.roles["number"].to_numpy(dtype=np.int64)

    @cached_property
    def _scores(self) -> Floats:
        return self.rows.roles["score"].to_numpy(dtype=np.float64)

    @cached_property
    def _labels(self) -> Floats:
        return self.rows.roles["label"].to_numpy(dtype=np.float64)

    @cached_property
    def _at_us(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        return _microseconds(self.rows.roles["at"])

    @cached_property
    def _label_us(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        return _microseconds(self.rows.roles["label_at"])

    def _number(self, place: int) -> int:
        return int(self._numbers[place])


def _doubtful_cells(column: pd.Series[Any], cells: list[Any] | None, *, numeric: bool) -> Bools:
    """Cells that may break a rule: of no plain kind, out of range, or a word among numbers."""
    if cells is None:
        if column.dtype.kind != "f":
            return np.zeros(len(column), dtype=np.bool_)
        values: Floats = column.to_numpy(dtype=np.float64)
        return ~np.isnan(values) & ~(np.abs(values) <= LARGEST)
    kinds = set(map(type, cells))
    if kinds <= ({type(None), bool} if numeric else {str, type(None), bool}):
        return np.zeros(len(cells), dtype=np.bool_)
    return np.array([not _plain(one, numeric=numeric) for one in cells], dtype=np.bool_)


def _plain(value: Any, *, numeric: bool) -> bool:
    if value is None or isinstance(value, bool):
        return True
    if type(value) is str:
        return not numeric
    return type(value) in (int, float) and -LARGEST <= value <= LARGEST


def _of_numbers(column: pd.Series[Any]) -> bool:
    return isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf"


def _no_name(name: Any) -> bool:
    return type(name) is not str or not 0 < len(name) <= LONGEST_ID or not name.isprintable()


def _failing(values: Floats, why: Callable[[float], str]) -> Bools:
    """Where a rule has a reason against a number; NaN has none."""
    codes, different = pd.factorize(values)
    bad = np.array([bool(why(one)) for one in different.tolist()] + [False], dtype=np.bool_)  # the last is NaN's
    failing: Bools = bad[codes]
    return failing


def _microseconds(instants: pd.Series[Any]) -> np.ndarray[Any, np.dtype[np.int64]]:
    moments = pd.DatetimeIndex(instants).tz_convert("UTC").tz_localize(None).to_numpy(dtype="datetime64[us]")
    return moments.astype(np.int64)


def _as_unfit(error: InvalidRow, number: int) -> Unfit:
    return Unfit(number, error.column, error.reason, error.value)
