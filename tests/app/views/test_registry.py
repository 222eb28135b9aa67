"""The Registry page: one truth on every part of it, every button acts or says why not, and its faces."""

from __future__ import annotations

import html
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from app.parts.registry import champions
from app.shell import session
from app.ui import live
from app.ui.text import plain
from mlops_dash import bootstrap
from mlops_dash.bootstrap import Services
from mlops_dash.clock import wall_now
from mlops_dash.domain.access import NOBODY, Actor, Role
from mlops_dash.domain.audit import Action
from mlops_dash.domain.registry.card import FIELDS
from mlops_dash.domain.words import OperationState, ProposalState
from mlops_dash.settings import from_environment
from mlops_dash.store import registry as store
from mlops_dash.store import world
from mlops_dash.store.db import transaction
from mlops_dash.store.tables.monitoring import AlertRow
from tests.app.conftest import OpenPage, words
from tests.factories import ADMIN, LEAD, NOON, SCIENTIST, VIEWER, WORKER
from tests.registry_world import MODEL, Hands, World, furnish, story


@pytest.fixture(scope="module")
def told_once(
    tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path, migrated_home: Path
) -> tuple[Path, dict[str, str]]:
    """A home where the story was told: some seconds, so it is told once and copied."""
    home = tmp_path_factory.mktemp("told")
    shutil.copytree(migrated_home, home, dirs_exist_ok=True)
    shutil.copyfile(mlflow_template, home / "mlflow.db")
    settings = from_environment({"MLOPS_DASH_HOME": str(home), "MLFLOW_TRACKING_URI": f"sqlite:///{home}/mlflow.db"})
    hands = Hands()
    services = bootstrap.build(settings, clock=hands.clock())
    ids = story(services.context, hands).ids
    services.close()
    return home, ids


@pytest.fixture
def told(told_once: tuple[Path, dict[str, str]], house: Services, tmp_path: Path) -> World:
    """A month of decisions; v3 is proposed and waits."""
    home, ids = told_once
    house.context.databases.dispose()
    shutil.copytree(home, tmp_path, dirs_exist_ok=True)  # the ledger's key is the same: both are from migrated_home
    with transaction(house.context.databases.app) as session:
        world.put(session, world.CLOCK_OFFSET, (NOON - wall_now() + timedelta(seconds=1)).total_seconds())
    house.context.registry.uri = f"sqlite:///{tmp_path}/mlflow.db"
    return World(house.context, Hands(), house.context.registry, house.registry, dict(ids))


def click(page: AppTest, key: str) -> AppTest:
    return page.button(key=key).click().run()


def decide(page: AppTest, opens: str, key: str, reason: str) -> AppTest:
    """Open a dialog, give the reason, act."""
    page = click(page, opens)
    assert page.get("dialog")
    page.text_area(key=f"{key}-reason").set_value(reason)
    return click(page, f"{key}-act")


def room(told: World, actor: Actor = LEAD, version: str = "3"):  # type: ignore[no-untyped-def]
    return told.service.room(actor, MODEL, version)


def test_no_model_says_how_to_get_one(house: Services, open_page: OpenPage) -> None:
    page = open_page("registry", "viewer")
    assert "No model is here yet" in words(page)
    assert not page.exception


def test_a_model_that_others_serve_is_decided_here_and_nothing_is_moved(house: Services, open_page: OpenPage) -> None:
    name = 'it\'s "theirs"'
    house.registry.add_model(ADMIN, name, source="external", task="regression", reason="test")
    assert "Send its rows on the page Files." in words(open_page("registry", "viewer"))
    first, second = (house.registry.record_version(SCIENTIST, name, number, note="test") for number in ("1", "2"))
    house.registry.serve_elsewhere(SCIENTIST, first, reason="answers in their service")
    page = open_page("registry", "scientist", model=name, version="2")
    assert not page.exception
    said = words(page)
    assert "decisions are made and kept here" in said
    assert "champion v1 since" in said
    assert "Alias" not in said.split("Timeline")[0].replace("Aliases", "")
    page = decide(page, "propose", f"propose-{second}", "better in their trial")
    assert not page.exception
    assert house.registry.open_proposal(SCIENTIST, name).version_id == second


def test_pushed_rows_are_compared_with_the_champions_by_a_click(house: Services, open_page: OpenPage) -> None:
    name = 'it\'s "theirs"'
    house.registry.add_model(ADMIN, name, source="external", task="regression", reason="test")
    first, second = (house.registry.record_version(SCIENTIST, name, number) for number in ("1", "2"))
    house.registry.serve_elsewhere(SCIENTIST, first, reason="answers in their service")
    page = open_page("registry", "scientist", model=name, version="2")
    assert page.button(key="compare").disabled
    assert "No rows of v2 were pushed" in page.button(key="compare").help
    rng = np.random.default_rng(3)
    took = rng.normal(30, 8, 2_400)
    for version, error in ((first, 6.0), (second, 2.0)):
        rows = pd.DataFrame({"id": [f"{at:04d}" for at in range(2_400)], "label": took})
        said = rows.assign(score=took + rng.normal(0, error, 2_400))
        house.evidence.push(SCIENTIST, version, said, source="a file")
    page = click(open_page("registry", "scientist", model=name, version="2"), "compare")
    assert not page.exception
    assert "v2 against v1" in words(page)
    assert "v2 is through all gates" in words(page)
    assert "Same 2,400 rows; 95 % intervals" in words(page)  # no time was named, so no days
    assert "on 2,400 days" not in words(page)
    assert {one.kind for one in house.evidence.about(SCIENTIST, second)} == {"metric", "paired_difference"}
    assert open_page("registry", "viewer", model=name, version="2").button(key="compare").disabled


def test_files_are_checked_by_a_click_also_of_a_version_that_a_plain_client_registered(
    house: Services, told: World, open_page: OpenPage
) -> None:
    fresh = house.registry.record_version(SCIENTIST, MODEL, "4", source_uri=f"models:/{MODEL}/4")
    page = open_page("registry", "scientist", version="4")
    assert f"mlops-dash evidence check --model {MODEL} --version 4" in words(page)
    page = click(page, "check")
    assert not page.exception
    checks = [one for one in house.evidence.about(SCIENTIST, fresh) if one.kind == "check"]
    assert {one.metric: one.value for one in checks} == {"signature": None, "input_example": None}  # MLflow is away
    assert "Not checked yet" not in words(page)
    assert open_page("registry", "viewer", version="3").button(key="check").disabled


def test_the_page_opens_on_the_model_that_waits_for_this_person_and_stays_there(
    house: Services, told: World, open_page: OpenPage
) -> None:
    house.registry.add_model(SCIENTIST, "another", reason="first by name")
    assert "another" in words(open_page("registry", "viewer"))  # nothing waits for a viewer
    page = open_page("registry", "lead")
    assert f"{MODEL} · " in words(page)
    asked = room(told).proposal
    assert f"{MODEL} · " in words(decide(page, "reject", f"reject-{asked.id}-{asked.revision}", "not now"))


def test_the_champions_health_on_live_traffic_stands_beside_its_gates(told: World, open_page: OpenPage) -> None:
    said = words(open_page("registry", "viewer", model=MODEL))
    assert "in production: nothing judged yet." in said


def test_a_model_without_versions_says_where_to_train_one(house: Services, open_page: OpenPage) -> None:
    house.registry.add_model(SCIENTIST, MODEL)
    page = open_page("registry", "viewer")
    assert "No version is recorded yet" in words(page)
    assert "nothing is approved to serve" in words(page)


def test_the_page_shows_versions_gates_with_intervals_and_the_proposal(told: World, open_page: OpenPage) -> None:
    page = open_page("registry", "lead")
    table = page.dataframe[0].value
    assert list(table["Version"]) == ["v3", "v2", "v1"]
    assert [list(one) for one in table["Marks"]] == [["proposed"], ["rolled back"], ["champion"]]
    assert list(table["Gates"]) == ["4 of 4", "4 of 4", "3 of 3"]
    said = words(page)
    assert "flight-delay · 3 versions · champion v1" in said
    assert "−0.021 [−0.030, −0.012], limit &lt; 0, 27,004 rows on 31 days" in said
    assert "0.720 [0.700, 0.740], limit ≥ 0.600" in said
    assert "v3 waits for 1 approval; it has 0 of 1." in said
    assert "0 of 1; waiting for Admin or Lead" in said
    assert "Rolled back from v2 to v1" in said
    assert not page.exception


def test_everything_on_the_screen_names_the_same_version_and_files(told: World, open_page: OpenPage) -> None:
    told.service.approve(LEAD, room(told).proposal.id, room(told).proposal.revision, comment="fine")
    page = click(open_page("registry", "lead"), "promote")
    said = words(page)
    assert page.get("dialog")[0].proto.dialog.title == "Promote v3 to champion"
    assert "**flight-delay v3** replaces **v1** for all traffic" in said
    assert said.count("digest-3") == 2  # in the dialog and in the lineage
    assert "1 of 1 (Lead)" in said
    assert "0.720" in said
    assert "Answers" not in said  # no alert is open


def test_the_promote_dialog_names_the_open_alerts_that_it_answers(told: World, open_page: OpenPage) -> None:
    with transaction(told.context.databases.app) as session:
        for version, title in (("1", "MAE of <b>v1</b> too high"), ("2", "of v2, replaced long ago")):
            session.add(
                AlertRow(id=version, model=MODEL, version=version, kind="harm", state="open", title=title,
                         opened_at=NOON, last_seen_at=NOON, evidence_ids=[], body={})
            )  # fmt: skip
    told.service.approve(LEAD, room(told).proposal.id, room(told).proposal.revision, comment="fine")
    page = click(open_page("registry", "lead"), "promote")
    said = words(page)
    assert "MAE of &lt;b&gt;v1&lt;/b&gt; too high" in said
    assert "of v2, replaced" not in said
    assert "they close after a week of ripe days of v3 without harm, and come back if those are harmful too" in said
    asked = room(told).proposal
    page.text_area(key=f"promote-{asked.id}-{asked.revision}-reason").set_value("MAE")
    click(page, f"promote-{asked.id}-{asked.revision}-act")
    decided = next(one for one in told.service.ledger(LEAD, MODEL) if one.action == Action.PROMOTION_DECIDED)
    assert decided.after["answers"] == ["MAE of <b>v1</b> too high"]


@pytest.mark.parametrize(
    ("role", "verb", "why"),
    [
        ("viewer", "approve", "Needs the role lead; you are viewer."),
        ("scientist", "approve", "Needs the role lead; you are scientist."),
        ("scientist", "promote", "Needs the role lead; you are scientist."),
        ("lead", "promote", "0 of 1 approvals; 1 to go."),
        ("viewer", "rollback", "Needs the role lead; you are viewer."),
        ("lead", "rollback", "There is no earlier champion to go back to."),
    ],
)
def test_a_button_that_may_not_be_used_says_why(
    told: World, open_page: OpenPage, role: str, verb: str, why: str
) -> None:
    button = open_page("registry", role).button(key=verb)
    assert (button.disabled, button.help) == (True, why)


def test_the_proposer_sees_why_somebody_else_must_approve(told: World, open_page: OpenPage) -> None:
    first = room(told).proposal
    told.service.withdraw(SCIENTIST, first.id, first.revision, comment="again by a lead")
    told.service.propose(LEAD, told.ids["3"], comment="mine")
    page = open_page("registry", "lead")
    assert page.button(key="approve").help == "You proposed it, so somebody else must judge it."
    assert "You proposed it, so somebody else must judge it." in words(page)
    assert not page.button(key="withdraw").disabled
    assert not open_page("registry", "admin").button(key="approve").disabled


@pytest.mark.parametrize("meanwhile", ["disabled", "downgraded", "logged out"])
def test_an_open_approve_dialog_acts_for_nobody_who_lost_the_right_meanwhile(
    house: Services, told: World, open_page: OpenPage, meanwhile: str
) -> None:
    proposal = room(told).proposal
    page = click(open_page("registry", "lead"), "approve")
    key = f"approve-{proposal.id}-{proposal.revision}"
    page.text_area(key=f"{key}-reason").set_value("convincing")
    if meanwhile == "disabled":
        house.access.disable_user(ADMIN, "lead")
    elif meanwhile == "downgraded":
        house.access.set_role(ADMIN, "lead", Role.SCIENTIST)
    else:
        house.access.logout(NOBODY, session.cookie_secret())
    page = click(page, f"{key}-act")
    assert not page.get("dialog")
    assert not page.exception
    newest = house.audit.entries(ADMIN).entries[0]
    assert newest.action != Action.PROPOSAL_APPROVED
    assert room(told, ADMIN).proposal.state == ProposalState.OPEN
    if meanwhile == "downgraded":
        assert page.button(key="approve").help == "Needs the role lead; you are scientist."
    else:
        assert words(page).strip() == ""


def test_approve_then_promote_changes_what_is_served_and_the_ledger(told: World, open_page: OpenPage) -> None:
    proposal = room(told).proposal
    page = decide(open_page("registry", "lead"), "approve", f"approve-{proposal.id}-{proposal.revision}", "convincing")
    assert room(told).proposal.state is ProposalState.APPROVED
    assert told.ledger()[-1].reason == "convincing"

    proposal = room(told).proposal
    page = open_page("registry", "lead")
    assert "v3 is approved and may be promoted." in words(page)
    page = decide(page, "promote", f"promote-{proposal.id}-{proposal.revision}", "May is over")
    serving = told.service.serving(VIEWER, MODEL)
    assert serving is not None
    assert serving.version_id == told.ids["3"]
    assert serving.shadow_version_ids == (told.ids["1"],)  # the box is ticked unless one says otherwise
    assert told.mlflow.alias(MODEL, "champion") == "3"
    assert told.actions()[-2:] == [Action.PROMOTION_DECIDED, Action.PROMOTION_FINISHED]
    assert told.verified().ok
    assert not page.exception


def test_right_after_the_promotion_nothing_says_alias_moved_and_the_steps_look_again_until_confirmed(
    told: World, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    again: list[float | None] = []
    whole = live.fragment

    def fragment(show: Callable[..., None], *, run_every: float | None = None) -> Callable[..., None]:
        again.append(run_every)
        return whole(show, run_every=run_every)

    monkeypatch.setattr(champions.live, "fragment", fragment)
    told.service.reconcile(WORKER)
    proposal = room(told).proposal
    told.service.approve(LEAD, proposal.id, proposal.revision)
    proposal = room(told).proposal
    page = open_page("registry", "lead")
    page = decide(page, "promote", f"promote-{proposal.id}-{proposal.revision}", "May is over")
    chips = dict(zip(page.dataframe[0].value["Version"], page.dataframe[0].value["Marks"], strict=True))
    assert {name: list(one) for name, one in chips.items()} == {
        "v3": ["champion"], "v2": ["rolled back"], "v1": ["shadow"],
    }  # fmt: skip
    assert words(page).count("not yet") == 2
    assert again[-1] == 2.0
    operation = room(told).operation
    with transaction(told.context.databases.app) as session:
        moments = {"delivered_at": NOON, "confirmed_at": NOON}
        store.change_operation(session, operation.id, state=OperationState.CONFIRMED, **moments)
    assert "not yet" not in words(page.run())
    assert again[-1] is None


def test_a_promotion_without_a_reason_is_not_carried_out(told: World, open_page: OpenPage) -> None:
    proposal = room(told).proposal
    told.service.approve(LEAD, proposal.id, proposal.revision)
    proposal = room(told).proposal
    decide(open_page("registry", "lead"), "promote", f"promote-{proposal.id}-{proposal.revision}", "  ")
    assert told.service.serving(VIEWER, MODEL).version_id == told.ids["1"]  # type: ignore[union-attr]


def test_a_click_on_what_somebody_else_changed_says_so_in_the_dialog(told: World, open_page: OpenPage) -> None:
    proposal = room(told).proposal
    page = click(open_page("registry", "lead"), "approve")
    told.service.reject(ADMIN, proposal.id, proposal.revision, comment="too early")
    key = f"approve-{proposal.id}-{proposal.revision}"
    page.text_area(key=f"{key}-reason").set_value("fine")
    page = click(page, f"{key}-act")
    assert "The proposal changed since you looked" in page.session_state[f"{key}-error"]  # what the dialog shows
    assert told.actions()[-1] is Action.PROPOSAL_REJECTED


def test_mlflow_away_at_the_click_keeps_the_decision_and_says_who_carries_it_out(
    told: World, open_page: OpenPage
) -> None:
    proposal = room(told).proposal
    told.service.approve(LEAD, proposal.id, proposal.revision)
    proposal = room(told).proposal
    told.mlflow.uri = "http://127.0.0.1:9"
    page = decide(open_page("registry", "lead"), "promote", f"promote-{proposal.id}-{proposal.revision}", "now")
    assert not page.error
    assert told.actions()[-1] is Action.PROMOTION_DECIDED
    page = open_page("registry", "lead")
    assert "A change of champion is being carried out." in words(page)
    assert "does not answer" in words(page)


def test_after_a_rejection_the_reason_stands_above_the_gates_instead_of_propose_it(
    told: World, open_page: OpenPage
) -> None:
    asked = room(told).proposal
    why = "worse on <b>snow</b> days; *show* them"
    told.service.reject(LEAD, asked.id, asked.revision, comment=why)
    page = open_page("registry", "scientist", model=MODEL, version="3")
    said = [str(one.value) for one in page.markdown]
    reason = next(n for n, text in enumerate(said) if "was rejected by Lead" in text)
    assert plain(why) + "**" in said[reason]
    assert said[reason + 1] == "v3 is through all gates and was rejected all the same."
    assert page.button(key="propose").proto.type == "secondary"
    told.service.propose(SCIENTIST, told.ids["3"], comment="snow days added")
    assert "was rejected" not in words(open_page("registry", "scientist", model=MODEL, version="3"))


def test_roll_back_asks_for_a_reason_and_goes_to_the_champion_before(told: World, open_page: OpenPage) -> None:
    told.service.approve(LEAD, room(told).proposal.id, room(told).proposal.revision)
    made = room(told).proposal
    told.service.finish_promotion(LEAD, told.service.begin_promotion(LEAD, made.id, made.revision, "now"))
    page = open_page("registry", "lead")
    assert page.button(key="rollback").label == "Roll back to v1…"
    decide(page, "rollback", f"rollback-{told.ids['3']}", "worse on the first day")
    assert told.service.serving(VIEWER, MODEL).version_id == told.ids["1"]  # type: ignore[union-attr]
    assert told.ledger()[-2].reason == "worse on the first day"


def test_an_alias_moved_outside_can_be_restored_with_one_click(told: World, open_page: OpenPage) -> None:
    told.mlflow.set_alias(MODEL, "champion", "2")
    told.service.reconcile(WORKER)
    page = open_page("registry", "lead")
    assert "The alias **champion** in MLflow points at **v2**. **v1** is still served." in words(page)
    decide(page, "restore", f"restore-{MODEL}-v2", "nobody decided this")
    assert told.mlflow.alias(MODEL, "champion") == "1"
    assert "moved outside</b>" not in words(open_page("registry", "lead"))


def test_an_override_is_asked_for_beside_the_closed_gate(told: World, open_page: OpenPage) -> None:
    told.hands.at = NOON
    told.measured("3", "1", low=-0.02, high=0.01)
    page = open_page("registry", "lead")
    assert "Cannot tell" in words(page)
    assert "The limit lies inside the interval; more rows may tell." in words(page)
    proposal = room(told).proposal
    key = f"override-{proposal.id}-{proposal.revision}-primary metric"
    decide(page, "override-primary-metric", key, "v1 breaks on the new schema")
    entry = told.ledger()[-1]
    assert (entry.action, entry.after["overridden"]) == (Action.GATE_OVERRIDDEN, False)


def test_mlflow_away_shows_the_last_look_with_its_age(told: World, open_page: OpenPage, tmp_path: Path) -> None:
    told.mlflow.uri = "http://127.0.0.1:9"
    told.service.reconcile(WORKER)
    page = open_page("registry", "viewer")
    assert "does not answer" in words(page)
    assert "Aliases as seen just now." in words(page)
    assert [list(one) for one in page.dataframe[0].value["Marks"]][-1] == ["champion"]


@pytest.mark.parametrize("params", [{"version": "2"}, {"version": "v2"}])
def test_a_deep_link_opens_a_version(told: World, open_page: OpenPage, params: dict[str, str]) -> None:
    page = open_page("registry", "viewer", model=MODEL, **params)
    assert "Gates of v2" in words(page)
    assert "Where v2 is from" in words(page)


def test_a_deep_link_opens_a_proposal(told: World, open_page: OpenPage) -> None:
    assert "Gates of v3" in words(open_page("registry", "viewer", proposal=room(told).proposal.id))


@pytest.mark.parametrize("params", [{"version": "9"}, {"model": "nobody"}, {"proposal": "nothing"}])
def test_a_link_to_nothing_says_what_is_missing(told: World, open_page: OpenPage, params: dict[str, str]) -> None:
    page = open_page("registry", "viewer", **params)
    assert next(iter(params.values())) in words(page)
    assert page.button(key="face-clear")
    assert not page.error


def test_a_day_says_who_was_champion_by_whom_and_why(told: World, open_page: OpenPage) -> None:
    page = open_page("registry", "viewer", on=f"{NOON - timedelta(days=35):%Y-%m-%d}")
    assert "v2, promoted by Lead on" in words(page)


def test_a_first_version_without_a_champion_can_be_proposed(
    house: Services, mlflow_uri: str, open_page: OpenPage
) -> None:
    house.context.registry.uri = mlflow_uri
    made = furnish(replace(house.context, clock=(hands := Hands()).clock()), hands, champion=False)
    made.measured("1", None)
    page = open_page("registry", "scientist", version="1")
    assert "There was no champion to be better than; the floor decides." in words(page)
    decide(page, "propose", f"propose-{made.ids['1']}", "our first model")
    assert house.registry.open_proposal(VIEWER, MODEL).comment == "our first model"


def test_the_version_page_says_what_is_known_and_what_is_not(told: World, open_page: OpenPage) -> None:
    page = open_page("registry", "viewer", part="Version", version="2")
    assert not page.exception
    said = words(page)
    assert "Where v2 is from" in said
    assert "Not recorded" in said or "names no run" in said
    assert "holds no files" in said  # the story's versions lie nowhere
    assert "ROC AUC across versions" in said
    assert "Gates of v2" not in said


def test_what_mlflow_does_not_answer_is_said_once_on_the_version_tab(told: World, open_page: OpenPage) -> None:
    told.mlflow.uri = "http://127.0.0.1:9"
    told.service.reconcile(WORKER)
    page = open_page("registry", "viewer", model=MODEL, version="2", part="Version")
    found = told.service.dossier(VIEWER, told.ids["2"])
    assert found.unread, "several parts are not known for one reason"
    said = words(page)
    assert said.count(html.escape(found.unread, quote=False)) == 1
    assert said.count("Not read.") >= 2


# --- the model card ---------------------------------------------------------------------------------------------------


def test_the_card_says_what_is_missing_and_is_written_and_approved_by_two_people(
    told: World, house: Services, open_page: OpenPage
) -> None:
    page = open_page("registry", "viewer", part="Card")
    assert "0 of 7 fields are written" in page.get("progress")[0].proto.text
    assert page.button(key="card-edit").disabled
    assert page.button(key="card-approve").disabled

    page = open_page("registry", "scientist", part="Card")
    page = page.button(key="card-edit").click().run()
    for name in FIELDS:
        page.text_area(key=f"card-0-{name}").set_value("<b>words</b> of *it*")
    page.text_area(key="card-edit-0-reason").set_value("first card")
    page = page.button(key="card-edit-0-act").click().run()
    assert not page.exception
    card = house.registry.card(VIEWER, MODEL)
    assert (card.revision, card.text("limits"), card.missing) == (1, "<b>words</b> of *it*", ())

    page = open_page("registry", "lead", part="Card")
    page = page.button(key="card-approve").click().run()
    page.text_area(key="card-approve-1-reason").set_value("read")
    page = page.button(key="card-approve-1-act").click().run()
    assert not page.exception
    assert house.registry.card(VIEWER, MODEL).state == "approved"


def test_a_version_says_what_it_would_be_called_and_why_and_is_called_otherwise(
    told: World, house: Services, open_page: OpenPage
) -> None:
    page = open_page("registry", "viewer", model=MODEL, version="3", part="Version")
    assert "3.0.0 proposed, MAJOR against v1 (1.0.0): other training data" in words(page)
    assert page.button(key=f"set-number-{told.ids['3']}").disabled
    house.registry.set_number(SCIENTIST, told.ids["3"], "5.0.0", reason="the <b>fifth</b> year")
    page = open_page("registry", "scientist", model=MODEL, version="3", part="Version")
    assert "the &lt;b&gt;fifth&lt;/b&gt; year" in words(page)
    assert not page.button(key=f"set-number-{told.ids['3']}").disabled
    assert "5.0.0, set by hand." in words(open_page("registry", "lead", model=MODEL, version="3"))
