"""What does a file of predictions or of labels hold? Its columns as times, scores, labels and features, cell by cell.

A cell that cannot be read costs its own row, with the reason, and no other. Nothing is stored here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from mlops_dash.domain.class_probabilities import column_of
from mlops_dash.domain.schema import NUMERIC
from mlops_dash.domain.scoring import require_feature_names
from mlops_dash.domain.sifting import Unfit
from mlops_dash.domain.tasks.task import ModelTask
from mlops_dash.errors import InvalidInput
from mlops_dash.services.cells import Cells, key_columns, require_columns
from mlops_dash.services.classes import class_columns, read_scores, says_it_again
from mlops_dash.services.tables import as_written, is_text, names_of, numbers_of
from mlops_dash.stats.arrays import Floats

_CLASSES = frozenset({"0", "1", "0.0", "1.0", "true", "false"})
_SOME = 20  # rows: so many answers that are all 0 or 1 are no probabilities


@dataclass(frozen=True)
class Columns:
    """Which column of a file is what; "" = the file has none."""

    time: str
    score: str
    label: str = ""
    label_time: str = ""
    id: str = ""  # several between commas make one together
    ignored: tuple[str, ...] = ()  # neither a role nor a feature
    scores: tuple[tuple[str, str], ...] = ()  # (class, column of its probability); the score is the most probable then
    zone: str = "UTC"  # of times without one


@dataclass(frozen=True)
class FileRows:
    """Rows as a file gives them, by time.

    Attributes:
        roles: `number` (place in the file, from 0), `at` and `label_at` (aware UTC), `id` ("" = none), `score`, `label`
            (NaN = none yet).
        features: The other columns, beside `roles` row by row.
        unfit: Rows that are not among them, with the reason; by place in the file.
        probabilities: Beside them of several classes a column each (`class_probabilities.column_of`), NaN where a row
            tells none; no column where the file has none.
        rows: How many the file has.
    """

    roles: pd.DataFrame
    features: pd.DataFrame
    unfit: tuple[Unfit, ...] = ()
    rows: int = 0
    probabilities: pd.DataFrame = field(default_factory=pd.DataFrame)

    def at(self, places: Sequence[int]) -> FileRows:
        """Some of the rows, by their places among these."""
        rows = list(places)
        told = self.probabilities.iloc[rows] if len(self.probabilities.columns) else self.probabilities
        return FileRows(self.roles.iloc[rows], self.features.iloc[rows], probabilities=told)

    def reference(self) -> pd.DataFrame:
        """As a reference is made of rows: `at`, `score`, `label`, and the features under their names.

        Raises:
            InvalidInput: a feature has the name of one of these.
        """
        require_feature_names({str(name): None for name in self.features.columns})
        return pd.concat([self.features, self.roles[["at", "score", "label"]], self.probabilities], axis=1)

    def objects(self, version: str, task: ModelTask) -> list[Mapping[str, Any]]:
        """As rows come to `domain.scoring`: a class is its word."""
        columns = {str(name): plain_cells(self.features.iloc[:, at]) for at, name in enumerate(self.features.columns)}
        values = zip(*columns.values(), strict=True) if columns else [()] * len(self.roles)
        cells = zip(self.roles["at"], self.roles["id"], self.roles["score"].tolist(), values, strict=True)
        return [
            {
                **({"prediction_id": ident} if ident else {}),
                "at": at.isoformat(),
                "version": version,
                "score": task.word_of(score),
                "features": dict(zip(columns, row, strict=True)),
            }
            for at, ident, score, row in cells
        ]


def rows_of_file(
    table: pd.DataFrame, columns: Columns, *, task: ModelTask, positive: str, kinds: Mapping[str, str]
) -> FileRows:
    """Read a file of predictions.

    Args:
        table: As `services.tables` reads it: cells of a CSV are text.
        columns: Which column is what.
        task: What the model predicts.
        positive: The label that a binary model's score is the probability of.
        kinds: Kind by feature, as far as it is known of the version.

    Raises:
        InvalidInput: a column is not there or has two roles, the labels are more than two classes, the columns of
            probabilities are not of the model's classes, or no feature is left.
    """
    of_classes = class_columns(columns.scores, task) if columns.scores else {}
    key = key_columns(table, columns.id) if columns.id else ()
    named = [one for one in (columns.time, columns.score, columns.label, columns.label_time, *key) if one]
    named += of_classes.values()
    require_columns(table, (*named, *columns.ignored))
    if len(set(named)) < len(named):
        raise InvalidInput("One column cannot have two roles.", hint="Name another column, or leave one out.")
    if task.has_base_rate:
        _refuse_classes(table[columns.score], columns.score)
    cells = Cells(table, columns.zone)
    at, p = cells.times(columns.time), pd.DataFrame(index=range(len(table)))
    if of_classes:
        read = read_scores(cells, list(of_classes.values()), needed=not columns.score)
        score, _ = task.split(read)
        p = pd.DataFrame(read, columns=[column_of(name) for name in of_classes])
    if columns.score:
        score = cells.answers(columns.score, task=task)
    label: Floats = np.full(len(table), np.nan)
    if columns.label:
        label = cells.labels(columns.label, task=task, positive=positive)
    label_at = cells.times(columns.label_time, needed=False) if columns.label_time else at
    ident = cells.keys(key) if key else np.full(len(table), "", dtype=object)
    others = {*named, *columns.ignored, *(says_it_again(table, list(of_classes)) if of_classes else ())}
    features = table[[name for name in table.columns if name not in others]]
    if not len(features.columns):
        raise InvalidInput("No column is left as an input.", hint="Keep the columns that the model was given.")
    roles = pd.DataFrame(
        {"number": np.arange(len(table)), "at": at.array, "label_at": label_at.fillna(at).array, "id": ident,
         "score": score, "label": label}
    )  # fmt: skip
    fit = ~roles["number"].isin(cells.unfit).to_numpy()
    order = roles[fit].sort_values("at", kind="stable").index.to_numpy()
    typed = _typed(features.reset_index(drop=True), kinds)
    kept, inputs, told = (frame.loc[order].reset_index(drop=True) for frame in (roles, typed, p))
    return FileRows(kept, inputs, cells.said, len(table), told)


def labels_of_file(
    table: pd.DataFrame, *, key: str, label: str, time: str, task: ModelTask, positive: str, zone: str
) -> tuple[pd.DataFrame, tuple[Unfit, ...]]:
    """Read a file of labels: `number`, `id`, `label`, `label_at` of the rows that can be kept, and the others.

    Raises:
        InvalidInput: a column is not there or has two roles, or the labels are more than two classes.
    """
    keys = key_columns(table, key)
    require_columns(table, (*keys, label, time))
    if len({*keys, label, time}) < len(keys) + 2:
        raise InvalidInput("One column cannot have two roles.", hint="Name --key, --label and --time.")
    cells = Cells(table, zone)
    names, at = cells.keys(keys), cells.times(time)
    values = cells.labels(label, task=task, positive=positive, needed=True)
    read = pd.DataFrame({"number": np.arange(len(table)), "id": names, "label": values, "label_at": at.array})
    fit = read[~read["number"].isin(cells.unfit)].sort_values("label_at", kind="stable")
    return fit.drop_duplicates("id", keep="last", ignore_index=True), cells.said  # what was known last


def _refuse_classes(column: pd.Series[Any], name: str) -> None:
    """A class is no probability: 0 and 1 read as such would be a model that is always certain."""
    answers = set(names_of(column.dropna()).str.lower())
    if len(column) >= _SOME and answers <= _CLASSES:
        raise InvalidInput(
            f"The column {name!r} holds classes ({', '.join(sorted(answers))}), and a probability is needed.",
            hint="Name a column of probabilities with --score.",
        )


def _typed(features: pd.DataFrame, kinds: Mapping[str, str]) -> pd.DataFrame:
    """Numbers where the version knows the column as one, cell by cell; text stays where it knows it as another kind."""
    guessed = as_written(features[[name for name in features.columns if name not in kinds]])
    made = {
        name: _numeric_cells(features[name]) if kinds[name] == NUMERIC else features[name]
        for name in features.columns
        if name in kinds
    }
    return pd.concat([guessed, pd.DataFrame(made, index=features.index)], axis=1)[list(features.columns)]


def _numeric_cells(column: pd.Series[Any]) -> pd.Series[Any]:
    """Numbers; a word that is none stays, to be refused with its row."""
    try:
        return pd.Series(numbers_of(column, str(column.name)), index=column.index) if is_text(column) else column
    except InvalidInput:
        cells: list[Any] = []
        for place in range(len(column)):
            try:
                cells.append(numbers_of(column.iloc[place : place + 1], str(column.name))[0])
            except InvalidInput:
                cells.append(column.iloc[place])
        return pd.Series(cells, index=column.index, dtype=object)


def plain_cells(column: pd.Series[Any]) -> list[Any]:
    """Cells as JSON holds them: empty ones None, and a whole number without a point whatever else the column holds."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iub":
        return column.tolist()
    return [_plain(value) for value in column.tolist()]


def _plain(value: Any) -> Any:
    if isinstance(value, str | bool):
        return value
    if isinstance(value, float):
        return None if value != value else int(value) if value.is_integer() and abs(value) < 2**53 else value
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return None
    return value.item() if hasattr(value, "item") else value.isoformat() if hasattr(value, "isoformat") else value
