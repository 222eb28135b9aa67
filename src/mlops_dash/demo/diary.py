"""Which lines of the second demo were typed already, and what they said: after a break it goes on where it stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from mlops_dash.errors import Conflict


class Diary:
    """Lines in their order, in a file for its owner alone, as some of them say a token.

    Args:
        path: Of the file; None keeps no diary.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._lines: list[tuple[str, str]] = []
        self._next = 0
        if path is not None and path.exists():
            try:
                self._lines = [(str(line), str(said)) for line, said in json.loads(path.read_text(encoding="utf-8"))]
            except (ValueError, TypeError) as error:
                raise Conflict(f"{path} is no list of typed lines any more.", hint="Delete its folder.") from error
        self._begun = len(self._lines)  # before which nothing is done again

    def __len__(self) -> int:
        return len(self._lines)

    def once(self, line: str, do: Callable[[bool], str]) -> str:
        """Do a line that is not in the diary yet and write it down; gives what it said, then or now.

        Args:
            line: What is typed, the same after a break.
            do: Does it and gives what it said. It is told whether this is the first line after a break: that one may
                have been done already, just before.

        Raises:
            Conflict: another line stands here: the diary is of another version of the demo.
        """
        place, self._next = self._next, self._next + 1
        if place < len(self._lines):
            known, said = self._lines[place]
            if known != line:
                raise Conflict(
                    f"Line {place + 1} was {known!r} before the break, and is {line!r} now.",
                    hint="The demo has changed since. Delete its folder and call it again.",
                )
            return said
        said = do(place == self._begun > 0)
        self._lines.append((line, said))
        self._save()
        return said

    def forget(self) -> None:
        """Take the file away: all is done, and tokens stand in it."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    def _save(self) -> None:
        if self.path is None:
            return
        beside = self.path.with_suffix(".new")
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(self._lines, file, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path)
