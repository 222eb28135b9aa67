"""Estimates of windows whose labels have not come, from their profiles alone; and what they may do: warn, no more.

Every window is estimated, also those whose labels are there: that is what the estimates are held against.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mlops_dash.domain.monitoring.judging import HealthJudgement
from mlops_dash.domain.monitoring.label_free import EstimatedPoint, EstimatedView, Trust, back_test, points_of
from mlops_dash.domain.monitoring.readings import SCORE, Reading, known
from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.domain.words import Drift, Health
from mlops_dash.ids import digest
from mlops_dash.services.monitoring.course import Day
from mlops_dash.stats.label_free import LabelFree
from mlops_dash.stats.sequential import HarmReference
from mlops_dash.store.monitoring.references import Reference

KEYS = ("estimated_key", "estimated")
_RULES = 1  # grows when an estimate is made in another way
_CALM = (Health.OK, Health.INPUTS_MOVED, Health.NOT_KNOWN)


def estimator_of(reference: Reference) -> LabelFree | None:
    """What estimates the windows of a version; None where its reference has no labels, or its task no such thing."""
    if not reference.labelled or reference.prior is None:
        return None
    layout = reference.layout
    return layout.task.label_free(
        layout.scale, [part.labelled for part in reference.windows], layout.columns[SCORE], prior=reference.prior,
        clip=layout.clip,
    )  # fmt: skip


def estimated_bodies(
    reference: Reference, policy: MonitoringPolicy, days: Sequence[Day], held: Mapping[int, Mapping[str, Any]]
) -> dict[int, dict[str, Any]]:
    """What every window's reading keeps of its estimates, by number of the window.

    Args:
        reference: What the version is compared with.
        policy: How many rows a window needs.
        days: The windows.
        held: What is stored of them already: it stays where nothing changed.
    """
    made = estimator_of(reference)
    found: dict[int, dict[str, Any]] = {}
    for day in days:
        counts = day.part.histogram(reference.layout, SCORE).counts
        key = digest([_RULES, reference.id, policy.min_rows, [int(one) for one in counts]])[:16]
        kept = held.get(day.number, {})
        if kept.get("estimated_key") == key:
            found[day.number] = {name: kept[name] for name in KEYS}
            continue
        enough = made is not None and day.part.n >= policy.min_rows
        said = made.estimate(counts, seed=int(key[:8], 16)) if made is not None and enough else {}
        rows = {metric: [known(one) for one in numbers] for metric, numbers in said.items()}
        found[day.number] = {"estimated_key": key, "estimated": rows}
    return found


class Warner:
    """Follows the windows in order, and warns of one without labels whose trusted estimate is beyond its bound."""

    def __init__(self, policy: MonitoringPolicy, normal: Mapping[str, HarmReference]) -> None:
        self.policy = policy
        self.normal = {key: one for key, one in normal.items() if one.computable}
        self.past: dict[str, list[EstimatedPoint]] = {}
        self.beyond: dict[str, list[bool]] = {}

    def judged(self, verdict: HealthJudgement, day: Day, body: Mapping[str, Any]) -> HealthJudgement:
        """The verdict, at most amber by an estimate; a window whose labels have come speaks for itself."""
        ripe = day.ripe and day.part.n_labelled
        said = []
        for key, row in body["estimated"].items():
            bound = self.normal.get(key)
            if bound is None:
                continue
            value, low, high = row
            point = EstimatedPoint(day.start, day.end, value, low, high, body["day"].get(key) if ripe else None)
            past = self.past.setdefault(key, [])
            beyond = self.beyond.setdefault(key, [])
            past.append(point)
            beyond.append(low > bound.bound and not score_drifts(body))
            recent = beyond[-self.policy.hysteresis_of :]
            sure = beyond[-1] and sum(recent) >= self.policy.hysteresis_need
            if not ripe and sure and back_test(past).trust is Trust.TRUSTED:
                said.append(key)
        if not said or verdict.health not in _CALM:
            return verdict
        return HealthJudgement(
            Health.AT_RISK, f"estimated without labels, {' and '.join(said)} is beyond its bound; labels are awaited"
        )


def score_drifts(body: Mapping[str, Any]) -> bool:
    """Whether the answers drifted so far that nothing proves the estimates any more."""
    return any(row[0] == SCORE and row[2] == str(Drift.DRIFT) for row in body["features"])


def view_of(reference: Reference, own: Sequence[Reading], metric: str) -> EstimatedView | None:
    """What is estimated of a metric of what is served; of another one than any estimated the task's main one.

    Args:
        reference: What it is compared with.
        own: Its readings, in order.
        metric: The one that the page shows.
    """
    if not own:
        return None
    points = points_of(own, metric)
    made = estimator_of(reference)
    if not points and made is not None:
        metric = made.main
        points = points_of(own, metric)
    task, body = reference.layout.task, own[-1].body
    charted = next((one for one in task.choices if one.key == metric), None)
    if not points or charted is None:
        return None
    view = EstimatedView(
        metric, charted.label, charted.higher, charted.decimals, "", str(body.get("window", "day")), points,
        back_test(points),
    )  # fmt: skip
    return replace(view, suspended="the answers drifted") if score_drifts(body) else view
