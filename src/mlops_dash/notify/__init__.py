"""Sends messages out of the house: e-mail and web hooks. It stores nothing and decides nothing.

mail     SMTP, or files where no server is set
hooks    POST of JSON, signed, to addresses that may be spoken to
"""

from __future__ import annotations

from mlops_dash.domain.notices import Channel, ChannelKind, Message
from mlops_dash.notify import hooks, mail
from mlops_dash.settings import Settings

__all__ = ["send"]


def send(settings: Settings, channel: Channel, message: Message) -> str:
    """Send a message, and say where it went.

    Raises:
        Unavailable: it did not arrive; the sentence says why. It may be tried again.
        Unanswered: it left whole and nobody can say whether it arrived. It must not be tried again unasked.
        InvalidInput: it can never be sent there, for example to an address that is not allowed.
    """
    if channel.kind is ChannelKind.EMAIL:
        return mail.send(settings, channel.address, message)
    return hooks.send(channel, message, allowed=settings.webhook_networks)
