"""The registry: versions, proposals, gates, and what the page gets."""
