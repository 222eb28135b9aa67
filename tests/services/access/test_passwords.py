"""A password costs 64 MiB and a core for a moment: strangers get two such moments at a time and a short line."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from mlops_dash.errors import Unavailable
from mlops_dash.services.access import passwords


class Slow:
    """A hasher that stands still until the test lets it go, and counts who is inside."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self.go = threading.Event()
        self._lock = threading.Lock()

    def verify(self, _known: str, _password: str) -> bool:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.go.wait(30)
        with self._lock:
            self.inside -= 1
        return True


def test_of_eighty_tries_at_once_two_are_worked_on_eight_wait_and_the_rest_is_told_to_come_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow = Slow()
    monkeypatch.setattr(passwords, "_hasher", slow)
    refused = threading.Semaphore(0)

    def attempt(_number: int) -> bool:
        try:
            return passwords.fits("known", "a guess")
        except Unavailable:
            refused.release()
            raise

    with ThreadPoolExecutor(80) as pool:
        tries = [pool.submit(attempt, number) for number in range(80)]
        for _ in range(80 - passwords.AT_ONCE - passwords.IN_LINE):
            assert refused.acquire(timeout=30)
        slow.go.set()
        errors = [tried.exception() for tried in tries]
    assert sum(isinstance(error, Unavailable) for error in errors) == 70
    assert sum(error is None for error in errors) == 10
    assert slow.most == passwords.AT_ONCE


def test_a_refused_or_failed_check_keeps_no_place_in_the_line() -> None:
    for _ in range(passwords.AT_ONCE + passwords.IN_LINE + 1):
        assert not passwords.fits("no hash at all", "a guess")
