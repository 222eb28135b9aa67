"""What Prometheus reads of a process: what it counted, and facts that are looked up when somebody asks.

Names follow Prometheus' conventions: base units (seconds, bytes, ratios in 0..1), `_total` for counters. Where several
processes answer behind one port, each keeps its counters in a file of a shared folder (`FOLDER` names it), and
whichever is asked gives the sums over all.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

CONTENT_TYPE = CONTENT_TYPE_LATEST
PATH = "/metrics"
FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # the library reads it when it is imported, so it comes with the environment
PREFIX = "mlops_dash_"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # upper bounds of latencies


@dataclass(frozen=True)
class Fact:
    """A number that is looked up when somebody asks.

    Args:
        name: With the prefix and the unit.
        about: What it is, in a sentence.
        value: The number.
        labels: Of the series, by name; facts of one name have the same label names.
    """

    name: str
    about: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


Facts = Callable[[], Iterable[Fact]]


class Metrics:
    """The numbers of one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._facts: list[Facts] = []
        self._shared = os.environ.get(FOLDER, "")
        if not self._shared:
            ProcessCollector(registry=self._registry)

    def counter(self, name: str, about: str, labels: Iterable[str] = ()) -> Counter:
        """Something that only grows; `_total` is added to its name."""
        return Counter(name, about, labels, registry=self._registry)

    def histogram(self, name: str, about: str, labels: Iterable[str] = ()) -> Histogram:
        """Latencies in seconds."""
        return Histogram(name, about, labels, registry=self._registry, buckets=SECONDS)

    def gauge(self, name: str, about: str, labels: Iterable[str] = ()) -> Gauge:
        """Something that is set; of several processes behind one port the living ones are added up."""
        return Gauge(name, about, labels, registry=self._registry, multiprocess_mode="livesum")

    def look_up(self, facts: Facts) -> None:
        """Ask for these facts each time somebody asks for the numbers."""
        self._facts.append(facts)

    def text(self) -> bytes:
        """All numbers in Prometheus' text format; UTF-8."""
        together = CollectorRegistry()
        if self._shared:
            _forget_the_dead(Path(self._shared))
            MultiProcessCollector(together, path=self._shared)  # type: ignore[no-untyped-call]
        else:
            together.register(_Copy(self._registry))
        together.register(_LookedUp(self._facts))
        return generate_latest(together)


@dataclass(frozen=True, eq=False)
class _Copy:
    """The series of another registry."""

    registry: CollectorRegistry

    def collect(self) -> Iterator[Metric]:
        yield from self.registry.collect()


@dataclass(frozen=True, eq=False)
class _LookedUp:
    """Facts as series."""

    facts: Iterable[Facts]

    def collect(self) -> Iterator[Metric]:
        families: dict[str, GaugeMetricFamily] = {}
        for ask in self.facts:
            for fact in ask():
                family = families.get(fact.name)
                if family is None:
                    family = families[fact.name] = GaugeMetricFamily(fact.name, fact.about, labels=list(fact.labels))
                family.add_metric(list(fact.labels.values()), fact.value)
        yield from families.values()

    def describe(self) -> Iterator[Metric]:
        """Nothing beforehand: facts are looked up when somebody asks, not when this is registered."""
        yield from ()


def fresh_folder(folder: Path) -> dict[str, str]:
    """An empty folder for the counters of processes behind one port, and the environment that tells them of it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    return {FOLDER: str(folder)}


def _forget_the_dead(folder: Path) -> None:
    """What a process that ended had set counts no more; what it counted does."""
    owners = {int(path.stem.rsplit("_", 1)[1]) for path in folder.glob("gauge_live*_*.db")}
    for pid in owners:
        if not psutil.pid_exists(pid):
            mark_process_dead(pid, path=str(folder))  # type: ignore[no-untyped-call]
