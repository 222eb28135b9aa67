"""Every error this project raises on purpose.

    MlopsDashError              subject, value and bound in one sentence, and a hint with the next step
    ├── InvalidInput            the caller can mend it (HTTP 400/422, exit 2)
    │   └── InvalidRow          one row of a batch, with its number, column and value (HTTP 422)
    ├── NotFound                the thing named does not exist (HTTP 404)
    ├── Conflict                the world moved since the caller looked (HTTP 409)
    │   └── NothingToServe      a known model without an approved version (HTTP 409)
    ├── NotAllowed              the actor lacks the permission (HTTP 403)
    │   └── NotAuthenticated    nobody is logged in, or the token is not valid (HTTP 401)
    ├── BrokenModel             a model's files cannot be loaded or are not trusted (HTTP 503)
    ├── LedgerBroken            the audit ledger does not verify
    ├── LedgerMissing           a command ended without its ledger entry: a bug of ours
    ├── Unanswered              a message left whole and no answer came: it may have arrived, so it is not sent again
    └── Unavailable             something outside does not answer: database, MLflow (HTTP 503, exit 3)
        └── StoreUnavailable    the database is locked, read-only, full or away

Caught only in the entry points (app, gateway, worker, cli).
"""

from __future__ import annotations

import reprlib


class MlopsDashError(Exception):
    """Base of all errors raised on purpose; `hint` says the next step."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def sentence(self) -> str:
        """The message and, when there is one, the hint: what a person reads."""
        return f"{self.message} {self.hint}".strip()


class InvalidInput(MlopsDashError):
    """The input breaks a rule that the caller can mend."""


_SHOWN = reprlib.Repr()  # a value from outside may be nested 3,000 deep or have thousands of digits
_SHOWN.maxstring = _SHOWN.maxother = _SHOWN.maxlong = 80
_SHOWN.maxlevel = 3


class InvalidRow(InvalidInput):
    """One row of a batch breaks a rule; the whole batch is refused."""

    def __init__(self, row: int, column: str, value: object, reason: str, *, hint: str = "") -> None:
        shown = _SHOWN.repr(value)
        shown = shown if len(shown) <= 80 else shown[:77] + "..."
        column = column if len(column) <= 80 else column[:77] + "..."
        super().__init__(f"Row {row}, column {column!r}, value {shown}: {reason}. Nothing was stored.", hint=hint)
        self.row = row
        self.column = column
        self.value = shown
        self.reason = reason


class NotFound(MlopsDashError):
    """The thing named does not exist."""


class Conflict(MlopsDashError):
    """The world moved since the caller looked."""


class NothingToServe(Conflict):
    """The model is known, but no version of it is approved."""


class NotAllowed(MlopsDashError):
    """The actor lacks the permission."""


class NotAuthenticated(NotAllowed):
    """Nobody is logged in, or the token is not valid."""


class BrokenModel(MlopsDashError):
    """A model's files cannot be loaded, or are not trusted."""


class LedgerBroken(MlopsDashError):
    """The audit ledger does not verify; the message names the first bad entry."""


class LedgerMissing(MlopsDashError):
    """A command ended without writing its ledger entry: a bug of ours, and the transaction is undone."""


class Unanswered(MlopsDashError):
    """A message left whole and its receiver did not answer: nobody can say whether it arrived."""


class Unavailable(MlopsDashError):
    """Something outside this process does not answer."""


class StoreUnavailable(Unavailable):
    """The database is locked, read-only, full or away."""
