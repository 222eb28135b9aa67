"""Put the mark of a live version on another version in MLflow: an alias, a stage or a tag; and see where it is."""

from __future__ import annotations

from mlops_dash.domain.registry.live import ALIAS, STAGE, TAG, LiveMark
from mlops_dash.tracking.registry import MlflowRegistry


class Marks(MlflowRegistry):
    """A registry in which versions are marked as live."""

    def where(self, model: str, mark: LiveMark) -> str | None:
        """Number of the version that carries the mark, the newest where several do; None where none does.

        Raises:
            NotFound: MLflow knows no such model.
            Unavailable: MLflow does not answer.
        """
        return self.alias(model, mark.name) if mark.kind == ALIAS else mark.points_at(self.versions(model))

    def put(self, model: str, mark: LiveMark, version: str) -> None:
        """Put the mark on a version, and on no other; again it changes nothing. For no mark nothing is written.

        Raises:
            NotFound: MLflow knows no such version.
            Unavailable: MLflow does not answer.
        """
        if mark.kind == ALIAS:
            self.set_alias(model, mark.name, version)
        elif mark.kind == STAGE:
            self._to_stage(model, version, mark.name)
        elif mark.kind == TAG:
            self._tag(model, mark, version)

    def _to_stage(self, model: str, version: str, stage: str) -> None:
        """MLflow itself archives what was in the stage before."""
        told = {"name": model, "version": version, "stage": stage, "archive_existing_versions": True}
        self._tell(
            "POST", "model-versions/transition-stage", told, f"move version {version} of {model} to {stage}",
            lambda client: client.transition_model_version_stage(model, version, stage, archive_existing_versions=True),
        )  # fmt: skip

    def _tag(self, model: str, mark: LiveMark, version: str) -> None:
        """The new one first: a reader between the two finds a live version at any time."""
        self._tell(
            "POST", "model-versions/set-tag",
            {"name": model, "version": version, "key": mark.name, "value": mark.value},
            f"tag version {version} of {model}",
            lambda client: client.set_model_version_tag(model, version, mark.name, mark.value),
        )  # fmt: skip
        for one in self.versions(model):
            if one.version != version and mark.is_on(one):
                self._untag(model, mark.name, one.version)

    def _untag(self, model: str, key: str, version: str) -> None:
        self._tell(
            "DELETE", "model-versions/delete-tag", {"name": model, "version": version, "key": key},
            f"take the tag {key} off version {version} of {model}",
            lambda client: client.delete_model_version_tag(model, version, key),
        )  # fmt: skip
