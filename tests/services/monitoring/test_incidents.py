"""What was done about an alert, in the order of its days, whoever did it, and whether it helped."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mlops_dash.domain.monitoring.incidents import Incident
from mlops_dash.services.command import Context
from mlops_dash.services.monitoring import MonitoringService
from mlops_dash.store.db import transaction
from mlops_dash.store.tables.jobs import JobRow
from mlops_dash.store.tables.monitoring import AlertRow
from mlops_dash.store.tables.registry import OperationRow, ProposalRow
from tests import factories
from tests.factories import NOON, VIEWER

MODEL = """Sally's "queue" <b>minutes</b>"""
DAY = timedelta(days=1)


@pytest.fixture
def monitoring(context: Context) -> MonitoringService:
    with transaction(context.databases.app) as session:
        session.add(factories.model_row(MODEL, task="regression"))
        session.flush()
        for number in ("1", "2"):
            session.add(factories.version_row(number, model=MODEL))
    return MonitoringService(context)


def alert(context: Context, ident: str = "a1", *, state: str = "open", answers: list[dict[str, str]] | None = None,
          kind: str = "harm", **body: object) -> None:  # fmt: skip
    closed = NOON + 9 * DAY if state == "closed" else None
    with transaction(context.databases.app) as session:
        session.add(AlertRow(
            id=ident, model=MODEL, version="1", kind=kind, severity="critical", state=state, title="MAE is 9 min worse",
            cause="", opened_at=NOON, last_seen_at=NOON, closed_at=closed, owner="", evidence_ids=[],
            body={"answers": answers or [], **body},
        ))  # fmt: skip


def done(context: Context) -> None:
    """A run that failed, one that made v2, its proposal, promotion and rollback; and a run that answers nothing."""
    with transaction(context.databases.app) as session:

        def job(ident: str, day: int, state: str, *, alert_id: str | None = "a1", **more: object) -> None:
            session.add(JobRow(
                id=ident, task="retrain", model=MODEL, recipe="weekly", arguments={}, alert_id=alert_id, due_at=NOON,
                state=state, requested_by="user:ana", created_at=NOON + day * DAY, finished_at=NOON + (day + 0.5) * DAY,
                **more,
            ))  # fmt: skip

        job("j1", 1, "failed", error="No rows in March.")
        job("j2", 2, "succeeded", result={"version": "2"})
        job("j3", 2, "succeeded", alert_id=None, result={"version": "1"})
        session.add(ProposalRow(
            id="p1", model=MODEL, version_id=f"{MODEL}-v2", state="promoted", proposer="user:ana", policy_id="x",
            gates={}, evidence_ids=[], alert_id="a1", created_at=NOON + 3 * DAY, expires_at=NOON + 30 * DAY,
            closed_at=NOON + 4 * DAY,
        ))  # fmt: skip
        session.flush()
        for ident, kind, day, start, end, proposal in (
            ("o1", "promote", 4, "1", "2", "p1"), ("o2", "rollback", 6, "2", "1", None),
        ):  # fmt: skip
            session.add(OperationRow(
                id=ident, kind=kind, model=MODEL, from_version_id=f"{MODEL}-v{start}", to_version_id=f"{MODEL}-v{end}",
                proposal_id=proposal, state="confirmed", actor="user:lee", reason="as agreed.",
                decided_at=NOON + day * DAY,
            ))  # fmt: skip


def test_runs_proposal_promotion_and_rollback_are_told_in_order(
    context: Context, monitoring: MonitoringService
) -> None:
    alert(context, answers=[
        {"who": "user:ana", "state": "acknowledged", "reason": "looking into it.", "at": (NOON + DAY / 2).isoformat()},
        {"who": "system:worker", "state": "open", "reason": "v2 is harmed too.", "at": (NOON + 5 * DAY).isoformat()},
    ], refuted=f"{MODEL}-v2")  # fmt: skip
    done(context)
    (found,) = monitoring.incidents(VIEWER, MODEL)
    assert [f"{one.who} {one.what}".strip() for one in found.deeds] == [
        "ana acknowledged it: looking into it",
        "ana started a run of weekly",
        "the run failed: No rows in March",
        "ana started a run of weekly",
        "the run made v2",
        "ana proposed v2",
        "lee promoted v2: as agreed",
        "v2 is harmed too",
        "lee rolled back to v1: as agreed",
    ]
    assert found.sentence == "What was done did not help so far."
    assert [one.at for one in found.deeds] == sorted(one.at for one in found.deeds)


def test_an_alert_that_the_new_versions_days_closed_was_helped(context: Context, monitoring: MonitoringService) -> None:
    rule = {"who": "system:worker", "state": "closed", "reason": "a week of v2 without harm",
            "at": (NOON + 9 * DAY).isoformat()}  # fmt: skip
    alert(context, state="closed", answers=[rule], superseded=True)
    done(context)
    assert monitoring.incidents(VIEWER, MODEL)[0].sentence == "What was done helped."


def test_one_that_ended_with_its_windows_was_helped_by_nobody(context: Context, monitoring: MonitoringService) -> None:
    rule = {"who": "system:worker", "state": "closed", "reason": "its windows are good again",
            "at": (NOON + 9 * DAY).isoformat()}  # fmt: skip
    alert(context, state="closed", answers=[rule])
    (found,) = monitoring.incidents(VIEWER, MODEL)
    assert (found.sentence, found.deeds[0].helped) == ("It ended by itself.", None)


def test_only_what_refers_to_an_alert_is_told_of_it_and_open_ones_come_first(
    context: Context, monitoring: MonitoringService
) -> None:
    alert(context)
    alert(context, "a2", state="closed", kind="inputs")
    done(context)
    first, second = monitoring.incidents(VIEWER, MODEL)
    assert (first.alert_id, second.alert_id, second.deeds) == ("a1", "a2", ())
    assert second.sentence == "It ended by itself."
    assert monitoring.incidents(VIEWER, "nobody's") == ()
    assert [one.alert_id for one in monitoring.incidents(VIEWER, MODEL, limit=1)] == ["a1"]


def test_a_proposal_that_was_turned_down_says_why(context: Context, monitoring: MonitoringService) -> None:
    alert(context)
    with transaction(context.databases.app) as session:
        session.add(ProposalRow(
            id="p1", model=MODEL, version_id=f"{MODEL}-v2", state="rejected", proposer="user:ana", policy_id="x",
            gates={}, evidence_ids=[], alert_id="a1", created_at=NOON, expires_at=NOON + 30 * DAY,
            closed_at=NOON + DAY, close_reason="too few days.",
        ))  # fmt: skip
    (found,) = monitoring.incidents(VIEWER, MODEL)
    assert found.deeds[-1].what == "the proposal was rejected: too few days"
    assert isinstance(found, Incident)
    assert found.as_json()["deeds"][0]["what"] == "proposed v2"
