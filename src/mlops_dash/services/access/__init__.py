"""Who are you, and who may come in: logins, sessions, one-time links, users and tokens.

Secrets (session cookies, links, tokens) are shown once and kept as sha256; passwords as argon2id. Sessions and links
live on the machine's clock, so that a replayed world cannot log people out.
"""

from __future__ import annotations

from mlops_dash.services.access.accounts import Accounts
from mlops_dash.services.access.logins import Logins

__all__ = ["AccessService"]


class AccessService(Logins, Accounts):
    """Logins (`logins.py`), and the users and tokens that admins keep (`accounts.py`)."""
