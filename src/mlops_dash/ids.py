"""Identifiers: sortable ids for our own rows, and stable ids for rows that come without one."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Callable
from typing import Any

_NAMESPACE = uuid.UUID("6a5d3c2e-8f5b-5f0e-9f57-3c8f6f0f2013")
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"

NewId = Callable[[], str]


def new_id() -> str:
    """A random 26-character id without look-alike letters (130 bits of randomness)."""
    number = int.from_bytes(os.urandom(17), "big") >> 6
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))


def canonical_json(value: Any) -> str:
    """JSON with sorted keys, no spaces and no NaN: the text that digests are made of.

    Raises:
        ValueError: a number is NaN or infinite (say None and a reason instead).
        TypeError: a value has no JSON form.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def sha256_text(text: str) -> str:
    """The sha256 of the text's UTF-8 bytes, 64 hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def digest(value: Any) -> str:
    """sha256 of the canonical JSON of `value`."""
    return sha256_text(canonical_json(value))


def prediction_id(model: str, at_iso: str, canonical_row: str, running_number: int) -> str:
    """A stable id for a scored row that came without one: uuid5 of model, time, row and its number among equals."""
    return str(uuid.uuid5(_NAMESPACE, f"{model}\n{at_iso}\n{canonical_row}\n{running_number}"))
