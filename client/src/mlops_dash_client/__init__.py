"""Logs what a model answered, and what turned out true, to mlops-dash, and is never in the way of the program.

>>> client = Client("http://127.0.0.1:8601", token)                                             # doctest: +SKIP
>>> name = client.log_prediction("churn", "3", score=0.31, features={"plan": "basic"})           # doctest: +SKIP
>>> client.log_label("churn", name, 1)                                                          # doctest: +SKIP
"""

from __future__ import annotations

from mlops_dash_client.client import Client
from mlops_dash_client.counting import Counters

__all__ = ["Client", "Counters"]
__version__ = "0.1.0"
