"""Links that show one report to people without an account: made, counted, revoked."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.charts import reports as tables
from app.parts.admin import secrets
from app.shell import session
from app.ui import dialogs, widgets
from app.ui.context import Frame
from mlops_dash.domain import format as fmt
from mlops_dash.domain.access import Permission
from mlops_dash.domain.reports.levels import LEVEL_HELP, LEVEL_LABELS, Level
from mlops_dash.domain.reports.shares import MOST_DAYS, USUAL_DAYS, Share, ShareState
from mlops_dash.domain.reports.snapshot import Report


def button(frame: Frame, report: Report, title: str, level: Level) -> None:
    """The button and its dialog, which begins with the level that is shown."""
    why_not = frame.why_not(Permission.REPORT_SHARE)
    key = f"share-{report.line.id}"
    if not widgets.action_button("Share…", key=key, why_not=why_not, icon_name="link"):
        return

    def fields() -> None:
        st.selectbox("Level", list(Level), index=list(Level).index(level), key=f"{key}-level",
                     format_func=lambda one: f"{LEVEL_LABELS[one]}: {LEVEL_HELP[one].lower()}")  # fmt: skip
        st.number_input("Days until it is over", 1, MOST_DAYS, USUAL_DAYS, key=f"{key}-days")
        st.text_input(
            "Password, if it shall ask for one", type="password", key=f"{key}-password", max_chars=200,
            help="At least 10 characters. Send it by another way than the link.",
        )  # fmt: skip

    def act(reason: str) -> str:
        made = frame.services.reports.share(
            frame.actor, report.line.id, days=int(session.get(f"{key}-days") or USUAL_DAYS), reason=reason,
            password=str(session.get(f"{key}-password") or ""), level=Level(session.get(f"{key}-level") or level),
        )  # fmt: skip
        secrets.keep(f"Link to the {made.share.about}", made.url)
        return f"The link is open until {frame.instant(made.share.expires_at)}."

    dialogs.confirm(
        key=f"{key}-dialog", title="Share this report", button="Make the link", act=act, icon="link",
        fields=fields, reason="For whom, and why", placeholder="The board, before Monday. This goes into the ledger.",
        consequence=f"Whoever has the link reads **this** report without an account, and nothing else of this house: "
        f"{fmt.plural(USUAL_DAYS, 'day')} unless you say otherwise, and until somebody revokes it.",
        facts={"Report": title},
    )  # fmt: skip


def opened(frame: Frame) -> dict[str, str]:
    """How often each report was shown by its links, and when last, in words; those that were never shared are left out.

    By the report's id.
    """
    found: dict[str, list[Share]] = {}
    for one in frame.services.reports.shares(frame.actor):
        found.setdefault(one.report_id, []).append(one)
    said = {}
    for report_id, shares in found.items():
        last = max((one.last_opened_at for one in shares if one.last_opened_at), default=None)
        times = fmt.plural(sum(one.opens for one in shares), "time")
        said[report_id] = "Not yet" if last is None else f"{times}, last {frame.instant(last)}"
    return said


def links(frame: Frame, report: Report) -> None:
    """The links to a report with what became of them; nothing where there was never one."""
    found = frame.services.reports.shares(frame.actor, report.line.id)
    if not found:
        return
    wall = frame.services.context.clock.wall()
    live = [one for one in found if one.state(wall) is ShareState.OPEN]
    said = f"{len(live)} of {fmt.plural(len(found), 'link')} open; each is counted when it shows the report"
    with widgets.card("links", "Links to this report", said):
        st.dataframe(
            tables.links(found, wall=wall, zone=frame.zone), key=f"links-{report.line.id}", hide_index=True,
            row_height=32, height=35 + 32 * min(len(found), 6) + 2, alt="Links to this report, newest first",
        )  # fmt: skip
        _revoking(frame, live)


def _revoking(frame: Frame, live: Sequence[Share]) -> None:
    none = frame.why_not(Permission.REPORT_SHARE) or ("" if live else "No link is open.")
    by_id = {one.id: one for one in live}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="link-actions"):
        chosen = st.selectbox(
            "Link", list(by_id), key="link", width=320, placeholder="No open link",
            format_func=lambda one: f"{fmt.short(by_id[one].reason, 60)}, made {frame.instant(by_id[one].made_at)}",
        )  # fmt: skip
        if widgets.action_button("Revoke…", key="revoke-link", why_not=none, icon_name="link_off"):
            _revoke(frame, by_id[chosen])


def _revoke(frame: Frame, share: Share) -> None:
    def act(reason: str) -> str:
        frame.services.reports.revoke_share(frame.actor, share.id, reason=reason)
        return "The link opens nothing any more."

    dialogs.confirm(
        key=f"revoke-link-{share.id}", title="Revoke a link", button="Revoke the link", act=act, icon="link_off",
        consequence="Whoever opens it reads that it is over. A page that somebody has saved stays theirs.",
        facts={
            "For whom": share.reason, "Opened": fmt.plural(share.opens, "time"),
            "Last opened": frame.instant(share.last_opened_at),
        },
    )  # fmt: skip
