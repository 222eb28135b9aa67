"""The version page: its metrics beside those of the others, where it is from, what is in it, where it is live."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.charts import versions as charts
from app.parts.registry import numbering, trusting
from app.shell import address, session
from app.ui import widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.registry.dossier import Column, Contents, Dossier
from mlops_dash.domain.registry.records import RegistryRoom
from mlops_dash.domain.tasks import METRICS

_NOT_KNOWN = "Not known"
_SHOWN_FILES = 60


def panel(frame: Frame, room: RegistryRoom) -> None:
    """Draw everything about the selected version."""
    version = room.selected
    if version is None:
        return
    found = frame.read(
        lambda: frame.services.registry.dossier(frame.actor, version.id), "dossier", version.id, height=900
    )
    _altered(found)
    if found.unread:
        widgets.note(found.unread)
    if len(room.lines) > 1:
        _choose(room, version.id)
    _metrics(frame, room, found)
    left, right = st.columns(2, gap="small")
    with left:
        numbering.panel(frame, version)
        _origin(frame, room, found)
        _places(frame, room, found)
    with right:
        _environment(found)
        _signature(found)
    _files(found)
    if found.contents is not None:
        trusting.panel(frame, version)


def called(frame: Frame, room: RegistryRoom) -> dict[str, str]:
    """The line that says by which semantic number the selected version goes, or would go, and why."""
    return {} if room.selected is None else {"Semantic number": numbering.read(frame, room.selected).said()}


def _choose(room: RegistryRoom, shown: str) -> None:
    numbers = {one.version.id: one.version for one in room.lines}
    key = f"of-{shown}"  # another version is another menu, which begins at it
    st.selectbox(
        "Version", list(numbers), index=list(numbers).index(shown), key=key, width=240,
        format_func=lambda one: numbers[one].label, label_visibility="collapsed",
        on_change=lambda: session.set_params({"proposal": "", "version": numbers[session.get(key)].version}),
    )  # fmt: skip


def _altered(found: Dossier) -> None:
    if found.altered and found.contents is not None:
        st.error(
            f"**The files of {plain(found.version.label)} are not those that were registered**: their digest is "
            f"{fmt.short(found.contents.digest, 16)}, recorded was {fmt.short(found.version.artifact_digest, 16)}.",
            icon=widgets.icon("gpp_bad"),
        )


def _metrics(frame: Frame, room: RegistryRoom, found: Dossier) -> None:
    if not found.series:
        with widgets.card("across", "Across versions"):
            how = "Push rows that a version scored, or train one with a recipe: mlops-dash evidence push."
            widgets.empty("ssid_chart", "No version was measured yet", how, key="across")
        return
    names = [one.metric for one in found.series]
    chosen = address.menu("metric", names, names[0])
    series = next(one for one in found.series if one.metric == chosen)

    def controls() -> None:
        widgets.as_table(charts.table(series, room.zone, label_unit=room.label_unit), key=f"across-{chosen}")

    with widgets.card("across", f"{METRICS[chosen].label} across versions", charts.caveat(series), controls):
        if len(names) > 1:
            st.selectbox(
                "Metric", names, key="metric", format_func=lambda name: METRICS[name].label, width=240,
                label_visibility="collapsed", on_change=address.picked, args=("metric",),
            )  # fmt: skip
        widgets.chart(
            charts.figure(series, frame.tokens, selected=found.version.id, label_unit=room.label_unit),
            key=f"across-{found.version.id}-{chosen}", height=charts.HEIGHT,
            alt=charts.alt(series, label_unit=room.label_unit),
        )  # fmt: skip
        limit = "" if series.limit is None else " Dotted: what the policy asks of a version alone."
        champion = "" if series.champion is None else f" Dashed: the champion, {series.champion.label}."
        widgets.note(f"Value with its {fmt.percent(series.level, 0)} interval.{champion}{limit}")


def _origin(frame: Frame, room: RegistryRoom, found: Dossier) -> None:
    version, run, registered = found.version, found.run, found.registered
    again = {} if version.incarnation == 1 else {"Life of its number": f"no. {version.incarnation}"}
    pairs: dict[str, str] = {
        "Made": f"{frame.instant(version.created_at)} by {room.name_of(version.created_by) or 'MLflow'}",
        **again,
        "Trained on": fmt.period(version.training_start, version.training_end, room.zone),
        "Recipe": version.recipe or _NOT_KNOWN,
        "Run": widgets.Mono(version.run_id or _NOT_KNOWN),
        "Data digest": widgets.Mono(version.data_digest or _NOT_KNOWN),
    }
    if run is None:
        pairs["Run's facts"] = found.why(found.run_why)
    else:
        ran = fmt.MISSING if run.started is None else frame.instant(run.started)
        dirty = {None: "not recorded whether it had changes", True: "with changes that were not committed",
                 False: "without other changes"}[run.dirty]  # fmt: skip
        pairs |= {
            "Run's name": f"{run.name or _NOT_KNOWN}, {run.status}, {ran}" + (f", by {run.user}" if run.user else ""),
            "Data sets of the run": "; ".join(
                f"{one.name} {one.digest}" + (f" ({one.context})" if one.context else "") for one in run.datasets
            ) or "None was logged as an input",
            "Program": run.source or _NOT_KNOWN,
            "Git commit": widgets.Mono(f"{run.commit}, {dirty}") if run.commit else "Not recorded",
            "Git branch": run.branch or "Not recorded",
            "Parameters": ", ".join(f"{name} {value}" for name, value in run.parameters.items()) or "None was logged",
        }  # fmt: skip
    if registered is None:
        pairs["In MLflow"] = found.why(found.registered_why)
    else:
        pairs |= {
            "Registered from": registered.copied_from or widgets.Mono(registered.source or _NOT_KNOWN),
            "Tags": ", ".join(f"{name}: {value}" for name, value in registered.tags.items()) or "None",
            "Description": registered.description or "None",
        }
        if registered.stage:
            pairs["Stage"] = registered.stage
    if version.note and (registered is None or version.note != registered.description):
        pairs["Note"] = version.note
    with widgets.card("origin", f"Where {version.label} is from"):
        widgets.facts(pairs)


def _places(frame: Frame, room: RegistryRoom, found: Dossier) -> None:
    answering = [one for one in room.heartbeats if one.version_id == found.version.id and not one.error]
    pairs = {
        f"{one.what.capitalize()}": f"since {frame.instant(one.since)}"
        if one.until is None
        else f"{frame.instant(one.since)} to {frame.instant(one.until)}"
        for one in found.places
    }
    seen = [f"{one.what.capitalize()}" for one in found.places]
    with widgets.card("places", f"Where {found.version.label} is live"):
        if not found.places:
            widgets.note("It never answered live rows.")
            return
        if len(set(seen)) == len(seen):
            widgets.facts(pairs)
        else:  # champion more than once
            widgets.table(
                pd.DataFrame(
                    {
                        "As": [one.what for one in found.places],
                        "Since": [frame.instant(one.since) for one in found.places],
                        "Until": [frame.instant(one.until) if one.until else "now" for one in found.places],
                    }
                )
            )
        if found.places[0].until is None:
            said = f"{fmt.plural(len(answering), 'gateway')} answering with it now."
            widgets.note("Others serve it." if room.model.elsewhere else said if answering else
                         "No gateway has reported in the last 30 s.")  # fmt: skip


def _environment(found: Dossier) -> None:
    sub = f"Against {found.champion}" if found.champion else ""
    with widgets.card("environment", "Environment", sub):
        if found.environment is None:
            widgets.note(found.why(found.environment_why))
        elif not found.environment:
            widgets.note(f"The same packages as {found.champion}.")
        else:
            widgets.changes_table([(one.name, one.champion or "not there", one.candidate or "not there")
                                   for one in found.environment])  # fmt: skip
            widgets.note(f"Before: {found.champion}. After: {found.version.label}.")
        packages = {} if found.contents is None else found.contents.packages
        if packages:
            with st.expander(fmt.plural(len(packages), "package"), key="packages"):
                widgets.facts(dict(packages))


def _signature(found: Dossier) -> None:
    with widgets.card("signature", "Signature", "" if found.contents is None else _flavours(found.contents)):
        if found.contents is None:
            widgets.note(found.why(found.contents_why))
            return
        for name, columns in (("Inputs", found.contents.inputs), ("Outputs", found.contents.outputs)):
            if columns is None:
                widgets.note(f"{name}: the model was logged without them; log it with a signature.")
                continue
            with st.expander(f"{name}: {fmt.plural(len(columns), 'column')}", key=f"columns-{name.lower()}"):
                widgets.table(_columns(columns))


def _columns(columns: tuple[Column, ...]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Column": [one.name for one in columns],
            "Type": [one.kind for one in columns],
            "Required": ["yes" if one.required else "no" for one in columns],
        }
    )


def _flavours(contents: Contents) -> str:
    logged = f"logged with MLflow {contents.logged_with}" if contents.logged_with else ""
    return ", ".join([*contents.flavours, *([logged] if logged else [])])


def _files(found: Dossier) -> None:
    contents = found.contents
    if contents is None:
        with widgets.card("files", "Files"):
            widgets.note(found.why(found.contents_why))
        return
    unread = "" if contents.digest else "; too large to be read here, so their digests are not known"
    said = f"{fmt.plural(len(contents.files), 'file')}, {_size(contents.size)}{unread}"
    with widgets.card("files", "Files", said):
        digest = contents.digest or found.version.artifact_digest
        widgets.facts({
            "Digest of all": widgets.Mono(digest or _NOT_KNOWN),
            "Recorded when registered": widgets.Mono(found.version.artifact_digest or "Not recorded"),
        })  # fmt: skip
        shown = contents.files[:_SHOWN_FILES]
        with st.expander("Each file", key="each-file", expanded=len(shown) <= 8):
            widgets.table(
                pd.DataFrame(
                    {
                        "File": [one.path for one in shown],
                        "Size": [fmt.MISSING if one.size is None else _size(one.size) for one in shown],
                        "sha256": [one.sha256[:16] or _NOT_KNOWN for one in shown],
                    }
                )
            )
            if len(contents.files) > len(shown):
                widgets.note(f"{len(contents.files) - len(shown)} more not shown.")


def _size(size: int) -> str:
    for unit, of in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= of:
            return f"{size / of:.1f} {unit}"
    return f"{size} B"
