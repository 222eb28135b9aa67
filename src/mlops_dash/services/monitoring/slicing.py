"""In which parts of the rows what is served is worse: measured by a worker on labelled rows, and kept as evidence.

Parts are those of columns that the owner named, and found ones: searched on one half of the days, judged on the other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from mlops_dash import __version__
from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.evidence import Evidence
from mlops_dash.domain.format import plural
from mlops_dash.domain.jobs import NewJob, Task
from mlops_dash.domain.monitoring.fairness import Fairness
from mlops_dash.domain.monitoring.readings import known
from mlops_dash.domain.monitoring.slices import KIND, Before, Slice, Slices, slices_of, worst_first
from mlops_dash.errors import Conflict, InvalidInput, NotFound
from mlops_dash.ids import digest
from mlops_dash.services.command import Context, Unit, command, read, record
from mlops_dash.services.monitoring.group_gaps import fairness_in, measured_gaps
from mlops_dash.services.monitoring.live_rows import (
    EARLIER,
    Ground,
    LiveRows,
    Members,
    between,
    ground_of,
    live_rows,
    members_of,
    named,
    needed,
    ripe_of,
    windows_back,
)
from mlops_dash.stats.arrays import Bools, sums_by
from mlops_dash.stats.cells import CategoryCells
from mlops_dash.stats.drift import benjamini_hochberg
from mlops_dash.stats.estimates import cluster_estimate
from mlops_dash.stats.intervals import ratio
from mlops_dash.stats.slices import (
    MIN_CLUSTERS,
    MIN_ROWS,
    Rule,
    found_rules,
    members,
    searched_clusters,
    slice_estimate,
)
from mlops_dash.store import evidence as evidence_store
from mlops_dash.store import jobs as job_rows
from mlops_dash.store import retraining as job_reads
from mlops_dash.store.db import Session, reading, transaction
from mlops_dash.store.monitoring import readings as store
from mlops_dash.store.monitoring.readings import Version
from mlops_dash.store.monitoring.references import Reference

MOST_ROWS, EARLIER_ROWS = 20_000, 5_000  # labelled rows of the window, and of each earlier one
_LEVEL = 0.95
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class _Part:
    title: str
    columns: tuple[str, ...]
    found: bool
    rows: LiveRows
    held: Bools
    rule: Rule | None = None  # of a found one
    members: Members | None = None  # of one that the owner named


class Slicing:
    """The verbs of parts of the rows."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @read(Permission.ROOM_READ)
    def slices(self, actor: Actor, model: str) -> Slices:
        """What is known of the parts of what is served.

        Raises:
            NotFound: no such model.
        """
        with reading(self.context.databases.app) as session:
            if model not in store.model_names(session):
                raise NotFound(f"No model {model}.", hint="Choose one from the list.")
            ground = ground_of(session, model, self.context.clock.now())
            if ground is None:
                return Slices(reason="nothing is served whose reference has labels")
            return slices_in(session, ground.version, ground.reference)

    @command(Permission.JOB_RUN, Action.SLICES_REQUESTED)
    def ask_slices(self, unit: Unit, actor: Actor, model: str, reason: str, *, at_once: bool = False) -> str:
        """Ask a worker in which parts of the rows the version in service is worse.

        Args:
            unit: Of work.
            actor: Who asks.
            model: The model's name.
            reason: What they want to find out.
            at_once: They measure it themselves, right away: it is in the ledger, and no job is made.

        Returns:
            The job's id; "" without one.

        Raises:
            NotFound: nothing is served whose reference has labels.
            InvalidInput: no reason.
            Conflict: it was asked already.
        """
        if not reason.strip():
            raise InvalidInput("A run needs a reason.", hint="Say in a few words what you want to find out.")
        ground = needed(ground_of(unit.session, model, unit.now), model)
        job_id = "" if at_once else self.context.new_id()
        if not at_once:
            already = job_reads.unfinished_for(unit.session, model=model, task=Task.SLICES)
            if already is not None:
                raise Conflict(f"Parts of {model} are being measured: the job is {already.state}.", hint="Wait for it.")
            job = _job(ground, unit.now, f"asked by {actor.name}: {reason.strip()}", actor.id)
            job_rows.enqueue(unit.session, job, job_id=job_id, now=unit.now)
        unit.audit(f"v{ground.version.version}", model=model, reason=reason.strip(),
                   after={"job": job_id, "version_id": ground.version.id})  # fmt: skip
        return job_id

    @read(Permission.ROOM_READ)
    def fairness(self, actor: Actor, model: str) -> Fairness:
        """What is known of gaps between the groups that the owner of a model names.

        Raises:
            NotFound: no such model.
        """
        with reading(self.context.databases.app) as session:
            if model not in store.model_names(session):
                raise NotFound(f"No model {model}.", hint="Choose one from the list.")
            ground = ground_of(session, model, self.context.clock.now())
            if ground is None:
                return Fairness(reason="nothing is served whose reference has labels")
            return fairness_in(session, ground.version, ground.reference)

    @record(Permission.SYSTEM)
    def plan_slices(self, actor: Actor, model: str) -> bool:
        """Have the owner's parts measured once a week, or a window where those are longer; whether a job was made."""
        now = self.context.clock.now()
        with reading(self.context.databases.app) as session:
            ground = ground_of(session, model, now)
            if ground is None or not (ground.model.slices or ground.model.groups):
                return False
            ripe = ripe_of(session, ground.version)
        if not ripe:
            return False
        span = max(7.0, ground.policy.cadence.usual)
        columns = [*ground.model.slices, *ground.model.groups]
        asks = [model, str(Task.SLICES), ground.version.id, ground.reference.id, columns,
                int((ripe[-1].end - _EPOCH).days // span)]  # fmt: skip
        with transaction(self.context.databases.app) as session:
            job = _job(ground, now, "the owner watches parts of the rows", actor.id)
            return job_rows.enqueue(session, job, job_id=digest(asks)[:26], now=now)

    @record(Permission.JOB_RUN)
    def measure_slices(self, actor: Actor, model: str) -> Slices:
        """Measure the parts, and gaps between the owner's groups, on the latest ripe rows, and keep that.

        That nothing can be measured is kept as well.

        Raises:
            NotFound: nothing is served whose reference has labels.
        """
        now = self.context.clock.now()
        with reading(self.context.databases.app) as session:
            ground = needed(ground_of(session, model, now), model)
            ripe = ripe_of(session, ground.version)
        windows = windows_back(ripe, ground.policy)
        if windows:
            with reading(self.context.databases.log) as session:
                most = (MOST_ROWS, *[EARLIER_ROWS] * EARLIER)
                read_in = [live_rows(session, ground, one, n) for one, n in zip(windows, most, strict=False)]
            made = [_measured(ground, read_in, now)]
            if ground.model.groups:
                made.append(measured_gaps(ground, read_in, now))
        else:
            made = [_evidence(ground, now, state="not_computable", reason="no window is ripe: labels are awaited")]
        with transaction(self.context.databases.app) as session:
            evidence_store.put(session, made)
            return slices_in(session, ground.version, ground.reference)


def slices_in(session: Session, version: Version, reference: Reference) -> Slices:
    """What is known of the parts of a version."""
    found = slices_of(
        evidence_store.about(session, [f"{version.model} v{version.version}"], kinds=[KIND]), reference.id
    )
    waits = job_reads.unfinished_for(session, model=version.model, task=Task.SLICES) is not None
    return replace(found, asked=waits)


def _measured(ground: Ground, read_in: Sequence[LiveRows], now: datetime) -> Evidence:
    rows, task = read_in[0], ground.reference.layout.task
    if rows.n_clusters < 1:
        return _evidence(ground, now, state="not_computable", reason="no labelled row of the latest windows is there")
    tolerance = _tolerance(ground, rows)
    columns, notes = named(ground, ground.model.slices, rows.frame)
    parts = [
        _Part(title, (name,), found=False, rows=rows, held=of(rows.frame), members=of)
        for name in columns
        for title, of in members_of(ground, name, rows.frame)
    ]
    found, why = _found(ground, rows, tolerance)
    parts += found
    made = [_estimated(one, leans=not task.in_words) for one in parts]
    q = benjamini_hochberg([p for _, p in made]) if made else np.empty(0)
    alpha = 1 - _LEVEL
    judged = [
        replace(one, q=known(float(of))).judged(alpha=alpha, tolerance=tolerance, floor=MIN_ROWS)
        for (one, _), of in zip(made, q, strict=True)
    ]
    followed = [
        replace(one, before=tuple(_before(part, earlier) for earlier in read_in[:0:-1]))
        for one, part in zip(judged, parts, strict=True)
    ]
    best = worst_first(followed)
    caution = [task.slice_caution] if task.slice_caution and any(one.more is not None for one in best) else []
    first = next((one for one in best if one.more is not None), None)
    return replace(
        _evidence(ground, now), n=len(rows.losses), n_clusters=rows.n_clusters,
        value=None if first is None else first.more, low=None if first is None else first.more_low,
        high=None if first is None else first.more_high, window_start=rows.start, window_end=rows.end,
        details={
            "unit": ground.policy.label_unit, "tolerance": tolerance, "slices": [one.as_json() for one in best],
            "clusters": f"{rows.n_clusters} {rows.unit}", "notes": [*notes, *([why] if why else []), *caution],
        },
    )  # fmt: skip


def _tolerance(ground: Ground, rows: LiveRows) -> float:
    """Which difference is none: that of the harm alarm."""
    task, policy = ground.reference.layout.task, ground.policy
    if task.in_words:  # an error rate, so points
        return policy.harm_tolerance_auc
    return policy.harm_tolerance_share * float(rows.losses.mean())


def _found(ground: Ground, rows: LiveRows, tolerance: float) -> tuple[list[_Part], str]:
    """Parts found on one half of the clusters with the rows of the other half, and why none was looked for."""
    if rows.n_clusters < MIN_CLUSTERS:
        return [], f"no part was looked for: {rows.n_clusters} {rows.unit} are there, {MIN_CLUSTERS} are needed"
    layout = ground.reference.layout
    open_columns = [at for at, name in enumerate(layout.features) if name not in ground.model.do_not_log]
    names = [layout.features[at] for at in open_columns]
    is_levels = [isinstance(layout.columns[name], CategoryCells) for name in names]
    searched = searched_clusters(rows.n_clusters)[rows.codes]
    values = rows.values[:, open_columns]
    rules = found_rules(values[searched], rows.losses[searched], is_levels, least=tolerance)
    judging = rows.only(~searched)
    kept = [
        _Part(_title(ground, names, rule), tuple(names[one.column] for one in rule), found=True, rows=judging,
              held=members(rule, values[~searched]), rule=_of_all(rule, open_columns))
        for rule in rules
    ]  # fmt: skip
    half = plural(int(np.unique(rows.codes[searched]).size), rows.unit.rstrip("s"), rows.unit)
    return kept, "" if kept else f"no part of {half} that were searched is worse by the tolerance"


def _of_all(rule: Rule, columns: Sequence[int]) -> Rule:
    """A rule on some columns as one on all of them."""
    return tuple(replace(one, column=columns[one.column]) for one in rule)


def _title(ground: Ground, names: Sequence[str], rule: Rule) -> str:
    said = []
    for one in rule:
        name = names[one.column]
        cells = ground.reference.layout.columns[name]
        if one.levels and isinstance(cells, CategoryCells):
            words = [cells.labels[at] if at < len(cells.levels) else "another" for at in one.levels]
            said.append(f"{name} is {' or '.join(words)}")
        else:
            said.append(between(name, one.low, one.high))
    return ", ".join(said)


def _estimated(part: _Part, *, leans: bool) -> tuple[Slice, float]:
    """One part with its numbers and the p-value of no difference; without them where its rows are too few."""
    rows, held = part.rows, part.held
    n = int(held.sum())
    clusters = int(np.unique(rows.codes[held]).size)
    made = Slice(part.title, part.columns, part.found, n, clusters)
    if n < MIN_ROWS:
        return made, math.nan
    one = slice_estimate(rows.losses, held, rows.codes, rows.n_clusters, level=_LEVEL, unit=rows.unit)
    lean, lean_low, lean_high = _lean(rows, held) if leans else (None, None, None)
    more = known(one.more.value) if one.more.computable else None
    reason = one.more.reason or ("" if more is not None else "no other row is there to compare with")
    return replace(
        made, value=known(one.inside.value), low=known(one.inside.low), high=known(one.inside.high),
        rest=known(one.outside.value), more=more, more_low=known(one.more.low), more_high=known(one.more.high),
        reason=reason, lean=lean, lean_low=lean_low, lean_high=lean_high,
    ), one.p_value  # fmt: skip


def _lean(rows: LiveRows, held: Bools) -> tuple[float | None, float | None, float | None]:
    """How much higher the answers of some rows are than their labels, with its interval."""
    away = (rows.frame["score"] - rows.frame["label"]).to_numpy(dtype=np.float64)
    sums = [sums_by(column, rows.codes, rows.n_clusters) for column in (away * held, held.astype(np.float64))]
    found = cluster_estimate(
        np.column_stack(sums), lambda of: ratio(of[..., 0], of[..., 1]), n=int(held.sum()), level=_LEVEL, unit=rows.unit
    )
    return known(found.value), known(found.low), known(found.high)


def _before(part: _Part, earlier: LiveRows) -> Before:
    """The same part in an earlier window."""
    held = np.zeros(len(earlier.losses), dtype=np.bool_)
    if part.rule is not None:
        held = members(part.rule, earlier.values)
    elif part.members is not None and part.columns[0] in earlier.frame:
        held = part.members(earlier.frame)
    n, span = int(held.sum()), (earlier.start.isoformat(), earlier.end.isoformat())
    if n < MIN_ROWS:
        return Before(*span, None, None, None, n)
    one = slice_estimate(earlier.losses, held, earlier.codes, earlier.n_clusters, level=_LEVEL, unit=earlier.unit)
    return Before(*span, known(one.inside.value), known(one.inside.low), known(one.inside.high), n)


def _job(ground: Ground, now: datetime, cause: str, asked_by: str) -> NewJob:
    arguments = {"version_id": ground.version.id, "version": ground.version.version}
    return NewJob(Task.SLICES, now, cause, asked_by, ground.version.model, arguments=arguments, priority=-1)


def _evidence(ground: Ground, now: datetime, *, state: str = "ok", reason: str = "") -> Evidence:
    return Evidence(
        kind=KIND, subject=ground.subject, comparator="other rows", metric=ground.reference.layout.task.row_loss,
        direction="lower_is_better", value=None, low=None, high=None, level=_LEVEL, n=0, n_clusters=None,
        method="mean loss of the part minus that of the other rows, jackknife over clusters, Benjamini-Hochberg; found "
        "parts: a tree on one half of the clusters, judged on the other",
        bound=f"at most {MOST_ROWS:,} rows, spread over the hours", window_start=None, window_end=None,
        digests={"reference": ground.reference.id, "model": ground.version.artifact_digest}, code_version=__version__,
        computed_at=now, state=state, reason=reason,
    )  # fmt: skip
