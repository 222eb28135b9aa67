"""What does a policy say, field by field, and how far has each of its versions come? What pages and commands show."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from mlops_dash.domain.access import Actor, Permission, User, person_of
from mlops_dash.domain.cadence import CADENCES
from mlops_dash.domain.policies import (
    CARD_ASKS,
    CHECKS_ASK,
    PASSWORD_ASKS,
    UNPRICED,
    UNSAID,
    PolicyKind,
    PolicyVersion,
    default_policy,
)
from mlops_dash.domain.tasks.task import ModelTask

# What each field means, in one line: commands, files and forms say the same.
EXPLAINED: Mapping[PolicyKind, Mapping[str, str]] = {
    PolicyKind.PROMOTION: {
        "primary": "metric by which a candidate must be better than the champion, on the same rows",
        "margin": "by how much more than nothing it must be better, with its whole interval",
        "guardrail": "second metric, which must not get worse",
        "guardrail_margin": "by how much the guardrail may be worse at most",
        "floor_metric": "metric that a candidate must reach alone; empty = no floor, and no first version passes",
        "floor": "value to reach alone: at least, or at most where lower is better (errors, in the label's unit)",
        "level": "confidence of every interval that gates are judged by",
        "min_rows": "labelled rows below which nothing is judged",
        "min_clusters": "days below which nothing is judged: rows of one day are not independent",
        "approvals": "how many people other than the proposer must approve",
        "tier_1_approvals": "how many must approve a model of tier 1 at least; 0 = as of others",
        "tier_1_password": "again: who approves a model of tier 1 says their password again; empty = not asked",
        "proposal_expires_days": "days after which an open proposal lapses",
        "evidence_max_age_days": "days after which evidence must be measured again",
        "card": "what a model card must be: complete, approved by a second person, or empty = not asked",
        "recipe_checks": "whether the checks that a recipe carries block (required) or are shown only (advisory)",
        "rollout_most_failed": "share of calls above which a roll-out in stages surely fails and stops by itself",
        "rollout_most_times": "how many times the champion's its slow answers may take in stages before it stops",
        "confirm_within_minutes": "minutes in which a promoted version must be seen serving, else an alarm",
    },
    PolicyKind.MONITORING: {
        "zone": "time zone of its days, such as Europe/Berlin",
        "window": "what is judged as one: an hour, a day, week or month of the zone, rows:N, or batch:COLUMN",
        "label_delay_hours": "hours after which the labels of a day are expected to be there (it is ripe) ...",
        "ripe_coverage": "... or the share of labelled rows with which it is ripe earlier",
        "min_rows": "rows of a window below which its drift is not judged",
        "min_reference_rows": "rows of the reference below which drift is not judged",
        "alpha": "share of false alarms that is accepted: of drifting columns, and of harm over the model's whole life",
        "watch_excess": "PSI beyond the noise from which a column is watched",
        "drift_excess": "PSI beyond the noise from which a column drifts",
        "rank_level": "share of the reference's own windows that a window must exceed to count as moved",
        "hysteresis_of": "how many of the last windows are looked at before inputs count as moved ...",
        "hysteresis_need": "... and in how many of them a column must have moved",
        "primary": "metric named first to readers; the harm alarm follows the losses of the model's task",
        "harm_tolerance_share": "share of the reference's loss by which it may grow before it is harm",
        "harm_tolerance_auc": "points of ROC AUC within the day that may be lost before it is harm",
        "harm_min_unit_labels": "labels that make one step of the harm alarm; smaller days are put together",
        "loss_clip": "probability at which a row's log-loss is cut; taken over with the next reference",
        "second_opinion": "detectors of alibi-detect asked once a week, such as tabular,classifier; empty = none",
        "label_unit": "unit of a regression's label and errors, such as min; empty = none",
        "cost_of_error": "price of a wrong answer; of a regression of one unit of error; of a wrong yes; 0 = not said",
        "cost_of_missed": "of models that answer with one probability: price of a no where yes came; 0 = not said",
        "cost_threshold": "of such models: from which probability on an answer acts as yes",
    },
}


class PolicyState(StrEnum):
    """How far a version of a policy has come."""

    IN_FORCE = "in force"
    WAITS = "waits for a second person"
    REPLACED = "replaced"
    OVERTAKEN = "overtaken"  # a newer one came into force before anybody activated it


@dataclass(frozen=True)
class PolicyField:
    """One field of a policy as people read it: what holds, what would hold by default, and what it means.

    `choices` are the values that it may have where there are few; () = any of its type.
    """

    name: str
    value: Any
    default: Any
    meaning: str
    choices: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether it may have other values than its choices: a batch is named by any column, a window has N rows."""
        return self.name == "window"


def policy_fields(policy: PolicyVersion, task: ModelTask) -> tuple[PolicyField, ...]:
    """Every field of a policy beside the default of the model's task.

    >>> from mlops_dash.domain.tasks import BINARY
    >>> policy_fields(default_policy("m", PolicyKind.PROMOTION, BINARY), BINARY)[0].meaning
    'metric by which a candidate must be better than the champion, on the same rows'
    """
    unsaid = UNSAID if policy.kind is PolicyKind.PROMOTION else UNPRICED
    standard = {**unsaid, **default_policy(policy.model, policy.kind, task).body}
    whole = {**standard, **policy.body}
    choices: dict[str, tuple[str, ...]] = {
        "primary": task.comparable, "guardrail": task.comparable, "floor_metric": ("", *task.comparable),
        "card": CARD_ASKS, "recipe_checks": CHECKS_ASK, "tier_1_password": PASSWORD_ASKS,
    } if policy.kind is PolicyKind.PROMOTION else {
        "primary": tuple(metric.key for metric in task.metrics), "window": tuple(CADENCES),
    }  # fmt: skip
    return tuple(
        PolicyField(name, whole[name], standard[name], meaning, choices.get(name, ()))
        for name, meaning in EXPLAINED[policy.kind].items()
    )


@dataclass(frozen=True)
class PolicyRoom:
    """All that pages and commands show of one kind of policy of one model.

    Attributes:
        active: What is in force; the named default (number 0) while nobody has written one.
        history: All written versions, newest first.
        who_may: (id, name) of the people who may put a policy into force, each one unless they wrote it.
    """

    active: PolicyVersion
    fields: tuple[PolicyField, ...]
    history: tuple[PolicyVersion, ...]
    who_may: tuple[tuple[str, str], ...]

    def state(self, version: PolicyVersion) -> PolicyState:
        """How far a version has come."""
        if version.number == self.active.number:
            return PolicyState.IN_FORCE
        if version.is_active:
            return PolicyState.REPLACED
        return PolicyState.WAITS if version.number > self.active.number else PolicyState.OVERTAKEN

    @property
    def waiting(self) -> tuple[PolicyVersion, ...]:
        """What a second person may put into force, newest first."""
        return tuple(one for one in self.history if self.state(one) is PolicyState.WAITS)


def policy_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[tuple[str, Any, Any], ...]:
    """What differs between two bodies: (field, before, after).

    >>> policy_changes({"margin": 0.0, "level": 0.95}, {"margin": 0.01, "level": 0.95})
    (('margin', 0.0, 0.01),)
    """
    whole = {
        **after,
        **{name: _silent(name) for name in before if name not in after},
    }  # a field that is not said any more asks for nothing
    return tuple(
        (name, before.get(name), value) for name, value in whole.items() if before.get(name, _silent(name)) != value
    )


def others_who_may(users: Collection[User], *, demo: bool) -> tuple[tuple[str, str], ...]:
    """(id, name) of the people who may put a policy into force; a demo's accounts count in a demo only."""
    return tuple(
        (user.id, user.name)
        for user in users
        if not user.disabled
        and (demo or not user.demo)
        and Actor(user.id, user.name, user.role).may(Permission.POLICY_EDIT)  # a program has no rank
    )


def second_person(who_may: Collection[tuple[str, str]], author: str) -> str:
    """Who can put an author's policy into force, or what to do where nobody can: the hint of a refusal.

    >>> second_person([("user:ada", "ada"), ("user:bo", "bo")], "user:bo")
    'Ask another lead or admin: ada.'
    """
    names = [name for id_, name in who_may if id_ != person_of(author)]
    if names:
        return f"Ask another lead or admin: {', '.join(names[:5])}{' ...' if len(names) > 5 else ''}."
    return (
        "Nobody else here may yet: mlops-dash user add NAME --role lead, and they log in, or act by their token "
        "(mlops-dash user token NAME)."
    )


def _silent(name: str) -> Any:
    """What a field means that a policy does not say."""
    return {**UNSAID, **UNPRICED}.get(name, "")
