"""E-mail: over the SMTP server of the settings, or as files in HOME/outbox where none is set."""

from __future__ import annotations

import smtplib
import ssl
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from mlops_dash.domain.notices import Message
from mlops_dash.domain.reports.files import ReportFile
from mlops_dash.errors import Unanswered, Unavailable
from mlops_dash.settings import LOOPBACK, Settings

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

SECONDS = 20.0
END_SECONDS = 120.0  # for the answer to a whole message: servers look for viruses before they give it


@dataclass(frozen=True)
class Letter:
    """An e-mail before it is one. `id` is the same at every attempt; `unsubscribe` is an address, or ""."""

    id: str
    to: str
    subject: str
    text: str
    files: tuple[ReportFile, ...] = ()
    unsubscribe: str = ""


def send(settings: Settings, address: str, message: Message) -> str:
    """Send a message to all addresses of a channel.

    Raises:
        Unavailable: the server cannot be reached, or refused it.
        Unanswered: the server was given all of it and did not answer.
    """
    return post(settings, Letter(message.id, address, message.subject, message.text))


def post(settings: Settings, letter: Letter) -> str:
    """Send a letter with its files, and say where it went.

    Raises:
        Unavailable: the server cannot be reached, or refused it.
        Unanswered: the server was given all of it and did not answer.
    """
    mail = _mail(settings, letter)
    if not settings.smtp:
        return _kept(settings, mail, letter.id)
    try:
        refused = _deliver(settings.smtp, mail)
    except smtplib.SMTPRecipientsRefused as error:
        raise Unavailable(f"The mail server refused {', '.join(error.recipients)}.") from error
    except (OSError, smtplib.SMTPException) as error:
        why = getattr(error, "smtp_error", b"") or str(error)
        said = why.decode("utf-8", "replace") if isinstance(why, bytes) else why
        raise Unavailable(f"The mail server did not take it: {said[:200]}.", hint="Check MLOPS_DASH_SMTP.") from error
    note = f" It refused {', '.join(refused)}." if refused else ""
    return f"The mail server took it.{note}"


def _mail(settings: Settings, letter: Letter) -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = " ".join(letter.subject.split())[:200]  # a name must not begin a header of its own
    mail["From"] = settings.mail_from
    mail["To"] = letter.to
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = f"<{letter.id}@mlops-dash>"  # the same at every attempt
    mail["Auto-Submitted"] = "auto-generated"
    if letter.unsubscribe:
        mail["List-Unsubscribe"] = f"<{letter.unsubscribe}>"
    mail.set_content(letter.text)
    for one in letter.files:
        main, _, sub = one.mime.partition("/")
        charset = {"charset": "utf-8"} if main == "text" else None
        mail.add_attachment(one.content, maintype=main, subtype=sub, filename=one.name, params=charset)
    return mail


def _deliver(server: str, mail: EmailMessage) -> list[str]:
    """Hand it to the server; gives the addresses it refused."""
    parsed = urlsplit(server)
    host, secure = parsed.hostname or LOOPBACK, parsed.scheme == "smtps"
    context = ssl.create_default_context()
    if secure:
        connection: smtplib.SMTP = _SecureServer(host, parsed.port or 465, timeout=SECONDS, context=context)
    else:
        connection = _Server(host, parsed.port or 587, timeout=SECONDS)
    try:
        connection.ehlo()
        if not secure and connection.has_extn("starttls"):
            connection.starttls(context=context)
            connection.ehlo()
            secure = True
        if parsed.username:
            if not secure and host not in {LOOPBACK, "localhost", "::1"}:
                raise smtplib.SMTPException("it offers no encryption, so the password was not sent")
            connection.login(unquote(parsed.username), unquote(parsed.password or ""))
        return list(connection.send_message(mail))
    finally:  # what is said to a goodbye changes nothing
        with suppress(OSError, smtplib.SMTPException):
            connection.quit()
        connection.close()


class _Server(smtplib.SMTP):
    """Tells a refusal from no answer to a message that has left whole."""

    _whole = False

    def send(self, s: ReadableBuffer | str) -> None:
        """Send it; the message alone is bytes, with the dot that ends it, and commands are text."""
        super().send(s)
        self._whole = not isinstance(s, str)
        if self._whole and self.sock is not None:
            self.sock.settimeout(END_SECONDS)

    def getreply(self) -> tuple[int, bytes]:
        """The server's answer; raises Unanswered where none comes to a whole message."""
        if not self._whole:
            return super().getreply()
        try:
            code, said = super().getreply()
        except (OSError, smtplib.SMTPException) as error:
            code, said = -1, str(error).encode()
        self._whole = False
        if code < 0:
            self.close()
            why = said.decode("utf-8", "replace")[:200]
            raise Unanswered(
                f"The mail server was given all of it and did not say that it took it: {why}.",
                hint="Look whether it arrived, then send it again or not.",
            )
        if self.sock is not None:
            self.sock.settimeout(SECONDS)
        return code, said


class _SecureServer(_Server, smtplib.SMTP_SSL):
    """The same, encrypted from the first byte."""


def _kept(settings: Settings, mail: EmailMessage, name: str) -> str:
    folder = settings.home / "outbox"
    draft, file = folder / f".{name}", folder / f"{name}.eml"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        draft.write_bytes(bytes(mail))
        draft.replace(file)
    except OSError as error:
        raise Unavailable(f"{file} cannot be written: {error.strerror}.", hint="Free some space.") from error
    return f"No mail server is set: it lies in {file.parent.name}/{file.name}."
