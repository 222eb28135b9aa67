"""What the architecture tests look at: the tracked files and their syntax trees."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEXT = {
    ".py",
    ".md",
    ".toml",
    ".css",
    ".html",
    ".js",
    ".svg",
    ".sh",
    ".yaml",
    ".yml",
    ".json",
    ".txt",
    ".ini",
    ".mako",
    "",
}


@cache
def tracked() -> tuple[str, ...]:
    """Every file of the repository that git knows or would take, by path; a release without git: every file we ship."""
    words = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    names = done.stdout.splitlines() if done.returncode == 0 else _walked()
    return tuple(sorted(name for name in names if (ROOT / name).is_file()))


def _walked() -> list[str]:
    hidden = {".venv", "__pycache__", ".git", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", "local"}
    files = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
    return [path.as_posix() for path in files if not hidden & set(path.parts)]


def source_files() -> Iterator[Path]:
    """The Python files of the product: the package, the pages, and what other people's programs import."""
    return (ROOT / name for name in tracked() if name.endswith(".py") and name.startswith(("src/", "app/", "client/")))


@cache
def syntax(path: Path) -> ast.Module:
    """The syntax tree of a file, read once a process."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports(path: Path) -> tuple[tuple[int, str], ...]:
    """(line, dotted name) of every import in a file, wherever it stands; `from a import b` gives `a.b`."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(syntax(path)):
        if isinstance(node, ast.Import):
            found += ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found += ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
    return tuple(found)


def dotted(path: Path) -> str:
    """The module name of a source file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts[1:] if parts[0] == "src" else parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
