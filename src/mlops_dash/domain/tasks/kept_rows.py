"""What can the evaluation rows tell that runs of a task kept?"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class KeptRows:
    """What the evaluation rows that a run kept can tell.

    Attributes:
        name: Of this kind of rows.
        metrics: What can be computed of them, of `stats.run_comparison.ROW_METRICS`.
        decides: Whether a row is right or wrong; else it is only closer or farther.
        has_threshold: Whether a score becomes a decision at a threshold.
        names_classes: Whether labels and answers are names; then a score says whether the answer is right.
    """

    name: str
    metrics: tuple[str, ...]
    decides: bool
    has_threshold: bool = False
    names_classes: bool = False


# Rows of several classes, by their names.
CLASS_ROWS = KeptRows("classes", ("accuracy",), decides=True, names_classes=True)
