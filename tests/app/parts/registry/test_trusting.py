"""What loading runs: the files are read when somebody asks, once, and admins trust them by a click."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from mlops_dash.domain.access import Actor
from mlops_dash.domain.registry.records import Version
from mlops_dash.errors import Unavailable
from mlops_dash.services.registry.trusting import Looked
from mlops_dash.store.trust import TrustedFiles
from mlops_dash.tracking.models.inside import Inside
from tests.app.conftest import words
from tests.factories import ADMIN, LEAD, NOON

VERSION = Version("v", 'it\'s "late"', "3", 1, "", "d1", "", None, None, "", "", NOON, "x", "")
FOUND = Inside("d1", "mlflow.sklearn", "sklearn", True, (("model.pkl", 9),), (("model.pkl", ("os.system",)),),
               ("w.bin",), False, "It is a pickle.", "")  # fmt: skip


class Registry:
    """Counts how often files are read."""

    def __init__(self) -> None:
        self.read = 0
        self.away = False
        self.trusted: TrustedFiles | None = None

    def look_into(self, _actor: Actor, _version_id: str) -> Looked:
        self.read += 1
        if self.away:
            raise Unavailable("MLflow does not answer.", hint="Try again.")
        return Looked(VERSION, FOUND, self.trusted)

    def trust_files(self, actor: Actor, looked: Looked, *, digest: str, reason: str) -> None:
        self.trusted = TrustedFiles(digest, VERSION.model, "3", reason, actor.id, NOON)

    def withdraw_trust(self, _actor: Actor, digest: str, *, reason: str) -> None:
        assert (digest, reason) == ("d1", "a finding")
        self.trusted = None


HELD: dict[str, Any] = {}


def _page() -> None:
    from app.parts.registry import trusting
    from tests.app.parts.registry.test_trusting import HELD, VERSION

    trusting.panel(HELD["frame"], VERSION)


def opened(registry: Registry, actor: Actor) -> AppTest:
    HELD["frame"] = SimpleNamespace(services=SimpleNamespace(registry=registry), actor=actor)
    return AppTest.from_function(_page, default_timeout=30).run()


@pytest.fixture
def registry() -> Registry:
    return Registry()


def test_files_are_read_once_when_asked_and_not_at_each_run(registry: Registry) -> None:
    page = opened(registry, LEAD)
    assert registry.read == 0
    page = page.button(key="look-into").click().run().run().run()
    assert registry.read == 1
    said = words(page)
    assert "not loaded: It is a pickle." in said
    assert "w.bin" in said
    assert page.button(key="trust-files").disabled
    page.button(key="look-into").click().run()
    assert registry.read == 2
    assert not page.exception


def test_who_trusts_is_named_by_name(registry: Registry) -> None:
    registry.trusted = TrustedFiles("d1", VERSION.model, "3", "ours", "user:o.brien", NOON)
    page = opened(registry, ADMIN).button(key="look-into").click().run()
    assert "trusted by o.brien: ours" in words(page)
    assert not [one for one in page.button if one.key == "trust-files"]


def test_an_mlflow_that_is_away_is_said_and_asked_again(registry: Registry) -> None:
    registry.away = True
    page = opened(registry, ADMIN).button(key="look-into").click().run()
    assert "MLflow does not answer. Try again." in words(page)
    registry.away = False
    assert "It is a pickle." in words(page.button(key="look-into").click().run())


def test_an_admin_takes_trust_back_and_nobody_else(registry: Registry) -> None:
    registry.trusted = TrustedFiles("d1", VERSION.model, "3", "ours", "user:o.brien", NOON)
    page = opened(registry, LEAD).button(key="look-into").click().run()
    assert page.button(key="withdraw-trust").disabled
    page = opened(registry, ADMIN).button(key="look-into").click().run().button(key="withdraw-trust").click().run()
    page.text_area(key=f"withdraw-trust-{VERSION.id}-reason").set_value("a finding")
    page.button(key=f"withdraw-trust-{VERSION.id}-act").click().run()
    assert registry.trusted is None


def test_what_one_file_imports_stands_below_its_name_and_of_several_beside_it(registry: Registry) -> None:
    page = opened(registry, ADMIN).button(key="look-into").click().run()
    assert "model.pkl imports" in tables(page)
    HELD["found"] = replace(FOUND, imports=(*FOUND.imports, ("more.pkl", ("numpy.dtype",))))
    page = opened(Two(), ADMIN).button(key="look-into").click().run()
    assert "Its pickles import" in tables(page)
    assert "more.pkl" in tables(page)


class Two(Registry):
    """Files of which two are pickles."""

    def look_into(self, _actor: Actor, _version_id: str) -> Looked:
        return Looked(VERSION, HELD["found"], None)


def tables(page: AppTest) -> str:
    """All tables as one text."""
    return "\n".join(str(one.value) for one in [*page.get("table"), *page.get("markdown"), *page.get("arrow_table")])
