"""Whether an alert was of use: people say it, and a replay of a policy counts it."""

from __future__ import annotations

from dataclasses import replace

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.monitoring.answers import FEEDBACK
from mlops_dash.errors import InvalidInput, NotFound
from mlops_dash.services.command import Context, Unit, command
from mlops_dash.store.monitoring import alerts as store


class Rating:
    """The verb."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @command(Permission.ALERT_ANSWER, Action.ALERT_RATED)
    def rate(self, unit: Unit, actor: Actor, alert_id: str, feedback: str, reason: str) -> None:
        """Say whether an alert was useful or noise, open or closed; the last word counts. Audited.

        Raises:
            NotFound: no such alert.
            InvalidInput: neither of the two words, or no reason.
        """
        if feedback not in FEEDBACK:
            raise InvalidInput(f"An alert is {' or '.join(FEEDBACK)}, not {feedback!r}.")
        if not reason.strip():
            raise InvalidInput("A reason is missing.", hint="Say why in a few words: it goes into the ledger.")
        alert = store.alert(unit.session, alert_id)
        if alert is None:
            raise NotFound(f"No alert {alert_id}.", hint="Reload the page.")
        before = str(alert.body.get("feedback", ""))
        if before == feedback:
            return unit.nothing_changed()
        store.save_alert(unit.session, replace(alert, body={**alert.body, "feedback": feedback}))
        unit.audit(
            f"alert {alert.kind} of {alert.model} v{alert.version} as {feedback}", model=alert.model,
            before={"feedback": before}, after={"feedback": feedback, "alert": alert.id}, reason=reason.strip(),
            evidence_ids=alert.evidence_ids,
        )  # fmt: skip
        return None
