"""A program's own venv and checkout: made once, without a network, kept by what they hold, and named when they fail."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from mlops_dash.errors import InvalidInput
from mlops_dash.training.workplace import Wanted, Workplace, digest_of, plain_environment, workplace

_ME = {"GIT_AUTHOR_NAME": "team", "GIT_AUTHOR_EMAIL": "team@example.com", "GIT_COMMITTER_NAME": "team",
       "GIT_COMMITTER_EMAIL": "team@example.com", "GIT_CONFIG_GLOBAL": os.devnull}  # fmt: skip


def wheel(folder: Path, *, crates: int = 12) -> Path:
    """A wheel of a team's own module, and the requirements that find it in that folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / "their_crates-1.0-py3-none-any.whl", "w") as file:
        file.writestr("their_crates.py", f"CRATES = {crates}\n")
        file.writestr(
            "their_crates-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: their-crates\nVersion: 1.0\n"
        )
        file.writestr(
            "their_crates-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr("their_crates-1.0.dist-info/RECORD", "")
    path = folder / "requirements.txt"
    path.write_text(f"--no-index\n--find-links {folder}\ntheir-crates==1.0\n")
    return path


def repository(folder: Path, files: dict[str, str]) -> tuple[str, str]:
    """A repository of a team with one commit; gives its address and that commit."""
    folder.mkdir(parents=True, exist_ok=True)

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(folder), *words], check=True, capture_output=True, text=True, env={**os.environ, **_ME}
        ).stdout.strip()

    if not (folder / ".git").is_dir():
        git("init", "--quiet")
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git("add", "-A")
    git("commit", "--quiet", "-m", "a week")
    return f"file://{folder}", git("rev-parse", "HEAD")


def test_nothing_asked_is_where_we_are(tmp_path: Path) -> None:
    with workplace(Wanted("weekly"), tmp_path / "home", write=print) as place:
        assert place == Workplace()
    assert not (tmp_path / "home").exists()


@pytest.mark.timeout(300)
def test_a_venv_is_made_once_kept_by_its_hash_and_holds_only_what_it_asks_for(tmp_path: Path) -> None:
    file, said = wheel(tmp_path / "it's wheels"), []
    file.write_text(file.read_text().replace(str(tmp_path / "it's wheels"), "."))
    os.chdir(tmp_path / "it's wheels")
    wanted = Wanted("weekly", requirements=str(file))
    with workplace(wanted, tmp_path / "home", write=said.append) as place:
        code = "import their_crates, importlib.util as u; print(their_crates.CRATES, u.find_spec('mlops_dash'))"
        answer = subprocess.run(
            [place.python, "-c", code], capture_output=True, text=True, check=True, env=plain_environment(os.environ)
        )
        assert answer.stdout.strip() == "12 None", "ours are not in it"
    assert place.environment in place.python
    assert any("their-crates" in line or "their_crates" in line for line in said), "what pip says is told"
    said.clear()
    with workplace(wanted, tmp_path / "home", write=said.append) as again:
        assert again.python == place.python
    assert said == [], "it is kept"
    before = digest_of(file, "weekly")
    (file.parent / "more.txt").write_text("their-crates\n")
    file.write_text(f"{file.read_text()}-r more.txt\n")
    nested = digest_of(file, "weekly")
    (file.parent / "more.txt").write_text("their-crates<2\n")
    assert len({before, nested, digest_of(file, "weekly")}) == 3, "files that it names count too"


@pytest.mark.timeout(300)
def test_what_pip_cannot_install_is_named_and_no_half_venv_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text("--no-index\nno-such-crates==3.1\n")
    with (
        pytest.raises(InvalidInput, match=r"The environment of weekly cannot be made: ERROR: .*no-such-crates==3\.1"),
        workplace(Wanted("weekly", requirements=str(file)), tmp_path / "home", write=lambda _line: None),
    ):
        pass
    kept = [path for path in (tmp_path / "home" / "environments").iterdir() if path.is_dir()]
    assert kept == []
    with (
        pytest.raises(InvalidInput, match=r"The requirements none\.txt of weekly cannot be read: No such file"),
        workplace(Wanted("weekly", requirements=str(tmp_path / "none.txt")), tmp_path / "home", write=print),
    ):
        pass


BACKEND = """
import zipfile
def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "their_library-1.0-py3-none-any.whl"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as file:
        file.write("their_library.py")
        about = "their_library-1.0.dist-info"
        file.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\\nName: their-library\\nVersion: 1.0\\n")
        file.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        file.writestr(f"{about}/RECORD", "")
    return name
"""


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@pytest.mark.timeout(300)
def test_a_folder_of_the_checkout_is_installed_as_it_is_at_that_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at(crates: int) -> dict[str, str]:
        return {
            "needs/requirements.txt": "--no-index\n./libs/their-library  # what's shared\n",
            "needs/libs/their-library/their_library.py": f"CRATES = {crates}\n",
            "needs/libs/their-library/their_backend.py": BACKEND,
            "needs/libs/their-library/pyproject.toml": (
                '[build-system]\nrequires = []\nbuild-backend = "their_backend"\nbackend-path = ["."]\n'
            ),
        }

    monkeypatch.chdir(tmp_path)
    answers, commits = [], []
    for crates in (12, 13):
        address, commit = repository(tmp_path / "their repo", at(crates))
        commits.append(commit)
        wanted = Wanted("weekly", "needs/requirements.txt", address, commit)
        with workplace(wanted, Path("home"), write=print) as place:
            code = "import their_library; print(their_library.CRATES)"
            told = subprocess.run([place.python, "-I", "-c", code], capture_output=True, text=True, check=True)
            answers.append(told.stdout.strip())
    assert answers == ["12", "13"], "the same requirements, another commit"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("-e .", "have an editable line: -e ."),
        ("--editable=./libs/birds", "have an editable line"),
        ("-e \\\n  ./libs/birds", "have an editable line"),
        (".", "install from ., which no commit holds"),
        ("./libs/birds[all] ; python_version > '3'", "install from ./libs/birds, which no commit holds"),
        ("birds @ file:///srv/team/birds", "install from /srv/team/birds, which no commit holds"),
    ],
)
def test_what_no_commit_holds_is_refused(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "more.txt").write_text(f"{line}\n")
    file = tmp_path / "requirements.txt"
    file.write_text("birds-of-theirs==2.1\n-r more.txt\n")
    with pytest.raises(InvalidInput) as refused:
        digest_of(file, "weekly")
    assert said in refused.value.sentence()


def test_an_archive_counts_by_its_bytes_and_wheels_of_a_checkout_by_its_commit(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text("./their_crates-1.0-py3-none-any.whl\n")
    found = set()
    for crates in (12, 13):
        wheel(tmp_path, crates=crates)
        file.write_text("./their_crates-1.0-py3-none-any.whl\n")
        found.add(digest_of(file, "weekly"))
    file.write_text("--no-index\n--find-links wheels\ntheir-crates\n")
    found |= {digest_of(file, "weekly", checkout=str(tmp_path), commit=one) for one in ("a", "b")}
    assert len(found) == 4


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_each_run_has_a_checkout_of_its_own_at_the_commit(tmp_path: Path) -> None:
    address, first = repository(tmp_path / "their repo", {"train.py": "print('one')\n"})
    home, said = tmp_path / "home", []
    with workplace(Wanted("weekly", repository=address, commit=first), home, write=said.append) as place:
        (Path(place.folder) / "left.parquet").write_text("rows")
        with workplace(Wanted("weekly", repository=address, commit=first), home, write=said.append) as beside:
            assert not (Path(beside.folder) / "left.parquet").exists()
    assert not Path(place.folder).exists(), "it goes with the run"
    assert said[-1] == f"working in {address} at {first}\n"
    _, second = repository(tmp_path / "their repo", {"train.py": "print('two')\n"})
    for commit, text in ((second, "print('two')\n"), (first, "print('one')\n")):
        with workplace(Wanted("weekly", repository=address, commit=commit), home, write=said.append) as place:
            assert (Path(place.folder) / "train.py").read_text() == text, "what came since is fetched"
    with (
        pytest.raises(InvalidInput, match="has no commit " + "0" * 40),
        workplace(Wanted("weekly", repository=address, commit="0" * 40), home, write=said.append),
    ):
        pass
    with (
        pytest.raises(InvalidInput, match="The repository of weekly cannot be read: fatal: "),
        workplace(Wanted("weekly", repository=f"file://{tmp_path}/none", commit=first), home, write=said.append),
    ):
        pass


def test_without_git_a_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    wanted = Wanted("weekly", repository="file:///srv/birds", commit="0" * 40)
    with (
        pytest.raises(InvalidInput, match="git is not installed on this machine"),
        workplace(wanted, tmp_path / "home", write=print),
    ):
        pass
