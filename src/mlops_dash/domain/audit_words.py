"""A ledger entry as a sentence: who did what to which. Why stands beside it, as it was written."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from mlops_dash.domain.audit import Action, Entry, title, who
from mlops_dash.domain.format import plural, short

Told = Callable[[Entry], str]
_JOB = re.compile(r"\b(job )([0-9A-Za-z]{20,})\b")


def _to(verb: str) -> Told:
    return lambda one: f"{verb} {one.object}"


def _becomes(verb: str) -> Told:
    def told(one: Entry) -> str:
        before = one.before.get("champion")
        failed = one.after.get("failed")
        if failed:
            return f"could not make {one.object} champion"
        return f"{verb} {one.object}" + (f" in place of {before}" if before else "")

    return told


def _promoted(one: Entry) -> str:
    lifted = one.after.get("overridden")
    said = _becomes("promoted")(one)
    return said + (f", {plural(len(lifted), 'gate')} overridden" if isinstance(lifted, list) else "")


def _approved(one: Entry) -> str:
    count, needed = one.after.get("approvals"), one.after.get("needed")
    return f"approved {one.object}" + (f" ({count} of {needed})" if count is not None and needed is not None else "")


def _overridden(one: Entry) -> str:
    done = "overrode" if one.after.get("overridden") else "asked to override"
    return f"{done} the gate {one.after.get('gate')} of {one.object}"


def _changed(one: Entry) -> str:
    names = [name.replace("_", " ") for name in one.after]
    return f"changed {', '.join(names)} of {one.object}" if names else f"changed {one.object}"


def _alias(one: Entry) -> str:
    return f"saw the live mark of {one.model} moved outside to {one.after.get('alias')}"


_SENTENCES: Mapping[str, Told] = {
    Action.USER_CREATED: _to("created the account"),
    Action.USER_ROLE_SET: lambda one: f"made {one.object} {one.after.get('role')}",
    Action.USER_DISABLED: _to("disabled"),
    Action.USER_ENABLED: _to("enabled"),
    Action.USER_LINK_ISSUED: _to("issued a login link for"),
    Action.ADMIN_LINK_USED: _to("used the first administrator's link as"),
    Action.PASSWORD_SET: _to("set the password of"),
    Action.SERVICE_CREATED: _to("created the service account"),
    Action.SERVICE_MODELS_SET: _to("changed the models of"),
    Action.TOKEN_ISSUED: _to("issued"),
    Action.TOKEN_REVOKED: _to("revoked"),
    Action.DEPUTY_NAMED: lambda one: f"named {one.object} as their deputy",
    Action.DEPUTY_ENDED: _to("ended that somebody stands in:"),
    Action.MODEL_ADDED: _to("added the model"),
    Action.MODEL_EDITED: _changed,
    Action.MODEL_ARCHIVED: _to("archived"),
    Action.MODEL_RESTORED: _to("restored"),
    Action.EVIDENCE_PUSHED: _to("pushed evidence about"),
    Action.REFERENCE_SET: _to("set the reference of"),
    Action.POLICY_PROPOSED: _to("wrote"),
    Action.POLICY_ACTIVATED: _to("put in force"),
    Action.PROPOSAL_OPENED: _to("proposed"),
    Action.PROPOSAL_APPROVED: _approved,
    Action.PROPOSAL_REJECTED: _to("rejected"),
    Action.PROPOSAL_WITHDRAWN: _to("withdrew"),
    Action.COMMENT_WRITTEN: _to("wrote about the proposal of"),
    Action.CONDITION_DONE: lambda one: f"said that the {one.after.get('kind')} of {one.object} is done",
    Action.GATE_OVERRIDDEN: _overridden,
    Action.PROMOTION_DECIDED: _becomes("decided to promote"),
    Action.PROMOTION_FINISHED: _promoted,
    Action.ROLLOUT_STARTED: lambda one: f"began to roll out {one.object}: {one.after.get('stages')}",
    Action.ROLLOUT_ADVANCED: lambda one: f"went on with the roll-out of {one.object}: {one.after.get('stage')}",
    Action.ROLLOUT_PAUSED: _to("paused the roll-out of"),
    Action.ROLLOUT_CONTINUED: _to("let the roll-out go on of"),
    Action.ROLLOUT_STOPPED: _to("stopped the roll-out of"),
    Action.ROLLOUT_HALTED: _to("stopped, by its rule, the roll-out of"),
    Action.ROLLBACK_DECIDED: _becomes("decided to roll back to"),
    Action.ROLLBACK_FINISHED: _becomes("rolled back to"),
    Action.ALIAS_DRIFTED: _alias,
    Action.ALIAS_ADOPTED: _becomes("adopted, no gate asked,"),
    Action.ALIAS_RESTORED: lambda one: f"put the live mark of {one.model} back on {one.after.get('alias')}",
    Action.VERSION_CHANGED: lambda one: f"saw {one.object}, which is live, changed outside",
    Action.VERSION_RESTORED: _to("put back, as it was approved,"),
    Action.CHANGE_ADOPTED: _to("adopted the change made outside of"),
    Action.SERVED_ELSEWHERE: _becomes("said that others serve"),
    Action.ALERT_ACKNOWLEDGED: _to("acknowledged"),
    Action.ALERT_SNOOZED: _to("snoozed"),
    Action.ALERT_CLOSED: _to("closed"),
    Action.ALERT_RATED: _to("rated"),
    Action.ALERT_CONFIRMED: _to("closed, by its rule,"),
    Action.ALERT_REOPENED: _to("opened again, by its rule,"),
    Action.ALARM_RESTARTED: _to("restarted the alarm of"),
    Action.RECIPE_SAVED: _to("saved"),
    Action.SCHEDULE_SAVED: _to("saved"),
    Action.SCHEDULE_PAUSED: _to("paused"),
    Action.SCHEDULE_RESUMED: _to("resumed"),
    Action.SCHEDULE_REMOVED: _to("removed"),
    Action.JOB_REQUESTED: _to("asked for a run of"),
    Action.SLICES_REQUESTED: lambda one: f"asked in which parts of the rows {one.model} {one.object} is worse",
    Action.WHY_REQUESTED: lambda one: f"asked what {one.model} {one.object} rests on",
    Action.ROW_ASKED: lambda one: f"asked why {one.model} {one.object} got its answer",
    Action.ESTIMATE_REQUESTED: lambda one: f"had the errors of {one.model} {one.object} estimated without labels",
    Action.RECIPE_TRIED: _to("had a check made of"),
    Action.VERSION_CHECKED: _to("had the recipe's checks look at"),
    Action.REPLAY_REQUESTED: lambda one: f"asked for a replay of {one.model} {one.object}",
    Action.JOB_CANCEL_REQUESTED: _to("cancelled"),
    Action.CHANNEL_ADDED: _to("made"),
    Action.CHANNEL_EDITED: _to("changed"),
    Action.CHANNEL_REMOVED: _to("removed"),
    Action.CHANNEL_TESTED: _to("sent a test to"),
    Action.NOTICE_SENT_AGAIN: _to("sent again the"),
    Action.TRIGGER_CALLED: _to("called"),
    Action.REPORT_MADE: _to("made the"),
    Action.REPORT_SHARED: _to("made a link for people outside to the"),
    Action.SHARE_REVOKED: _to("revoked a link to the"),
    Action.REPORT_SENT: lambda one: f"sent the {one.object} to {plural(len(one.after.get('to', ())), 'recipient')}",
    Action.REPORT_SENT_AGAIN: _to("sent again the"),
    Action.REPORT_UNSUBSCRIBED: _to("unsubscribed from"),
    Action.CARD_EDITED: _to("wrote"),
    Action.CARD_APPROVED: _to("approved"),
    Action.REPORT_COMMENTED: _to("commented on"),
    Action.REPORT_SIGNED: _to("signed"),
    Action.SIGN_OFF_WITHDRAWN: _to("withdrew their sign-off of"),
    Action.VERSION_NUMBERED: lambda one: f"called {one.object} {one.after.get('number', '')}",
    Action.VERSION_MARKED: lambda one: f"moved {one.object} to {one.after.get('environment', '')}",
    Action.SHADOW_SET: lambda one: f"{'started' if one.after.get('on') else 'stopped'} {one.object} scoring silently",
    Action.TEST_DESIGNED: _to("designed the A/B test"),
    Action.TEST_STARTED: _to("started the A/B test"),
    Action.TEST_STOPPED: _to("stopped the A/B test"),
    Action.TEST_PAUSED: _to("paused the A/B test"),
    Action.TEST_RESUMED: _to("resumed the A/B test"),
    Action.TEST_DECIDED: _to("decided on the A/B test"),
    Action.TEST_SECONDED: _to("stood behind a decision against the A/B test"),
    Action.ROWS_ERASED: _to("erased"),
    Action.FILES_TRUSTED: _to("trusted the files of"),
    Action.TRUST_WITHDRAWN: _to("took back the trust in the files of"),
    Action.MLFLOW_LEFT: _to("took our tags off"),
    Action.WEEK_ASKED: _to("had the demo play"),
}


def sentence(entry: Entry, names: Mapping[str, str] | None = None) -> str:
    """Who did what to which: `lead approved flight-delay v3 (1 of 1)`.

    Args:
        entry: Of the ledger; an action from elsewhere is told by its name.
        names: What people are called, by their ids.
    """
    called = names or {}
    person, absent = called.get(entry.actor, who(entry.actor)), entry.after.get("in_name_of")
    if isinstance(absent, str):  # an approval by a deputy: ben for ada
        person = f"{person} for {called.get(absent, who(absent))}"
    return f"{person} {done(entry)}"


def done(entry: Entry) -> str:
    """What an entry says was done, without who did it."""
    told = _SENTENCES.get(entry.action)
    if told is not None:
        return _one_line(told(entry))
    return _one_line(f"{title(entry.action).lower()}: {entry.object}")


def _one_line(text: Any) -> str:
    """On one line; of a job's number its begin, as the page of runs has it."""
    return _JOB.sub(lambda found: f"{found[1]}{short(found[2])}", " ".join(str(text).split()))
