"""One request to the gateway, and what its answer means for the rows in it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from http.client import HTTPException
from typing import IO, Any

_MOST_READ = 64 * 1024 * 1024
_FOR_EVER = frozenset({400, 409, 413, 422})  # the gateway has looked at the rows and will never take them so


class Later(Exception):
    """The rows are not delivered and may be later."""

    def __init__(self, why: str, *, after: float = 0.0) -> None:
        super().__init__(why)
        self.after = after  # seconds that the gateway asks to wait


class Never(Exception):
    """The gateway will not take these rows, together."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A token must not go where an answer says."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> None:
        return None


class Gateway:
    """Where rows go."""

    def __init__(self, url: str, token: str, *, timeout: float) -> None:
        self._url = url.rstrip("/")
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "User-Agent": "mlops-dash-client",
        }
        self._timeout = timeout
        self._opener = urllib.request.build_opener(_NoRedirect())

    def send(self, kind: str, model: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """Send rows of one kind; gives why some of them were left out, one reason a row.

        Raises:
            Later: nothing is known to be stored; the same rows may be sent again.
            Never: the gateway refuses them together.
        """
        body = json.dumps({"model": model, kind: rows}, separators=(",", ":")).encode("ascii")
        request = urllib.request.Request(
            f"{self._url}/v1/{kind}?on_error=skip", data=body, headers=self._headers, method="POST"
        )
        try:
            with self._opener.open(request, timeout=self._timeout) as answer:
                said = json.loads(answer.read(_MOST_READ))
        except urllib.error.HTTPError as error:
            why = _sentence(error)
            if error.code in _FOR_EVER:
                raise Never(why) from None
            raise Later(why, after=_seconds(error.headers.get("Retry-After"))) from None
        except (OSError, HTTPException, ValueError) as error:  # URLError and timeouts are OSErrors
            raise Later(f"{self._url}: {str(error) or type(error).__name__}") from None
        left_out = said.get("left_out", []) if isinstance(said, dict) else []
        return [f"row {one.get('row')}, column {one.get('column')!r}: {one.get('reason')}" for one in left_out]


def _sentence(error: urllib.error.HTTPError) -> str:
    with error:
        try:
            said = json.loads(error.read(100_000))
            return f"{error.code}: {said['message']} {said.get('hint', '')}".strip()
        except (OSError, HTTPException, ValueError, KeyError, TypeError, AttributeError):
            return f"{error.code} {error.reason}"


def _seconds(header: str | None) -> float:
    try:
        return max(0.0, float(header or 0))
    except ValueError:  # a date: back-off is enough
        return 0.0
