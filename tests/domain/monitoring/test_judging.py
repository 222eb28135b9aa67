"""The rules that judge windows: effect floor, usual swing, hysteresis, the harm alarm's course, health."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from mlops_dash.domain.cadence import CADENCES
from mlops_dash.domain.monitoring.judging import (
    HarmDay,
    broken_columns,
    episodes,
    harm_baseline,
    harm_course,
    judge_columns,
    judge_health,
    moved,
    oddities,
    too_short,
    window_drift,
)
from mlops_dash.domain.monitoring.readings import (
    Estimate,
    FeatureReading,
    estimate_from_row,
    estimate_to_row,
    feature_from_row,
    feature_to_row,
    unjudged,
)
from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.domain.tasks import BINARY, REGRESSION
from mlops_dash.domain.tasks.binary import BASE_RATE_FREE, RANKING, RAW_LOSS
from mlops_dash.domain.words import Drift, Health
from mlops_dash.stats.drift import ColumnDrift, UsualSwing, column_drift
from mlops_dash.stats.sequential import HarmUnit, harm_alarm
from mlops_dash.stats.summaries import CategoryCells, NumericCells, count
from tests.domain.monitoring.calibrate_columns import WINDOWS, measure

POLICY = MonitoringPolicy()
RNG = np.random.default_rng(3)
CELLS = NumericCells.of("x", RNG.normal(size=5_000))
PAST = count(CELLS, RNG.normal(size=5_000))


def drifted(shift: float, n: int = 2_000) -> ColumnDrift:
    return column_drift(CELLS, PAST, count(CELLS, RNG.normal(shift, 1.0, n)))


def swing(k: int, *, usual: float = 0.02, limit: float = 3.0) -> UsualSwing:
    return UsualSwing(k, {"x": usual}, (limit,) * k if k >= 20 else ())


def units(means: list[float], n: float = 400.0) -> list[HarmUnit]:
    return [HarmUnit(day, day, mean, n, 0.2) for day, mean in enumerate(means)]


def steady(days: int, mean: float = 0.30) -> list[float]:
    return [mean + 0.01 * (-1) ** day for day in range(days)]


@pytest.mark.parametrize(
    ("shift", "known", "verdict"),
    [
        (0.0, swing(30), Drift.STABLE),
        (0.45, swing(30), Drift.WATCH),
        (1.0, swing(30), Drift.DRIFT),
        (1.0, swing(30, usual=2.0), Drift.STABLE),  # large, but not for this column
        (1.0, swing(8), Drift.WATCH),  # too few reference weeks: never above watch
        (1.0, swing(8, usual=0.5), Drift.STABLE),  # and only beyond four times its usual swing
        (1.0, UsualSwing(0, {}, ()), Drift.WATCH),  # unknown swing: moved, but never above watch
    ],
)
def test_a_column_moved_only_beyond_floor_chance_and_its_own_swing(
    shift: float, known: UsualSwing, verdict: Drift
) -> None:
    (found,) = judge_columns(POLICY, [drifted(shift)], known)
    assert found.verdict is verdict
    assert found.flagged is (verdict in {Drift.WATCH, Drift.DRIFT})


def test_too_few_rows_are_not_computable_with_a_reason_and_small_windows_are_marked() -> None:
    few, small = judge_columns(POLICY, [drifted(1.0, 60), drifted(1.0, 200)], swing(30))
    assert few.verdict is Drift.NOT_COMPUTABLE
    assert "at least 100" in few.reason
    assert small.reason == "small window: 200 rows"
    assert window_drift([few]) is Drift.NOT_COMPUTABLE
    assert window_drift([few, small]) is small.verdict
    (short,) = too_short([small], 3, CADENCES["day"])
    assert (short.verdict, short.reason) == (Drift.NOT_COMPUTABLE, "3 of 7 days so far")


def test_a_column_reads_back_as_it_was_stored() -> None:
    (found,) = judge_columns(POLICY, [drifted(0.5)], swing(30))
    assert feature_from_row(feature_to_row(found)) == found
    estimate = Estimate(0.7, 0.6, None, 10, 5, "last 28 ripe days, jackknife over days", "few days")
    assert estimate_from_row(estimate_to_row(estimate), 28) == estimate


def test_missing_and_unseen_values_are_said_when_the_reference_never_had_so_many() -> None:
    (found,) = judge_columns(POLICY, [drifted(0.0)], swing(30))
    odd = [type(found)(**{**vars(found), "missing": 0.30, "unseen": 0.10})]
    said = oddities(odd, usual={"x": 0.05}, expected_unseen={"x": 0.001})
    assert len(said) == 2
    assert said[0].startswith("x: 30.0% missing")
    assert oddities(odd, usual={"x": 0.29}, expected_unseen={"x": 0.09}) == ()
    assert broken_columns(POLICY, {"x": 1.0, "y": 0.5}, usual={}, n=500) == ("x",)
    assert broken_columns(POLICY, {"x": 1.0}, usual={"x": 1.0}, n=500) == ()
    assert broken_columns(POLICY, {"x": 1.0}, usual={}, n=5) == ()


def test_hysteresis_needs_two_of_three_windows() -> None:
    assert moved(POLICY, [["a"], [], ["b"]]) == ()
    assert moved(POLICY, [["a"], ["a"], []]) == ("a",)
    assert moved(POLICY, [["a"], ["a"], [], [], []]) == ()


def test_harm_losses_share_alpha_and_few_units_double_the_tolerance() -> None:
    full = harm_baseline(POLICY, BINARY, BASE_RATE_FREE, units(steady(56)))
    few = harm_baseline(POLICY, BINARY, BASE_RATE_FREE, units(steady(20)))
    assert full.alpha == pytest.approx(POLICY.alpha / 2)
    assert harm_baseline(POLICY, BINARY, RAW_LOSS, units(steady(56))).alpha == POLICY.alpha
    assert full.tolerance == pytest.approx(0.05 * 0.30)
    assert few.tolerance == pytest.approx(0.10 * 0.30)
    assert harm_baseline(POLICY, BINARY, RANKING, units(steady(56))).tolerance == pytest.approx(0.01)
    assert not harm_baseline(POLICY, BINARY, RANKING, []).computable


def test_the_alarm_comes_stays_while_it_cannot_tell_and_ends_when_surely_below() -> None:
    normal = harm_baseline(POLICY, BINARY, RAW_LOSS, units(steady(56)))
    course = harm_course(POLICY, normal, units(steady(30) + steady(20, 0.45) + steady(60)))
    alarm = next(one for one in course if one.alarmed)
    assert 30 <= alarm.last <= 36
    assert alarm.since is not None
    assert abs(alarm.since - 30) <= 2
    over = next(one for one in course if one.last > alarm.last and not one.alarmed)
    assert over.last > 50 + 14  # not before most of the last 28 units are good again
    assert (course[-1].alarmed, course[-1].restarts) == (False, 1)
    assert [one.last for one in course] == list(range(110))  # every unit once


def test_a_restart_by_a_person_begins_anew_and_is_counted() -> None:
    normal = harm_baseline(POLICY, BINARY, RAW_LOSS, units(steady(56)))
    means = units(steady(10) + steady(20, 0.45))
    course = harm_course(POLICY, normal, means, restarts=[25])
    assert course[24].alarmed
    assert (course[25].restarts, course[25].alarm) == (1, 25)  # so bad that one unit is enough again
    assert harm_course(POLICY, normal, means, restarts=[99]) == harm_course(POLICY, normal, means)
    assert harm_course(POLICY, harm_baseline(POLICY, BINARY, RAW_LOSS, []), means) == ()


@pytest.mark.slow
def test_the_alarm_on_steady_days_cries_wolf_in_at_most_a_share_alpha_of_all_runs() -> None:
    rng, runs, alarms = np.random.default_rng(1), 300, 0
    for _ in range(runs):
        past = units(rng.normal(0.30, 0.02, 56).tolist())
        live = units(rng.normal(0.30, 0.02, 300).tolist())
        alarms += any(one.alarmed for one in harm_course(POLICY, harm_baseline(POLICY, BINARY, RAW_LOSS, past), live))
    assert alarms / runs <= POLICY.alpha + 3 * math.sqrt(POLICY.alpha * (1 - POLICY.alpha) / runs)


def harm_day(*, alarmed: bool) -> HarmDay:
    return HarmDay(0, 0, 0.3, 2.0 if alarmed else 0.1, alarmed, None, None, 0)


@pytest.mark.parametrize(
    ("alarmed", "trailing", "broken", "inputs", "health"),
    [
        ((), 0.70, (), (), Health.OK),
        ((), 0.70, (), ("temp",), Health.INPUTS_MOVED),
        (("log_loss",), 0.70, (), ("temp",), Health.AT_RISK),
        ((), 0.70, ("temp",), (), Health.AT_RISK),
        ((), 0.55, (), (), Health.AT_RISK),  # beyond the bound, surely worse than the reference, no alarm yet
        (("day_auc",), 0.70, ("temp",), (), Health.HARMED),
    ],
)
def test_health_is_the_worst_that_is_known(
    alarmed: tuple[str, ...], trailing: float, broken: tuple[str, ...], inputs: tuple[str, ...], health: Health
) -> None:
    found = judge_health(
        BINARY,
        harm={watch.key: harm_day(alarmed=watch.key in alarmed) for watch in BINARY.watches},
        trailing={"day_auc": Estimate(trailing, trailing - 0.02, trailing + 0.02, 100, 28)},
        references={watch.key: harm_baseline(POLICY, BINARY, watch, units(steady(56))) for watch in BINARY.watches},
        inputs_moved=inputs,
        broken=broken,
    )
    assert found.health is health
    assert found.why


def test_without_ripe_labels_health_is_not_known_never_ok() -> None:
    normal = {watch.key: harm_baseline(POLICY, BINARY, watch, units(steady(56))) for watch in BINARY.watches}
    found = judge_health(BINARY, harm={}, trailing={}, references=normal, inputs_moved=(), broken=())
    assert found.health is Health.NOT_KNOWN
    shifted = judge_health(BINARY, harm={}, trailing={}, references=normal, inputs_moved=("temp",), broken=())
    assert shifted.health is Health.INPUTS_MOVED
    assert shifted.why == "temp moved, and no ripe labels yet to tell whether that harms"


def test_a_stretch_ends_after_enough_quiet_windows() -> None:
    start = datetime(2013, 1, 1, tzinfo=UTC)
    on = [False, True, True, False, True, False, False, False, True]
    found = episodes("inputs", [(start + timedelta(days=i), now) for i, now in enumerate(on)], quiet=3)
    assert [(one.first, one.last, one.over) for one in found] == [
        (start + timedelta(days=1), start + timedelta(days=4), start + timedelta(days=7)),
        (start + timedelta(days=8), start + timedelta(days=8), None),
    ]


# --- columns with one value -------------------------------------------------------------------------------------------


def verdict_of(reference: list[object], current: list[object], *, numeric: bool = False) -> FeatureReading:
    if not any(value is not None for value in reference):
        cells: CategoryCells | NumericCells = CategoryCells.empty("flag")
    else:
        cells = (NumericCells if numeric else CategoryCells).of("flag", np.array(reference, dtype=object))
    drift = column_drift(cells, count(cells, reference), count(cells, current))
    (read,) = judge_columns(MonitoringPolicy(), [drift], UsualSwing(28, {}, tuple([1.0] * 28)))
    return read


@pytest.mark.parametrize(
    ("reference", "current", "verdict", "says"),
    [
        ([0] * 5_000, [1] * 500, Drift.DRIFT, "100.0% other than 0, which fills the reference"),
        ([0] * 4_997 + [1] * 3, [1] * 500, Drift.DRIFT, "100.0% other than"),
        ([0] * 5_000, [0] * 497 + [1] * 3, Drift.WATCH, "0.6% other than 0"),
        ([0] * 5_000, [0] * 500, Drift.STABLE, "0.0% other than 0"),
        ([None] * 5_000, [1] * 500, Drift.DRIFT, "100.0% with a value; in the reference it is always empty"),
        ([None] * 5_000, [None] * 500, Drift.STABLE, "0.0% with a value"),
        ([0] * 5_000, [1] * 50, Drift.NOT_COMPUTABLE, "fewer than 2 cells"),
    ],
)
def test_a_constant_that_changes_is_drift(
    reference: list[object], current: list[object], verdict: Drift, says: str
) -> None:
    read = verdict_of(reference, current, numeric=True)
    assert read.verdict is verdict
    assert read.reason.startswith(says)


def test_a_word_that_was_the_only_one_and_goes_is_drift() -> None:
    assert verdict_of(["kerb"] * 3_000, ["depot"] * 300).verdict is Drift.DRIFT


def test_a_rare_level_that_dominates_is_judged_apart_from_its_neighbour() -> None:
    reference = ["north"] * 2_400 + ["south"] * 500 + ["east"] * 40 + ["west"] * 60
    read = verdict_of(reference, ["east"] * 90 + ["north"] * 30)
    assert read.verdict is Drift.DRIFT
    assert read.reason == "east: 75.0% of values, 1.3% in the reference"


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.0, 0.0001, 0.0005, 0.001, 0.004])
def test_a_nearly_constant_column_without_change_is_rarely_flagged(rate: float) -> None:
    rng, flagged, runs = np.random.default_rng(int(rate * 1e5)), 0, 400
    for _ in range(runs):
        reference = (rng.random(10_000) < rate).astype(float)
        cells = NumericCells.of("flag", reference)
        fresh = (rng.random(int(rng.choice([100, 300, 1_000]))) < rate).astype(float)
        drift = column_drift(cells, count(cells, reference), count(cells, fresh))
        (read,) = judge_columns(MonitoringPolicy(), [drift], UsualSwing(28, {}, tuple([1.0] * 28)))
        flagged += read.flagged
    assert flagged / runs <= 0.05 + 3 * (0.05 * 0.95 / runs) ** 0.5


# --- what could not be judged -----------------------------------------------------------------------------------------


def column(name: str, verdict: Drift) -> FeatureReading:
    return FeatureReading(name, "numeric", verdict, *([None] * 11), n=100)


@pytest.mark.parametrize(
    ("verdicts", "word", "said"),
    [
        ((Drift.STABLE, Drift.STABLE), Drift.STABLE, ""),
        ((Drift.STABLE, Drift.NOT_COMPUTABLE), Drift.PARTLY_STABLE, "1 of 2 columns could not be judged (c1)"),
        ((Drift.NOT_COMPUTABLE, Drift.NOT_COMPUTABLE), Drift.NOT_COMPUTABLE, "no column could be judged"),
        ((Drift.WATCH, Drift.NOT_COMPUTABLE, Drift.STABLE), Drift.WATCH, "1 of 3 columns could not be judged (c1)"),
        ((Drift.DRIFT, Drift.WATCH, Drift.NOT_COMPUTABLE), Drift.DRIFT, "1 of 3 columns could not be judged (c2)"),
        ((), Drift.NOT_COMPUTABLE, "no column could be judged"),
    ],
)
def test_a_window_is_stable_only_where_every_column_could_be_judged(
    verdicts: tuple[Drift, ...], word: Drift, said: str
) -> None:
    read = [column(f"c{place}", verdict) for place, verdict in enumerate(verdicts)]
    assert window_drift(read) is word
    assert unjudged(read) == said


def test_an_ok_says_which_inputs_it_knows_nothing_about() -> None:
    normal = {watch.key: harm_baseline(POLICY, BINARY, watch, units(steady(56))) for watch in BINARY.watches}
    calm = {watch.key: harm_day(alarmed=False) for watch in BINARY.watches}
    said = "1 of 3 columns could not be judged (gust)"
    found = judge_health(BINARY, harm=calm, trailing={}, references=normal, inputs_moved=(), broken=(), unjudged=said)
    assert (found.health, found.why) == (Health.OK, f"no harm, and inputs stable as far as computable: {said}")
    nothing = judge_health(
        BINARY, harm=calm, trailing={}, references=normal, inputs_moved=(), broken=(), unjudged=unjudged(())
    )
    assert nothing.why == "no harm, and inputs not known: no column could be judged"  # never "stable"
    moved_too = judge_health(
        BINARY, harm=calm, trailing={}, references=normal, inputs_moved=("temp",), broken=(), unjudged=said
    )
    assert moved_too.why == f"temp moved, without harm so far; {said}"


@pytest.mark.parametrize(("inputs", "word"), [((), Health.NOT_KNOWN), (("temp",), Health.INPUTS_MOVED)])
def test_without_labels_steady_inputs_are_never_called_ok(inputs: tuple[str, ...], word: Health) -> None:
    found = judge_health(BINARY, harm={}, trailing={}, references={}, inputs_moved=inputs, broken=(), labelled=False)
    assert found.health is word
    assert "nothing says how good the answers are" in found.why


@pytest.mark.slow
@pytest.mark.parametrize("n_current", WINDOWS)
def test_thirty_unchanged_columns_with_nearly_constant_ones_among_them_are_rarely_flagged(n_current: int) -> None:
    windows = 150
    found = measure(10_000, n_current, windows=windows, seed=2)
    assert found.flagged <= 0.05 + 3 * (0.05 * 0.95 / windows) ** 0.5
    assert found.by_rate <= 0.01 + 3 * (0.01 * 0.99 / windows) ** 0.5


def _weeks(draw: np.random.Generator, k: int, *, rows: int, swing: float, worse: float = 0.0) -> list[HarmUnit]:
    """Mean absolute errors of weekly batches: 3.19 min, rows apart by 2.41, weeks by a share of the mean."""
    level = 3.19 * (1 + worse) * (1 + swing * draw.standard_normal(k))
    means = level + 2.41 * draw.standard_normal(k) / np.sqrt(rows)
    return [HarmUnit(week, week, float(mean), rows, 2.41**2) for week, mean in enumerate(means)]


@pytest.mark.slow
@pytest.mark.parametrize("k", [1, 3, 4, 12, 52])
@pytest.mark.parametrize("rows", [300, 5_000])
def test_weekly_batches_raise_no_false_alarm_in_two_years_and_a_half_worse_model_is_found(k: int, rows: int) -> None:
    """Measured, 600 runs: <= .8 % at a swing of 5 % of the loss for every K; found in 13 weeks in >= 99 %."""
    draw, policy, runs = np.random.default_rng(5), MonitoringPolicy(window="week", primary="mae"), 200
    (watch,) = REGRESSION.watches
    false = found = 0
    for _ in range(runs):
        normal = harm_baseline(policy, REGRESSION, watch, _weeks(draw, k, rows=rows, swing=0.05))
        assert normal.computable
        false += harm_alarm(normal, _weeks(draw, 104, rows=rows, swing=0.05)).harmed
        normal = harm_baseline(policy, REGRESSION, watch, _weeks(draw, k, rows=rows, swing=0.02))
        found += harm_alarm(normal, _weeks(draw, 13, rows=rows, swing=0.02, worse=0.5)).harmed
    assert false / runs <= 0.05 + 3 * (0.05 * 0.95 / runs) ** 0.5
    assert found / runs >= 0.95


def test_few_weeks_have_a_bound_of_rows_and_few_days_have_none() -> None:
    (watch,) = REGRESSION.watches
    units = [HarmUnit(0, 0, 3.0, 400, 4.0), HarmUnit(1, 1, 3.2, 600, 4.0)]
    weekly = harm_baseline(MonitoringPolicy(window="week", primary="mae"), REGRESSION, watch, units)
    assert weekly.mean == pytest.approx(3.12)  # weighted by rows
    assert weekly.tolerance == pytest.approx(0.31)  # 10 % of the loss, as for every short reference
    assert weekly.bound == pytest.approx(3.12 + 0.31 + 1.962 * (0.155**2 / 2) ** 0.5, abs=1e-3)
    assert weekly.reason == "2 reference units: rows taken as independent"
    daily = harm_baseline(MonitoringPolicy(primary="mae"), REGRESSION, watch, units)
    assert (daily.computable, "at least 4 needed" in daily.reason) == (False, True)
