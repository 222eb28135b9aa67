"""Fixtures for all tests: see tests/fixtures.py (rooms) and below (machine parts)."""

pytest_plugins = ["tests.fixtures"]
