"""Everything that is known about one version: from MLflow, from its files, and from what was decided and measured."""

from __future__ import annotations

from mlops_dash.domain.ab_tests.rules import ABTest
from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.policies import PolicyKind
from mlops_dash.domain.registry.dossier import (
    Contents,
    Dossier,
    PackageChange,
    Place,
    Registered,
    RunFacts,
    copied_from,
    package_changes,
    people_tags,
    places_of,
    series_of,
)
from mlops_dash.domain.registry.records import Version
from mlops_dash.errors import NotFound
from mlops_dash.services.command import Context, read
from mlops_dash.services.registry.judging import reigns_of
from mlops_dash.services.registry.lineage import ELSEWHERE, Lineage, known
from mlops_dash.store import ab_tests as ab_store
from mlops_dash.store import evidence as evidence_store
from mlops_dash.store import policies as policy_store
from mlops_dash.store import registry as store
from mlops_dash.store.db import reading


class Dossiers:
    """What a version is made of."""

    def __init__(self, context: Context, lineage: Lineage) -> None:
        self.context = context
        self._lineage = lineage

    @read(Permission.ROOM_READ)
    def dossier(self, actor: Actor, version_id: str) -> Dossier:
        """Lineage, environment, signature, files, places and metrics of one version.

        MLflow is asked now, and the files are read when they are small enough; what cannot be read says why.

        Raises:
            NotFound: no such version.
        """
        now = self.context.clock.now()
        with reading(self.context.databases.app) as session:
            version = store.version(session, version_id)
            model = store.model(session, version.model)
            champion = store.champion(session, version.model)
            versions = store.versions(session, version.model)
            policy = policy_store.active(session, version.model, PolicyKind.PROMOTION, now).promotion
            evidences = evidence_store.about(session, [one.subject for one in versions], kinds=("metric",))
            test = ab_store.running(session, version.model)
            places = (
                *_arm(version, test),
                *places_of(version, store.serving(session, version.model), reigns_of(session, version.model), now),
            )
        registered: tuple[Registered | None, str] = (None, ELSEWHERE)
        run: tuple[RunFacts | None, str] = (None, ELSEWHERE)
        contents: tuple[Contents | None, str] = (None, ELSEWHERE)
        if not model.elsewhere:
            registered = known(lambda: self._registered(version))
            contents, run = self._lineage.contents(version), self._lineage.run(version)
        rival = None if champion is None or champion.id == version.id else champion
        environment, why = self._environment(rival, *contents) if not model.elsewhere else (None, ELSEWHERE)
        return Dossier(
            version=version,
            read_at=now,
            registered=registered[0],
            registered_why=registered[1],
            run=run[0],
            run_why=run[1],
            contents=contents[0],
            contents_why=contents[1],
            champion="" if rival is None else rival.label,
            environment=environment,
            environment_why=why,
            places=places,
            series=series_of(versions, evidences, None if champion is None else champion.id, policy),
        )

    def _registered(self, version: Version) -> Registered:
        versions = self.context.registry.versions(version.model)
        found = next((one for one in versions if one.version == version.version), None)
        if found is None:
            raise NotFound(f"MLflow has no version {version.version} of {version.model} any more.")
        tags = people_tags(found.tags)
        return Registered(tags, found.description, found.source, found.stage, copied_from(found.source))

    def _environment(
        self, rival: Version | None, own: Contents | None, why: str
    ) -> tuple[tuple[PackageChange, ...] | None, str]:
        if rival is None:
            return None, "There is no other champion to compare its packages with."
        if own is None:
            return None, why
        theirs, not_read = self._lineage.contents(rival)
        if theirs is None:
            return None, f"The files of {rival.label} cannot be read: {not_read}"
        silent = [label for label, one in (("it", own), (rival.label, theirs)) if not one.packages]
        if silent:
            return None, f"The files of {' and '.join(silent)} name no packages."
        return package_changes(own.packages, theirs.packages), ""


def _arm(version: Version, test: ABTest | None) -> tuple[Place, ...]:
    """The version as an arm of the A/B test that runs."""
    if test is None or test.started_at is None or version.id not in (test.control_id, test.challenger_id):
        return ()
    arm = "challenger" if version.id == test.challenger_id else "control"
    return (Place(f"{arm} of the A/B test {test.name}", test.started_at),)
