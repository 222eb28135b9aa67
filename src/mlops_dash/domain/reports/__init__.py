"""Reports: frozen facts, how they are selected, and their sentences."""
