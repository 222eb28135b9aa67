"""The published field experiment that comes with us, read at its fixed end: e-mails to legislators of the USA."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pandas as pd

from mlops_dash.domain.ab_tests.analysis import FieldExperiment, Question
from mlops_dash.services.ab_file import analyse, stratified
from mlops_dash.store.ab_tests import rows_of_published

FILE = "data/black_politicians.parquet"
_ALPHA = 0.05
_COVARIATE = "statessquireindex"
_ARMS = {"0": "from the own district", "1": "from another district"}
_STRATA = (("not Black", 0), ("Black", 1))


@lru_cache(maxsize=2)
def published(path: Path) -> FieldExperiment:
    """Effect of the treatment, with a covariate, and by stratum; `missing` says why there is none."""
    rows = rows_of_published(path)
    if rows is None:
        return _about(f"The file {FILE} is not in this installation.")
    asked = Question(variant="treat_out", metric="responded", control="0", alpha=_ALPHA)
    adjusted = Question(variant="treat_out", metric="responded", control="0", alpha=_ALPHA, covariate=_COVARIATE)
    strata = tuple((name, analyse(_of(rows, value), asked)) for name, value in _STRATA)
    found = _about("")
    return FieldExperiment(
        **{
            **vars(found),
            "whole": analyse(rows, asked),
            "adjusted": analyse(rows, adjusted),
            "strata": strata,
            "pooled": stratified([one for _, one in strata], alpha=_ALPHA),
            "covariate": "how professional the state's legislature is (Squire index)",
        }
    )


def _of(rows: pd.DataFrame, value: int) -> pd.DataFrame:
    return rows[rows["leg_black"] == value]


def _about(missing: str) -> FieldExperiment:
    return FieldExperiment(
        title="Do legislators answer a letter from somebody who cannot vote for them?",
        source="D. E. Broockman, American Journal of Political Science 57(3), 2013; package causaldata 0.1.5",
        question="5,593 state legislators got an e-mail from a Black alias who asked for help, "
        "at random from their own district or from a city far away.",
        arms=_ARMS,
        whole=None,
        adjusted=None,
        strata=(),
        pooled=None,
        missing=missing,
    )
