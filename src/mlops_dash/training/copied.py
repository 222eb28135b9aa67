"""A plain folder as a working folder: copied when a run begins, and named by the hash of what was copied.

The copy is what runs, so a file that is saved meanwhile changes nothing, and the hash says what ran.
Must not: follow a link out of the folder, or take what is no file.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import stat
from pathlib import Path

from mlops_dash.errors import InvalidInput

MOST_FILES, MOST_BYTES = 20_000, 2 * 2**30
LEFT_OUT = frozenset({".git", "__pycache__", ".venv", ".ipynb_checkpoints", "mlruns"})  # never part of the program
_BLOCK = 2**20


def copy_of(folder: Path, into: Path, recipe: str) -> str:
    """Copy a folder, and give the sha256 of what was copied: each path, whether it may be run, and its bytes.

    Args:
        folder: The plain folder.
        into: A new folder, inside one that exists.
        recipe: Whose, for sentences.

    Raises:
        InvalidInput: there is no such folder, a file of it cannot be read, or it is too large to be a program's.
    """
    if not folder.is_dir():
        raise InvalidInput(
            f"The folder {folder} of {recipe} is not there.", hint="It must be on the machine of the worker."
        )
    if into.resolve().is_relative_to(folder.resolve()):
        raise InvalidInput(
            f"The folder {folder} of {recipe} holds our own files.", hint="Name the program's own folder."
        )
    whole, files, size = hashlib.sha256(), 0, 0
    into.mkdir()
    try:
        for place, folders, names in os.walk(folder, onerror=_cannot):
            folders[:] = sorted(name for name in folders if name not in LEFT_OUT)
            below = Path(place).relative_to(folder)
            (into / below).mkdir(exist_ok=True)
            linked = [name for name in folders if Path(place, name).is_symlink()]
            for name in sorted([*names, *linked]):
                path, copy = Path(place, name), into / below / name
                mode = path.lstat().st_mode
                if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
                    continue  # a socket or a device is no part of a program
                files, size = files + 1, size + (path.lstat().st_size if stat.S_ISREG(mode) else 0)
                if files > MOST_FILES or size > MOST_BYTES:
                    raise _too_large(folder, recipe)
                shutil.copy2(path, copy, follow_symlinks=False)
                whole.update(f"{(below / name).as_posix()}\0{_kind(copy)}\0".encode(errors="surrogateescape"))
                whole.update(_bytes_of(copy))
    except OSError as error:
        raise InvalidInput(f"The folder {folder} of {recipe} cannot be read: {error.strerror}.") from error
    return whole.hexdigest()


def changed_since(kept: Path, folder: Path, digest: str) -> str:
    """The hash of the folder's last run here, where that was another, else ""; the one of now is kept.

    Args:
        kept: Where notes are kept, a folder of ours.
        folder: The plain folder.
        digest: Of what runs now.
    """
    kept.mkdir(parents=True, exist_ok=True)
    note = kept / hashlib.sha256(str(folder).encode(errors="surrogateescape")).hexdigest()[:32]
    with note.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        before = file.read().strip()
        file.truncate(0)
        file.write(digest)
    return before if before not in ("", digest) else ""


def _kind(path: Path) -> str:
    if path.is_symlink():
        return "link"
    return "program" if path.stat().st_mode & stat.S_IXUSR else "file"


def _bytes_of(path: Path) -> bytes:
    """sha256 of a file's bytes, or of where a link points."""
    found = hashlib.sha256()
    if path.is_symlink():
        found.update(os.fsencode(path.readlink()))
        return found.digest()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            found.update(block)
    return found.digest()


def _too_large(folder: Path, recipe: str) -> InvalidInput:
    return InvalidInput(
        f"The folder {folder} of {recipe} holds more than {MOST_FILES:,} files or {MOST_BYTES // 2**30} GiB.",
        hint="Keep data elsewhere: the folder is copied for each run.",
    )


def _cannot(error: OSError) -> None:
    raise error
