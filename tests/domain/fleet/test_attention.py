"""What needs somebody, told once and worst first."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mlops_dash.domain.fleet.attention import (
    Attention,
    FailedJob,
    OpenAlert,
    OpenProposal,
    Rank,
    StuckOperation,
    attention,
)
from mlops_dash.domain.fleet.rows import FleetRow, LateLabels
from mlops_dash.domain.words import AlertState, Health, JobState, OperationState, ProposalState, RolloutState, look

NOW = datetime(2013, 6, 3, 16, 0, tzinfo=UTC)
DAY = timedelta(days=1)
NOON_OF_MAY = datetime(2013, 5, 25, 12, 0, tzinfo=UTC)

HARMED = FleetRow(
    model="m", title="m", version="1", health=Health.HARMED, why="the harm alarm is on", headline="AUC 0.61.",
    as_of=NOW - DAY,
)  # fmt: skip
FINE = replace(HARMED, health=Health.OK, why="no harm", headline="AUC 0.66.")
ALARM = OpenAlert(
    "m", "1", "harm", "critical", AlertState.OPEN, "AUC fell", "Likely cause: temp.", NOW - 3 * DAY, "", None
)
PROPOSAL = OpenProposal("m", "3", ProposalState.OPEN, "user:scientist", "better in May", NOW - DAY)
STUCK = StuckOperation("m", "2", "promote", OperationState.DECIDED, "MLflow is away.", NOW - timedelta(minutes=5))
JOB = FailedJob("j1", "retrain", "m", "refresh", JobState.FAILED, "out of memory", NOW - DAY)


def found(
    rows: list[FleetRow] | None = None,
    alerts: list[OpenAlert] | None = None,
    proposals: list[OpenProposal] | None = None,
    operations: list[StuckOperation] | None = None,
    jobs: list[FailedJob] | None = None,
) -> tuple[Attention, ...]:
    return attention(rows or [], alerts or [], proposals or [], operations or [], jobs or [], NOW)


def test_a_fine_fleet_needs_nobody() -> None:
    assert found([FINE]) == ()


def test_harm_is_told_once_with_the_pages_sentence_and_the_alerts_cause() -> None:
    (one,) = found([HARMED], [ALARM])
    assert (one.rank, one.word) == (Rank.HARM, Health.HARMED)
    assert (one.sentence, one.cause) == ("AUC 0.61.", "Likely cause: temp.")
    assert (one.page, one.parameters, one.since) == ("monitoring", (("model", "m"),), ALARM.opened_at)


def test_moved_inputs_of_a_harmed_version_are_its_cause_and_no_notice_of_their_own() -> None:
    moved = replace(ALARM, kind="inputs", severity="notice", title="Inputs moved: temp")
    assert [one.word for one in found([HARMED], [ALARM, moved])] == [Health.HARMED]
    assert len(found([HARMED], [moved])) == 2  # without an alarm nothing else names them
    assert len(found([HARMED], [ALARM, replace(moved, version="9")])) == 2
    snoozed = replace(ALARM, state=AlertState.SNOOZED, snoozed_until=NOW + DAY)
    assert [one.word for one in found([HARMED], [snoozed, moved])] == [Health.INPUTS_MOVED]


def test_a_model_at_risk_without_an_alert_says_why() -> None:
    (one,) = found([replace(HARMED, health=Health.AT_RISK, why="AUC beyond its bound")])
    assert (one.rank, one.cause) == (Rank.RISK, "AUC beyond its bound.")


def test_an_alert_of_another_model_is_told_on_its_own() -> None:
    assert len(found([HARMED], [ALARM, replace(ALARM, model="other")])) == 2


def test_an_alert_of_a_replaced_version_is_answered_and_waits_below_everything_else() -> None:
    taken_over = replace(FINE, version="3", health=Health.NOT_KNOWN, why="no complete day of traffic yet")
    waits, unwatched, one = found([taken_over], [ALARM], [PROPOSAL])[::-1]
    assert (unwatched.rank, unwatched.sentence) == (Rank.UNWATCHED, "No complete day of traffic yet.")
    assert (waits.rank, waits.label, waits.page) == (Rank.NOTICE, "Answered", "monitoring")
    assert waits.sentence == "v1: AUC fell."
    assert "after a week of ripe days of v3 without harm" in waits.cause
    assert one.rank is Rank.DECISION


def test_where_the_new_version_is_harmed_too_there_is_one_thing_to_act_on() -> None:
    (one,) = found([replace(HARMED, version="3")], [ALARM])
    assert (one.rank, one.sentence) == (Rank.HARM, "AUC 0.61.")


def test_everything_at_once_comes_worst_first() -> None:
    rows = [
        HARMED,
        replace(HARMED, model="r", health=Health.AT_RISK),
        replace(FINE, model="s", stale="No predictions since 18 Nov."),
        replace(FINE, model="l", late=LateLabels(4, NOW - 5 * DAY, 0.1, 0.97)),
    ]
    alerts = [
        replace(ALARM, model="a", version="", kind="alias", severity="warning"),
        replace(ALARM, model="i", kind="inputs", severity="notice"),
    ]
    ranks = [one.rank for one in found(rows, alerts, [PROPOSAL], [STUCK], [JOB])]
    assert ranks == [Rank.HARM, Rank.DELIVERY, Rank.RISK, Rank.ALIAS, Rank.SILENCE, Rank.LABELS, Rank.JOB,
                     Rank.DECISION, Rank.NOTICE]  # fmt: skip


def test_within_a_rank_the_oldest_comes_first() -> None:
    young, old = replace(PROPOSAL, model="a"), replace(PROPOSAL, model="b", since=NOW - 9 * DAY)
    assert [one.model for one in found(proposals=[young, old])] == ["b", "a"]


def test_silence_counts_from_the_last_prediction() -> None:
    (one,) = found([replace(FINE, stale="No predictions since 25 May.", last_at=NOON_OF_MAY)])
    assert one.since == NOON_OF_MAY


def test_late_labels_say_how_many_there_are_and_usually_are() -> None:
    (one,) = found([replace(FINE, late=LateLabels(1, NOW - 2 * DAY, 0.1, 0.97))])
    assert one.sentence == "1 day is older than the label delay and 10 % labelled, usually 97 %."


def test_a_snoozed_alert_is_quiet_until_its_time_is_over() -> None:
    snoozed = replace(ALARM, state=AlertState.SNOOZED, snoozed_until=NOW + DAY)
    assert found([HARMED], [snoozed]) == ()
    assert snoozed.quiet(NOW)
    assert not snoozed.waits(NOW)
    over = replace(snoozed, snoozed_until=NOW)
    assert len(found([HARMED], [over])) == 1
    assert over.waits(NOW)


def test_who_took_an_alert_is_said() -> None:
    (one,) = found([HARMED], [replace(ALARM, state=AlertState.ACKNOWLEDGED, owner="user:scientist")])
    assert one.taken_by == "user:scientist"


def test_a_promotion_that_was_decided_a_moment_ago_is_no_trouble() -> None:
    assert found(operations=[replace(STUCK, decided_at=NOW)]) == ()
    (one,) = found(operations=[replace(STUCK, decided_at=NOW, state=OperationState.FAILED)])
    assert one.sentence == "The promotion of v2 failed."
    (one,) = found(operations=[STUCK])
    assert (one.sentence, one.cause) == ("The promotion of v2 is decided and not carried out.", "MLflow is away.")
    assert look(one.word).colour == "red"


@pytest.mark.parametrize(
    ("proposal", "sentence", "action"),
    [
        (PROPOSAL, "v3 waits for an approval.", "Review v3"),
        (replace(PROPOSAL, state=ProposalState.APPROVED), "v3 is approved and waits to be promoted.", "Promote v3"),
    ],
)
def test_a_proposal_links_to_the_very_version(proposal: OpenProposal, sentence: str, action: str) -> None:
    (one,) = found(proposals=[proposal])
    assert (one.sentence, one.action, one.page) == (sentence, action, "registry")
    assert dict(one.parameters) == {"model": "m", "version": "3"}


def test_a_failed_run_links_to_its_log() -> None:
    (one,) = found(jobs=[JOB])
    assert (one.sentence, one.cause) == ("Retrain refresh failed.", "out of memory")
    assert (one.page, dict(one.parameters)) == ("retraining", {"run": "j1"})


def test_moved_inputs_alone_are_blue_and_last() -> None:
    notice = replace(ALARM, kind="inputs", severity="notice", title="Inputs moved: temp")
    every = found([replace(FINE, health=Health.INPUTS_MOVED)], [notice], [PROPOSAL])
    assert look(every[-1].word).colour == "blue"
    assert every[-1].sentence == "Inputs moved: temp."


def test_a_roll_out_that_its_rule_stopped_is_called_so() -> None:
    (one,) = found(alerts=[replace(ALARM, kind="rollout", severity="warning")])
    assert (one.rank, one.word, one.label) == (Rank.RISK, RolloutState.STOPPED, "Roll-out stopped")
    assert one.page == "registry"  # where it is answered


def test_a_kind_of_alert_from_another_room_is_ranked_by_its_severity() -> None:
    (one,) = found(alerts=[replace(ALARM, kind="something new", severity="warning")])
    assert (one.rank, one.sentence) == (Rank.RISK, "AUC fell.")
