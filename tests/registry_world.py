"""A model with a champion v1 and a challenger v2 in a real MLflow store, and evidence that lets v2 through."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from mlops_dash.clock import Clock
from mlops_dash.domain.access import Actor
from mlops_dash.domain.audit import Action, Entry, Verdict, verify
from mlops_dash.domain.evidence import Evidence
from mlops_dash.domain.policies import PolicyKind
from mlops_dash.domain.registry.records import Proposal
from mlops_dash.domain.tasks import METRICS
from mlops_dash.ids import sha256_text
from mlops_dash.services.command import Context
from mlops_dash.services.policies import PolicyService
from mlops_dash.services.registry import RegistryService
from mlops_dash.store import audit, evidence
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.prediction_log import to_us
from mlops_dash.store.tables.access import UserRow
from mlops_dash.store.tables.log import HeartbeatRow
from mlops_dash.tracking.registry import MlflowRegistry
from tests import factories
from tests.factories import ADMIN, LEAD, LEAD_TOO, NOON, SCIENTIST, VIEWER, WORKER

MODEL = "flight-delay"


@dataclass
class Hands:
    """A clock that tests turn by hand."""

    at: datetime = NOON

    def turn(self, **span: float) -> datetime:
        """Let time pass."""
        self.at += timedelta(**span)
        return self.at

    def clock(self) -> Clock:
        """A clock that shows this time."""
        return Clock(wall=lambda: self.at)


@dataclass
class World:
    """Everything a registry test holds on to."""

    context: Context
    hands: Hands
    mlflow: MlflowRegistry
    service: RegistryService
    ids: dict[str, str] = field(default_factory=dict)  # "1" -> version id

    def register(self, version: str, *, end: datetime) -> str:
        """Register and record the next version, trained on the two months before `end`."""
        registered = self.mlflow.create_version(MODEL, source=f"/nowhere/{version}", run_id="")
        assert registered.version == version
        self.ids[version] = self.service.record_version(
            WORKER,
            MODEL,
            version,
            source_uri=registered.source,
            artifact_digest=f"digest-{version}",
            training_start=end - timedelta(days=59),
            training_end=end,
            data_digest=sha256_text(version),
            recipe="refresh",
            created_by=SCIENTIST.id,
        )
        return self.ids[version]

    def proposal(self, actor: Actor = SCIENTIST, version: str = "2") -> Proposal:
        """A fresh proposal of a version."""
        return self.service.propose(actor, self.ids[version], comment="better in May")

    def approved(self, actor: Actor = LEAD, version: str = "2") -> Proposal:
        """A proposal that a lead approved."""
        made = self.proposal(version=version)
        return self.service.approve(actor, made.id, made.revision, comment="fine")

    def promoted(self, version: str = "2") -> str:
        """Promote a version all the way; gives the operation."""
        made = self.approved(version=version)
        operation = self.service.begin_promotion(LEAD, made.id, made.revision, "now")
        self.service.finish_promotion(LEAD, operation)
        return operation

    def measured(self, version: str, against: str | None, **changes: object) -> None:
        """Evidence that lets a version through all gates; `changes` go to the primary difference."""
        found = evidence_for(
            self.ids[version], version, against and self.ids[against], against, self.hands.at, **changes
        )
        with transaction(self.context.databases.app) as session:
            evidence.put(session, found)

    def beat(self, version: str, *, process: str = "gateway-1", epoch: int = 1, error: str = "") -> None:
        """A gateway says what it serves."""
        row = HeartbeatRow(
            process=process,
            model=MODEL,
            version_id=self.ids[version],
            epoch=epoch,
            at_us=to_us(self.hands.at),
            error=error,
        )
        with transaction(self.context.databases.log) as session:
            session.merge(row)

    def ledger(self) -> list[Entry]:
        """All entries, oldest first."""
        with reading(self.context.databases.app) as session:
            return list(audit.entries(session))

    def actions(self) -> list[Action]:
        """What was decided, oldest first."""
        return [entry.action for entry in self.ledger()]

    def verified(self) -> Verdict:
        """Whether the ledger hangs together."""
        anchor = audit.read_anchor(self.context.anchor_path, key=self.context.settings.ledger_key)
        return verify(self.context.settings.ledger_key, self.ledger(), [anchor] if anchor else [])


def evidence_for(
    version_id: str, version: str, champion_id: str | None, champion: str | None, at: datetime, **changes: object
) -> list[Evidence]:
    """The five evidences that the gates ask for."""
    base = Evidence(
        kind="metric",
        subject=f"{MODEL} v{version}",
        comparator="",
        metric="auc",
        direction=str(METRICS["auc"].direction),
        value=0.72,
        low=0.70,
        high=0.74,
        level=0.95,
        n=27_004,
        n_clusters=31,
        method="jackknife over days",
        bound="days resampled",
        window_start=at - timedelta(days=31),
        window_end=at,
        digests={"candidate": version_id},
        code_version="0",
        computed_at=at,
    )
    found = [
        base,
        replace(base, kind="check", metric="signature", value=1.0, low=None, high=None, n=1, reason="same inputs"),
        replace(
            base, kind="check", metric="input_example", value=1.0, low=None, high=None, n=1, reason="5 rows scored"
        ),
    ]
    if champion_id is not None:
        digests = {"candidate": version_id, "champion": champion_id}
        paired = replace(base, kind="paired_difference", comparator=f"{MODEL} v{champion}", digests=digests)
        spans = {"base_rate_free_loss": (-0.030, -0.012), "brier": (-0.004, 0.001), "auc": (0.01, 0.04)}
        for metric, (low, high) in spans.items():
            one = replace(paired, metric=metric, direction=str(METRICS[metric].direction), low=low, high=high)
            own = {"base_rate_free_loss": 0.47, "brier": 0.153, "auc": 0.695}[metric]
            value = (low + high) / 2
            one = replace(one, value=value, details={"candidate": own + value, "champion": own})
            found.append(replace(one, **changes) if metric == "base_rate_free_loss" else one)  # type: ignore[arg-type]
    return found


def world(home: Path, mlflow_uri: str, *, champion: bool = True) -> World:
    """v1 serves (promoted through its gates) and v2 is registered and measured against it."""
    hands = Hands()
    context = factories.context(home, clock=hands.clock(), mlflow_uri=mlflow_uri)
    with transaction(context.databases.app) as session:
        for actor in (VIEWER, SCIENTIST, LEAD, LEAD_TOO, ADMIN):
            session.add(UserRow(id=actor.id, name=actor.name, role=str(actor.role), created_at=NOON))
    return furnish(context, hands, champion=champion)


def furnish(context: Context, hands: Hands, *, champion: bool = True) -> World:
    """The same in a context that is there already, with its people."""
    made = World(context, hands, context.registry, RegistryService(context))
    made.service.add_model(SCIENTIST, MODEL, owner="scientist", reason="first model of the team")
    policies = PolicyService(context)
    policy = policies.propose(LEAD, MODEL, PolicyKind.PROMOTION, {}, reason="first policy")
    policies.activate(ADMIN, policy.id, reason="agreed")
    made.register("1", end=hands.at - timedelta(days=30))
    made.register("2", end=hands.at)
    if champion:
        made.measured("1", None)
        made.promoted("1")
        hands.turn(seconds=1)
        made.beat("1")
        made.service.reconcile(WORKER)
        hands.turn(days=1)
        made.measured("2", "1")
    return made


def story(context: Context, hands: Hands) -> World:
    """A month of decisions: v1 serves, v2 was promoted and rolled back, v3 is proposed and waits."""
    hands.at = NOON - timedelta(days=40)
    made = furnish(context, hands)
    hands.turn(days=3)
    made.promoted("2")
    hands.turn(seconds=9)
    made.beat("2")
    made.service.reconcile(WORKER)
    hands.turn(days=7)
    reason = "Brier score against v1 in its first week: +0.022 [+0.015, +0.029]"
    made.service.finish_promotion(LEAD, made.service.begin_rollback(LEAD, MODEL, reason))
    hands.turn(seconds=9)
    made.beat("1")
    made.service.reconcile(WORKER)
    hands.at = NOON - timedelta(hours=6)
    made.register("3", end=NOON - timedelta(days=31))
    made.measured("3", "1")
    comment = "Trained on everything before May, judged on the flights of May."
    made.service.propose(SCIENTIST, made.ids["3"], comment=comment)
    hands.at = NOON
    made.beat("1")
    made.service.reconcile(WORKER)
    return made
