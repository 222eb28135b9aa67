"""The worker process: takes jobs, and, while it leads, fires schedules and keeps house.

Any number may run. Each takes jobs from the queue; the one that holds the lease row also ticks. APScheduler is the
metronome only: it holds no schedule of ours, just "call this every n seconds", in memory.

    python -m mlops_dash.worker
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from mlops_dash.bootstrap import Services
from mlops_dash.domain.access import system
from mlops_dash.domain.due import following
from mlops_dash.domain.jobs import Job, Task, Trouble
from mlops_dash.domain.starting import TRIGGERS, instant
from mlops_dash.domain.words import JobState
from mlops_dash.errors import Conflict, InvalidInput, MlopsDashError, StoreUnavailable, Unavailable
from mlops_dash.processes import Limits
from mlops_dash.settings import Settings, python_executable
from mlops_dash.training.launcher import Ending, Exit, launch
from mlops_dash.worker.apart import APART, means_of
from mlops_dash.worker.chore import Chore
from mlops_dash.worker.health import HealthServer
from mlops_dash.worker.metrics import WorkerMetrics

WORKER = system("worker")
STEP_SECONDS = 0.5
BEAT_SECONDS = 2.0
STALE_SECONDS = 15.0  # a worker that said nothing for so long has lost its jobs
SLOTS = 2
DAYS_A_BEAT = 10  # of rows that are archived in one go
DIRTY_HOURS = 48  # profiled in one go, so that the lead is renewed between
_log = logging.getLogger(__name__)


@dataclass
class Running:
    """A job this worker has in hand."""

    job: Job
    stop: threading.Event = field(default_factory=threading.Event)
    why: str = ""  # cancelled | lost | worker stops
    reason: str = ""
    thread: threading.Thread | None = None


class Worker:
    """One worker process."""

    def __init__(self, services: Services, *, stale_seconds: float = STALE_SECONDS, slots: int = SLOTS) -> None:
        self.services = services
        self.settings: Settings = services.context.settings
        self.holder = f"{socket.gethostname()}:{os.getpid()}"
        self.stale_seconds = stale_seconds
        self.slots = slots
        self.stopping = threading.Event()
        self.leading = False
        self.running: dict[str, Running] = {}
        self._chores = {
            "tick": Chore("tick", self.settings.metronome_seconds),
            "budgets": Chore("budgets", 3.0),
            "profile": Chore("profile", 2.0),
            "evaluate": Chore("evaluate", 5.0),
            "reconcile": Chore("reconcile", 3.0),
            "frozen": Chore("frozen", 3.0),
            "tests": Chore("tests", 30.0),
            "rollouts": Chore("rollouts", 3.0),
            "anchor": Chore("anchor", 10.0),
            "runs": Chore("runs", 2.0),
            "tell": Chore("tell", 2.0),
            "send": Chore("send", 2.0),
            "retain": Chore("retain", 10.0),
        }
        self._step_chore = Chore("step", STEP_SECONDS)
        self._reaping = Chore("lost jobs", self.settings.metronome_seconds)
        self._parts: dict[tuple[str, str], Chore] = {}  # of a chore: one model, one schedule
        self._profiled: set[str] = set()  # models with new profiles, not judged since
        self._judged: dict[str, tuple[str, datetime | None]] = {}  # on which grounds, and when again
        self._last_beat = 0.0
        self._time = services.context.clock

    # --- the life of the process --------------------------------------------------------------------------------------

    def run(self) -> None:
        """Work until asked to stop; then end children, give jobs and the lead back."""
        scheduler = self._metronome()
        health = HealthServer(
            self.settings.worker_port, self.health, WorkerMetrics(self.services, WORKER, self.health).text
        )
        try:
            scheduler.start(paused=True)
            _log.info("worker started", extra={"holder": self.holder})
            while not self.stopping.wait(STEP_SECONDS):
                self._guarded(self._step_chore, lambda: self._step(scheduler))
        finally:
            self._shut_down(scheduler)
            health.close()

    def health(self) -> dict[str, object]:
        """What /healthz says."""
        chores = [*self._chores.values(), *list(self._parts.values()), self._reaping, self._step_chore]
        troubled = {chore.name: chore.said for chore in chores if chore.said}
        status = "degraded" if troubled else "ok"
        return {"status": status, "holder": self.holder, "leading": self.leading, "jobs": sorted(self.running),
                "trouble": troubled}  # fmt: skip

    def _metronome(self) -> BackgroundScheduler:
        scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(len(self._chores))},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone=UTC,
        )
        logging.getLogger("apscheduler").setLevel(logging.ERROR)  # a chore that takes longer than its beat is normal
        for name, chore in self._chores.items():
            scheduler.add_job(self._guarded, "interval", (chore, getattr(self, name)), seconds=chore.seconds, id=name)
        return scheduler

    def _step(self, scheduler: BackgroundScheduler) -> None:
        lead = self.services.jobs.lead(WORKER, self.holder).held
        if lead != self.leading:
            self.leading = lead
            _log.info("leading" if lead else "another worker leads", extra={"holder": self.holder})
            (scheduler.resume if lead else scheduler.pause)()
        for mine in [found for found in self.running.values() if found.thread and not found.thread.is_alive()]:
            del self.running[mine.job.id]
        self._beat()
        while len(self.running) < self.slots:
            job = self.services.jobs.claim(WORKER, self.holder)
            if job is None:
                break
            self.start(job)

    def _beat(self) -> None:
        now = self._time.wall().timestamp()
        if now - self._last_beat < BEAT_SECONDS:
            return
        self._last_beat = now
        for mine in list(self.running.values()):
            beat = self.services.jobs.heartbeat(WORKER, mine.job.id, mine.job.epoch)
            if beat.cancel_requested:
                self._stop(mine, "cancelled", beat.reason)
            elif not beat.mine and mine.thread is not None and mine.thread.is_alive():
                self._stop(mine, "lost", "")

    def _shut_down(self, scheduler: BackgroundScheduler) -> None:
        for mine in list(self.running.values()):
            self._stop(mine, "worker stops", "")
        if scheduler.running:
            scheduler.shutdown(wait=True)
        for mine in list(self.running.values()):
            if mine.thread is not None:
                mine.thread.join()
        try:
            self.services.jobs.step_down(WORKER, self.holder)
        except MlopsDashError as error:
            _log.warning("the lead was not given back", extra={"why": error.sentence()})
        _log.info("worker stopped", extra={"holder": self.holder})

    def _guarded(self, chore: Chore, work: Callable[[], object]) -> None:
        """Run a chore; a failure is said once per new reason, and a failing chore waits up to a minute."""
        now = self._time.wall().timestamp()
        if now < chore.not_before:
            return
        try:
            work()
        except MlopsDashError as error:
            self._failed(chore, now, error.sentence())
        except Exception as error:  # noqa: BLE001 - an entry point: one broken chore must not stop the others
            if f"{error!r}" != chore.said:
                _log.exception("chore failed", extra={"chore": chore.name})
            self._failed(chore, now, f"{error!r}", told=True)
        else:
            if chore.said:
                _log.warning(f"{chore.name} works again", extra={"chore": chore.name})
            chore.said, chore.failures, chore.not_before = "", 0, 0.0

    def _each(self, of: str, parts: Mapping[str, Callable[[], object]]) -> None:
        """Do the parts of a chore, by name; one that fails waits longer and longer, alone, and the others go on."""
        for name in [part for chore, part in self._parts if chore == of and part not in parts]:
            del self._parts[of, name]  # nothing to do any more: its trouble is over
        for name, work in parts.items():
            self._guarded(self._parts.setdefault((of, name), Chore(f"{of}: {name}", self._chores[of].seconds)), work)

    def _failed(self, chore: Chore, now: float, sentence: str, *, told: bool = False) -> None:
        chore.failures += 1
        longest = 2.0 if chore is self._step_chore else 60.0  # the lead is lost after two seconds of silence
        chore.not_before = now + min(chore.seconds * (1 << min(chore.failures, 10)), longest)
        if sentence != chore.said and not told:
            _log.warning(f"{chore.name}: {sentence}", extra={"chore": chore.name, "hint": "it is tried again"})
        chore.said = sentence

    # --- the leader's chores ------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Take back jobs of vanished workers, then plan and fire schedules and end pauses that are over, one by one."""
        self._guarded(self._reaping, self._reap)  # first, and whatever the schedules say
        waiting = self.services.retraining.names_needing_the_metronome(WORKER)
        self._each("tick", {name: partial(self._wake, schedule_id) for schedule_id, name in waiting.items()})

    def _reap(self) -> None:
        for job in self.services.jobs.reap(WORKER, self.stale_seconds):
            _log.warning(f"job {job.id} lost its worker and is {job.state} now", extra={"job": job.id})

    def _wake(self, schedule_id: str) -> None:
        retraining, now = self.services.retraining, self._time.now()
        for schedule in retraining.needing_the_metronome(WORKER, schedule_id):
            if not schedule.enabled:
                retraining.resume(WORKER, schedule.id, "The pause is over.")
            elif schedule.kind in TRIGGERS:
                retraining.follow(WORKER, schedule)
            elif schedule.upcoming is None:
                retraining.plan(WORKER, schedule, following(schedule, now))
            else:
                job_id = retraining.fire(WORKER, schedule, following(schedule, now))
                if job_id:
                    _log.info("schedule fired", extra={"schedule": schedule.name, "job": job_id})

    def budgets(self) -> None:
        """End runs that have used up the month's money of their recipe or schedule."""
        self.services.retraining.end_over_budget(WORKER)

    def profile(self) -> None:
        """Profile hours with new predictions or labels, model by model."""
        models = self.services.monitoring.models_to_profile(WORKER)
        self._each("profile", {model: partial(self._profile, model) for model in models})

    def _profile(self, model: str) -> None:
        if self.services.monitoring.profile_dirty_hours(WORKER, model=model, limit=DIRTY_HOURS).hours:
            self._profiled.add(model)

    def evaluate(self) -> None:
        """Judge a model again when its profiles changed, a day ended, a window ripened, or its grounds are others."""
        grounds, now = self.services.monitoring.grounds(WORKER), self._time.now()
        due = [model for model in sorted(grounds) if self._is_due(model, grounds[model], now)]
        self._each("evaluate", {model: partial(self._evaluate, model, grounds[model]) for model in due})

    def _is_due(self, model: str, grounds: str, now: datetime) -> bool:
        before, again_at = self._judged.get(model, ("", None))
        return model in self._profiled or grounds != before or (again_at is not None and now >= again_at)

    def _evaluate(self, model: str, grounds: str) -> None:
        self._profiled.discard(model)
        self._judged.pop(model, None)  # whatever fails from here on leaves it to be judged again
        self._judged[model] = (grounds, self.services.monitoring.evaluate(WORKER, model).again_at)
        self.services.monitoring.plan_together(WORKER, model)
        self.services.monitoring.plan_replay(WORKER, model)
        self.services.monitoring.plan_why(WORKER, model)
        self.services.monitoring.plan_estimate(WORKER, model)
        self.services.monitoring.plan_slices(WORKER, model)

    def reconcile(self) -> None:
        """Finish promotions that a crash left half done, and look for aliases that moved behind our back."""
        self.services.registry.reconcile(WORKER)

    def frozen(self) -> None:
        """Read the files of live versions again: somebody may have changed them in MLflow."""
        self.services.registry.watch_files(WORKER)

    def tests(self) -> None:
        """Stop A/B tests that do harm and say that they shall be stopped then."""
        self.services.ab_tests.watch(WORKER)

    def rollouts(self) -> None:
        """Count and judge staged roll-outs; take each further, or stop it."""
        self.services.registry.watch_rollouts(WORKER)

    def anchor(self) -> None:
        """Keep the head of the ledger outside the database, in MLflow."""
        self.services.audit.anchor(WORKER)

    def runs(self) -> None:
        """Read the runs of a remote MLflow server into the run index."""
        self.services.experiments.read_runs(WORKER)

    def tell(self) -> None:
        """Tell channels of alerts that opened or are over, and send what waits."""
        self.services.notices.gather(WORKER)
        self.services.notices.deliver(WORKER)

    def send(self) -> None:
        """Send reports that wait for their recipients."""
        self.services.reports.deliver(WORKER)

    def retain(self) -> None:
        """Add labels that came for archived rows; once a day move old rows to cold files, and let go of what may go."""
        retention = self.services.retention
        done = (
            retention.retain(WORKER, most_days=DAYS_A_BEAT)
            if retention.is_due(WORKER)
            else retention.fold_labels(WORKER)
        )
        if done.moved:
            _log.info("rows archived", extra={"rows": sum(done.moved.values()), "models": len(done.moved)})
        if done.troubles:
            raise StoreUnavailable(next(iter(done.troubles.values())))

    # --- jobs ---------------------------------------------------------------------------------------------------------

    def start(self, job: Job) -> Running:
        """Do a claimed job in a thread of its own."""
        mine = Running(job)
        mine.thread = threading.Thread(target=self._work, args=(mine,), name=f"job-{job.id}")
        self.running[job.id] = mine
        _log.info("job started", extra={"job": job.id, "task": str(job.task), "epoch": job.epoch, "cause": job.cause})
        mine.thread.start()
        return mine

    def _stop(self, mine: Running, why: str, reason: str) -> None:
        if not mine.stop.is_set():
            mine.why, mine.reason = why, reason
            mine.stop.set()

    def _work(self, mine: Running) -> None:
        job, jobs = mine.job, self.services.jobs
        try:
            if job.task in APART:
                self._apart(mine)
            else:
                jobs.finish(WORKER, job.id, job.epoch, JobState.SUCCEEDED, result=self._inline(job))
        except Conflict as error:
            _log.warning(error.sentence(), extra={"job": job.id, "epoch": job.epoch})
        except Unavailable as error:
            self._trouble(job, Trouble.UNAVAILABLE, error.sentence())
        except MlopsDashError as error:
            self._trouble(job, Trouble.FAILED, error.sentence())
        except Exception as error:  # noqa: BLE001 - an entry point: the job fails, the worker goes on
            _log.exception("job failed", extra={"job": job.id})
            self._trouble(job, Trouble.FAILED, f"An error of ours: {error!r}. The worker's log has the traceback.")

    def _trouble(self, job: Job, why: Trouble, sentence: str) -> None:
        try:
            state = self.services.jobs.trouble(WORKER, job.id, job.epoch, why, sentence)
            _log.warning(f"job {job.id} is {state}: {sentence}", extra={"job": job.id})
        except MlopsDashError as error:  # taken over, or the database is away: the heartbeat grows old and it is reaped
            _log.warning(error.sentence(), extra={"job": job.id, "epoch": job.epoch})

    def _inline(self, job: Job) -> dict[str, object]:
        """The short tasks, done in this process."""
        match job.task:
            case Task.EVALUATE:
                return {"health": str(self.services.monitoring.evaluate(WORKER, job.model).health)}
            case Task.PROFILE:
                return {"hours": self.services.monitoring.profile_dirty_hours(WORKER).hours}
            case Task.RECONCILE:
                self.services.registry.reconcile(WORKER)
                return {}
            case Task.BACKFILL:
                start, end = (instant(str(job.arguments[name])) for name in ("start", "end"))
                version_id = str(job.arguments["version_id"])
                return {"rows": self.services.scoring.backfill(WORKER, job.model, version_id, start, end)}
            case Task.REPORT:
                return {"deliveries": len(self.services.reports.prepare(WORKER, job.id, job.cause, job.arguments))}
            case _:
                raise InvalidInput(f"A {job.task} has a process of its own.")

    def _apart(self, mine: Running) -> None:
        """What may run long, in a process of its own."""
        job = mine.job
        means = means_of(self.services, WORKER, job)
        ended = launch(
            [python_executable(), "-m", means.module, job.id, str(job.epoch)],
            log=self.services.jobs.log_path(WORKER, job.id),
            limits=Limits(means.seconds, means.mib, threads=max(1, (os.cpu_count() or 2) // 2)),
            should_stop=mine.stop.is_set,
            now=self._time.now,
        )
        _log.info(ended.sentence, extra={"job": job.id, "ending": str(ended.ending), "peak_mib": round(ended.peak_mib)})
        self._settle(mine, ended)

    def _settle(self, mine: Running, ended: Exit) -> None:
        """Write down how a child ended, unless it has done so itself."""
        job, jobs = mine.job, self.services.jobs
        if mine.why == "lost" or not jobs.heartbeat(WORKER, job.id, job.epoch).mine:
            return
        if ended.ending is Ending.STOPPED and mine.why == "worker stops":
            jobs.release(WORKER, job.id, job.epoch, "The worker was stopped; it starts again with the next one.")
        elif ended.ending is Ending.STOPPED:
            jobs.finish(WORKER, job.id, job.epoch, JobState.CANCELLED, error=mine.reason)
        elif ended.ending is Ending.TIMED_OUT:
            jobs.finish(WORKER, job.id, job.epoch, JobState.TIMED_OUT, error=ended.sentence)
        elif ended.ending is Ending.OUT_OF_MEMORY:
            jobs.finish(WORKER, job.id, job.epoch, JobState.FAILED, error=ended.sentence)
        else:
            last = "It left no result." if ended.ok else "The end of its log says more."
            jobs.trouble(WORKER, job.id, job.epoch, Trouble.FAILED, f"{ended.sentence} {last}")
