"""Comments on a frozen report, and sign-offs by named accounts, which may withdraw them."""

from __future__ import annotations

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.reports.remarks import Remark, RemarkKind, checked_text, standing
from mlops_dash.domain.reports.snapshot import KIND_LABELS, ReportLine
from mlops_dash.errors import Conflict, NotAllowed, NotFound
from mlops_dash.services.command import Context, Unit, command, read
from mlops_dash.store import remarks as store
from mlops_dash.store import reports as report_store
from mlops_dash.store.db import Session, reading


class Remarking:
    """What people say of reports."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @read(Permission.ROOM_READ)
    def remarks(self, actor: Actor, report_id: str = "") -> tuple[Remark, ...]:
        """Comments and sign-offs, oldest first: of one report, or of all."""
        with reading(self.context.databases.app) as session:
            return store.remarks(session, report_id)

    @command(Permission.REPORT_MAKE, Action.REPORT_COMMENTED)
    def comment_report(self, unit: Unit, actor: Actor, report_id: str, text: str) -> Remark:
        """Say something of a frozen report; its facts stay as they are. A scientist or above may; audited.

        Raises:
            NotFound: no such report.
            InvalidInput: nothing is written, or too much.
        """
        return self._add(unit, actor, _line(unit.session, report_id), RemarkKind.COMMENT, checked_text(text))

    @command(Permission.REPORT_MAKE, Action.REPORT_SIGNED)
    def sign_report(self, unit: Unit, actor: Actor, report_id: str, text: str) -> Remark:
        """Stand behind a frozen report under one's own name, once; the ledger keeps the hash that was signed.

        Args:
            unit: Of this command.
            actor: A person's account; a service or a process signs nothing.
            report_id: The report.
            text: What is stood behind, or why.

        Raises:
            NotFound: no such report.
            NotAllowed: the actor is no person.
            InvalidInput: nothing is written, or too much.
            Conflict: they have signed it already.
        """
        line = _line(unit.session, report_id)
        if not actor.id.startswith("user:"):
            raise NotAllowed("Only a person with an account signs a report.", hint="Log in as yourself.")
        if _own(unit.session, actor, report_id) is not None:
            raise Conflict("You have signed this report already.", hint="Write a comment instead.")
        return self._add(unit, actor, line, RemarkKind.SIGN_OFF, checked_text(text))

    @command(Permission.REPORT_MAKE, Action.SIGN_OFF_WITHDRAWN)
    def withdraw_sign_off(self, unit: Unit, actor: Actor, report_id: str, text: str) -> Remark:
        """Stand behind a report no more; the sign-off and its withdrawal both stay to be read. Audited.

        Args:
            unit: Of this command.
            actor: Who signed it.
            report_id: The report.
            text: Why.

        Raises:
            NotFound: no such report.
            InvalidInput: nothing is written, or too much.
            Conflict: there is no sign-off of theirs that stands.
        """
        line = _line(unit.session, report_id)
        if _own(unit.session, actor, report_id) is None:
            raise Conflict("There is no sign-off of yours on this report.", hint="Only who signed withdraws it.")
        return self._add(unit, actor, line, RemarkKind.WITHDRAWN, checked_text(text))

    def _add(self, unit: Unit, actor: Actor, line: ReportLine, kind: RemarkKind, text: str) -> Remark:
        made = Remark(self.context.new_id(), line.id, kind, actor.id, actor.name, text, unit.now)
        store.add(unit.session, made)
        unit.audit(
            f"the {KIND_LABELS[line.kind].lower()} of {line.of}, {line.about}", model=line.model, reason=text,
            after={"report": line.id, "sha256": line.sha256, "remark": made.id},
        )  # fmt: skip
        return made


def _own(session: Session, actor: Actor, report_id: str) -> Remark | None:
    """The actor's sign-off of a report that stands."""
    return next((one for one in standing(store.remarks(session, report_id)) if one.by == actor.id), None)


def _line(session: Session, report_id: str) -> ReportLine:
    found = report_store.report(session, report_id)
    if found is None:
        raise NotFound(f"No report {report_id[:40]!r}.", hint="Choose one from the list.")
    return found.line
