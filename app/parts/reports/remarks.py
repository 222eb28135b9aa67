"""Sign-offs and comments of a frozen report, and the buttons that add one or withdraw one's own."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from app.ui import dialogs, widgets
from app.ui.context import Frame
from mlops_dash.domain import format as fmt
from mlops_dash.domain.access import Permission
from mlops_dash.domain.reports.remarks import REMARK_LABELS, Remark, standing
from mlops_dash.domain.reports.snapshot import Report


def signers(frame: Frame) -> dict[str, str]:
    """Who signed each report, by the report's id; those that nobody signed are left out."""
    found: dict[str, list[str]] = {}
    for one in standing(frame.services.reports.remarks(frame.actor)):
        found.setdefault(one.report_id, []).append(one.name)
    return {report_id: ", ".join(names) for report_id, names in found.items()}


def panel(frame: Frame, report: Report, title: str) -> None:
    """What people said of the report, oldest first."""
    found = frame.services.reports.remarks(frame.actor, report.line.id)
    signs = standing(found)
    own = any(one.by == frame.actor.id for one in signs)
    names = [one.name for one in signs]
    said = f"Signed off by {', '.join(names)}" if names else "Nobody has signed it off yet"
    with widgets.card("remarks", "Sign-offs and comments", said, lambda: _buttons(frame, report, title, own=own)):
        if not found:
            widgets.note("A sign-off stands under its account's name; the ledger keeps the hash of what was signed.")
            return
        st.html(_listing(frame, found))


def _listing(frame: Frame, found: Sequence[Remark]) -> str:
    """One below the other, each with all its words: a cell of a grid would cut them."""
    rows = "".join(
        f"<li><b>{escape(REMARK_LABELS[one.kind])} by {escape(one.name)}</b>"
        f"<span>{escape(frame.instant(one.at))}</span><p>{escape(one.text)}</p></li>"
        for one in found
    )
    return f"<ul class='rows'>{rows}</ul>"


def _buttons(frame: Frame, report: Report, title: str, *, own: bool) -> None:
    none, key = frame.why_not(Permission.REPORT_MAKE), report.line.id
    if own:
        if widgets.action_button("Withdraw sign-off…", key=f"unsign-{key}", why_not=none, icon_name="person_remove"):
            _withdraw(frame, report, title)
    elif widgets.action_button("Sign off…", key=f"sign-{key}", why_not=none, icon_name="how_to_reg"):
        _ask(frame, report, title, sign=True)
    if widgets.action_button("Comment…", key=f"comment-{key}", why_not=none, icon_name="comment"):
        _ask(frame, report, title, sign=False)


def _withdraw(frame: Frame, report: Report, title: str) -> None:
    def act(text: str) -> str:
        return f"{frame.services.reports.withdraw_sign_off(frame.actor, report.line.id, text).name} withdrew it."

    dialogs.confirm(
        key=f"remark-unsign-{report.line.id}", title="Withdraw your sign-off", button="Withdraw it",
        icon="person_remove", act=act, reason="Why", placeholder="It goes into the ledger and stays.",
        consequence="You do not stand behind these facts any more. The sign-off and its withdrawal both stay to be "
        "read, here and in files made from now on; files that are out stay as they are.",
        facts={"Report": title, "Facts sha256": widgets.Mono(fmt.short(report.line.sha256, 16))},
    )  # fmt: skip


def _ask(frame: Frame, report: Report, title: str, *, sign: bool) -> None:
    reports, line = frame.services.reports, report.line

    def act(text: str) -> str:
        if sign:
            return f"{reports.sign_report(frame.actor, line.id, text).name} signed it."
        reports.comment_report(frame.actor, line.id, text)
        return "The comment is kept."

    dialogs.confirm(
        key=f"remark-{'sign' if sign else 'comment'}-{line.id}", title="Sign off this report" if sign else "Comment",
        button="Sign off" if sign else "Keep the comment", icon="how_to_reg" if sign else "comment", act=act,
        reason="What you stand behind" if sign else "In words", placeholder="It goes into the ledger and stays.",
        consequence="Your name stands under **these** facts; a withdrawal stays to be read beside it." if sign
        else "Everybody in this house reads it; it stays in the house.",
        facts={"Report": title, "Facts sha256": widgets.Mono(fmt.short(line.sha256, 16))},
    )  # fmt: skip
