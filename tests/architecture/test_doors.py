"""One importer for each foreign power, also inside functions, and no short cuts between neighbours.

import-linter checks the layers and most doors; it refuses contracts on libraries that nothing imports yet, and it
cannot see classes. That is here.
"""

from __future__ import annotations

import ast
import typing
from pathlib import Path

import pytest

from mlops_dash.bootstrap import Services
from mlops_dash.services.command import Context
from tests.architecture.tree import ROOT, dotted, imports, source_files, syntax

DOORS = {
    "streamlit": ("app", "mlops_dash.bench.visits"),
    "sqlmodel": ("mlops_dash.store",),
    "sqlalchemy": ("mlops_dash.store",),
    "alembic": ("mlops_dash.store",),
    "psycopg": ("mlops_dash.store",),
    "duckdb": ("mlops_dash.store",),
    "mlflow": ("mlops_dash.tracking",),
    "jinja2": ("mlops_dash.rendering",),
    "matplotlib": ("mlops_dash.rendering",),
    "weasyprint": ("mlops_dash.rendering",),
    "pptx": ("mlops_dash.rendering",),
    "apscheduler": ("mlops_dash.worker",),
    "prometheus_client": ("mlops_dash.metrics",),
    "alibi_detect": ("mlops_dash.training.second_opinion",),
    "dask": ("mlops_dash.store", "mlops_dash.training"),
    "distributed": ("mlops_dash.store", "mlops_dash.training"),
}


@pytest.mark.parametrize("library", DOORS)
def test_a_foreign_library_has_one_door(library: str) -> None:
    inside = tuple(f"{door}." for door in DOORS[library])
    strays = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in source_files()
        if not f"{dotted(path)}.".startswith(inside)
        for line, name in imports(path)
        if name.split(".")[0] == library
    ]
    assert strays == []


def test_alibi_detect_is_imported_only_inside_functions() -> None:
    door = ROOT / "src/mlops_dash/training/second_opinion.py"
    top = ast.parse(door.read_text()).body if door.exists() else []
    assert [
        node for node in top if isinstance(node, ast.Import | ast.ImportFrom) and "alibi" in ast.unparse(node)
    ] == []


def test_fragments_and_dialogs_are_opened_by_the_one_file_that_asks_for_the_session_again() -> None:
    opened = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (ROOT / "app").rglob("*.py")
        for node in ast.walk(syntax(path))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in {"st.fragment", "st.dialog"}
    ]
    assert {one.rpartition(":")[0] for one in opened} == {"app/ui/live.py"}


def test_views_do_not_import_each_other() -> None:
    crossings = [
        f"{path.name}:{line}"
        for path in (ROOT / "app" / "views").glob("*.py")
        for line, name in imports(path)
        if name.startswith("app.views.")
    ]
    assert crossings == []


def noun_of(path: Path) -> str:
    """The noun of a service module: its file, or the folder that it outgrew into."""
    parts = path.relative_to(ROOT / "src/mlops_dash/services").parts
    return parts[0].removesuffix(".py")


BELOW_ALL_SERVICES = {
    "ab_file",
    "cells",
    "classes",
    "command",
    "tables",
    "two_tables",
    "watching",
}  # what every service may import: kinds of verb, users' files
COMPOSING = {"fleet", "reports"}  # the reads of all models, which may be put together from other services


def test_no_service_takes_anything_from_another_one() -> None:
    # Two verbs are composed by entry points. What two services share, be it a class, a function or a constant, lies
    # in the store or the domain below both.
    nouns = {noun for noun, kind in typing.get_type_hints(Services).items() if kind is not Context}
    files = list((ROOT / "src/mlops_dash/services").rglob("*.py"))
    assert {noun_of(path) for path in files} == nouns | BELOW_ALL_SERVICES | {"__init__"}
    crossings = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in files
        if noun_of(path) not in COMPOSING
        for line, name in imports(path)
        if f"{name}.".startswith("mlops_dash.services.")
        and name.split(".")[2:3] not in ([noun_of(path)], *([room] for room in BELOW_ALL_SERVICES))
    ]
    assert crossings == []
