"""What of a file is judged as one, and where does its reference end? Told from its times and batches, or as named."""

from __future__ import annotations

from datetime import datetime

import pandas as pd

from mlops_dash.domain.batches import batch_names
from mlops_dash.domain.cadence import BATCH, GROUP, ROWS, Cadence, cadence_named, plural_of, usual_window
from mlops_dash.domain.calendar import day_start, zone_of
from mlops_dash.domain.format import plural
from mlops_dash.errors import InvalidInput

REFERENCE_SHARE = 1 / 3
_ROWS_A_BATCH = 2  # on average, below which a column names rows


def window_of(rows: pd.DataFrame, *, named: str, zone: str) -> tuple[str, str]:
    """How often the model is judged, as named or as often as its rows come, and why where nobody named it.

    Args:
        rows: `at` (aware), and every feature.
        named: The window that somebody named; "" = nobody did.
        zone: Of its days.

    Raises:
        InvalidInput: nothing is judged by that; no row has a time of day; or no column names the batch of every row.
    """
    if not named:
        days = pd.DatetimeIndex(rows["at"]).tz_convert(zone_of(zone)).normalize().unique()
        return usual_window([one.date() for one in days])
    cadence = cadence_named(named)
    local = rows["at"].dt.tz_convert(zone_of(zone))
    if cadence.is_hourly and len(local) and bool((local == local.dt.normalize()).all()):
        raise InvalidInput(
            "No row has a time of day, so nothing can be judged by the hour.",
            hint="Name a column with the hour by --time, or judge it by the day: --window day",
        )
    if cadence.rows and len(rows) < 2 * cadence.rows:
        raise InvalidInput(
            f"{len(rows):,} rows are no two windows of {cadence.rows:,}, one to compare the other with.",
            hint="Judge it by fewer rows, or by the day: --window day",
        )
    if cadence.column:
        return named, _batches(rows, cadence.column)
    return named, ""


def _batches(rows: pd.DataFrame, column: str) -> str:
    if column not in rows:
        known = ", ".join(str(name) for name in rows.columns if name not in ("at", "id", "score", "label"))
        raise InvalidInput(
            f"There is no column {column!r} that could name the batch of a row.", hint=f"Without a role are: {known}."
        )
    names = batch_names(rows[column])
    without, n = int(names.isna().sum()), int(names.nunique())
    if without:
        raise InvalidInput(
            f"{without:,} rows name no batch in {column!r}.", hint="Fill them in, or leave those rows out."
        )
    if n * _ROWS_A_BATCH > len(rows):
        raise InvalidInput(
            f"{column!r} has {n:,} values in {len(rows):,} rows: it names rows rather than batches.",
            hint="Name another column.",
        )
    return plural(n, "batch", "batches")


def cut_of(rows: pd.DataFrame, *, zone: str, cadence: Cadence) -> tuple[pd.Timestamp, str]:
    """The midnight, or begin of a batch, before which a third of the rows has passed, in whole windows, and why."""
    third, first = rows["at"].iloc[int(len(rows) * REFERENCE_SHARE)], rows["at"].iloc[0]
    if cadence.rows:
        return _between_counted(rows, cadence.rows), f"the first third, whole {plural_of(cadence.name)}"
    if cadence.is_batch:
        return _between_batches(rows, third, cadence.column), "the first third, whole batches"
    whole = "day" if cadence.is_hourly else cadence.name
    return _begin(third, first, zone, cadence), f"the first third, whole {whole}s"


def _begin(third: pd.Timestamp, first: pd.Timestamp, zone: str, cadence: Cadence) -> pd.Timestamp:
    """The begin of the window that a time lies in; of the next one, where no row lies before it."""
    day = third.tz_convert(zone_of(zone)).date()
    begin = pd.Timestamp(day_start(cadence.first_day(day), zone))
    return begin if begin > first or cadence.is_daily else pd.Timestamp(day_start(cadence.next_day(day), zone))


def _between_counted(rows: pd.DataFrame, every: int) -> pd.Timestamp:
    """The time of the first row after so many whole windows; a later one where the reference would be empty."""
    row = every * max(1, round(len(rows) * REFERENCE_SHARE / every))
    later = rows["at"].iloc[row:]
    found: pd.Timestamp = next((at for at in later.unique() if at > rows["at"].iloc[0]), later.iloc[0])
    return found


def _between_batches(rows: pd.DataFrame, third: pd.Timestamp, column: str) -> pd.Timestamp:
    """The begin of the batch nearest to a time before which other batches are over: none is cut in two."""
    names = batch_names(rows[column])
    spans = rows["at"].groupby(names.to_numpy()).agg(["min", "max"]).sort_values("min")
    over = spans["max"].cummax().shift()  # when all batches that began before are over
    inside = spans["min"][spans["min"] > over].tolist()
    if not inside:
        raise InvalidInput(
            f"The batches of {column!r} overlap all the time, so no reference of whole ones can be cut off.",
            hint="Name its end with --reference-until.",
        )
    nearest: pd.Timestamp = min(inside, key=lambda one: abs(one - third))
    return nearest


def refuse_empty(rows: pd.DataFrame, cut: datetime, *, known: bool) -> int:
    """How many rows lie before the end of the reference.

    Raises:
        InvalidInput: all do, or none does and no reference is known.
    """
    n = int((rows["at"] < cut).sum())
    if n == len(rows) or (n == 0 and not known):
        raise InvalidInput(
            f"A reference until {cut:%Y-%m-%d} holds {n:,} of {len(rows):,} rows.",
            hint="Name a day inside the file with --reference-until.",
        )
    return n


def said_of(window: str) -> str:
    """How a proposal names a window.

    >>> said_of("week"), said_of("batch:run_id"), said_of("rows:5000")
    ('the week', 'the batch in run_id', 'the window of 5,000 rows')
    """
    kind, _, column = window.partition(":")
    if kind == ROWS and column.isdecimal():
        return f"the window of {int(column):,} rows"
    return f"the batch in {column}" if kind == BATCH else f"the {kind}"


def together(rows: pd.DataFrame, zone: str, cadence: Cadence, cluster: str = "") -> tuple[str, str]:
    """What rows of a reference are taken to belong together (its short name), and the sentence that says it."""
    local = rows["at"].dt.tz_convert(zone_of(zone))
    days = local.dt.date.unique()
    if cadence.rows:
        windows = max(1, len(rows) // cadence.rows)
    elif cadence.is_batch:
        windows = int(batch_names(rows[cadence.column]).nunique())
    elif cadence.is_hourly:
        windows = int(rows["at"].dt.floor("h").nunique())
    else:
        windows = len({cadence.first_day(day) for day in days})
    said = cadence.together(len(days), windows, cluster)
    unit = cadence.cluster(len(days), cluster)
    if unit == GROUP:
        return f"rows of one {cluster}", said
    return ("no rows" if "independent" in said else f"rows of one {unit}"), said
