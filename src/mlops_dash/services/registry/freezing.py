"""Live versions are frozen: what somebody else changes of them in MLflow is noticed, and put back or accepted.

Nothing of ours deletes a version or writes on a live one. The registry's facts are compared at each look of the worker;
files are read again after at most five seconds, or twenty times as long as reading them took: a large model is not
fetched without pause.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.registry.dossier import Contents
from mlops_dash.domain.registry.freezing import (
    ALL_FILES,
    DESCRIPTION,
    FILE,
    TAG,
    Frozen,
    OutsideChange,
    changes_said,
    file_changes,
    seen_changes,
    why_not_adopt,
    why_not_restore,
)
from mlops_dash.domain.registry.records import Model, OutsideAlarm, Version
from mlops_dash.domain.words import AlertState
from mlops_dash.errors import BrokenModel, Conflict, InvalidInput, Unavailable
from mlops_dash.services.command import Context, Unit, command, record
from mlops_dash.services.registry.alarms import FROZEN_ALERT, close_alert, open_alert
from mlops_dash.store import registry as store
from mlops_dash.store import world
from mlops_dash.store.db import Session, reading, transaction
from mlops_dash.store.monitoring.alerts import Alert, alerts, save_alert
from mlops_dash.tracking.models.trust import artifact_digest
from mlops_dash.tracking.registry import RegisteredVersion
from mlops_dash.tracking.version_files import VersionFiles
from mlops_dash.tracking.version_texts import VersionTexts

FILES_SECONDS = 5.0
_PAUSE = 20.0  # times as long as reading took
_PARTS = {True: {FILE}, False: {TAG, DESCRIPTION, "source", "version"}}


@dataclass(frozen=True)
class _Look:
    """When files were read last, how long that took (s), and whether it failed."""

    at: float
    took: float
    failed: bool = False


class Freezing:
    """Noticing, undoing and accepting changes of live versions."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.live_watch = LiveWatch(context)
        self._looks: dict[str, _Look] = {}

    @command(Permission.PROMOTE, Action.VERSION_RESTORED)
    def restore_version(self, unit: Unit, actor: Actor, version_id: str, *, reason: str) -> tuple[OutsideChange, ...]:
        """Decide that a live version goes back to what it was; `put_back` then does it. A lead or admin may.

        Raises:
            InvalidInput: no reason.
            Conflict: nothing was changed outside, or it cannot be undone by us.
        """
        version, alert = _alarmed(unit.session, version_id, reason)
        changes = changes_of(alert)
        _refuse(why_not_restore(changes, copy=has_copy(self.context, version)))
        _tell(unit, version, changes, reason, after="put back")
        return changes

    @record(Permission.PROMOTE)
    def put_back(self, actor: Actor, version_id: str) -> tuple[str, ...]:
        """Write a live version's tags, description and files as they were; the alarm closes when MLflow shows it.

        Returns:
            Files that somebody added and that MLflow's store cannot take away.

        Raises:
            Unavailable: MLflow does not answer; the decision stands, call it again.
            BrokenModel: its store refuses the files.
        """
        with reading(self.context.databases.app) as session:
            version = store.version(session, version_id)
            alert = open_alert(session, version.model, FROZEN_ALERT, version.label)
        texts = VersionTexts(self.context.registry.uri)
        left: tuple[str, ...] = ()
        for one in () if alert is None else changes_of(alert):
            if one.what == TAG and one.before:
                texts.set_tag(version.model, version.version, one.name, one.before)
            elif one.what == TAG:
                texts.remove_tag(version.model, version.version, one.name)
            elif one.what == DESCRIPTION:
                texts.describe(version.model, version.version, one.before)
        if alert is not None and any(one.what == FILE for one in changes_of(alert)):
            copy = _copy(self.context, version)
            left = VersionFiles(self.context.registry.uri).put_back(_source(version), copy)
            self._looks.pop(version.id, None)
        return left

    @command(Permission.PROMOTE, Action.CHANGE_ADOPTED)
    def adopt_change(self, unit: Unit, actor: Actor, version_id: str, *, reason: str) -> None:
        """Accept what was changed of a live version as it is in MLflow now. A lead or admin may; the ledger says so.

        Altered files get their new digest: the gateway then answers with them, and both checks have to be made again.

        Raises:
            InvalidInput: no reason.
            Conflict: nothing was changed outside, or the version is gone.
        """
        version, alert = _alarmed(unit.session, version_id, reason)
        changes = changes_of(alert)
        _refuse(why_not_adopt(changes))
        kept = world.get(unit.session, frozen_key(version.id))
        if kept:
            world.put(unit.session, frozen_key(version.id), Frozen.from_json(kept).with_changes(changes).as_json())
        digest = str(alert.body.get("digest", ""))
        if digest and any(one.what == FILE for one in changes):
            store.change_version(unit.session, version.id, artifact_digest=digest)
        close_alert(unit.session, alert, unit.now)
        _tell(unit, version, changes, reason, after="adopted", artifact=digest)

    @record(Permission.SYSTEM)
    def watch_files(self, actor: Actor) -> tuple[str, ...]:
        """Read the files of live versions again, those that are due; gives the sentences of new alarms."""
        with reading(self.context.databases.app) as session:
            ours = {one.name for one in store.models(session) if not one.elsewhere}
            live = [one for serving in store.servings(session) if serving.model in ours
                    for one in _live(session, serving.model)]  # fmt: skip
        said: list[str] = []
        for version in live:
            look = self._looks.get(version.id)
            if look is not None and time.monotonic() - look.at < max(FILES_SECONDS, _PAUSE * look.took):
                continue
            began = time.monotonic()
            try:
                contents = VersionFiles(self.context.registry.uri).contents(_source(version))
            except Unavailable:
                return tuple(said)  # a server that is away is no news about files
            except BrokenModel as error:
                self._looks[version.id] = _Look(time.monotonic(), time.monotonic() - began, failed=True)
                if look is not None and look.failed:  # twice in a row: one answer may have broken off
                    gone = (OutsideChange(FILE, ALL_FILES, "there", ""),)
                    said.append(self.live_watch.report(actor, version, gone, of_files=True, why=error.message))
                continue
            self._looks[version.id] = _Look(time.monotonic(), time.monotonic() - began)
            changes = self._file_changes(version, contents)
            said.append(self.live_watch.report(actor, version, changes, of_files=True, digest=contents.digest))
        return tuple(one for one in said if one)

    def _file_changes(self, version: Version, contents: Contents) -> tuple[OutsideChange, ...]:
        files = {one.path: one.sha256 or f"{one.size} bytes" for one in contents.files}
        recorded = version.artifact_digest
        with transaction(self.context.databases.app) as session:
            kept = world.get(session, frozen_key(version.id))
            if kept and kept["files"] is not None:
                return file_changes(kept["files"], files)
            if recorded and contents.digest and contents.digest != recorded:
                return (OutsideChange(FILE, ALL_FILES, recorded, contents.digest),)
            if kept:
                world.put(session, frozen_key(version.id), {**kept, "files": files})
        return ()


class LiveWatch:
    """The worker's eye on live versions; no verb for anybody else."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def look(self, actor: Actor, model: Model, found: Sequence[RegisteredVersion]) -> str:
        """Compare what the registry says of a model's live versions; part of the worker's look. Gives a new alarm."""
        ignored = {model.mark.name} if model.mark.kind == TAG else set()
        with reading(self.context.databases.app) as session:
            live = [(one, world.get(session, frozen_key(one.id))) for one in _live(session, model.name)]
        self._forget(model.name, {one.label for one, _ in live})
        said = []
        for version, kept in live:
            seen = next((one for one in found if one.version == version.version), None)
            now = None if seen is None else Frozen(seen.source, seen.description, dict(seen.tags))
            if not kept:
                if now is not None:
                    with transaction(self.context.databases.app) as session:
                        world.put(session, frozen_key(version.id), now.as_json())
                continue
            changes = seen_changes(Frozen.from_json(kept), now, ignored=ignored)
            said.append(self.report(actor, version, changes, of_files=False))
        return next((one for one in said if one), "")

    def _forget(self, model: str, labels: set[str]) -> None:
        """A version that is not live any more may be changed by anybody."""
        with reading(self.context.databases.app) as session:
            stale = [one for one in alerts(session, model) if one.kind == FROZEN_ALERT and one.closed_at is None
                     and one.version not in labels]  # fmt: skip
        for alert in stale:
            with transaction(self.context.databases.app) as session:
                close_alert(session, alert, self.context.clock.now())
                world.put(session, frozen_key(str(alert.body["version_id"])), {})

    def report(
        self,
        actor: Actor,
        version: Version,
        changes: Sequence[OutsideChange],
        *,
        of_files: bool,
        digest: str = "",
        why: str = "",
    ) -> str:
        """Open, widen or close the alarm of a version; the other part of what it says stays."""
        with reading(self.context.databases.app) as session:
            alert = open_alert(session, version.model, FROZEN_ALERT, version.label)
        known = () if alert is None else changes_of(alert)
        wanted = (*(one for one in known if one.what not in _PARTS[of_files]), *changes)
        if wanted == known:
            return ""
        if not wanted and alert is not None:
            with transaction(self.context.databases.app) as session:
                close_alert(session, alert, self.context.clock.now())
            return ""
        return self.notice_change(actor, version, wanted, digest=digest, why=why)

    @command(Permission.SYSTEM, Action.VERSION_CHANGED)
    def notice_change(
        self, unit: Unit, actor: Actor, version: Version, changes: Sequence[OutsideChange], *, digest: str, why: str
    ) -> str:
        """Open or widen the alarm about a live version; gives its title."""
        known = open_alert(unit.session, version.model, FROZEN_ALERT, version.label)
        files = any(one.what in (FILE, "version", "source") for one in changes)
        digest = digest or ("" if known is None else str(known.body.get("digest", "")))
        made = Alert(
            id=self.context.new_id() if known is None else known.id,
            model=version.model,
            version=version.label,
            kind=FROZEN_ALERT,
            severity="critical" if files else "warning",
            state=AlertState.OPEN,
            title=f"{version.subject} is live and was changed in MLflow: {changes_said(changes)}",
            cause=f"Somebody changed it outside mlops-dash. {why} The gateway goes on with the approved files. "
            "Restore it, or adopt the change.".replace("  ", " "),
            opened_at=unit.now if known is None else known.opened_at,
            last_seen_at=unit.now,
            closed_at=None,
            owner="" if known is None else known.owner,
            snoozed_until=None,
            evidence_ids=(),
            body={"changes": [one.as_json() for one in changes], "digest": digest, "version_id": version.id},
        )
        save_alert(unit.session, made)
        unit.audit(
            version.subject,
            model=version.model,
            before={_named(one): one.before for one in changes if one.before},
            after={_named(one): one.after or "gone" for one in changes},
            reason="found by looking at MLflow",
        )
        return made.title


def frozen_key(version_id: str) -> str:
    """Where a live version is kept as it went live."""
    return f"frozen:{version_id}"


def changes_of(alert: Alert) -> tuple[OutsideChange, ...]:
    """What an alarm says was changed."""
    return tuple(OutsideChange(**one) for one in alert.body["changes"])


def has_copy(context: Context, version: Version) -> bool:
    """Whether the approved files of a version are kept on this machine, as the gateway keeps what it answers with."""
    folder = _folder(context, version)
    try:
        return folder.is_dir() and artifact_digest(folder) == version.artifact_digest
    except (BrokenModel, OSError):
        return False


def outside_alarms(
    context: Context, session: Session, actor: Actor, versions: Sequence[Version]
) -> tuple[OutsideAlarm, ...]:
    """The live versions of a model that were changed, and what this actor can do about each."""
    labels = {one.label: one for one in versions}
    denied = actor.why_not(Permission.PROMOTE)
    found = []
    for alert in alerts(session, versions[0].model) if versions else ():
        version = labels.get(alert.version)
        if alert.kind != FROZEN_ALERT or alert.closed_at is not None or version is None:
            continue
        changes = changes_of(alert)
        restore = why_not_restore(changes, copy=has_copy(context, version))
        found.append(OutsideAlarm(version, changes, denied or restore, denied or why_not_adopt(changes)))
    return tuple(found)


def _copy(context: Context, version: Version) -> Path:
    if not has_copy(context, version):
        raise Conflict("No copy of the approved files is kept on this machine.", hint="Roll back, or adopt the change.")
    return _folder(context, version)


def _folder(context: Context, version: Version) -> Path:
    return context.settings.home / "models" / (version.artifact_digest or "none")


def _source(version: Version) -> str:
    return version.source_uri or f"models:/{version.model}/{version.version}"


def _live(session: Session, model: str) -> tuple[Version, ...]:
    """The champion and the versions that score silently beside it."""
    serving = store.serving(session, model)
    ids = () if serving is None else (serving.version_id, *serving.shadow_version_ids)
    return tuple(store.version(session, one) for one in ids)


def _alarmed(session: Session, version_id: str, reason: str) -> tuple[Version, Alert]:
    if not reason.strip():
        raise InvalidInput("This needs a reason.", hint="One sentence; it goes into the ledger.")
    version = store.version(session, version_id)
    alert = open_alert(session, version.model, FROZEN_ALERT, version.label)
    if alert is None:
        raise Conflict(f"{version.subject} is as it was when it went live.", hint="Load the page again.")
    return version, alert


def _refuse(reason: str) -> None:
    if reason:
        raise Conflict(reason)


def _named(one: OutsideChange) -> str:
    return f"{one.what} {one.name}".strip()


def _tell(
    unit: Unit, version: Version, changes: Sequence[OutsideChange], reason: str, *, after: str, artifact: str = ""
) -> None:
    told: Mapping[str, str] = {_named(one): one.after or "gone" for one in changes}
    unit.audit(
        version.subject,
        model=version.model,
        before=dict(told),
        after={"changes": after, **({"artifact": artifact} if artifact else {})},
        reason=reason.strip(),
    )
