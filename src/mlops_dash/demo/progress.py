"""One progress bar for the whole demo: what is done now, how long it took, about how long is left."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

_WIDTH = 28


class Progress:
    """Steps with weights (about seconds each); on a terminal one line that moves, elsewhere a line a step."""

    def __init__(
        self,
        weights: dict[str, float],
        *,
        out: TextIO | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._weights = weights
        self._out = out or sys.stderr
        self._now = monotonic
        self._started = monotonic()
        self._step = ""
        self._done: set[str] = set()
        self._skipped = 0.0
        self._said_at = float("-inf")

    def skip(self, step: str) -> None:
        """Say that an earlier start already did this step."""
        self._done.add(step)
        self._skipped += self._weights[step]

    def begin(self, step: str) -> None:
        """A step starts."""
        self._step = step
        self._said_at = float("-inf")
        self.tell(0.0, step)

    def end(self) -> None:
        """The step is over."""
        self.tell(1.0, self._step, force=True)
        self._done.add(self._step)

    def tell(self, share: float, text: str, *, force: bool = False) -> None:
        """Where the current step is (share 0 to 1) and what it does."""
        now = self._now()
        terminal = self._out.isatty()
        pause = 0.2 if terminal else 10.0
        if not force and now - self._said_at < pause:
            return
        self._said_at = now
        total = sum(self._weights.values())
        done = sum(self._weights[step] for step in self._done) + share * self._weights.get(self._step, 0.0)
        part = min(1.0, done / total)
        spent = now - self._started
        worked = part - self._skipped / total
        bar = "#" * round(part * _WIDTH)
        line = f"[{bar:.<{_WIDTH}}] {part:4.0%}  {text}  {duration(spent)}"
        if spent > 3 and worked > 0.02 and part < 1:  # before that there is nothing to judge by
            line += f", about {duration(spent / worked * (1 - part))} left"
        self._out.write(f"\r\x1b[2K{line[:150]}" if terminal else f"{line}\n")
        self._out.flush()

    def finish(self, text: str) -> None:
        """Everything is done."""
        spent = duration(self._now() - self._started)
        self._out.write(("\r\x1b[2K" if self._out.isatty() else "") + f"{text} ({spent})\n")
        self._out.flush()


def duration(seconds: float) -> str:
    """Whole seconds below two minutes, else minutes and seconds.

    >>> duration(42.4), duration(150)
    ('42 s', '2 min 30 s')
    """
    whole = round(seconds)
    return f"{whole} s" if whole < 120 else f"{whole // 60} min {whole % 60} s"
