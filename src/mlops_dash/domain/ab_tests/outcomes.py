"""What a test measures: a loss of the model's answers, or what happened to its units afterwards.

An outcome of events is written DIRECTION:KIND:NAME, for example `higher:mean:revenue` or `lower:share:complaint`; a
ratio names two events, `higher:ratio:revenue/order`; a quantile is `lower:p95:seconds`. The text is its key everywhere:
in designs, evidence and reports.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.tasks import METRICS, TASKS
from mlops_dash.domain.tasks.task import Metric
from mlops_dash.errors import InvalidInput

LOSSES: Final = tuple(dict.fromkeys(metric for task in TASKS for metric in task.ab_losses))
OF_DAYS: Final = frozenset({"base_rate_free_loss", "log_loss", "brier"})  # read by rows of days, where units are rows
MEAN, COUNT, SHARE, RATIO = "mean", "count", "share", "ratio"
KINDS: Final = {
    MEAN: "{}, sum a unit",
    COUNT: "{}, number a unit",
    SHARE: "{}, share of the units",
    RATIO: "{}",
    "median": "{}, median of the units",
    "p90": "{}, 90th percentile of the units",
    "p95": "{}, 95th percentile of the units",
    "p99": "{}, 99th percentile of the units",
}
QUANTILES: Final = {"median": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}  # of the sum of the values of a unit
_DIRECTIONS: Final = {"higher": Direction.HIGHER, "lower": Direction.LOWER}
_HINT: Final = (
    "Write mean:NAME, count:NAME, share:NAME, ratio:NAME/NAME, median:NAME, p90:NAME, p95:NAME or p99:NAME of events, "
    "with lower: before where less is better."
)


@dataclass(frozen=True)
class OfEvents:
    """An outcome of events.

    Attributes:
        key: As it is written, direction first.
        kind: "mean" (the sum of the values of a unit), "count" (how often), "share" (whether at all), "ratio", or one
            of `QUANTILES` (of the sums of all units).
        name: The event; of a ratio the one above.
        per: Of a ratio the event below.
        higher: Whether more is better.
    """

    key: str
    kind: str
    name: str
    per: str
    higher: bool

    @property
    def names(self) -> tuple[str, ...]:
        """The events that it needs."""
        return (self.name, self.per) if self.per else (self.name,)

    @property
    def quantile(self) -> float | None:
        """Which quantile of the units it is; None of all other kinds."""
        return QUANTILES.get(self.kind)

    @property
    def label(self) -> str:
        """As people read it."""
        return KINDS[self.kind].format(f"{self.name} per {self.per}" if self.per else self.name)


def written(text: str) -> str:
    """The key of an outcome as somebody writes it: a loss by its name, else one of events; higher is the default.

    >>> written("mean:revenue"), written("lower:share:it's bad"), written("brier")
    ('higher:mean:revenue', "lower:share:it's bad", 'brier')

    Raises:
        InvalidInput: it is neither.
    """
    text = text.strip()
    if text in LOSSES:
        return text
    direction, _, rest = text.partition(":")
    key = text if direction in _DIRECTIONS and ":" in rest else f"higher:{text}"
    of_events(key)
    return key


@lru_cache(maxsize=1_024)
def of_events(key: str) -> OfEvents:
    """What a key says.

    >>> of_events("higher:ratio:a/b/c").names
    ('a/b', 'c')

    Raises:
        InvalidInput: it is none of events.
    """
    direction, _, rest = key.partition(":")
    kind, _, name = rest.partition(":")
    per = ""
    if kind == RATIO:
        name, _, per = name.rpartition("/")
    if direction not in _DIRECTIONS or kind not in KINDS or not name.strip() or (kind == RATIO and not per.strip()):
        raise InvalidInput(f"The outcome {key.removeprefix('higher:')!r} cannot be measured.", hint=_HINT)
    return OfEvents(key, kind, name, per, direction == "higher")


def is_of_events(key: str) -> bool:
    """Whether an outcome is of events; else it is a loss of the answers."""
    return key not in METRICS


def quantile_in(key: str) -> float | None:
    """Which quantile of the units an outcome is; None of losses and of all other kinds.

    >>> quantile_in("lower:p95:seconds"), quantile_in("higher:mean:p95"), quantile_in("mae")
    (0.95, None, None)
    """
    return of_events(key).quantile if is_of_events(key) else None


def metric_of(key: str) -> Metric:
    """How any outcome of a test is named, rounded and compared.

    >>> metric_of("lower:share:complaint").label, str(metric_of("lower:share:complaint").direction)
    ('complaint, share of the units', 'lower_is_better')
    """
    if key in METRICS:
        return METRICS[key]
    found = of_events(key)
    return Metric(key, found.label, Direction.HIGHER if found.higher else Direction.LOWER)
