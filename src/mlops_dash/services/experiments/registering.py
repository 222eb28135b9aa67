"""From a run to a version: MLflow makes it; the page then records, checks and proposes it with the registry's verbs."""

from __future__ import annotations

from typing import Any

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.experiments.registering import RegisteredRun, Registrable, why_not_register
from mlops_dash.domain.registry.proposals import why_not_propose
from mlops_dash.domain.registry.records import CARRIED_OUT, OPEN_STATES, Version
from mlops_dash.errors import Conflict, InvalidInput, NotFound, Unavailable
from mlops_dash.services.command import Context, read, record
from mlops_dash.services.experiments.reading import RunReader
from mlops_dash.store import registry as registry_store
from mlops_dash.store.db import Session, reading
from mlops_dash.store.experiments import registered as store
from mlops_dash.tracking.experiments.models import RunModels, data_digest


class Registering:
    """What a run can become."""

    def __init__(self, context: Context, reader: RunReader) -> None:
        self.context = context
        self._reader = reader

    @read(Permission.ROOM_READ)
    def registrable(self, actor: Actor, run_id: str) -> Registrable:
        """What can be done with a run's model, and what stands in the way.

        Raises:
            NotFound: there is no such run, or it was deleted.
        """
        experiment = self._reader.experiment_of(run_id)
        tags, status, name = self._facts(run_id, experiment)
        with reading(self.context.databases.app) as session:
            version = _version_of(session, run_id)
            models = [one.name for one in registry_store.models(session) if one.source == "mlflow"]
            refusal = "" if version is None else _why_not_propose(session, actor, version)
        source, trouble = "", ""
        if version is None and actor.may(Permission.MODEL_EDIT):
            source, trouble = self._source(run_id, experiment)
        wanted = (tags.get("mlops_dash.model"), name)
        ordered = tuple(sorted(models, key=lambda one: (one not in wanted, one)))
        return Registrable(
            ordered, version,
            why_not_register(actor, status=status, version=version, models=ordered, source=source, trouble=trouble),
            refusal,
        )  # fmt: skip

    @record(Permission.MODEL_EDIT)
    def register_run(self, actor: Actor, run_id: str, model: str) -> RegisteredRun:
        """Make a run's model the next version in MLflow; a second call finds the version that the first made.

        Afterwards `registry.record_version` keeps it and `evidence.check_version` checks it.

        Raises:
            NotFound: there is no such run or model.
            Conflict: the run has no model, or is not over.
            BrokenModel: the model has no files.
            Unavailable: MLflow does not answer.
        """
        experiment = self._reader.experiment_of(run_id)
        tags, status, _ = self._facts(run_id, experiment)
        with reading(self.context.databases.app) as session:
            if registry_store.model(session, model).source != "mlflow":
                raise InvalidInput(f"The versions of {model} do not live in MLflow.", hint="Choose another model.")
        models = RunModels(self.context.settings.mlflow_uri)
        source = models.source_of(run_id, experiment)
        refusal = why_not_register(actor, status=status, version=None, models=(model,), source=source, trouble="")
        if refusal:
            raise Conflict(refusal, hint="Choose a finished run with a logged model.")
        digest = models.digest_of(source)
        version, address = models.register(model, run_id, source, digest)
        return RegisteredRun(model, version, run_id, address, digest, data_digest(tags))

    def _facts(self, run_id: str, experiment: str) -> tuple[dict[str, str], str, str]:
        """The run's tags, its status, its experiment's name."""
        kept, _ = self._reader.runs(experiment)
        at = kept.frame.places([run_id])
        if not at:
            raise NotFound(f"The run {run_id} is not among the runs that were read.", hint="Refresh the page.")
        row: dict[Any, Any] = kept.frame.tags.iloc[at[0]].to_dict()
        names = {one.id: one.name for one in self._reader.experiments()}
        tags = {str(name): str(value) for name, value in row.items() if value is not None}
        return tags, str(kept.frame.info["status"].iloc[at[0]]), names.get(experiment, "")

    def _source(self, run_id: str, experiment: str) -> tuple[str, str]:
        try:
            return RunModels(self.context.settings.mlflow_uri).source_of(run_id, experiment), ""
        except (Unavailable, NotFound, InvalidInput) as error:
            return "", error.sentence()


def _version_of(session: Session, run_id: str) -> Version | None:
    found = store.versions_by_run(session).get(run_id)
    lives = () if found is None else registry_store.incarnations(session, *found)
    return next((one for one in lives if one.run_id == run_id), None)


def _why_not_propose(session: Session, actor: Actor, version: Version) -> str:
    champion = registry_store.champion(session, version.model)
    states = (*OPEN_STATES, *CARRIED_OUT)
    return why_not_propose(actor, version, champion, registry_store.proposals(session, version.model, states=states))
