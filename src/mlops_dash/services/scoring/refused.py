"""Rows that were refused while the others beside them were stored: set aside, so that pages tell of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from mlops_dash.domain.sent import LONGEST_ID
from mlops_dash.domain.sifting import Unfit
from mlops_dash.errors import InvalidRow
from mlops_dash.ids import digest
from mlops_dash.services.scoring.files import FileRows
from mlops_dash.store.prediction_log import SetAside, to_us


def of_request(
    model: str,
    rows: Any,
    refused: Sequence[InvalidRow],
    *,
    versions: Mapping[str, str],
    do_not_log: Collection[str] = (),
    noted: datetime,
) -> tuple[SetAside, ...]:
    """What of a request was refused; a row without a usable id goes by a digest of what was sent.

    Args:
        model: Whose rows these are.
        rows: The objects as they were sent.
        refused: Which of them were, and why.
        versions: Version number -> its id; empty for labels, which are of no version.
        do_not_log: Names of which no value is kept, also as no example.
        noted: When they came.
    """
    found = []
    for error in refused:
        row = rows[error.row]
        name, version = row.get("prediction_id"), str(row.get("version", ""))
        if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= LONGEST_ID:
            name = f"row-{digest([model, error.column, repr(row)])[:16]}"
        version_id = versions.get(version) or versions.get(version.removeprefix("v"), "")
        sample = "" if error.column in do_not_log else error.value
        found.append(_aside(model, name, version_id, error.column, error.reason, sample, noted))
    return tuple(found)


def of_file(
    model: str,
    rows: FileRows | None,
    refused: Sequence[Unfit],
    *,
    version_id: str = "",
    do_not_log: Collection[str] = (),
    noted: datetime,
) -> tuple[SetAside, ...]:
    """What of a file was refused; `rows` of predictions name the rows that have an id."""
    ids = {} if rows is None else dict(zip(rows.roles["number"].tolist(), rows.roles["id"].tolist(), strict=True))
    found = []
    for one in refused:
        sample = "" if one.column in do_not_log else one.sample
        name = str(ids.get(one.row) or f"row-{digest([model, version_id, one.row, one.column, one.sample])[:16]}")
        found.append(_aside(model, name, version_id, one.column, one.reason, sample, noted))
    return tuple(found)


def _aside(
    model: str, name: str, version_id: str, column: str, reason: str, sample: str, noted: datetime
) -> SetAside:  # fmt: skip
    at_us = to_us(noted)
    return SetAside(model, name, version_id, column, reason, sample, False, at_us, at_us)
