"""Keep what is kept no longer than it shall be: old rows move to cold files, and what nobody needs any more goes.

Every part may be repeated and ends what a killed run began. One model's damaged file keeps only its own rows in place.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mlops_dash.domain import retention as rules
from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.policies import PolicyKind
from mlops_dash.domain.retention import ModelRows, Removed, Retained, Retention
from mlops_dash.errors import MlopsDashError
from mlops_dash.services.command import Context, read, record
from mlops_dash.store import ab_tests, policies, rollouts, world
from mlops_dash.store import retention as store
from mlops_dash.store.db import Engine, reading, transaction
from mlops_dash.store.monitoring import profiles
from mlops_dash.store.prediction_log import cold, from_us, moving, to_us
from mlops_dash.store.prediction_log.cold import DAY_US, ColdFile

_LAST = "retention"
_OPEN_FILES = timedelta(minutes=10)  # a file that was replaced may still be read


@dataclass(frozen=True)
class FileState:
    """A cold file and what is wrong with it."""

    file: ColdFile
    trouble: str


class RetentionService:
    """Old rows, cold files and limits."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @read(Permission.AUDIT_READ)
    def overview(self, actor: Actor) -> Retention:
        """What is kept where, what a run would do, and when the next one is. Changes nothing."""
        now = self.context.clock.now()
        until = self._old_before(now)
        with reading(self.context.databases.log) as session:
            hot, files = store.hot(session), cold.of_model(session)
            by_model: dict[str, list[ColdFile]] = {}
            for one in files:
                by_model.setdefault(one.model, []).append(one)
            rows = tuple(
                self._rows(hot.get(model), by_model.get(model, []), model, until.get(model, self._usual(now)),
                           moving.old_days(session, model, self._whole_days(until.get(model, self._usual(now)))))
                for model in sorted({*hot, *by_model})
            )  # fmt: skip
        with reading(self.context.databases.app) as session:
            last = world.get(session, _LAST) or {}
        ran = datetime.fromisoformat(last["at"]) if last else None
        return Retention(
            models=rows,
            removable=self._limits(now, remove=False),
            last=ran,
            next=now if ran is None else max(now, ran + rules.EVERY),
            troubles=last.get("troubles", {}),
        )

    @read(Permission.AUDIT_READ)
    def files(self, actor: Actor, model: str = "", *, check: bool = False) -> tuple[FileState, ...]:
        """The cold files, the latest day first; with `check` every byte of them is read."""
        with reading(self.context.databases.log) as session:
            held = cold.of_model(session, model)
        folder = self.context.settings.home / "cold"
        return tuple(FileState(one, cold.trouble(folder / one.path, one) if check else "") for one in held)

    @read(Permission.SYSTEM)
    def is_due(self, actor: Actor) -> bool:
        """Whether a day has passed since the last run that ended."""
        with reading(self.context.databases.app) as session:
            last = world.get(session, _LAST)
        return last is None or datetime.fromisoformat(last["at"]) + rules.EVERY <= self.context.clock.now()

    @record(Permission.LOG_RETAIN)
    def retain(self, actor: Actor, *, most_days: int | None = None) -> Retained:
        """Move what is old enough, and remove what is kept for long enough. An admin or the worker may.

        With `most_days` it moves no more than so many days of rows, so that a long past does not keep others waiting;
        where more are left, it stays due.
        """
        now = self.context.clock.now()
        labels, troubles = self._fold(now)
        moved: dict[str, int] = {}
        until = self._old_before(now)
        with reading(self.context.databases.log) as session:
            models = moving.models(session)
        left = most_days
        for model in models:
            try:
                for n in self._move(model, until.get(model, self._usual(now)), now):
                    moved[model] = moved.get(model, 0) + n
                    left = None if left is None else left - 1
                    if left == 0:
                        return Retained(moved, labels, Removed(), troubles)
            except MlopsDashError as error:
                troubles[model] = error.sentence()
        removed = self._limits(now, remove=True)
        with transaction(self.context.databases.app) as session:
            world.put(session, _LAST, {"at": now.isoformat(), "troubles": troubles})
        return Retained(moved, labels, removed, troubles)

    @record(Permission.SYSTEM)
    def fold_labels(self, actor: Actor) -> Retained:
        """Add labels that came for archived rows to their files; the hours of those rows are counted anew."""
        labels, troubles = self._fold(self.context.clock.now())
        return Retained({}, labels, Removed(), troubles)

    def _move(self, model: str, until: datetime, now: datetime) -> Iterator[int]:
        """Move the days of a model that ended before an instant, one by one; each gives how many rows it had."""
        log = self.context.databases.log
        with reading(log) as session:
            days = moving.old_days(session, model, self._whole_days(until))
        for day in days:
            with cold.locked(log):
                for _ in moving.move_day(log, model, day.day_us, now_us=to_us(now)):
                    pass
            yield day.rows

    def _fold(self, now: datetime) -> tuple[int, dict[str, str]]:
        log, folded, troubles = self.context.databases.log, 0, {}
        with reading(log) as session:
            waiting = moving.labels_waiting(session)
        for model in waiting:
            try:
                with cold.locked(log):
                    folded += moving.fold_labels(log, model, now_us=to_us(now))
            except MlopsDashError as error:
                troubles[model] = error.sentence()
        return folded, troubles

    def _old_before(self, now: datetime) -> dict[str, datetime]:
        """Model -> the instant before which its rows are old enough; of models that are watched."""
        with reading(self.context.databases.app) as session:
            in_force = policies.in_force(session, PolicyKind.MONITORING, now)
            tests = {model: ab_tests.running(session, model) for model in in_force}
            going = {one.model: one.started_at for one in rollouts.all_open(session)}
        found = {}
        for model, version in in_force.items():
            policy, hot_days = version.monitoring, self.context.settings.hot_days
            settled = rules.settled_before(now, policy, hot_days=hot_days)
            with reading(self.context.databases.log) as session:
                batch = (
                    profiles.first_of_open_batches(session, model, after_us=to_us(settled))
                    if policy.cadence.is_batch
                    else None
                )
            test = tests[model]
            found[model] = rules.old_before(
                now, policy, hot_days=hot_days, open_batch=None if batch is None else from_us(batch),
                test_since=test.started_at if test else going.get(model),
            )  # fmt: skip
        return found

    def _usual(self, now: datetime) -> datetime:
        return rules.old_before(now, None, hot_days=self.context.settings.hot_days)

    @staticmethod
    def _whole_days(until: datetime) -> int:
        return to_us(until) // DAY_US * DAY_US

    def _rows(
        self, hot: store.Hot | None, files: list[ColdFile], model: str, until: datetime,
        days: tuple[moving.Waiting, ...],
    ) -> ModelRows:  # fmt: skip
        archived = [one for one in files if one.kind == "prediction"]
        return ModelRows(
            model=model,
            hot=hot.rows if hot else 0,
            oldest=from_us(hot.oldest_us) if hot else None,
            until=until,
            movable=sum(day.rows for day in days),
            days=len(days),
            archived=sum(one.rows for one in archived),
            first=from_us(min(one.day_us for one in archived)) if archived else None,
            last=from_us(max(one.max_at_us for one in archived)) if archived else None,
            files=len(files),
            size=sum(one.size for one in files),
        )

    def _limits(self, now: datetime, *, remove: bool) -> Removed:
        """What is kept for long enough, counted or removed."""
        settings, databases, wall = self.context.settings, self.context.databases, self.context.clock.wall()
        cold_us = to_us(now - timedelta(days=settings.cold_days))
        profile_at = now - timedelta(days=settings.profile_days)
        with reading(databases.app) as session:
            tested = {one.model for one in ab_tests.pending(session)}

        def of(target: Engine, *old: store.Old) -> int:
            if remove:
                return sum(gone for one in old for gone in store.remove(target, one))
            with reading(target) as session:
                return sum(store.count(session, one) for one in old)

        return Removed(
            cold_files=self._old_files(cold_us, remove=remove),
            kept_out=of(databases.log, store.kept_out(cold_us)),
            labels=of(databases.log, store.labels_of_nobody(cold_us)),
            events=of(databases.log, store.events(cold_us, but=tested)),
            profiles=of(databases.log, *store.profiles(to_us(profile_at))),
            windows=of(databases.app, store.windows(profile_at)),
            messages=of(databases.app, store.messages(now - timedelta(days=rules.MESSAGE_DAYS))),
            sessions=of(databases.app, store.sessions(wall - timedelta(days=rules.SESSION_DAYS))),
            heartbeats=of(databases.log, store.heartbeats(to_us(now - timedelta(days=rules.HEARTBEAT_DAYS)))),
            job_logs=self._job_logs(wall - timedelta(days=rules.JOB_LOG_DAYS), remove=remove),
        )

    def _old_files(self, before_us: int, *, remove: bool) -> int:
        """Cold files that are kept for long enough, counted or let go; a folder that is not the log's loses nothing."""
        log = self.context.databases.log
        if not remove:
            with reading(log) as session:
                return len(moving.files_to_forget(session, before_us=before_us))
        with cold.locked(log):
            gone = moving.forget_files(log, before_us=before_us)
            with reading(log) as session:
                cold.sweep(session, older_than=datetime.now(UTC) - _OPEN_FILES)
        return len(gone)

    def _job_logs(self, before_wall: datetime, *, remove: bool) -> int:
        """Logs that no job wrote to since."""
        folder = self.context.settings.logs / "jobs"
        old = [path for path in folder.glob("*") if _changed(path) < before_wall] if folder.is_dir() else []
        for path in old if remove else ():
            path.unlink(missing_ok=True)
        return len(old)


def _changed(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)
