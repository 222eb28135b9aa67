"""What was asked, what was answered, what turned out true: bulk appends that may be repeated, and reads by time.

Writes (inside the caller's `transaction(databases.log)`):
    append(session, predictions, scores, marked_us=)   rows and answers; known keys are left as they are
    append_labels(session, labels)                     a new value is a new revision, the same value is nothing
    mark_hours / clear_dirty                           which hours the worker profiles again
Reads (inside `reading(databases.log)`), all as pandas frames or frozen dataclasses:
    read_window(session, version_id, start, end)       one version's series: score, label, features
    read_paired(session, model, a, b, start, end)      two versions' scores of the same rows, with the latest label
    read_logged(session, model, start, end)            logged feature rows, by pages (for scoring them again)
    batch_rows, dirty_hours, counts, versions_in

Times go in and out as aware UTC datetimes; the tables hold microseconds. Must not: judge, or know what a model is.
"""

from __future__ import annotations

from mlops_dash.store.prediction_log.reads import (
    MONITORED_ROLES,
    batch_rows,
    counts,
    dirty_hours,
    read_logged,
    read_paired,
    read_window,
    versions_in,
)
from mlops_dash.store.prediction_log.rows import (
    HOUR_US,
    Appended,
    BatchRow,
    DirtyHour,
    Label,
    LabelsAppended,
    LogCounts,
    Prediction,
    Score,
    from_us,
    to_us,
)
from mlops_dash.store.prediction_log.writes import (
    append,
    append_labels,
    clear_dirty,
    mark_hours,
    mark_range,
)

__all__ = [
    "HOUR_US",
    "MONITORED_ROLES",
    "Appended",
    "BatchRow",
    "DirtyHour",
    "Label",
    "LabelsAppended",
    "LogCounts",
    "Prediction",
    "Score",
    "append",
    "append_labels",
    "batch_rows",
    "clear_dirty",
    "counts",
    "dirty_hours",
    "from_us",
    "mark_hours",
    "mark_range",
    "read_logged",
    "read_paired",
    "read_window",
    "to_us",
    "versions_in",
]
