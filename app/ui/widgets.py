"""The pieces every page is built from: header, card, badge, chart, tables, faces for empty, stale and forbidden.

Every widget and chart has a key, every chart a text alternative. No page calls Streamlit's own plotly_chart or dialog.
"""

from __future__ import annotations

import contextlib
import html
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import streamlit as st

from app.shell import session
from app.ui import live, theme
from app.ui.text import explained, plain
from mlops_dash.domain.format import MISSING
from mlops_dash.domain.words import Word, look

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    from streamlit.delta_generator import DeltaGenerator

__all__ = [
    "EARLIEST",
    "Mono",
    "action_button",
    "as_table",
    "badge",
    "card",
    "changes_table",
    "chart",
    "drawer",
    "empty",
    "facts",
    "go_to",
    "headed",
    "header",
    "headless",
    "icon",
    "matrix",
    "note",
    "page_link",
    "stale",
    "table",
]

_BAR = 30  # px that the button of a chart takes
_DARKEST = 24  # percent of the text's colour behind the fullest cell: its number stays readable in both themes
EARLIEST = date(2000, 1, 1)  # without it a picker refuses days more than ten years ago


class Mono(str):
    """Text shown in the typewriter face: ids, digests, feature names."""

    __slots__ = ()


def icon(name: str) -> str:
    """A Material icon by name, in Streamlit's notation."""
    return f":material/{name}:"


def headless() -> None:
    """A page begins: it has no H1 yet."""
    session.put("_headed", False)


def headed() -> bool:
    """Whether the page has its H1."""
    return bool(session.get("_headed"))


def header(title: str, sub: str = "", *, about: str = "") -> DeltaGenerator:
    """The page's H1 with one line of status; returns the right-aligned container for scope controls and actions.

    `about` stands with the title on the browser's tab: of which model, and how it is.
    """
    session.put("_headed", True)
    st.set_page_config(page_title=" · ".join(part for part in (title, about, "mlops-dash") if part))
    with st.container(
        horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute", key="pagehead", gap="small"
    ):
        said = f"<p>{explained(sub)}</p>" if sub else ""
        st.html(f"<div class='ph'><h1>{html.escape(title)}</h1>{said}</div>", width="content")
        return st.container(
            horizontal=True,
            width="content",
            horizontal_alignment="right",
            vertical_alignment="bottom",
            gap="xsmall",
            key="pagehead-actions",
        )


@contextlib.contextmanager
def card(
    key: str, title: str, sub: str = "", actions: Callable[[], object] | None = None, *, height: Any = "content"
) -> Iterator[DeltaGenerator]:
    """A bordered box with an H2. Cards side by side get equal height with `height="stretch"` on both.

    `actions` draws controls at the right of the title.
    """
    box = st.container(border=True, key=f"card-{key}", height=height, gap="small")
    with box:
        if title:
            with st.container(
                horizontal=True,
                horizontal_alignment="distribute",
                vertical_alignment="center",
                gap="small",
                key=f"ch-{key}",
            ):
                said = f"<p>{explained(sub)}</p>" if sub else ""
                st.html(f"<div class='ch'><h2>{html.escape(title)}</h2>{said}</div>", width="content")
                if actions is not None:
                    with st.container(
                        horizontal=True, width="content", horizontal_alignment="right", gap="small", key=f"ca-{key}"
                    ):
                        actions()
        yield box


def badge(word: Word, label: str | None = None, *, explain: str | None = None) -> None:
    """A status word as icon + word + colour; `label` replaces the word, never the colour."""
    shown = look(word)
    st.badge(plain(label or shown.label), icon=icon(shown.icon), color=_colour(shown.colour), help=explain)


def _colour(name: str) -> Any:
    return name


def chart(
    fig: go.Figure,
    *,
    key: str,
    alt: str,
    height: int = 260,
    on_select: Any = "ignore",
    zoom: bool = False,
    revision: str = "",
    picture: bool = False,
) -> Any:
    """Draw a figure in the house's look. `alt` says the conclusion, not the chart type.

    With `picture`, pointing at the chart shows its one button: save it as a picture, twice as fine as on the screen.

    With `on_select`, a point can be clicked; several cannot.

    With `zoom`, dragging chooses a stretch of the x axis and a double click goes back; on a phone dragging scrolls the
    page as everywhere. Zoom survives reruns as long as `revision` (what the axis spans) stays. Returns what
    `st.plotly_chart` returns (the selection with `on_select`).
    """
    key = f"{key}-{revision}" if revision else key
    fig.update_layout(template=theme.template_name(session.mode()), height=height, uirevision=key)
    if zoom and not session.on_phone():
        fig.update_layout(dragmode="zoom")
        fig.update_yaxes(fixedrange=True)
    if picture and (fig.layout.margin.t or 0) < _BAR:  # its button lies above the lines, never on one
        fig.update_layout(margin={"t": _BAR})
    config = theme.CHART_CONFIG if not picture else {
        **theme.CHART_CONFIG, "displayModeBar": "hover", "modeBarButtons": [["toImage"]],
        "toImageButtonOptions": {"filename": key, "scale": 2},
    }  # fmt: skip
    return st.plotly_chart(
        fig, theme=None, key=key, config=config, alt=alt, height=height, on_select=on_select, selection_mode="points"
    )


def as_table(frame: pd.DataFrame, *, key: str, columns: Mapping[str, Any] | None = None) -> None:
    """A "View as table" popover with the numbers behind a chart."""
    with st.popover("View as table", icon=icon("table"), type="tertiary", key=f"table-{key}"):
        if len(frame) <= 20:
            table(frame)
        else:
            st.dataframe(frame, hide_index=True, key=f"grid-{key}", column_config=dict(columns or {}), row_height=32)


def table(frame: pd.DataFrame) -> None:
    """A small table whose cells and heads are shown as they are written: Streamlit reads both as Markdown."""
    shown = frame.rename(columns=lambda name: plain(str(name)))
    for at, kind in enumerate(shown.dtypes):
        if kind.kind not in "biufmM":
            shown.isetitem(at, [plain(cell) if isinstance(cell, str) else cell for cell in shown.iloc[:, at]])
    st.table(shown, border="horizontal", hide_index=True)


def facts(pairs: Mapping[str, str | Mono]) -> None:
    """A key/value table with semantic HTML. Values are text already formatted; `Mono` for ids."""
    rows = "".join(f"<tr><th scope='row'>{html.escape(k)}</th><td>{_cell(v)}</td></tr>" for k, v in pairs.items())
    st.html(f"<table class='facts'><tbody>{rows}</tbody></table>")


def changes_table(changes: Sequence[tuple[str, str, str]]) -> None:
    """Fact, before, after."""
    rows = "".join(
        f"<tr><th scope='row'>{html.escape(name)}</th><td>{_cell(before)}</td><td>{_cell(after)}</td></tr>"
        for name, before, after in changes
    )
    head = "<thead><tr><th></th><th scope='col'>Before</th><th scope='col'>After</th></tr></thead>"
    st.html(f"<table class='facts'>{head}<tbody>{rows}</tbody></table>")


def matrix(corner: str, names: Sequence[str], counts: Sequence[Sequence[int]], *, label: str) -> None:
    """A square table of counts with the same names on both sides, the fuller of a row the darker; wide ones scroll."""
    heads = "".join(f"<th scope='col' class='count'>{html.escape(name)}</th>" for name in names)
    body = "".join(
        f"<tr><th scope='row'>{html.escape(name)}</th>{''.join(_count(one, of=sum(row)) for one in row)}</tr>"
        for name, row in zip(names, counts, strict=True)
    )
    head = f"<thead><tr><th scope='col'>{html.escape(corner)}</th>{heads}</tr></thead>"
    st.html(
        f"<div style='overflow-x:auto' tabindex='0' role='region' aria-label='{html.escape(label)}'>"
        f"<table class='facts'>{head}<tbody>{body}</tbody></table></div>"
    )


def _count(number: int, *, of: int) -> str:
    tint = round(_DARKEST * number / of) if of else 0
    return f"<td class='count' style='background:color-mix(in srgb,currentColor {tint}%,transparent)'>{number:,}</td>"


def _cell(value: str) -> str:
    text = html.escape(str(value)) or MISSING
    return f"<span class='mono'>{text}</span>" if isinstance(value, Mono) else text


def note(text: str) -> None:
    """A muted line of explanation."""
    st.html(f"<p class='note'>{explained(text)}</p>")


def lines(shown: Sequence[str], *, label: str) -> None:
    """Lines of a log. Streamlit's own code block loads 1.6 MB of colours for them."""
    text = html.escape("\n".join(shown))
    st.html(f"<pre class='log' tabindex='0' role='region' aria-label='{html.escape(label)}'>{text}</pre>")


def empty(icon_name: str, title: str, how: str, *, key: str = "") -> DeltaGenerator:
    """The face of nothing: what will be here, how to get it; returns a centred container for the one button."""
    with st.container(horizontal_alignment="center", gap="xsmall", key=f"empty-{key}" if key else None):
        st.markdown(f":gray[{icon(icon_name)}]", text_alignment="center")
        st.html(f"<div class='empty'><b>{html.escape(title)}</b><span>{html.escape(how)}</span></div>")
        return st.container(horizontal=True, horizontal_alignment="center", width="stretch")


def stale(text: str, *, key: str) -> bool:
    """Old facts stay on the screen with this line: `stale("Updated 9 min ago, MLflow does not answer.")`.

    Returns whether "Try again" was clicked.
    """
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"stale-{key}"):
        st.badge("Stale", icon=icon("cloud_off"), color="gray")
        st.html(f"<p class='note'>{html.escape(text)}</p>", width="content")
        return st.button(
            "Try again", key=f"retry-{key}", type="tertiary", icon=icon("refresh"), on_click=session.forget_reads
        )


def action_button(
    label: str,
    *,
    key: str,
    why_not: str = "",
    primary: bool = False,
    icon_name: str | None = None,
    width: Any = "content",
    tertiary: bool = False,
) -> bool:
    """A button that acts, or, with a reason in `why_not`, its disabled face. Returns whether it was clicked."""
    kind: Any = "primary" if primary and not why_not else "tertiary" if tertiary else "secondary"
    return st.button(
        plain(label),
        key=key,
        type=kind,
        disabled=bool(why_not),
        help=plain(why_not) or None,
        icon=icon(icon_name) if icon_name else None,
        width=width,
    )


def drawer(title: str, show: Callable[[], None], *, on_close: Callable[[], None], icon_name: str | None = None) -> None:
    """Details of one thing at the right edge, over the page; `on_close` forgets what was open (its URL parameter)."""
    live.dialog(
        show,
        plain(title),
        width="medium",
        position="right",
        icon=icon(icon_name) if icon_name else None,
        on_dismiss=on_close,
    )()


def page_link(url: str, label: str, *, icon_name: str | None = None, key: str = "", **params: str) -> None:
    """A link to a page of ours by its url (`registry`), keeping this session; it shows what `params` ask for.

    To the page on the screen it is a button: after a link Streamlit would leave that page's menus where they stand.
    Links that may lead to the same place twice need a `key`.
    """
    page, sign = session.get("_pages", {}).get(url), icon(icon_name) if icon_name else None
    if page is None:
        return
    if page.url_path != session.page():
        st.page_link(page, label=plain(label), icon=sign, query_params=params or None)
    elif st.button(plain(label), key=key or f"to-{url}-{params}", icon=sign, type="tertiary"):
        go_to(url, **params)


def go_to(url: str, **params: str) -> None:
    """Open a page of ours now, the one on the screen too; it shows what `params` ask for."""
    page = session.get("_pages", {}).get(url)
    if page is not None:
        session.leave(page, params)
