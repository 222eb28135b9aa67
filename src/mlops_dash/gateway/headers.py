"""Names in the headers of a request: bytes, read as UTF-8 as the bodies are."""

from __future__ import annotations

from collections.abc import Iterable

from mlops_dash.domain.events import unit_name
from mlops_dash.domain.sent import LONGEST_ID
from mlops_dash.errors import InvalidInput


def unit_of(raw: Iterable[tuple[bytes, bytes]]) -> str:
    """Whom the rows of a request are for, by X-Prediction-Unit; "" where it does not say.

    Read as Latin-1, as headers of old are, a name beyond ASCII would be another one than its events have.

    >>> unit_of([(b"x-prediction-unit", "Zo\u00eb".encode())]) == "Zo\u00eb", unit_of([])
    (True, '')

    Raises:
        InvalidInput: it is not UTF-8, or no name.
    """
    sent = next((value for name, value in raw if name.lower() == b"x-prediction-unit"), b"")
    try:
        said = sent.decode()
    except UnicodeDecodeError:
        raise InvalidInput(
            "The header X-Prediction-Unit is not UTF-8.", hint="Send the UTF-8 bytes of the name that its events have."
        ) from None
    if said.strip() and not unit_name(said):
        raise InvalidInput(
            f"The header X-Prediction-Unit is no name: one has at most {LONGEST_ID} signs, all printable.",
            hint="Send the user, account or session as its events name it.",
        )
    return said
