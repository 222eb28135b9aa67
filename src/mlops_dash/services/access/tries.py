"""How many passwords may be tried, so that guessing is slow and nobody can be kept out by somebody else's guesses.

    by name and address   five tries, then a pause of 2, 4, 8 ... 60 s
    by address            20 at once, then one every 15 s: an office behind one address fails less than that
    by name, and in all   counted for addresses alone that have failed three times: 20, then one every 3 s; 300, then
                          one every 0.2 s

A browser in which the person has logged in before carries a cookie that says so; its tries are counted by themselves,
so it waits for no stranger. Nor does the right password from an address that has not failed: none of the limits that
strangers can fill is asked for it.
"""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass
from datetime import datetime

from mlops_dash.domain.access import Allowance
from mlops_dash.store import logins as store
from mlops_dash.store.db import Session

BY_ADDRESS = Allowance(at_once=20, every_seconds=15.0)
BY_NAME = Allowance(at_once=20, every_seconds=3.0)
IN_ALL = Allowance(at_once=300, every_seconds=0.2)
TRUSTED_FAILURES = 3  # an address that failed less often waits for its own tries alone
_ALL = "*"


@dataclass(frozen=True)
class Guess:
    """A try to log in: as whom, and from where."""

    name: str  # as it is counted: the user's, or the bucket of an unknown one
    address: str
    known_browser: str = ""  # digest of a cookie that belongs to this user, else ""

    @property
    def where(self) -> str:
        """The address as it is kept: a digest, of the network where a person owns one (IPv6: /64)."""
        try:
            found = ipaddress.ip_address(self.address)
            place = str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else str(found)
        except ValueError:
            place = self.address
        return hashlib.sha256(place.encode()).hexdigest()[:16]

    @property
    def own_key(self) -> str:
        """What this guesser alone is counted by."""
        return f"{self.name}@{self.known_browser[:16] or self.where}"


def wait_seconds(session: Session, guess: Guess, *, wall: datetime) -> float:
    """How long this guess must wait; 0: it may be looked at. Changes nothing."""
    waits = [store.wait_seconds(session, guess.own_key, wall=wall)]
    if not guess.known_browser:
        by_address = f"@{guess.where}"
        waits.append(store.overdrawn_seconds(session, by_address, BY_ADDRESS, wall=wall))
        if store.failures(session, by_address) >= TRUSTED_FAILURES:
            waits.append(store.overdrawn_seconds(session, guess.name, BY_NAME, wall=wall))
            waits.append(store.overdrawn_seconds(session, _ALL, IN_ALL, wall=wall))
    return max(waits)


def count(session: Session, guess: Guess, *, wall: datetime) -> float:
    """Count a guess before its password is looked at; returns the seconds it must wait (then nothing was counted)."""
    wait = wait_seconds(session, guess, wall=wall)
    if wait > 0:
        return wait
    store.count_try(session, guess.own_key, wall=wall)
    for key, allowance in _shared(guess):
        store.spend(session, key, allowance, wall=wall)
    return 0.0


def fitted(session: Session, guess: Guess) -> None:
    """The password was right: this guesser's tries are forgotten, and the try cost nobody else anything."""
    store.forget_tries(session, guess.own_key)
    for key, allowance in _shared(guess):
        store.give_back(session, key, allowance)


def _shared(guess: Guess) -> tuple[tuple[str, Allowance], ...]:
    if guess.known_browser:
        return ()
    return (f"@{guess.where}", BY_ADDRESS), (guess.name, BY_NAME), (_ALL, IN_ALL)
