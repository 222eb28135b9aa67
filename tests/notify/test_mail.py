"""E-mail: over a server, or as files; a refusal is one sentence."""

from __future__ import annotations

from email import message_from_bytes, policy
from pathlib import Path

import pytest

from mlops_dash.domain.notices import message
from mlops_dash.errors import Unanswered, Unavailable
from mlops_dash.notify import mail
from tests import factories
from tests.notify.test_hooks import notice
from tests.receivers import mail_server

TO = "one@example.com, two@example.com"


def test_a_server_takes_it_for_all_addresses(tmp_path: Path) -> None:
    with mail_server() as box:
        settings = factories.settings(tmp_path, smtp=f"smtp://127.0.0.1:{box.port}", mail_from="dash@example.com")
        assert mail.send(settings, TO, message([notice()])) == "The mail server took it."
    (sent,) = box.mails
    assert box.recipients == ["one@example.com", "two@example.com"]
    assert (sent["From"], sent["To"], sent["Message-ID"]) == ("dash@example.com", TO, "<n1@mlops-dash>")
    assert "Recall *fell* [by] 12 %." in sent.get_content()


def test_a_name_with_a_line_break_begins_no_header(tmp_path: Path) -> None:
    with mail_server() as box:
        settings = factories.settings(tmp_path, smtp=f"smtp://127.0.0.1:{box.port}")
        mail.send(settings, TO, message([notice(model="x\r\nBcc: spy@example.com", title="a\nb")]))
    assert box.mails[0]["Bcc"] is None
    assert box.recipients == ["one@example.com", "two@example.com"]


def test_a_refusal_says_what_the_server_said(tmp_path: Path) -> None:
    with mail_server() as box:
        box.refuses = "451 try later"
        settings = factories.settings(tmp_path, smtp=f"smtp://127.0.0.1:{box.port}")
        with pytest.raises(Unavailable, match="try later"):
            mail.send(settings, TO, message([notice()]))
    with pytest.raises(Unavailable, match="did not take it"):
        mail.send(settings, TO, message([notice()]))


def test_without_a_server_it_is_a_file(tmp_path: Path) -> None:
    said = mail.send(factories.settings(tmp_path), TO, message([notice()]))
    assert said == "No mail server is set: it lies in outbox/n1.eml."
    file = tmp_path / "outbox" / "n1.eml"
    assert message_from_bytes(file.read_bytes(), policy=policy.default)["To"] == TO
    assert [one.name for one in file.parent.iterdir()] == ["n1.eml"]


@pytest.mark.parametrize("silence", [{"slow": 0.6}, {"hangs_up": True}])
def test_no_answer_to_a_whole_message_is_no_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silence: dict[str, float]
) -> None:
    monkeypatch.setattr(mail, "END_SECONDS", 0.2)
    with mail_server() as box:
        vars(box).update(silence)
        settings = factories.settings(tmp_path, smtp=f"smtp://127.0.0.1:{box.port}")
        with pytest.raises(Unanswered, match="did not say that it took it"):
            mail.send(settings, TO, message([notice()]))
        assert len(box.mails) == 1


def test_a_slow_answer_to_a_whole_message_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "SECONDS", 0.3)
    with mail_server() as box:
        box.slow = 0.6
        settings = factories.settings(tmp_path, smtp=f"smtp://127.0.0.1:{box.port}")
        assert mail.send(settings, TO, message([notice()])) == "The mail server took it."


def test_a_rude_goodbye_changes_nothing(tmp_path: Path) -> None:
    with mail_server() as box:
        box.bye = "500 what"
        settings = factories.settings(tmp_path, smtp=f"smtp://127.0.0.1:{box.port}")
        assert mail.send(settings, TO, message([notice()])) == "The mail server took it."
