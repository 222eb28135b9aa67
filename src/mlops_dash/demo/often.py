"""How often should the flights' model be retrained? A scientist asks it of the past, as anybody would."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from mlops_dash import runner
from mlops_dash.bootstrap import Services
from mlops_dash.demo.story import MODEL, RECIPE_REFRESH, REPLAY, SCIENTIST
from mlops_dash.demo.train import Tell, one_core
from mlops_dash.domain.hindsight import MONTH
from mlops_dash.domain.jobs import FINISHED
from mlops_dash.errors import Conflict

FIRST: Final = "2013-05-01"  # two months after the first version went live
UNTIL: Final = "2013-12-01"  # where the story's flights end
AT_ONCE: Final = 2


def ask(services: Services, tell: Tell) -> str:
    """Train a version as of the first of each month since May, each scored on all later flights; gives the backfill.

    What a start that was broken off has asked for and trained is not done again.

    Raises:
        Unavailable: MLflow does not answer.
    """
    known = services.retraining.backfills(SCIENTIST, model=MODEL)
    if known:
        services.jobs.reap(REPLAY, 0.0)
    asked = known[0].id if known else services.retraining.backfill(
        SCIENTIST, RECIPE_REFRESH, "how often does this model need to be retrained?", first=FIRST, until=UNTIL,
        every=MONTH,
        parallel=AT_ONCE,
    )  # fmt: skip
    said = threading.Lock()

    def work() -> None:
        while True:
            with said:
                jobs = next(
                    one for one in services.retraining.backfills(SCIENTIST, model=MODEL) if one.id == asked
                ).jobs
                done = sum(job.state in FINISHED for job in jobs)
                tell(done / len(jobs), f"version {min(done + 1, len(jobs))} of {len(jobs)}, as of a past month")
            try:
                runner.run_next(services)
            except Conflict:  # nothing is left, or the other has the last ones
                return

    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="backfill", initializer=one_core) as pool:
        for one in [pool.submit(work) for _ in range(AT_ONCE)]:
            one.result()
    return asked
