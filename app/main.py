"""The entry that Streamlit runs for every session: one framed page."""

from __future__ import annotations

from app.shell import frame

frame.run()
