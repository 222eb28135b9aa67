"""The client runs wherever somebody's service does: Python 3.9 to 3.13, nothing but the standard library."""

from __future__ import annotations

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT, imports

CLIENT = ROOT / "client"
SOURCES = sorted((CLIENT / "src").rglob("*.py"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
@pytest.mark.parametrize("version", [(3, 9), (3, 13)])
def test_the_syntax_is_that_of_every_python_from_3_9(source: Path, version: tuple[int, int]) -> None:
    ast.parse(source.read_text(), feature_version=version)


def test_syntax_that_is_newer_is_seen() -> None:
    with pytest.raises(SyntaxError):
        ast.parse("match x:\n    case 1: pass", feature_version=(3, 9))


def test_nothing_but_the_standard_library_is_imported() -> None:
    roots = {name.partition(".")[0] for source in SOURCES for _, name in imports(source)}
    assert roots - {"mlops_dash_client"} <= sys.stdlib_module_names
    assert len(SOURCES) > 5


@pytest.mark.slow
def test_every_name_and_type_exists_in_python_3_10_and_3_13(tmp_path: Path) -> None:
    # 3.10 is the oldest that the type checker knows; what came with it is looked for below.
    newer = tmp_path / "newer.py"
    newer.write_text("from datetime import UTC\n")  # of 3.11: the checker sees it
    for version, path, fine in (
        ("3.10", CLIENT / "src", True), ("3.13", CLIENT / "src", True), ("3.10", newer, False),
    ):  # fmt: skip
        words = ["--strict", "--python-version", version, "--config-file", "", "--cache-dir", str(tmp_path / "cache")]
        done = subprocess.run(
            [sys.executable, "-m", "mypy", *words, str(path)], capture_output=True, text=True, check=False
        )
        assert (done.returncode == 0) is fine, (version, path, done.stdout, done.stderr)


# Names and arguments of Python 3.10 that a program like this one could use.
OF_3_10 = {
    "Concatenate", "EllipsisType", "NoneType", "ParamSpec", "TypeAlias", "TypeGuard", "UnionType", "aclosing", "aiter",
    "anext", "bit_count", "encoding_warning", "kw_only", "orig_argv", "packages_distributions", "pairwise", "slots",
    "stdlib_module_names", "strict",
}  # fmt: skip


def names_in(tree: ast.AST) -> set[str]:
    """Names, attributes, imported names and keywords of arguments."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.alias):
            found.add(node.name)
        elif isinstance(node, ast.keyword) and node.arg:
            found.add(node.arg)
    return found


def test_nothing_of_python_3_10_is_used_at_run_time() -> None:
    assert names_in(ast.parse("zip(a, b, strict=True)")) & OF_3_10 == {"strict"}
    for source in SOURCES:
        tree = ast.parse(source.read_text())
        assert names_in(tree) & OF_3_10 == set(), source.name
        lazily = any(isinstance(one, ast.ImportFrom) and one.module == "__future__" for one in tree.body)
        assert lazily, f"{source.name}: annotations such as `str | None` must not be evaluated"


def test_the_wheel_is_the_package_alone_and_runs_without_anything_else(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(words, cwd=CLIENT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as made:
        names = made.namelist()
        (metadata,) = (made.read(name).decode() for name in names if name.endswith("METADATA"))
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"mlops_dash_client"}
    assert "mlops_dash_client/py.typed" in names
    assert "Requires-Dist" not in metadata
    assert "Requires-Python: >=3.9" in metadata
    code = (
        f"import sys; sys.path.insert(0, {str(wheel)!r}); import mlops_dash_client as m; print(m.__version__, m.Client)"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("0.1.0 <class 'mlops_dash_client.client.Client'>"), done.stderr
