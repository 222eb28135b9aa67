"""Tests that share their users without sharing a user: each has a part of a layer, and a part no test ever gets.

A unit has one number per layer, drawn from the layer's name, whichever model asks. A test draws only the units whose
number lies in its part, so that two tests of one layer never meet in one user; the last part is the hold-out, whose
units the champions alone answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mlops_dash.domain.ab_tests.assigning import draw
from mlops_dash.domain.format import percent
from mlops_dash.errors import Conflict, InvalidInput

OUTSIDE: Final = "-"  # what the log keeps of a unit that the running test does not draw
_DIGITS: Final = 6  # to which shares of a layer are kept


@dataclass(frozen=True)
class Layer:
    """A test's part of a layer.

    Attributes:
        name: Of the layer; the same one for all tests that shall not share a unit.
        low: Its part begins here, as a share of all units.
        high: And ends before here.
        hold_out: Share of all units that no test of the layer gets: the last ones.
    """

    name: str
    low: float
    high: float
    hold_out: float = 0.0

    def draws(self, unit: str) -> bool:
        """Whether a unit is in this part.

        >>> half, other = Layer("shop", 0.0, 0.5), Layer("shop", 0.5, 1.0)
        >>> [half.draws(one) != other.draws(one) for one in ("it's Ana", "bo", "7")]
        [True, True, True]
        """
        return self.low <= draw(f"layer {self.name}", unit) < self.high

    @property
    def said(self) -> str:
        """In a few words.

        >>> Layer("shop", 0.25, 0.75, 0.05).said
        'layer shop, 25 to 75 % of its units; 5 % are in no test'
        """
        kept = f"; {percent(self.hold_out, 0)} are in no test" if self.hold_out else ""
        return f"layer {self.name}, {100 * self.low:g} to {percent(self.high, 0)} of its units{kept}"


def part_of(name: str, share: float, hold_out: float, others: Sequence[tuple[str, Layer]]) -> Layer:
    """The first free part of a layer that is wide enough.

    Args:
        name: Of the layer.
        share: How wide, of all units.
        hold_out: Share that no test gets; a larger one that another test asked for holds too.
        others: Name and part of each test of the layer that is not over.

    Raises:
        InvalidInput: a share cannot be.
        Conflict: no part is free that is wide enough, or a test has units that would be held out.

    >>> part_of("shop", 0.5, 0.1, [("a", Layer("shop", 0.0, 0.25))])
    Layer(name='shop', low=0.25, high=0.75, hold_out=0.1)
    """
    if not 0.0 <= hold_out < 1.0:
        raise InvalidInput(f"A hold-out of {hold_out:g} is not between 0 and 1.", hint="0.05 keeps 5 % of the units.")
    if not 0.0 < share <= 1.0:
        raise InvalidInput(f"A share of {share:g} of the layer is not between 0 and 1.")
    kept = max([hold_out, *(one.hold_out for _, one in others)])
    end = round(1.0 - kept, _DIGITS)
    taken = sorted((one.low, one.high, who) for who, one in others)
    said = "; ".join(f"{who}: {100 * low:g} to {percent(high, 0)}" for low, high, who in taken)
    if taken and max(high for _, high, _ in taken) > end:
        raise Conflict(f"A test of layer {name} has units that would be held out ({said}).", hint="Keep fewer out.")
    low = 0.0
    for begins, ends, _ in [*taken, (end, end, "")]:
        if round(begins - low, _DIGITS) >= share:
            return Layer(name, low, round(low + share, _DIGITS), kept)
        low = max(low, ends)
    free = f"{said}; " if said else ""
    raise Conflict(
        f"Layer {name} has no free part of {percent(share, 0)}: {free}{percent(kept, 0)} are held out.",
        hint="Ask for less of it, or wait until a test of it is over.",
    )
