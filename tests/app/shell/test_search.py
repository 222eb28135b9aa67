"""What the search dialog is given to show: groups, addresses, and a face for every answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.pages import PAGES
from app.shell import frame as frames
from app.shell import search, session
from app.ui.context import Frame
from mlops_dash.bootstrap import Services
from mlops_dash.domain.access import NOBODY
from mlops_dash.domain.search import Hit
from mlops_dash.errors import StoreUnavailable
from mlops_dash.store.db import transaction
from tests.factories import model_row, version_row


@pytest.fixture
def frame(house: Services, monkeypatch: pytest.MonkeyPatch) -> Frame:
    with transaction(house.context.databases.app) as opened:
        opened.add(model_row("flight & delay"))
        opened.flush()
        opened.add(version_row("3", "flight & delay"))
    secret, _ = house.access.login_demo(NOBODY, "viewer")
    monkeypatch.setattr(session, "cookie_secret", lambda: secret)
    made = frames.current()
    assert made is not None
    return made


def labels(shown: dict[str, Any]) -> list[str]:
    return [group["label"] for group in shown["groups"]]


def test_before_a_letter_is_typed_the_pages_stand_there(frame: Frame) -> None:
    shown = search.answer(frame, "")
    assert labels(shown) == ["Pages"]
    assert [hit["href"] for hit in shown["groups"][0]["hits"]] == [f"/{row.url}" for row in PAGES]
    assert shown["said"].startswith("Type a name or an id")


def test_a_hit_carries_the_address_that_opens_it(frame: Frame) -> None:
    shown = search.answer(frame, "delay v3")
    assert labels(shown) == ["Versions"]
    [hit] = shown["groups"][0]["hits"]
    assert hit["href"] == "/registry?model=flight+%26+delay&version=3"
    assert hit["detail"].startswith("made elsewhere · by scientist · ")


def test_a_page_is_found_by_its_title(frame: Frame) -> None:
    shown = search.answer(frame, "RETRAIN")
    assert [hit["href"] for hit in shown["groups"][-1]["hits"]] == ["/retraining"]


def test_no_hit_says_what_was_looked_for_and_where(frame: Frame) -> None:
    shown = search.answer(frame, "zebra")
    assert shown["groups"] == []
    assert shown["said"].startswith("Nothing is called “zebra”.")


def test_a_store_that_is_away_is_a_sentence_in_the_dialog(frame: Frame) -> None:
    class Away:
        def find(self, *_: object) -> tuple[Hit, ...]:
            raise StoreUnavailable("The database does not answer.", hint="Start it.")

    away = replace(frame, services=replace(frame.services, search=Away()))  # type: ignore[arg-type]
    assert search.answer(away, "flight")["said"] == "The database does not answer. Start it."
