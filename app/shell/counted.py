"""What this process counts of its pages: how long they take, how many are open, and what broke."""

from __future__ import annotations

from mlops_dash.metrics import PREFIX, Metrics

METRICS = Metrics()
PAGE_SECONDS = METRICS.histogram(
    f"{PREFIX}page_seconds", "What the server takes for a whole run of a page, in seconds.", ("page",)
)
OPEN_TABS = METRICS.gauge(f"{PREFIX}open_tabs", "Browser tabs that are connected.")
INCIDENTS = METRICS.counter(f"{PREFIX}incidents", "Surprises that a page or route of ours met; the log has each.")
