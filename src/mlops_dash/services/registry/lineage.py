"""What MLflow and a version's folder say of it, kept for a minute; what cannot be read says why."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from mlops_dash.domain.registry.dossier import Contents, RunFacts
from mlops_dash.domain.registry.records import Version
from mlops_dash.errors import BrokenModel, InvalidInput, NotFound, Unavailable
from mlops_dash.services.command import Context
from mlops_dash.tracking.version_files import VersionFiles

KEPT_SECONDS = 60.0  # a folder that was read is not read again for so long
ELSEWHERE = "Others serve this model; its files and runs are not in our MLflow."
_MOST_KEPT = 32

T = TypeVar("T")


class Lineage:
    """Reads runs and folders."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._contents: dict[str, tuple[float, Contents]] = {}

    def contents(self, version: Version) -> tuple[Contents | None, str]:
        """What lies in a version's folder, or why it cannot be read."""
        return known(lambda: self._read(version))

    def run(self, version: Version) -> tuple[RunFacts | None, str]:
        """The run that made a version, or why it is not known."""
        if not version.run_id:
            return None, "It names no run."
        return known(lambda: VersionFiles(self.context.registry.uri).run(version.run_id))

    def _read(self, version: Version) -> Contents:
        kept = self._contents.get(version.id)
        if kept is not None and time.monotonic() - kept[0] < KEPT_SECONDS:
            return kept[1]
        source = version.source_uri or f"models:/{version.model}/{version.version}"
        found = VersionFiles(self.context.registry.uri).contents(source)
        while len(self._contents) >= _MOST_KEPT:
            self._contents.pop(next(iter(self._contents)))
        self._contents[version.id] = (time.monotonic(), found)
        return found


def known(ask: Callable[[], T]) -> tuple[T | None, str]:
    """What is read, or why it cannot be."""
    try:
        return ask(), ""
    except (BrokenModel, InvalidInput, NotFound, Unavailable) as error:
        return None, error.sentence()
