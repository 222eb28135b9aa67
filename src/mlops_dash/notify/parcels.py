"""A report on its way out: by e-mail with its files, to a channel, or as files in a folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from mlops_dash.domain.notices import Channel, ChannelKind
from mlops_dash.domain.reports.files import ReportFile
from mlops_dash.errors import Unavailable
from mlops_dash.notify import hooks, mail
from mlops_dash.settings import Settings


@dataclass(frozen=True)
class Parcel:
    """What goes to one recipient.

    Attributes:
        id: Of the delivery; the same at every attempt.
        subject: One line.
        text: The verdict and its numbers as plain text.
        link: Where people with an account read it.
        files: The report in its formats.
        report: What a web hook is told: kind, model, hash, and all facts where JSON is a format.
        unsubscribe: Where the recipient ends it; "" = nowhere.
    """

    id: str
    subject: str
    text: str
    link: str
    files: tuple[ReportFile, ...]
    report: Mapping[str, Any]
    unsubscribe: str = ""


def to_address(settings: Settings, address: str, parcel: Parcel) -> str:
    """By e-mail; raises as `mail.post` does."""
    text = f"{parcel.text}\n\n{parcel.link}"
    if parcel.unsubscribe:
        text = f"{text}\n\nYou do not want it any more? {parcel.unsubscribe}"
    return mail.post(settings, mail.Letter(parcel.id, address, parcel.subject, text, parcel.files, parcel.unsubscribe))


def to_channel(settings: Settings, channel: Channel, parcel: Parcel) -> str:
    """To a channel of the house, by its kind; raises as `notify.send` does."""
    if channel.kind is ChannelKind.EMAIL:
        return to_address(settings, channel.address, parcel)
    body = hooks.report_body(channel.kind, parcel.subject, parcel.text, parcel.link, parcel.report)
    if channel.kind is ChannelKind.WEBHOOK:
        body = {"delivery": parcel.id, **body}
    return hooks.deliver(channel, parcel.id, body, allowed=settings.webhook_networks)


def to_folder(settings: Settings, name: str, parcel: Parcel) -> str:
    """As files below the report folder, whole or not at all; the same report again is the same files.

    Raises:
        Unavailable: they cannot be written.
    """
    folder = settings.reports / name
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for one in parcel.files:
            draft = folder / f".{parcel.id}.{PurePath(one.name).suffix.lstrip('.')}"
            draft.write_bytes(one.content)
            draft.replace(folder / one.name)
    except OSError as error:
        raise Unavailable(f"The folder {name} cannot be written: {error.strerror}.", hint="Free some space.") from error
    return f"It lies in {name}: {', '.join(one.name for one in parcel.files)}."
