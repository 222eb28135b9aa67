"""Tables of the two databases, a file a noun. They never leave store.

Importing any of them imports all, so that the metadata of a database is whole whoever asks for it.
"""

from __future__ import annotations

from mlops_dash.store.tables import (
    ab_tests,
    access,
    audit,
    experiments,
    jobs,
    log,
    monitoring,
    notices,
    registry,
    reports,
    threads,
)

__all__ = [
    "ab_tests",
    "access",
    "audit",
    "experiments",
    "jobs",
    "log",
    "monitoring",
    "notices",
    "registry",
    "reports",
    "threads",
]
