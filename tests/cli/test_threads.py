"""`thread`: said, attached, listed and got back, byte for byte."""

from __future__ import annotations

import json
from pathlib import Path

from mlops_dash.bootstrap import Services
from tests.cli.conftest import Run
from tests.cli.test_rollouts import told
from tests.factories import LEAD, SCIENTIST
from tests.registry_world import MODEL, World

__all__ = ["told"]


def test_a_comment_with_a_file_is_said_listed_and_got(house: Services, run: Run, told: World, tmp_path: Path) -> None:
    code, _, err = run("thread", MODEL, "--say", "hello")
    assert (code, "Nothing is proposed" in err) == (2, True)
    house.registry.propose(SCIENTIST, told.ids["2"], comment="better")
    plot = tmp_path / 'it\'s "late".png'
    plot.write_bytes(b"\x89PNG one")
    assert run("thread", MODEL)[1].strip() == "Nobody has said anything yet."
    assert run("thread", MODEL, "--say", f"look, @{LEAD.name}", "--attach", str(plot))[0] == 0
    [comment] = json.loads(run("thread", MODEL, "--json")[1])["comments"]
    assert (comment["text"], comment["mentions"]) == ("look, @lead", [LEAD.id])
    [file] = comment["attachments"]
    out = tmp_path / "got.png"
    code, said, _ = run("thread", MODEL, "--get", file["id"], "--out", str(out))
    assert (code, out.read_bytes(), file["sha256"] in said) == (0, b"\x89PNG one", True)


def test_what_cannot_be_is_said(house: Services, run: Run, told: World, tmp_path: Path) -> None:
    house.registry.propose(SCIENTIST, told.ids["2"], comment="better")
    for words in (
        ("--attach", "x.png"), ("--get", "x"), ("--out", str(tmp_path / "x")), ("--say", "x", "--attach", "/nowhere/x"),
        ("--get", "x", "--out", str(tmp_path / "x")),
    ):  # fmt: skip
        assert run("thread", MODEL, *words)[0] == 2
    large = tmp_path / "large.bin"
    large.write_bytes(b"x" * 1_100_000)
    assert "larger than 1 MiB" in run("thread", MODEL, "--say", "x", "--attach", str(large))[2]
