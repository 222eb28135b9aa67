"""The committed flights: what the README of `data/` promises, checked on the bytes that are shipped."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
import skops.io
from sklearn.pipeline import Pipeline

from mlops_dash.demo.flights.columns import (
    CATEGORICAL,
    FEATURE_NAMES,
    NUMERIC,
    ZONE,
    build_pipeline,
    days_of,
    features_of,
    load_flights,
    training_rows,
)
from mlops_dash.errors import InvalidInput, NotFound
from mlops_dash.tracking.models.trust import TRUSTED_TYPES

ROOT = Path(__file__).resolve().parents[3]
COMMITTED = ROOT / "data" / "flights-2013.parquet"


@pytest.fixture(scope="module")
def raw() -> pd.DataFrame:
    return pd.read_parquet(COMMITTED)


def test_committed_file_has_the_size_and_digest_the_readme_states() -> None:
    content = COMMITTED.read_bytes()
    readme = (ROOT / "data" / "README.md").read_text()
    assert hashlib.sha256(content).hexdigest() in readme
    assert f"{len(content):,} bytes" in readme


def test_every_column_of_the_file_is_described_in_the_readme() -> None:
    readme = (ROOT / "data" / "README.md").read_text()
    names = pq.ParquetFile(COMMITTED).schema_arrow.names
    assert len(names) == 26
    assert [name for name in names if f"`{name}`" not in readme] == []


def test_all_flights_are_there_once_in_order(raw: pd.DataFrame) -> None:
    assert len(raw) == 336_776
    assert raw["flight_id"].is_unique
    assert raw["scheduled_at"].is_monotonic_increasing
    assert raw["scheduled_at"].iloc[0] == pd.Timestamp("2013-01-01T10:15Z")


def test_cancelled_and_lost_flights_are_counted_and_never_labelled(raw: pd.DataFrame) -> None:
    assert raw["cancelled"].mean() == pytest.approx(0.0245, abs=5e-5)
    lost = raw["arr_delay"].isna() & ~raw["cancelled"]
    assert lost.mean() == pytest.approx(0.0035, abs=5e-5)
    unlabelled = raw["cancelled"] | lost
    assert raw["late"].isna().equals(unlabelled)
    assert raw["landed_at"].isna().equals(unlabelled)


def test_late_means_more_than_fifteen_minutes_and_swings_over_the_year(raw: pd.DataFrame) -> None:
    labelled = raw[raw["late"].notna()]
    late = labelled["late"].astype(bool)
    assert late.equals(labelled["arr_delay"] > 15)
    month = labelled["scheduled_at"].dt.tz_convert("America/New_York").dt.month
    by_month = late.groupby(month).mean().round(3).tolist()
    assert by_month == [0.227, 0.229, 0.228, 0.279, 0.220, 0.308, 0.315, 0.238, 0.132, 0.168, 0.174, 0.326]


def test_landing_is_after_departure_plus_time_in_the_air(raw: pd.DataFrame) -> None:
    known = raw[raw["landed_at"].notna()]
    elapsed = (known["landed_at"] - known["scheduled_at"]).dt.total_seconds() / 60
    taxi = elapsed - known["dep_delay"] - known["air_time"]
    assert taxi.min() == 5
    assert taxi.max() == 235


@pytest.mark.parametrize(
    ("flight_id", "scheduled", "landed"),
    [
        ("UA1545-EWR-20130101", "2013-01-01T10:15Z", "2013-01-01T14:30Z"),  # 05:15 New York, 08:30 Houston
        ("HA51-JFK-20130701", "2013-07-01T14:00Z", "2013-07-02T01:27Z"),  # 10:00 New York (summer), 15:27 Honolulu
        ("B61403-JFK-20130701", "2013-07-01T10:11Z", "2013-07-01T13:48Z"),  # 09:48 San Juan, not in `airports`
    ],
)
def test_instants_of_single_flights(raw: pd.DataFrame, flight_id: str, scheduled: str, landed: str) -> None:
    row = raw.set_index("flight_id").loc[flight_id]
    assert (row["scheduled_at"], row["landed_at"]) == (pd.Timestamp(scheduled), pd.Timestamp(landed))


@pytest.fixture(scope="module")
def flights() -> pd.DataFrame:
    return load_flights(COMMITTED)


def test_no_outcome_and_no_date_is_a_feature() -> None:
    outcomes = {"landed_at", "cancelled", "dep_delay", "arr_delay", "air_time", "late"}
    assert outcomes.isdisjoint(FEATURE_NAMES)
    assert {"flight_id", "scheduled_at", "month"}.isdisjoint(FEATURE_NAMES)


def test_loaded_flights_are_typed_for_signatures(flights: pd.DataFrame) -> None:
    assert {str(flights[name].dtype) for name in NUMERIC} == {"float64"}
    assert {str(flights[name].dtype) for name in CATEGORICAL} == {"object"}
    assert str(flights["late"].dtype) == "boolean"
    assert str(flights["scheduled_at"].dt.tz) == "UTC"


def test_a_missing_file_names_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="does not exist") as caught:
        load_flights(tmp_path / "nothing.parquet")
    assert "flights-2013.parquet" in caught.value.hint


def test_a_file_without_a_promised_column_is_refused(tmp_path: Path, raw: pd.DataFrame) -> None:
    raw.head(5).drop(columns=["visib"]).to_parquet(tmp_path / "short.parquet")
    with pytest.raises(InvalidInput, match="visib"):
        load_flights(tmp_path / "short.parquet")


def test_training_rows_are_the_labels_known_when_the_window_ends(flights: pd.DataFrame) -> None:
    start, end = datetime(2013, 1, 1, tzinfo=ZONE), datetime(2013, 3, 1, tzinfo=ZONE)
    rows = training_rows(flights, start, end)
    assert len(rows) == 49_956
    assert rows["late"].notna().all()
    assert rows["scheduled_at"].min() >= start
    assert rows["landed_at"].max() <= end
    in_the_air = flights[(flights["scheduled_at"] < end) & (flights["landed_at"] > end)]
    assert len(in_the_air) > 0
    assert in_the_air.index.intersection(rows.index).empty


def test_training_window_must_be_aware_and_hold_flights(flights: pd.DataFrame) -> None:
    with pytest.raises(InvalidInput, match="time zone"):
        training_rows(flights, datetime(2013, 1, 1), datetime(2013, 2, 1))  # noqa: DTZ001 - the point of the test
    with pytest.raises(InvalidInput, match="No labelled flight"):
        training_rows(flights, datetime(2014, 2, 1, tzinfo=ZONE), datetime(2014, 3, 1, tzinfo=ZONE))


def test_days_are_those_of_new_york(flights: pd.DataFrame) -> None:
    late_evening = flights[flights["flight_id"] == "B6745-JFK-20130701"]
    assert late_evening["scheduled_at"].iloc[0].day == 2
    assert days_of(late_evening).tolist() == ["2013-07-01"]


@pytest.fixture(scope="module")
def fitted(flights: pd.DataFrame) -> Pipeline:
    rows = training_rows(flights, datetime(2013, 1, 1, tzinfo=ZONE), datetime(2013, 1, 8, tzinfo=ZONE))
    pipeline = build_pipeline({"max_iter": 10, "min_samples_leaf": 50}, seed=1)
    return pipeline.fit(features_of(rows), rows["late"].astype(int))


def test_pipeline_scores_unknown_categories_and_missing_values(flights: pd.DataFrame, fitted: Pipeline) -> None:
    strange = features_of(flights.head(4)).copy()
    strange.loc[0, "carrier"] = "??"
    strange.loc[1, "dest"] = None
    strange.loc[2, list(NUMERIC)] = float("nan")
    score = fitted.predict_proba(strange)[:, 1]
    assert ((score > 0) & (score < 1)).all()


def test_an_unknown_category_scores_like_a_missing_one(flights: pd.DataFrame, fitted: Pipeline) -> None:
    rows = features_of(flights.head(50))
    unknown, missing = rows.assign(dest="XXX"), rows.assign(dest=None)
    assert fitted.predict_proba(unknown)[:, 1].tolist() == fitted.predict_proba(missing)[:, 1].tolist()


def test_pipeline_survives_skops_with_exactly_our_trusted_types(flights: pd.DataFrame, fitted: Pipeline) -> None:
    stored = skops.io.dumps(fitted)
    assert set(skops.io.get_untrusted_types(data=stored)) <= set(TRUSTED_TYPES)
    again = skops.io.loads(stored, trusted=list(TRUSTED_TYPES))
    rows = features_of(flights.iloc[1000:1200])
    assert again.predict_proba(rows).tolist() == fitted.predict_proba(rows).tolist()
