"""No file, page or folder grows beyond what one can hold in the head."""

from __future__ import annotations

import tomllib

from tests.architecture.tree import ROOT, source_files

MODULE_FAILS, MODULE_TOLD, VIEW_LINES, MAIN_LINES, DEPTH, STATEMENTS = 400, 380, 200, 60, 3, 40


def test_no_module_is_longer_than_400_lines() -> None:
    lengths = {path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in source_files()}
    for name, lines in sorted(lengths.items()):
        if lines > MODULE_TOLD:
            print(f"{name}: {lines} lines, above {MODULE_TOLD}: split it by noun soon")
    long = {name: lines for name, lines in lengths.items() if lines > MODULE_FAILS and "migrations/" not in name}
    assert long == {}  # a migration is written once and never grows


def test_no_view_is_longer_than_200_lines() -> None:
    lengths = {path.name: len(path.read_text().splitlines()) for path in (ROOT / "app" / "views").glob("*.py")}
    assert len(lengths) > 1
    assert {name: lines for name, lines in lengths.items() if lines > VIEW_LINES} == {}


def test_the_entry_of_the_pages_stays_short() -> None:
    assert len((ROOT / "app" / "main.py").read_text().splitlines()) <= MAIN_LINES


def test_no_folder_lies_deeper_than_three_below_its_root() -> None:
    deep = set()
    for path in source_files():
        folders = path.relative_to(ROOT).parts[:-1]
        below = folders[2:] if folders[0] == "src" else folders[1:]
        if len(below) > DEPTH and "migrations" not in below:  # alembic brings a layout of its own
            deep.add("/".join(folders))
    assert deep == set()


def test_functions_are_held_to_40_statements_by_ruff() -> None:
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert lint["pylint"]["max-statements"] == STATEMENTS
    assert "PLR0915" in lint["select"]
    lifted = {name for name, rules in lint["per-file-ignores"].items() if "PLR0915" in rules}
    assert lifted <= {"tests/**", "src/mlops_dash/store/migrations/**"}


def test_pages_do_not_live_in_a_folder_called_pages() -> None:
    # Streamlit would serve each file of it at its own address, without the login.
    assert not (ROOT / "app" / "pages").exists()
