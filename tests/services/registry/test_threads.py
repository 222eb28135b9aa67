"""A proposal's thread: in the ledger, in the queue of whom it names, in the dossier; files stay what they were."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from mlops_dash.domain.audit import Action
from mlops_dash.errors import Conflict, InvalidInput, NotAllowed, NotFound
from mlops_dash.rendering import reports as rendering
from mlops_dash.services.access import AccessService
from mlops_dash.services.reports import ReportService
from mlops_dash.store.db import transaction
from mlops_dash.store.tables.threads import AttachmentRow
from tests import registry_world
from tests.factories import LEAD, LEAD_TOO, SCIENTIST, VIEWER
from tests.registry_world import MODEL, World

ODD = 'it\'s <script>alert("x")</script> & **bold**'


@pytest.fixture
def house(tmp_path: Path, mlflow_uri: str) -> Iterator[World]:
    made = registry_world.world(tmp_path, mlflow_uri)
    yield made
    made.context.databases.dispose()


def named(house: World, actor: object) -> list[str]:
    waiting = AccessService(house.context).waiting(actor)  # type: ignore[arg-type]
    return [one.why for one in waiting if one.icon == "alternate_email"]


def test_a_comment_is_in_the_ledger_and_waits_for_whom_it_names(house: World) -> None:
    made = house.proposal()
    said = f"@{LEAD.name} {ODD}"
    comment = house.service.comment(SCIENTIST, made.id, said, files=[("plot.png", b"\x89PNG")])
    assert comment.mentions == (LEAD.id,)
    entry = house.ledger()[-1]
    assert (entry.action, entry.reason) == (Action.COMMENT_WRITTEN, said)
    assert entry.after["files"] == {"plot.png": hashlib.sha256(b"\x89PNG").hexdigest()}
    assert house.service.thread(VIEWER, made.id) == (comment,)
    assert house.service.room(VIEWER, MODEL, "2").comments == (comment,)

    assert named(house, LEAD) == [f"scientist: {said}"]
    assert named(house, LEAD_TOO) == []
    house.hands.turn(minutes=1)
    house.service.comment(LEAD, made.id, "seen")
    assert named(house, LEAD) == []
    house.hands.turn(minutes=1)
    house.service.comment(SCIENTIST, made.id, f"once more, @{LEAD.name}")
    assert len(named(house, LEAD)) == 1
    house.hands.turn(days=15)
    assert named(house, LEAD) == []
    assert house.verified().ok


def test_a_closed_proposal_may_be_talked_about_and_nothing_is_decided_by_it(house: World) -> None:
    made = house.approved()
    before = house.service.room(LEAD, MODEL, "2").approvals_counted
    house.service.comment(SCIENTIST, made.id, "one more thing")
    assert house.service.room(LEAD, MODEL, "2").approvals_counted == before == 1
    house.service.withdraw(SCIENTIST, made.id, made.revision, comment="later")
    house.service.comment(LEAD, made.id, "why?")
    assert [one.text for one in house.service.thread(VIEWER, made.id)] == ["one more thing", "why?"]


def test_who_may_not_and_what_cannot_be_is_refused_and_leaves_nothing(house: World) -> None:
    made = house.proposal()
    entries = len(house.ledger())
    with pytest.raises(NotAllowed):
        house.service.comment(VIEWER, made.id, "hello")
    with pytest.raises(NotFound):
        house.service.comment(SCIENTIST, "nobody's", "hello")
    for text, files in (("", []), ("x", [("empty.txt", b"")]), ("x", [("large.bin", b"x" * 1_048_577)])):
        with pytest.raises(InvalidInput):
            house.service.comment(SCIENTIST, made.id, text, files=files)
    assert (len(house.ledger()), house.service.thread(VIEWER, made.id)) == (entries, ())


def test_a_file_is_what_was_attached_or_is_not_given(house: World) -> None:
    made = house.proposal()
    comment = house.service.comment(SCIENTIST, made.id, "the plot", files=[("plot.png", b"one"), ("b.csv", b"a,b")])
    [first, second] = comment.attachments
    assert house.service.attachment(VIEWER, first.id) == (first, b"one")
    with transaction(house.context.databases.app) as session:
        session.get_one(AttachmentRow, second.id).content = b"a,c"
    with pytest.raises(Conflict, match="not what was attached"):
        house.service.attachment(VIEWER, second.id)
    with pytest.raises(NotFound):
        house.service.attachment(VIEWER, "<b>")


def test_the_dossier_holds_the_thread_and_the_digests_escaped(house: World) -> None:
    made = house.proposal()
    reports = ReportService(house.context)
    assert "comments" not in reports.promotion(VIEWER, MODEL, "2").facts
    comment = house.service.comment(SCIENTIST, made.id, ODD, files=[("pl<b>ot.png", b"one")])
    facts = reports.promotion(VIEWER, MODEL, "2").facts
    assert facts["comments"][0]["text"] == ODD
    assert facts["comments"][0]["files"][0]["sha256"] == comment.attachments[0].sha256
    shown = rendering.document(facts)
    assert "Discussion" in [one["title"] for one in shown.sections]
    page = rendering.html(facts)
    assert "<script>alert" not in page
    assert comment.attachments[0].sha256 in page


def test_two_weeks_later_a_mention_is_let_go(house: World) -> None:
    made = house.proposal()
    house.service.comment(SCIENTIST, made.id, f"@{LEAD.name}")
    due = [one.deadline for one in AccessService(house.context).waiting(LEAD) if one.icon == "alternate_email"]
    assert due == [house.hands.at + timedelta(days=14)]
