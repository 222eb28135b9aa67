"""From the details of a run: register its model as a version, propose that version for promotion."""

from __future__ import annotations

import streamlit as st

from app.shell import session
from app.ui import dialogs, widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.experiments.room import RunDetail
from mlops_dash.domain.registry.records import Version
from mlops_dash.errors import MlopsDashError

_ASKED = "runs-decide"  # (verb, run id): asked for in the drawer, decided in a dialog of the next run


def buttons(frame: Frame, run: RunDetail) -> None:
    """Register and propose; what cannot be done now is disabled and says why."""
    can = frame.services.experiments.registrable(frame.actor, run.id)
    if can.version is None:
        if widgets.action_button(
            "Register as a version…", key="run-register", why_not=can.why_not_register, icon_name="deployed_code_update"
        ):
            _ask("register", run.id)
    elif widgets.action_button(
        f"Propose {can.version.label}…", key="run-propose", why_not=can.why_not_propose, icon_name="assignment"
    ):
        _ask("propose", run.id)


def _ask(verb: str, run_id: str) -> None:
    session.put(_ASKED, (verb, run_id))
    session.set_param("run", "")  # one dialog at a time: the drawer closes
    st.rerun()


def decide(frame: Frame) -> None:
    """The dialog that the drawer asked for."""
    asked = session.pop(_ASKED)
    if not asked:
        return
    verb, run_id = asked
    run = frame.services.experiments.run(frame.actor, run_id)
    can = frame.services.experiments.registrable(frame.actor, run_id)
    if verb == "register" and not can.why_not_register:
        _register(frame, run, can.models)
    elif verb == "propose" and can.version is not None and not can.why_not_propose:
        _propose(frame, run, can.version)


def _register(frame: Frame, run: RunDetail, models: tuple[str, ...]) -> None:
    key = f"register-{run.id}"
    name = run.name or fmt.short(run.id)

    def act(note: str) -> str:
        services, model = frame.services, str(session.get(f"{key}-model") or models[0])
        made = services.experiments.register_run(frame.actor, run.id, model)
        version_id = services.registry.record_version(
            frame.actor, model, made.version, run_id=run.id, source_uri=made.source_uri,
            artifact_digest=made.artifact_digest, data_digest=made.data_digest, created_by=frame.actor.id, note=note,
        )  # fmt: skip
        said = f"{name} is {model} v{made.version}."
        try:
            found = services.evidence.check_version(frame.actor, version_id)
        except MlopsDashError as error:
            return f"{said} Its signature and input example are not checked yet: {error.sentence()}"
        bad = [one.reason for one in found if one.value != 1.0]
        return f"{said} {' '.join(bad)}" if bad else f"{said} Signature and input example are fine."

    def fields() -> None:
        st.selectbox("Model", models, key=f"{key}-model")

    dialogs.confirm(
        key=key,
        title=f"Register {name} as a version",
        consequence="Its model becomes the next version in MLflow's registry, and its signature and input example are "
        "checked in a fresh process. Nothing is served differently; promotion needs a proposal and an approval.",
        button="Register the version",
        act=act,
        facts={
            "Run": widgets.Mono(run.id),
            "Experiment": run.experiment,
            "Logged by": run.user or fmt.MISSING,
        },
        icon="deployed_code_update",
        reason="Note",
        placeholder="Why this run? The note stays with the version.",
        fields=fields,
    )


def _propose(frame: Frame, run: RunDetail, version: Version) -> None:
    def act(reason: str) -> str:
        frame.services.registry.propose(frame.actor, version.id, comment=reason)
        return f"{version.subject} is proposed. Somebody else must approve it."

    dialogs.confirm(
        key=f"propose-run-{version.id}",
        title=f"Propose {version.label} as champion",
        consequence=f"**{plain(version.subject)}** is put before the leads with its gates as they stand. "
        "You cannot approve it yourself.",
        button=f"Propose {version.label}",
        act=act,
        facts={
            "Version": version.subject,
            "Run": run.name or fmt.short(run.id),
            "Files": widgets.Mono(fmt.short(version.artifact_digest, 12)),
        },
        icon="assignment",
        reason="Comment",
        placeholder="Why should it serve? The approvers read this.",
    )
