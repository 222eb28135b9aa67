"""What a process that asks a foreign model may touch: the libraries, the model's own files, one folder to write.

Two walls, both of which stay up until the process ends. The kernel's (Landlock; Linux 5.13 and later) also holds
native code and code that fights back; where a kernel lacks it, Python's audit hook stands alone. The hook holds what
runs through the interpreter, names in the check's answer what was tried, and says it as a PermissionError.

Must not: be used in a process that has other work; there is no way out again.
"""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mlops_dash
from mlops_dash.tracking.models.landlock import restrict

# Facts about the machine that libraries look up, the same for everybody on it.
_PUBLIC = (
    "/dev/null", "/dev/zero", "/dev/random", "/dev/urandom", "/etc/ld.so.cache", "/etc/localtime", "/etc/mime.types",
    "/etc/os-release", "/lib", "/lib64", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/sys/devices/system",
    "/sys/fs/cgroup", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo",
)  # fmt: skip
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_THREAD_POOLS = re.compile(r"(omp|mkl|bli|goto|flexiblas|(scipy_)?openblas)_?\w*|dl_iterate_phdr", re.IGNORECASE)
_LISTS = frozenset({"os.listdir", "os.scandir"})
_CHANGES = frozenset({"os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.truncate", "os.chmod", "os.utime"})
_NEVER = frozenset(
    {
        "os.chown", "os.exec", "os.fork", "os.forkpty", "os.kill", "os.killpg", "os.link", "os.lockf", "os.posix_spawn",
        "os.removexattr", "os.setxattr", "os.spawn", "os.startfile", "os.symlink", "os.system", "pty.spawn",
        "resource.prlimit", "resource.setrlimit", "subprocess.Popen", "ctypes.call_function", "ctypes.cdata",
        "ctypes.cdata/buffer", "ctypes.string_at", "ctypes.wstring_at", "syslog.openlog", "syslog.syslog",
    }
)  # fmt: skip
_HARMLESS = frozenset({"socket.gethostname"})


class Walls:
    """The walls of this process; `refused` keeps what ran against them, so that swallowing the error hides nothing."""

    def __init__(self, model: Path, scratch: Path) -> None:
        self.refused: list[str] = []
        self._model = model.resolve()
        self._write = _Within([scratch.resolve()])
        self._read = _Within([*readable(), model.resolve(), scratch.resolve()])

    def raise_walls(self, scratch: Path, *, kernel: bool = True) -> bool:
        """Put them up, for good; says whether the kernel's stands too.

        Args:
            scratch: The folder that may be written.
            kernel: Whether to ask for the kernel's; without, the hook stands alone as on an older system.
        """
        held = kernel and restrict(read=[*readable(), self._model], write=[scratch.resolve()])
        sys.addaudithook(self._look)
        return held

    def _look(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            self._open(*arguments)
        elif event in _LISTS:
            if not self._may_read(arguments[0]):
                raise PermissionError(13, "A model that is checked may not list this folder", str(arguments[0]))
        elif event in _CHANGES:
            for path in arguments[: 2 if event == "os.rename" else 1]:
                if not self._write(path):
                    self._refuse(f"change {path}")
        elif event == "ctypes.dlopen":
            if arguments[0] and not self._may_read(arguments[0]):
                self._refuse(f"load the library {arguments[0]}")
        elif event in {"ctypes.dlsym", "ctypes.dlsym/handle"}:
            if not _THREAD_POOLS.fullmatch(str(arguments[1])):
                self._refuse(f"call the native function {arguments[1]}")
        elif event == "sqlite3.connect":
            if arguments[0] != ":memory:":
                self._refuse(f"open the database {arguments[0]}")
        elif event in _NEVER or (event.startswith("socket.") and event not in _HARMLESS):
            self._refuse(f"use {event}")

    def _open(self, path: Any, _mode: Any, flags: Any) -> None:
        writes = isinstance(flags, int) and bool(flags & _WRITES)
        if not (self._write(path) or _is_null(path) if writes else self._may_read(path)):
            shown = os.fsdecode(path)
            if writes or Path(shown).exists():
                self._refuse(f"{'write' if writes else 'read'} {shown}")
            raise PermissionError(13, "A model that is checked may not look here", shown)

    def _may_read(self, path: Any) -> bool:
        return self._read("." if path is None else path)

    def _refuse(self, what: str) -> None:
        self.refused.append(what[:200])
        raise PermissionError(13, f"A model that is checked may not {what[:200]}")


def readable() -> list[Path]:
    """Where libraries and public facts lie: this program, Python with its packages, and the system's libraries."""
    own = sysconfig.get_paths()
    found = {
        Path(mlops_dash.__file__).parent,
        *(Path(own[name]) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        Path(sys.base_prefix, "lib"),
        *map(Path, _PUBLIC),
        Path("/proc", str(os.getpid())),
        *([Path(sys.pycache_prefix)] if sys.pycache_prefix else []),
    }
    return sorted(path.resolve() for path in found if path.exists())


class _Within:
    """Whether a path, with every link followed, lies in one of these folders; an open file's number does."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self._exact = frozenset(map(str, roots))
        self._below = tuple(f"{root}{os.sep}" for root in self._exact)
        self._real, self._text = os.path.realpath, os.fsdecode  # as they are before any model can exchange them

    def __call__(self, path: Any) -> bool:
        if isinstance(path, int):
            return True
        text = self._text(path)
        if not text.startswith(os.sep) and os.pardir in Path(text).parts:
            return False  # relative to an open folder that is not told to us
        real = self._real(text)
        return real in self._exact or real.startswith(self._below)


def _is_null(path: Any) -> bool:
    return path in {"/dev/null", b"/dev/null"}
