"""What was asked, what was answered, what turned out true: bulk appends that may be repeated, and reads by time.

Writes (inside the caller's `transaction(databases.log)`):
    append(session, predictions, scores, marked_us=)   rows and answers; known keys are left as they are
    append_labels(session, labels)                     a new value is a new revision, the same value is nothing
    first_differing(session, predictions, times=)      a known id that came with another row
    any_known(session, model, rows)                    whether any id is known at all
    keeps_earlier_names                                how rows without ids are named
    mark_hours / clear_dirty                           which hours the worker profiles again
Reads (inside `reading(databases.log)`), all as pandas frames or frozen dataclasses:
    read_window(session, version_id, start, end)       one version's series: score, label, features
    read_paired(session, model, a, b, start, end)      two versions' scores of the same rows, with the latest label
    read_logged(session, model, start, end)            logged feature rows, by pages (for scoring them again)
    batch_rows, dirty_hours, hours_waiting, rows_by_hour, counts, knows, versions_in,
    span_of, labelled_days, logged_at (one row), logged_by_hour, with_features
Events of units (events.py): append_events, known_events, event_names, read_events, unit_keys
Erasure (erasing.py): named, erase, forms_of
Quarantine (quarantine.py): set_aside, forget_hours, outside, groups

Times go in and out as aware UTC datetimes; the tables hold microseconds. Must not: judge, or know what a model is.
"""

from __future__ import annotations

from mlops_dash.store.prediction_log.erasing import Named, erase, forms_of, named
from mlops_dash.store.prediction_log.events import (
    append_events,
    event_names,
    known_events,
    read_events,
    unit_keys,
)
from mlops_dash.store.prediction_log.quarantine import (
    QuarantineGroup,
    SetAside,
    forget_hours,
    groups,
    outside,
    set_aside,
)
from mlops_dash.store.prediction_log.reads import (
    MONITORED_ROLES,
    batch_rows,
    dirty_hours,
    hours_waiting,
    logged_at,
    versions_in,
    with_features,
)
from mlops_dash.store.prediction_log.rows import (
    HOUR_US,
    Appended,
    BatchRow,
    Differing,
    DirtyHour,
    Label,
    LabelsAppended,
    LogCounts,
    Prediction,
    Score,
    from_us,
    to_us,
)
from mlops_dash.store.prediction_log.whole import (
    counts,
    every_nth_label,
    first_answer_since,
    knows,
    labelled_days,
    logged_by_hour,
    read_logged,
    read_paired,
    read_window,
    rows_by_hour,
    rows_scored,
    span_of,
)
from mlops_dash.store.prediction_log.writes import (
    any_known,
    append,
    append_labels,
    clear_dirty,
    clear_outside,
    differing,
    first_differing,
    keeps_earlier_names,
    mark_hours,
    mark_range,
)

__all__ = [
    "HOUR_US",
    "MONITORED_ROLES",
    "Appended",
    "BatchRow",
    "Differing",
    "DirtyHour",
    "Label",
    "LabelsAppended",
    "LogCounts",
    "Named",
    "Prediction",
    "QuarantineGroup",
    "Score",
    "SetAside",
    "any_known",
    "append",
    "append_events",
    "append_labels",
    "batch_rows",
    "clear_dirty",
    "clear_outside",
    "counts",
    "differing",
    "dirty_hours",
    "erase",
    "event_names",
    "every_nth_label",
    "first_answer_since",
    "first_differing",
    "forget_hours",
    "forms_of",
    "from_us",
    "groups",
    "hours_waiting",
    "keeps_earlier_names",
    "known_events",
    "knows",
    "labelled_days",
    "logged_at",
    "logged_by_hour",
    "mark_hours",
    "mark_range",
    "named",
    "outside",
    "read_events",
    "read_logged",
    "read_paired",
    "read_window",
    "rows_by_hour",
    "rows_scored",
    "set_aside",
    "span_of",
    "to_us",
    "unit_keys",
    "versions_in",
    "with_features",
]
