"""Passwords as argon2id hashes, and what may be one.

Each hash takes 64 MiB and a core for a moment: 80 anonymous tries at once took 1.5 GB and 8.6 s of everybody's time. So
two are worked on at once, a few more wait, and the rest is told to come again.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from mlops_dash.errors import InvalidInput, Unavailable

MIN_PASSWORD, MAX_PASSWORD = 10, 200

AT_ONCE, IN_LINE, RESERVED = 2, 8, 4  # places in the line, and some for browsers that are known
_working = threading.BoundedSemaphore(AT_ONCE)
_line = threading.BoundedSemaphore(AT_ONCE + IN_LINE)
_reserved = threading.BoundedSemaphore(RESERVED)

_hasher = PasswordHasher()  # argon2id with the RFC 9106 low-memory profile


def hashed(password: str, name: str) -> str:
    """The argon2id hash of a password that `name` may use.

    Raises:
        InvalidInput: it is too short, too long, or the name itself.
        Unavailable: too many passwords are being checked.
    """
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise InvalidInput(
            f"A password of {len(password)} characters cannot be used.",
            hint=f"Use {MIN_PASSWORD} to {MAX_PASSWORD} characters; a few words are fine.",
        )
    if password.lower() == name.lower():
        raise InvalidInput("The password is the name.", hint="Choose another one.")
    with _turn():
        return _hasher.hash(password)


def fits(known: str, password: str, *, reserved: bool = False) -> bool:
    """Whether the password is the one behind the hash. Without a hash it takes as long, and the answer is no.

    With `reserved` it waits in a line of its own, which strangers cannot fill.

    Raises:
        Unavailable: too many passwords are being checked.
    """
    try:
        with _turn(_reserved if reserved else _line):
            _hasher.verify(known or _nobodys_hash(), password[:MAX_PASSWORD])
    except (Argon2Error, InvalidHashError):
        return False
    return bool(known)


@contextmanager
def _turn(line: threading.BoundedSemaphore = _line) -> Iterator[None]:
    if not line.acquire(blocking=False):
        raise Unavailable("Too many logins are being checked at this moment.", hint="Try again in a few seconds.")
    try:
        with _working:
            yield
    finally:
        line.release()


@lru_cache(maxsize=1)
def _nobodys_hash() -> str:
    """A hash to check unknown names against, so that they take as long as known ones."""
    return _hasher.hash(secrets.token_urlsafe(16))
