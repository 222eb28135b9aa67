"""What is wrong with a column besides its distance from the reference? Named findings, each with its sentence.

A distance says that a column moved; these say what happened to it: values that are missing, were never seen, lie beyond
the reference, are of another type, or are all the same. They are said also where no distance can be computed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from mlops_dash.domain.monitoring.judging import GONE, MISSING_FLOOR, UNSEEN_FLOOR
from mlops_dash.domain.monitoring.readings import SCORE, FeatureReading
from mlops_dash.stats.drift import ColumnDrift

RANGE_FLOOR = 0.02  # share of values beyond the reference's range, above the 2/n expected without change
ONE_CELL, MANY_CELLS = 0.99, 0.90  # a column is constant now when one cell holds so much, and held less than that


class Signal(StrEnum):
    """What happened to a column."""

    PREDICTIONS = "prediction drift"
    LABELS = "label drift"
    TYPE = "type changed"
    EMPTY = "no values any more"
    FILLED = "values where there were none"
    CONSTANT = "constant now"
    OTHER_VALUE = "no longer constant"
    MISSING = "missing"
    UNSEEN = "never seen before"
    RANGE = "out of range"


@dataclass(frozen=True)
class Finding:
    """One thing that happened to one column.

    Attributes:
        signal: What.
        column: Which; "" of the labels.
        sentence: With numbers.
    """

    signal: Signal
    column: str
    sentence: str

    def as_json(self) -> dict[str, str]:
        """As the commands print it."""
        return {"signal": str(self.signal), "column": self.column, "sentence": self.sentence}


def findings_of(
    reading: FeatureReading, drift: ColumnDrift, *, usual_missing: float, min_rows: int
) -> tuple[Finding, ...]:
    """What happened to one column, the loudest first; nothing where the window has too few rows to say.

    Args:
        reading: Its verdict.
        drift: What was measured.
        usual_missing: Highest share of missing values in the reference's own windows.
        min_rows: Of the window, with or without a value.
    """
    rows = drift.n_current if drift.missing_current < 1.0 else min_rows
    if rows < min_rows and not (drift.missing_current >= GONE):
        return ()
    said = [
        (Signal.PREDICTIONS, _moved(reading) if reading.name == SCORE and reading.flagged else ""),
        (Signal.EMPTY, _empty(drift)),
        (Signal.FILLED, _filled(drift, reading)),
        (Signal.CONSTANT, _constant(drift)),
        (Signal.OTHER_VALUE, reading.reason if _others(drift, reading) else ""),
        (Signal.MISSING, "" if _empty(drift) else _missing(drift, usual_missing)),
        (Signal.UNSEEN, "" if _filled(drift, reading) else _unseen(drift)),
        (Signal.RANGE, "" if _others(drift, reading) else _out_of_range(drift)),
    ]
    return tuple(Finding(signal, reading.name, sentence) for signal, sentence in said if sentence)


def _moved(reading: FeatureReading) -> str:
    if reading.excess is None:
        return reading.reason
    times = "" if reading.ratio is None else f", {reading.ratio:.1f} times its usual swing"
    return f"the answers moved: excess PSI {reading.excess:.2f}{times}"


def _empty(drift: ColumnDrift) -> str:
    if not drift.missing_current >= GONE > drift.missing_reference:
        return ""
    return f"{drift.missing_current:.1%} missing, {drift.missing_reference:.1%} in the reference"


def _filled(drift: ColumnDrift, reading: FeatureReading) -> str:
    empty = drift.others is not None and not drift.others.value
    return reading.reason if empty and reading.flagged else ""


def _others(drift: ColumnDrift, reading: FeatureReading) -> bool:
    return drift.others is not None and bool(drift.others.value) and reading.flagged


def _constant(drift: ColumnDrift) -> str:
    risen = drift.risen
    if risen is None or risen.label == "rest" or not (risen.current >= ONE_CELL and risen.reference < MANY_CELLS):
        return ""
    return f"{risen.current:.1%} of values are {risen.label}, {risen.reference:.1%} in the reference"


def _missing(drift: ColumnDrift, usual: float) -> str:
    if not drift.missing_current >= usual + MISSING_FLOOR:
        return ""
    return f"{drift.missing_current:.1%} missing, at most {usual:.1%} in the reference"


def _unseen(drift: ColumnDrift) -> str:
    if not drift.unseen >= drift.unseen_expected + UNSEEN_FLOOR:
        return ""
    return f"{drift.unseen:.1%} of values never seen in the reference, {drift.unseen_expected:.1%} expected"


def _out_of_range(drift: ColumnDrift) -> str:
    expected = 2.0 / drift.n_reference if drift.n_reference else 0.0
    if not drift.out_of_range >= expected + RANGE_FLOOR:
        return ""
    return f"{drift.out_of_range:.1%} of values beyond the reference's range, {expected:.1%} expected"


def findings_of_window(
    readings: Iterable[FeatureReading],
    drifts: Mapping[str, ColumnDrift],
    *,
    usual_missing: Mapping[str, float],
    min_rows: int,
) -> tuple[Finding, ...]:
    """What happened to the columns of one window, in the order of `Signal`."""
    found = [
        one
        for reading in readings
        if reading.name in drifts
        for one in findings_of(
            reading, drifts[reading.name], usual_missing=usual_missing.get(reading.name, 0.0), min_rows=min_rows
        )
    ]
    return in_order(found)


def in_order(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """The loudest signal first; of one signal in the order given."""
    order = {signal: place for place, signal in enumerate(Signal)}
    return tuple(sorted(found, key=lambda one: order[one.signal]))
