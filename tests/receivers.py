"""What receives messages in tests: a small SMTP server and a small web server on loopback, each in a thread."""

from __future__ import annotations

import json
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Mailbox:
    """What an SMTP server took, and what it refuses."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    refuses: str = ""  # the answer to DATA, e.g. "451 try later"
    slow: float = 0.0  # seconds until the answer to a whole message
    hangs_up: bool = False  # instead of that answer, though the message was taken
    bye: str = "221 bye"


@contextmanager
def mail_server() -> Iterator[Mailbox]:
    """A server that takes mail without a password."""
    box = Mailbox()

    class Session(socketserver.StreamRequestHandler):
        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

        def handle(self) -> None:
            self.say("220 test")
            while command := self.rfile.readline().decode().strip():
                word = command.split(":")[0].upper()
                if word.startswith("DATA"):
                    if not self.data():
                        return
                elif word.startswith("QUIT"):
                    self.say(box.bye)
                    return
                else:
                    if word.startswith("RCPT"):
                        box.recipients.append(command.partition("<")[2].partition(">")[0])
                    self.say("250 fine")

        def data(self) -> bool:
            self.say("354 go on")
            lines = []
            while (line := self.rfile.readline()) != b".\r\n":
                lines.append(line.removeprefix(b"."))
            if box.refuses:
                self.say(box.refuses)
                return True
            mail = message_from_bytes(b"".join(lines), policy=policy.default)
            assert isinstance(mail, EmailMessage)
            box.mails.append(mail)
            time.sleep(box.slow)
            if not box.hangs_up:
                self.say("250 taken")
            return not (box.slow or box.hangs_up)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session) as server:
        box.port = server.server_address[1]
        with _running(server):
            yield box


@dataclass
class Posts:
    """What a web server was sent, and what it answers."""

    port: int = 0
    bodies: list[Any] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    status: int = 200
    location: str = ""
    slow: float = 0.0  # seconds until it answers what it took

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/hook?team=a"


@contextmanager
def web_server() -> Iterator[Posts]:
    """A server that takes posts of JSON."""
    box = Posts()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            box.raw.append(body)
            box.bodies.append(json.loads(body))
            box.headers.append(dict(self.headers))
            time.sleep(box.slow)
            self.send_response(box.status)
            if box.location:
                self.send_header("Location", box.location)
            self.end_headers()
            self.wfile.write(b"said so")

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        box.port = server.server_address[1]
        with _running(server):
            yield box


@contextmanager
def _running(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
