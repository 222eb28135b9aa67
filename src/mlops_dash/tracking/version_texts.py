"""Tags and description of a registered version: written only when somebody decided that they are put back."""

from __future__ import annotations

from dataclasses import dataclass

from mlops_dash.tracking.registry import MlflowRegistry


@dataclass
class VersionTexts(MlflowRegistry):
    """What people write on the versions of the MLflow at `uri`; each call again changes nothing."""

    def set_tag(self, name: str, version: str, key: str, value: str) -> None:
        """Set a tag of a version."""
        self._tell(
            "POST", "model-versions/set-tag", {"name": name, "version": version, "key": key, "value": value},
            f"tag {name} version {version}",
            lambda client: client.set_model_version_tag(name, version, key, value),
        )  # fmt: skip

    def remove_tag(self, name: str, version: str, key: str) -> None:
        """Take a tag off a version."""
        self._tell(
            "DELETE", "model-versions/delete-tag", {"name": name, "version": version, "key": key},
            f"take the tag {key} off {name} version {version}",
            lambda client: client.delete_model_version_tag(name, version, key),
        )  # fmt: skip

    def describe(self, name: str, version: str, description: str) -> None:
        """Write the description of a version."""
        self._tell(
            "PATCH", "model-versions/update", {"name": name, "version": version, "description": description},
            f"describe {name} version {version}",
            lambda client: client.update_model_version(name, version, description),
        )  # fmt: skip
