"""Links to one frozen report for people without an account: made, listed, revoked, and opened from outside.

A link's secret is 256 random bits of which the hash is kept; a guess is looked up by its hash and compared in constant
time. It opens one report's page and nothing else: it is no session and no token. Passwords are hashed as people's are,
and wrong ones slow their sender down as at the login.
"""

from __future__ import annotations

import hmac
import math
import secrets
from datetime import timedelta

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.reports.levels import Level
from mlops_dash.domain.reports.remarks import signed
from mlops_dash.domain.reports.shares import PATH, NewShare, Share, ShareFace, ShareState, checked_days
from mlops_dash.domain.reports.snapshot import KIND_LABELS
from mlops_dash.errors import Conflict, InvalidInput, NotAuthenticated, NotFound
from mlops_dash.ids import sha256_text
from mlops_dash.rendering import reports as rendering
from mlops_dash.services.access import passwords, tries
from mlops_dash.services.command import Context, Unit, command, read, record
from mlops_dash.store import remarks
from mlops_dash.store import reports as report_store
from mlops_dash.store import shares as store
from mlops_dash.store.db import reading, transaction

_NOBODYS = sha256_text("no link has this hash")


class Sharing:
    """Links to reports."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @command(Permission.REPORT_SHARE, Action.REPORT_SHARED)
    def share(
        self,
        unit: Unit,
        actor: Actor,
        report_id: str,
        *,
        days: int,
        reason: str,
        password: str = "",
        level: Level = Level.TECHNICAL,
    ) -> NewShare:
        """Make a link that shows one report to whoever has it, for some days. Audited.

        Args:
            unit: Of the command.
            actor: Who shares it.
            report_id: The report.
            days: 1 to 366; then the link opens nothing.
            reason: For whom, and why.
            password: What the link asks for, 10 to 200 characters; "" = nothing.
            level: For whom the report is written that it shows.

        Raises:
            NotFound: no such report.
            InvalidInput: the days or the password cannot be used, or the reason is empty.
        """
        if not reason.strip():
            raise InvalidInput("It is not said for whom.", hint="Say for whom and why: it goes into the ledger.")
        report = report_store.report(unit.session, report_id)
        if report is None:
            raise NotFound(f"No report {report_id[:40]!r}.", hint="Choose one from the list.")
        line, wall, secret = report.line, self.context.clock.wall(), secrets.token_urlsafe(32)
        made = Share(
            id=self.context.new_id(), report_id=line.id, about=f"{KIND_LABELS[line.kind]} of {line.of}, {line.about}",
            reason=reason.strip(), made_by=actor.id, made_at=wall, expires_at=wall + timedelta(days=checked_days(days)),
            revoked_at=None, opens=0, last_opened_at=None, has_password=bool(password), level=level,
        )  # fmt: skip
        store.add(
            unit.session, made, secret_sha256=sha256_text(secret),
            password_hash=passwords.hashed(password, "") if password else "",
        )  # fmt: skip
        unit.audit(
            made.about, model=line.model, reason=made.reason,
            after={"link": made.id, "report": line.id, "until": made.expires_at.isoformat(),
                   "asks for a password": made.has_password,
                   **({} if level is Level.TECHNICAL else {"level": str(level)})},
        )  # fmt: skip
        return NewShare(made, secret, f"{self.context.settings.pages_url}{PATH}{secret}")

    @command(Permission.REPORT_SHARE, Action.SHARE_REVOKED)
    def revoke_share(self, unit: Unit, actor: Actor, share_id: str, *, reason: str) -> Share:
        """Let a link open nothing any more, whoever made it. Audited.

        Raises:
            NotFound: no such link.
            Conflict: it is revoked already.
            InvalidInput: the reason is empty.
        """
        if not reason.strip():
            raise InvalidInput("A reason is missing.", hint="Say why in a few words: it goes into the ledger.")
        found = store.share(unit.session, share_id)
        if found is None:
            raise NotFound(f"No link {share_id[:40]!r}.", hint="See: mlops-dash report links.")
        if found.state(self.context.clock.wall()) is ShareState.REVOKED:
            raise Conflict("This link is revoked already.", hint="Reload the page.")
        store.revoke(unit.session, found.id, wall=self.context.clock.wall())
        report = report_store.report(unit.session, found.report_id)
        unit.audit(
            found.about, model="" if report is None else report.line.model, reason=reason,
            before={"opened": found.opens}, after={"link": found.id, "report": found.report_id},
        )  # fmt: skip
        return store.share(unit.session, share_id) or found

    @read(Permission.ROOM_READ)
    def shares(self, actor: Actor, report_id: str = "") -> tuple[Share, ...]:
        """Links, newest first: of one report, or of all. None says its secret."""
        with reading(self.context.databases.app) as session:
            return store.shares(session, report_id=report_id)

    @read(Permission.PUBLIC)
    def share_face(self, actor: Actor, secret: str) -> ShareFace:
        """What somebody meets who has this secret; nothing is counted."""
        return self._found(secret)[0]

    @record(Permission.PUBLIC)
    def open_share(self, actor: Actor, secret: str, *, password: str = "", address: str = "") -> tuple[ShareFace, str]:
        """What a link shows: the report's page where it is open, and that is counted; else "".

        Args:
            actor: Nobody.
            secret: What the link ends with.
            password: What somebody typed; "" = nothing yet.
            address: From where, for the limits of wrong passwords.

        Raises:
            NotAuthenticated: the password does not fit, or too many did not.
            Unavailable: too many passwords are being checked.
        """
        face, found = self._found(secret)
        if found is None or face is ShareFace.OVER:
            return face, ""
        if found.password_hash:
            if not password:
                return ShareFace.LOCKED, ""
            self._check(found, password, address)
        with transaction(self.context.databases.app) as session:
            if not store.count(session, found.share.id, wall=self.context.clock.wall()):
                return ShareFace.OVER, ""
            report = report_store.report(session, found.share.report_id)
            names = signed(remarks.remarks(session, found.share.report_id))
        if report is None:
            return ShareFace.OVER, ""
        return ShareFace.OPEN, rendering.html(report.facts, found.share.level, names)

    def _found(self, secret: str) -> tuple[ShareFace, store.Found | None]:
        asked = sha256_text(secret)
        with reading(self.context.databases.app) as session:
            found = store.by_secret(session, asked)
        same = hmac.compare_digest(_NOBODYS if found is None else found.secret_sha256, asked)
        if found is None or not same:
            return ShareFace.UNKNOWN, None
        if found.share.state(self.context.clock.wall()) is not ShareState.OPEN:
            return ShareFace.OVER, found
        return (ShareFace.LOCKED if found.password_hash else ShareFace.OPEN), found

    def _check(self, found: store.Found, password: str, address: str) -> None:
        """Count a try before its password is looked at, as the login does."""
        guess, wall = tries.Guess(f"share:{found.share.id}", address), self.context.clock.wall()
        with reading(self.context.databases.app) as session:
            wait = tries.wait_seconds(session, guess, wall=wall)
        if wait == 0:
            with transaction(self.context.databases.app) as session:
                wait = tries.count(session, guess, wall=wall)
        if wait > 0:
            raise NotAuthenticated("Too many tries failed.", hint=f"Wait {math.ceil(wait)} s, then try again.")
        if not passwords.fits(found.password_hash, password):
            raise NotAuthenticated("The password does not fit.", hint="Ask who sent you the link.")
        with transaction(self.context.databases.app) as session:
            tries.fitted(session, guess)
