"""Passwords as argon2id hashes, and what may be one."""

from __future__ import annotations

import secrets
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from mlops_dash.errors import InvalidInput

MIN_PASSWORD, MAX_PASSWORD = 10, 200

_hasher = PasswordHasher()  # argon2id with the RFC 9106 low-memory profile


def hashed(password: str, name: str) -> str:
    """The argon2id hash of a password that `name` may use.

    Raises:
        InvalidInput: it is too short, too long, or the name itself.
    """
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise InvalidInput(
            f"A password of {len(password)} characters cannot be used.",
            hint=f"Use {MIN_PASSWORD} to {MAX_PASSWORD} characters; a few words are fine.",
        )
    if password.lower() == name.lower():
        raise InvalidInput("The password is the name.", hint="Choose another one.")
    return _hasher.hash(password)


def fits(known: str, password: str) -> bool:
    """Whether the password is the one behind the hash. Without a hash it takes as long, and the answer is no."""
    try:
        _hasher.verify(known or _nobodys_hash(), password[:MAX_PASSWORD])
    except (Argon2Error, InvalidHashError):
        return False
    return bool(known)


@lru_cache(maxsize=1)
def _nobodys_hash() -> str:
    """A hash to check unknown names against, so that they take as long as known ones."""
    return _hasher.hash(secrets.token_urlsafe(16))
