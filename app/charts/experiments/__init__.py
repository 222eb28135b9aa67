"""Charts of the Experiments page: a frame of runs in, figures, tables and findings out."""
