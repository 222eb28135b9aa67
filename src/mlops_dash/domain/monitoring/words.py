"""The sentences of monitoring: what a window, an alert or a page says, made from numbers alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from mlops_dash.domain.cadence import plural_of
from mlops_dash.domain.format import with_unit
from mlops_dash.domain.money import rounded
from mlops_dash.domain.monitoring.causes import ALONE, Importance, causes_in, moved_in, peaks_in, unused_in
from mlops_dash.domain.monitoring.judging import LONG_DAYS
from mlops_dash.domain.monitoring.readings import COST, SCORE, FeatureReading, Reading, estimate_from_row, words_of
from mlops_dash.domain.tasks import BINARY, task_named
from mlops_dash.domain.tasks.task import ModelTask, Watch
from mlops_dash.domain.words import plain_first

LABEL_SHIFT = 0.10  # a label rate this much of the reference's away is called a shift


def column_name(name: str) -> str:
    """A column as people read it: the model's own answer is "model score"."""
    return "model score" if name == SCORE else name


def day_words(said: date | str) -> str:
    """A day, the begin of an hour in the monitor's zone, or the name of a batch, as people say it.

    >>> day_words("2013-08-29"), day_words("2013-08-29T14:00-04:00"), day_words("run-7")
    ('29 Aug', '29 Aug 14:00', 'batch run-7')
    """
    if isinstance(said, str):
        try:
            said = datetime.fromisoformat(said) if "T" in said else date.fromisoformat(said)
        except ValueError:
            return f"batch {said}"
    hour = f" {said:%H:%M}" if isinstance(said, datetime) else ""
    return f"{said.day} {said:%b}{hour}"


def headline_watch(reading: Reading) -> Watch:
    """The loss to speak about: the one in alarm, harm before label shift and strongest first; else the task's first."""
    harm: Mapping[str, Any] = reading.body["harm"]
    watches = task_of(reading).followed
    on = [watch for watch in watches if harm.get(watch.key, {}).get("alarmed")]
    if not on:
        return watches[0]
    return max(on, key=lambda watch: (watch.harm, harm[watch.key]["level"]))


def task_of(reading: Reading) -> ModelTask:
    """What the model of this window predicts; windows judged before there were two tasks do not say it."""
    return task_named(str(reading.body.get("task", BINARY.name))).of(reading.body)


def value_sentence(reading: Reading, watch: Watch, baseline: float | None) -> str:
    """The shown value over the last ripe days against its reference, plain words first; empty without ripe labels."""
    estimate = reading.estimate(watch.key, LONG_DAYS)
    if estimate is None or estimate.value is None:
        return ""
    window = str(reading.body.get("window", "day"))
    days = f"the last {estimate.n_days} ripe {plural_of(window)}" if estimate.n_days > 1 else f"the one ripe {window}"
    unit = str(reading.body.get("unit", ""))
    said = f"{named(reading, watch)} {with_unit(estimate.value, watch.decimals, unit)} over {days}"
    if baseline is None:
        return said
    gap = estimate.value - watch.shown(baseline)
    size = with_unit(abs(gap), watch.decimals, unit)
    if not watch.harm:  # labels that shifted move it; that says nothing about the model
        return f"{said}, {size} {'above' if gap >= 0 else 'below'} its reference"
    money = cost_words(reading, watch)
    worse = f"{said}, {size} {'better' if (gap > 0) is watch.higher else 'worse'} than its reference"
    return f"{worse}, {money}" if money else worse


def cost_words(reading: Reading, watch: Watch) -> str:
    """What wrong answers cost a week more than in the reference; "" where nobody said a price.

    Where the interval holds nothing, or there is no amount, it is said only of a loss in alarm: that it cannot be told.
    """
    found, currency = reading.estimate(COST, LONG_DAYS), str(reading.body.get("currency", ""))
    alarmed = reading.body.get("harm", {}).get(watch.key, {}).get("alarmed")
    if found is None or found.value is None:
        return f"what that costs cannot be told ({found.reason})" if found and found.reason and alarmed else ""
    if found.low is None or found.high is None:
        more = "more" if found.value >= 0 else "less"
        return f"about {rounded(abs(found.value))} {currency} a week {more}, how surely is not known"
    if found.low <= 0 <= found.high:
        between = f"95 % interval {rounded(found.low)} to {rounded(found.high)} {currency} a week"
        return f"what that costs cannot be told ({between})" if alarmed else ""
    low, high = sorted((abs(found.low), abs(found.high)))
    more = "more" if found.value > 0 else "less"
    between = f"95 % interval {rounded(low)} to {rounded(high)}"
    return f"about {rounded(abs(found.value))} {currency} a week {more} ({between})"


def named(reading: Reading, watch: Watch) -> str:
    """A loss in plain words, then its term: `Tells yes from no: ROC AUC within the day`."""
    return plain_first(watch.key, watch.label, str(reading.body.get("positive", "")))


def since_words(reading: Reading, watch: Watch) -> str:
    """Since when an alarm holds; empty without one."""
    harm = reading.body["harm"].get(watch.key, {})
    return f"worse since about {day_words(harm['since'])}" if harm.get("since") else ""


def alarm_title(reading: Reading, watch: Watch, baseline: float | None) -> str:
    """The title of a harm or label-shift alert."""
    said = [
        value_sentence(reading, watch, baseline) or f"{named(reading, watch)} is beyond its bound",
        since_words(reading, watch),
    ]
    return "; ".join(one for one in said if one)


def alarm_cause(
    stretch: Sequence[Reading],
    watch: Watch,
    prior: float,
    days: Mapping[datetime, str] | None = None,
    *,
    worse: str = "",
    importance: Importance | None = None,
) -> str:
    """The likely cause: an input that moved before it got worse and still does, or that none did; and the labels.

    Args:
        stretch: The windows.
        watch: The loss in alarm.
        prior: Label rate or mean of the reference.
        days: How each window's begin is written, by its start; to say since when something no longer moves.
        worse: Which part of the answers got worse, from `worse_sentence`.
        importance: What the model rests on; None = not known.
    """
    task, known = task_of(stretch[-1]), importance or Importance()
    rate = stretch[-1].estimate(task.label_metric, LONG_DAYS)
    rates = label_sentence(stretch[-1], prior)
    if not watch.harm:
        shifted = rate is not None and rate.value is not None and abs(rate.value - prior) >= LABEL_SHIFT * prior
        unmoved = f"No cause seen yet: the {task.of_labels.label.lower()} has hardly moved."
        said = "Likely cause: label shift." if shifted else unmoved
        return f"{said} {rates} The base-rate-free losses raise no alarm."
    names, others = causes_in(stretch, known), [name for name in moved_in(stretch) if name != SCORE]
    unused = unused_in(stretch, known)
    if names:
        still = "has moved since before that, and still does" if len(names) == 1 else "have moved since before that"
        order = f"; {ALONE}" if len(names) > 1 and not known.known else ""
        said = f"Likely cause: {words_of(names)} {still} ({_peaks(stretch, names, days or {}, known)}{order})."
    elif unused:
        said = (
            f"No likely cause among the inputs: {words_of(unused)} moved, but the answers hardly depend on it "
            f"({_peaks(stretch, unused, days or {}, known)}). The relation between inputs and outcome may have changed."
        )
    elif others:
        now = [name for name in others if name in stretch[-1].body["moved"]]
        why = "only after it got worse" if now else "but no input does now"
        said = (
            f"No likely cause among the inputs: {words_of(now or others)} moved, {why} "
            f"({_peaks(stretch, now or others, days or {})}). What lasts has another cause, or the relation between "
            "inputs and outcome changed."
        )
    else:
        said = (
            "Likely cause: no input moved beyond its usual swing, "
            "so the relation between inputs and outcome may have changed."
        )
    harm: Mapping[str, Any] = stretch[-1].body.get("harm", {})
    on = [one.key for one in task.harm_watches if harm.get(one.key, {}).get("alarmed")]
    alone = watch.alone if on == [watch.key] else ""
    return " ".join(one for one in (alone, worse, said, rates) if one)


def label_sentence(reading: Reading, usual: float) -> str:
    """What the labels themselves did: their rate, of a regression their mean and which way the errors lean.

    Args:
        reading: The window.
        usual: The same in the reference.
    """
    said = task_of(reading).label_sentence(
        lambda metric: reading.estimate(metric, LONG_DAYS), usual=usual, unit=str(reading.body.get("unit", ""))
    )
    return said.replace("ripe days", f"ripe {plural_of(str(reading.body.get('cluster', 'day')))}")


def worse_sentence(reading: Reading, reference: Mapping[str, Sequence[Any]]) -> str:
    """Which part of the answers got worse for sure; "" when none did, or the task has no parts.

    Args:
        reading: The window.
        reference: The reference's own metrics, as its baseline keeps them.
    """
    return task_of(reading).worse_sentence(
        lambda metric: reading.estimate(metric, LONG_DAYS),
        lambda metric: estimate_from_row(reference[metric], LONG_DAYS) if metric in reference else None,
    )


def inputs_title(stretch: Sequence[Reading]) -> str:
    """The title of a notice about moved inputs."""
    inputs = [name for name in moved_in(stretch) if name != SCORE]
    return f"Inputs moved: {words_of(inputs)}" if inputs else "The scores moved"


def inputs_cause(stretch: Sequence[Reading], days: Mapping[datetime, str] | None = None) -> str:
    """How far the moved inputs went, until when, and that this alone is no harm."""
    return f"{_peaks(stretch, moved_in(stretch), days or {})}. Moved inputs alone are not harm."


def _peaks(
    stretch: Sequence[Reading], names: Sequence[str], days: Mapping[datetime, str],
    importance: Importance | None = None,
) -> str:  # fmt: skip
    peak = peaks_in(stretch, names)
    said = [
        f"{words_of([name])} {_how_far(one)}{_needed(name, importance)}{_until(stretch, name, days)}"
        for name, one in ((name, peak[name]) for name in names[:3] if name in peak)
    ]
    return "; ".join(said)


def _how_far(one: FeatureReading) -> str:
    """How far a column went; without a PSI by the share that judged it."""
    if one.excess is None:
        return one.reason
    times = "" if one.ratio is None else f", {one.ratio:.1f} times its usual swing"
    return f"excess PSI up to {one.excess:.2f}{times}"


def _needed(name: str, importance: Importance | None) -> str:
    """How much the model rests on a column; "" where that is not known."""
    share = None if importance is None or not importance.known else importance.of(name)
    return "" if share is None else f", {share:.0%} of what the model rests on"


def _until(stretch: Sequence[Reading], name: str, days: Mapping[datetime, str]) -> str:
    """On which day a column moved last; "" while it still does."""
    last = max((one.start for one in stretch if name in one.body["moved"]), default=None)
    if last is None or last == stretch[-1].start or last not in days:
        return ""
    return f", last on {day_words(days[last])}"


def schema_title(reading: Reading) -> str:
    """The title of a warning about columns that arrive empty."""
    return f"No values any more: {words_of(reading.body['broken'])}"


def most_moved(features: Sequence[FeatureReading]) -> list[FeatureReading]:
    """Columns by excess PSI, largest first; those that have none are left out."""
    return sorted((one for one in features if one.excess is not None), key=lambda one: -(one.excess or 0.0))
