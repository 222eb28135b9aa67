"""Rows of runs: MLflow's own tables, the run index of a remote server, saved views, runs that became versions."""
