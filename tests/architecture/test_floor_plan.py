"""The page docs/architecture.md is true: every file and folder that it names exists, and every room is on it."""

from __future__ import annotations

import re

from tests.architecture.tree import ROOT, tracked

PAGE = ROOT / "docs" / "architecture.md"
PLACES = ("", "src/mlops_dash/", "app/")  # a path is named from the root, or as the layer's own file


def named() -> set[str]:
    """Everything on the page that looks like a path of ours, without a function behind a colon."""
    words = re.findall(r"[\w./-]+", PAGE.read_text())
    return {word.rstrip(".") for word in words if "/" in word and re.search(r"\.(py|toml|md)$|/$", word.rstrip("."))}


def there(path: str) -> bool:
    files = tracked()
    return any(
        f"{place}{path}" in files
        if not path.endswith("/")
        else any(name.startswith(f"{place}{path}") for name in files)
        for place in PLACES
    )


def test_every_path_on_the_page_exists() -> None:
    paths = {path for path in named() if "NAME" not in path and "NOUN" not in path and "://" not in path}
    assert len(paths) > 40
    assert {path for path in paths if not there(path)} == set()


def test_every_room_of_the_package_and_the_app_is_on_the_page() -> None:
    text = PAGE.read_text()
    rooms = {
        "/".join(name.split("/")[:depth]) + "/"
        for name in tracked()
        for root, depth in (("src/mlops_dash/", 3), ("app/", 2))
        if name.startswith(root) and name.count("/") >= depth and name.endswith(".py")
    }
    assert {room for room in rooms if room not in text} == set()


def test_every_function_that_a_walk_names_is_in_its_file() -> None:
    pairs = re.findall(r"`([\w/]+\.py): (\w+)`", PAGE.read_text())
    assert len(pairs) >= 4
    lost = []
    for path, function in pairs:
        file = next((ROOT / place / path for place in PLACES if (ROOT / place / path).is_file()), None)
        if file is None or not re.search(rf"def {function}\b", file.read_text()):
            lost.append(f"{path}: {function}")
    assert lost == []
