"""Which versions may be tried against the champion? None that does not load or failed its check."""

from __future__ import annotations

from collections.abc import Sequence

from mlops_dash.domain.registry.proposals import reigns_in, rolled_back
from mlops_dash.domain.registry.records import Version
from mlops_dash.store import evidence as evidence_store
from mlops_dash.store import registry as registry_store
from mlops_dash.store import serving as serving_store
from mlops_dash.store.db import Session


def why_not_offered(session: Session, model: str, versions: Sequence[Version]) -> dict[str, str]:
    """By version id, why people are not offered it; "" where they are.

    One that was rolled back is not offered, and can be asked for: a rollback is a decision, and a test may prove it.
    """
    gone_back = {one.version_id for one in rolled_back(reigns_in(registry_store.operations(session, model), {}))}
    cannot = why_not_challenger(session, model, versions)
    return {one: "was rolled back" if one in gone_back else why for one, why in cannot.items()}


def why_not_challenger(session: Session, model: str, versions: Sequence[Version]) -> dict[str, str]:
    """By version id, why it cannot be one; "" where it can."""
    broken = serving_store.broken_versions(session, model)
    failed = _failed_checks(session, versions)
    return {
        one.id: "cannot be loaded" if one.version in broken else failed.get(one.id, "") for one in versions
    }  # fmt: skip


def _failed_checks(session: Session, versions: Sequence[Version]) -> dict[str, str]:
    """What the newest check of each version's present files found wrong."""
    newest: dict[tuple[str, str], tuple[float | None, str]] = {}
    known = {one.id: one for one in versions}
    for one in evidence_store.about(session, [version.subject for version in versions], kinds=("check",)):
        version = known.get(one.digests.get("candidate", ""))
        if version is None:
            continue
        checked = one.digests.get("artifact", "")
        if not (checked and version.artifact_digest and checked != version.artifact_digest):
            newest[version.id, one.metric] = one.value, one.reason
    return {
        version_id: f"failed its check: {reason}".rstrip(".") for (version_id, _), (value, reason) in newest.items()
        if value == 0.0
    }  # fmt: skip
