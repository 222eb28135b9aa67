"""Why did one row get its answer? The version in service is asked mixtures of the row and of rows of its reference.

A worker asks, or the command line at once. What is kept with the job are amounts; what the row holds is read from the
log again for who may see it, and goes with the row when it is erased. Columns that must not be logged are told as one,
without a value, where older rows still hold them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.jobs import Job, NewJob, Task
from mlops_dash.domain.monitoring.contributions import (
    LOG_ODDS,
    MASKED,
    MISSING,
    SHARE,
    WHO,
    Added,
    RowAsked,
    RowContributions,
    in_order,
    named_of,
    part_of,
)
from mlops_dash.domain.monitoring.readings import known
from mlops_dash.domain.words import JobState
from mlops_dash.errors import InvalidInput, NotFound
from mlops_dash.ids import digest, keyed
from mlops_dash.services.command import Context, Unit, command, read, record
from mlops_dash.services.monitoring.explaining import ELSEWHERE, FIRST_WINDOWS
from mlops_dash.services.monitoring.ground import Ground, ground_of, logged, needed
from mlops_dash.stats.arrays import Bools, Floats, Ints
from mlops_dash.stats.contributions import FEWEST, Contributions, additive, shapley
from mlops_dash.store import jobs as job_rows
from mlops_dash.store import prediction_log, registry
from mlops_dash.store.db import reading

MOST_REFERENCE = 200  # reference rows that a row is mixed with
_SAME_MOMENT = 50_000  # rows of one microsecond that are looked through
_SEED = 20_130_101
_MOMENT = timedelta(microseconds=1)
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)  # where only the name of its lane is asked
_NO_INPUTS = ("prediction_id", "at", "at_us", "label", "label_received_at", "label_observed_at", "score")
Answer = Callable[[str, pd.DataFrame], Floats]  # version id, features as logged -> float64[rows], or [rows, classes]


class Contributing:
    """The verbs of single rows."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @read(Permission.ROOM_READ)
    def row_contributions(self, actor: Actor, model: str, row: str) -> RowAsked:
        """What is known of why a row got its answer from the version in service; only for who may score rows.

        Raises:
            NotFound: nothing of the model is watched.
        """
        if not actor.may(Permission.SCORE_WRITE):
            return RowAsked(sentence=f"{WHO[0].upper()}{WHO[1:]}.")
        with reading(self.context.databases.app) as session:
            ground = needed(ground_of(session, model, self.context.clock.now()), model)
            secret = registry.model(session, model).do_not_log
            job = job_rows.newest_in(session, _job(ground, row, _NEVER, secret).exclusive_key)
        if job is None:
            return RowAsked()
        if job.state is not JobState.SUCCEEDED or job.result is None:
            said = job.error or job.cancel_reason or "A worker is about to answer."
            return RowAsked(job.id, job.state, said)
        if not _answered(job):
            return RowAsked(job.id, job.state, str(job.result["why_not"]))
        found = RowContributions.from_json(job.result)
        held = self._row(ground, row, found.at)
        if held is None:
            return RowAsked(job.id, job.state, f"The log holds no row {row!r} any more.")
        found = found.masking(secret).with_values(_values(held, secret))
        return RowAsked(job.id, job.state, found.sentence, found)

    @record(Permission.JOB_RUN)
    def ask_row(self, actor: Actor, model: str, row: str, *, at: datetime | None = None, at_once: bool = False) -> str:
        """Ask a worker why a row got its answer. Audited by a keyed digest of its id: the ledger is kept for ever.

        The row is looked up, in archived files too, before the transaction begins.

        Args:
            actor: Who asks.
            model: The model's name.
            row: The row's prediction id.
            at: When it was answered, which finds it in archived files too.
            at_once: They ask the model themselves, right away: it is in the ledger, and no job is made.

        Returns:
            The job's id, also of one that was asked before; "" without one.

        Raises:
            NotFound: nothing is served, it has no reference, or the log holds no such row.
            InvalidInput: others serve the model.
        """
        with reading(self.context.databases.app) as session:
            ground = needed(ground_of(session, model, self.context.clock.now()), model)
            secret = registry.model(session, model).do_not_log
        moment = self._moment(model, row, at)
        if self._row(ground, row, moment) is None:
            raise _no_row(model, row)
        if ground.elsewhere:
            raise InvalidInput(f"Why v{ground.version.version} answered so cannot be asked: {ELSEWHERE}.")
        return self._ask_row(actor, _job(ground, row, moment, secret), row, at_once=at_once)

    @command(Permission.JOB_RUN, Action.ROW_ASKED)
    def _ask_row(self, unit: Unit, actor: Actor, asked: NewJob, row: str, *, at_once: bool) -> str:
        whose = keyed(self.context.settings.ledger_key, "row", asked.model, row)
        after = {"version_id": asked.arguments["version_id"], "row": whose, "at_once": at_once}
        unit.audit(f"row {whose}", model=asked.model, after=after)
        if at_once:
            return ""
        job = replace(asked, due_at=unit.now, cause=f"asked by {actor.name}", requested_by=actor.id)
        before = job_rows.newest_in(unit.session, job.exclusive_key)
        if before is not None and (not before.finished or _answered(before)):
            return before.id
        job_id = self.context.new_id()
        job_rows.enqueue(unit.session, job, job_id=job_id, now=unit.now)
        return job_id

    @record(Permission.JOB_RUN)
    def explain_row(
        self, actor: Actor, model: str, row: str, answer: Answer, *, at: datetime | None = None
    ) -> RowContributions:
        """Ask the version in service what each column of a row adds to its answer; gives it with what the row holds.

        Args:
            actor: Who asks.
            model: The model's name.
            row: The row's prediction id.
            answer: Asks a version about rows.
            at: When it was answered; None looks for it.

        Raises:
            NotFound: nothing is served, it has no reference, or the log holds no such row.
            InvalidInput: others serve the model, it cannot take the row, or too few reference rows are logged.
            BrokenModel: the version does not load, or fails.
            Unavailable: its files are not here and MLflow does not answer.
        """
        with reading(self.context.databases.app) as session:
            ground = needed(ground_of(session, model, self.context.clock.now()), model)
            facts = registry.model(session, model)
        if ground.elsewhere:
            raise InvalidInput(f"Why v{ground.version.version} answered so cannot be asked: {ELSEWHERE}.")
        moment = self._moment(model, row, at)
        held = self._row(ground, row, moment)
        if held is None:
            raise _no_row(model, row)
        others, said = self._reference_rows(ground)
        if len(others) < FEWEST:
            raise InvalidInput(
                f"{len(others)} rows of {said} are in the log, {FEWEST} are needed to hold a row against.",
                hint="More come with traffic.",
            )
        return _explained(ground, facts, row, moment, held, others, said, answer)

    def _moment(self, model: str, row: str, at: datetime | None) -> datetime:
        if at is not None:
            return at
        with reading(self.context.databases.log) as session:
            found = prediction_log.logged_at(session, model, row)
        if found is None:
            raise _no_row(model, row)
        return found

    def _row(self, ground: Ground, row: str, at: datetime) -> pd.DataFrame | None:
        """The row with its inputs, one line; None where the log does not hold it."""
        with reading(self.context.databases.log) as session:
            page = prediction_log.read_logged(session, ground.version.model, at, at + _MOMENT, limit=_SAME_MOMENT)
        found = page[page["prediction_id"] == row] if len(page) else page
        if not len(found):
            return None
        own = found.iloc[:1].dropna(axis=1, how="all").reset_index(drop=True)
        return own.infer_objects()

    def _reference_rows(self, ground: Ground) -> tuple[pd.DataFrame, str]:
        """At most `MOST_REFERENCE` rows of the reference, else of the first windows, in a drawn order."""
        reference, said = ground.reference, "the reference"
        rows = logged(self.context, ground, reference.start, reference.end, most=MOST_REFERENCE)
        if len(rows) < FEWEST:
            with reading(self.context.databases.log) as session:
                span = prediction_log.span_of(session, reference.version_id)
            if span is not None:
                first = max(span[0], reference.end)
                end = first + timedelta(days=FIRST_WINDOWS * max(1.0, ground.policy.cadence.usual))
                found = logged(self.context, ground, first, min(end, span[1] + _MOMENT), most=MOST_REFERENCE)
                rows, said = (found, "the first windows") if len(found) > len(rows) else (rows, said)
        drawn = np.random.default_rng(_SEED).permutation(len(rows))[:MOST_REFERENCE]
        return rows.iloc[drawn].reset_index(drop=True), said


def _explained(
    ground: Ground, facts: Any, row: str, at: datetime, held: pd.DataFrame, others: pd.DataFrame, said: str,
    answer: Answer,
) -> RowContributions:  # fmt: skip
    task, version = ground.reference.layout.task, ground.version
    columns = [name for name in dict.fromkeys([*held.columns, *others.columns]) if name not in _NO_INPUTS]
    values = [pd.Series([*_all_of(held, name), *_all_of(others, name)]).to_numpy() for name in columns]
    own = answer(version.id, pd.DataFrame({name: one[:1] for name, one in zip(columns, values, strict=True)}))

    def ask(which: Ints, mine: Bools) -> Floats:
        place = np.where(mine, 0, which[:, None] + 1)
        frame = {name: one[place[:, at]] for at, (name, one) in enumerate(zip(columns, values, strict=True))}
        return part_of(task, answer(version.id, pd.DataFrame(frame)), own)

    of, unit = named_of(task, own, positive=facts.positive_label, unit=ground.policy.label_unit)
    made, unit = _taken_apart(ask, len(others), len(columns), unit)
    word = task.word_of(float(task.split(own)[0][0]))
    return RowContributions(
        row, at, version.version, of, unit, word if isinstance(word, str) else f"{word:.4g}", float(made.base.mean()),
        made.answer, _added(made, columns, held, facts.do_not_log), made.exact, made.base.size, said,
    )  # fmt: skip


def _all_of(rows: pd.DataFrame, name: str) -> list[Any]:
    return rows[name].tolist() if name in rows else [np.nan] * len(rows)


def _taken_apart(ask: Callable[[Ints, Bools], Floats], n: int, columns: int, unit: str) -> tuple[Contributions, str]:
    """Exact in the unit of the answer, else in log-odds of a probability, else by drawn orders; and the unit."""
    exact = additive(ask, n, columns)
    if exact is not None:
        return exact, unit
    if unit == SHARE:
        exact = additive(lambda which, mine: _log_odds(ask(which, mine)), n, columns)
        if exact is not None:
            return exact, LOG_ODDS
    return shapley(ask, n, columns), unit


def _log_odds(share: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.log(share) - np.log1p(-share))


def _added(made: Contributions, columns: Sequence[str], held: pd.DataFrame, secret: Sequence[str]) -> tuple[Added, ...]:
    words = _values(held, secret)
    groups = {name: [at] for at, name in enumerate(columns) if name not in secret}
    masked = [at for at, name in enumerate(columns) if name in secret]
    if masked:
        groups[MASKED] = masked
    found = []
    for name, places in groups.items():
        value, low, high = made.of(np.array(places))
        held_as = words.get(name, "" if name == MASKED else MISSING)
        found.append(Added(name, value, known(low), known(high), held_as))
    return in_order(found)


def _values(held: pd.DataFrame, secret: Sequence[str]) -> dict[str, str]:
    """What a row holds, in words, but for what must not be logged."""
    kept = [str(name) for name in held.columns if name not in _NO_INPUTS and name not in secret]
    return {name: _word(held[name].iloc[0]) for name in kept}


def _word(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float | np.floating) else str(value)


def _job(ground: Ground, row: str, at: datetime, secret: Sequence[str]) -> NewJob:
    """One at a time of a row, a version, what it is compared with and what is masked."""
    version = ground.version
    lane = digest([version.id, version.artifact_digest, ground.reference.id, row, sorted(secret)])[:26]
    arguments = {"version_id": version.id, "version": version.version, "row": row, "at": at.isoformat(), "lane": lane}
    return NewJob(Task.ROW, at, "", "", version.model, arguments=arguments, priority=1)


def _answered(job: Job) -> bool:
    return job.state is JobState.SUCCEEDED and "why_not" not in (job.result or {})


def _no_row(model: str, row: str) -> NotFound:
    return NotFound(
        f"The log of {model} holds no row {row!r}.",
        hint="Ids stand with sample rows: mlops-dash why MODEL --rows COLUMN. Of an archived row say --at its time.",
    )
