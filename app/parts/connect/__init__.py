"""Adding models: connect an MLflow, tick what it offers; the first page of a house without one."""
