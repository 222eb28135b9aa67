"""The change of the loss since it got worse, split by a worker into moved inputs and a changed relation."""

from __future__ import annotations

import math

from mlops_dash import __version__
from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.evidence import Evidence
from mlops_dash.domain.monitoring.loss_splits import KIND, Split, split_of
from mlops_dash.domain.monitoring.readings import known
from mlops_dash.domain.policies import PolicyKind
from mlops_dash.errors import NotFound
from mlops_dash.services.command import Context, record
from mlops_dash.services.monitoring.samples import window_rows
from mlops_dash.services.monitoring.stretch import harm_stretch
from mlops_dash.services.monitoring.together import in_numbers
from mlops_dash.stats.loss_split import MOST_ROWS, LossSplit, loss_split
from mlops_dash.store import evidence as evidence_store
from mlops_dash.store import policies, prediction_log
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.monitoring import readings as store
from mlops_dash.store.monitoring import references
from mlops_dash.store.monitoring.readings import Version
from mlops_dash.store.monitoring.references import Reference

_LEVEL = 0.95


class Splitting:
    """The verb."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @record(Permission.JOB_RUN)
    def split_loss(self, actor: Actor, model: str) -> Split | None:
        """Split the change of the loss since it got worse, and keep it; None while nothing is worse for sure.

        Rows of the version from before are compared with those since, both with their labels.

        Raises:
            NotFound: nothing is served, or it has no reference.
        """
        now = self.context.clock.now()
        with reading(self.context.databases.app) as session:
            version = store.champion(session, model)
            reference = None if version is None else references.reference(session, version.id)
            if version is None or reference is None:
                raise NotFound(
                    f"Nothing of {model} is watched yet.", hint="It needs a served version with a reference."
                )
            policy = policies.active(session, model, PolicyKind.MONITORING, now).monitoring
            worse = harm_stretch([one for one in store.readings(session, version.id) if one.n], policy)
        if not worse:
            return None
        first, last = worse[0].start, worse[-1].end
        with reading(self.context.databases.log) as session:
            span = prediction_log.span_of(session, version.id)
            begin = first if span is None else min(first, max(span[0], reference.end))
            frames = [
                window_rows(session, reference, start, end, most=2 * MOST_ROWS)
                for start, end in ((begin, first), (first, last))
            ]
        sides = []
        for frame in frames:
            rows = frame[frame["label"].notna()].reset_index(drop=True)
            losses = reference.layout.task.row_losses(rows["label"].to_numpy(float), rows["score"].to_numpy(float))
            numbers = in_numbers(reference, rows, policy.zone)
            sides.append((numbers.values, losses, numbers.days))
        (then, then_loss, then_days), (live, live_loss, live_days) = sides
        made = loss_split(then, then_loss, live, live_loss, days=(then_days, live_days), level=_LEVEL)
        kept = _evidence(version, reference, made, policy.label_unit)
        kept = Evidence(**{**vars(kept), "window_start": first, "window_end": last, "computed_at": now})
        with transaction(self.context.databases.app) as session:
            evidence_store.put(session, [kept])
        return split_of([kept], reference.id, first, last)


def _evidence(version: Version, reference: Reference, made: LossSplit, unit: str) -> Evidence:
    parts = [
        [name, *(known(number) for number in term), sure]
        for name, term, sure in zip(
            ("harder", "relation", "new"), (made.harder, made.relation, made.new), made.sure, strict=True
        )
    ]  # fmt: skip
    return Evidence(
        kind=KIND, subject=f"{version.model} v{version.version}", comparator="before", metric=version_loss(reference),
        direction="lower_is_better", value=known(made.change), low=None, high=None, level=_LEVEL, n=made.n,
        n_clusters=None, method="DISDE: both sides weighted to their shared inputs, three seeds, days left out",
        bound="weights as known; a changed relation includes every input that the model was not given",
        window_start=None, window_end=None,
        digests={"reference": reference.id, "model": version.artifact_digest}, code_version=__version__,
        computed_at=reference.created_at, state="not_computable" if made.reason else "ok", reason=made.reason,
        details={"parts": [] if made.reason else parts, "overlap": None if math.isnan(made.overlap) else made.overlap,
                 "unit": unit},
    )  # fmt: skip


def version_loss(reference: Reference) -> str:
    """What the loss of a row is called."""
    return reference.layout.task.row_loss
