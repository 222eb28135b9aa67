"""What becomes of a replaced version's alert? The version that took over answers it, and its own ripe days decide.

Nothing is pooled: only windows of the new version count, judged against its own reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mlops_dash.domain.cadence import plural_of
from mlops_dash.domain.format import interval, plural, with_unit
from mlops_dash.domain.monitoring.judging import SHORT_DAYS
from mlops_dash.domain.monitoring.readings import Reading
from mlops_dash.domain.monitoring.words import headline_watch
from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.domain.words import Drift, Health

# Ripe windows without harm that answer: a week of days, so that every weekday was seen once, or one longer window.
FEEDBACK = ("useful", "noise")  # what people may say of an alert
_OF_LABELS = ("harm", "label_shift")
KINDS = (*_OF_LABELS, "inputs", "schema")


class Answer(StrEnum):
    """Whether the new version's days confirm that the alert is over."""

    WAITS = "waits"
    CONFIRMED = "confirmed"
    REFUTED = "refuted"


@dataclass(frozen=True)
class Outcome:
    """The answer and why, in a sentence for the ledger."""

    answer: Answer
    why: str = ""


def outcome(kind: str, readings: Sequence[Reading], *, since: datetime, policy: MonitoringPolicy) -> Outcome:
    """Judge a replaced version's alert by the windows of the version that took over.

    Harm and shifted labels need a week of ripe days without harm; a new alarm refutes at once. Moved inputs and columns
    without values are facts about the traffic, which the new version's own alerts tell as soon as it is judged.

    Args:
        kind: Of the alert.
        readings: Windows of the new version, in order.
        since: When it took over.
        policy: The rules of its monitor.
    """
    own = [one for one in readings if one.end > since]
    if kind not in _OF_LABELS:
        judged = [one for one in own if _says_something(kind, one, policy)]
        return (
            Outcome(Answer.CONFIRMED, f"v{judged[-1].version} is judged by its own traffic now") if judged else _WAITS
        )
    ripe = [one for one in own if one.ripe and one.n_labelled]
    if not ripe:
        return _WAITS
    by = policy.cadence.name
    latest, days = ripe[-1], plural(len(ripe), f"ripe {by}", f"ripe {plural_of(by)}")
    if latest.health is Health.HARMED:
        return Outcome(Answer.REFUTED, f"v{latest.version} is harmed too after {days}: {latest.body['why']}")
    if len(ripe) < policy.cadence.short or latest.health is Health.AT_RISK:
        return _WAITS
    return Outcome(Answer.CONFIRMED, f"{days} of v{latest.version} without harm{_numbers(latest)}")


_WAITS = Outcome(Answer.WAITS)


def _says_something(kind: str, reading: Reading, policy: MonitoringPolicy) -> bool:
    return reading.n >= policy.min_rows if kind == "schema" else reading.drift is not Drift.NOT_COMPUTABLE


def _numbers(reading: Reading) -> str:
    watch, unit = headline_watch(reading), str(reading.body.get("unit", ""))
    mean = reading.estimate(watch.key, SHORT_DAYS)
    if mean is None or mean.value is None:
        return ""
    said = f"{watch.label} {with_unit(mean.value, watch.decimals, unit)}"
    return f": {said} {interval(mean.low, mean.high, watch.decimals, signed=False)} over {plural(mean.n_days, 'day')}"


def waits_sentence(kind: str, version: str, *, refuted: bool) -> str:
    """What a replaced version's open alert waits for.

    >>> waits_sentence("schema", "3", refuted=False)
    'Answered by v3: closes by itself once v3 is judged.'
    """
    if refuted:
        return f"v{version} is harmed too: it comes to an end after a week of ripe days of v{version} without harm."
    if kind in _OF_LABELS:
        return (
            f"Answered by v{version}: closes by itself after a week of ripe days of v{version} without harm, "
            "comes back if they are harmful."
        )
    return f"Answered by v{version}: closes by itself once v{version} is judged."
