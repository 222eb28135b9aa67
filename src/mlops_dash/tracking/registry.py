"""What does MLflow's model registry say, and how do we move an alias there?

MLflow is imported inside the methods: it takes seconds and 200 MB. What pages and the worker ask all the time
(versions, one alias, moving it) goes to its REST address without the import (30 ms); the rest goes through MLflow's
client, after a two-second look, because that client would retry a dead server for minutes.
"""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mlops_dash.errors import Conflict, InvalidInput, NotFound, Unavailable
from mlops_dash.tracking.credentials import credentials, needs_client
from mlops_dash.tracking.filters import equals
from mlops_dash.tracking.imports import mlflow_ready

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.tracking import MlflowClient

LOOK_SECONDS = 2.0
ANSWER_SECONDS = 4.0
_LOOK_AGAIN = 0.2  # s
_PAGE = 200
# One retry of 15 s is enough where the look before said that somebody answers; MLflow's own are 7 retries of 120 s.


@dataclass(frozen=True)
class RegisteredVersion:
    """One version as MLflow knows it; `aliases` are those that point at it, `stage` is "" where it has none."""

    name: str
    version: str
    run_id: str
    created_at: datetime
    source: str
    aliases: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    stage: str = ""


@dataclass
class MlflowRegistry:
    """MLflow's registry at `uri`: an http(s) address, or a database address such as sqlite:///mlflow.db."""

    uri: str
    _made: MlflowClient | None = field(default=None, repr=False)

    def reachable(self) -> bool:
        """Whether the registry answers now; never takes more than about two seconds over HTTP."""
        return not self.why_unreachable()

    def why_unreachable(self) -> str:
        """Empty when the registry answers, else one sentence that says why not."""
        try:
            self._look()
            if not self._over_http:
                with self._asking("look at the registry") as client:
                    client.search_registered_models(max_results=1)
        except Unavailable as error:
            return error.message
        return ""

    def wait(self, seconds: float, *, hint: str) -> None:
        """Return as soon as the registry answers: its server may have been started with us.

        Args:
            seconds: For how long it may not answer; with 0 it is asked once.
            hint: What to do when it does not.

        Raises:
            Unavailable: it does not answer in time.
        """
        until = time.monotonic() + seconds
        while reason := self.why_unreachable():
            if time.monotonic() >= until:
                raise Unavailable(reason, hint=hint)
            time.sleep(_LOOK_AGAIN)

    def models(self) -> tuple[str, ...]:
        """Names of all registered models, sorted."""
        names: list[str] = []
        with self._asking("list the registered models") as client:
            token: str | None = None
            while True:
                page = client.search_registered_models(max_results=_PAGE, page_token=token)
                names.extend(model.name for model in page)
                token = page.token
                if not token:
                    return tuple(sorted(names))

    def versions(self, name: str) -> tuple[RegisteredVersion, ...]:
        """All versions of a registered model with their aliases, newest first.

        Raises:
            NotFound: MLflow knows no such model.
            Unavailable: MLflow does not answer.
        """
        if self._plain:
            return self._versions_by_rest(name)
        with self._asking(f"read the versions of {name}") as client:
            pointing: dict[str, list[str]] = {}
            for alias, version in client.get_registered_model(name).aliases.items():
                pointing.setdefault(str(version), []).append(alias)
            found: list[RegisteredVersion] = []
            token: str | None = None
            while True:
                page = client.search_model_versions(equals("name", name), max_results=_PAGE, page_token=token)
                own = [one for one in page if one.name == name]
                found.extend(_version(one, tuple(sorted(pointing.get(str(one.version), [])))) for one in own)
                token = page.token
                if not token:
                    return tuple(sorted(found, key=lambda one: -int(one.version)))

    def version(self, name: str, version: str) -> RegisteredVersion:
        """One version.

        Raises:
            NotFound: MLflow knows no such version.
        """
        with self._asking(f"read {name} version {version}") as client:
            found = client.get_model_version(name, version)
            return _version(found, tuple(sorted(found.aliases)))

    def create_model(self, name: str, *, description: str = "") -> None:
        """Register a model; one that is there already is left as it is."""
        try:
            with self._asking(f"register the model {name}") as client:
                client.create_registered_model(name, description=description or None)
        except Conflict:
            return

    def create_version(
        self, name: str, *, source: str, run_id: str, tags: Mapping[str, str] | None = None, description: str = ""
    ) -> RegisteredVersion:
        """Register a run's model as the next version of `name`, which is registered first when it is new."""
        self.create_model(name)
        with self._asking(f"register a version of {name}") as client, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MLflow warns of its own deprecations here
            model_id = source.removeprefix("models:/") if source.startswith("models:/m-") else None
            made = client.create_model_version(
                name,
                source=source,
                run_id=run_id,
                tags=dict(tags or {}),
                description=description or None,
                model_id=model_id,
                await_creation_for=0,  # a plain server answers with a version that is ready
            )
            return _version(made, ())

    def alias(self, name: str, alias: str) -> str | None:
        """The version that `alias` points at, or None when nobody has set it.

        Raises:
            NotFound: MLflow knows no such model.
        """
        what = f"read the alias {alias} of {name}"
        if self._plain:
            return self._aliases_by_rest(name, what).get(alias)
        with self._asking(what) as client:
            found = client.get_registered_model(name).aliases.get(alias)
            return None if found is None else str(found)

    def set_alias(self, name: str, alias: str, version: str) -> None:
        """Point `alias` at `version`; the same call again changes nothing."""
        self._tell(
            "POST", "registered-models/alias", {"name": name, "alias": alias, "version": version},
            f"move the alias {alias} of {name} to version {version}",
            lambda client: client.set_registered_model_alias(name, alias, version),
        )  # fmt: skip

    def model_tags(self, key: str) -> dict[str, str]:
        """The value of one tag on every registered model that carries it, by model."""
        found: dict[str, str] = {}
        what, token = f"read the tag {key}", ""
        while True:
            asked = {"max_results": str(_PAGE), "page_token": token}
            if self._plain:
                page = self._ask("GET", "registered-models/search", asked, what)
                token = page.get("next_page_token", "")
                tagged = [(one["name"], {tag["key"]: tag["value"] for tag in one.get("tags", ())})
                          for one in page.get("registered_models", ())]  # fmt: skip
            else:
                with self._asking(what) as client:
                    models = client.search_registered_models(max_results=_PAGE, page_token=token or None)
                token = models.token or ""
                tagged = [(one.name, dict(one.tags)) for one in models]
            found |= {str(name): str(tags[key]) for name, tags in tagged if key in tags}
            if not token:
                return found

    def set_model_tag(self, name: str, key: str, value: str) -> None:
        """Set a tag of a registered model."""
        self._tell(
            "POST", "registered-models/set-tag", {"name": name, "key": key, "value": value}, f"tag {name}",
            lambda client: client.set_registered_model_tag(name, key, value),
        )  # fmt: skip

    def remove_model_tag(self, name: str, key: str) -> None:
        """Take a tag off a registered model."""
        self._tell(
            "DELETE", "registered-models/delete-tag", {"name": name, "key": key}, f"take the tag {key} off {name}",
            lambda client: client.delete_registered_model_tag(name, key),
        )  # fmt: skip

    def _tell(
        self, method: str, path: str, told: Mapping[str, Any], what: str, by_client: Callable[[MlflowClient], object]
    ) -> None:
        """Change something there: by one request, or by the client where only that knows how."""
        if self._plain:
            self._ask(method, path, told, what)
            return
        with self._asking(what) as client, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its own deprecations
            by_client(client)

    @property
    def _over_http(self) -> bool:
        return self.uri.startswith(("http://", "https://"))

    @property
    def _plain(self) -> bool:
        return self._over_http and not needs_client(urllib.parse.urlsplit(self.uri).hostname or "")

    def _versions_by_rest(self, name: str) -> tuple[RegisteredVersion, ...]:
        what = f"read the versions of {name}"
        pointing: dict[str, list[str]] = {}
        for alias, version in self._aliases_by_rest(name, what).items():
            pointing.setdefault(version, []).append(alias)
        found: list[dict[str, Any]] = []
        token = ""
        while True:
            asked = {"filter": equals("name", name), "max_results": str(_PAGE), "page_token": token}
            page = self._ask("GET", "model-versions/search", asked, what)
            found.extend(one for one in page.get("model_versions", ()) if one["name"] == name)
            token = page.get("next_page_token", "")
            if not token:
                break
        made = [_version_of(one, tuple(sorted(pointing.get(str(one["version"]), [])))) for one in found]
        return tuple(sorted(made, key=lambda one: -int(one.version)))

    def _aliases_by_rest(self, name: str, what: str) -> dict[str, str]:
        found = self._ask("GET", "registered-models/get", {"name": name}, what)["registered_model"]
        return {str(one["alias"]): str(one["version"]) for one in found.get("aliases", ())}

    def _ask(
        self, method: str, path: str, asked: Mapping[str, Any], what: str, *, seconds: float = ANSWER_SECONDS
    ) -> dict[str, Any]:
        """One REST request, answered within `seconds` or not at all."""
        url = f"{self.uri.rstrip('/')}/api/2.0/mlflow/{path}"
        body = None if method == "GET" else json.dumps(dict(asked)).encode()
        if body is None:
            url += "?" + urllib.parse.urlencode({key: value for key, value in asked.items() if value})
        headers = {**credentials(), "Content-Type": "application/json"}
        request = urllib.request.Request(url, data=body, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=seconds) as answer:
                return dict(json.loads(answer.read() or b"{}"))
        except urllib.error.HTTPError as error:
            raise _refusal(error, what, self._hint()) from error
        except ValueError as error:
            raise Unavailable(f"MLflow at {self.uri} does not answer with JSON.", hint=self._hint()) from error
        except (OSError, http.client.HTTPException) as error:  # the latter: an answer that breaks off
            raise Unavailable(
                f"MLflow at {self.uri} does not answer: {_first_line(error)}.", hint=self._hint()
            ) from error

    @contextmanager
    def _asking(self, what: str) -> Iterator[MlflowClient]:
        """Hand out the client; turn whatever goes wrong into our errors."""
        self._look()
        client = self._client()
        from mlflow.exceptions import MlflowException

        try:
            yield client
        except MlflowException as error:
            raise _our_error(error.error_code, str(error), what) from error
        except (OSError, ConnectionError) as error:
            raise Unavailable(f"MLflow could not {what}: {_first_line(error)}.", hint=self._hint()) from error

    def _client(self) -> MlflowClient:
        if self._made is None:
            mlflow_ready()
            from mlflow.tracking import MlflowClient

            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # its own deprecations
                self._made = MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
        return self._made

    def _look(self) -> None:
        """Ask /health with little patience. Any HTTP answer will do: somebody is there."""
        if not self._over_http:
            return
        request = urllib.request.Request(f"{self.uri.rstrip('/')}/health", headers=credentials())
        try:
            with urllib.request.urlopen(request, timeout=LOOK_SECONDS):
                return
        except urllib.error.HTTPError as answer:
            if answer.code in {502, 503, 504}:
                raise Unavailable(f"MLflow at {self.uri} answers {answer.code}.", hint=self._hint()) from answer
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(
                f"MLflow at {self.uri} does not answer: {_first_line(error)}.", hint=self._hint()
            ) from error

    def _hint(self) -> str:
        return "Start it (mlops-dash up), or check MLFLOW_TRACKING_URI."


def _version(found: ModelVersion, aliases: tuple[str, ...]) -> RegisteredVersion:
    return RegisteredVersion(
        name=found.name,
        version=str(found.version),
        run_id=found.run_id or "",
        created_at=datetime.fromtimestamp(found.creation_timestamp / 1000, tz=UTC),
        source=found.source or "",
        aliases=aliases,
        tags=dict(found.tags),
        description=found.description or "",
        stage=_stage(found.current_stage),
    )


def _version_of(one: Mapping[str, Any], aliases: tuple[str, ...]) -> RegisteredVersion:
    return RegisteredVersion(
        name=str(one["name"]),
        version=str(one["version"]),
        run_id=str(one.get("run_id", "")),
        created_at=datetime.fromtimestamp(int(one["creation_timestamp"]) / 1000, tz=UTC),
        source=str(one.get("source", "")),
        aliases=aliases,
        tags={str(tag["key"]): str(tag.get("value", "")) for tag in one.get("tags", ())},
        description=str(one.get("description", "")),
        stage=_stage(one.get("current_stage")),
    )


def _stage(said: str | None) -> str:
    return "" if said in (None, "", "None") else str(said)


def _refusal(error: urllib.error.HTTPError, what: str, hint: str) -> NotFound | Conflict | InvalidInput | Unavailable:
    try:
        said = json.loads(error.read())
        code, message = str(said["error_code"]), str(said.get("message", ""))
    except (ValueError, KeyError, TypeError, OSError):
        return Unavailable(f"MLflow could not {what}: it answers {error.code}.", hint=hint)
    return _our_error(code, message, what)


def _our_error(code: str, said: str, what: str) -> NotFound | Conflict | InvalidInput | Unavailable:
    sentence = f"MLflow could not {what}: {said.strip().splitlines()[0][:300] if said.strip() else code}"
    if code == "RESOURCE_DOES_NOT_EXIST":
        return NotFound(sentence, hint="Check the name and the version in MLflow.")
    if code == "RESOURCE_ALREADY_EXISTS":
        return Conflict(sentence, hint="It is there already.")
    if code in {"INVALID_PARAMETER_VALUE", "BAD_REQUEST"}:
        return InvalidInput(sentence)
    return Unavailable(sentence, hint="Look at MLflow's log, then try again.")


def _first_line(error: BaseException) -> str:
    reason = getattr(error, "reason", None) or error
    lines = str(reason).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
