"""Rows that somebody's pipeline sends for a version: what evidence is measured on, what live traffic is compared with.

A bad row refuses them all with its number, column, value and reason. Must not: touch a database or a model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mlops_dash.domain.schema import LARGEST, in_range
from mlops_dash.domain.scoring import read_predictions, require_label
from mlops_dash.domain.sent import MEND, objects_of, only_fields, time_of
from mlops_dash.domain.tasks.task import ModelTask
from mlops_dash.errors import InvalidInput, InvalidRow

_EVIDENCE = frozenset({"id", "label", "score", "scores", "at", "cluster", "slices"})
_OF_CLASS = "scores."  # begins the name of the column of a class's probability
_REFERENCE = frozenset({"at", "score", "scores", "label", "features"})


@dataclass(frozen=True)
class EvidenceSent:
    """Evaluation rows as columns of plain values."""

    columns: Mapping[str, list[Any]]  # id, label, score; if sent at, cluster, and the slices under their names
    slices: tuple[str, ...]
    scores: tuple[tuple[str, str], ...] = ()  # (class, column of its probability), instead of a score


def read_evidence(rows: Any, *, now: datetime) -> EvidenceSent:
    """Rows as sent: objects with `id`, `label`, `score` and, if known, `at`, `cluster`, `slices` (name and value).

    Instead of the score there may be `scores`: of several classes each one's probability.

    Raises:
        InvalidInput: not a list of objects, or too many.
        InvalidRow: a field that is none, a value that is neither number nor text, or a time in some rows only.
    """
    sent = objects_of(rows, "rows")
    for row, one in enumerate(sent):
        only_fields(row, one, set(_EVIDENCE))
        slices = one.get("slices", {})
        if not isinstance(slices, dict):
            raise InvalidRow(row, "slices", slices, "is not an object of names and values", hint=MEND)
        scores = one.get("scores", {})
        if not isinstance(scores, dict):
            raise InvalidRow(row, "scores", scores, "is not an object of classes and probabilities", hint=MEND)
        alone = ((name, one.get(name)) for name in sorted(_EVIDENCE - {"slices", "scores"}))
        for name, value in (*alone, *slices.items(), *((_OF_CLASS + name, value) for name, value in scores.items())):
            _plain(row, name, value)
            if name in slices and (name in _EVIDENCE or name.startswith(_OF_CLASS)):
                raise InvalidRow(row, name, value, "a slice cannot be called so", hint="Rename the slice.")
    names = sorted({name for one in sent for name in one.get("slices", {})})
    columns: dict[str, list[Any]] = {name: [one.get(name) for one in sent] for name in ("id", "label", "score")}
    if any(one.get("at") is not None for one in sent):
        for row, one in enumerate(sent):
            if one.get("at") is None:
                raise InvalidRow(row, "at", None, "other rows have a time and this one has none", hint=MEND)
        columns["at"] = [time_of(row, "at", one["at"], now) for row, one in enumerate(sent)]
    if any(one.get("cluster") is not None for one in sent):
        columns["cluster"] = [one.get("cluster") for one in sent]
    columns |= {name: [one.get("slices", {}).get(name) for one in sent] for name in names}
    classes = sorted({name for one in sent for name in one.get("scores", {})})
    if classes and any(one.get("score") is not None for one in sent):
        raise InvalidInput("Some rows have a score and some have scores.", hint="Send one of them in every row.")
    columns |= {_OF_CLASS + name: [one.get("scores", {}).get(name) for one in sent] for name in classes}
    return EvidenceSent(columns, tuple(names), tuple((name, _OF_CLASS + name) for name in classes))


@dataclass(frozen=True)
class ReferenceSent:
    """Labelled rows that a version scored, as they are kept."""

    at: list[datetime]
    scores: list[float]
    labels: list[float]
    features: str  # canonical JSON of a list: an object a row
    probabilities: list[bytes | None] = field(default_factory=list)  # of all classes, as the log keeps them


def read_reference(rows: Any, *, now: datetime, task: ModelTask) -> ReferenceSent:
    """Rows as sent: objects with `at`, `score` or `scores`, `label` and `features`, as predictions and labels are.

    Raises:
        InvalidInput: not a list of objects, too many, or none.
        InvalidRow: the first value that breaks a rule.
    """
    sent = objects_of(rows, "rows")
    if not sent:
        raise InvalidInput("There are no rows to compare with.", hint="Send labelled rows that the version scored.")
    for row, one in enumerate(sent):
        only_fields(row, one, set(_REFERENCE))
        if one.get("at") is None:
            raise InvalidRow(row, "at", None, "is empty", hint=MEND)
    predictions = [{**{name: one[name] for name in one if name != "label"}, "version": "-"} for one in sent]
    found = read_predictions(predictions, now=now, task=task)
    labels = [require_label(row, one.get("label"), task=task, column="label") for row, one in enumerate(sent)]
    features = "[" + ",".join(one.features for one in found) + "]"
    told = [one.probabilities for one in found]
    return ReferenceSent([one.at for one in found], [one.score for one in found], labels, features, told)


def _plain(row: int, name: str, value: Any) -> None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not in_range(value):
            raise InvalidRow(row, name, value, f"is not finite or beyond {LARGEST:g}", hint=MEND)
    elif value is not None and not isinstance(value, str | bool):
        raise InvalidRow(row, name, value, "is neither number, text, true, false nor null", hint=MEND)
