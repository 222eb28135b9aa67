"""`audit`: a head kept elsewhere, entries as files, and the pack."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from mlops_dash.bootstrap import Services
from mlops_dash.domain.access import Role
from mlops_dash.store.db import transaction
from tests.cli.conftest import Run
from tests.factories import ADMIN
from tests.tampering import unguarded

NAME = """it's the "queue" model"""


@pytest.fixture
def told(house: Services) -> Services:
    house.registry.add_model(ADMIN, NAME, task="regression", source="external", reason="=the kiosk's")
    house.access.create_user(ADMIN, "ann", role=Role.LEAD, password="four short words", reason="joins")
    return house


def test_a_head_that_was_kept_elsewhere_proves_the_ledger(told: Services, run: Run, tmp_path: Path) -> None:
    code, head, _ = run("audit", "head")
    assert code == 0
    kept = tmp_path / "head.txt"
    kept.write_text(head)
    assert run("audit", "verify", "--anchor", str(kept))[:2] == (0, "ok 2 entries\n")
    assert run("audit", "verify", "--anchor", head.strip())[0] == 0

    told.context.anchor_path.unlink()
    with transaction(told.context.databases.app) as session:
        unguarded(session).connection().exec_driver_sql("DELETE FROM ledger WHERE number = 2")
    assert run("audit", "verify")[0] == 0  # nothing else vouches for the last entry
    code, out, _ = run("audit", "verify", "--anchor", str(kept))
    assert code == 1
    assert "the last entries are missing: 2 were anchored" in out


def test_a_head_of_another_ledger_is_refused(told: Services, run: Run) -> None:
    code, _, said = run("audit", "verify", "--anchor", f"2:{'a' * 64}:{'b' * 64}")
    assert code == 2
    assert "does not carry the seal of this ledger" in said


def test_an_empty_ledger_has_no_head(house: Services, run: Run) -> None:
    code, _, said = run("audit", "head")
    assert (code, said) == (2, "The ledger has no entry yet.\n")


def test_entries_are_written_as_csv_and_json(told: Services, run: Run, tmp_path: Path) -> None:
    code, out, _ = run("audit", "export", "--format", "json", "--model", NAME)
    assert code == 0
    (entry,) = json.loads(out)
    assert (entry["sentence"], entry["reason"]) == (f"admin added the model {NAME}", "=the kiosk's")
    file = tmp_path / "ledger.csv"
    code, out, _ = run("audit", "export", "-o", str(file), "--from", "2000-01-01", "--to", "2999-12-31")
    assert (code, len(file.read_text(encoding="utf-8-sig").splitlines())) == (0, 3)
    assert ",'=the kiosk's," in file.read_text(encoding="utf-8-sig")
    assert run("audit", "export", "--to", "1999-01-01")[1].count("\n") == 1  # the heads alone


def test_the_pack_is_one_zip_with_a_text_to_begin_with(told: Services, run: Run, tmp_path: Path) -> None:
    out = tmp_path / "pack.zip"
    assert run("audit", "pack", "--from", "2000-01-01", "--to", "2999-12-31", "-o", str(out))[0] == 0
    with zipfile.ZipFile(out) as file:
        assert file.testzip() is None
        text = file.read("README.md").decode()
    assert "Changes of what is live 0, in the ledger 0, unexplained 0." in text
    assert "ok 2 entries" in text
    assert r"added the model it's the \"queue\" model".replace("\\", "") in text


def test_bad_words_are_named_and_write_nothing(told: Services, run: Run, tmp_path: Path) -> None:
    wrong = ("audit", "pack", "--from", "2013-06-01", "--to")
    code, _, said = run(*wrong, "2013-06-30", "-o", str(tmp_path / "pack.txt"))
    assert code == 2
    assert "does not end in .zip" in said
    code, _, said = run(*wrong, "2013-05-01", "-o", str(tmp_path / "pack.zip"))
    assert code == 2
    assert "is before" in said
    code, _, said = run(*wrong, "2013-06-30", "-o", str(tmp_path / "none" / "pack.zip"))
    assert code == 2
    assert "could not be written" in said
    assert list(tmp_path.glob("pack*")) == []
