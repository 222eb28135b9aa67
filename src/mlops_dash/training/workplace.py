"""Where does a recipe's program work? In our environment or a venv of its requirements; here or in a git checkout.

A venv is made once by Python's own `venv` and pip, and kept under the home by the hash of its requirements, with the
commit where they install from the checkout. A repository is kept as a mirror; every run has a checkout of its own, at
the recipe's commit, which goes with the run.
Must not: know what is trained.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from mlops_dash.errors import InvalidInput
from mlops_dash.training.copied import changed_since, copy_of

GIT_SECONDS = 600.0
_LAST = 50  # lines in which a tool says why it failed
_LEFT_SECONDS = 30 * 86_400.0
_NESTED = re.compile(r"\s*(?:-r|--requirement|-c|--constraint)[ =]\s*(\S+)")
_LINKS = re.compile(r"\s*(?:-f|--find-links)[ =]\s*(\S+)")
_EDITABLE = re.compile(r"\s*(?:-e|--editable)(?:[ =]|$)")
_FILE = re.compile(r"(?:^|@\s*)file:(?://(?:localhost)?)?([^\s;#]+)")
_ARCHIVES = (".whl", ".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2")
_READY = "mlops-dash-ready"  # in a venv that was made to its end
_GIT = {"GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh", "GIT_LFS_SKIP_SMUDGE": "1"}
Write = Callable[[str], object]


@dataclass(frozen=True)
class Wanted:
    """What a recipe asks for; "" is this environment, and no checkout.

    Attributes:
        recipe: Whose, for sentences.
        requirements: A pip requirements file: absolute, or inside the checkout.
        repository: An address that git reads; without a commit a plain folder, of which each run has a copy.
        commit: Which commit of it.
    """

    recipe: str
    requirements: str = ""
    repository: str = ""
    commit: str = ""


@dataclass(frozen=True)
class Workplace:
    """Where a program works: `python` runs it, in `folder` ("" = where we are).

    `environment` is the venv's hash, `copied` that of a plain folder's copy.
    """

    python: str = sys.executable
    folder: str = ""
    environment: str = ""
    copied: str = ""


@contextmanager
def workplace(wanted: Wanted, home: Path, *, write: Write) -> Iterator[Workplace]:
    """Make what a recipe asks for, or find it kept; its checkout is removed afterwards.

    Args:
        wanted: What it asks for.
        home: The installation's folder; `environments/` and `repositories/` are kept below it.
        write: Takes lines of what git and pip say.

    Raises:
        InvalidInput: git is missing, or it or pip failed, or a file is not there; the sentence names it.
    """
    if not wanted.repository and not wanted.requirements:
        yield Workplace()
        return
    home = home.absolute()  # pip works beside the file of requirements
    with _own_folder(home / "checkouts") as own:
        folder = str(Path(own, "checkout")) if wanted.repository else ""
        copied = ""
        if wanted.commit:
            _check_out(wanted, home / "repositories", Path(folder), write)
        elif wanted.repository:
            copied = _copy(wanted, home / "folders", Path(folder), write)
        if not wanted.requirements:
            yield Workplace(folder=folder, copied=copied)
            return
        file = Path(folder, wanted.requirements)
        found = digest_of(file, wanted.recipe, checkout=folder, commit=wanted.commit or copied)
        yield Workplace(_venv(wanted, file, home / "environments", found, write), folder, found, copied)


@contextmanager
def _own_folder(below: Path) -> Iterator[str]:
    """A folder that goes with the run; those that a killed run left behind go after a month."""
    below.mkdir(parents=True, exist_ok=True)
    for left in below.iterdir():
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > _LEFT_SECONDS:
                shutil.rmtree(left)
    with tempfile.TemporaryDirectory(dir=below) as own:
        yield own


def plain_environment(base: Mapping[str, str]) -> dict[str, str]:
    """`base` without what would bring our own packages into somebody's venv."""
    return {name: value for name, value in base.items() if name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}


def digest_of(file: Path, recipe: str, *, checkout: str = "", commit: str = "") -> str:
    """What a venv is kept by: sha256 of the file, of those that it names, and of the Python that it is for.

    Where it installs from a folder of the checkout, the commit counts too, and of an archive its bytes.

    Args:
        file: The requirements.
        recipe: Whose, for sentences.
        checkout: Folder of the checkout; "" = there is none.
        commit: Of the checkout.

    Raises:
        InvalidInput: one of them cannot be read, a line is editable, or names a folder that no commit holds.
    """
    seen: dict[Path, bytes] = {}
    wanted, own = [file], set[str]()
    while wanted:
        path = wanted.pop()
        if path in seen:
            continue
        try:
            seen[path] = path.read_bytes()
        except OSError as error:
            raise InvalidInput(
                f"The requirements {path.name} of {recipe} cannot be read: {error.strerror}.",
                hint="Name a file on the machine of the worker, or one in the checkout.",
            ) from error
        lines = seen[path].decode(errors="replace").replace("\\\n", " ").splitlines()
        wanted += [path.parent / one[1] for line in lines if (one := _NESTED.match(line))]
        own |= {commit for line in lines if (one := _LINKS.match(line)) and _inside(path.parent / one[1], checkout)}
        own |= {_pinned(line, file, recipe, checkout, commit) for line in lines}
    whole = hashlib.sha256(sys.version.encode())
    for path in sorted(seen):
        whole.update(hashlib.sha256(seen[path]).digest())
    whole.update("\n".join(sorted(own - {""})).encode())
    return whole.hexdigest()[:32]


def _pinned(line: str, file: Path, recipe: str, checkout: str, commit: str) -> str:
    """What holds the code that a line installs from this machine: the commit, or a hash; "" where it names a package.

    Raises:
        InvalidInput: nothing does.
    """
    if _EDITABLE.match(line):
        raise InvalidInput(
            f"The requirements {file.name} of {recipe} have an editable line: {line.strip()[:100]}.",
            hint="Write it without -e: a kept environment outlives the folder that it would point to.",
        )
    said = _on_this_machine(line)
    if not said:
        return ""
    path = file.parent / said
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    if not _inside(path, checkout):
        raise InvalidInput(
            f"The requirements {file.name} of {recipe} install from {said[:100]}, which no commit holds.",
            hint="Name a wheel of it, or keep it in the recipe's repository, with the file of requirements.",
        )
    return commit


def _on_this_machine(line: str) -> str:
    """The path that a line installs; "" where it names a package or an address.

    >>> [_on_this_machine(one) for one in ("./libs/birds[all]", "birds @ file:///srv/b.whl", "birds==2", "-f ./wheels")]
    ['./libs/birds', '/srv/b.whl', '', '']
    """
    text = os.path.expandvars(re.sub(r"(^|\s)#.*$", "", line).strip())
    if found := _FILE.search(text):
        return unquote(found[1])
    first = re.split(r"[\s;\[]", text, maxsplit=1)[0]
    if first.startswith("-") or "://" in first:
        return ""
    return first if "/" in first or first.startswith(".") or first.endswith(_ARCHIVES) else ""


def _inside(path: Path, checkout: str) -> bool:
    return checkout != "" and path.resolve().is_relative_to(Path(checkout).resolve())


def _venv(wanted: Wanted, file: Path, kept: Path, digest: str, write: Write) -> str:
    """The Python of the venv, made now unless it is there; one process makes it, others wait."""
    place = kept / digest
    python = place / "bin" / "python"
    kept.mkdir(parents=True, exist_ok=True)
    with (kept / f"{digest}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # goes with us, however we end
        if (place / _READY).is_file() and python.exists():
            return str(python)
        shutil.rmtree(place, ignore_errors=True)
        write(f"making the environment {digest} of {file.name}\n")
        what = f"The environment of {wanted.recipe} cannot be made"
        _run([sys.executable, "-m", "venv", str(place)], write, what, plain_environment(os.environ))
        pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "-r", str(file)]
        try:
            _run(pip, write, what, plain_environment(os.environ), folder=file.parent)
        except InvalidInput:
            shutil.rmtree(place, ignore_errors=True)
            raise
        (place / _READY).write_text(file.name, encoding="utf-8")
    return str(python)


def _check_out(wanted: Wanted, kept: Path, folder: Path, write: Write) -> None:
    if shutil.which("git") is None:
        raise InvalidInput(
            f"The recipe {wanted.recipe} works in a git checkout, and git is not installed on this machine.",
            hint="Install git where the worker runs.",
        )
    mirror = kept / f"{hashlib.sha256(wanted.repository.encode()).hexdigest()[:32]}.git"
    kept.mkdir(parents=True, exist_ok=True)
    what, env = f"The repository of {wanted.recipe} cannot be read", {**os.environ, **_GIT}
    with mirror.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (mirror / "HEAD").is_file():
            shutil.rmtree(mirror, ignore_errors=True)
            _run(["git", "clone", "--quiet", "--mirror", "--", wanted.repository, str(mirror)], write, what, env)
        elif not _has(mirror, wanted.commit, env):
            _run(["git", "-C", str(mirror), "fetch", "--quiet", "--prune"], write, what, env)
        if not _has(mirror, wanted.commit, env):
            raise InvalidInput(
                f"The repository of {wanted.recipe} has no commit {wanted.commit}.", hint="Push it, or name another."
            )
        clone = ["git", "clone", "--quiet", "--no-checkout", "--", str(mirror), str(folder)]
        _run(clone, write, what, env)
    _run(["git", "-C", str(folder), "checkout", "--quiet", "--detach", wanted.commit], write, what, env)
    write(f"working in {wanted.repository} at {wanted.commit}\n")


def _copy(wanted: Wanted, kept: Path, folder: Path, write: Write) -> str:
    source = Path(wanted.repository)
    digest = copy_of(source, folder, wanted.recipe)
    before = changed_since(kept, source, digest)
    write(f"working in a copy of {source}, sha256 {digest}\n")
    if before:
        write(f"WARN {source} has changed since the last run here, which was of sha256 {before}\n")
    return digest


def _has(mirror: Path, commit: str, env: Mapping[str, str]) -> bool:
    asked = ["git", "-C", str(mirror), "cat-file", "-e", f"{commit}^{{commit}}"]
    return subprocess.run(asked, capture_output=True, env=env, timeout=GIT_SECONDS, check=False).returncode == 0


def _run(argv: Sequence[str], write: Write, what: str, env: Mapping[str, str], *, folder: Path | None = None) -> None:
    """Run a tool to its end, its output in the log as it comes; it works in the folder, or where we are.

    Raises:
        InvalidInput: it failed; its last words are the reason.
    """
    lines: list[str] = []
    try:
        with subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, text=True,
            errors="replace", cwd=folder,
        ) as tool:  # fmt: skip
            for line in tool.stdout or ():
                if line.strip():
                    lines = [*lines[-_LAST:], line.strip()]
                    write(f"{line.rstrip()}\n")
    except OSError as error:
        raise InvalidInput(f"{what}: {argv[0]} cannot be started: {error.strerror}.") from error
    if tool.returncode:
        said = [line for line in lines if re.match(r"(ERROR|error|fatal):", line)] or lines
        raise InvalidInput(f"{what}: {said[-1][:300] if said else 'it said nothing'}", hint="The log says more.")
