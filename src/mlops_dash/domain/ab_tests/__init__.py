"""A/B tests: the rules of a live test, the reading of one that is over, and what the page gets."""
