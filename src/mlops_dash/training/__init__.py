"""Running recipes: what is trained, on which rows, with which evidence; never MLflow (its door is `tracking`)."""
