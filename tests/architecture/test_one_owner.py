"""No room knows a data set: what the demo's flights are called is said below `demo/` only."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.tree import ROOT, source_files, syntax

ROOMS = (
    "src/mlops_dash/attempt.py",
    "src/mlops_dash/runner.py",
    "src/mlops_dash/training/",
    "src/mlops_dash/domain/",
    "src/mlops_dash/worker/",
)
FLIGHTS = re.compile(r"flights|\borigin\b|\bcarrier\b|2013|New_York|flight-delay|air-time", re.IGNORECASE)


def said(path: Path) -> Iterator[tuple[int, str]]:
    """Names and texts of a file; explanations (docstrings, comments) may take their examples anywhere."""
    tree = syntax(path)
    explained = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in explained:
            yield node.lineno, node.value
        elif isinstance(node, ast.Name):
            yield node.lineno, node.id
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.lineno, node.name


def test_training_and_the_rules_know_no_data_set() -> None:
    strays = [
        f"{path.relative_to(ROOT)}:{line}: {text[:60]}"
        for path in source_files()
        if path.relative_to(ROOT).as_posix().startswith(ROOMS)
        for line, text in said(path)
        if FLIGHTS.search(text)
    ]
    assert strays == []


def test_the_search_sees_names_and_texts_but_no_explanations(tmp_path: Path) -> None:
    path = tmp_path / "room.py"
    path.write_text('"""Flights of 2013."""\nDATA = "flights.parquet"\ncarrier = 1\n')
    assert [line for line, text in said(path) if FLIGHTS.search(text)] == [2, 3]
