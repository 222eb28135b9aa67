"""Fixtures for all tests: tests/fixtures.py brings the rooms, tests/machine.py what the machine must offer."""

pytest_plugins = ["tests.fixtures", "tests.machine"]
