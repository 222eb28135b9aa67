"""The semantic number of a version: what its difference from the champion proposes, and calling it otherwise."""

from __future__ import annotations

import streamlit as st

from app.shell import session
from app.ui import dialogs, widgets
from app.ui.context import Frame
from mlops_dash.domain.access import Permission
from mlops_dash.domain.audit import who
from mlops_dash.domain.registry.records import Version
from mlops_dash.domain.registry.semver import FIRST, SemanticNumber


def read(frame: Frame, version: Version) -> SemanticNumber:
    """The number of a version, as it is now."""
    return frame.read(
        lambda: frame.services.registry.semantic_number(frame.actor, version.id), "number", version.id, height=40
    )


def panel(frame: Frame, version: Version) -> None:
    """The number with its reason, and the button that sets another."""
    found = read(frame, version)
    with widgets.card("number", "Semantic number", "", lambda: _button(frame, found)):
        said = {"Number": found.number or "Not known", "Why": found.said()}
        if found.kept is not None and found.kept.by_hand:
            said = {
                "Number": found.number,
                "Set": f"by hand by {who(found.kept.by)}, {frame.instant(found.kept.at)}",
                "Reason": found.kept.reason,
                "Its difference says": _proposed(found),
            }
        widgets.facts(said)
        widgets.note("Other data or architecture is MAJOR, other hyper-parameters MINOR, the rest PATCH. Kept when it "
                     "becomes champion; MLflow is not written to.")  # fmt: skip


def _proposed(found: SemanticNumber) -> str:
    if found.change is None:
        return found.why_not or found.proposed
    return f"{found.proposed}: {'; '.join(found.reasons)}"


def _button(frame: Frame, found: SemanticNumber) -> None:
    key = f"number-{found.version_id}"
    none = frame.why_not(Permission.PROPOSAL_OPEN)
    if not widgets.action_button("Set the number…", key=f"set-{key}", why_not=none, icon_name="edit"):
        return

    def fields() -> None:
        st.text_input(
            "Number", found.number or found.proposed or FIRST, key=f"{key}-text", max_chars=20, required=True,
            help="Three numbers with dots between: MAJOR.MINOR.PATCH",
        )  # fmt: skip

    def act(reason: str) -> str:
        made = frame.services.registry.set_number(
            frame.actor, found.version_id, str(session.get(f"{key}-text") or ""), reason=reason
        )
        return f"{found.label} is called {made.number}."

    dialogs.confirm(
        key=f"{key}-dialog", title=f"Set the number of {found.label}", button="Set it", act=act, icon="edit",
        fields=fields, consequence="Pages, dossiers and the ledger call it so. MLflow stays as it is.",
        facts={"Its difference says": _proposed(found)},
    )  # fmt: skip
