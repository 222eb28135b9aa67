"""The few custom HTML components."""
