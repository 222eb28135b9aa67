"""Fixtures for all tests: tests/fixtures.py brings the rooms, tests/machine.py what the machine must
offer, tests/served.py a real MLflow store with real models, tests/chromium.py the one browser, tests/order.py the order
of files."""

pytest_plugins = ["tests.fixtures", "tests.machine", "tests.served", "tests.chromium", "tests.order"]
