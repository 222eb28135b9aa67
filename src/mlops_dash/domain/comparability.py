"""May the metrics of these runs be compared? Only when they were judged on the same rows; unknown is never yes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mlops_dash.domain.runs import RunFrame

# sha256 over ids and labels of all rows. MLflow's own digest of a data set covers its first 10,000 rows only.
EVALUATION_TAG: Final = "mlops_dash.eval_digest"
_CODE_TAGS: Final = ("mlflow.source.git.commit", "mlops_dash.git_commit")


@dataclass(frozen=True)
class Comparability:
    """The verdict line: `state` is yes | no | cannot_tell."""

    state: str
    sentence: str


def n_judged_on(runs: RunFrame) -> int:
    """How many different sets of rows the runs were judged on, among those that say so."""
    return int(runs.tags[EVALUATION_TAG].nunique()) if EVALUATION_TAG in runs.tags.columns else 0


def judged_elsewhere(runs: RunFrame, base: RunFrame) -> frozenset[str]:
    """Ids of the runs that say they were judged on other rows than the baseline (a frame of one run, or none)."""
    if not len(base) or EVALUATION_TAG not in runs.tags.columns or EVALUATION_TAG not in base.tags.columns:
        return frozenset()
    own = base.tags[EVALUATION_TAG].to_list()[0]
    pairs = zip(runs.ids, runs.tags[EVALUATION_TAG], strict=True)
    return frozenset(run_id for run_id, tag in pairs if None not in {own, tag} and tag != own)


def judge(runs: RunFrame) -> Comparability:
    """Judge two or more runs: equal evaluation rows and labels are needed; training data and code may differ."""
    sets = n_judged_on(runs)
    unknown = len(runs) if not sets else int(runs.tags[EVALUATION_TAG].isna().sum())
    if sets > 1:
        return Comparability(
            "no", f"Judged on {sets} different sets of rows: a better number may come from easier rows."
        )
    if unknown:
        many = "No run says" if unknown == len(runs) else f"{unknown} of {len(runs)} runs do not say"
        return Comparability("cannot_tell", f"{many} on which rows it was judged (tag {EVALUATION_TAG}).")
    code = next((one for one in _CODE_TAGS if one in runs.tags.columns), None)
    differ = ["training data"] if len(set(runs.info["datasets"])) > 1 else []
    if code is not None and runs.tags[code].nunique(dropna=False) > 1:
        differ.append("code")
    said = f"; {' and '.join(differ)} {'differ' if len(differ) > 1 else 'differs'}" if differ else ""
    if code is None:
        said += "; the code was not recorded"
    return Comparability("yes", f"Judged on the same rows and labels{said}.")
