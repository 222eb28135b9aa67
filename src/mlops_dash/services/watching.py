"""What does a file of predictions hold? Columns get their roles, proposed where nobody names them.

Nothing is stored here: a proposal can be read, corrected and thrown away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from mlops_dash.domain.cadence import Cadence, cadence_named
from mlops_dash.domain.calendar import zone_of
from mlops_dash.domain.class_probabilities import PROBABILITY, probability_columns
from mlops_dash.domain.file_windows import cut_of, refuse_empty, said_of, together, window_of
from mlops_dash.domain.tasks import BINARY, MULTICLASS, REGRESSION, TASKS, task_named
from mlops_dash.domain.tasks.task import ModelTask
from mlops_dash.errors import InvalidInput
from mlops_dash.services.cells import joined_names, key_columns
from mlops_dash.services.classes import class_columns
from mlops_dash.services.tables import as_written, instants_of, is_text, look_like_times, names_of, numbers_of
from mlops_dash.stats.arrays import Floats

_TIMES = ("at", "time", "timestamp", "scored_at", "predicted_at", "datetime", "date", "ts", "created_at")
_SCORES = ("score", "p", "prob", "probability", "prediction", "predicted", "y_score", "y_pred", "proba")
_LABELS = ("label", "y", "target", "outcome", "actual", "truth", "y_true", "observed")
_IDS = ("prediction_id", "id", "row_id", "request_id", "uuid")
_YES = ("1", "1.0", "true", "yes", "y", "bad", "positive", "churned", "fraud", "late", "default")
_UNLABELLED = "no outcome: drift and volume alone are watched (name its column with --label)"
_SEVERAL = "; of several classes --prediction COLUMN, or --scores CLASS=COLUMN for each"
_LOOKED_AT = 50  # cells that tell whether a column holds times
MOST_VALUES = 20  # more values than these in a column of labels are a quantity


@dataclass(frozen=True)
class Roles:
    """Which column is what; "" = not named (the id: rows get one of their own).

    `known` is a model that is watched already: its task, its positive class and its reference stand.
    """

    time: str = ""
    score: str = ""
    label: str = ""
    id: str = ""
    task: str = ""
    positive: str = ""
    prediction: str = ""  # the class that was answered, where there is no score
    class_names: tuple[str, ...] = ()  # of a known model, in its order
    zone: str = "UTC"
    reference_until: datetime | None = None
    known: bool = False
    window: str = ""  # how often it is judged; "" = told from how the rows come
    cluster: str = ""  # the column by which rows belong together; "" = none


@dataclass(frozen=True)
class Proposal:
    """What would be watched.

    Attributes:
        class_names: Of a task in words, in their order; empty for every other.
        rows: `at` (aware UTC), `id` ("" without), every feature, `score`, `label`, and of several classes their
            probabilities where the file tells them; by time.
        how: (what, value, why) a line, for people to read before they agree.
        reference_rows: How many of the first rows are the reference.
        dropped: Rows without a time, score or label.
        window: How often it is judged.
        cluster: The column by which rows belong together, where days are few; "" = none.
    """

    task: ModelTask
    positive: str
    class_names: tuple[str, ...]
    features: tuple[str, ...]
    rows: pd.DataFrame
    reference_rows: int
    how: tuple[tuple[str, str, str], ...]
    dropped: int
    window: str = "day"
    cluster: str = ""

    @property
    def labelled(self) -> bool:
        """Whether the file says what came true."""
        return bool(self.rows["label"].notna().any())

    @property
    def reference(self) -> pd.DataFrame:
        """What the rest is compared with."""
        without = ["id"] if self.labelled else ["id", "label"]
        return self.rows.iloc[: self.reference_rows].drop(columns=without).reset_index(drop=True)

    @property
    def live(self) -> pd.DataFrame:
        """What is watched."""
        return self.rows.iloc[self.reference_rows :].reset_index(drop=True)


def propose(table: pd.DataFrame, given: Roles, *, now: datetime) -> Proposal:
    """Give every column of a file its role.

    Args:
        table: As `services.tables` reads it: cells of a CSV are text.
        given: What is named already.
        now: No row can have been answered later.

    Raises:
        InvalidInput: a named column is not there, a role can neither be found nor guessed, or most of what would be
            watched lies in the future.
    """
    how: list[tuple[str, str, str]] = []
    if table.attrs.get("read_as"):
        how.append(("read as", str(table.attrs["read_as"]), "as its first rows are written"))
    lone = "" if given.time else _only_times(table, given)
    time = _column(table, "time", given.time or lone, _TIMES, how)
    if lone:
        how[-1] = ("time", lone, "the only column of times")
    said = "prediction" if given.prediction else "score"
    score = _column(table, said, given.prediction or given.score, _SCORES, how)
    label = _column(table, "label", given.label, _LABELS, how, needed=False)
    ident = _key(table, given.id, how)
    roles = {time, score, label, *ident} - {""}
    if given.prediction and given.score:
        raise InvalidInput("A prediction and a score are named.", hint="Name the class, or its probability.")
    if len(roles) < 2 + bool(label) + len(ident):
        raise InvalidInput("One column cannot have two roles.", hint="Name --time, --score, --label and --id.")
    at = instants_of(table[time], time, zone_of(given.zone))
    labels = table[label] if label else pd.Series(None, index=table.index, dtype=object, name="label")
    task, why = _task(labels, table[score], given)
    how.append(("task", task.name, why))
    answers = _answers(labels, table[score], task, given, how)
    of_classes = _of_classes(table, answers.task)
    features = tuple(str(name) for name in table.columns if name not in {*roles, *of_classes})
    if given.cluster and given.cluster not in features:
        why = f"There is no column {given.cluster!r} without a role by which rows could belong together."
        raise InvalidInput(why, hint=f"Without a role are: {', '.join(features)}.")
    inputs = [name for name in features if name not in (given.window.partition(":")[2], given.cluster)]
    if not inputs:
        raise InvalidInput("No column is left as an input.", hint="Keep the columns that the model was given.")
    rows = as_written(table[list(features)], gaps=True).assign(
        at=at,
        score=answers.scores,
        label=answers.labels,
        id=joined_names([names_of(table[name]) for name in ident]) if ident else "",
        **{name: table[name] for name in of_classes},
    )
    kept = rows.dropna(subset=["at", "score", *(["label"] if label else [])])
    kept = kept.sort_values("at", kind="stable", ignore_index=True)
    if kept.empty:
        raise InvalidInput("No row has all of time, score and label.", hint="Look at the first lines of the file.")
    window = _window(kept, given, how)
    n = _reference_rows(kept, given, cadence_named(window), how)
    _future(kept["at"].iloc[n:], time, now, how)
    how.append(("inputs", f"{len(inputs)}", ", ".join(inputs[:6]) + (" ..." if len(inputs) > 6 else "")))
    return Proposal(
        answers.task,
        answers.positive,
        answers.class_names,
        features,
        kept,
        n,
        tuple(how),
        len(rows) - len(kept),
        window,
        given.cluster,
    )


def label_column(table: pd.DataFrame, named: str) -> str:
    """The column of outcomes: as named, or the first with a usual name; "" where there is none."""
    known = {str(name).lower(): str(name) for name in table.columns}
    return named or next((known[name] for name in _LABELS if name in known), "")


def _of_classes(table: pd.DataFrame, task: ModelTask) -> tuple[str, ...]:
    """The columns of the probabilities of all classes in the order of the task's, where the table tells them."""
    told = [(name.removeprefix(PROBABILITY), name) for name in probability_columns(table)]
    return tuple(class_columns(told, task).values()) if told and task.in_words else ()


def _key(table: pd.DataFrame, named: str, how: list[tuple[str, str, str]]) -> tuple[str, ...]:
    """The columns that name a row, several together where named so; none where rows get a name of their own."""
    columns = key_columns(table, named) if named else ("",)
    found = [_column(table, "id", column, _IDS, how, needed=False) for column in columns]
    return tuple(one for one in found if one)


def _only_times(table: pd.DataFrame, given: Roles) -> str:
    """The one column that holds times, where no usual name says which it is; "" where there are none or several."""
    if {str(name).lower() for name in table.columns} & set(_TIMES):
        return ""
    taken = {given.score, given.prediction, given.label, given.id}
    found = [str(name) for name in table.columns if name not in taken and _looks_like_times(table[name])]
    return found[0] if len(found) == 1 else ""


def _looks_like_times(column: pd.Series[Any]) -> bool:
    if pd.api.types.is_datetime64_any_dtype(column):
        return True
    return is_text(column) and look_like_times(column.dropna().head(_LOOKED_AT))


def _column(
    table: pd.DataFrame, role: str, named: str, usual: Sequence[str], how: list[tuple[str, str, str]], *,
    needed: bool = True,
) -> str:  # fmt: skip
    if named:
        if named not in table.columns:
            raise InvalidInput(f"There is no column {named!r}.", hint=f"The file has {', '.join(map(str, table))}.")
        how.append((role, named, "as named"))
        return named
    known = {str(name).lower(): str(name) for name in table.columns}
    found = next((known[name] for name in usual if name in known), "")
    if found:
        how.append((role, found, "by its name"))
    elif role == "label":
        how.append((role, "none", _UNLABELLED))
    elif needed:
        named = f"Name it: --{role} COLUMN, of {', '.join(map(str, table))}{_SEVERAL if role == 'score' else ''}."
        raise InvalidInput(f"No column says what the {role} is.", hint=named)
    else:
        how.append((role, "none", "rows get one from their values"))
    return found


def _task(column: pd.Series[Any], answers: pd.Series[Any], given: Roles) -> tuple[ModelTask, str]:
    values = names_of(column.dropna()).unique()
    if given.task:
        task = {one.name: one for one in TASKS}.get(given.task)
        if task is None:
            names = " or ".join(one.name for one in TASKS)
            raise InvalidInput(f"There is no task {given.task!r}.", hint=f"Use {names}.")
        return task, "as named"
    if given.prediction:
        return MULTICLASS, "the answer is a class"
    if not len(values):
        return _task_of_answers(answers)
    if len(values) == 2:
        if _are_labels(answers, column):
            return MULTICLASS, "the answers are the labels' own words, not probabilities"
        return BINARY, f"two labels: {', '.join(sorted(values))}"
    try:
        numbers_of(column, str(column.name))
    except InvalidInput:
        if len(values) <= MOST_VALUES:
            return MULTICLASS, f"{len(values)} labels: {', '.join(sorted(values)[:6])}"
        raise InvalidInput(
            f"The labels are {len(values)} words: are they classes?",
            hint="Name another column with --label, or say --task multiclass.",
        ) from None
    if len(values) > MOST_VALUES:
        return REGRESSION, f"{len(values):,} different numbers"
    raise InvalidInput(
        f"The labels are {len(values)} different numbers: a quantity, or classes?",
        hint="Say --task regression or --task multiclass.",
    )


def _task_of_answers(column: pd.Series[Any]) -> tuple[ModelTask, str]:
    """What a model predicts whose outcomes nobody knows: told from its answers alone."""
    values = names_of(column.dropna()).unique()
    try:
        numbers = numbers_of(column.dropna(), str(column.name))
    except InvalidInput:
        if len(values) <= MOST_VALUES:
            return MULTICLASS, f"the answers are {len(values)} words"
        raise InvalidInput(
            f"The answers in {str(column.name)!r} are {len(values)} words: are they classes?",
            hint="Name another column with --score, or the class with --prediction.",
        ) from None
    if set(numbers.tolist()) <= {0.0, 1.0}:
        return MULTICLASS, "the answers are 0 and 1: classes, not probabilities"
    if numbers.size and numbers.min() >= 0 and numbers.max() <= 1:
        return BINARY, "the answers lie in [0, 1]: probabilities (--task regression says otherwise)"
    return REGRESSION, "the answers are numbers"


def _are_labels(answers: pd.Series[Any], labels: pd.Series[Any]) -> bool:
    """Whether every answer is one of the labels: a class, and no probability of one."""
    return set(names_of(answers).dropna().unique()) <= set(names_of(labels).dropna().unique())


@dataclass(frozen=True)
class _Answers:
    """Answers and labels as the task takes them."""

    task: ModelTask
    positive: str
    class_names: tuple[str, ...]
    scores: Any
    labels: Any


def _answers(
    label: pd.Series[Any], score: pd.Series[Any], task: ModelTask, given: Roles, how: list[tuple[str, str, str]]
) -> _Answers:
    if task.in_words:
        return _words(label, score, task, given, how)
    if not task.has_base_rate:
        numbers = numbers_of(score, str(score.name)), numbers_of(label, str(label.name))
        return _Answers(task, "", (), *numbers)
    if not given.known and label.notna().any() and _are_labels(score, label):
        raise InvalidInput(
            f"The scores in {str(score.name)!r} are the labels themselves, not probabilities.",
            hint="Name a column of probabilities with --score, or the class with --prediction.",
        )
    positive, labels = _classes(label, given, how)
    scores = numbers_of(score, str(score.name))
    if np.nanmin(scores, initial=0.0) < 0 or np.nanmax(scores, initial=0.0) > 1:
        raise InvalidInput(
            f"The scores in {str(score.name)!r} leave [0, 1], and {str(label.name)!r} has two values.",
            hint="Name a column of probabilities with --score, or --task regression.",
        )
    return _Answers(task, positive, (), scores, labels)


def _words(
    label: pd.Series[Any], score: pd.Series[Any], task: ModelTask, given: Roles, how: list[tuple[str, str, str]]
) -> _Answers:
    """The classes: those of the model, else all that occur as answer or label, by name."""
    answers, labels = names_of(score), names_of(label)
    given_answers, given_labels = set(answers.dropna()), set(labels.dropna())
    if not given.class_names and given_labels and given_answers.isdisjoint(given_labels):
        raise InvalidInput(
            f"The labels are {len(given_labels)} words, and no answer in {str(score.name)!r} is one of them.",
            hint="Name the column of the class that was answered with --prediction.",
        )
    held = sorted(given_answers | given_labels)
    names = given.class_names or tuple(held)
    bound = task_named(task.name, names)
    why_not = bound.why_incomplete() or next((f"{one!r} {why}" for one in held if (why := bound.why_not_sent(one))), "")
    if why_not:
        raise InvalidInput(
            f"The classes of {str(label.name)!r} cannot be watched: {why_not}.",
            hint="Name the columns of the class with --prediction and --label, or leave those rows out.",
        )
    how.append(("classes", f"{len(names)}", ", ".join(names[:6]) + (" ..." if len(names) > 6 else "")))
    return _Answers(bound, "", names, answers, labels)


def _classes(column: pd.Series[Any], given: Roles, how: list[tuple[str, str, str]]) -> tuple[str, Floats]:
    """The positive class, and 1 for it, 0 for the other, NaN where there is none."""
    names = names_of(column)
    values = sorted(names.dropna().unique())
    if not values:
        return given.positive, np.full(len(column), np.nan)
    if len(values) > 2 or (given.known and len({*values, given.positive}) > 2):
        raise InvalidInput(f"A binary label has two values; this has {len(values)}.", hint="Name another with --label.")
    positive = given.positive
    if positive and positive not in values and not given.known:  # a short file may hold one class alone
        raise InvalidInput(f"No label is {positive!r}; they are {', '.join(values)}.", hint="Name one with --positive.")
    why = "as named"
    if not positive:
        named = [one for one in values if one.lower() in _YES]
        rarer = min(values, key=lambda one: int((names == one).sum()), default="")
        positive, why = (named[0], "by its name") if len(named) == 1 else (rarer, "the rarer one")
    how.append(("positive class", positive, why))
    return positive, np.where(names.isna(), np.nan, (names == positive).astype(float))


def _window(rows: pd.DataFrame, given: Roles, how: list[tuple[str, str, str]]) -> str:
    """How often the model is judged: as named, or as often as its rows come."""
    window, why = window_of(rows, named=given.window, zone=given.zone)
    named = "as it is" if given.known else "as named"
    how.append(("judged by", said_of(window), why if not given.window else f"{named}: {why}" if why else named))
    return window


def _reference_rows(rows: pd.DataFrame, given: Roles, cadence: Cadence, how: list[tuple[str, str, str]]) -> int:
    """The rows before a midnight of the zone: the one named, or the windows in which a third of the rows has passed."""
    if given.reference_until is not None:
        cut, why = pd.Timestamp(given.reference_until), "as it was" if given.known else "as named"
    else:
        cut, why = cut_of(rows, zone=given.zone, cadence=cadence)
    n = refuse_empty(rows, cut, known=given.known)
    if n and rows["label"].notna().any():
        how.append(("taken together", *together(rows.iloc[:n], given.zone, cadence, given.cluster)))
    how.append(("reference", f"{n:,} rows before {cut:%Y-%m-%d}", why))
    how.append(("watched", f"{len(rows) - n:,} rows", f"until {rows['at'].iloc[-1]:%Y-%m-%d %H:%M} UTC"))
    return n


def _future(times: pd.Series[Any], name: str, now: datetime, how: list[tuple[str, str, str]]) -> None:
    """Name the watched rows that nobody can have answered yet; most of them in the future are a mistake."""
    later = int((times > pd.Timestamp(now)).sum())
    if later > len(times) / 2:
        raise InvalidInput(
            f"{later:,} of {len(times):,} rows to watch lie in the future: the last time in {name!r} is "
            f"{times.iloc[-1]:%Y-%m-%d %H:%M} UTC, and it is {now:%Y-%m-%d %H:%M} now.",
            hint="Name the column of the time of the prediction with --time, or correct its times.",
        )
    if later:
        how.append(("in the future", f"{later:,} rows", "counted once their day is over"))
