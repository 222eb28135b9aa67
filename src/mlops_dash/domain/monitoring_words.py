"""The sentences of monitoring: what a window, an alert or a page says, made from numbers alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from mlops_dash.domain.evidence import METRICS
from mlops_dash.domain.monitoring import LONG_DAYS
from mlops_dash.domain.readings import FeatureReading, Reading, words_of

LOSS = "base_rate_free_loss"


def day_words(day: date | str) -> str:
    """A day as people say it.

    >>> day_words("2013-08-29")
    '29 Aug'
    """
    held = date.fromisoformat(day) if isinstance(day, str) else day
    return f"{held.day} {held:%b}"


def loss_sentence(reading: Reading, reference_mean: float | None) -> str:
    """The loss of the last ripe days against its reference; empty without ripe labels."""
    loss = reading.estimate(LOSS, LONG_DAYS)
    if loss is None or loss.value is None:
        return ""
    days = f"the last {loss.n_days} ripe days" if loss.n_days > 1 else "the one ripe day"
    said = f"{METRICS[LOSS].label} {loss.value:.3f} over {days}"
    if reference_mean is None:
        return said
    gap = loss.value - reference_mean
    return f"{said}, {abs(gap):.3f} {'above' if gap >= 0 else 'below'} its reference"


def since_words(reading: Reading) -> str:
    """Since when an alarm holds; empty without one."""
    harm = reading.body.get("harm") or {}
    return f"worse since about {day_words(harm['since'])}" if harm.get("since") else ""


def harm_title(reading: Reading, reference_mean: float | None) -> str:
    """The title of a harm alert."""
    said = [loss_sentence(reading, reference_mean) or "The loss is above its bound", since_words(reading)]
    return "; ".join(one for one in said if one)


def harm_cause(reading: Reading) -> str:
    """The likely cause: what moved, or that nothing did, and the label rate."""
    flagged = _most_moved([one for one in reading.features() if one.name in reading.body["moved"]])
    if flagged:
        sizes = ", ".join(f"{one.excess:.2f}" for one in flagged[:3])
        said = f"Likely cause: {words_of([one.name for one in flagged])} moved (excess PSI {sizes})."
    else:
        said = (
            "Likely cause: none of the inputs moved beyond its usual swing, "
            "so the relation between inputs and outcome may have changed."
        )
    rate = reading.body["metrics"].get(str(LONG_DAYS), {}).get("label_rate")
    return said if rate is None or rate[0] is None else f"{said} Label rate {rate[0]:.1%} over those days."


def inputs_title(reading: Reading) -> str:
    """The title of a notice about moved inputs."""
    return f"Inputs moved: {words_of(reading.body['moved'])}"


def inputs_cause(reading: Reading) -> str:
    """How far the moved inputs are away, and that this alone is no harm."""
    flagged = _most_moved([one for one in reading.features() if one.name in reading.body["moved"]])
    said = [
        f"{one.name} excess PSI {one.excess:.2f}" + (f", {one.ratio:.1f} times its usual swing" if one.ratio else "")
        for one in flagged[:3]
        if one.excess is not None
    ]
    return ("; ".join(said) + ". " if said else "") + "Moved inputs alone are not harm."


def schema_title(reading: Reading) -> str:
    """The title of a warning about columns that arrive empty."""
    return f"No values any more: {words_of(reading.body['broken'])}"


def _most_moved(features: Sequence[FeatureReading]) -> list[FeatureReading]:
    return sorted((one for one in features if one.excess is not None), key=lambda one: -(one.excess or 0.0))
