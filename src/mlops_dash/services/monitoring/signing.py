"""Which columns of a version are inputs? Its signature says it, read once from its files and kept with the version."""

from __future__ import annotations

import logging

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.registry.records import Version
from mlops_dash.errors import BrokenModel, Unavailable
from mlops_dash.services.command import Context, record
from mlops_dash.store import policies, registry, signatures
from mlops_dash.store.db import reading, transaction
from mlops_dash.tracking.version_files import VersionFiles

_log = logging.getLogger(__name__)


class Signing:
    """Inputs of versions."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @record(Permission.MODEL_EDIT)
    def keep_inputs(self, actor: Actor, version_id: str) -> tuple[str, ...]:
        """Keep which columns a version takes, before its reference is set; gives them, again without asking MLflow.

        Only of a model whose rows belong together by a column: of all others every column that is logged counts as an
        input. None where its files name none, or cannot be had now: then that column is no input, as of versions that
        are served elsewhere.

        Raises:
            NotFound: no such version.
        """
        with reading(self.context.databases.app) as session:
            version = registry.version(session, version_id)
            cluster = policies.cluster_of(session, version.model)
            kept = signatures.inputs_of(session, version_id)
        if kept is not None or not cluster:
            return kept or ()
        return self._read(version)

    def _read(self, version: Version) -> tuple[str, ...]:
        if not version.source_uri:
            return ()
        try:
            names = VersionFiles(self.context.registry.uri).inputs(version.source_uri)
        except (BrokenModel, Unavailable) as error:
            _log.warning("the signature of %s cannot be read: %s", version.subject, error.message)
            return ()
        with transaction(self.context.databases.app) as session:
            signatures.keep_inputs(session, version.id, names, at=self.context.clock.now())
        return names
