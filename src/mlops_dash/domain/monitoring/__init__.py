"""Monitoring: readings of windows, how they are judged, their sentences, and what the page gets."""
