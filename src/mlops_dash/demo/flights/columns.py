"""The demo's data set and its models: which rows, which features, which label and when it is known, which pipeline.

It must not know about MLflow, databases or the clock: a frame comes in, rows or an unfitted pipeline go out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder

from mlops_dash.errors import InvalidInput, NotFound

MODEL_NAME = "flight-delay"
DATA = "data/flights-2013.parquet"
LABEL = "late"
ZONE = ZoneInfo("America/New_York")


@dataclass(frozen=True)
class Feature:
    """One input column of the model."""

    name: str
    kind: Literal["numeric", "categorical"]
    unit: str = ""


# Left out of the file's columns on purpose: the dew point doubles temperature and humidity, gusts are missing for 76 %
# of the flights and planes for 17 %; without them the AUC by days is as good (.681 against .685, interval +-.018).
FEATURES: tuple[Feature, ...] = (
    Feature("carrier", "categorical"),
    Feature("origin", "categorical"),
    Feature("dest", "categorical"),
    Feature("distance", "numeric", "miles"),
    Feature("hour", "numeric", "h"),
    Feature("minute", "numeric", "min"),
    Feature("weekday", "numeric", "1 = Monday"),
    Feature("temp", "numeric", "°F"),
    Feature("humid", "numeric", "%"),
    Feature("wind_dir", "numeric", "°"),
    Feature("wind_speed", "numeric", "mph"),
    Feature("precip", "numeric", "in"),
    Feature("pressure", "numeric", "mbar"),
    Feature("visib", "numeric", "miles"),
)


@dataclass(frozen=True)
class Target:
    """What one model of these flights predicts.

    Attributes:
        model: The registered model's name.
        label: Column of the label; missing where it never comes.
        known_at: Column of the instant at which the label is known.
        task: "binary" (label true/false) or "regression" (label a number).
        features: Input columns, all known before departure.
    """

    model: str
    label: str
    known_at: str
    task: Literal["binary", "regression"]
    features: tuple[Feature, ...]

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the input columns, in the model's order."""
        return tuple(feature.name for feature in self.features)

    @property
    def categorical(self) -> tuple[str, ...]:
        """Names of the text columns."""
        return tuple(feature.name for feature in self.features if feature.kind == "categorical")

    @property
    def numeric(self) -> tuple[str, ...]:
        """Names of the number columns."""
        return tuple(feature.name for feature in self.features if feature.kind == "numeric")


# In the air, what counts is how far and against which wind; rain and sight on the ground hardly do.
_IN_THE_AIR = frozenset(
    {"carrier", "origin", "dest", "distance", "hour", "weekday", "temp", "wind_dir", "wind_speed", "pressure"}
)
LATE_ARRIVAL = Target(MODEL_NAME, LABEL, "landed_at", "binary", FEATURES)
LATE_DEPARTURE = Target("departure-delay", "departed_late", "departed_at", "binary", FEATURES)
AIR_TIME = Target(
    "air-time", "air_time", "landed_at", "regression", tuple(one for one in FEATURES if one.name in _IN_THE_AIR)
)
TARGETS: Mapping[str, Target] = {target.model: target for target in (LATE_ARRIVAL, LATE_DEPARTURE, AIR_TIME)}
LATE_MINUTES = 15

CATEGORICAL: tuple[str, ...] = LATE_ARRIVAL.categorical
NUMERIC: tuple[str, ...] = LATE_ARRIVAL.numeric
FEATURE_NAMES: tuple[str, ...] = LATE_ARRIVAL.feature_names


def target_of(model: str) -> Target:
    """What a model of this name predicts.

    Raises:
        InvalidInput: these flights have no model of this name.
    """
    if model not in TARGETS:
        raise InvalidInput(f"These rows hold no label for the model {model!r}.", hint=f"Use: {', '.join(TARGETS)}.")
    return TARGETS[model]


def load_flights(path: Path) -> pd.DataFrame:
    """Read the committed flights, typed for training and for MLflow signatures.

    Returns:
        One row per flight, ordered by `scheduled_at`. Text columns are `object`, every numeric feature is float64
        with NaN for missing (so that a JSON number always fits the signature), `late` is a nullable boolean,
        instants are UTC. Added: `departed_at` and `departed_late` (more than 15 minutes after schedule), both missing
        for cancelled flights. Calls share the columns: replace one, never write into it.

    Raises:
        NotFound: The file does not exist.
        InvalidInput: A promised column is missing.
    """
    if not path.is_file():
        raise NotFound(f"The flights file {path} does not exist.", hint="It is committed as data/flights-2013.parquet.")
    return _read(path, path.stat().st_mtime_ns).copy(deep=False)


@lru_cache(maxsize=1)  # the demo trains five times in one process; changed files are read again
def _read(path: Path, _changed_ns: int) -> pd.DataFrame:
    frame = pd.read_parquet(path)
    promised = {"flight_id", "scheduled_at", "landed_at", "dep_delay", "air_time", LABEL, *FEATURE_NAMES}
    missing = sorted(promised - set(frame.columns))
    if missing:
        raise InvalidInput(
            f"The flights file lacks the columns {', '.join(missing)}.", hint="Make it again: data/make_flights.py."
        )
    for name in CATEGORICAL:
        frame[name] = frame[name].astype(object)
    for name in NUMERIC:
        frame[name] = frame[name].astype("float64")
    frame[LABEL] = frame[LABEL].astype("boolean")
    for name in ("scheduled_at", "landed_at"):
        frame[name] = frame[name].astype("datetime64[ns, UTC]")
    frame["air_time"] = frame["air_time"].astype("float64")
    delay = frame["dep_delay"].astype("float64")
    minutes = pd.to_timedelta(delay.fillna(0.0).astype("int64"), unit="min")  # whole; pandas warns at random of floats
    frame["departed_at"] = (frame["scheduled_at"] + minutes).mask(delay.isna())
    frame["departed_late"] = (delay > LATE_MINUTES).astype("boolean").mask(delay.isna())
    return frame


def features_of(frame: pd.DataFrame, target: Target = LATE_ARRIVAL) -> pd.DataFrame:
    """Return the model's input columns of these rows, in the model's order."""
    return frame.loc[:, list(target.feature_names)]


def training_rows(frame: pd.DataFrame, start: datetime, end: datetime, target: Target = LATE_ARRIVAL) -> pd.DataFrame:
    """Return the flights scheduled in [start, end) whose label was already known at `end`.

    A flight still in the air at `end`, cancelled or diverted is not there: nobody could have trained on it.

    Raises:
        InvalidInput: An instant is naive, or no row is left.
    """
    if start.tzinfo is None or end.tzinfo is None:
        raise InvalidInput(f"The training window {start} to {end} has no time zone.", hint="Give aware UTC instants.")
    scheduled = frame["scheduled_at"]
    rows = frame[(scheduled >= start) & (scheduled < end) & (frame[target.known_at] <= end)]
    if rows.empty:
        raise InvalidInput(f"No labelled flight is scheduled from {start} to {end}.", hint="Widen the training window.")
    return rows


def days_of(frame: pd.DataFrame) -> pd.Series:
    """Return the New York calendar day of each scheduled departure as text: the cluster of every interval."""
    wall_clock = frame["scheduled_at"].dt.tz_convert(ZONE).dt.tz_localize(None)
    days = wall_clock.to_numpy().astype("datetime64[D]").astype(str)
    return pd.Series(days, index=frame.index, dtype=object)


def build_pipeline(parameters: Mapping[str, Any], *, seed: int, target: Target = LATE_ARRIVAL) -> Pipeline:
    """Return the unfitted pipeline: category codes, then gradient boosting that knows which columns are codes.

    A category never seen in training and a missing value both become NaN, which the trees route on their own side.
    """
    encode = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=float("nan"))
    categorical, numeric = list(target.categorical), list(target.numeric)
    columns = ColumnTransformer([("codes", encode, categorical), ("numbers", "passthrough", numeric)])
    estimator, of_task = HistGradientBoostingClassifier, {}
    if target.task == "regression":  # the loss that is judged, the mean absolute error, is the loss that is fitted
        estimator, of_task = HistGradientBoostingRegressor, {"loss": "absolute_error"}
    boosting = estimator(
        **{**of_task, **parameters},
        categorical_features=list(range(len(categorical))),
        early_stopping=False,
        random_state=seed,
    )
    return Pipeline([("columns", columns), ("boosting", boosting)])
