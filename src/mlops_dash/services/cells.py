"""What do the cells of a file's columns say: times, numbers, names, labels?

A cell that cannot be read costs its own row, with the reason, and no other. Files of predictions, labels, evidence and
references are read by the same rules.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mlops_dash.domain.calendar import zone_of
from mlops_dash.domain.schema import sample_of
from mlops_dash.domain.sifting import Unfit, in_numbers
from mlops_dash.domain.tasks.task import ModelTask
from mlops_dash.errors import InvalidInput
from mlops_dash.services.tables import instants_of, names_of, numbers_of
from mlops_dash.stats.arrays import Floats

_NOT_ONE = "is a word for nothing, or an hour that the zone has twice"
_TRUE = frozenset({"1", "1.0", "true"})  # a positive class that numbers and truth values say as well


def require_columns(table: pd.DataFrame, names: Sequence[str]) -> None:
    """Refuse a file that lacks one of these columns, or has one twice.

    Raises:
        InvalidInput: naming it.
    """
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise InvalidInput(
            f"There is no column {missing[0]!r}.", hint=f"The file has {', '.join(map(str, table.columns))}."
        )
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise InvalidInput(f"The column {twice[0]!r} is there twice.", hint="Rename one of them.")


def key_columns(table: pd.DataFrame, named: str) -> tuple[str, ...]:
    """The columns that make a key together: one of that name, else those between its commas.

    >>> key_columns(pd.DataFrame(columns=["loan", "as_of", "a,b"]), "loan, as_of")
    ('loan', 'as_of')
    >>> key_columns(pd.DataFrame(columns=["loan", "as_of", "a,b"]), "a,b")
    ('a,b',)
    """
    return (named,) if named in table.columns else tuple(part.strip() for part in named.split(","))


def joined_names(parts: Sequence[pd.Series[Any]]) -> pd.Series[Any]:
    """One name of the names of several columns, None where one of them is empty; different rows stay different.

    >>> joined_names([pd.Series(["L1", "L2"]), pd.Series(["2026-01", None])]).tolist()
    ['L1,2026-01', None]
    """
    if len(parts) == 1:
        return parts[0]
    rows = [
        None if any(one is None for one in row) else ",".join(_escaped(one) for one in row)
        for row in zip(*parts, strict=True)
    ]
    return pd.Series(rows, index=parts[0].index, dtype=object)


def _escaped(name: str) -> str:
    return name.replace("\\", "\\\\").replace(",", "\\,")


def class_numbers(column: pd.Series[Any], name: str, *, positive: str) -> Floats:
    """1 for the positive class, 0 for the other, NaN where a cell is empty.

    >>> class_numbers(pd.Series(["bad", "good", None]), "outcome", positive="bad").tolist()
    [1.0, 0.0, nan]

    Raises:
        InvalidInput: there are more than two classes.
    """
    if positive.lower() in _TRUE:
        try:
            numbers = numbers_of(column, name)
        except InvalidInput:
            numbers = np.array([2.0])
        if set(np.unique(numbers[~np.isnan(numbers)])) <= {0.0, 1.0}:
            return numbers
    names = names_of(column)
    classes = sorted({*names.dropna(), positive})
    if len(classes) > 2:
        shown = ", ".join(repr(one) for one in classes[:6]) + (" ..." if len(classes) > 6 else "")
        raise InvalidInput(
            f"The labels in {name!r} and the model's positive class {positive!r} are {len(classes)} classes: {shown}.",
            hint="A binary model has two; write them as before, or name another column.",
        )
    return np.where(names.isna(), np.nan, (names == positive).astype(float))


def judged_in_numbers(rows: pd.DataFrame, task: ModelTask, *, positive: str) -> pd.DataFrame:
    """Rows of `label` and `score` as the log keeps them: words become their class's number, by the model's own classes.

    >>> rows = pd.DataFrame({"label": ["yes", "no"], "score": [0.7, 0.2]})
    >>> judged_in_numbers(rows, task_named("binary"), positive="yes")["label"].tolist()
    [1.0, 0.0]

    Raises:
        InvalidInput: a class that the model does not know, or a value that such a model cannot have.
    """
    rows = in_numbers(rows, task)
    if task.has_base_rate:
        rows = rows.assign(label=class_numbers(rows["label"], "label", positive=positive))
    for name, why_not in (("score", task.why_no_score), ("label", task.why_no_label)):
        for value in numbers_of(rows[name], name).tolist():
            if reason := why_not(value):
                raise InvalidInput(f"The {name} {value:g} cannot be counted: {reason}.")
    return rows


class Cells:
    """Reads columns, and remembers the first cell of a row that cannot be read."""

    def __init__(self, table: pd.DataFrame, zone: str) -> None:
        self._table, self._zone = table, zone_of(zone)
        self.unfit: dict[int, Unfit] = {}

    @property
    def said(self) -> tuple[Unfit, ...]:
        """What cannot be read, by place."""
        return tuple(self.unfit[row] for row in sorted(self.unfit))

    def times(self, name: str, *, needed: bool = True) -> pd.Series[Any]:
        """Instants; NaT where there is none."""
        column = self._table[name]
        try:
            read = instants_of(column, name, self._zone)
        except InvalidInput:
            read = self._one_by_one(
                column, lambda one: instants_of(one, name, self._zone), reason="is no time such as 2026-03-01T06:00Z"
            ).astype("datetime64[ns, UTC]")
        return self._present(read, name, needed=needed)

    def numbers(self, name: str, *, needed: bool = True) -> Floats:
        """Numbers; NaN where a cell is none."""
        column = self._table[name]
        try:
            read = pd.Series(numbers_of(column, name))
        except InvalidInput:
            read = self._one_by_one(
                column, lambda one: pd.Series(numbers_of(one, name)), reason="is no finite number"
            ).astype(float)
        return self._present(read, name, needed=needed).to_numpy(dtype=np.float64)

    def answers(self, name: str, *, task: ModelTask, needed: bool = True) -> Floats:
        """Answers as the log keeps them: numbers, of a task in words the class's number; NaN where there is none."""
        if not task.in_words:
            return self.numbers(name, needed=needed)
        words = self._present(names_of(self._table[name]), name, needed=needed)
        for row, word in enumerate(words):
            if word is not None and task.why_not_sent(word):
                self._note(row, name, task.why_not_sent(word), word)
        return np.array([np.nan if word is None else task.number_of(word) for word in words], dtype=np.float64)

    def names(self, name: str) -> np.ndarray[Any, np.dtype[np.object_]]:
        """Names as text."""
        return self._present(names_of(self._table[name]), name, needed=True).to_numpy(dtype=object)

    def keys(self, columns: Sequence[str]) -> np.ndarray[Any, np.dtype[np.object_]]:
        """Names that several columns make together."""
        parts = [pd.Series(self.names(name), index=self._table.index) for name in columns]
        return joined_names(parts).to_numpy(dtype=object)

    def labels(self, name: str, *, task: ModelTask, positive: str, needed: bool = False) -> Floats:
        """Labels as the log keeps them."""
        if not task.has_base_rate:
            return self.answers(name, task=task, needed=needed)
        read = pd.Series(class_numbers(self._table[name], name, positive=positive))
        return self._present(read, name, needed=needed).to_numpy(dtype=np.float64)

    def note_rows(self, reasons: Sequence[str], column: str, values: Floats) -> None:
        """Note what is wrong with rows as a whole; "" = nothing."""
        for row, reason in enumerate(reasons):
            if reason:
                self._note(row, column, reason, values[row])

    def _one_by_one(
        self, column: pd.Series[Any], read: Callable[[pd.Series[Any]], pd.Series[Any]], *, reason: str
    ) -> pd.Series[Any]:
        """Cells one at a time, where a column as a whole cannot be read; None where one cannot be."""
        made: list[Any] = []
        for row in range(len(column)):
            try:
                made.append(read(column.iloc[row : row + 1]).iloc[0])
            except InvalidInput:
                made.append(None)
                self._note(row, str(column.name), reason, column.iloc[row])
        return pd.Series(made, index=column.index, dtype=object)

    def _present(self, read: pd.Series[Any], name: str, *, needed: bool) -> pd.Series[Any]:
        empty = self._table[name].isna().to_numpy()
        for row in np.flatnonzero(read.isna().to_numpy()).tolist():
            if not empty[row]:
                self._note(row, name, _NOT_ONE, self._table[name].iloc[row])
            elif needed:
                self._note(row, name, "is empty", None)
        return read

    def _note(self, row: int, column: str, reason: str, value: Any) -> None:
        self.unfit.setdefault(row, Unfit(row, column, reason, "" if value is None else sample_of(value)))
