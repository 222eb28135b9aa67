"""What a test could be: what is offered to its designer, and what the policies in force fix with a design."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import numpy as np
import pandas as pd

from mlops_dash.domain.ab_tests.layers import Layer, part_of
from mlops_dash.domain.ab_tests.outcomes import MEAN, SHARE, is_of_events
from mlops_dash.domain.ab_tests.room import PRICE_OF_PEEKING, Choice, Plan, Reach, UnitColumn
from mlops_dash.domain.ab_tests.rules import ABTest, Design, Guardrail, NewTest, check
from mlops_dash.domain.events import EventName
from mlops_dash.domain.policies import MonitoringPolicy, PolicyKind, PromotionPolicy
from mlops_dash.domain.registry.records import Model, Version
from mlops_dash.domain.tasks import task_named
from mlops_dash.domain.words import ABState
from mlops_dash.errors import Conflict, InvalidInput
from mlops_dash.services.ab_tests.choices import why_not_offered
from mlops_dash.services.ab_tests.reading import losses_of
from mlops_dash.services.command import Context, Unit
from mlops_dash.stats.ab_plan import detectable
from mlops_dash.store import ab_tests as store
from mlops_dash.store import evidence as evidence_store
from mlops_dash.store import policies as policy_store
from mlops_dash.store import prediction_log
from mlops_dash.store import registry as registry_store
from mlops_dash.store.db import Session, reading

PLAN_DAYS: Final = (7, 14, 21, 28)
TRAFFIC_DAYS: Final = 7
POWER: Final = 0.8
_MOST_COLUMNS: Final = 40


def plan_of(context: Context, model: str) -> Plan:
    """What a test of this model could be, and what it could find, from a week of the champion's own rows.

    Raises:
        NotFound: no such model.
        Conflict: there is no champion, or no other version.
    """
    now = context.clock.now()
    with reading(context.databases.app) as session:
        losses = task_named(registry_store.model(session, model).task).ab_losses
        champion = registry_store.champion(session, model)
        versions = registry_store.versions(session, model)
        why_not = why_not_offered(session, model, versions)
        promotion, _ = policies_of(session, model, now)
        prior = None if champion is None else evidence_store.prior_of(session, champion.id)
    if champion is None:
        raise Conflict(f"{model} has no champion to test against.", hint="Promote a first version.")
    others = [one for one in versions if one.id != champion.id]
    choices = tuple(Choice(one.id, one.label) for one in others if not why_not[one.id])
    left_out = tuple(f"{one.label} {why_not[one.id]}" for one in others if why_not[one.id])
    if not choices:
        none = f"{model} has no other version" + (f" to try: {'; '.join(left_out)}." if left_out else ".")
        raise Conflict(none, hint="Train one on the Retraining page.")
    with reading(context.databases.log) as log:
        start = now - timedelta(days=TRAFFIC_DAYS + 1)
        rows = prediction_log.read_window(log, champion.id, start, now - timedelta(days=1), features=False)
        columns = _columns(log, champion.id, rows)
        events = prediction_log.event_names(log, model)
    known = rows[rows["label"].notna()]
    a_day = len(known) // TRAFFIC_DAYS
    sd = {
        one: float(losses_of(known["label"].tolist(), known["score"].tolist(), one, prior or 0.5).std(ddof=1))
        for one in (losses if len(known) > 1 else ())
    }
    held = [Guardrail(one, promotion.guardrail_margin) for one in losses[1:] if one == promotion.guardrail]
    return Plan(
        model=model,
        champion=champion.label,
        choices=choices,
        left_out=left_out,
        units_a_day=a_day,
        guardrails=tuple(held),
        alpha=1.0 - promotion.level,
        reach={outcome: tuple(_reach(one, a_day, days) for days in PLAN_DAYS) for outcome, one in sd.items()},
        outcomes=(*losses, *_of_events(events)),
        columns=columns,
        rows_a_day=len(rows) // TRAFFIC_DAYS,
    )


def design_of(unit: Unit, wanted: NewTest, control: Version) -> Design:
    """What is asked for, and what the policies in force fix with it.

    Raises:
        InvalidInput: it cannot be carried out, or a metric is none of this model's answers.
    """
    promotion, watch = policies_of(unit.session, wanted.model, unit.now)
    losses = task_named(registry_store.model(unit.session, wanted.model).task).ab_losses
    margins = wanted.guardrails
    if margins is None:
        margins = {promotion.guardrail: promotion.guardrail_margin} if promotion.guardrail in losses else {}
    made = check(
        Design(
            outcome=wanted.outcome,
            guardrails=tuple(Guardrail(metric, most) for metric, most in margins.items() if metric != wanted.outcome),
            unit=wanted.unit,
            share=wanted.share,
            days=wanted.days,
            planned_units=wanted.planned_units,
            min_units=wanted.min_units,
            alpha=wanted.alpha,
            reading=wanted.reading,
            prior=evidence_store.prior_of(unit.session, control.id) or 0.5,
            zone=watch.zone,
            label_delay_hours=watch.label_delay_hours,
            ripe_coverage=watch.ripe_coverage,
            key=wanted.key or unit.context.new_id(),
            others=wanted.others,
            entity=wanted.entity,
            exposure_hours=wanted.exposure_hours,
            cuped=wanted.cuped,
            min_days=wanted.min_days,
            ramp=wanted.ramp,
            segments=wanted.segments,
            ramp_days=wanted.ramp_days,
            auto_stop=wanted.auto_stop,
            layer=_layer(unit, wanted),
        )
    )
    odd = [one for one in made.metrics if not is_of_events(one) and one not in losses]
    if odd:
        raise InvalidInput(
            f"{odd[0]} is no metric of {wanted.model}'s answers.",
            hint=f"Name {' or '.join(losses)}, or one of events, such as mean:revenue.",
        )
    return made


def _layer(unit: Unit, wanted: NewTest) -> Layer | None:
    """The part of a layer that a test gets; None where it asks for none."""
    name = wanted.layer.strip()
    if not name:
        if wanted.hold_out or wanted.layer_share != 1.0:
            raise InvalidInput("Units are held out of a layer, so the layer needs a name.", hint="Name it: --layer.")
        return None
    # who is in no test stays so when one is over; what was withdrawn before its start held nobody out
    ever = [one.design.layer for one in store.every(unit.session)
            if one.started_at is not None or one.state is not ABState.STOPPED]  # fmt: skip
    kept = max([wanted.hold_out, *(one.hold_out for one in ever if one is not None and one.name == name)])
    return part_of(name, wanted.layer_share, kept, others_of_layer(unit.session, name))


def others_of_layer(session: Session, name: str, *, but: str = "") -> list[tuple[str, Layer]]:
    """Name and part of each test of a layer that is not over."""
    return [
        (f"{one.model} {one.name}", one.design.layer)
        for one in store.every(session)
        if one.design.layer is not None and one.design.layer.name == name
        and one.state is not ABState.STOPPED and one.id != but
    ]  # fmt: skip


def refuse_shared(session: Session, test: ABTest) -> None:
    """Refuse to start a test whose part of its layer another one has: two were designed in the same moment.

    Raises:
        Conflict: naming the other.
    """
    own = test.design.layer
    if own is None:
        return
    for who, one in others_of_layer(session, own.name, but=test.id):
        if own.low < one.high and one.low < own.high:
            raise Conflict(f"{who} has units of the same part of layer {own.name}.", hint="Design this one anew.")


def policies_of(session: Session, model: str, now: datetime) -> tuple[PromotionPolicy, MonitoringPolicy]:
    """What the model is promoted and watched by now."""
    promotion = policy_store.active(session, model, PolicyKind.PROMOTION, now).promotion
    return promotion, policy_store.active(session, model, PolicyKind.MONITORING, now).monitoring


def is_testable(session: Session, model: Model) -> bool:
    """Whether a test of it can be designed: we answer for it, and it has a champion and another version."""
    return (
        model.source == "mlflow"
        and registry_store.champion(session, model.name) is not None
        and len(registry_store.versions(session, model.name)) > 1
    )


def _reach(sd: float, a_day: int, days: int) -> Reach:
    units = max(a_day * days, 1)
    found = detectable(sd=sd, units=units, share=0.5, alpha=0.05, power=POWER)
    return Reach(days, a_day * days, found, found * PRICE_OF_PEEKING)


def _of_events(events: tuple[EventName, ...]) -> tuple[str, ...]:
    """The outcomes that each event offers; ratios of two are typed."""
    return tuple(
        f"{direction}:{kind}:{one.name}"
        for one in events
        for kind in (MEAN, SHARE)
        for direction in ("higher", "lower")
    )


def _columns(log: Session, version_id: str, rows: pd.DataFrame) -> tuple[UnitColumn, ...]:
    """Columns of the newest day of rows whose values are names or whole numbers, those with most values first."""
    if rows.empty:
        return ()
    last = rows["at"].max().to_pydatetime()
    newest = prediction_log.read_window(log, version_id, last - timedelta(days=1), last + timedelta(microseconds=1))
    found = []
    for name in newest.columns.difference(rows.columns, sort=False):
        values = newest[name].dropna()
        numbers = pd.api.types.is_numeric_dtype(values)
        if len(values) and (not numbers or bool(np.all(values.to_numpy(dtype=np.float64) % 1 == 0))):
            found.append(UnitColumn(str(name), int(values.astype(str).nunique())))
    return tuple(sorted(found, key=lambda one: -one.units)[:_MOST_COLUMNS])
