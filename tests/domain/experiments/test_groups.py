"""Which runs are repeats of one configuration, and which may be compared."""

from __future__ import annotations

import pandas as pd

from mlops_dash.domain.experiments.frame import INFO, Dataset, RunFrame
from mlops_dash.domain.experiments.groups import enough, grouped, label, telling
from mlops_dash.domain.experiments.room import default_columns

Row = dict[str, str | None]


def frame(
    params: list[Row], *, tags: list[Row] | None = None, metrics: dict[str, list[float]] | None = None
) -> RunFrame:
    n = len(params)
    info = pd.DataFrame({name: [f"{name}{at}" for at in range(n)] for name in INFO})
    info["datasets"] = [(Dataset("d", "1", "training"),)] * n
    wide = pd.DataFrame(metrics or {}, index=range(n))
    texts = [pd.DataFrame(rows or [{}] * n, index=range(n)).astype(object) for rows in (params, tags)]
    return RunFrame(info, wide, wide.notna().to_numpy(), *(one.where(one.notna(), None) for one in texts))


def test_runs_that_differ_only_in_the_seed_are_one_group() -> None:
    runs = frame([{"depth": d, "Seed": s} for d in ("3", "6") for s in ("1", "2")])
    found = grouped(runs)
    assert (found.key, found.by, found.n, found.why) == ("Seed", ("depth",), 2, "")
    assert found.codes.tolist() == [0, 0, 1, 1]
    assert found.sizes.tolist() == [2, 2]
    assert label(runs, found, 1, telling(runs, found, [0, 1])) == "depth 6"
    assert label(runs, found, 1, telling(runs, found, [1])) == "run_name2"


def test_another_replicate_key_may_be_chosen() -> None:
    runs = frame([{"depth": d, "seed": s} for d in ("3", "6") for s in ("1", "2")])
    found = grouped(runs, "depth")
    assert (found.by, found.codes.tolist()) == (("seed",), [0, 1, 0, 1])
    assert grouped(runs, "").n == 4
    assert grouped(runs, "not there").n == 4


def test_a_missing_parameter_is_another_configuration_and_a_missing_key_a_group_of_its_own() -> None:
    runs = frame([{"depth": "3", "seed": "1"}, {"depth": None, "seed": "2"}, {"depth": "3", "seed": None},
                  {"depth": "3", "seed": "2"}])  # fmt: skip
    assert grouped(runs).codes.tolist() == [0, 1, 2, 0]


def test_a_text_unique_to_every_run_is_set_aside_but_numbers_are_configurations() -> None:
    rows: list[Row] = [{"out": f"/o/{at}", "rate": str(at / 7), "seed": str(at % 2)} for at in range(6)]
    found = grouped(frame(rows))
    assert (found.unique, found.by, found.n) == (("out",), ("rate",), 6)
    assert found.why == "6 groups of one: no two runs differ only in seed; they also differ in rate."


def test_without_a_replicate_key_the_reason_is_said() -> None:
    assert "seed" in grouped(frame([{"depth": "3"}, {"depth": "6"}])).why
    assert grouped(frame([])).n == 0


def test_default_columns_put_held_out_metrics_with_a_direction_first() -> None:
    runs = frame(
        [{"depth": "3", "seed": "1", "same": "x"}, {"depth": "6", "seed": "2", "same": "x"}],
        metrics={"train_auc": [1, 2], "speed": [1, 2], "loss": [1, 2], "valid_auc": [1, 2], "valid_rows": [5, 5]},
    )
    assert default_columns(runs, grouped(runs)) == (
        "metrics.valid_auc", "metrics.loss", "metrics.speed", "params.depth", "params.seed",
    )  # fmt: skip


def test_a_name_leaves_out_what_follows_from_the_rest() -> None:
    rows = [("3", "l1", "0.1"), ("3", "l1", "0.2"), ("6", "l2", "0.1"), ("6", "l2", "0.3")]
    runs = frame([{"seed": "1", "depth": depth, "loss": loss, "rate": rate} for depth, loss, rate in rows])
    found = grouped(runs, "seed")
    assert telling(runs, found, range(4)) == ("depth", "loss", "rate")
    assert enough(runs, found, range(4)) == ("rate", "depth")
    assert enough(runs, found, [2]) == ()
