"""Rules: frozen dataclasses and functions that decide. No IO, no clock, no database."""
