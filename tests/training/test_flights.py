"""The committed flights: what the README of `data/` promises, checked on the bytes that are shipped."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).resolve().parents[2]
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
    assert by_month == [0.227, 0.230, 0.228, 0.279, 0.220, 0.308, 0.315, 0.238, 0.132, 0.168, 0.174, 0.326]


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
