"""Landlock: a Linux process gives up, for good, what it does not need.

https://docs.kernel.org/userspace-api/landlock.html. It holds native code as well, for the calling thread and what it
starts; TCP from version 4 of it on, signals to other processes from version 6 on. The environment of other processes
is closed with it.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # numbers of the calls, the same on every processor
_VERSION_FLAG, _PATH_BENEATH, _NO_NEW_PRIVILEGES = 1, 1, 38
_WRITE_FILE, _READ_FILE, _READ_FOLDER = 1 << 1, 1 << 2, 1 << 3
_EVERYTHING = (13, 14, 15, 15, 16)  # how many rights on files the versions 1 to 5 know
_TCP, _SIGNALS_AND_ABSTRACT_SOCKETS = 0b11, 0b11


def restrict(*, read: Sequence[Path], write: Sequence[Path]) -> bool:
    """Allow this thread to read below some paths and to write below others, and nothing else; False: no Landlock here.

    Raises:
        OSError: the kernel knows it and refused.
    """
    if not sys.platform.startswith("linux"):
        return False
    version = _call(_CREATE, 0, 0, _VERSION_FLAG)
    if version < 1:
        return False
    everything = (1 << _EVERYTHING[min(version, len(_EVERYTHING)) - 1]) - 1
    asked = struct.pack("QQQ", everything, _TCP, _SIGNALS_AND_ABSTRACT_SOCKETS)[: 24 if version > 5 else 16]
    if version < 4:
        asked = asked[:8]
    rules = _checked(_call(_CREATE, asked, len(asked), 0))
    try:
        for path in read:
            _allow(rules, path, _READ_FILE | _READ_FOLDER)
        for path in (*write, Path(os.devnull)):
            _allow(rules, path, everything)
        _checked(ctypes.CDLL(None, use_errno=True).prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
        _checked(_call(_RESTRICT, rules, 0))
    finally:
        os.close(rules)
    return True


def _allow(rules: int, path: Path, rights: int) -> None:
    if not path.is_dir():
        rights &= _READ_FILE | _WRITE_FILE
    opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        _checked(_call(_ADD, rules, _PATH_BENEATH, struct.pack("=Qi", rights, opened), 0))
    finally:
        os.close(opened)


def _call(number: int, *arguments: int | bytes) -> int:
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    syscall.restype = ctypes.c_long
    words = [one if isinstance(one, bytes) else ctypes.c_long(one) for one in arguments]
    return int(syscall(ctypes.c_long(number), *words))


def _checked(answer: int) -> int:
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return answer
