"""Semantic numbers of versions: proposed from what differs from the champion, set by hand with a reason, kept."""

from __future__ import annotations

import logging

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.registry.records import Operation, Version
from mlops_dash.domain.registry.semver import (
    FIRST,
    Known,
    Numbered,
    SemanticNumber,
    bumped,
    checked_number,
    difference,
)
from mlops_dash.errors import Conflict, InvalidInput
from mlops_dash.services.command import Context, Unit, command, read
from mlops_dash.services.registry.lineage import ELSEWHERE, Lineage
from mlops_dash.store import numbers
from mlops_dash.store import registry as store
from mlops_dash.store.db import reading

Counted = SemanticNumber | None
_log = logging.getLogger(__name__)


class Counting:
    """Counts a version's number from what differs from a champion."""

    def __init__(self, context: Context, lineage: Lineage) -> None:
        self.context = context
        self._lineage = lineage

    def against(self, version: Version, champion: Version | None) -> SemanticNumber:
        """The number of a version beside this champion; None = there is none."""
        with reading(self.context.databases.app) as session:
            kept = numbers.of_model(session, version.model)
            elsewhere = store.model(session, version.model).elsewhere
        own = kept.get(version.id)
        others = [one.number for key, one in kept.items() if key != version.id]
        if champion is None or champion.id == version.id:
            first = "" if others else FIRST
            why = "it is champion and was never given one." if others else ""
            said = ("the first that is champion",) if champion is not None else ("no champion before it",)
            number = own.number if own is not None else first
            return SemanticNumber(version.id, version.label, number, first, None, "", "", said, why, own)
        base = kept[champion.id].number if champion.id in kept else max(others, key=_order, default=FIRST)
        found = difference(self._known(version, elsewhere=elsewhere), self._known(champion, elsewhere=elsewhere))
        proposed = "" if found.change is None else bumped(base, found.change, others)
        number = own.number if own is not None else proposed
        return SemanticNumber(
            version.id, version.label, number, proposed, found.change, champion.label, base, found.reasons,
            found.why_not, own, champion.id,
        )  # fmt: skip

    def of_promotion(self, operation: Operation) -> SemanticNumber | None:
        """What a version that becomes champion is called; None where that cannot be told. Never stops a promotion."""
        if operation.kind != "promote":
            return None
        try:
            with reading(self.context.databases.app) as session:
                version = store.version(session, operation.to_version_id)
                before = store.version(session, operation.from_version_id) if operation.from_version_id else None
            found = self.against(version, before)
        except Exception:  # noqa: BLE001 - a number can be told at any time; it never stops a promotion
            _log.exception("a version could not be numbered", extra={"operation": operation.id})
            return None
        return found if found.number and found.kept is None else None

    def _known(self, version: Version, *, elsewhere: bool) -> Known:
        if elsewhere:
            return Known(version, None, None, ELSEWHERE, ELSEWHERE)
        contents, why_contents = self._lineage.contents(version)
        run, why_run = self._lineage.run(version)
        return Known(version, contents, run, why_contents, why_run)


class Numbering:
    """What versions are called."""

    def __init__(self, context: Context, counting: Counting) -> None:
        self.context = context
        self._counting = counting

    @read(Permission.ROOM_READ)
    def semantic_number(self, actor: Actor, version_id: str) -> SemanticNumber:
        """The number of a version: the one that is kept, and the one that its difference from the champion proposes.

        MLflow is asked for runs and files; what cannot be read says why, and then the number is not known.

        Raises:
            NotFound: no such version.
        """
        with reading(self.context.databases.app) as session:
            version = store.version(session, version_id)
            champion = store.champion(session, version.model)
        return self._counting.against(version, champion)

    @command(Permission.PROPOSAL_OPEN, Action.VERSION_NUMBERED)
    def set_number(self, unit: Unit, actor: Actor, version_id: str, number: str, *, reason: str) -> Numbered:
        """Call a version otherwise than its difference proposes. A scientist or above may; audited, not in MLflow.

        Args:
            unit: Of this command.
            actor: Who decides.
            version_id: The version.
            number: Such as "2.1.0".
            reason: Why; goes into the ledger.

        Raises:
            NotFound: no such version.
            InvalidInput: it is no such number, or the reason is empty.
            Conflict: another version of the model has it.
        """
        if not reason.strip():
            raise InvalidInput("A number needs a reason.", hint="Say why in a few words: it goes into the ledger.")
        said, version = checked_number(number), store.version(unit.session, version_id)
        kept = numbers.of_model(unit.session, version.model)
        holder = next((key for key, one in kept.items() if one.number == said and key != version_id), None)
        if holder is not None:
            label = store.version(unit.session, holder).label
            raise Conflict(f"{said} is the number of {label}.", hint="Give another one.")
        before = kept.get(version_id)
        if before is not None and before.number == said:
            unit.nothing_changed()
            return before
        made = Numbered(version_id, said, "", "", (), True, actor.id, reason.strip(), unit.now)
        numbers.put(unit.session, made)
        unit.audit(
            version.subject, model=version.model, before={} if before is None else {"number": before.number},
            after={"number": said}, reason=reason.strip(),
        )  # fmt: skip
        return made


def keep(unit: Unit, found: Counted, actor: Actor) -> None:
    """Keep the number of a version that became champion, and of the one before where numbers begin with this one."""
    if found is None:
        return
    kept = numbers.of_model(unit.session, store.version(unit.session, found.version_id).model)
    first = ("it was champion when numbers began",)
    rows = {
        found.against_id: Numbered(found.against_id, found.base, "", "", first, False, actor.id, "", unit.now),
        found.version_id: Numbered(
            found.version_id, found.number, str(found.change or ""), found.against, found.reasons, False, actor.id, "",
            unit.now,
        ),
    }  # fmt: skip
    for version_id, made in rows.items():
        taken = {one.number for one in kept.values()}
        if version_id and version_id not in kept and made.number not in taken:
            numbers.put(unit.session, made)


def _order(number: str) -> tuple[int, ...]:
    return tuple(int(one) for one in number.split("."))
