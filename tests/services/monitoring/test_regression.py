"""A regression monitored end to end: reference, exact profiles, MAE with intervals, harm, gates' evidence, the room."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from mlops_dash.domain.monitoring.readings import SCORE
from mlops_dash.domain.policies import MonitoringPolicy, PolicyKind, PromotionPolicy, default_policy, policy_body
from mlops_dash.domain.registry.gates import GUARDRAIL, PRIMARY, judge
from mlops_dash.domain.tasks import BINARY, REGRESSION
from mlops_dash.domain.tasks.regression import NumberSummary
from mlops_dash.domain.words import GateState, Health
from mlops_dash.errors import InvalidInput
from mlops_dash.services.command import Context
from mlops_dash.services.evidence import EvidenceService
from mlops_dash.services.monitoring import MonitoringService
from mlops_dash.stats.regression import ErrorSummary
from mlops_dash.store import policies, prediction_log
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.monitoring import profiles, references
from mlops_dash.store.monitoring import readings as monitoring_store
from mlops_dash.store.monitoring.parts import Part, empty, pack, total, unpack
from mlops_dash.store.prediction_log import Score, to_us
from mlops_dash.store.tables.registry import ModelRow, PolicyVersionRow
from tests import factories
from tests.services.monitoring.monitoring_world import FIRST, LIVE, MODEL, ROWS, V1, World, world

V2 = "flight-delay-v2"
POLICY = MonitoringPolicy(primary="mae", label_unit="min")
PROMOTION = PromotionPolicy(
    primary="mae", guardrail="rmse", guardrail_margin=0.5, floor_metric="mae", floor=12.0, min_rows=500
)


@dataclass
class Minutes(World):
    """Labels are minutes that follow x; `worse` adds so many minutes of error to the predictions."""

    worse: float = 0.0

    def rows(self, days: int, *, moved: float = 0.0, blind: bool = False) -> pd.DataFrame:
        """Rows of some days; the error has a day part, so days are clusters and not only labels."""
        made = super().rows(days, moved=moved)
        truth = 150.0 + 40.0 * made["x"]
        day = np.repeat(self.rng.normal(0.0, 1.0, days), ROWS)
        score = truth + self.rng.normal(0.0, 10.0, len(made)) + day + self.worse
        return made.assign(label=truth, score=self.rng.permutation(score) if blind else score)


@pytest.fixture
def made(context: Context) -> Minutes:
    base = world(context)
    mine = Minutes(base.context, MonitoringService(context))
    context.clock.wall = lambda: mine.now
    with transaction(context.databases.app) as session:
        session.get_one(ModelRow, MODEL).task = "regression"
        row = session.get_one(PolicyVersionRow, "policy")
        row.body, row.digest = POLICY.as_json(), POLICY.digest
    return mine


def live_rows(w: World) -> pd.DataFrame:
    with reading(w.context.databases.log) as session:
        return prediction_log.read_window(session, V1, LIVE, w.now)


def reference_of(w: World) -> references.Reference:
    with reading(w.context.databases.app) as session:
        found = references.reference(session, V1)
    assert found is not None
    return found


def days_of(w: World) -> list[Part]:
    reference = reference_of(w)
    with reading(w.context.databases.log) as session:
        return [unpack(reference.layout, one.packed) for one in profiles.day_profiles(session, reference.id)]


def errors_of(part: Part) -> ErrorSummary:
    assert isinstance(part.labelled, NumberSummary)
    return part.labelled.errors


def readings_of(w: World) -> tuple[monitoring_store.Reading, ...]:
    with reading(w.context.databases.app) as session:
        return monitoring_store.readings(session, V1)


def test_the_reference_of_a_regression_holds_errors_in_the_labels_unit(made: Minutes) -> None:
    rows = made.rows(42)
    at = pd.Timestamp(FIRST) + rows["offset"]
    made.monitoring.record_reference(factories.WORKER, V1, rows.drop(columns="offset").assign(at=at))
    reference = reference_of(made)
    value, low, high, n, n_days, _ = reference.baseline["metrics"]["mae"]
    assert value == pytest.approx(mean_absolute_error(rows["label"], rows["score"]), rel=1e-6)
    assert low < value < high
    assert (n, n_days) == (42 * ROWS, 42)
    assert reference.baseline["prior"] == pytest.approx(rows["label"].mean())
    assert set(reference.baseline["watches"]) == {"mae"}
    bound = reference.baseline["watches"]["mae"]["bound"]
    assert bound > 1.05 * reference.baseline["watches"]["mae"]["mean"]
    kept = EvidenceService(made.context).about(factories.VIEWER, V1)
    assert {one.metric: one.direction for one in kept} == {
        "mae": "lower_is_better", "rmse": "lower_is_better", "bias": "nearer_to_zero_is_better",
    }  # fmt: skip


def test_day_profiles_hold_the_errors_of_exactly_the_logged_rows(made: Minutes) -> None:
    made.reference()
    made.live(3)
    made.monitoring.profile_dirty_hours(factories.WORKER)
    frame, parts = live_rows(made), days_of(made)
    assert [(part.n, part.n_labelled) for part in parts] == [(ROWS, ROWS)] * 3
    whole = sum((errors_of(part) for part in parts[1:]), start=errors_of(parts[0]))
    assert whole.mae == pytest.approx(mean_absolute_error(frame["label"], frame["score"]))
    assert whole.rmse == pytest.approx(root_mean_squared_error(frame["label"], frame["score"]))
    layout = reference_of(made).layout
    predictions = total(layout, parts).histogram(layout, SCORE)
    assert predictions.n == 3 * ROWS
    assert predictions.counts.size == layout.columns[SCORE].k


def test_a_part_of_errors_packs_without_loss_and_adds_up(made: Minutes) -> None:
    made.reference()
    made.live(2)
    made.monitoring.profile_dirty_hours(factories.WORKER)
    layout, parts = reference_of(made).layout, days_of(made)
    for part in [*parts, empty(layout)]:
        back = unpack(layout, pack(part))
        assert (back.n, errors_of(back)) == (part.n, errors_of(part))
        assert (back.counts == part.counts).all()
    both = total(layout, parts)
    assert both.n_labelled == 2 * ROWS
    with pytest.raises(InvalidInput, match="its reference"):
        unpack(replace(layout, task=BINARY), pack(parts[0]))


def test_readings_give_mae_rmse_and_bias_with_intervals_over_days(made: Minutes) -> None:
    made.reference()
    made.live(12)
    made.evaluate(timedelta(days=1))
    frame, last = live_rows(made), [one for one in readings_of(made) if one.ripe][-1]
    by_day = (frame["score"] - frame["label"]).abs().groupby(frame["at"].dt.date).mean()
    mae, bias = last.estimate("mae", 28), last.estimate("bias", 28)
    assert mae is not None
    assert bias is not None
    assert mae.value == pytest.approx(by_day.mean(), rel=1e-6)
    assert mae.low < mae.value < mae.high  # type: ignore[operator]
    assert (mae.n, mae.n_days) == (12 * ROWS, 12)
    assert bias.value == pytest.approx((frame["score"] - frame["label"]).mean(), rel=1e-5)
    assert last.body["day"]["mae"] == pytest.approx(by_day.iloc[-1], rel=1e-6)
    assert last.health is Health.OK
    assert last.body["task"] == "regression"


def test_larger_errors_raise_the_harm_alarm_and_say_it_in_minutes(made: Minutes) -> None:
    made.reference()
    made.live(10)
    made.worse = 12.0
    made.live(14)
    made.evaluate(timedelta(days=1))
    room = made.room()
    assert room.health is Health.HARMED
    assert room.performance is not None
    assert (room.performance.metric, room.performance.unit, room.performance.decimals) == ("mae", "min", 2)
    assert [one.key for one in room.performance.choices] == ["mae", "rmse", "bias", "label_mean"]
    assert not room.performance.higher_is_better
    assert room.performance.bound_is_harm
    assert "MAE" in room.headline
    assert "min over the last" in room.headline
    assert "worse than its reference" in room.headline
    assert "min too high on average" in room.labels
    assert room.label_rate is None
    alert = next(one for one in room.alerts if one.kind == "harm")
    assert alert.severity == "critical"
    assert "worse since about" in alert.title
    assert "Mean label" in alert.cause


def test_labels_that_move_alone_are_no_harm_to_a_regression(made: Minutes) -> None:
    made.reference()
    made.live(25, moved=3.0)
    made.evaluate(timedelta(days=1))
    assert made.room().health is Health.INPUTS_MOVED
    assert [one.kind for one in made.room().alerts] == ["inputs"]


def test_a_link_with_another_kinds_metric_shows_the_mae(made: Minutes) -> None:
    made.reference()
    made.live(9)
    made.evaluate(timedelta(days=1))
    shown = made.room(metric="auc").performance
    assert shown is not None
    assert shown.metric == "mae"
    chosen = made.room(metric="bias").performance
    assert chosen is not None
    assert chosen.metric == "bias"
    assert chosen.baseline == pytest.approx(reference_of(made).baseline["metrics"]["bias"][0])
    labels = made.room(metric="label_mean").performance
    assert labels is not None
    assert labels.baseline == pytest.approx(reference_of(made).baseline["prior"])


def test_evaluating_again_changes_nothing(made: Minutes) -> None:
    made.reference()
    made.live(9)
    made.evaluate(timedelta(days=1))
    again = made.monitoring.evaluate(factories.WORKER, MODEL)
    assert (again.changed, again.opened, again.closed) == (0, (), ())


def test_a_challenger_is_compared_by_its_errors_on_the_same_rows(made: Minutes) -> None:
    evidence = EvidenceService(made.context)
    made.reference()
    start = made.now
    made.live(14)
    frame = live_rows(made)
    better = (frame["label"] + 0.5 * (frame["score"] - frame["label"])).tolist()
    scores = [
        Score(MODEL, i, V2, "replayed", "2", to_us(at.to_pydatetime()), p, 0)
        for i, at, p in zip(frame["prediction_id"], frame["at"], better, strict=True)
    ]
    with transaction(made.context.databases.log) as session:
        prediction_log.append(session, [], scores, marked_us=1)
    made.now += timedelta(days=1)
    found = {(one.kind, one.metric): one for one in evidence.compare(factories.WORKER, MODEL, V2, V1, start, made.now)}
    assert set(found) == {(kind, metric) for kind in ("paired_difference", "metric") for metric in ("mae", "rmse")}
    difference = found["paired_difference", "mae"]
    old = mean_absolute_error(frame["label"], frame["score"])
    assert difference.value == pytest.approx(-0.5 * old)
    assert difference.high is not None
    assert difference.high < 0
    assert (difference.n, difference.n_clusters) == (14 * ROWS, 14)
    assert "base rate" not in difference.bound
    gates = {gate.name: gate for gate in judge(PROMOTION, found.values(), made.now, champion="flight-delay v1")}
    assert gates[PRIMARY].state is GateState.PASSED
    assert gates[GUARDRAIL].state is GateState.PASSED
    assert gates[GUARDRAIL].measures[1].relation == "≤"
    strict = replace(PROMOTION, floor=1.0)
    worst = {one.name: one for one in judge(strict, found.values(), made.now, champion="flight-delay v1")}[GUARDRAIL]
    assert worst.state is GateState.FAILED


def test_measured_alone_a_regression_gives_mae_and_rmse(made: Minutes) -> None:
    rows = made.rows(12)
    rows["at"] = pd.Timestamp(FIRST) + rows.pop("offset")
    found = EvidenceService(made.context).measure(factories.WORKER, V1, rows, bound="out of fold by day")
    assert [one.metric for one in found] == ["mae", "rmse"]
    assert found[0].value == pytest.approx(mean_absolute_error(rows["label"], rows["score"]))
    assert found[0].bound == "out of fold by day"


def test_without_a_floor_in_the_labels_unit_no_first_version_passes(made: Minutes) -> None:
    with reading(made.context.databases.app) as session:
        default = policies.active(session, MODEL, PolicyKind.PROMOTION, made.now)
    assert default == default_policy(MODEL, PolicyKind.PROMOTION, REGRESSION)
    gate = judge(default.promotion, [], made.now, champion=None)[1]
    assert gate.state is GateState.NOT_COMPUTABLE
    assert "Set one in the unit of the label" in gate.reason
    assert len(judge(default.promotion, [], made.now, champion="flight-delay v1")[1].measures) == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"primary": "auc", "guardrail": "brier", "floor_metric": "auc"}, "the model's task is regression"),
        ({"guardrail": "brier"}, "one of mae, rmse"),
        ({"floor_metric": "auc"}, "one of mae, rmse"),
    ],
)
def test_a_policy_with_another_kinds_metric_is_refused(body: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        policy_body(PolicyKind.PROMOTION, body, REGRESSION)
    with pytest.raises(InvalidInput, match="the model's task is binary"):
        policy_body(PolicyKind.MONITORING, {"primary": "mae"}, BINARY)
    with pytest.raises(InvalidInput, match="at most 12"):
        policy_body(PolicyKind.MONITORING, {"label_unit": "minutes in the air"}, REGRESSION)
