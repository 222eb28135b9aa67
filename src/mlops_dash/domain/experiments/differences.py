"""What differs between runs: parameters, metrics, data, environment, code and tags, each in a block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mlops_dash.domain.experiments.frame import RunFrame, number_text


@dataclass(frozen=True)
class DiffRow:
    """One fact of several runs; `values` is None where a run has none."""

    name: str
    values: tuple[str | None, ...]

    @property
    def changed(self) -> bool:
        """Whether the runs differ."""
        return len(set(self.values)) > 1


@dataclass(frozen=True)
class DiffBlock:
    """Facts of one kind."""

    title: str
    rows: tuple[DiffRow, ...]

    @property
    def n_changed(self) -> int:
        """In how many facts the runs differ."""
        return sum(row.changed for row in self.rows)


def differences(
    runs: RunFrame, shown: Sequence[str], installed: Sequence[Mapping[str, str]] | None = None
) -> tuple[DiffBlock, ...]:
    """Parameters, metrics, data, environment, code and tags of several runs, in blocks.

    Args:
        runs: The runs to be compared.
        shown: Texts of metrics are made here to six significant digits; `shown` metrics come first.
        installed: Version by package of each run's model, in the order of the runs; empty where none is recorded,
            None when nobody asked: then there is no block of them.
    """
    metric_names = [*shown, *(str(one) for one in runs.metrics.columns if one not in shown)]
    tags = [str(one) for one in runs.tags.columns]
    code = [one for one in tags if one in _CODE]
    data = [one for one in tags if one in _DATA]
    own = [one for one in tags if not one.startswith("mlflow.") and one not in code and one not in data]
    return (
        DiffBlock("Parameters", tuple(_texts(runs.params[one], str(one)) for one in runs.params.columns)),
        DiffBlock("Metrics", tuple(_numbers(runs, one) for one in metric_names)),
        DiffBlock("Data", (_given(runs), *(_texts(runs.tags[one], one) for one in data))),
        *(() if installed is None else (_environment(installed),)),
        DiffBlock("Code", tuple(_texts(runs.tags[one], one) for one in code)),
        DiffBlock("Tags", tuple(_texts(runs.tags[one], one) for one in own)),
    )


_CODE = ("mlflow.source.git.commit", "mlflow.source.name", "mlflow.source.type", "mlops_dash.git_commit")
_DATA = ("mlops_dash.dataset_sha256", "mlops_dash.eval_digest", "mlops_dash.eval_rows", "mlops_dash.split")


def _environment(installed: Sequence[Mapping[str, str]]) -> DiffBlock:
    names = sorted({name for one in installed for name in one}, key=lambda name: (name != "python", name))
    return DiffBlock("Environment", tuple(DiffRow(name, tuple(one.get(name) for one in installed)) for name in names))


def _texts(values: pd.Series[Any], name: str) -> DiffRow:
    return DiffRow(name, tuple(None if one is None else str(one) for one in values))


def _numbers(runs: RunFrame, metric: str) -> DiffRow:
    found: list[str | None] = []
    for at, value in enumerate(runs.metrics[metric]):
        state = runs.state(at, metric)
        found.append(None if state == "missing" else number_text(float(value)))
    return DiffRow(metric, tuple(found))


def _given(runs: RunFrame) -> DiffRow:
    said = [", ".join(f"{one.name} {one.digest}" for one in of_run) or None for of_run in runs.info["datasets"]]
    return DiffRow("data set and digest", tuple(said))
