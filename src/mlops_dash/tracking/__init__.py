"""The only door to MLflow: registry, runs and models."""
