"""`trust`: an admin lets one version's very files run; nobody else may, and other files are not these."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlops_dash.bootstrap import Services
from mlops_dash.domain.audit import Action
from mlops_dash.errors import NotAllowed
from mlops_dash.tracking.registry import MlflowRegistry
from tests.cli.conftest import Run
from tests.factories import ADMIN, LEAD, SCIENTIST, VIEWER, WORKER
from tests.pickled import WORDS, save_colours

MODEL = 'it\'s "colours"'


@pytest.fixture
def colours(house: Services, mlflow_uri: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A stranger's pickle of a multi-class model, registered and watched."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_uri)
    folder = save_colours(tmp_path / "colours")
    made = MlflowRegistry(mlflow_uri).create_version(MODEL, source=str(folder), run_id="")
    house.registry.add_model(SCIENTIST, MODEL, task="multiclass", class_names=WORDS, reason="theirs")
    house.registry.record_version(WORKER, MODEL, made.version, source_uri=str(folder))
    return folder


def told(run: Run, *more: str) -> dict[str, object]:
    code, out, err = run("trust", MODEL, "v1", *more, "--json")
    assert code == 0, err
    found: dict[str, object] = json.loads(out)
    return found


def test_files_are_looked_into_and_trusted_by_their_digest(house: Services, run: Run, colours: Path) -> None:
    out = run("trust", MODEL, "1")[1]
    assert "model.pkl imports sklearn.linear_model._logistic.LogisticRegression" in out
    assert "All but serving works." in out
    before = told(run)
    digest = str(before["digest"])
    assert (before["trusted"], before["why_not"]) == (False, "")

    code, _, err = run("trust", MODEL, "1", "--digest", digest)
    assert (code, "needs a reason" in err) == (2, True)
    code, _, err = run("trust", MODEL, "1", "--digest", "0" * 64, "--reason", "ours")
    assert (code, "trust what you saw" in err) == (2, True)
    assert not told(run)["trusted"]

    assert told(run, "--digest", digest, "--reason", "our own team's build")["trusted"]
    entry = house.audit.entries(ADMIN).entries[0]
    assert (entry.action, entry.reason, entry.model) == (Action.FILES_TRUSTED, "our own team's build", MODEL)
    assert entry.after["digest"] == digest
    assert run("trust", MODEL, "1", "--digest", digest, "--reason", "again")[0] == 2

    (colours / "model.pkl").write_bytes(b"\x80\x04N.")
    changed = told(run)
    assert (changed["trusted"], changed["digest"] != digest) == (False, True)


def test_trust_is_not_offered_for_a_model_that_names_files_elsewhere(house: Services, run: Run, colours: Path) -> None:
    described = colours / "MLmodel"
    described.write_text(described.read_text().replace("model_path: model.pkl", "model_path: ../model.pkl"))
    out = run("trust", MODEL, "1")[1]
    assert "The model names files outside itself: '../model.pkl'." in out
    assert "--digest" not in out
    digest = str(told(run)["digest"])
    code, _, err = run("trust", MODEL, "1", "--digest", digest, "--reason", "ours")
    assert (code, "Nobody can trust what lies elsewhere" in err) == (2, True)


def test_only_an_admin_trusts(house: Services, colours: Path, mlflow_uri: str) -> None:
    house.context.registry.uri = mlflow_uri
    version_id = house.registry.version_id(VIEWER, MODEL, "1")
    looked = house.registry.look_into(VIEWER, version_id)
    with pytest.raises(NotAllowed):
        house.registry.trust_files(LEAD, looked, digest=looked.found.digest, reason="ours")
    assert house.registry.look_into(VIEWER, version_id).trusted is None


def test_trust_is_taken_back_by_an_admin_with_a_reason(
    house: Services, run: Run, colours: Path, mlflow_uri: str
) -> None:
    assert run("trust", MODEL, "1", "--withdraw", "--reason", "x")[0] == 2  # nobody trusts anything
    digest = str(told(run)["digest"])
    told(run, "--digest", digest, "--reason", "our own team's build")
    assert "needs a reason" in run("trust", MODEL, "1", "--withdraw")[2]
    with pytest.raises(NotAllowed):
        house.registry.withdraw_trust(LEAD, digest, reason="a finding")
    assert run("trust", MODEL, "1", "--withdraw", "--digest", "0" * 64, "--reason", "x")[0] == 2
    (colours / "MLmodel").unlink()  # the files may be gone
    found = json.loads(run("trust", MODEL, "v1", "--withdraw", "--reason", "a finding", "--json")[1])
    assert found == {"model": MODEL, "version": "1", "digest": digest, "trusted": False}
    entry = house.audit.entries(ADMIN).entries[0]
    assert (entry.action, entry.reason) == (Action.TRUST_WITHDRAWN, "a finding")
    assert (entry.before["because"], entry.after["stops_serving"]) == ("our own team's build", False)
    assert run("trust", MODEL, "1", "--withdraw", "--reason", "again")[0] == 2
    assert house.registry.trusted_files(VIEWER, MODEL) == ()


def test_of_several_digests_one_is_named(house: Services, run: Run, colours: Path) -> None:
    told(run, "--digest", str(told(run)["digest"]), "--reason", "ours")
    (colours / "more.txt").write_text("more")
    second = str(told(run)["digest"])
    told(run, "--digest", second, "--reason", "ours too")
    code, _, err = run("trust", MODEL, "1", "--withdraw", "--reason", "x")
    assert (code, second in err) == (2, True)
    assert run("trust", MODEL, "1", "--withdraw", "--digest", second, "--reason", "x")[0] == 0
    assert len(house.registry.trusted_files(VIEWER, MODEL)) == 1
