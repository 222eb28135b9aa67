"""Models in MLflow: trusted, loaded, asked, and checked in a fresh process."""
