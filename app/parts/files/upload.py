"""A table that somebody brings, read once for as long as it stands in its field."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from app.shell import session
from app.ui import widgets
from app.ui.text import plain
from mlops_dash.errors import MlopsDashError
from mlops_dash.services.tables import table_of

TYPES = ["csv", "tsv", "parquet", "pq"]


@dataclass(frozen=True)
class Upload:
    """A file and the table in it."""

    id: str
    name: str
    content: bytes
    table: pd.DataFrame


def upload(key: str, label: str) -> Upload | None:
    """The file in the field; None while there is none, or where it is no table (which is said)."""
    file = st.file_uploader(label, type=TYPES, key=key, label_visibility="collapsed")
    if file is None:
        session.pop(f"{key}-read")
        return None
    known = session.get(f"{key}-read")
    if isinstance(known, Upload) and known.id == file.file_id:
        return known
    content = file.getvalue()
    try:
        table = table_of(content, file.name)
    except MlopsDashError as error:
        st.error(plain(error.sentence()), icon=widgets.icon("error"))
        return None
    if table.empty:
        st.error(plain(f"{file.name} holds no rows."), icon=widgets.icon("error"))
        return None
    read = Upload(str(file.file_id), str(file.name), content, table)
    session.put(f"{key}-read", read)
    return read
