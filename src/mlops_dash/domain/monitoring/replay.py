"""What would the version in service have answered before it served? Its replay on the recent log, in numbers and words.

A replay is no live evidence: the rows were answered by another version, so it is in no verdict, gate or alarm, and it
leaves the page with the new version's first ripe window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from mlops_dash.domain.cadence import Cadence, plural_of
from mlops_dash.domain.format import period, plural
from mlops_dash.domain.monitoring.readings import Reading, known

BATCH_DAYS: Final = 90  # of the log, where windows are batches
MOST_ROWS: Final = 100_000  # that are answered again at most


class ReplayState(StrEnum):
    """How far a replay is."""

    NONE = "none"
    WAITING = "waiting"
    FAILED = "failed"  # tried, and the worker could not
    CANNOT = "cannot"
    DONE = "done"


def days_back(cadence: Cadence) -> int:
    """How many days before the takeover are answered again: what the headline of the cadence speaks of.

    >>> from mlops_dash.domain.cadence import CADENCES
    >>> days_back(CADENCES["day"]), days_back(CADENCES["hour"]), days_back(CADENCES["week"])
    (28, 7, 56)
    """
    return BATCH_DAYS if cadence.is_batch else round(cadence.long * cadence.usual)


@dataclass(frozen=True)
class Replayed:
    """What came of answering logged rows again.

    Attributes:
        start: First time of the rows.
        end: First time after them.
        rows: Rows that were answered and counted.
        labelled: Of those the ones whose outcome is known.
        aside: Rows that cannot be counted.
        windows: One a judged window, as JSON: begin, end, counts, and the metrics by trailing days.
    """

    start: datetime
    end: datetime
    rows: int
    labelled: int
    aside: int
    windows: tuple[Mapping[str, Any], ...]

    def as_json(self) -> dict[str, Any]:
        """As a job keeps it."""
        return {
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            "rows": self.rows,
            "labelled": self.labelled,
            "aside": self.aside,
            "windows": [dict(one) for one in self.windows],
        }

    @classmethod
    def of_json(cls, kept: Mapping[str, Any]) -> Replayed:
        """Read what `as_json` wrote."""
        start, end = (datetime.fromisoformat(kept[name]) for name in ("start", "end"))
        return cls(start, end, int(kept["rows"]), int(kept["labelled"]), int(kept["aside"]), tuple(kept["windows"]))


def window_of(reading: Reading) -> dict[str, Any]:
    """What is kept of a window that was judged on answers given again: its metrics, and no verdict."""
    return {
        "start": reading.start.isoformat(),
        "end": reading.end.isoformat(),
        "n": reading.n,
        "labelled": reading.n_labelled,
        "ripe": reading.ripe,
        "day": {key: known(value) for key, value in reading.body["day"].items()},
        "metrics": {
            days: {key: [*(known(one) for one in row[:3]), *row[3:]] for key, row in of_days.items()}
            for days, of_days in reading.body["metrics"].items()
        },
    }


@dataclass(frozen=True)
class ReplayView:
    """How a page and a command tell of it.

    Attributes:
        version: The version in service.
        before: The one that it replaced.
        state: How far it is.
        sentence: What is to be said of it.
        why_not: Why it cannot be asked for now; "" when it can.
        found: What came of it; None while there is nothing.
        trained_known: Whether it is known when its training ended.
    """

    version: str
    before: str
    state: ReplayState
    sentence: str
    why_not: str = ""
    found: Replayed | None = None
    trained_known: bool = True

    @property
    def label(self) -> str:
        """What the button says."""
        return f"Replay v{self.version} {'again' if self.found else 'on the last days'}"


def told(view: ReplayView, cadence: Cadence, zone: str) -> str:
    """A replay in a sentence: of which rows it is, and what it does not count for.

    Args:
        view: With what came of it.
        cadence: How often the model is judged.
        zone: Of the monitor's days.
    """
    found = view.found
    if found is None:
        return ""
    ripe = sum(1 for one in found.windows if one["ripe"] and one["metrics"])
    over = f"{plural(ripe, f'ripe {cadence.name}', f'ripe {plural_of(cadence.name)}')}"
    aside = f"; {found.aside:,} could not be counted" if found.aside else ""
    flattered = f" When the training of v{view.version} ended is not known: rows of its training would flatter it."
    return (
        f"v{view.version} replayed on the log of {period(found.start, found.end, zone)}: {plural(found.rows, 'row')}"
        f" that others answered, {found.labelled:,} labelled, {over}{aside}. "
        f"Not live: it counts in no verdict, gate or alarm.{'' if view.trained_known else flattered}"
    )


def told_of(model: str, view: ReplayView | None, *, job_id: str | None = None) -> dict[str, Any]:
    """What command and API say of a model.

    Args:
        model: Its name.
        view: How far the replay is; None where there is nothing to replay.
        job_id: Of a worker that was just asked.
    """
    nothing = "Nothing took over, or its own days are judged: there is nothing to replay."
    return {
        "model": model,
        "version": None if view is None else view.version,
        "replaced": None if view is None else view.before,
        "state": "nothing" if view is None else str(view.state),
        "live": False,
        "sentence": nothing if view is None else view.sentence,
        "job": job_id,
        "replay": None if view is None or view.found is None else view.found.as_json(),
    }


def why_no_rows(version: str, *, trained_until: datetime | None, end: datetime) -> str:
    """Why no row of the log is left to answer again; "" where the training leaves some.

    Args:
        version: Which version.
        trained_until: When its training ended; None where nobody said.
        end: When the rows end.
    """
    if trained_until is None or trained_until < end:
        return ""
    return f"v{version} was trained on rows up to its first day of service, so every row before it would flatter it"


def newest_days(counts: Sequence[tuple[datetime, int]], *, most: int = MOST_ROWS) -> datetime | None:
    """From when on the newest whole days have no more rows than may be answered again; None where one alone has more.

    Args:
        counts: Begin and rows of each day with rows, oldest first.
        most: Rows at most.
    """
    held, first = 0, None
    for begin, rows in reversed(counts):
        held += rows
        if held > most:
            break
        first = begin
    return first
