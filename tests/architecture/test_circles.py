"""No circle of files: what two files need of one another lies below both. Imports inside functions count as well."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.architecture.tree import dotted, imports, source_files


def graph() -> dict[str, set[str]]:
    """Each file of ours with the files it imports; a package stands for its `__init__`."""
    files = {dotted(path): path for path in source_files()}
    return {name: {target for _, found in imports(path) for target in _file_of(found, files)} - {name}
            for name, path in files.items()}  # fmt: skip


def _file_of(name: str, files: Mapping[str, object]) -> Iterator[str]:
    parts = name.split(".")
    for depth in (len(parts), len(parts) - 1):
        candidate = ".".join(parts[:depth])
        if candidate in files:
            yield candidate
            return


@pytest.mark.parametrize("root", ["app", "mlops_dash"])
def test_no_files_import_one_another_in_a_circle(root: str) -> None:
    inside = {name: {other for other in targets if other.startswith(root)} for name, targets in graph().items()}
    own = {name: targets for name, targets in inside.items() if name.startswith(root)}
    assert sum(map(len, own.values())) > 200  # the graph is there
    try:
        TopologicalSorter(own).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))
