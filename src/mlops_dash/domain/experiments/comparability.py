"""May the metrics of these runs be compared? Only when they were judged on the same rows; unknown is never yes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mlops_dash.domain.experiments.frame import HELD_OUT, RunFrame

# sha256 over ids and labels of all rows. MLflow's own digest of a data set covers its first 10,000 rows only.
EVALUATION_TAG: Final = "mlops_dash.eval_digest"
TRAINING_TAG: Final = "mlops_dash.dataset_sha256"
METRIC_TAG: Final = "mlops_dash.metric_definition"
LABEL_TAG: Final = "mlops_dash.label_definition"
_RECIPE_TAG: Final = "mlops_dash.recipe"  # logged by our own training: its metric names have one definition
_CODE_TAGS: Final = ("mlflow.source.git.commit", "mlops_dash.git_commit")


@dataclass(frozen=True)
class Fact:
    """One thing that must be, or may not be, equal: `state` is yes | no | cannot_tell | may_differ."""

    name: str
    state: str
    said: str


@dataclass(frozen=True)
class Comparability:
    """The verdict line: `state` is yes | no | cannot_tell; `facts` are what it rests on."""

    state: str
    sentence: str
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True)
class Meaning:
    """What stands for the evaluation rows: our digest tag, or a tag that the user says names the data version."""

    data_tag: str = ""

    @property
    def tag(self) -> str:
        """The tag that is read."""
        return self.data_tag or EVALUATION_TAG


def evaluation_ids(runs: RunFrame, means: Meaning) -> list[str | None]:
    """What each run says about the rows it was judged on; None when nothing."""
    return [None if one is None else str(one) for one in runs.column(f"tags.{means.tag}")]


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


def judge(
    runs: RunFrame, means: Meaning | None = None, *, from_rows: str = "", matched_sets: bool = False
) -> Comparability:
    """Judge two or more runs: equal evaluation rows, labels and metric are needed; training data and code may differ.

    Args:
        runs: The runs of all sides.
        means: Which tag names the evaluation data; by default our digest.
        from_rows: Digest of the rows that were read from every run and the metric computed of them; "" when not.
        matched_sets: Each side has the same several evaluation sets (folds, splits), or fresh ones by design.
    """
    meaning = means or Meaning()
    facts = (
        _rows(runs, meaning, from_rows=from_rows, matched_sets=matched_sets),
        _labels(runs, meaning, from_rows=from_rows),
        _metric(runs, from_rows=from_rows),
        _training(runs),
        _code(runs),
    )
    states = [one.state for one in facts]
    state = "no" if "no" in states else "cannot_tell" if "cannot_tell" in states else "yes"
    if state != "yes":
        return Comparability(state, next(one.said for one in facts if one.state == state), facts)
    differ = [one.name.lower() for one in facts if one.state == "may_differ" and one.said.endswith("differs.")]
    said = f"; {' and '.join(differ)} {'differ' if len(differ) > 1 else 'differs'}" if differ else ""
    if "not recorded" in facts[-1].said:
        said += "; the code was not recorded"
    what = "on the same rows and labels"
    if matched_sets:
        what = "on sets of rows that match by design"
    elif meaning.data_tag and not from_rows:
        what = f"on the same data by the tag {meaning.data_tag}"
    return Comparability("yes", f"Judged {what}{said}.", facts)


def _rows(runs: RunFrame, means: Meaning, *, from_rows: str, matched_sets: bool) -> Fact:
    if from_rows:
        return Fact("Evaluation rows", "yes", f"Equal: read from every run, digest {from_rows[:8]}.")
    ids = evaluation_ids(runs, means)
    known = {one for one in ids if one is not None}
    if matched_sets and None not in ids:
        return Fact("Evaluation rows", "yes", f"{len(known)} sets of rows that match by design.")
    if len(known) > 1:
        return Fact(
            "Evaluation rows", "no",
            f"Judged on {len(known)} different sets of rows: a better number may come from easier rows.",
        )  # fmt: skip
    unknown = sum(one is None for one in ids)
    if unknown:
        if len(_held_out_digests(runs)) > 1:
            return Fact("Evaluation rows", "no", "MLflow's digests of the evaluation data differ.")
        many = "No run says" if unknown == len(runs) else f"{unknown} of {len(runs)} runs do not say"
        return Fact("Evaluation rows", "cannot_tell", f"{many} on which rows it was judged (tag {means.tag}).")
    by = f"by the tag {means.data_tag}, as you said" if means.data_tag else f"digest {next(iter(known))[:8]}"
    return Fact("Evaluation rows", "yes", f"Equal: {by}.")


def _held_out_digests(runs: RunFrame) -> set[str]:
    return {
        one.digest for of_run in runs.info["datasets"] for one in of_run if one.context.lower() in HELD_OUT
    }  # fmt: skip


def _labels(runs: RunFrame, means: Meaning, *, from_rows: str) -> Fact:
    said = _texts(runs, LABEL_TAG)
    if len(set(said) - {None}) > 1:
        return Fact("Labels", "no", f"The definition of the label differs (tag {LABEL_TAG}).")
    if from_rows:
        return Fact("Labels", "yes", "Equal: the label of every row was compared.")
    if means.data_tag:
        return Fact("Labels", "yes", f"Part of the data version, by the tag {means.data_tag}.")
    if EVALUATION_TAG in runs.tags.columns and not runs.tags[EVALUATION_TAG].isna().any():
        return Fact("Labels", "yes", "Part of the digest of the evaluation rows.")
    return Fact("Labels", "cannot_tell", "How the label was defined is not recorded.")


def _metric(runs: RunFrame, *, from_rows: str) -> Fact:
    if from_rows:
        return Fact("Metric", "yes", "Computed here, one definition for all runs.")
    said = _texts(runs, METRIC_TAG)
    if len(set(said) - {None}) > 1:
        return Fact("Metric", "no", f"The definition of the metric differs (tag {METRIC_TAG}).")
    if None not in said:
        return Fact("Metric", "yes", f"One definition (tag {METRIC_TAG}).")
    code = _commits(runs)
    if code and None not in code and len(set(code)) == 1:
        return Fact("Metric", "yes", "Computed by the same code.")
    if None not in _texts(runs, _RECIPE_TAG):
        return Fact("Metric", "yes", "Logged by mlops-dash's own training, whose metrics have one definition.")
    return Fact(
        "Metric", "cannot_tell",
        f"Whether the metric was computed alike is not recorded (tag {METRIC_TAG}, or one commit).",
    )  # fmt: skip


def _training(runs: RunFrame) -> Fact:
    digests = _texts(runs, TRAINING_TAG)
    told = set(runs.info["datasets"]) if None in digests else set(digests)
    if None in digests and any(not one for one in runs.info["datasets"]):
        return Fact("Training data", "may_differ", "Not recorded for every run.")
    return Fact("Training data", "may_differ", "It differs." if len(told) > 1 else "Equal.")


def _code(runs: RunFrame) -> Fact:
    commits = _commits(runs)
    if not commits:
        return Fact("Code", "may_differ", "The commit was not recorded.")
    if None in commits:
        return Fact("Code", "may_differ", "The commit was not recorded for every run; it differs.")
    if len(set(commits)) > 1:
        return Fact("Code", "may_differ", "It differs.")
    return Fact("Code", "may_differ", f"Equal: commit {str(commits[0])[:8]}.")


def _commits(runs: RunFrame) -> Sequence[str | None]:
    name = next((one for one in _CODE_TAGS if one in runs.tags.columns), None)
    return [] if name is None else _texts(runs, name)


def _texts(runs: RunFrame, tag: str) -> list[str | None]:
    return [None if one is None else str(one) for one in runs.column(f"tags.{tag}")]
