"""Identifiers: sortable ids for our own rows, and stable ids for rows that come without one."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

_NAMESPACE = uuid.UUID("6a5d3c2e-8f5b-5f0e-9f57-3c8f6f0f2013")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BITS_48 = 2**48 - 1
_VARIANT = {digit: "89ab"[place % 4] for place, digit in enumerate("0123456789abcdef")}
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


def keyed(key: bytes, *parts: str) -> str:
    """What stands for a name where it must not be kept: 16 hex digits that nobody without the key can make again."""
    return hmac.new(key, "\n".join(parts).encode(), hashlib.sha256).hexdigest()[:16]


def prediction_id(model: str, at_us: int, canonical_row: str, running_number: int) -> str:
    """A stable id for a scored row that came without one: uuid5 of model, time, row and its number among equals.

    Models that have rows so named keep it; of all others `timed_id` is the form.
    """
    at_iso = (_EPOCH + timedelta(microseconds=at_us)).isoformat()
    return str(uuid.uuid5(_NAMESPACE, f"{model}\n{at_iso}\n{canonical_row}\n{running_number}"))


def timed_id(model: str, at_us: int, canonical_row: str, running_number: int) -> str:
    """A stable id for a row that came without one, which begins with its time: rows by time are ids in order.

    So a database adds them at the end of its index, not all over it (an index of a million ids: 5 times as fast). The
    form is that of a UUID of version 8 (RFC 9562): 48 bits of milliseconds, then 74 of a digest.
    """
    made = hashlib.blake2b(f"{model}\n{at_us}\n{canonical_row}\n{running_number}".encode(), digest_size=10).hexdigest()
    at = f"{at_us // 1000 & _BITS_48:012x}"
    return f"{at[:8]}-{at[8:]}-8{made[:3]}-{_VARIANT[made[3]]}{made[4:7]}-{made[7:19]}"
