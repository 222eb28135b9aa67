"""The floors of `app`: import-linter keeps their order; here every file has one, and the page table is plain."""

from __future__ import annotations

import ast
import tomllib

from tests.architecture.tree import ROOT


def floors() -> set[str]:
    """The modules and folders that the contract `app-floors` names."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract for contract in contracts if contract["id"] == "app-floors")["layers"]
    return {name.strip() for layer in layers for name in layer.split("|")}


def test_every_file_of_the_app_has_its_floor() -> None:
    names = {
        ".".join(path.relative_to(ROOT / "app").with_suffix("").parts)
        for path in (ROOT / "app").rglob("*.py")
        if path.name != "__init__.py"
    }
    assert len(names) > 60
    assert {name for name in names if not {name, name.split(".")[0]} & floors()} == set()


def test_only_the_server_the_entry_and_the_table_of_pages_lie_at_the_top() -> None:
    top = {path.name for path in (ROOT / "app").glob("*.py")}
    assert top == {"__init__.py", "asgi.py", "main.py", "pages.py"}


def test_the_table_of_pages_holds_no_function() -> None:
    tree = ast.parse((ROOT / "app" / "pages.py").read_text())
    assert [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.Lambda)] == []
