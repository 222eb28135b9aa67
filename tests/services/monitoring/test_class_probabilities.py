"""Live rows that tell the probability of every class: log-loss and AUC from profiles, by scikit-learn's definitions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from mlops_dash import bootstrap
from mlops_dash.bootstrap import Services
from mlops_dash.domain.class_probabilities import column_of
from mlops_dash.errors import InvalidInput, InvalidRow
from mlops_dash.settings import from_environment
from mlops_dash.store.db import reading
from mlops_dash.store.monitoring import references
from mlops_dash.store.monitoring.parts import count_rows, pack, total, unpack
from tests.factories import ADMIN, WORKER
from tests.penguins import (
    MODEL,
    PER_DAY,
    SPECIES,
    begin,
    known,
    numbered,
    penguins,
    sent,
    watched,
    with_probabilities,
)

COLUMNS = [column_of(name) for name in SPECIES]
CUT = 30 * PER_DAY


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Services]:
    made = bootstrap.build(
        from_environment({"MLOPS_DASH_HOME": str(tmp_path), "MLFLOW_TRACKING_URI": "http://127.0.0.1:9"})
    )
    yield made
    made.close()


@pytest.fixture
def table(house: Services) -> pd.DataFrame:
    return with_probabilities(penguins(house.context.clock.now(), days=40))


def theirs(rows: pd.DataFrame) -> dict[str, float]:
    """What scikit-learn makes of rows."""
    names = sorted(SPECIES)
    p = rows[[column_of(name) for name in names]].to_numpy(dtype=float)
    p = p / p.sum(axis=1, keepdims=True)
    auc = roc_auc_score(rows["label"], p, multi_class="ovr", average="weighted", labels=names)
    return {"log_loss": log_loss(rows["label"], p, labels=names), "auc_ovr": auc}


def test_days_add_up_to_the_probabilities_of_all_rows(house: Services, table: pd.DataFrame) -> None:
    version_id = begin(house, table.iloc[:CUT])
    with reading(house.context.databases.app) as session:
        reference = references.reference(session, version_id)
    assert reference is not None
    layout, live = reference.layout, table.iloc[CUT:].reset_index(drop=True)
    live.loc[live.index[::5], COLUMNS] = np.nan
    parts = count_rows(layout, numbered(live), np.arange(len(live)) % 10, 10)
    whole = total(layout, [unpack(layout, pack(part)) for part in parts])
    alone = count_rows(layout, numbered(live), np.zeros(len(live), dtype=np.int64), 1)[0]
    assert whole.labelled.counts().tolist() == alone.labelled.counts().tolist()
    assert whole.labelled.numbers() == pytest.approx(alone.labelled.numbers())
    measured = layout.task.measure([part.labelled for part in parts], prior=0.4, level=0.95)
    told = live.dropna(subset=COLUMNS)
    assert measured["log_loss"].value == pytest.approx(theirs(told)["log_loss"])
    assert measured["auc_ovr"].value == pytest.approx(theirs(told)["auc_ovr"], abs=1e-3)
    some = f"; {len(told)} of {len(live)} labelled rows tell the probability of every class"
    assert measured["auc_ovr"].reason.endswith(some)  # behind the few days
    assert (measured["log_loss"].n, measured["accuracy"].n) == (len(told), len(live))


@pytest.mark.timeout(300)
def test_every_window_of_live_rows_has_both_metrics_and_the_chart_offers_them(
    house: Services, table: pd.DataFrame
) -> None:
    version_id = watched(house, table)
    kept = {one.metric: one.value for one in house.evidence.about(ADMIN, version_id)}
    expected = theirs(table.iloc[:CUT])
    assert kept["log_loss"] == pytest.approx(expected["log_loss"])
    assert kept["auc_ovr"] == pytest.approx(expected["auc_ovr"], abs=1e-3)
    last = house.monitoring.summary(ADMIN, MODEL)["windows"][-1]
    of_day = table[table["at"].dt.strftime("%Y-%m-%d") == last["start"][:10]]
    assert last["metrics"]["log_loss"] == pytest.approx(theirs(of_day)["log_loss"])
    assert last["metrics"]["auc_ovr"] == pytest.approx(theirs(of_day)["auc_ovr"], abs=5e-3)
    chart = house.monitoring.room(ADMIN, MODEL, metric="auc_ovr").performance
    assert chart is not None
    assert chart.points[-1].trailing is not None
    assert chart.points[-1].trailing.n == sum(point.n for point in chart.points[-7:])
    offered = {one.key for one in chart.choices}
    assert {"log_loss", "auc_ovr"} <= offered
    start, end = table["at"].iloc[CUT].to_pydatetime(), table["at"].iloc[-1].to_pydatetime()
    again = house.monitoring.rows_of_window(ADMIN, version_id, start, end)
    assert again[COLUMNS].notna().all().all()  # a reference made of the log has them as well


@pytest.mark.timeout(300)
def test_rows_from_before_tell_the_class_alone_and_the_metric_says_of_how_many_rows_it_is(
    house: Services, table: pd.DataFrame
) -> None:
    before = table.drop(columns=COLUMNS)
    begin(house, before.iloc[:CUT])  # a reference that tells no probabilities
    live = pd.concat([before.iloc[CUT : CUT + 4 * PER_DAY], table.iloc[CUT + 4 * PER_DAY :]])
    for rows in (live[live[COLUMNS[0]].isna()].drop(columns=COLUMNS), live.dropna(subset=COLUMNS)):
        house.scoring.record_predictions(ADMIN, MODEL, sent(rows))
    house.scoring.record_labels(ADMIN, MODEL, known(live), received_at=live["at"].tolist())
    while house.monitoring.profile_dirty_hours(WORKER, model=MODEL).left:
        pass
    house.monitoring.evaluate(WORKER, MODEL)
    told = live.dropna(subset=COLUMNS)
    windows = {one["start"][:10]: one["metrics"] for one in house.monitoring.summary(ADMIN, MODEL)["windows"]}
    days = sorted(windows)
    assert windows[days[-1]]["log_loss"] == pytest.approx(theirs(told[-PER_DAY:])["log_loss"])
    assert windows[days[-1]]["accuracy"] is not None


def test_two_versions_are_compared_by_the_probabilities_that_both_told(house: Services, table: pd.DataFrame) -> None:
    first = begin(house, table.iloc[:CUT])
    second = house.registry.record_version(WORKER, MODEL, "2")
    live = table.iloc[CUT:]
    house.scoring.record_predictions(ADMIN, MODEL, sent(live))
    right = live.assign(**{column_of(name): np.where(live["label"] == name, 0.75, 0.125) for name in SPECIES})
    shadow = [{**one, "version": "2", "role": "shadow"} for one in sent(right)]
    for one in shadow[::3]:
        one["score"] = max(one["scores"], key=one["scores"].__getitem__)
        del one["scores"]
    house.scoring.record_predictions(ADMIN, MODEL, shadow)
    house.scoring.record_labels(ADMIN, MODEL, known(live), received_at=live["at"].tolist())
    start, end = live["at"].min().to_pydatetime(), house.context.clock.now()

    found = house.evidence.compare(WORKER, MODEL, second, first, start, end)

    paired = {one.metric: one for one in found if one.kind == "paired_difference"}
    assert set(paired) == {"accuracy", "macro_f1", "log_loss", "auc_ovr"}
    both = live[np.arange(len(live)) % 3 != 0]
    ours = theirs(right.loc[both.index])["log_loss"] - theirs(both)["log_loss"]
    assert paired["log_loss"].value == pytest.approx(ours)
    assert paired["log_loss"].n < paired["accuracy"].n
    assert f"{paired['log_loss'].n:,} of these tell the probability of every class" in paired["log_loss"].bound
    alone = {one.metric: one.value for one in found if one.kind == "metric"}
    assert alone["log_loss"] == pytest.approx(-np.log(0.75))


def test_bad_probabilities_are_refused_with_the_reason_or_set_aside(house: Services, table: pd.DataFrame) -> None:
    begin(house, table.iloc[:CUT])
    rows = sent(table.iloc[CUT : CUT + 3])
    rows[1]["scores"] = {**rows[1]["scores"], SPECIES[0]: 0.9, SPECIES[1]: 0.9}
    with pytest.raises(InvalidRow, match="the probabilities sum to") as refused:
        house.scoring.record_predictions(ADMIN, MODEL, rows)
    assert (refused.value.row, refused.value.column) == (1, "scores")
    assert house.scoring.counts(ADMIN, MODEL).predictions == 0
    pending = house.scoring.prepare_predictions(ADMIN, MODEL, rows, skip=True)
    house.scoring.store(ADMIN, [pending])
    assert [one.row for one in pending.left_out] == [1]
    assert [one.column_name for one in pending.set_aside] == ["scores"]
    assert house.scoring.counts(ADMIN, MODEL).predictions == 2


def test_a_reference_whose_probabilities_do_not_sum_to_one_is_refused(house: Services, table: pd.DataFrame) -> None:
    bad = table.iloc[:CUT].copy()
    bad.loc[bad.index[7], COLUMNS[0]] /= 2
    with pytest.raises(InvalidInput, match="the probabilities sum to"):
        begin(house, bad)


# --- harm -------------------------------------------------------------------------------------------------------------


def told(rows: pd.DataFrame, sure: float) -> pd.DataFrame:
    """The same answers, all told with this probability and the others alike: as many are right, whatever it is."""
    rest = (1.0 - sure) / (len(SPECIES) - 1)
    return rows.assign(**{column_of(name): np.where(rows["score"] == name, sure, rest) for name in SPECIES})


def gone_vague(table: pd.DataFrame) -> pd.DataFrame:
    """After the reference the model hardly knows what it says."""
    return pd.concat([told(table.iloc[:CUT], 0.85), told(table.iloc[CUT:], 0.36)])


@pytest.mark.timeout(300)
def test_probabilities_that_went_wrong_are_harm_though_as_many_answers_are_right(
    house: Services, table: pd.DataFrame
) -> None:
    watched(house, gone_vague(table))
    room = house.monitoring.room(ADMIN, MODEL, metric="weighted_log_loss")
    assert str(room.health) == "harmed"
    assert room.why == "the harm alarm of Log-loss at the reference's shares is on"
    assert "How far off its probabilities are, classes as common as in the reference" in room.headline
    assert "worse than its reference; worse since about" in room.headline
    assert "answered class alone" not in room.basis
    assert room.performance is not None
    assert room.performance.bound is not None
    assert room.performance.bound_is_harm
    assert room.performance.points[-1].trailing is not None
    assert room.performance.points[-1].trailing.value > room.performance.bound  # type: ignore[operator]
    alert = next(one for one in room.alerts if one.kind == "harm")
    assert "Log-loss at the reference's shares" in alert.title
    assert alert.cause.startswith(
        "The answered classes raise no alarm: the probabilities beside them got worse. Likely cause: "
    )
    row = next(one for one in house.fleet.room(ADMIN).rows if one.model == MODEL)
    assert (row.metric, str(row.health)) == ("weighted_log_loss", "harmed")


@pytest.mark.timeout(300)
def test_other_shares_of_the_classes_are_no_harm_though_the_raw_loss_follows_them(
    house: Services, table: pd.DataFrame
) -> None:
    hard = table["label"] == SPECIES[2]
    right = np.where(hard, 0.4, 0.9)  # what it tells of the true species
    p = {column_of(name): np.where(table["label"] == name, right, (1.0 - right) / 2) for name in SPECIES}
    taught = table.assign(score=table["label"], **p)
    live = taught.iloc[CUT:]
    more = np.random.default_rng(3).choice(live.index[hard[CUT:]], len(live))
    mixed = live.loc[np.where(live.index % 2, more, live.index)].assign(at=live["at"].to_numpy())
    watched(house, pd.concat([taught.iloc[:CUT], mixed.set_axis(live.index)]))
    windows = house.monitoring.summary(ADMIN, MODEL)["windows"]
    raw = house.monitoring.room(ADMIN, MODEL, metric="log_loss").performance
    assert raw is not None
    assert raw.baseline is not None
    assert windows[-1]["metrics"]["log_loss"] > 1.2 * raw.baseline
    harm = house.monitoring.room(ADMIN, MODEL, metric="weighted_log_loss").performance
    assert harm is not None
    assert harm.bound is not None
    assert harm.points[-1].trailing is not None
    assert harm.points[-1].trailing.value < harm.bound  # type: ignore[operator]
    assert str(house.monitoring.room(ADMIN, MODEL).health) != "harmed"


@pytest.mark.timeout(300)
def test_a_model_that_tells_the_class_alone_goes_without_and_says_so(house: Services, table: pd.DataFrame) -> None:
    version_id = watched(house, table.drop(columns=COLUMNS))
    room = house.monitoring.room(ADMIN, MODEL)
    said = "Harm is judged by the answered class alone: the log-loss needs a reference whose rows tell the probability"
    assert said in room.basis
    assert said in house.monitoring.summary(ADMIN, MODEL)["sentence"]
    chart = house.monitoring.room(ADMIN, MODEL, metric="weighted_log_loss").performance
    assert chart is not None
    assert (chart.baseline, chart.bound) == (None, None)
    with reading(house.context.databases.app) as session:
        kept = references.reference(session, version_id)
    assert kept is not None
    assert [one.key for one in kept.layout.task.harm_watches] == ["weighted_recall"]  # it has all of alpha


@pytest.mark.timeout(300)
def test_a_reference_of_classes_alone_may_follow_one_with_probabilities_while_its_loss_is_in_alarm(
    house: Services, table: pd.DataFrame
) -> None:
    version_id = watched(house, gone_vague(table))
    house.monitoring.record_reference(WORKER, version_id, numbered(table.iloc[:CUT].drop(columns=COLUMNS)))
    for _ in range(2):  # as pages see it before it is judged anew, and after
        room = house.monitoring.room(ADMIN, MODEL)
        assert next(one for one in house.fleet.room(ADMIN).rows if one.model == MODEL).headline
        while house.monitoring.profile_dirty_hours(WORKER, model=MODEL).left:
            pass
        house.monitoring.evaluate(WORKER, MODEL)
    assert str(room.health) != "harmed"
