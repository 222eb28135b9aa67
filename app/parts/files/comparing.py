"""Two files side by side: have the columns of the second moved from those of the first?"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pandas as pd
import streamlit as st

from app.parts.files.upload import TYPES
from app.shell import session
from app.ui import widgets
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.monitoring.two_tables import ColumnVerdict, TwoTables
from mlops_dash.domain.words import Drift
from mlops_dash.errors import MlopsDashError
from mlops_dash.services.two_tables import compare_files

_ROW, _SHOWN = 32, 16
_KEY = "drift-verdict"
_LOUDEST = (Drift.DRIFT, Drift.WATCH, Drift.NOT_COMPUTABLE, Drift.STABLE)
_HOW = (
    "Every column of the reference is looked for in the other file: score with interval, q-value and a verdict. "
    "Nothing is stored. The same as mlops-dash drift REF CUR."
)


def show() -> None:
    """Draw both fields and, once both hold a file, the verdict."""
    with widgets.card("drift-files", "Two files", "CSV, TSV or parquet, in any mix"):
        left, right = st.columns(2, gap="small")
        with left:
            reference = st.file_uploader("Reference: how it was", type=TYPES, key="drift-reference")
        with right:
            current = st.file_uploader("Current: how it is now", type=TYPES, key="drift-current")
        if reference is None or current is None:
            widgets.note(_HOW)
            return
        ids = (str(reference.file_id), str(current.file_id))
        known = session.get(_KEY)
        if known is None or known[0] != ids:
            try:
                known = (ids, _compare(reference, current))
            except MlopsDashError as error:
                st.error(plain(error.sentence()), icon=widgets.icon("error"))
                return
            session.put(_KEY, known)
    _verdict(known[1])


def _compare(reference: st.runtime.uploaded_file_manager.UploadedFile,
             current: st.runtime.uploaded_file_manager.UploadedFile) -> TwoTables:  # fmt: skip
    bar = st.progress(0.0, "Reading…")
    with tempfile.TemporaryDirectory(prefix="mlops-dash-drift-") as folder:
        paths = []
        for number, file in enumerate((reference, current)):
            path = Path(folder) / str(number) / (Path(file.name).name or "file.csv")
            path.parent.mkdir()
            path.write_bytes(file.getvalue())
            paths.append(path)

        def tell(share: float, column: str) -> None:
            bar.progress(share, plain(column))

        try:
            return compare_files(paths[0], paths[1], tell=tell)
        except MlopsDashError as error:
            error.message = error.message.replace(f"{folder}/0/", "").replace(f"{folder}/1/", "")
            raise
        finally:
            bar.empty()


def _verdict(verdict: TwoTables) -> None:
    rows = f"{verdict.n_reference:,} reference rows, {verdict.n_current:,} current rows"
    with widgets.card("drift-verdict", verdict.reason, rows):
        loudest = sorted(verdict.features, key=lambda feature: _LOUDEST.index(feature.verdict))
        table = pd.DataFrame([_row(feature) for feature in loudest])
        st.dataframe(table, hide_index=True, row_height=_ROW, height=_ROW * (min(len(table), _SHOWN) + 1) + 4,
                     key="drift-table")  # fmt: skip
        if verdict.new:
            widgets.note(f"Only in the current file: {', '.join(verdict.new)}.")
        for note in verdict.notes:
            widgets.note(note)
        st.download_button(
            "Verdict as JSON", json.dumps(verdict.as_json(), indent=2), file_name="drift.json",
            mime="application/json", icon=widgets.icon("download"), key="drift-json",
        )  # fmt: skip


def _row(feature: ColumnVerdict) -> dict[str, str]:
    drift = feature.column.drift
    computable = drift is not None and drift.computable
    return {
        "Column": feature.column.name,
        "Verdict": str(feature.verdict).replace("_", " "),
        "PSI": f"{drift.psi:.3f} [{drift.psi_low:.3f}, {drift.psi_high:.3f}]" if drift and computable else fmt.MISSING,
        "JS": fmt.metric(drift.js if drift and computable else None, 3),
        "KS": fmt.metric(drift.ks if drift else None, 3),
        "Wasserstein": fmt.metric(drift.wasserstein if drift else None, 3),
        "q": fmt.MISSING if feature.q is None else f"{feature.q:.2g}",
        "Missing": f"{drift.missing_reference:.1%} → {drift.missing_current:.1%}" if drift else fmt.MISSING,
        "Unseen": fmt.percent(drift.unseen if drift and feature.column.kind == "category" else None),
        "Out of range": fmt.percent(drift.out_of_range if drift and feature.column.kind == "numeric" else None),
        "Findings": ", ".join(str(one.signal) for one in feature.findings) or fmt.MISSING,
        "Why": feature.reason,
    }
