"""Measure once, keep for ever: challenger against champion on the same rows, a version alone, and the two checks.

Everything ends as Evidence rows; gates, approvals and reports only carry their ids.

comparing   two versions on the rows that both scored
measuring   a version alone
pushing     rows of anybody's pipeline: kept, measured, and compared with those of another version
checking    signature and input example
by_recipe   the checks that the version's recipe carries
reading     what was kept
"""

from __future__ import annotations

from mlops_dash.services.command import Context
from mlops_dash.services.evidence.by_recipe import ByRecipe
from mlops_dash.services.evidence.checking import Checking
from mlops_dash.services.evidence.comparing import Comparing
from mlops_dash.services.evidence.measuring import Measuring
from mlops_dash.services.evidence.pushing import EvidenceColumns, Pushed, Pushing
from mlops_dash.services.evidence.reading import Kept

__all__ = ["EvidenceColumns", "EvidenceService", "Pushed"]


class EvidenceService:
    """Evidence of all models."""

    def __init__(self, context: Context) -> None:
        self.context = context

        kept = Kept(context)
        self.get = kept.get
        self.about = kept.about

        self.compare = Comparing(context).compare
        pushing = Pushing(context)
        self.read_file = pushing.read_file
        self.read_sent = pushing.read_sent
        self.push = pushing.push
        self.compare_pushed = pushing.compare_pushed
        self.measure = Measuring(context).measure
        self.check_version = Checking(context).check_version
        self.run_checks = ByRecipe(context).run_checks
