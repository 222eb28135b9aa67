"""Channels and messages about alerts as frames for a table: pure, records in, frame out."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from mlops_dash.domain import format as fmt
from mlops_dash.domain.notices import Channel, Event, Notice

_EVENTS = {Event.OPENED: "Opened", Event.CLOSED: "Over", Event.TEST: "Test"}


def channels(found: Sequence[Channel]) -> pd.DataFrame:
    """One row a channel: name, kind, where, which alerts, state."""
    return pd.DataFrame(
        {
            "Name": [one.name for one in found],
            "Kind": [str(one.kind) for one in found],
            "Where": [one.shown_address for one in found],
            "Is told of": [one.route.words() for one in found],
            "State": ["Active" if one.enabled else "Switched off" for one in found],
        }
    )


def messages(found: Sequence[Notice], zone: str) -> pd.DataFrame:
    """One row a message, in the order given: when, channel, state, event, what, and what became of it."""
    return pd.DataFrame(
        {
            "When": [fmt.instant(one.sent_at or one.created_at, zone) for one in found],
            "Channel": [one.channel for one in found],
            "State": [str(one.state).capitalize() for one in found],
            "Event": [_EVENTS[one.event] for one in found],
            "Message": [one.title for one in found],
            "Tried": [one.attempts for one in found],
            "What became of it": [one.note or fmt.MISSING for one in found],
        }
    )
