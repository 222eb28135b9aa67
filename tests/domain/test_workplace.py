"""What a recipe may ask for as its environment and folder, and what is refused in a sentence."""

from __future__ import annotations

import pytest

from mlops_dash.domain.workplace import check_workplace
from mlops_dash.errors import InvalidInput

SHA = "0123456789abcdef0123456789abcdef01234567"
LINE = ("{python} train.py",)


@pytest.mark.parametrize(
    ("requirements", "repository", "commit", "programs", "said"),
    [
        ("", "https://git.example.com/team/birds.git", "", LINE, "belong together"),
        ("", "", SHA, LINE, "belong together"),
        ("", "srv/birds", "", LINE, "belong together"),
        ("", "/", "", LINE, "cannot be used"),
        ("", "/srv/../etc", "", LINE, "cannot be used"),
        ("", "/srv/birds", "", ("team.birds:train",), "team.birds:train is a function"),
        ("", "ext::sh -c whoami", SHA, LINE, "no git address"),
        ("", "--upload-pack=touch", SHA, LINE, "no git address"),
        ("", "https://me:secret@git.example.com/birds.git", SHA, LINE, "a token or a password in it"),
        ("", "https://ghp_secret@git.example.com/birds.git", SHA, LINE, "a token or a password in it"),
        ("", "http://secret:@git.example.com/birds.git", SHA, LINE, "a token or a password in it"),
        ("", "ssh://git:secret@git.example.com/birds.git", SHA, LINE, "a token or a password in it"),
        ("", "file:///srv/birds.git", "main", LINE, "'main' is no commit"),
        ("requirements.txt", "", "", LINE, "is in no folder"),
        ("/srv/../etc/passwd", "", "", LINE, "cannot be used"),
        ("/srv/requirements.txt", "", "", ("team.birds:train",), "team.birds:train is a function"),
        ("", "file:///srv/birds.git", SHA, (*LINE, "team.checks:speed"), "team.checks:speed is a function"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    requirements: str, repository: str, commit: str, programs: tuple[str, ...], said: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_workplace(requirements, repository, commit, programs)
    assert said in refused.value.sentence()
    assert "secret" not in refused.value.sentence()


def test_what_can_be_meant_is_taken() -> None:
    check_workplace("requirements.txt", '/srv/team\'s "birds"', "", LINE)
    check_workplace("", "", "", ("team.birds:train",))
    check_workplace("/srv/team/requirements.txt", "", "", LINE)
    for address in ("https://git.example.com/a.git", "git@git.example.com:a/b.git", "ssh://git@host/a", "/srv/a.git"):
        check_workplace("requirements.txt", address, SHA, LINE)
