"""All models at once: one row a model, what needs somebody, and what the Overview gets."""
