"""By what a report counts: its windows, what rows belong to, and how its metric is called."""

from __future__ import annotations

from mlops_dash.domain import format as fmt
from mlops_dash.domain.cadence import plural_of
from mlops_dash.domain.reports.snapshot import Facts
from mlops_dash.domain.words import plain_first


def window_of(facts: Facts) -> str:
    """What is judged as one: a day, where the facts say nothing else."""
    return str(facts.get("cadence", {}).get("window", "day"))


def cluster_of(facts: Facts) -> str:
    """What rows are taken to belong to."""
    return str(facts.get("cadence", {}).get("cluster", "day"))


def ripe(number: int, window: str) -> str:
    """So many windows whose outcomes are known.

    >>> ripe(28, "day"), ripe(1, "week"), ripe(3, "batch")
    ('28 ripe days', '1 ripe week', '3 ripe batches')
    """
    return fmt.plural(number, f"ripe {window}", f"ripe {plural_of(window)}")


def metric_named(facts: Facts) -> str:
    """The metric that is told, plain words first."""
    data = facts["performance"]
    return plain_first(data.get("metric", ""), data["label"], data.get("positive", ""))
