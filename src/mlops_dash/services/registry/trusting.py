"""Trust one version's very files: they may then run code of their own when they are loaded. Other files may not.

Without trust everything but serving works: evidence is pushed, rows are logged, the model is watched.
"""

from __future__ import annotations

from dataclasses import dataclass

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.registry.records import Version
from mlops_dash.errors import Conflict, InvalidInput, NotFound
from mlops_dash.services.command import Context, Unit, command, read
from mlops_dash.store import registry as store
from mlops_dash.store import trust
from mlops_dash.store.db import reading
from mlops_dash.store.trust import TrustedFiles
from mlops_dash.tracking.models.inside import Inside, inside


@dataclass(frozen=True)
class Looked:
    """A version's files as they are now.

    Attributes:
        version: Whose.
        found: What lies in them.
        trusted: Who trusts them; None = nobody.
    """

    version: Version
    found: Inside
    trusted: TrustedFiles | None

    @property
    def why_not(self) -> str:
        """Why these files cannot be trusted; "" when they can."""
        recorded = self.version.artifact_digest
        if recorded and recorded != self.found.digest:
            return "They are not the files that were recorded: register them as a new version."
        if not self.found.refused:
            return "They are loaded without anybody's trust: all they are made of is on the fixed list."
        if self.found.never:
            return f"{self.found.never} Nobody can trust what lies elsewhere: log it again with all its files inside."
        if not self.found.installed:
            return f"The package {self.found.library} is not installed here, so nothing could load them."
        return "They are trusted already." if self.trusted else ""


class Trusting:
    """What files run, and who trusts them."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @read(Permission.ROOM_READ)
    def look_into(self, actor: Actor, version_id: str) -> Looked:
        """What a version's files would run if they were loaded; nothing of them is.

        Raises:
            NotFound: no such version.
            InvalidInput: others serve its model, so there are no files here.
            BrokenModel: they cannot be fetched or read.
            Unavailable: MLflow does not answer.
        """
        with reading(self.context.databases.app) as session:
            version = store.version(session, version_id)
            if store.model(session, version.model).elsewhere:
                raise InvalidInput(f"{version.model} is served elsewhere; there are no files here.")
        source = version.source_uri or f"models:/{version.model}/{version.version}"
        found = inside(self.context.registry.uri, source)
        with reading(self.context.databases.app) as session:
            return Looked(version, found, trust.trusted(session, found.digest))

    @command(Permission.FILES_TRUST, Action.FILES_TRUSTED)
    def trust_files(self, unit: Unit, actor: Actor, looked: Looked, *, digest: str, reason: str) -> TrustedFiles:
        """Trust files that somebody looked at. An admin may. Audited with digest and what they run.

        Raises:
            InvalidInput: the reason is empty, or the files cannot be trusted.
            Conflict: the digest is not theirs.
        """
        if not reason.strip():
            raise InvalidInput("Trusting files needs a reason.", hint="Say who made them and how you know.")
        found, version = looked.found, store.version(unit.session, looked.version.id)
        if digest != found.digest:
            raise Conflict(
                f"The files of {version.subject} have the digest {found.digest}, not {digest[:80]}.",
                hint="Look into them again, and trust what you saw.",
            )
        if looked.why_not:
            raise InvalidInput(f"The files of {version.subject} cannot be trusted. {looked.why_not}")
        made = TrustedFiles(found.digest, version.model, version.version, reason.strip(), actor.id, unit.now)
        trust.put(unit.session, made)
        unit.audit(
            version.subject,
            model=version.model,
            before={"files": found.refused},
            after={"digest": found.digest, "files": found.words()},
            reason=reason.strip(),
        )
        return made

    @read(Permission.ROOM_READ)
    def trusted_files(self, actor: Actor, model: str) -> tuple[TrustedFiles, ...]:
        """Everything of a model that somebody trusts, oldest first; neither files nor MLflow are asked.

        Raises:
            NotFound: no such model.
        """
        with reading(self.context.databases.app) as session:
            store.model(session, model)
            return trust.of_model(session, model)

    @command(Permission.FILES_TRUST, Action.TRUST_WITHDRAWN)
    def withdraw_trust(self, unit: Unit, actor: Actor, digest: str, *, reason: str) -> TrustedFiles:
        """Trust files of a digest no longer: no process loads them any more, and gateways that did let go of them.

        An admin may. A version that serves with these files answers nothing until another one is promoted.

        Raises:
            InvalidInput: the reason is empty.
            NotFound: nobody trusts files of this digest.
        """
        if not reason.strip():
            raise InvalidInput("Taking trust back needs a reason.", hint="Say what was found; it goes into the ledger.")
        known = trust.trusted(unit.session, digest)
        if known is None:
            raise NotFound(f"Nobody trusts files of the digest {digest[:80]!r}.", hint="mlops-dash trust shows it.")
        trust.withdraw(unit.session, digest)
        serves = store.champion(unit.session, known.model)
        stops = serves is not None and serves.artifact_digest == digest
        unit.audit(
            f"{known.model} v{known.version}",
            model=known.model,
            before={"digest": digest, "trusted_by": known.by, "because": known.reason},
            after={"digest": digest, "trusted": False, "stops_serving": stops},
            reason=reason.strip(),
        )
        return known
