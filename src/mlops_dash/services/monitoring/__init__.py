"""Is a served model still good? The verbs of monitoring, each beside the file that carries it out.

referencing what a version's live traffic is compared with
setting     references that people choose: a file, a window of the log, the first labelled days
signing     which columns a version takes, as its signature says
profiling   profiles of hours and days; what cannot be counted is set aside (sifting)
days        which days are judged, and when again although no row came
judging     evaluate: from profiles to readings, health and alerts
together    all columns together: our domain classifier, and the detectors of alibi-detect beside it
replaying   the version that took over, on the rows before its takeover; nothing judges it
explaining  which column is the likely cause, since it is worse (stretch), and what the version rests on (ground)
rehearsing  a policy before it is saved, over the recorded history
loss_models windows of a model that answers with a number, estimated without labels
group_gaps  do groups that the owner named fare alike (live_rows: the rows of both)
slicing     in which parts of the rows it is worse: the owner's own, and found ones
splitting   a risen loss: moved inputs, or a changed relation
contributing  why one row got its answer: what each of its columns adds
samples     the rows behind a moved column; few rows of many, from all hours of the day (spread)
columns     the columns of one window: all scores, and what happened to each
reading     what the page shows (its words: room, telling)
alerting    what people answer to alerts; which alerts the windows open and close
rating      whether an alert was useful or noise
answering   what becomes of the alerts of a replaced version
"""

from __future__ import annotations

from mlops_dash.services.command import Context
from mlops_dash.services.monitoring.alerting import Alerting
from mlops_dash.services.monitoring.contributing import Contributing
from mlops_dash.services.monitoring.days import Outlook
from mlops_dash.services.monitoring.explaining import Explaining
from mlops_dash.services.monitoring.incidents import Incidents
from mlops_dash.services.monitoring.judging import Judging
from mlops_dash.services.monitoring.loss_models import LossModels
from mlops_dash.services.monitoring.profiling import Profiling
from mlops_dash.services.monitoring.rating import Rating
from mlops_dash.services.monitoring.reading import Rooms
from mlops_dash.services.monitoring.referencing import Referencing
from mlops_dash.services.monitoring.rehearsing import Rehearsing
from mlops_dash.services.monitoring.replaying import Replaying
from mlops_dash.services.monitoring.samples import Samples
from mlops_dash.services.monitoring.setting import ReferenceSet, Setting
from mlops_dash.services.monitoring.signing import Signing
from mlops_dash.services.monitoring.slicing import Slicing
from mlops_dash.services.monitoring.splitting import Splitting
from mlops_dash.services.monitoring.together import Judged

__all__ = ["MonitoringService", "ReferenceSet"]


class MonitoringService:
    """Monitors of all models: references, profiles, readings, alerts, and what the page shows."""

    def __init__(self, context: Context) -> None:
        self.context = context

        self.record_reference = Referencing(context).record_reference

        setting = Setting(context)
        self.rows_of_window = setting.rows_of_window
        self.rows_of_first_days = setting.rows_of_first_days
        self.rows_of_objects = setting.rows_of_objects
        self.set_reference = setting.set_reference
        self.mark_past = setting.mark_past
        self.keep_inputs = Signing(context).keep_inputs

        profiling = Profiling(context)
        self.models_to_profile = profiling.models_to_profile
        self.profile_dirty_hours = profiling.profile_dirty_hours

        judging = Judging(context)
        self.evaluate = judging.evaluate

        self.grounds = Outlook(context).grounds

        self._of_pages(context)
        self._of_jobs(context)
        self._of_people(context)

    def _of_pages(self, context: Context) -> None:
        rooms = Rooms(context)
        self.models = rooms.models
        self.room = rooms.room
        self.summary = rooms.summary
        self.quarantine = rooms.quarantine
        self.column_rows = Samples(context).column_rows

    def _of_jobs(self, context: Context) -> None:
        judged = Judged(context)
        self.together = judged.together
        self.ask_together = judged.ask_together
        self.plan_together = judged.plan_together
        self.judge_together = judged.judge_together

        replaying = Replaying(context)
        self.replayed = replaying.replayed
        self.ask_replay = replaying.ask_replay
        self.plan_replay = replaying.plan_replay
        self.replay = replaying.replay

        explaining = Explaining(context)
        self.causes = explaining.causes
        self.ask_why = explaining.ask_why
        self.plan_why = explaining.plan_why
        self.explain = explaining.explain
        contributing = Contributing(context)
        self.row_contributions = contributing.row_contributions
        self.ask_row = contributing.ask_row
        self.explain_row = contributing.explain_row
        models = LossModels(context)
        self.ask_estimate = models.ask_estimate
        self.plan_estimate = models.plan_estimate
        self.estimate_losses = models.estimate_losses
        self.estimated = models.estimated
        slicing = Slicing(context)
        self.slices = slicing.slices
        self.ask_slices = slicing.ask_slices
        self.fairness = slicing.fairness
        self.plan_slices = slicing.plan_slices
        self.measure_slices = slicing.measure_slices
        self.split_loss = Splitting(context).split_loss

    def _of_people(self, context: Context) -> None:
        self.replay_policy = Rehearsing(context).replay_policy
        self.rate = Rating(context).rate
        self.incidents = Incidents(context).incidents

        alerting = Alerting(context)
        self.acknowledge = alerting.acknowledge
        self.snooze = alerting.snooze
        self.close = alerting.close
        self.restart_alarm = alerting.restart_alarm
