"""An experiment that is over, read once from a file: what is asked, what is answered, and its JSON.

The command line (`mlops-dash ab`) and the page of the published field experiment show the same answer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mlops_dash.domain.words import ABVerdict
from mlops_dash.errors import InvalidInput

MISMATCH_P = 0.01
KINDS = ("mean", "proportion", "ratio", "quantile")


@dataclass(frozen=True)
class Question:
    """What is asked of a file; an empty text asks for the default."""

    variant: str
    metric: str  # a column, or NUM/DEN
    kind: str = ""  # by default ratio for NUM/DEN, proportion for 0 and 1, else mean
    q: float | None = None  # of a quantile
    control: str = ""
    covariate: str = ""
    cluster: str = ""
    unit: str = ""  # column of what was randomised, when a unit has several rows
    shares: Mapping[str, float] = field(default_factory=dict)  # planned, by arm; by default equal
    alpha: float = 0.05
    planned: int | None = None  # units; by default those of the file
    lower_is_better: bool = False


@dataclass(frozen=True)
class ArmLine:
    """One arm; NaN = not computable."""

    name: str
    n: int
    n_missing: int
    mean: float
    sd: float
    low: float  # of the mean alone
    high: float


@dataclass(frozen=True)
class Span:
    """A number with its interval; NaN = not computable."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class EffectLine:
    """One arm against the control."""

    arm: str
    absolute: Span
    relative: Span
    p_value: float
    adjusted_p: float
    always_valid: tuple[float, float]
    probability_better: float
    method: str
    reason: str = ""


@dataclass(frozen=True)
class Analysis:
    """The answer."""

    question: Question
    kind: str
    control: str
    arms: tuple[ArmLine, ...]
    effects: tuple[EffectLine, ...]
    verdict: str  # an ABVerdict, or "not_computable"
    reason: str
    srm_p: float
    drawn: tuple[int, ...]  # randomised units of each arm, in the order of `arms`
    planned_shares: tuple[float, ...]
    variance_reduction: float | None
    clusters: int | None
    warnings: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The public shape of `mlops-dash ab --json`; what is not computable is null."""
        return {
            "metric": self.question.metric,
            "kind": self.kind,
            "control": self.control,
            "arms": [
                {"name": one.name, "n": one.n, "n_missing": one.n_missing, "mean": finite(one.mean),
                 "sd": finite(one.sd)}
                for one in self.arms
            ],
            "effects": [
                {
                    "arm": one.arm,
                    "absolute": _span(one.absolute),
                    "relative": _span(one.relative),
                    "p_value": finite(one.p_value),
                    "adjusted_p": finite(one.adjusted_p),
                    "always_valid": dict(zip(("low", "high"), map(finite, one.always_valid), strict=True)),
                    "probability_better": finite(one.probability_better),
                    "method": one.method,
                    "reason": one.reason,
                }
                for one in self.effects
            ],
            "verdict": self.verdict,
            "reason": self.reason,
            "alpha": self.question.alpha,
            "srm": {
                "p_value": finite(self.srm_p),
                "drawn": {arm.name: n for arm, n in zip(self.arms, self.drawn, strict=True)},
                "shares": {arm.name: share for arm, share in zip(self.arms, self.planned_shares, strict=True)},
            },
            "cuped": None if self.variance_reduction is None else {"variance_reduction": self.variance_reduction},
            "clusters": self.clusters,
            "warnings": list(self.warnings),
        }  # fmt: skip


@dataclass(frozen=True)
class FieldExperiment:
    """A published experiment: where it is from, and its readings. `missing` says why there is none."""

    title: str
    source: str
    question: str
    arms: Mapping[str, str]  # arm of the file -> what it was
    whole: Analysis | None
    adjusted: Analysis | None  # with a covariate
    strata: tuple[tuple[str, Analysis], ...]
    pooled: Span | None  # stratified difference
    covariate: str = ""
    missing: str = ""


def planned_shares(text: str) -> dict[str, float]:
    """Read planned shares: "a=.9,b=.1", "a=90%,b=10%" or "a=9,b=1"; they are scaled to 1.

    Raises:
        InvalidInput: an entry is no NAME=SHARE above 0, or a name comes twice.

    >>> planned_shares("control=90, new=10")
    {'control': 0.9, 'new': 0.1}
    """
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = part.strip().rpartition("=")
        try:
            value = float(share.strip().removesuffix("%"))
        except ValueError:
            value = math.nan
        if not name or name in shares or not (0 < value < math.inf):
            raise InvalidInput(
                f"The planned share {part.strip()!r} cannot be used.", hint="Write ARM=SHARE for each arm: a=.9,b=.1."
            )
        shares[name] = value
    whole = sum(shares.values())
    return {name: share / whole for name, share in shares.items()}


def several(asked: Question, metrics: Sequence[str], covariates: Sequence[str]) -> list[Question]:
    """The same question about several outcomes.

    Args:
        asked: Everything but metric and covariate.
        metrics: Columns, or NUM/DEN.
        covariates: METRIC=COLUMN for one outcome; a column alone is for the only outcome, or for all but the ratios.

    Raises:
        InvalidInput: a metric comes twice, or two covariates are for one outcome.

    >>> asked = Question(variant="arm", metric="spend")
    >>> [one.covariate for one in several(asked, ["spend", "spend/day", "clicks"], ["before", "clicks=past"])]
    ['before', '', 'past']
    """
    twice = next((one for at, one in enumerate(metrics) if one in metrics[:at]), None)
    if twice is not None:
        raise InvalidInput(f"The metric {twice!r} is named twice.", hint="Name each metric once.")
    own: dict[str, str] = {}
    for text in covariates:
        metric = next((one for one in metrics if text.startswith(f"{one}=")), "")
        if metric in own:
            raise InvalidInput(f"Two covariates for {metric or 'all metrics'!r}.", hint="Name one, as METRIC=COLUMN.")
        own[metric] = text[len(metric) + 1 :] if metric else text
    common = own.get("", "")
    return [
        replace(asked, metric=one, covariate=own.get(one, "" if len(metrics) > 1 and "/" in one else common))
        for one in metrics
    ]


def judge_analysis(
    effects: Sequence[EffectLine], *, srm_p: float, alpha: float, lower_is_better: bool
) -> tuple[str, str]:
    """The word and why, at one look; p-values adjusted over the arms.

    >>> str(judge_analysis([], srm_p=.001, alpha=.05, lower_is_better=False)[0])
    'invalid_srm'
    """
    if srm_p < MISMATCH_P:
        return ABVerdict.INVALID, f"The arms were not filled as planned (chi-square p = {srm_p:.2g})."
    known = [one for one in effects if math.isfinite(one.adjusted_p)]
    if not known:
        return "not_computable", effects[0].reason if effects else "There is no arm to compare."
    sign = -1.0 if lower_is_better else 1.0
    clear = [one for one in known if one.adjusted_p <= alpha]
    better = [one for one in clear if sign * one.absolute.value > 0]
    if better:
        best = max(better, key=lambda one: sign * one.absolute.value)
        return ABVerdict.SHIP, f"{best.arm} is better than the control."
    if len(clear) == len(known):
        return ABVerdict.STOP_HARM, f"{' and '.join(one.arm for one in clear)} is worse than the control."
    return ABVerdict.KEEP, "No arm is shown to be better than the control."


def finite(value: float) -> float | None:
    """A number that JSON can hold; what could not be computed is None."""
    return value if math.isfinite(value) else None


def _span(one: Span) -> dict[str, float | None]:
    return {"value": finite(one.value), "low": finite(one.low), "high": finite(one.high)}
