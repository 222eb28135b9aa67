"""Rows of monitoring: parts, profiles, references, readings and alerts."""
