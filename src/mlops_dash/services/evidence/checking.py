"""Does a version fit, and does it answer? The two checks on its files."""

from __future__ import annotations

from datetime import datetime

from mlops_dash import __version__
from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.evidence import Direction, Evidence
from mlops_dash.domain.registry.records import Version
from mlops_dash.errors import BrokenModel, InvalidInput, Unavailable
from mlops_dash.services.command import Context, record
from mlops_dash.store import evidence as store
from mlops_dash.store import registry as registry_store
from mlops_dash.store import trust
from mlops_dash.store.db import reading, transaction
from mlops_dash.tracking.models.fresh_check import check_in_fresh_process
from mlops_dash.tracking.models.loading import compare_signatures


class Checking:
    """Signature and input example."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @record(Permission.JOB_RUN)
    def check_version(self, actor: Actor, version_id: str) -> tuple[Evidence, ...]:
        """Check the signature against the champion's and score the input example in a fresh process.

        Gives two evidences of kind "check": value 1 = fine, 0 = not, None = could not be checked, each with a reason.
        What could not be checked now (MLflow is away) does not stand in for an earlier answer about the same files.

        Raises:
            NotFound: no such version.
            InvalidInput: others serve its model, so there are no files here.
        """
        now = self.context.clock.now()
        with reading(self.context.databases.app) as session:
            version = registry_store.version(session, version_id)
            if registry_store.model(session, version.model).elsewhere:
                raise InvalidInput(f"{version.model} is served elsewhere; there are no files here to check.")
            champion = registry_store.champion(session, version.model)
            trusted = version.artifact_digest if trust.is_trusted(session, version.artifact_digest) else ""
        uri, pickles = self.context.settings.mlflow_uri, self.context.settings.allow_pickle
        champion_uri = None if champion is None or champion.id == version.id else champion.source_uri
        comparator = "" if champion is None else champion.subject
        evidence = []
        for metric in ("signature", "input_example"):
            try:
                if metric == "signature":
                    answer = compare_signatures(uri, version.source_uri, champion_uri)
                else:
                    answer = check_in_fresh_process(uri, version.source_uri, allow_pickle=pickles, trusted=trusted)
                value, reason, method = (1.0 if answer.ok else 0.0), answer.reason, answer.method
            except (Unavailable, BrokenModel) as error:
                value, reason, method = None, error.sentence(), "not checked"
                if isinstance(error, BrokenModel):
                    value = 0.0
            evidence.append(_check(version, comparator, metric, value, reason, method, now))
        with transaction(self.context.databases.app) as session:
            known = {
                one.metric
                for one in store.about(session, [version.subject], kinds=("check",))
                if one.value is not None and one.digests.get("artifact") == version.artifact_digest
            }
            store.put(session, [one for one in evidence if one.value is not None or one.metric not in known])
        return tuple(evidence)


def _check(
    version: Version, comparator: str, metric: str, value: float | None, reason: str, method: str, now: datetime
) -> Evidence:
    return Evidence(
        kind="check",
        subject=version.subject,
        comparator=comparator if metric == "signature" else "",
        metric=metric,
        direction=str(Direction.HIGHER),
        value=value,
        low=None,
        high=None,
        level=1.0,
        n=1,
        n_clusters=None,
        method=method,
        bound="the files under this digest, on this machine",
        window_start=None,
        window_end=None,
        digests={"candidate": version.id, "artifact": version.artifact_digest},
        code_version=__version__,
        computed_at=now,
        state="ok" if value is not None else "not_computable",
        reason=reason,
    )
