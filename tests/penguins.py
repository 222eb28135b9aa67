"""The penguins' island, a stranger's model: three species as words, one with quotes in its name, sixty birds a day."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from mlops_dash.bootstrap import Services
from mlops_dash.domain.class_probabilities import column_of
from mlops_dash.domain.sifting import in_numbers
from mlops_dash.domain.tasks import task_named
from tests.factories import ADMIN, SCIENTIST, WORKER

MODEL = "penguins' island"
SPECIES = ("Adélie", "Gentoo", 'it\'s "Chinstrap"')
ODD = SPECIES[2]
PER_DAY = 60


def penguins(end: datetime, *, days: int = 90, worse_from: int = 1_000, gone_from: int = 1_000) -> pd.DataFrame:
    """Sixty a day until `end`; from a day on the odd species is taken for Adélie, or does not come any more."""
    rng = np.random.default_rng(11)
    n = days * PER_DAY
    day = np.repeat(np.arange(days), PER_DAY)
    species = rng.choice(3, n, p=[0.44, 0.36, 0.20])
    species = np.where((day >= gone_from) & (species == 2), 0, species)
    right = np.array([0.9, 0.95, 0.8])[species] - np.where((day >= worse_from) & (species == 2), 0.6, 0.0)
    said = np.where(rng.random(n) < right, species, (species + 1) % 3)
    first = pd.Timestamp(end).normalize() - pd.Timedelta(days=days) + pd.Timedelta(hours=8)
    names = np.array(SPECIES, dtype=object)
    return pd.DataFrame(
        {"at": first + pd.to_timedelta(day, unit="D"), "score": names[said], "label": names[species],
         "bill": rng.normal(40, 5, n).round(1), "isle": rng.choice(["Biscoe", "Dream", "NA"], n).astype(object)}
    )  # fmt: skip


def sent(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as a client sends them."""
    told = column_of(SPECIES[0]) in rows
    return [
        {"prediction_id": f"bird-{number}", "at": row["at"].isoformat(), "version": "1",
         **({"scores": {name: row[column_of(name)] for name in SPECIES}} if told else {"score": row["score"]}),
         "features": {"bill": row["bill"], "isle": row["isle"]}}
        for number, row in zip(rows.index, rows.to_dict("records"), strict=True)
    ]  # fmt: skip


def known(rows: pd.DataFrame) -> pd.DataFrame:
    """Their labels."""
    ids = [f"bird-{number}" for number in rows.index]
    return pd.DataFrame({"prediction_id": ids, "value": rows["label"], "observed_at": rows["at"]})


def numbered(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows as the log keeps them."""
    return in_numbers(rows, task_named("multiclass", SPECIES))


def with_probabilities(rows: pd.DataFrame, *, seed: int = 4) -> pd.DataFrame:
    """The rows with a probability of every species, the answer's the largest; named as the log's frames have it."""
    rng = np.random.default_rng(seed)
    drawn = 0.04 + 0.88 * rng.dirichlet([1.0] * len(SPECIES), len(rows))  # none so small that its loss would be cut
    p = drawn.astype("float32").astype(float)  # as exact as the log keeps them
    said = np.array([SPECIES.index(name) for name in rows["score"]])
    at, most = np.arange(len(rows)), p.argmax(axis=1)
    p[at, said], p[at, most] = p[at, most].copy(), p[at, said].copy()
    return rows.assign(**{column_of(name): p[:, number] for number, name in enumerate(SPECIES)})


def begin(house: Services, reference: pd.DataFrame) -> str:
    """Add the model, a version that somebody serves, and its reference; gives the version's id."""
    house.registry.add_model(
        SCIENTIST, MODEL, task="multiclass", class_names=SPECIES, source="external", reason="theirs"
    )
    version_id = house.registry.record_version(WORKER, MODEL, "1")
    house.registry.serve_elsewhere(ADMIN, version_id, reason="theirs")
    house.monitoring.record_reference(WORKER, version_id, numbered(reference))
    return version_id


def watched(house: Services, table: pd.DataFrame, *, reference_days: int = 30) -> str:
    """The whole table: its first days are the reference, the others are live and evaluated; gives the version's id."""
    cut = reference_days * PER_DAY
    version_id = begin(house, table.iloc[:cut])
    live = table.iloc[cut:]
    house.scoring.record_predictions(ADMIN, MODEL, sent(live))
    house.scoring.record_labels(ADMIN, MODEL, known(live), received_at=live["at"].tolist())
    while house.monitoring.profile_dirty_hours(WORKER, model=MODEL).left:
        pass
    house.monitoring.evaluate(WORKER, MODEL)
    return version_id
