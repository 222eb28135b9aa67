"""A team's own service, at the moment that it answers: every answer and, later, the truth goes to the gateway.

    MLOPS_DASH_TOKEN=... python log_minutes.py http://127.0.0.1:8601 minutes-answered.csv

What it answered is read from a file here, which stands for its requests; the two calls of the client are those that a
service makes. Needs mlops_dash_client, which is the standard library alone.
"""

from __future__ import annotations

import csv
import os
import sys

from mlops_dash_client import Client

MODEL, VERSION = "minutes-in-the-air", "1"
INPUTS = ["distance", "hour", "plane_seats", "temp", "wind_speed"]


def main(gateway: str, path: str) -> int:
    """Log the file's answers and truths; 1 when not all of them arrived."""
    with Client(gateway, os.environ["MLOPS_DASH_TOKEN"]) as client, open(path, newline="") as file:
        for row in csv.DictReader(file):
            inputs = {name: float(row[name]) if row[name] else None for name in INPUTS}
            client.log_prediction(
                MODEL, VERSION, float(row["said"]), inputs, prediction_id=row["flight_id"], at=row["scored_at"]
            )
            client.log_label(MODEL, row["flight_id"], float(row["air_time"]), observed_at=row["known_at"])
        arrived = client.flush(timeout=120)
        print(client.counters)
    return 0 if arrived and client.counters.delivered == client.counters.logged else 1


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
