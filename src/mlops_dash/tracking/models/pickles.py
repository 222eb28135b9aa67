"""What do a model's files ask for when they are unpickled? Their bytes are read, never loaded."""

from __future__ import annotations

import io
import pickletools
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_SUFFIXES = (".pkl", ".pickle", ".joblib", ".p")
_PROTOCOL = b"\x80"  # how a pickle of protocol 2 and later begins
_STRINGS = frozenset({"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE", "STRING", "BINSTRING"})
_MOST_BYTES = 256 * 2**20  # of a file in an archive, unpacked
_NAME = re.compile(r"\w+(\.\w+)*")

HIDDEN = "(a name that the pickle computes)"
BROKEN = "(the rest is no plain pickle)"
MORE = "(more bytes follow the pickle)"


def read_file(path: Path, *, named: bool) -> tuple[dict[str, tuple[str, ...]], bool]:
    """What a file of a model asks for, by pickle in it, and whether it was understood.

    Args:
        path: The file.
        named: Whether the MLmodel file names it, so that something reads it whatever it is called.

    Returns:
        By pickle ("" = the file itself, else its path in the archive) the names, sorted; and False for bytes that are
        no text, no archive and no pickle, of which nothing can be said.
    """
    data = path.read_bytes()
    found: dict[str, tuple[str, ...]] = {}
    if path.suffix in _SUFFIXES or data.startswith(_PROTOCOL):
        found[""] = imports_of(data)
    else:
        names = imports_of(data)
        real = any(name == HIDDEN or _NAME.fullmatch(name) for name in names)
        if real and (named or BROKEN not in names):
            found[""] = names
    if zipfile.is_zipfile(path):
        try:
            found |= _in_archive(path)
        except (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, NotImplementedError, EOFError, ValueError):
            return found, False  # damaged, encrypted, or packed in a way that is not known here
        return found, True
    return found, bool(found) or _is_text(data)


def _in_archive(path: Path) -> dict[str, tuple[str, ...]]:
    found = {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            with archive.open(member) as file:
                begin = file.read(1)
                if begin != _PROTOCOL and not member.filename.endswith(_SUFFIXES):
                    continue
                data = begin + file.read(_MOST_BYTES)
            found[member.filename] = imports_of(data)
    return found


def imports_of(pickled: bytes) -> tuple[str, ...]:
    """Every name that a pickle asks for, without loading it; what it computes, or what is not read, is said as such.

    >>> import pickle, fractions
    >>> imports_of(pickle.dumps(fractions.Fraction))
    ('fractions.Fraction',)
    """
    return tuple(sorted(set(_asked_for(pickled))))


def _asked_for(pickled: bytes) -> Iterator[str]:
    stream = io.BytesIO(pickled)
    while True:
        try:
            yield from _of_the_next(stream)
        except (ValueError, IndexError, UnicodeDecodeError):  # arrays stand between the parts of a joblib file
            yield BROKEN
            return
        following = pickled[stream.tell() : stream.tell() + 1]
        if following:
            yield MORE
        if following != _PROTOCOL:
            return


def _of_the_next(stream: io.BytesIO) -> Iterator[str]:
    """What the pickle that begins here asks for; leaves the stream behind its last byte."""
    memo: dict[int, str | None] = {}
    pushed: list[str | None] = []
    for code, argument, _ in pickletools.genops(stream):
        name = code.name
        if name in {"GLOBAL", "INST"}:
            yield str(argument).replace(" ", ".", 1)
            pushed.append(None)
        elif name == "STACK_GLOBAL":
            module, attribute = pushed[-2:] if len(pushed) > 1 else (None, None)
            yield HIDDEN if module is None or attribute is None else f"{module}.{attribute}"
            pushed.append(None)
        elif name in {"MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"}:
            memo[len(memo) if name == "MEMOIZE" else int(str(argument))] = pushed[-1] if pushed else None
        elif name in {"GET", "BINGET", "LONG_BINGET"}:
            pushed.append(memo.get(int(str(argument))))
        elif name != "FRAME" and name != "PROTO":
            pushed.append(_text(name, argument))


def _text(name: str, argument: Any) -> str | None:
    return str(argument) if name in _STRINGS else None


def _is_text(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\0" not in data
