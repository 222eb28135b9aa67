"""Forget somebody: their rows leave the log, and the profiles of those hours are counted anew without them.

The decision stands in the ledger, which is kept for ever, so it names whom it is about only by a keyed digest.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mlops_dash.domain.ab_tests.assigning import ENTITY, unit_key
from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.jobs import log_name
from mlops_dash.errors import InvalidInput
from mlops_dash.ids import keyed
from mlops_dash.services.command import Context, Unit, command, read, record
from mlops_dash.store import ab_tests, evaluation_rows, prediction_log, registry
from mlops_dash.store import jobs as job_rows
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.prediction_log import Named, cold, moving, to_us


@dataclass(frozen=True)
class Erasure:
    """What is known of somebody.

    Attributes:
        model: Whose rows.
        rows: In the log.
        pushes: Versions whose pushed evidence names them, which stays as it is: gates rest on it.
        key: A keyed digest of model and name.
    """

    model: str
    rows: Named
    pushes: tuple[str, ...]
    key: str


class Erasing:
    """Erasure of one person's or thing's rows."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @read(Permission.MODEL_ARCHIVE)
    def about(self, actor: Actor, model: str, entity: str, *, column: str = "") -> Erasure:
        """What is stored about somebody. A lead or admin may; nothing is changed.

        Args:
            actor: Who asks.
            model: Whose rows; archived ones too.
            entity: The name or number that ids, or the values of `column`, are compared with, as text.
            column: A logged input; "" looks at ids, and at each part of one that several columns make.

        Rows of which an A/B test keeps the unit are theirs too, logged as a column or not: of all tests of the model,
        with a column of those that drew by it.

        Raises:
            NotFound: no such model.
            InvalidInput: the name is empty, or no row has such a column.
        """
        if not entity.strip():
            raise InvalidInput("Nobody is named.", hint="Say whose rows: --entity ID")
        with reading(self.context.databases.app) as session:
            registry.model(session, model)
            drawn = [one.design for one in ab_tests.every(session, model) if one.design.unit == ENTITY]
        forms = prediction_log.forms_of(entity)
        keys = [unit_key(one.key, form) for one in drawn if column in {"", one.entity} for form in forms]
        with reading(self.context.databases.log) as log:
            rows = prediction_log.named(log, model, entity, column=column, unit_keys=keys)
        if not (rows.column_seen or rows.ids or rows.events):
            raise InvalidInput(
                f"No row of {model} has an input {column!r}.", hint="Look at the page Monitoring for the names."
            )
        with reading(self.context.databases.app) as session:
            pushes = evaluation_rows.naming(session, model, {*rows.ids, entity})
        key = keyed(self.context.settings.ledger_key, "erasure", model, column, entity)
        return Erasure(model, rows, pushes, key)

    @command(Permission.MODEL_ARCHIVE, Action.ROWS_ERASED)
    def decide_erasure(self, unit: Unit, actor: Actor, about: Erasure, *, reason: str) -> Erasure:
        """Decide to forget somebody; `erase_rows` then does it. A lead or admin may. Audited without the name.

        Raises:
            InvalidInput: the reason is empty, or nothing is stored about them.
        """
        if not reason.strip():
            raise InvalidInput("Erasing needs a reason.", hint="Say --reason TEXT, without the name: it is kept.")
        if not (about.rows.ids or about.rows.events):
            raise InvalidInput(f"Nothing is stored about them in {about.model}.")
        unit.audit(
            f"rows of {about.model}",
            model=about.model,
            before={
                "predictions": about.rows.predictions,
                "labels": about.rows.labels,
                "events": about.rows.events,
                "whom": about.key,
            },
            after={"predictions": 0, "labels": 0, "events": 0},
            reason=reason.strip(),
        )
        return about

    @record(Permission.MODEL_ARCHIVE)
    def erase_rows(self, actor: Actor, about: Erasure) -> int:
        """Delete the rows with their answers and labels; again it finds nothing. Gives how many rows there were.

        Cold files that hold some are written anew without them, and every file that the manifest does not name is
        removed: one of before may hold them too. What was asked or said of why a row got its answer goes too. The
        worker then counts the rows' hours anew.

        Raises:
            StoreUnavailable: a cold file is damaged; call it again once it is put back.
        """
        log, marked = self.context.databases.log, to_us(self.context.clock.now())
        self._forget_why(about)  # first: once the rows are gone, nobody who begins again knows their ids
        with cold.locked(log):
            gone = moving.erase_archived(log, about.model, about.rows.ids, marked_us=marked)
            with reading(log) as session:  # files of before that a sweep would take later, or that a killed move left
                cold.sweep(session, older_than=datetime.now(UTC) + timedelta(days=1))
            with transaction(log) as session:
                gone += prediction_log.erase(
                    session, about.model, about.rows.ids, marked_us=marked, entity=about.rows.entity
                )
        self._forget_why(about)  # again: somebody may have asked meanwhile, and from now on nobody finds the rows
        return gone

    def _forget_why(self, about: Erasure) -> None:
        with transaction(self.context.databases.app) as session:
            removed = job_rows.forget_rows(session, about.model, about.rows.ids)
        for job_id in removed:
            (self.context.settings.logs / "jobs" / log_name(job_id)).unlink(missing_ok=True)
