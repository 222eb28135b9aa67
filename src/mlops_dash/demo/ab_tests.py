"""The demo's A/B test: the April-only version that was rolled back, against the champion, for three weeks of May.

Its outcome is whatever the data say. Both calls may be repeated. Designing takes 1.1 s (a gateway process notices a
test within a second), finishing about 1 s; while it runs a day of replay scores half of its rows twice.
"""

from __future__ import annotations

import time
from datetime import date, datetime

from mlops_dash.bootstrap import Services
from mlops_dash.demo.flights.recipes import new_york
from mlops_dash.demo.story import LEAD, MODEL, SCIENTIST
from mlops_dash.domain.ab_tests.rules import NewTest
from mlops_dash.domain.words import ABState
from mlops_dash.services.scoring.following import STALE_SECONDS

CHALLENGER = "2"
STARTS_AT = new_york(date(2013, 5, 10))
READ_AT = new_york(date(2013, 6, 1))  # every day of the test is ripe
DAYS = 21
PLANNED_UNITS = 18_900  # 900 labelled flights a day
QUESTION = "Was it right to roll April's model back? Its ranking was better, its calibration worse."


def on_midnight(services: Services, midnight: datetime) -> None:
    """What the test asks for at a midnight of the replay: begin it, or read and stop it."""
    if midnight == STARTS_AT:
        design(services)
    elif midnight == READ_AT:
        finish(services)


def design(services: Services) -> None:
    """A scientist designs it, a lead starts it; nothing when it is there already."""
    room = services.ab_tests.room(LEAD)
    test = next((one for one in room.tests if one.model == MODEL), None)
    if test is None:
        challenger = services.registry.version_id(SCIENTIST, MODEL, CHALLENGER)
        test = services.ab_tests.design(
            SCIENTIST,
            NewTest(
                model=MODEL,
                challenger_id=challenger,
                question=QUESTION,
                guardrails={"brier": 0.005, "log_loss": 0.015},
                days=DAYS,
                planned_units=PLANNED_UNITS,
                key="flights of May 2013",  # the same arms in every build
            ),
        )
    if test.state is ABState.DESIGNED:
        services.ab_tests.start(LEAD, test.id, test.revision, reason="the rollback deserves a fair test")
        time.sleep(STALE_SECONDS)  # what this process knows of tests may be that old


def finish(services: Services) -> None:
    """Three weeks are over and ripe: a lead reads and stops it; nothing when that is done."""
    test = services.ab_tests.room(LEAD).test
    if test is not None and test.state is ABState.RUNNING:
        reason = "three weeks are over and every day is ripe"
        services.ab_tests.stop(LEAD, test.id, test.revision, reason=reason)
