"""The auditor's pack: every change of a stranger's model with what it rested on; what is unexplained is said."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import text

from mlops_dash.domain.audit import Filter
from mlops_dash.domain.registry.guards import Calls
from mlops_dash.domain.registry.rollouts import Stage
from mlops_dash.errors import InvalidInput, NotFound
from mlops_dash.services.audit import AuditService
from mlops_dash.store import prediction_log, rollouts
from mlops_dash.store.db import transaction
from mlops_dash.store.prediction_log import Prediction, Score, to_us
from mlops_dash.tracking.models.trust import artifact_digest
from tests.factories import ADMIN, LEAD, NOON, SCIENTIST, VIEWER, WORKER
from tests.version_world import NAME, VersionWorld, world

WHY = "=1+1 | <b>the kiosk's</b> old one is broken"


@pytest.fixture
def house(tmp_path: Path, mlflow_uri: str) -> Iterator[VersionWorld]:
    made = world(tmp_path, mlflow_uri)
    made.hands.turn(days=1)
    _promote_by_overrides(made)
    yield made
    made.context.databases.dispose()


def _promote_by_overrides(house: VersionWorld) -> None:
    service = house.service
    made = service.propose(SCIENTIST, house.ids["2"], comment=WHY)
    for gate in service.room(LEAD, NAME, "2").gates:
        for who in (LEAD, ADMIN):
            if not gate.opens:
                made = service.override_gate(who, made.id, made.revision, gate=gate.name, reason="a trial", days=3)
    made = service.approve(LEAD, made.id, made.revision, comment="fine")
    service.finish_promotion(LEAD, service.begin_promotion(LEAD, made.id, made.revision, WHY))


def packed(house: VersionWorld, **wanted: Any) -> dict[str, bytes]:
    first, last = NOON.date(), (NOON + timedelta(days=30)).date()
    content = AuditService(house.context).pack(VIEWER, **{"first": first, "last": last, **wanted})
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return {name: file.read(name) for name in file.namelist()}


def test_every_change_is_told_with_gates_approvals_overrides_and_entries(house: VersionWorld) -> None:
    files = packed(house)
    adopted, promoted = json.loads(files["changes.json"])
    assert (adopted["kind"], adopted["version"], adopted["proposal"]) == ("adopt", f"{NAME} v1", None)
    assert (promoted["kind"], promoted["replaced"], promoted["reason"]) == ("promote", "v1", WHY)
    assert set(promoted["gates"].values()) == {"overridden"}
    assert {(one["approver"], one["kind"]) for one in promoted["approvals"]} == {
        (LEAD.id, "approve"), (LEAD.id, "override"), (ADMIN.id, "override"),
    }  # fmt: skip
    assert promoted["proposal"]["proposer"] == SCIENTIST.id
    ledger = json.loads(files["ledger.json"])
    numbers = {one["number"]: one["action"] for one in ledger}
    assert numbers[promoted["ledger"]["decided"]] == "promotion.decided"
    assert numbers[promoted["ledger"]["finished"]] == "promotion.finished"
    assert {f"evidence/{key}.json" for key in promoted["evidence"]} <= set(files)
    found = json.loads(files["reconciliation.json"])
    assert found["sentence"] == "Changes of what is live 2, in the ledger 2, unexplained 0."
    sums = dict(reversed(line.split("  ")) for line in files["SHA256SUMS"].decode().splitlines())
    assert sums == {name: hashlib.sha256(text).hexdigest() for name, text in files.items() if name != "SHA256SUMS"}


def test_what_was_attached_to_a_proposal_is_in_the_pack_byte_for_byte(house: VersionWorld) -> None:
    service = house.service
    proposal = json.loads(packed(house)["changes.json"])[1]["proposal"]["id"]
    odd, told = "`x` <b>.exe.PDF", b"%PDF-1.4 fair in all groups"
    service.comment(SCIENTIST, proposal, "the audit of the groups", files=[(odd, told), ("none", b"x")])
    files = packed(house)
    [one] = json.loads(files["changes.json"])[1]["thread"]
    assert (one["by"], one["text"]) == (SCIENTIST.id, "the audit of the groups")
    by_name = {file["name"]: file for file in one["files"]}
    path = by_name[odd]["file"]
    assert path == f"attachments/{hashlib.sha256(told).hexdigest()}.pdf"
    assert files[path] == told
    assert files[by_name["none"]["file"]] == b"x"
    assert path in files["SHA256SUMS"].decode()
    assert "Attached by scientist" in files["README.md"].decode()
    assert "<b>" not in files["README.md"].decode().replace("\\<", "")

    with transaction(house.context.databases.app) as session:  # somebody changes it behind us
        session.execute(text("UPDATE proposal_attachment SET content = :other WHERE name = 'none'"), {"other": b"y"})
    files = packed(house)
    [one] = json.loads(files["changes.json"])[1]["thread"]
    assert {file["name"]: bool(file["file"]) for file in one["files"]}["none"] is False
    assert "not what was attached" in files["README.md"].decode()
    assert b"y" not in files.values()


def test_the_same_days_give_the_same_bytes_and_other_days_none_of_it(house: VersionWorld) -> None:
    assert packed(house) == packed(house)
    later = (NOON + timedelta(days=10)).date()
    empty = packed(house, first=later)
    assert json.loads(empty["changes.json"]) == []
    assert json.loads(empty["reconciliation.json"])["in_mlflow"] == 0


def test_a_move_of_somebody_else_is_unexplained_until_it_is_answered(house: VersionWorld) -> None:
    house.hands.turn(days=1)
    house.context.registry.set_alias(NAME, "champion", "1")
    house.service.reconcile(WORKER)
    found = json.loads(packed(house)["reconciliation.json"])
    assert (found["in_mlflow"], found["in_ledger"], len(found["unexplained"])) == (3, 3, 1)
    assert "nobody answered" in found["unexplained"][0]
    operation = house.service.restore_alias(LEAD, NAME, reason="back")
    house.service.finish_promotion(LEAD, operation)
    found = json.loads(packed(house)["reconciliation.json"])
    assert found["sentence"] == "Changes of what is live 4, in the ledger 4, unexplained 0."


def test_foreign_words_are_no_markup_and_no_formula(house: VersionWorld) -> None:
    files = packed(house)
    text = files["README.md"].decode()
    assert "<b>" not in text.replace("\\<", "")
    assert "\\| \\<b\\>the kiosk's" in text
    assert '"=1+1' not in files["ledger.csv"].decode("utf-8-sig")
    told = [one["sentence"] for one in json.loads(files["ledger.json"])]
    assert f"lead promoted {NAME} v2 in place of v1, 4 gates overridden" in told


def test_bad_days_and_unknown_models_are_named(house: VersionWorld) -> None:
    with pytest.raises(InvalidInput, match="is before"):
        packed(house, last=(NOON - timedelta(days=40)).date())
    with pytest.raises(NotFound, match="No model nobody"):
        packed(house, model="nobody")
    assert json.loads(packed(house, model=NAME)["changes.json"])


def test_an_export_has_what_the_filter_lets_through_oldest_first(house: VersionWorld) -> None:
    audit = AuditService(house.context)
    found = json.loads(audit.export(VIEWER, Filter(actor=LEAD.id, model=NAME), kind="json"))
    assert {one["who"] for one in found} == {"lead"}
    assert [one["number"] for one in found] == sorted(one["number"] for one in found)
    lines = audit.export(VIEWER, Filter(action="promotion.decided")).decode("utf-8-sig").splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("number,at,recorded_at_wall,who,action")
    with pytest.raises(InvalidInput, match="xlsx"):
        audit.export(VIEWER, kind="xlsx")


def test_a_change_that_came_in_stages_is_told_with_all_that_a_plain_one_is(house: VersionWorld) -> None:
    house.hands.turn(days=1)
    version = house.register("3")
    for name, value in (("2", 6.0), ("3", 4.0)):
        house.measured(name, value)
    service = house.service
    made = service.propose(SCIENTIST, version, comment=WHY, stages=(Stage(0.1, minutes=60),))
    for gate in service.room(LEAD, NAME, "3").gates:
        for who in (LEAD, ADMIN):
            if not gate.opens:
                made = service.override_gate(who, made.id, made.revision, gate=gate.name, reason="a trial", days=3)
    made = service.approve(LEAD, made.id, made.revision, comment="fine")
    begun = service.begin_rollout(LEAD, made.id, made.revision, WHY)
    rolled(house, begun.id, version)
    house.hands.turn(minutes=61)
    for _ in range(2):
        service.watch_rollouts(WORKER)
        service.reconcile(WORKER)
    files = packed(house)
    plain, staged = json.loads(files["changes.json"])[-2:]
    assert (staged["version"], staged["decided_by"]) == (f"{NAME} v3", LEAD.id)
    assert staged.keys() == plain.keys()
    assert staged["gates"].keys() == plain["gates"].keys() != set()
    assert staged["artifact"] == artifact_digest(house.folder("3"))
    assert {f"evidence/{key}.json" for key in staged["evidence"]} <= set(files)
    decided = next(
        one for one in json.loads(files["ledger.json"]) if one["number"] == staged["ledger"]["decided"]
    )  # fmt: skip
    assert (decided["action"], decided["after"]["approved_by"]) == ("rollout.advanced", [LEAD.id])
    assert decided["after"]["operation"]


def rolled(house: VersionWorld, rollout_id: str, version: str) -> None:
    """A gateway asks the new version 2,000 times; one row is kept."""
    at = to_us(house.hands.at)
    with transaction(house.context.databases.log) as log:
        rollouts.put_pulse(log, rollout_id, "gateway", Calls(2_000, 0, {3: 2_000}, {3: 2_000}), at=house.hands.at)
        asked = [Prediction(NAME, "visit-1", at, "b", 0, "", "{}")]
        prediction_log.append(
            log, asked, [Score(NAME, "visit-1", version, "arm", "3", at, 7.5, at, None)], marked_us=at
        )
