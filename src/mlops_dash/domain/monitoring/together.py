"""Have all columns together moved? The verdict of the domain classifier, what others say beside it, and who agrees."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from mlops_dash.domain.cadence import MIN_WINDOWS
from mlops_dash.domain.evidence import Evidence
from mlops_dash.domain.words import Drift
from mlops_dash.stats.domain_classifier import DomainClassifier

NATIVE = "domain_auc"
ALIBI = "alibi:"
WATCH_AUC, DRIFT_AUC = 0.55, 0.65  # floors of the lower end of the AUC's interval: a convention


def judge_together(
    found: DomainClassifier, usual: Sequence[float], *, alpha: float, rank_level: float
) -> tuple[Drift, str]:
    """The word on all columns together, and why.

    Without enough reference windows nobody knows how unlike its own weeks a reference is: never above *watch* then.

    Args:
        found: What was measured.
        usual: AUC of each reference window against the rest, ascending.
        alpha: False alarms in a window without change.
        rank_level: Share of the reference's own windows that a window must exceed.

    >>> clear = DomainClassifier(.8, .75, .84, 1e-9, 900, 400, True)
    >>> print(*judge_together(clear, [], alpha=.05, rank_level=.95), sep=": ")
    watch: rows of now are told from the reference: AUC 0.80; its usual level is unknown with 0 reference windows
    >>> print(*judge_together(clear, [.6] * 30, alpha=.05, rank_level=.95), sep=": ")
    drift: rows of now are told from the reference: AUC 0.80, usual 0.60
    """
    if not found.computable:
        return Drift.NOT_COMPUTABLE, found.reason
    said = f"rows of now are told from the reference: AUC {found.auc:.2f}"
    if not (found.p_value < alpha and found.low > WATCH_AUC):
        return Drift.STABLE, f"rows of now are not told from the reference: AUC {found.auc:.2f}"
    if len(usual) < MIN_WINDOWS:
        return Drift.WATCH, f"{said}; its usual level is unknown with {len(usual)} reference windows"
    limit = sorted(usual)[math.ceil(rank_level * (len(usual) + 1) - 1e-9) - 1] if _has_limit(usual, rank_level) else 1.0
    middle = sorted(usual)[len(usual) // 2]
    if not found.auc > limit:
        return Drift.STABLE, f"within its usual level: AUC {found.auc:.2f}, limit {limit:.2f}"
    word = Drift.DRIFT if found.low > DRIFT_AUC else Drift.WATCH
    return word, f"{said}, usual {middle:.2f}"


def _has_limit(usual: Sequence[float], rank_level: float) -> bool:
    return math.ceil(rank_level * (len(usual) + 1) - 1e-9) <= len(usual)


@dataclass(frozen=True)
class Agreement:
    """How often a detector and ours said the same, over windows that both judged."""

    detector: str
    same: int
    windows: int
    since: datetime | None

    @property
    def sentence(self) -> str:
        """With numbers."""
        windows = "window" if self.windows == 1 else "windows"
        return (
            f"agrees with ours in {self.same} of {self.windows} {windows}" if self.windows else "no common window yet"
        )


@dataclass(frozen=True)
class Together:
    """What is known about all columns together.

    Attributes:
        latest: Evidence of the latest window, ours first.
        agreements: One a detector.
        licence: Of alibi-detect; "" where it was never asked.
    """

    latest: tuple[Evidence, ...]
    agreements: tuple[Agreement, ...]
    licence: str


def together_of(found: Sequence[Evidence]) -> Together | None:
    """Put stored evidence together; None where nobody ever asked.

    Args:
        found: All evidence of kind "drift" about one version, oldest first.
    """
    newest: dict[tuple[str, datetime | None], Evidence] = {(one.metric, one.window_end): one for one in found}
    ends = [end for _, end in newest if end is not None]
    if not ends:
        return None
    last = max(ends)
    latest = [one for (_, end), one in newest.items() if end == last]
    latest.sort(key=lambda one: (one.metric != NATIVE, one.metric))
    names = sorted({metric for metric, _ in newest if metric != NATIVE})
    licence = next((str(one.details.get("licence", "")) for one in reversed(found) if one.details.get("licence")), "")
    return Together(tuple(latest), tuple(_agreement(name, newest) for name in names), licence)


def _agreement(metric: str, newest: dict[tuple[str, datetime | None], Evidence]) -> Agreement:
    pairs = [
        (one, newest[NATIVE, end])
        for (name, end), one in newest.items()
        if name == metric and (NATIVE, end) in newest and one.state == newest[NATIVE, end].state == "ok"
    ]
    same = sum(bool(theirs.details["drift"]) is bool(ours.details["drift"]) for theirs, ours in pairs)
    since = min((one.window_start for one, _ in pairs if one.window_start is not None), default=None)
    return Agreement(metric.removeprefix(ALIBI), same, len(pairs), since)
