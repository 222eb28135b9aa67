"""Each unit counts once with its own outcome: against oracles, on A/A traffic that is looked at often, and late."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from mlops_dash.domain.ab_tests.assigning import ENTITY, ROW, draw, unit_key
from mlops_dash.domain.ab_tests.judging import judge
from mlops_dash.domain.ab_tests.readings import Reading
from mlops_dash.domain.ab_tests.rules import AT_END, ABTest, Guardrail, check
from mlops_dash.domain.words import ABState, ABVerdict
from mlops_dash.services.ab_tests.unit_reading import effect_of, read_units
from mlops_dash.services.ab_tests.unit_table import Columns, unit_table
from mlops_dash.store.prediction_log import to_us
from tests.domain.ab_tests.test_rules import DESIGN

START = datetime(2026, 3, 1, tzinfo=UTC)
DAYS, A_DAY = 20, 300
BASE = check(
    replace(
        DESIGN, outcome="higher:mean:revenue", guardrails=(), unit=ENTITY, entity="customer", share=0.5, days=DAYS + 2,
        planned_units=DAYS * A_DAY, min_units=200, exposure_hours=48.0, label_delay_hours=24.0, zone="UTC", key="k",
    )
)  # fmt: skip


def a_test(design: Any = BASE) -> ABTest:
    return ABTest(
        "t", "queue", "v1", "v1", "v2", "v2", design, ABState.RUNNING, 1, "?", "user:s", START, started_at=START
    )


def traffic(
    *, lift: float = 0.0, share: float = 0.5, n: int = DAYS * A_DAY, seed: int = 3
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Customers with one to three rows each; revenue, orders and complaints within two days, and revenue before."""
    rng = np.random.default_rng(seed)
    names = [f"c'{n}" for n in range(n)]
    arm = np.array([draw("k", one) < share for one in names])
    first = START + pd.to_timedelta(np.sort(rng.uniform(0, DAYS * 86_400, n)), unit="s")
    taste = rng.gamma(2.0, 5.0, n)
    spend = 0.8 * taste + rng.gamma(1.0, 4.0, n) + lift * arm
    rows, events = [], []
    for who, name in enumerate(names):
        for k in range(1 + who % 3):
            label = rng.normal(30, 8)
            rows.append({
                "prediction_id": f"{who}-{k}", "unit": unit_key("k", name), "at": first[who] + timedelta(hours=5 * k),
                "score": label + rng.normal(0, 2 if arm[who] else 3), "label": label,
                "label_received_at": first[who] + timedelta(hours=6), "challenger": bool(arm[who]),
            })  # fmt: skip
        at = first[who] + timedelta(hours=3)
        events.append((name, "revenue", float(spend[who]), at))
        events.append((name, "order", float(1 + who % 4), at))
        events.append((name, "revenue", float(taste[who]), first[who] - timedelta(hours=2)))
        if rng.random() < 0.1:
            events.append((name, "complaint", 1.0, at))
    told = pd.DataFrame(
        [{"unit": u, "name": e, "value": v, "at_us": to_us(at), "received_at_us": to_us(at)} for u, e, v, at in events]
    )
    people = pd.DataFrame({"name": names, "arm": arm, "spend": spend, "before": taste, "first": first,
                           "orders": 1.0 + np.arange(n) % 4})  # fmt: skip
    return pd.DataFrame(rows), told, people


ALL = START + timedelta(days=DAYS + 4)


def now(
    rows: pd.DataFrame, events: pd.DataFrame, design: Any = BASE, *, at: datetime = ALL, over: bool = True
) -> Reading:
    return read_units(a_test(design), rows, events, now=at, over=over)


# --- oracles ----------------------------------------------------------------------------------------------------------


def test_a_mean_of_events_is_that_of_statsmodels_and_cuped_that_of_tea_tasting() -> None:
    import tea_tasting as tt

    rows, events, people = traffic(lift=1.0)
    found = unit_table(replace(BASE, cuped=True), rows, events, now=ALL)
    columns = found.outcomes[BASE.outcome]
    plain = effect_of(Columns(columns.y), found.arm, BASE.outcome, BASE)
    yes, no = people["spend"][people["arm"]], people["spend"][~people["arm"]]
    told = CompareMeans(DescrStatsW(yes), DescrStatsW(no)).tconfint_diff(usevar="unequal")
    assert plain.interval(0.05) == pytest.approx(told, rel=1e-9)
    frame = people.assign(variant=people["arm"].astype(int)).rename(columns={"spend": "y", "before": "x"})
    oracle = tt.Experiment(mean=tt.Mean("y", covariate="x"), ratio=tt.RatioOfMeans("y", "orders")).analyze(frame)
    after = effect_of(columns, found.arm, BASE.outcome, BASE)
    assert after.difference == pytest.approx(oracle["mean"].effect_size, rel=1e-9)
    assert after.interval(0.05) == pytest.approx(
        (oracle["mean"].effect_size_ci_lower, oracle["mean"].effect_size_ci_upper), rel=1e-6
    )
    ratio = replace(BASE, outcome="higher:ratio:revenue/order")
    table = unit_table(ratio, rows, events, now=ALL)
    effect = effect_of(table.outcomes[ratio.outcome], table.arm, ratio.outcome, ratio)
    assert effect.difference == pytest.approx(oracle["ratio"].effect_size, rel=1e-9)
    assert effect.interval(0.05) == pytest.approx(
        (oracle["ratio"].effect_size_ci_lower, oracle["ratio"].effect_size_ci_upper), rel=1e-3
    )


def test_a_loss_of_users_is_the_mean_of_their_rows_with_users_as_units() -> None:
    rows, events, _ = traffic()
    design = replace(BASE, outcome="mae")
    found = now(rows, events, design)
    loss = (rows["score"] - rows["label"]).abs()
    assert found.primary.control == pytest.approx(loss[~rows["challenger"]].mean())
    assert found.primary.challenger == pytest.approx(loss[rows["challenger"]].mean())
    assert judge(found, design, over=True).word is ABVerdict.SHIP  # the challenger's error is 2, not 3
    assert found.units == DAYS * A_DAY


def test_a_quantile_of_users_is_that_of_their_sums_and_one_of_counts_is_not_told() -> None:
    rows, events, people = traffic(lift=3.0)
    design = replace(BASE, outcome="higher:p90:revenue", others=("lower:median:order",))
    found = now(rows, events, check(design))
    sides = [people["spend"][people["arm"] == one] for one in (True, False)]
    assert (found.primary.challenger, found.primary.control) == pytest.approx([one.quantile(0.9) for one in sides])
    spread = [
        np.std(np.quantile(np.random.default_rng(7).choice(one, (2_000, len(one))), 0.9, axis=1), ddof=1)
        for one in sides
    ]
    look = found.looks[-1]
    assert (look.low, look.high) == (found.primary.low, found.primary.high)
    reach = 0.5 * (found.primary.high - found.primary.low) / math.hypot(*spread)  # type: ignore[operator]
    assert 2.3 < reach < 4.2  # always-valid: about three standard errors, those of a bootstrap
    assert judge(found, design, over=True).word is ABVerdict.SHIP
    assert "order statistics" in found.method
    assert found.others[0].low is None
    assert "different values" in found.others[0].reason


# --- what is said -----------------------------------------------------------------------------------------------------


def test_a_lift_is_shipped_and_a_guardrail_of_events_can_stop_it() -> None:
    rows, events, people = traffic(lift=2.0)
    design = replace(
        BASE, cuped=True, guardrails=(Guardrail("lower:share:complaint", 0.03),), others=("higher:share:revenue", "mae")
    )
    found = now(rows, events, check(design))
    assert judge(found, design, over=True).word is ABVerdict.SHIP
    assert found.primary.low is not None
    assert found.primary.low < 2.0 < (found.primary.high or 0)
    assert 0.3 < (found.gain or 0) < 0.7
    assert [one.metric for one in found.others] == ["higher:share:revenue", "mae"]
    assert found.looks[-1].n_challenger + found.looks[-1].n_control == len(people)
    angry = pd.DataFrame([
        {"unit": name, "name": "complaint", "value": 1.0, "at_us": to_us(first) + 1, "received_at_us": to_us(first) + 1}
        for name, arm, first in zip(people["name"], people["arm"], people["first"], strict=True) if arm
    ][::3])  # fmt: skip
    harmed = now(rows, pd.concat([events, angry]), design)
    said = judge(harmed, design, over=False)
    assert (said.word, "complaint, share of the units" in said.reason) == (ABVerdict.STOP_HARM, True)
    assert Reading.from_json(harmed.as_json()) == harmed


def in_towns(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(town=[["Łódź", "it's <b>", "NA"][int(one[:4], 16) % 3] for one in rows["unit"]])


def test_segments_are_read_apart_and_each_keeps_its_own_check_of_the_arms() -> None:
    rows, events, _ = traffic(lift=2.0)
    design = check(replace(BASE, segments=("town", "plan")))
    found = now(in_towns(rows), events, design)
    assert sorted(one.name for one in found.segments) == ["town = NA", "town = it's <b>", "town = Łódź"]
    assert sum(one.challenger + one.control for one in found.segments) == found.units
    assert all(
        one.primary.low is not None and one.primary.low < 2.0 < (one.primary.high or 0) for one in found.segments
    )
    assert found.notes == ("No row has the column plan, so it makes no segments.",)
    assert Reading.from_json(found.as_json()) == found
    towns = in_towns(rows)
    lost = (towns["town"] == "NA") & towns["challenger"] & (towns["unit"].str[-1] < "4")
    odd = now(towns[~lost], events, design)
    assert odd.mismatch_log_e < math.log(100)
    assert (odd.mismatch, odd.primary.value, odd.segments[0].primary.value) == (True, None, None)
    said = judge(odd, design, over=False)
    assert (said.word, said.reason.startswith("Where town = NA")) == (ABVerdict.INVALID, True)


def test_nothing_is_shown_before_the_minimum_of_units_and_days() -> None:
    rows, events, _ = traffic(lift=2.0)
    early = now(rows, events, at=START + timedelta(days=4), over=False)
    assert "ripe units in the smaller arm" in early.blind
    assert (early.primary.value, early.looks) == (None, ())
    late = now(rows, events, replace(BASE, min_days=15), at=START + timedelta(days=12), over=False)
    assert "of 15 ripe days" in late.blind


def test_a_unit_ripens_once_and_what_comes_late_changes_nothing() -> None:
    rows, events, people = traffic()
    whole = now(rows, events)
    first = people.iloc[0]
    after = [
        {"unit": first["name"], "name": "revenue", "value": 1e6, "at_us": to_us(first["first"]) + 1,
         "received_at_us": to_us(first["first"] + timedelta(days=6))},  # known too late
        {"unit": first["name"], "name": "revenue", "value": 1e6, "at_us": to_us(first["first"] + timedelta(days=3)),
         "received_at_us": to_us(first["first"] + timedelta(days=3))},  # after its exposure
        {"unit": "nobody", "name": "revenue", "value": 1e6, "at_us": to_us(START), "received_at_us": to_us(START)},
    ]  # fmt: skip
    again = now(rows, pd.concat([events, pd.DataFrame(after)]))
    assert again.primary == whole.primary
    assert again.notes[0] == "1 events came after their unit was ripe and do not count."
    half = now(rows, events, at=START + timedelta(days=10), over=False)
    assert half.days == 7  # exposure of two days, delay of one
    for before, after_all in zip(half.looks, whole.looks, strict=False):
        assert after_all.day == before.day
        assert (after_all.value, after_all.low, after_all.high) == pytest.approx(
            (before.value, before.low, before.high), rel=1e-9
        )


def test_rows_without_a_unit_count_nowhere_and_a_failing_arm_keeps_its_units() -> None:
    rows, events, _ = traffic()
    rows.loc[rows.index[:30], "unit"] = ""
    mine = rows["challenger"] & (rows.index % 50 == 0)
    rows.loc[mine, "challenger"] = False  # the champion answered while the challenger failed
    found = now(rows, events)
    assert found.notes[0] == "30 rows name no unit and count nowhere."
    assert "stay in the arm that was drawn" in found.notes[1]
    assert not found.mismatch


def test_arms_that_lose_units_are_hidden() -> None:
    rows, events, _ = traffic(lift=3.0)
    lost = rows["challenger"] & (rows["unit"].str[:1] < "3")
    found = now(rows[~lost], events)
    assert (found.mismatch, found.primary.value) == (True, None)
    assert judge(found, BASE, over=True).word is ABVerdict.INVALID


def test_with_rows_as_units_an_event_names_the_predictions_id() -> None:
    rows, _, _ = traffic(n=1_000)
    rows = rows.assign(unit=rows["prediction_id"])
    clicks = pd.DataFrame({"unit": rows["prediction_id"][::4], "name": "click", "value": 1.0,
                           "at_us": [to_us(at) + 9 for at in rows["at"][::4]]})  # fmt: skip
    design = check(replace(BASE, unit=ROW, entity="", outcome="higher:share:click", min_units=100))
    found = now(rows, clicks.assign(received_at_us=clicks["at_us"]), design)
    assert found.units == len(rows)
    shares = [found.primary.challenger, found.primary.control]
    assert shares == [pytest.approx(0.25, abs=0.05)] * 2


def test_events_that_meet_no_unit_are_said_and_most_of_them_are_an_alarm() -> None:
    rows, events, _ = traffic(n=600)
    assert not any("have no row" in one for one in unit_table(BASE, rows, events, now=ALL).notes)
    other = events["unit"].isin([f"c'{n}" for n in range(50)])
    named = events["unit"].mask(other, events["unit"] + "<b>ë</b>")
    few = unit_table(BASE, rows, events.assign(unit=named), now=ALL)
    assert (few.strange, few.joined) == (50, 550)
    assert "50 units with events have no row in this test; 550 have." in few.notes
    reading = now(rows, events.assign(unit=events["unit"] + "名"))
    (alarm,) = [one for one in reading.notes if "have no row" in one]
    assert alarm.startswith("Check the names: 600 units with events have no row in this test, none has.")


@pytest.mark.parametrize("outcome", ["mae", "base_rate_free_loss"])
def test_units_without_a_label_are_no_outcomes_and_bring_no_look(outcome: str) -> None:
    rows, events, _ = traffic(n=2_000)
    late = (rows["label"] > 30).astype(float)
    p = np.where(rows["challenger"], 0.9, 0.7)
    chances = rows.assign(label=late, score=np.where(late == 1, p, 1 - p))
    rows = rows if outcome == "mae" else chances
    rows.loc[rows.index[12:], "label"] = np.nan
    design = replace(BASE, outcome=outcome, planned_units=2_000)
    found = now(rows, events, design, over=False)
    assert found.challenger.ripe + found.control.ripe == 2_000
    assert 0 < found.units <= 12
    assert "of 200 ripe units with an outcome in the smaller arm" in found.blind
    assert (found.primary.value, found.looks) == (None, ())
    assert judge(found, design, over=False).word is ABVerdict.GO_ON


def test_one_look_at_the_end_needs_its_minimum_of_units_and_days_too() -> None:
    rows, events, _ = traffic(n=300, lift=30.0)
    design = check(replace(BASE, reading=AT_END))
    found = now(rows, events, design)
    said = judge(found, design, over=True)
    assert (said.word, found.primary.value) == (ABVerdict.UNDECIDED, None)
    assert "of 200 ripe units in the smaller arm" in said.reason
    soon = now(rows, events, replace(design, min_units=100, min_days=20), at=START + timedelta(days=21))
    assert "18 of 20 ripe days" in soon.blind
    enough = now(rows, events, replace(design, min_units=100))
    assert judge(enough, design, over=True).word is ABVerdict.SHIP


def test_an_event_from_before_that_comes_after_its_unit_was_ripe_changes_nothing() -> None:
    rows, events, people = traffic()
    design = replace(BASE, cuped=True)
    whole = now(rows, events, design)
    first = people.iloc[0]
    before = {"unit": first["name"], "name": "revenue", "value": 5_000.0,
              "at_us": to_us(first["first"] - timedelta(hours=1))}  # fmt: skip
    late = pd.DataFrame([{**before, "received_at_us": to_us(first["first"] + timedelta(days=9))}])
    again = now(rows, pd.concat([events, late]), design)
    assert (again.primary, again.gain) == (whole.primary, whole.gain)
    assert again.notes == ("1 events came after their unit was ripe and do not count.",)
    soon = now(rows, pd.concat([events, late.assign(received_at_us=to_us(first["first"]))]), design)
    assert soon.primary != whole.primary
    assert soon.notes == ()


def test_a_row_that_the_challenger_could_not_answer_counts_in_the_arm_that_was_drawn() -> None:
    rng = np.random.default_rng(0)
    n, empty = 6_000, pd.DataFrame(columns=["unit", "name", "value", "at_us", "received_at_us"])
    ids = [f"Ð {one}'s" for one in range(n)]
    drawn, hard = np.array([draw("k", one) < 0.5 for one in ids]), rng.random(n) < 0.02
    wrong = np.where(hard, rng.normal(0, 30, n), rng.normal(0, 3, n))
    at = START + pd.to_timedelta(np.sort(rng.uniform(0, DAYS * 86_400, n)), unit="s")
    rows = pd.DataFrame({"prediction_id": ids, "unit": ids, "at": at, "score": wrong, "label": 0.0,
                         "label_received_at": at, "challenger": drawn & ~hard})  # fmt: skip
    design = check(replace(BASE, outcome="mae", unit=ROW, entity=""))
    found = now(rows, empty, design)
    loss = np.abs(wrong)
    assert found.primary.value == pytest.approx(loss[drawn].mean() - loss[~drawn].mean())
    assert f"{(drawn & hard).sum()} units were answered by the other arm too" in found.notes[0]
    assert judge(found, design, over=True).word is ABVerdict.KEEP  # nothing differs but who was asked


def test_units_that_come_in_the_ramp_do_not_count_so_nothing_from_before_is_the_challengers() -> None:
    design = check(replace(BASE, cuped=True, ramp=(0.25,), ramp_days=3.0, days=6, min_units=100))
    rng, rows, told = np.random.default_rng(5), [], []
    for n in range(1_200):
        name, base = f"c'{n}", rng.gamma(4.0, 5.0)
        for day in range(-2, 9) if n < 900 else range(4, 9):  # the first come every day, the others after the ramp
            at = START + timedelta(days=day, hours=float(rng.uniform(1, 20)))
            mine = day >= 0 and draw("k", name) < design.share_after(at - START)
            if day >= 0:
                rows.append({"prediction_id": f"{n}-{day}", "unit": unit_key("k", name), "at": at, "score": 0.0,
                             "label": 0.0, "label_received_at": at, "challenger": mine})  # fmt: skip
            us = to_us(at + timedelta(minutes=10))
            told.append({"unit": name, "name": "revenue", "value": base + 10.0 * mine, "at_us": us,
                         "received_at_us": us})  # fmt: skip
    events = pd.DataFrame(told)
    found = now(pd.DataFrame(rows), events, design, at=START + timedelta(days=14))
    assert found.units == 300
    assert any(one.startswith("900 units came in the ramp already") for one in found.notes)
    assert not any("no row in this test" in one for one in found.notes)
    assert found.primary.low is not None
    assert found.primary.low < 20.0 < (found.primary.high or 0)  # two days of ten each
    plain = now(pd.DataFrame(rows), events, replace(design, cuped=False), at=START + timedelta(days=14))
    assert found.primary.value == pytest.approx(plain.primary.value, abs=3.0)
