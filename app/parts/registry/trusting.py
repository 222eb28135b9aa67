"""What loading a version would run, for everybody; letting these very files run, for admins."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app.shell import session
from app.ui import dialogs, widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.access import Permission
from mlops_dash.domain.audit import who
from mlops_dash.domain.registry.records import Version
from mlops_dash.errors import MlopsDashError
from mlops_dash.services.registry.trusting import Looked

_SHOWN = 40


def panel(frame: Frame, version: Version) -> None:
    """Offer to look into the files; once somebody did, say what they run and who trusts them."""
    said = "Models are code. Files on the fixed list are loaded; others once an admin trusts their digest"
    key = f"looked-{version.id}"

    def look() -> None:
        if st.button("Look into the files", key="look-into", icon=widgets.icon("frame_inspect")):
            session.put(key, None)
            session.put(f"{key}-asked", True)

    with widgets.card("trusting", "What loading runs", said, look):
        if session.pop(f"{key}-asked"):
            _look(frame, version, key)
        looked: Looked | None = session.get(key)
        if looked is None:
            widgets.note("Their flavour, their files and what their pickles import are read; nothing is loaded.")
            return
        _show(looked)
        if looked.trusted:
            why_not = frame.actor.why_not(Permission.FILES_TRUST)
            if widgets.action_button("Take trust back…", key="withdraw-trust", why_not=why_not, icon_name="gpp_bad"):
                _withdraw(frame, looked, key)
        if not looked.found.refused or looked.trusted:
            return
        why_not = looked.why_not or frame.actor.why_not(Permission.FILES_TRUST)
        if widgets.action_button("Trust these files…", key="trust-files", why_not=why_not, icon_name="verified_user"):
            _trust(frame, looked, key)


def _look(frame: Frame, version: Version, key: str) -> None:
    """Read the files once, and keep what they run: a model may be large, and this page runs again at each click."""
    try:
        with st.spinner(f"Reading the files of {version.label}"):
            session.put(key, frame.services.registry.look_into(frame.actor, version.id))
    except MlopsDashError as error:
        st.error(plain(error.sentence()), icon=widgets.icon("error"))


def _show(looked: Looked) -> None:
    found = looked.found
    trusted = looked.trusted
    state = "trusted by us: all it is made of is on the fixed list"
    if found.refused:
        state = f"trusted by {who(trusted.by)}: {trusted.reason}" if trusted else f"not loaded: {found.refused}"
    widgets.facts({
        "State": state,
        "Loaded by": found.loader or fmt.MISSING,
        "Its package": f"{found.library}, {'installed' if found.installed else 'not installed here'}" if found.library
        else "none of its own",
        "Code of its own": "yes, its Python files are run" if found.code else "none beside the pickles",
        **({"Not looked into": ", ".join(found.unread)} if found.unread else {}),
        "Digest": widgets.Mono(found.digest),
    })  # fmt: skip
    names = [(name, path) for path, asked in found.imports for name in asked]
    if names:
        widgets.table(_imports(names[:_SHOWN]))
    if len(names) > _SHOWN:
        widgets.note(f"And {len(names) - _SHOWN} more: mlops-dash trust lists them all.")


def _imports(names: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """What is imported, and by which file; where one file imports all, its name stands above, and the rest has room."""
    files = {path for _, path in names}
    if len(files) == 1:
        return pd.DataFrame({f"{next(iter(files))} imports": [name for name, _ in names]})
    return pd.DataFrame(names, columns=["Its pickles import", "File"])


def _trust(frame: Frame, looked: Looked, key: str) -> None:
    version = looked.version

    def act(reason: str) -> str:
        frame.services.registry.trust_files(frame.actor, looked, digest=looked.found.digest, reason=reason)
        session.put(key, frame.services.registry.look_into(frame.actor, version.id))
        return f"The files of {version.subject} are trusted as they are; changed ones would not be."

    dialogs.confirm(
        key=f"trust-{version.id}",
        title=f"Trust the files of {version.label}",
        consequence=f"Loading **{plain(version.subject)}** runs whatever they hold, in the gateway, with its rights. "
        "Other files of this version are not trusted by it.",
        button=f"Trust the files of {version.label}",
        act=act,
        facts={"Files": looked.found.words(), "Digest": widgets.Mono(looked.found.digest)},
        icon="verified_user",
        placeholder="Who made them, and how do you know?",
    )


def _withdraw(frame: Frame, looked: Looked, key: str) -> None:
    version = looked.version

    def act(reason: str) -> str:
        frame.services.registry.withdraw_trust(frame.actor, looked.found.digest, reason=reason)
        session.put(key, frame.services.registry.look_into(frame.actor, version.id))
        return f"The files of {version.subject} are not trusted any more."

    dialogs.confirm(
        key=f"withdraw-trust-{version.id}",
        title=f"Take back the trust in the files of {version.label}",
        consequence=f"No process loads the files of **{plain(version.subject)}** any more. Where they serve, the "
        "gateway lets go of them within seconds and answers nothing until another version is promoted, or rolled back "
        "to.",
        button="Take trust back",
        act=act,
        facts={"Digest": widgets.Mono(looked.found.digest)},
        icon="gpp_bad",
        placeholder="What was found? This goes into the ledger.",
    )
