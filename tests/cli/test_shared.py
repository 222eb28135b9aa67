"""Who types: the name comes from the operating system, never from what the environment says."""

from __future__ import annotations

import os
import pwd

import pytest

from mlops_dash.bootstrap import Services
from mlops_dash.cli import shared


def test_the_environment_does_not_say_who_types(house: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: pwd.struct_passwd(("Ada", "x", uid, uid, "", "/", "")))
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "grace")
    who = shared.actor(house)
    assert (who.id, who.name, who.kind) == ("user:ada", "ada", "owner")


def test_a_number_without_a_name_types_under_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(uid: int) -> pwd.struct_passwd:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert shared.login() == f"uid{os.getuid()}"
