"""Figures, one file a noun: pure functions, data in, figure out."""
