"""The sentences of monitoring: what a window, an alert or a page says, made from numbers alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from mlops_dash.domain.evidence import BINARY, REGRESSION
from mlops_dash.domain.monitoring import LONG_DAYS, RAW_LOSS, WATCHES, WATCHES_OF, Watch
from mlops_dash.domain.readings import SCORE, FeatureReading, Reading, words_of

LABEL_RATE, LABEL_MEAN = "label_rate", "label_mean"
LABEL_OF = {BINARY: LABEL_RATE, REGRESSION: LABEL_MEAN}  # what is said of the labels themselves
LABEL_SHIFT = 0.10  # a label rate this much of the reference's away is called a shift


def day_words(day: date | str) -> str:
    """A day as people say it.

    >>> day_words("2013-08-29")
    '29 Aug'
    """
    held = date.fromisoformat(day) if isinstance(day, str) else day
    return f"{held.day} {held:%b}"


def headline_watch(reading: Reading) -> Watch:
    """The loss to speak about: the one in alarm, harm before label shift and strongest first; else the task's first."""
    harm: Mapping[str, Any] = reading.body["harm"]
    on = [watch for watch in WATCHES if harm.get(watch.key, {}).get("alarmed")]
    if not on:
        return WATCHES_OF[task_of(reading)][0]
    return max(on, key=lambda watch: (watch.harm, harm[watch.key]["level"]))


def task_of(reading: Reading) -> str:
    """What the model of this window predicts."""
    return str(reading.body.get("task", BINARY))


def with_unit(value: float, decimals: int, unit: str) -> str:
    """A number with its unit.

    >>> with_unit(8.917, 2, "min"), with_unit(.6573, 3, "")
    ('8.92 min', '0.657')
    """
    said = f"{value:.{decimals}f}".replace("-", "−")
    return f"{said} {unit}" if unit else said


def value_sentence(reading: Reading, watch: Watch, baseline: float | None) -> str:
    """The shown value over the last ripe days against its reference; empty without ripe labels."""
    estimate = reading.estimate(watch.key, LONG_DAYS)
    if estimate is None or estimate.value is None:
        return ""
    days = f"the last {estimate.n_days} ripe days" if estimate.n_days > 1 else "the one ripe day"
    unit = str(reading.body.get("unit", ""))
    said = f"{watch.label} {with_unit(estimate.value, watch.decimals, unit)} over {days}"
    if baseline is None:
        return said
    gap = estimate.value - watch.shown(baseline)
    size = with_unit(abs(gap), watch.decimals, unit)
    return f"{said}, {size} {'above' if gap >= 0 else 'below'} its reference"


def since_words(reading: Reading, watch: Watch) -> str:
    """Since when an alarm holds; empty without one."""
    harm = reading.body["harm"].get(watch.key, {})
    return f"worse since about {day_words(harm['since'])}" if harm.get("since") else ""


def alarm_title(reading: Reading, watch: Watch, baseline: float | None) -> str:
    """The title of a harm or label-shift alert."""
    said = [
        value_sentence(reading, watch, baseline) or f"{watch.label} is beyond its bound",
        since_words(reading, watch),
    ]
    return "; ".join(one for one in said if one)


def alarm_cause(
    stretch: Sequence[Reading], watch: Watch, prior: float, days: Mapping[datetime, date] | None = None
) -> str:
    """The likely cause: what moved in these windows (latest last), or that nothing did, and the labels themselves.

    Args:
        stretch: The windows.
        watch: The loss in alarm.
        prior: Label rate or mean of the reference.
        days: The calendar day of each window, by its start; to say since when something no longer moves.
    """
    rate = stretch[-1].estimate(LABEL_OF[task_of(stretch[-1])], LONG_DAYS)
    rates = label_sentence(stretch[-1], prior)
    if watch is RAW_LOSS:
        shifted = rate is not None and rate.value is not None and abs(rate.value - prior) >= LABEL_SHIFT * prior
        said = "Likely cause: label shift." if shifted else "No cause seen yet: the label rate has hardly moved."
        return f"{said} {rates} The base-rate-free losses raise no alarm."
    names = moved_in(stretch)
    if names:
        said = f"Likely cause: {words_of(names)} moved ({_peaks(stretch, names, days or {})})."
    else:
        said = (
            "Likely cause: no input moved beyond its usual swing, "
            "so the relation between inputs and outcome may have changed."
        )
    return f"{said} {rates}".strip()


def label_sentence(reading: Reading, usual: float) -> str:
    """What the labels themselves did: their rate, of a regression their mean and which way the errors lean.

    Args:
        reading: The window.
        usual: The same in the reference.
    """
    found = reading.estimate(LABEL_OF[task_of(reading)], LONG_DAYS)
    if found is None or found.value is None:
        return ""
    days = f"over the last {found.n_days} ripe days"
    if task_of(reading) == BINARY:
        return f"Label rate {found.value:.1%} {days}, {usual:.1%} in the reference."
    unit = str(reading.body.get("unit", ""))
    said = f"Mean label {with_unit(found.value, 1, unit)} {days}, {with_unit(usual, 1, unit)} in the reference."
    bias = reading.estimate("bias", LONG_DAYS)
    if bias is None or bias.value is None:
        return said
    way = "too high" if bias.value >= 0 else "too low"
    return f"{said} Predictions are {with_unit(abs(bias.value), 2, unit)} {way} on average."


def inputs_title(stretch: Sequence[Reading]) -> str:
    """The title of a notice about moved inputs."""
    inputs = [name for name in moved_in(stretch) if name != SCORE]
    return f"Inputs moved: {words_of(inputs)}" if inputs else "The scores moved"


def inputs_cause(stretch: Sequence[Reading], days: Mapping[datetime, date] | None = None) -> str:
    """How far the moved inputs went, until when, and that this alone is no harm."""
    return f"{_peaks(stretch, moved_in(stretch), days or {})}. Moved inputs alone are not harm."


def moved_in(stretch: Sequence[Reading]) -> list[str]:
    """Columns that moved in at least a quarter of these windows, most windows first."""
    tally = Counter(name for one in stretch for name in one.body["moved"])
    return [name for name, n in sorted(tally.items(), key=lambda pair: (-pair[1], pair[0])) if 4 * n >= len(stretch)]


def _peaks(stretch: Sequence[Reading], names: Sequence[str], days: Mapping[datetime, date]) -> str:
    peak: dict[str, FeatureReading] = {}
    for window in stretch:
        for one in window.features():
            if one.name in names and (one.excess or 0.0) >= (peak[one.name].excess or 0.0 if one.name in peak else 0.0):
                peak[one.name] = one
    said = [
        f"{words_of([name])} excess PSI up to {one.excess or 0.0:.2f}, {one.ratio or 0.0:.1f} times its usual swing"
        f"{_until(stretch, name, days)}"
        for name, one in ((name, peak[name]) for name in names[:3] if name in peak)
    ]
    return "; ".join(said)


def _until(stretch: Sequence[Reading], name: str, days: Mapping[datetime, date]) -> str:
    """On which day a column moved last; "" while it still does."""
    last = max((one.start for one in stretch if name in one.body["moved"]), default=None)
    if last is None or last == stretch[-1].start or last not in days:
        return ""
    return f", last on {day_words(days[last])}"


def schema_title(reading: Reading) -> str:
    """The title of a warning about columns that arrive empty."""
    return f"No values any more: {words_of(reading.body['broken'])}"


def most_moved(features: Sequence[FeatureReading]) -> list[FeatureReading]:
    """Columns by excess PSI, largest first; those that could not be computed are left out."""
    return sorted((one for one in features if one.excess is not None), key=lambda one: -(one.excess or 0.0))
