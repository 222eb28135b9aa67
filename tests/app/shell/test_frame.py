"""The error boundary, the table of pages, and the run as a whole."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.pages import HOME, PAGES
from app.shell import frame, session
from mlops_dash.bootstrap import Services
from mlops_dash.domain.access import NOBODY, Actor, Permission, Role
from tests.app.conftest import words

ROOT = Path(__file__).resolve().parents[3]


def raising(kind: str) -> AppTest:
    return AppTest.from_function(_raise, args=(kind,), default_timeout=20).run()


def _raise(kind: str) -> None:
    from app.shell import faces
    from mlops_dash.errors import Conflict, NotAllowed, NotFound, StoreUnavailable

    ours = {
        "missing": NotFound("There is no model 'x'.", hint="Choose one of the list."),
        "refused": NotAllowed("ada may not do this.", hint="Needs the role lead; you are viewer."),
        "away": StoreUnavailable("The database did not take the request.", hint="Try again in a moment."),
        "broken": Conflict("There is no model 'x'.", hint="Choose one of the list."),
    }

    def draw() -> None:
        raise ours.get(kind) or ZeroDivisionError("a secret detail")

    faces.bounded(draw, grants=lambda: "Roles are given by admin.")


def test_our_own_error_is_a_sentence_with_the_next_step() -> None:
    page = raising("broken")
    assert page.error[0].value == "**There is no model 'x'.**\n\nChoose one of the list."
    assert "Incident" not in words(page)
    assert not page.exception
    assert page.button(key="boundary-retry")


@pytest.mark.parametrize(
    ("kind", "title", "step"),
    [
        ("missing", "There is no model 'x'.", "Choose one of the list."),
        ("refused", "ada may not do this.", "Needs the role lead; you are viewer. Roles are given by admin."),
        ("away", "The database did not take the request.", "Try again in a moment."),
    ],
)
def test_what_is_no_mistake_of_ours_has_a_calm_face(kind: str, title: str, step: str) -> None:
    page = raising(kind)
    assert html.escape(title) in words(page)
    assert step in words(page)
    assert not page.error
    assert not page.exception
    assert [button.key for button in page.button] == (["face-retry"] if kind == "away" else [])


def test_a_surprise_is_an_incident_whose_traceback_is_in_the_log_alone(caplog: pytest.LogCaptureFixture) -> None:
    page = raising("surprise")
    found = re.search(r"Incident <span class='mono'>(\w{10})</span>", words(page))
    assert found is not None
    assert "secret detail" not in words(page)
    assert "ZeroDivisionError" not in words(page)
    record = next(record for record in caplog.records if getattr(record, "incident", "") == found[1])
    assert record.exc_info is not None


def test_the_table_of_pages_is_whole() -> None:
    assert len({row.url for row in PAGES}) == len(PAGES)
    assert HOME in {row.url for row in PAGES}
    assert all(re.fullmatch(r"[a-z-]+", row.url) for row in PAGES)
    assert {row.permission for row in PAGES} <= {Permission.ROOM_READ, Permission.AUDIT_READ}
    sections = [row.section for row in PAGES]
    begins = [name for i, name in enumerate(sections) if i == 0 or sections[i - 1] != name]
    assert begins == ["Observe", "Build", "Govern"]


def test_every_page_has_its_function() -> None:
    for row in PAGES:
        assert callable(frame.page_function(row)), row.url


def test_there_is_no_folder_named_pages_beside_the_entry() -> None:
    # Streamlit would serve its files to anybody who asks before the first session has called st.navigation.
    assert not (ROOT / "app" / "pages").exists()


def test_without_a_session_the_run_shows_the_way_to_the_login(house: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "cookie_secret", lambda: "")
    page = AppTest.from_file(str(ROOT / "app" / "main.py"), default_timeout=30).run()
    assert "Your session has ended" in words(page)
    assert "/login?next=" in words(page)
    assert not page.exception


def test_the_role_stands_beside_a_name_that_does_not_say_it() -> None:
    assert "<b>someone</b> <span class='role'>· lead </span>" in frame._who(Actor("user:1", "someone", Role.LEAD))


def test_with_a_session_the_frame_says_who_where_and_when(house: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    secret, _ = house.access.login_demo(NOBODY, "lead")
    monkeypatch.setattr(session, "cookie_secret", lambda: secret)
    page = AppTest.from_file(str(ROOT / "app" / "main.py"), default_timeout=30).run()
    said = words(page)
    assert "<b>lead</b> · <a href='/logout'" in said
    assert "local demo" in said
    assert "127.0.0.1:9" in said
    assert "Nothing waits for you" in said
    assert not page.exception
