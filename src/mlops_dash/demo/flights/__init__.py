"""The flights out of New York in 2013: their columns, how models of them are fitted, and their recipes' program."""
