"""Experiments: frames of runs, what is asked of them, how they compare, and what the page gets."""
