"""A stranger's regression with quotes in its name: versions with files, runs and packages in a real MLflow store."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from mlops_dash.domain.evidence import Evidence
from mlops_dash.domain.tasks import METRICS
from mlops_dash.services.command import Context
from mlops_dash.services.registry import RegistryService
from mlops_dash.store import evidence
from mlops_dash.store.db import transaction
from mlops_dash.store.tables.access import UserRow
from mlops_dash.tracking.models.trust import artifact_digest
from tests import factories
from tests.factories import ADMIN, LEAD, LEAD_TOO, NOON, SCIENTIST, VIEWER, WORKER
from tests.registry_world import Hands

NAME = """it's the "queue" model"""
SIGNATURE = {
    "inputs": json.dumps(
        [
            {"type": "long", "name": "waiting", "required": True},
            {"type": "string", "name": 'the "lane"', "required": False},
        ]
    ),
    "outputs": json.dumps([{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}}]),
}


@dataclass
class VersionWorld:
    """What a test of versions holds on to."""

    context: Context
    hands: Hands
    service: RegistryService
    home: Path
    ids: dict[str, str] = field(default_factory=dict)
    runs: dict[str, str] = field(default_factory=dict)

    def folder(self, version: str) -> Path:
        """Where the files of a version are."""
        return self.home / "files" / version / "model"

    def register(self, version: str, *, numpy: str = "2.0", signature: bool = True, run: bool = True) -> str:
        """Write a version's files, its run, and register it."""
        folder = self.folder(version)
        (folder / "metadata").mkdir(parents=True)
        said: dict[str, Any] = {"flavors": {"sklearn": {}, "python_function": {}}, "mlflow_version": "3.1.0"}
        (folder / "MLmodel").write_text(json.dumps({**said, **({"signature": SIGNATURE} if signature else {})}))
        (folder / "requirements.txt").write_text(f"numpy=={numpy}\nscikit-learn==1.7.2\n")
        (folder / "python_env.yaml").write_text("python: 3.11.9\n")
        (folder / "metadata" / "weights.bin").write_bytes(b"weights " * 40 + version.encode())
        run_id = self._run(version) if run else ""
        made = self.context.registry.create_version(
            NAME, source=str(folder), run_id=run_id, tags={"team": "kiosk"}, description=f"the {version}. of them"
        )
        self.ids[version] = self.service.record_version(
            WORKER, NAME, made.version, run_id=run_id, source_uri=str(folder), artifact_digest=artifact_digest(folder),
            data_digest="d" * 64, recipe="weekly", created_by=SCIENTIST.id,
        )  # fmt: skip
        return self.ids[version]

    def measured(self, version: str, value: float, *, days: int = 31) -> None:
        """A version's own mean absolute error, in minutes."""
        at = self.hands.at
        one = Evidence(
            kind="metric",
            subject=f"{NAME} v{version}",
            comparator="",
            metric="mae",
            direction=str(METRICS["mae"].direction),
            value=value,
            low=value - 0.5,
            high=value + 0.5,
            level=0.95,
            n=4_000,
            n_clusters=days,
            method="jackknife over days",
            bound="days resampled",
            window_start=at - timedelta(days=days),
            window_end=at,
            digests={"candidate": self.ids[version]},
            code_version="0",
            computed_at=at,
        )
        with transaction(self.context.databases.app) as session:
            evidence.put(session, [one])

    def live(self, version: str) -> None:
        """The alias decides while there is no policy: the worker adopts where it points."""
        self.context.registry.set_alias(NAME, "champion", version)
        self.service.reconcile(WORKER)

    def _run(self, version: str) -> str:
        from mlflow import MlflowClient
        from mlflow.entities import Dataset, DatasetInput, InputTag

        client = MlflowClient(self.context.registry.uri, self.context.registry.uri)
        experiment = client.get_experiment_by_name("kiosk")
        made = client.create_experiment("kiosk", artifact_location=str(self.home)) if experiment is None else None
        tags = {"mlflow.source.git.commit": "c0ffee" + version, "mlflow.source.git.branch": "main",
                "mlops_dash.git_dirty": "true", "mlflow.source.name": "train.py", "mlflow.user": "ann"}  # fmt: skip
        run = client.create_run(made or experiment.experiment_id, run_name=f"night {version}", tags=tags)
        client.log_param(run.info.run_id, "depth", version)
        rows = Dataset("visits", f"digest{version}", "local", "{}")
        client.log_inputs(run.info.run_id, [DatasetInput(rows, [InputTag("mlflow.data.context", "training")])])
        client.set_terminated(run.info.run_id, "FINISHED")
        self.runs[version] = run.info.run_id
        return str(run.info.run_id)


def people(context: Context) -> None:
    """The people who act, so that commands find them."""
    with transaction(context.databases.app) as session:
        for actor in (VIEWER, SCIENTIST, LEAD, LEAD_TOO, ADMIN):
            session.add(UserRow(id=actor.id, name=actor.name, role=str(actor.role), created_at=NOON))


def world(home: Path, mlflow_uri: str) -> VersionWorld:
    """v1 and v2 with files; v1 is live by its alias."""
    hands = Hands()
    context = factories.context(home, clock=hands.clock(), mlflow_uri=mlflow_uri)
    people(context)
    return furnished(context, hands, home)


def furnished(context: Context, hands: Hands, home: Path) -> VersionWorld:
    """The same in a home that is there."""
    made = VersionWorld(context, hands, RegistryService(context), home)
    made.service.add_model(SCIENTIST, NAME, task="regression", owner="ann", reason="the kiosk's")
    made.register("1")
    made.register("2", numpy="2.1")
    made.live("1")
    return made
