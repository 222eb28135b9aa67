"""Adding models by ticking them, from the first one to the last, and who may not sees why."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from mlops_dash.bootstrap import Services
from mlops_dash.domain.audit import Action
from mlops_dash.domain.registry.catalogue import Catalogue, Offered
from tests.app.conftest import OpenPage, words
from tests.factories import ADMIN, SCIENTIST, VIEWER

MODEL = 'it\'s "late"'


def offered(name: str, task: str, why: str, **changes: object) -> Offered:
    given: dict[str, object] = {
        "aliases": {}, "stages": {}, "tags": {}, "version": "3", "signature": True, "flavour": "lightgbm", "owner": "",
    }  # fmt: skip
    return Offered(name=name, task=task, why=why, **{**given, **changes})  # type: ignore[arg-type]


@pytest.fixture
def answering(house: Services, monkeypatch: pytest.MonkeyPatch) -> Services:
    """A house with a model already, and an MLflow that offers two more."""
    house.registry.add_model(SCIENTIST, "first", reason="the first one")
    late = offered(MODEL, "regression", "one number a row", aliases={"live": "2"}, owner="trains", live="alias:live")
    riddle = offered("riddle", "", "no signature says what it answers", signature=False)
    found = Catalogue("http://mlflow.example", reachable=True, reason="", models=(late, riddle))
    monkeypatch.setattr(house.registry, "catalogue", lambda _actor: found, raising=False)
    return house


def opened(open_page: OpenPage) -> AppTest:
    return open_page("overview", "scientist").button(key="add-models").click().run()


def act(page: AppTest, reason: str = "ours to watch") -> AppTest:
    page.text_area(key="add-models-dialog-reason").set_value(reason)
    return page.button(key="add-models-dialog-act").click().run()


def test_models_are_added_after_the_first_one_by_ticking(answering: Services, open_page: OpenPage) -> None:
    page = opened(open_page)
    assert "live is v2 · lightgbm · signature · owner trains" in words(page)
    assert page.selectbox(key=f"adopt-task-{MODEL}").value == "regression"
    page.checkbox(key=f"adopt-{MODEL}").check()
    page.text_input(key="elsewhere-name").set_value("churn")
    act(page)
    models = {one.name: one for one in answering.registry.models(VIEWER)}
    assert set(models) == {"first", MODEL, "churn"}
    assert (models[MODEL].task, models[MODEL].owner, models[MODEL].source) == ("regression", "trains", "mlflow")
    assert models[MODEL].live == "alias:live"  # the only alias it has
    assert (models["churn"].source, models["churn"].owner) == ("external", "scientist")
    entries = answering.audit.entries(ADMIN).entries[:2]
    assert [(one.action, one.reason) for one in entries] == [(Action.MODEL_ADDED, "ours to watch")] * 2


def test_which_mark_is_live_is_chosen_and_a_file_says_many(answering: Services, open_page: OpenPage) -> None:
    page = opened(open_page)
    page.checkbox(key=f"adopt-{MODEL}").check()
    page.selectbox(key=f"adopt-live-{MODEL}").set_value("none")
    page.file_uploader(key="adopt-file").upload("many.csv", b"name,watch,task,live\nriddle,yes,binary,tag:a=b\n")
    act(page)
    models = {one.name: one for one in answering.registry.models(VIEWER)}
    assert (models[MODEL].live, models["riddle"].live) == ("none", "tag:a=b")


def test_classes_of_a_model_that_answers_in_words_are_asked(
    answering: Services, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    colour = offered("colour", "multiclass", "a word a row: the class by its name")
    tagged = offered("metal", "multiclass", "a word a row: the class by its name", classes=('it\'s "gold"', "tin"))
    found = Catalogue("http://mlflow.example", reachable=True, reason="", models=(colour, tagged))
    monkeypatch.setattr(answering.registry, "catalogue", lambda _actor: found, raising=False)
    page = opened(open_page)
    assert page.text_input(key="adopt-classes-metal").value == 'it\'s "gold"; tin'
    for name in ("colour", "metal"):
        page.checkbox(key=f"adopt-{name}").check()
    page = act(page)
    assert page.session_state["add-models-dialog-error"].startswith("colour: 0 classes are named")
    assert [one.name for one in answering.registry.models(VIEWER)] == ["first"]
    page = open_page("overview", "scientist")
    page.session_state["elsewhere-task"] = "multiclass"  # a dialog that is drawn again is beyond this kind of test
    page.button(key="add-models").click().run()
    for name in ("colour", "metal"):
        page.checkbox(key=f"adopt-{name}").check()
    page.text_input(key="adopt-classes-colour").set_value("dark red; light blue;")
    page.text_input(key="elsewhere-name").set_value("size")
    page.text_input(key="adopt-classes-elsewhere").set_value("S; M; L")
    act(page)
    models = {one.name: one.class_names for one in answering.registry.models(VIEWER)}
    assert models == {
        "first": (), "colour": ("dark red", "light blue"), "metal": ("it's \"gold\"", "tin"), "size": ("S", "M", "L"),
    }  # fmt: skip


def test_a_file_that_cannot_be_used_adds_nothing(answering: Services, open_page: OpenPage) -> None:
    page = opened(open_page)
    page.checkbox(key=f"adopt-{MODEL}").check()
    page.file_uploader(key="adopt-file").upload("many.csv", b"name,watch\nriddle,yes\n")
    page = act(page)
    assert page.session_state["add-models-dialog-error"].startswith("Line 2, riddle: what it predicts cannot be told")
    assert [one.name for one in answering.registry.models(VIEWER)] == ["first"]


def test_what_a_model_predicts_is_asked_where_it_cannot_be_told(answering: Services, open_page: OpenPage) -> None:
    page = opened(open_page)
    page.checkbox(key=f"adopt-{MODEL}").check()
    page.checkbox(key="adopt-riddle").check()
    page = act(page)
    assert page.session_state["add-models-dialog-error"].startswith("What riddle predicts is not said.")
    assert [one.name for one in answering.registry.models(VIEWER)] == ["first"]


def test_nothing_ticked_is_said(answering: Services, open_page: OpenPage) -> None:
    page = act(opened(open_page))
    assert page.session_state["add-models-dialog-error"].startswith("No model is ticked or named.")


def test_an_mlflow_that_is_away_is_said_and_others_can_still_be_added(house: Services, open_page: OpenPage) -> None:
    house.registry.add_model(SCIENTIST, "first", reason="the first one")
    page = opened(open_page)
    assert "does not answer" in words(page)
    page.text_input(key="elsewhere-name").set_value(MODEL)
    act(page)
    assert [one.name for one in house.registry.models(VIEWER)] == ["first", MODEL]


def test_who_may_not_add_sees_why(answering: Services, open_page: OpenPage) -> None:
    page = open_page("overview", "viewer")
    assert page.button(key="add-models").disabled
    assert "Needs the role scientist" in page.button(key="add-models").help
