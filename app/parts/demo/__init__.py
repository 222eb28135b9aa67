"""What only the demo of the flights has."""
