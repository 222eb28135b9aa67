"""A small, awkward MLflow store for the Experiments room, by the real client; `bench.experiments` makes big ones."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from pathlib import Path

ODD = "väl/loss: 10-fold Δ." + "x" * 220  # every sign that MLflow lets a name have, and nearly its 250 characters


@dataclass(frozen=True)
class RunsWorld:
    """What `awkward` made."""

    uri: str
    path: Path
    experiment: str
    other: str
    ids: dict[str, str]  # by run name


def awkward(uri: str, artifacts: Path) -> RunsWorld:
    """By the real client: types, a nested run, a deleted one, NaN and infinite metrics, odd names, histories, tags."""
    import mlflow
    from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

    client = mlflow.MlflowClient(uri, uri)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = client.create_experiment("sweep", artifact_location=artifacts.as_uri())
        other = client.create_experiment("other", artifact_location=artifacts.as_uri())
    ids: dict[str, str] = {}

    def run(name: str, at: int, params: dict[str, object], metrics: dict[str, list[float]], *, where: str = made,
            tags: dict[str, str] | None = None, status: str = "FINISHED", digest: str = "d1") -> None:  # fmt: skip
        run_id = client.create_run(where, start_time=at, run_name=name).info.run_id
        ids[name] = run_id
        points = [
            Metric(key, value, at + 10 * step, step) for key, ys in metrics.items() for step, value in enumerate(ys)
        ]
        client.log_batch(
            run_id, points, [Param(key, str(value)) for key, value in params.items()],
            [RunTag(key, value) for key, value in (tags or {}).items()],
        )  # fmt: skip
        data = Dataset("flights", digest, "local", "{}")
        client.log_inputs(run_id, [DatasetInput(data, [InputTag("mlflow.data.context", "training")])])
        if status != "RUNNING":
            client.set_terminated(run_id, status, end_time=at + 60_000)

    start = 1_700_000_000_000
    for number, (depth, seed) in enumerate((depth, seed) for depth in (3, 6) for seed in (1, 2, 3)):
        auc = 0.6 + depth / 100 + seed / 1000
        run(
            f"depth-{depth}-seed-{seed}", start + number * 60_000,
            {"depth": depth, "seed": seed, "out": f"/o/{number}"},
            {"valid_auc": [auc - 0.1, auc + 0.05, auc], "valid_log_loss": [0.6, 0.5, 0.5 + depth / 100]},
            tags={"team": "Growth" if seed == 1 else "risk"},
        )  # fmt: skip
    odd = {"valid_auc": [0.5, math.nan], "valid_log_loss": [math.inf], ODD: [-math.inf]}
    run("broken", start + 700_000, {"depth": 3, "seed": 9, "learning rate": "0.1"}, odd, status="FAILED", digest="d2")
    run("empty", start + 800_000, {}, {}, status="RUNNING")
    run("deleted", start + 900_000, {"depth": 3, "seed": 4}, {"valid_auc": [0.9]})
    run("elsewhere", start + 950_000, {"depth": 3}, {"valid_auc": [0.7]}, where=other)
    run("child", start + 960_000, {"depth": 6, "seed": 7}, {"valid_auc": [0.66]},
        tags={"mlflow.parentRunId": ids["depth-6-seed-1"], "note": "it's 100 % fine"})  # fmt: skip
    client.delete_run(ids["deleted"])
    return RunsWorld(uri, Path(uri.removeprefix("sqlite:///")), made, other, ids)


BIASES = {"far": [2.0, -3.0], "near": [0.5, -0.2], "above": [-0.1, 0.4], "off": [1.0, 1.5]}  # by step, best and last


def biased(uri: str, artifacts: Path) -> dict[str, str]:
    """Runs of a regression, by name: `valid_bias` is best at 0 and alphabetically first, `valid_mae` is what counts."""
    import mlflow
    from mlflow.entities import Metric, Param

    client, ids = mlflow.MlflowClient(uri, uri), {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = client.create_experiment("air time", artifact_location=artifacts.as_uri())
    start = 1_800_000_000_000
    for number, (name, biases) in enumerate(BIASES.items()):
        for seed in (1, 2, 3):
            at = start + (3 * number + seed) * 60_000
            run_id = ids[f"{name}-{seed}"] = client.create_run(
                made, start_time=at, run_name=f"{name}-{seed}"
            ).info.run_id
            points = [
                Metric(key, value, at + step, step)
                for step, bias in enumerate(biases)
                for key, value in (("valid_bias", bias + seed / 1000), ("valid_mae", 9.0 - number + seed / 100 - step),
                                   ("valid_rmse", 12.0 - number + seed / 100))
            ]  # fmt: skip
            params = {"depth": number, "rate": (0.1, 0.2, 0.1, 0.3)[number], "seed": seed}
            client.log_batch(run_id, points, [Param(key, str(value)) for key, value in params.items()], [])
            client.set_terminated(run_id, end_time=at + 60_000)
    return ids


def swept(uri: str, artifacts: Path) -> dict[str, str]:
    """A sweep of 24 runs with long names, by name: four seeds a configuration; the loss follows the leaves."""
    import mlflow
    from mlflow.entities import Metric, Param

    client, ids = mlflow.MlflowClient(uri, uri), {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = client.create_experiment("barley yield", artifact_location=artifacts.as_uri())
    start = 1_800_000_000_000
    settings = [(leaves, rate, seed) for leaves in (8, 16, 31) for rate in ("0.05", "0.2") for seed in (1, 2, 3, 4)]
    for number, (leaves, rate, seed) in enumerate(settings):
        name, at = f"leaves-{leaves}-rate-{rate}-seed-{seed}", start + number * 60_000
        run_id = ids[name] = client.create_run(made, start_time=at, run_name=name).info.run_id
        mae = 9.0 - leaves / 10 - float(rate) + seed / 100
        points = [
            Metric(key, value * scale + 3.0 * math.exp(-step / 5), at + step, step)
            for step in range(1, 13)
            for key, value, scale in (("valid_mae", mae, 1.0), ("valid_rmse", mae, 1.4), ("valid_r2", -mae, 0.02))
        ]
        loss = "squared_error" if leaves == 8 else "absolute_error"
        params = {"max_leaf_nodes": leaves, "learning_rate": rate, "seed": seed, "loss": loss}
        client.log_batch(run_id, points, [Param(key, str(value)) for key, value in params.items()], [])
        client.set_terminated(run_id, end_time=at + 60_000)
    return ids
