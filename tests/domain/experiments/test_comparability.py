"""May runs be compared? Equal rows, labels and metric are needed; what is not recorded is never yes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mlops_dash.domain.experiments.comparability import (
    EVALUATION_TAG,
    LABEL_TAG,
    METRIC_TAG,
    Meaning,
    judge,
    judged_elsewhere,
    n_judged_on,
)
from mlops_dash.domain.experiments.frame import INFO, Dataset, RunFrame

Row = dict[str, str | None]
COMMIT = "mlflow.source.git.commit"


def frame(tags: list[Row], *, datasets: list[tuple[Dataset, ...]] | None = None) -> RunFrame:
    n = len(tags)
    info = pd.DataFrame({name: [f"{name}{at}" for at in range(n)] for name in INFO})
    info["datasets"] = datasets or [(Dataset("d", "1", "training"),)] * n
    texts = pd.DataFrame(tags, index=range(n)).astype(object)
    none = pd.DataFrame(index=range(n))
    return RunFrame(info, none, np.zeros((n, 0), dtype=bool), none, texts.where(texts.notna(), None))


def test_equal_rows_labels_and_code_are_comparable() -> None:
    said = judge(frame([{EVALUATION_TAG: "a", COMMIT: "1"}] * 2))
    assert (said.state, said.sentence) == ("yes", "Judged on the same rows and labels.")
    assert [one.name for one in said.facts] == ["Evaluation rows", "Labels", "Metric", "Training data", "Code"]


def test_training_data_and_code_may_differ_and_are_named() -> None:
    runs = frame(
        [{EVALUATION_TAG: "a", COMMIT: one, METRIC_TAG: "auc v1"} for one in "12"],
        datasets=[(Dataset("d", one, "training"),) for one in "12"],
    )
    said = judge(runs)
    assert (said.state, said.sentence) == (
        "yes", "Judged on the same rows and labels; training data and code differ."
    )  # fmt: skip


def test_other_code_leaves_open_whether_the_metric_is_the_same() -> None:
    said = judge(frame([{EVALUATION_TAG: "a", COMMIT: one} for one in "12"]))
    assert said.state == "cannot_tell"
    assert METRIC_TAG in said.sentence
    assert judge(frame([{EVALUATION_TAG: "a"}] * 2)).state == "cannot_tell"
    assert judge(frame([{EVALUATION_TAG: "a", "mlops_dash.recipe": one} for one in "xy"])).state == "yes"
    computed = judge(frame([{EVALUATION_TAG: "a"}] * 2), from_rows="abcdef0123")
    assert (computed.state, "the code was not recorded" in computed.sentence) == ("yes", True)


@pytest.mark.parametrize("tag", [METRIC_TAG, LABEL_TAG])
def test_another_definition_is_a_no(tag: str) -> None:
    said = judge(frame([{EVALUATION_TAG: "a", COMMIT: "1", tag: one} for one in "12"]))
    assert (said.state, "differs" in said.sentence) == ("no", True)


def test_other_or_unknown_rows_are_never_comparable() -> None:
    different = frame([{EVALUATION_TAG: "a"}, {EVALUATION_TAG: "b"}, {"x": "1"}])
    assert judge(different).state == "no"
    assert n_judged_on(different) == 2
    assert judged_elsewhere(different, different.take(np.array([0]))) == {"run_id1"}
    partly = frame([{EVALUATION_TAG: "a", COMMIT: "1"}, {"x": "1", COMMIT: "1"}])
    assert judge(partly).state == "cannot_tell"
    assert judge(partly).sentence.startswith("1 of 2 runs do not say")
    assert judge(frame([{}, {}])).state == "cannot_tell"
    assert judged_elsewhere(partly, partly.take(np.array([0]))) == frozenset()


def test_a_tag_that_the_user_names_stands_for_the_data() -> None:
    runs = frame([{"data_version": "v1", COMMIT: "1"}] * 2)
    assert judge(runs).state == "cannot_tell"
    said = judge(runs, Meaning("data_version"))
    assert (said.state, said.sentence) == ("yes", "Judged on the same data by the tag data_version.")
    other = frame([{"data_version": one, COMMIT: "1"} for one in "12"])
    assert judge(other, Meaning("data_version")).state == "no"


def test_digests_of_mlflow_can_say_no_but_never_yes() -> None:
    def runs(first: str, second: str) -> RunFrame:
        return frame([{COMMIT: "1"}] * 2, datasets=[(Dataset("d", one, "test"),) for one in (first, second)])

    assert judge(runs("a", "b")).state == "no"
    assert judge(runs("a", "a")).state == "cannot_tell"  # they cover the first 10,000 rows only


def test_sets_of_rows_that_match_by_design_are_comparable() -> None:
    runs = frame([{EVALUATION_TAG: one, COMMIT: "1"} for one in "abab"])
    assert judge(runs).state == "no"
    assert judge(runs, matched_sets=True).state == "yes"
