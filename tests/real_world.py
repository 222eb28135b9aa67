"""An MLflow store for "Is it real?", by the real client: kept rows, seeds, folds, fresh data, files of all kinds."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mlops_dash.domain.experiments.comparability import EVALUATION_TAG
from mlops_dash.stats.ranking import auc_of_rows
from mlops_dash.tracking.experiments.runs import evaluation_digest

N, DAYS = 400, 20
SEEDS = ("1", "2", "3", "4")


@dataclass(frozen=True)
class RealWorld:
    """What `compared` made."""

    uri: str
    experiment: str
    ids: dict[str, str]  # by run name


def rows(quality: float, seed: int, *, days: int = DAYS, rename: str = "r", draw: int = 0) -> pd.DataFrame:
    """Evaluation rows: labels of their own (the same for all), a score that is the better the higher the quality."""
    rng = np.random.default_rng(99 + draw)
    label = (rng.random(N) < 0.4).astype(int)
    hard = rng.standard_normal(N)
    own = np.random.default_rng([seed, int(quality * 1000)])
    score = 1 / (1 + np.exp(-(quality * (2 * label - 1) + hard + 0.15 * own.standard_normal(N))))
    return pd.DataFrame(
        {
            "row_id": [f"{rename}{at:04d}" for at in range(N)],
            "label": label,
            "score": score,
            "day": [f"2024-01-{1 + at % days:02d}" for at in range(N)],
            "origin": np.where(np.arange(N) % 3 == 0, "EWR", "JFK"),
            "distance": rng.integers(100, 2_000, N),
        }
    )


def png(colour: int) -> bytes:
    """A small picture."""
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (8, 6), (colour, 0, 0)).save(out, "PNG")
    return out.getvalue()


def compared(uri: str, folder: Path, *, small: bool = False) -> RealWorld:
    """Configurations good and fair with kept rows; not `small`: twin of fair, bare without rows, other rows, folds."""
    import mlflow
    from mlflow.entities import Metric, Param, RunTag

    client = mlflow.MlflowClient(uri, uri)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = client.create_experiment("real", artifact_location=(folder / "artifacts").as_uri())
    ids: dict[str, str] = {}
    began = 1_700_000_000_000

    def run(name: str, params: Mapping[str, str], metrics: Mapping[str, float], tags: Mapping[str, str],
            files: Mapping[str, bytes]) -> None:  # fmt: skip
        run_id = client.create_run(made, start_time=began + 60_000 * len(ids), run_name=name).info.run_id
        ids[name] = run_id
        client.log_batch(
            run_id, [Metric(key, value, began, 0) for key, value in metrics.items()],
            [Param(key, value) for key, value in params.items()], [RunTag(key, value) for key, value in tags.items()],
        )  # fmt: skip
        for path, content in files.items():
            local = folder / "local" / path
            local.parent.mkdir(parents=True, exist_ok=True)
            local.write_bytes(content)
            client.log_artifact(run_id, str(local), path.rpartition("/")[0] or None)
        client.set_terminated(run_id, "FINISHED", end_time=began + 60_000 * len(ids))

    commit = {"mlflow.source.git.commit": "c0ffee00"}
    for name, quality in (("good", 1.2), ("fair", 0.7), ("twin", 0.701))[: 2 if small else 3]:
        for seed in SEEDS:
            kept = rows(quality, int(seed))
            run(f"{name}-{seed}", {"model": name, "seed": seed}, _metrics(kept),
                {EVALUATION_TAG: evaluation_digest(kept), "data_version": "v1", **commit},
                {"eval/predictions.parquet": _parquet(kept), **_files(name, seed)})  # fmt: skip
    if small:
        return RealWorld(uri, made, ids)
    for seed in SEEDS:
        kept = rows(1.2, 10 + int(seed))
        run(f"bare-{seed}", {"model": "bare", "seed": seed}, _metrics(kept),
            {EVALUATION_TAG: evaluation_digest(kept), "data_version": "v1", **commit}, {})  # fmt: skip
        other = rows(1.2, int(seed), rename="x")
        run(f"other-{seed}", {"model": "other", "seed": seed}, _metrics(other),
            {EVALUATION_TAG: evaluation_digest(other), "data_version": "v2", **commit}, {})  # fmt: skip
        run(f"unsaid-{seed}", {"model": "unsaid", "seed": seed}, _metrics(kept), {"data_version": "v1"}, {})
        run(f"unsaid-low-{seed}", {"model": "unsaid-low", "seed": seed},
            {"valid_auc": _metrics(kept)["valid_auc"] - 0.2 - int(seed) / 1000, "valid_size": 1.0},
            {"data_version": "v1"}, {})  # fmt: skip
    for fold in range(5):
        for name, more in (("cv-good", 0.05), ("cv-fair", 0.0)):
            auc = 0.7 + more + 0.002 * fold * (more > 0)
            run(f"{name}-{fold}", {"model": name, "fold": str(fold)}, {"valid_auc": auc},
                {EVALUATION_TAG: f"fold-{fold}", "mlops_dash.split": "kfold-5", **commit}, {})  # fmt: skip
    return RealWorld(uri, made, ids)


def _metrics(kept: pd.DataFrame) -> dict[str, float]:
    label, score = kept["label"].to_numpy(dtype=bool), kept["score"].to_numpy()
    return {
        "valid_auc": auc_of_rows(label, score),
        "valid_accuracy": float(((score >= 0.5) == label).mean()),
        "valid_size": float(len(kept)) + score[0] / 100,
    }


def _parquet(kept: pd.DataFrame) -> bytes:
    out = io.BytesIO()
    kept.to_parquet(out, index=False)
    return out.getvalue()


def _files(name: str, seed: str) -> dict[str, bytes]:
    found = {
        "notes.txt": f"first line\nseed {seed}\nlast line".encode(),
        "plots/confusion.png": png(int(seed) * 40),
        "report.json": json.dumps({"model": name, "depth": [1, 2], "same": True}).encode(),
        "importance.csv": b"feature,gain\nage,0.5\nwage,0.2\n",
        "model.pkl": b"\x80\x04",
    }
    if seed == "2":
        found |= {"plots/confusion.png": b"no picture", "report.json": b"{broken"}
    return found
