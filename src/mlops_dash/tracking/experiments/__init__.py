"""Runs in MLflow: searched, read in pages, logged; their files, models and environments."""
