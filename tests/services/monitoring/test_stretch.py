"""Since when a stranger's model is worse: the same window that its alarm names, whatever a window is."""

from __future__ import annotations

from datetime import timedelta

from mlops_dash.domain.monitoring.causes import Role
from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.services.command import Context
from mlops_dash.services.monitoring.stretch import harm_stretch
from mlops_dash.store.db import reading
from mlops_dash.store.monitoring import readings as store
from tests.factories import VIEWER
from tests.services.monitoring.monitoring_world import MODEL, V1
from tests.services.monitoring.test_counting import EVERY, counted, send


def test_windows_of_so_many_rows_are_worse_from_the_one_that_the_alarm_names(context: Context) -> None:
    made = counted(context, zone="Europe/Berlin")
    send(made, 6 * EVERY)
    worse = made.now
    send(made, 3 * EVERY, blind=True)
    send(made, 3 * EVERY, blind=True, moved=3.0)  # a column that moves only after that is no cause
    made.evaluate(timedelta(hours=3))
    with reading(made.context.databases.app) as session:
        own = store.readings(session, V1)
    policy = MonitoringPolicy(label_delay_hours=2.0, window=f"rows:{EVERY}", zone="Europe/Berlin")
    found = harm_stretch(own, policy)
    assert len(found) > 3
    assert abs(found[0].start - worse) <= EVERY * timedelta(minutes=2)
    causes = made.monitoring.causes(VIEWER, MODEL)
    assert causes is not None
    assert [(one.column, one.role) for one in causes.ranked] == [("wind", Role.LATER)]
