"""The repository holds nothing of one machine, installs from hashes alone, and its map is true."""

from __future__ import annotations

import re
import subprocess
import sys
from urllib.parse import urlparse

import pytest

from tests.architecture.tree import ROOT, TEXT, tracked

LOCK = ROOT / "requirements.lock"
# Spelt apart, so that this file does not hold what it forbids.
INDEX_HOSTS = (
    "pypi" + ".org",
    "python" + "hosted.org",
    "npmjs" + ".org",
    "np" + "mjs.com",
    "art" + "ifactory",
    "deb" + "ian.org",
)
HOME_PATHS = re.compile(
    r"(?<![\w.}~])/(?:" + "|".join(["wo" + "rk", "ro" + "ot", "ho" + r"me/\w+", "Us" + r"ers/\w+", "fa" + "rm"]) + r")/"
)


def texts() -> list[tuple[str, str]]:
    readable = [name for name in tracked() if (ROOT / name).suffix in TEXT]
    return [(name, (ROOT / name).read_text(encoding="utf-8")) for name in readable]


def lines_with(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name}:{number}"
        for name, text in texts()
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]


def test_no_path_of_one_machine_is_written_down() -> None:
    assert lines_with(HOME_PATHS) == []


def test_no_package_index_is_written_down() -> None:
    settings = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    here = {urlparse(url).hostname for url in re.findall(r"https?://[^\s'\"]+", settings.stdout)}
    hosts = [*INDEX_HOSTS, *(host for host in here if host and host not in {"localhost", "127.0.0.1"})]
    assert lines_with(re.compile("|".join(map(re.escape, hosts)))) == []
    assert not any(host in LOCK.read_text() for host in hosts)


def test_every_locked_package_has_hashes_and_no_address() -> None:
    bare, options = [], []
    for block in re.split(r"\n(?=\S)", LOCK.read_text()):
        first = block.splitlines()[0]
        if first.startswith("-") or "://" in block:
            options.append(first)
        elif not first.startswith("#") and "--hash=sha256:" not in block:
            bare.append(first)
    assert options == []
    assert bare == []


def test_there_is_no_uv_lock() -> None:
    assert not (ROOT / "uv.lock").exists()


def test_every_dependency_of_the_project_is_locked() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(word for extra in project["optional-dependencies"].values() for word in extra),
    ]
    names = {re.split(r"[<>=!\[; ~]", word)[0].lower() for word in wanted}
    locked = set(re.findall(r"^([\w.-]+)==", LOCK.read_text(), flags=re.MULTILINE))
    assert names - locked == set()


# --- the map in README.md ---------------------------------------------------------------------------------------------

NOT_ON_THE_MAP = {"README.md", "LICENSE", ".gitignore", ".gitattributes"}


def mapped() -> set[str]:
    """The paths in the block below "## Map"; an indented line lies in the folder above it."""
    readme = (ROOT / "README.md").read_text()
    found = re.search(r"^## Map\n+```\w*\n(.*?)^```", readme, flags=re.MULTILINE | re.DOTALL)
    if found is None:
        pytest.fail('README.md has no block below "## Map"')
    paths, above = set(), ""
    for line in found[1].splitlines():
        word = line.split()[0]
        if line.startswith(" "):
            paths.add(above + word)
        else:
            above = word
            paths.add(word)
    return paths


def test_everything_on_the_map_exists() -> None:
    folders = {f"{'/'.join(name.split('/')[:depth])}/" for name in tracked() for depth in range(1, name.count("/") + 1)}
    assert {path for path in mapped() if path not in folders and path not in tracked()} == set()


def test_every_room_is_on_the_map() -> None:
    rooms = set()
    for name in tracked():
        parts = name.split("/")
        if parts[0] == "src":
            rooms.add(f"src/{parts[1]}/")
            if len(parts) > 3:
                rooms.add(f"src/{parts[1]}/{parts[2]}/")
        else:
            rooms.add(parts[0] if len(parts) == 1 else f"{parts[0]}/")
    assert rooms - mapped() - NOT_ON_THE_MAP == set()
