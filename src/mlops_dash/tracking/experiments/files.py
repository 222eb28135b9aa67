"""Files of a run, read whole up to a size: what the Experiments room lays side by side.

Over HTTP they come from the server's own route for artifacts, as its pages read them, without importing MLflow.
"""

from __future__ import annotations

import tempfile
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from mlops_dash.errors import InvalidInput, NotFound, Unavailable
from mlops_dash.tracking.credentials import credentials
from mlops_dash.tracking.experiments.search import MlflowRuns

FILE_SECONDS: Final = 20.0


@dataclass
class RunFiles(MlflowRuns):
    """Artifacts of the runs of the MLflow at `uri`."""

    def read(self, run_id: str, path: str, *, most: int) -> bytes:
        """The bytes of one file.

        Args:
            run_id: Of which run.
            path: Inside its artifacts, with slashes.
            most: The largest size that is read, in bytes.

        Raises:
            NotFound: the run has no such file.
            InvalidInput: it is a folder, it is larger, or the path leads out of the run.
            Unavailable: MLflow does not answer.
        """
        asked = PurePosixPath(path)
        if not path or asked.is_absolute() or ".." in asked.parts:
            raise InvalidInput(f"{path!r} is no path of a run's file.")
        folder = "" if str(asked.parent) == "." else str(asked.parent)
        found = next((one for one in self.artifacts(run_id, folder) if one.path == str(asked)), None)
        if found is None:
            raise NotFound(f"Run {run_id[:8]} has no file {path}.")
        if found.is_folder:
            raise InvalidInput(f"{path} of run {run_id[:8]} is a folder.")
        if found.size is not None and found.size > most:
            raise InvalidInput(f"{path} of run {run_id[:8]} has {_mb(found.size)}; at most {_mb(most)} are read.")
        content = self._fetched(run_id, str(asked), most) if self._plain else self._downloaded(run_id, str(asked))
        if len(content) > most:
            raise InvalidInput(f"{path} of run {run_id[:8]} is larger than {_mb(most)}.")
        return content

    def _fetched(self, run_id: str, path: str, most: int) -> bytes:
        query = urllib.parse.urlencode({"path": path, "run_uuid": run_id})
        request = urllib.request.Request(f"{self.uri.rstrip('/')}/get-artifact?{query}", headers=credentials())
        try:
            with urllib.request.urlopen(request, timeout=FILE_SECONDS) as answer:
                return bytes(answer.read(most + 1))
        except urllib.error.HTTPError as error:
            raise Unavailable(f"MLflow answers {error.code} for {path} of run {run_id[:8]}.") from error
        except OSError as error:
            raise Unavailable(f"MLflow at {self.uri} does not answer.", hint=self._hint()) from error

    def _downloaded(self, run_id: str, path: str) -> bytes:
        with self._asking(f"read {path} of run {run_id}") as client, tempfile.TemporaryDirectory() as folder:
            return Path(client.download_artifacts(run_id, path, folder)).read_bytes()


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
