"""The second demo types lines: each is shown, no secret is, and a line that ends badly ends the demo."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from mlops_dash import cli
from mlops_dash.bootstrap import Services
from mlops_dash.demo.diary import Diary
from mlops_dash.demo.yours import ADA, BEN, Typist
from mlops_dash.domain.access import Role
from mlops_dash.domain.policies import PolicyKind
from mlops_dash.errors import Conflict, Unavailable
from tests.cli.conftest import house
from tests.factories import ADMIN, LEAD

__all__ = ["house"]

MODEL = 'it\'s the "fast" one'
QUOTED = """'it'"'"'s the "fast" one'"""


def typed(words: Sequence[str]) -> int:
    return cli.main(list(words))


@pytest.fixture
def typist(house: Services, tmp_path: Path) -> Typist:
    (tmp_path / "programs").mkdir()
    return Typist(
        run=typed, folder=tmp_path, programs=tmp_path / "programs", client=tmp_path, gateway="http://127.0.0.1:9",
        mlflow="http://127.0.0.1:9",
    )  # fmt: skip


def test_a_line_is_shown_and_done_by_whom_it_names(
    house: Services, typist: Typist, capsys: pytest.CaptureFixture[str]
) -> None:
    typist.add_person(BEN, "lead")
    typist.keep(BEN, f"user token {BEN}")
    typist.type(f"model add {QUOTED} --task regression --source external --reason 'ours'", by=BEN)
    said = capsys.readouterr().out
    assert f"$ MLOPS_DASH_TOKEN=$BEN mlops-dash model add {QUOTED} --task regression" in said
    assert typist.secrets[BEN].startswith("mld_")
    assert typist.secrets[BEN] not in said
    [entry] = house.registry.ledger(LEAD, MODEL)
    assert entry.actor == f"user:{BEN}"
    assert "MLOPS_DASH_TOKEN" not in os.environ


def test_two_people_put_a_policy_into_force(house: Services, typist: Typist) -> None:
    house.registry.add_model(ADMIN, MODEL, task="regression", source="external", reason="ours")
    for name, role in ((ADA, "admin"), (BEN, "lead")):
        typist.add_person(name, role)
        typist.keep(name, f"user token {name}")
    typist.policy(f"--model {QUOTED} --kind monitoring --set label_unit=min", reason="it answers in minutes")
    active = house.policies.room(ADMIN, MODEL, PolicyKind.MONITORING).active
    assert (active.author, active.approver, active.monitoring.label_unit) == (f"user:{BEN}", f"user:{ADA}", "min")
    assert {one.name: one.role for one in house.access.users(ADMIN)}[BEN] is Role.LEAD


def test_a_line_that_ends_badly_ends_the_demo(typist: Typist, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Unavailable, match="ended with 2"):
        typist.type("monitor --model nobody")
    assert "No model nobody" in capsys.readouterr().err


def test_a_program_that_fails_is_told_with_its_last_words(typist: Typist, tmp_path: Path) -> None:
    (tmp_path / "programs" / "bad.py").write_text("raise SystemExit('no such runway')")
    with pytest.raises(Unavailable, match="no such runway"):
        typist.program("bad.py")


def test_a_program_gets_the_token_that_is_not_shown(
    typist: Typist, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typist.secrets["desk"] = "mld_secret"
    (tmp_path / "programs" / "good.py").write_text(
        "import os, sys\nprint(len(os.environ['MLOPS_DASH_TOKEN']), sys.argv[1])"
    )
    typist.program("good.py", "a b", token="desk")
    said = capsys.readouterr().out
    assert f"MLOPS_DASH_TOKEN=$DESK python {tmp_path / 'programs' / 'good.py'} 'a b'\n10 a b\n" in said
    assert "mld_secret" not in said


def resumed(typist: Typist, path: Path) -> Typist:
    """The same demo, called again."""
    return replace(typist, secrets={}, diary=Diary(path))


def test_after_a_break_it_goes_on_where_it_stopped(house: Services, typist: Typist, tmp_path: Path) -> None:
    path = tmp_path / "yours.json"
    program = tmp_path / "programs" / "counts.py"
    program.write_text("open('count', 'a').write('x')")
    add = f"model add {QUOTED} --task regression --source external --reason 'ours'"

    def play(typist: Typist) -> None:
        typist.program("counts.py")
        typist.add_person(BEN, "lead")
        typist.keep(BEN, f"user token {BEN}")
        typist.type(add, by=BEN)

    first = resumed(typist, path)
    play(first)
    with pytest.raises(Unavailable):
        first.type("monitor --model nobody")
    second = resumed(typist, path)
    play(second)
    assert second.secrets == first.secrets
    assert (tmp_path / "count").read_text() == "x"
    assert len(house.registry.ledger(LEAD, MODEL)) == 1
    assert path.stat().st_mode & 0o077 == 0
    second.type(f"model edit {QUOTED} --tier 1 --reason 'it is asked all day'", by=BEN)
    assert len(Diary(path)) == 5
    second.diary.forget()
    assert not path.exists()


def test_the_line_in_which_the_break_fell_may_have_been_done(
    house: Services, typist: Typist, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "yours.json"
    add = f"model add {QUOTED} --task regression --source external --reason 'ours'"
    resumed(typist, path).type("model list")
    house.registry.add_model(ADMIN, MODEL, task="regression", source="external", reason="ours")
    again = resumed(typist, path)
    again.type("model list")
    again.type(add)
    assert "exists." in capsys.readouterr().err
    with pytest.raises(Unavailable):
        again.type(add)


def test_a_diary_of_other_lines_is_refused(house: Services, typist: Typist, tmp_path: Path) -> None:
    path = tmp_path / "yours.json"
    resumed(typist, path).type("model list")
    with pytest.raises(Conflict, match="Line 1 was 'model list' before the break"):
        resumed(typist, path).type("monitor --model nobody")
    path.write_text("[[1]]")
    with pytest.raises(Conflict, match="no list of typed lines"):
        Diary(path)
