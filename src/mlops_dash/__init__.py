"""mlops-dash: the room where a team decides what its models do in production."""

__version__ = "0.1.0"
