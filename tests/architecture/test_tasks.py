"""What follows from a model's task is said by the task; nothing else asks which one it is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_dash.domain.tasks import TASKS
from tests.architecture.tree import ROOT, source_files, syntax

OWNERS = ("src/mlops_dash/domain/tasks/", "src/mlops_dash/demo/")  # the tasks; an outside program knows its own model
NAMES = {task.name for task in TASKS} | {"classes"}
CONSTANTS = {task.name.upper() for task in TASKS}


def names_a_task(node: ast.expr) -> bool:
    """A task's name as text, its constant, or the `task` of something (jobs have a `Task` of their own: an enum)."""
    if isinstance(node, ast.Constant):
        return node.value in NAMES
    if isinstance(node, ast.Set | ast.Tuple | ast.List):
        return any(names_a_task(one) for one in node.elts)
    if isinstance(node, ast.Attribute):
        return node.attr in CONSTANTS
    return isinstance(node, ast.Name) and node.id in CONSTANTS


def asked(tree: ast.AST) -> Iterator[int]:
    """Lines that compare with a task, or that look something up by it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and any(names_a_task(one) for one in (node.left, *node.comparators)):
            yield node.lineno
        if isinstance(node, ast.Dict) and any(key is not None and names_a_task(key) for key in node.keys):
            yield node.lineno
        if isinstance(node, ast.MatchValue) and names_a_task(node.value):
            yield node.value.lineno


def asking(path: Path) -> list[int]:
    return sorted(set(asked(syntax(path))))


def test_no_file_but_the_tasks_asks_which_task_it_is() -> None:
    found = {path.relative_to(ROOT).as_posix(): asking(path) for path in source_files()}
    strays = {name: lines for name, lines in found.items() if lines and not name.startswith(OWNERS)}
    assert strays == {}, "give the task a field or a method, see mlops_dash.domain.tasks"


@pytest.mark.parametrize(
    "line",
    [
        'if model.task == "regression": pass',
        'if "binary" != kind: pass',
        "if layout.task is tasks.BINARY: pass",
        'ok = task in {"binary", "ranking"}',
        "LIMITS = {BINARY: 1, REGRESSION: 2}",
        'match task:\n    case "binary":\n        pass',
    ],
)
def test_each_way_of_asking_is_seen(line: str) -> None:
    assert list(asked(ast.parse(line)))


def test_the_task_of_a_job_is_another_word() -> None:
    assert list(asked(ast.parse("if job.task is Task.RETRAIN: pass"))) == []
