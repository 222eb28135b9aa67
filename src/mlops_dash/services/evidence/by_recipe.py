"""Do the checks that a recipe carries let its version through? Runs each in a process of its own and keeps its word."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil

from mlops_dash import __version__
from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.evidence import Direction, Evidence
from mlops_dash.domain.recipe_checks import EVIDENCE_KIND, Check, Said
from mlops_dash.domain.registry.records import Version
from mlops_dash.domain.retraining import Recipe
from mlops_dash.errors import BrokenModel, InvalidInput, NotFound
from mlops_dash.processes import resident_mib
from mlops_dash.services.command import Context, record
from mlops_dash.settings import python_executable
from mlops_dash.store import evidence as store
from mlops_dash.store import registry as registry_store
from mlops_dash.store import retraining as recipe_store
from mlops_dash.store import trust
from mlops_dash.store.db import reading, transaction
from mlops_dash.tracking.experiments.files import RunFiles
from mlops_dash.tracking.models.download import download
from mlops_dash.tracking.models.trust import artifact_digest, require_trusted
from mlops_dash.training.contract import PREDICTIONS, REFERENCE, Request, Window, wanted_by, working_in
from mlops_dash.training.recipe_check import run_check, told
from mlops_dash.training.workplace import Workplace, workplace

ROWS_BYTES = 1_000_000_000  # the largest file of rows that is read from a run
_OURS = 0.9  # of the memory that a run may hold beside us: the whole run must not end for one check


@dataclass(frozen=True)
class _Asked:
    """A version, and what looks at it."""

    version: Version
    recipe: Recipe
    request: Request
    files: Path
    log: Path
    model: Path  # its files here
    digest: str  # of these files; "" = they could not be fetched


class ByRecipe:
    """The checks of a version's own recipe."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @record(Permission.JOB_RUN)
    def run_checks(
        self, actor: Actor, version_id: str, *, log: Path, tell: Callable[[str], None] = lambda _text: None
    ) -> tuple[Evidence, ...]:
        """Run every check of the version's recipe, one after the other, and keep what each said at once.

        Their programs get the version's files as they are here, fetched once, and only where these are the recorded
        ones and may be loaded: models are code. A check that could not run is kept too, as not computable with the
        reason. Empty where the version was made by no recipe that carries checks.

        Args:
            actor: Scientist and above; the programs are those that admins wrote down.
            version_id: Which version.
            log: The output of all checks is appended here.
            tell: Is told before each one; what it raises ends them.

        Raises:
            NotFound: there is no such version.
            Unavailable: MLflow does not answer.
        """
        with reading(self.context.databases.app) as session:
            version = registry_store.version(session, version_id)
            recipe = recipe_store.recipe(session, version.recipe) if version.recipe else None
        if recipe is None or not recipe.checks:
            return ()
        found = []
        home = self.context.settings.home
        with (
            tempfile.TemporaryDirectory(prefix="mlops-dash-recipe-check-") as folder,
            ExitStack() as stack,
        ):
            try:
                place, why_not = stack.enter_context(workplace(wanted_by(recipe), home, write=_nothing)), ""
            except InvalidInput as error:
                place, why_not = Workplace(), error.sentence()
            tell(f"reading what {version.label} left, for {len(recipe.checks)} checks")
            model, digest, refused = self._model(version, Path(folder, "model"))
            why_not = why_not or refused
            request = working_in(self._request(version, recipe), recipe, place)
            asked = _Asked(version, recipe, request, self._files(version, Path(folder)), log, model, digest)
            for check in recipe.checks:
                tell(f"{check.kind} check {check.name}")
                one = self._run(asked, check, why_not)
                with transaction(self.context.databases.app) as session:
                    store.put(session, [one])
                found.append(one)
        return tuple(found)

    def _run(self, asked: _Asked, check: Check, why_not: str) -> Evidence:
        version = asked.version
        if why_not:
            return _evidence(asked, check, Said(not_run=why_not), 0.0, self.context.clock.now())
        variables = told(
            check, asked.request, model=str(asked.model), version=version.version, run_id=version.run_id,
            files=asked.files,
        )  # fmt: skip
        room = max(64.0, _OURS * (asked.recipe.memory_mib - resident_mib([psutil.Process(os.getpid())])))
        said, seconds = run_check(
            check, asked.request, variables, log=asked.log, python=python_executable(), memory_mib=room
        )
        return _evidence(asked, check, said, seconds, self.context.clock.now())

    def _model(self, version: Version, folder: Path) -> tuple[Path, str, str]:
        """The version's files here, their digest, and why no program may have them, "" where they may."""
        if not version.source_uri:
            return folder, "", f"There are no files of {version.label} here to check."
        try:
            model = download(self.context.settings.mlflow_uri, version.source_uri, folder)
            found = artifact_digest(model)
        except BrokenModel as error:
            return folder, "", error.sentence()
        recorded = version.artifact_digest
        if recorded and found != recorded:
            return model, found, f"Its files have the digest {found[:12]}, but {recorded[:12]} was recorded."
        with reading(self.context.databases.app) as session:
            anything = self.context.settings.allow_pickle or trust.is_trusted(session, found)
        try:
            require_trusted(model, allow_pickle=anything)
        except BrokenModel as error:
            return model, found, error.sentence()
        return model, found, ""

    def _request(self, version: Version, recipe: Recipe) -> Request:
        """What the recipe's program is told, of the window that the version was trained on."""
        settings, made = self.context.settings, version.created_at
        window = Window(version.training_start or made, version.training_end or made, self.context.clock.now())
        return Request(
            tracking_uri=settings.mlflow_uri, experiment=recipe.model, model=recipe.model, recipe=recipe.name,
            window=window, parameters=dict(recipe.parameters), job_id=f"check-{version.id}", epoch=1,
            home=str(settings.home),
        )  # fmt: skip

    def _files(self, version: Version, folder: Path) -> Path:
        files = RunFiles(self.context.settings.mlflow_uri)
        for path in (PREDICTIONS, REFERENCE):
            try:
                content = files.read(version.run_id, path, most=ROWS_BYTES)
            except NotFound:
                continue
            (folder / Path(path).name).write_bytes(content)
        return folder


def _nothing(_line: str) -> None:
    """What made the workplace stands in the log of the run that made the version."""


def _evidence(asked: _Asked, check: Check, said: Said, seconds: float, now: datetime) -> Evidence:
    version, ran = asked.version, not said.not_run
    by_number = check.limit is not None or check.unit != "" or said.value not in (0.0, 1.0, None)
    return Evidence(
        kind=EVIDENCE_KIND,
        subject=version.subject,
        comparator="",
        metric=check.name,
        direction=str(Direction.LOWER if check.at_most is not None else Direction.HIGHER),
        value=said.value if ran else None,
        low=None,
        high=None,
        level=1.0,
        n=said.n,
        n_clusters=None,
        method=f"{check.kind} check of the recipe {asked.recipe.name}: {check.program}; {seconds:.1f} s",
        bound="what the program said of the files under this digest, run once on this machine",
        window_start=None,
        window_end=None,
        digests={
            "candidate": version.id, "artifact": asked.digest, "check": check.digest,
            "workplace": asked.recipe.workplace, "environment": asked.request.environment_digest,
        },
        code_version=__version__,
        computed_at=now,
        state="ok" if ran else "not_computable",
        reason=said.reason if ran else said.not_run,
        details={
            "passed": ran and said.passed, "kind": str(check.kind), "unit": check.unit, "limit": check.limit,
            "relation": check.relation, "result": "number" if by_number else "yes or no",
        },
    )  # fmt: skip
